//! Whether new work is taken on.

use super::Driver;
use ecs_systems::{policy::Intake, port::Books};

impl Driver {
    /// Whether new work is taken on now, and what stands in the way.
    #[must_use]
    pub fn intake(&self) -> Intake {
        self.engine.resource().copied().unwrap_or_default()
    }

    /// What is left of the journal's disk is to end what has begun, or there is room again: new
    /// work is refused from now on, or taken on.
    pub fn set_disk_low(&mut self, disk_low: bool) {
        let intake = self.intake();
        if intake.disk_low != disk_low {
            tracing::warn!(target: "payflow::journal", disk_low, "the disk's room has changed");
            self.engine.insert_resource(Intake { disk_low, ..intake });
        }
    }

    /// Closes the intake where the books are a backup's, and opens it where they no longer are.
    pub(super) fn judge_books(&mut self) {
        let reconciling = self.engine.resource::<Books>().is_some_and(|books| books.0.is_backup());
        let intake = self.intake();
        let parts_read = if reconciling { intake.parts_read } else { 0 };
        self.engine.insert_resource(Intake { reconciling, parts_read, ..intake });
    }
}
