//! What time alone changes on the receiving side: receipts expire, and what is over goes by age.
//! Some at a time, each time as a command of its own.

use super::Driver;
use ecs_systems::{
    methods::{clean_some, expire_some, next_cleaning, next_expiry},
    policy::{Autoclean, Policy},
    units::Timestamp,
};

impl Driver {
    /// Changes what is cleaned by itself from now on. A start begins with what the operator's
    /// policy says again.
    pub fn change_autoclean(&mut self, change: impl FnOnce(&mut Autoclean)) {
        if let Some(mut policy) = self.engine.resource_mut::<Policy>() {
            change(&mut policy.autoclean);
        }
    }

    /// When the next receipt expires.
    pub(super) fn expire_at(&self) -> Option<Timestamp> {
        next_expiry(&self.engine)
    }

    /// Notes some of those that have expired.
    pub(super) fn expire(&mut self) {
        if self.expire_at().is_some_and(|at| at <= self.now) {
            self.begin(self.now);
            expire_some(&mut self.engine);
            self.perform_effects();
        }
    }

    /// When there is something to clean next.
    pub(super) fn clean_at(&self) -> Option<Timestamp> {
        next_cleaning(&self.engine, self.now)
    }

    /// Cleans some of what is due.
    pub(super) fn clean(&mut self) {
        if self.clean_at().is_some_and(|at| at <= self.now) {
            self.begin(self.now);
            clean_some(&mut self.engine);
            self.perform_effects();
        }
    }
}
