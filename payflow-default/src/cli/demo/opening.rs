//! When new payments are taken on: once the books know our channels and, where they are a backup's,
//! what the node has done since.

use super::DemoError;
use ecs_systems::port::{Books, NodeView};
use payflow_default::{Driver, ReconcileReport, Reconciliation};
use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

/// How long is waited for a node that can't say what became of a part.
const UNKNOWN_MAX: Duration = Duration::from_secs(10);
/// Most parts that are named.
const NAMED_MAX: usize = 20;

/// What stands in the way at one moment.
#[derive(Debug)]
pub(crate) struct Looked {
    books_are_open: bool,
    reconciliation: Reconciliation,
}

impl Looked {
    pub(crate) fn at(driver: &Driver) -> Self {
        let books_are_open = books_are_open(driver) && !driver.intake().reconciling;
        Self { books_are_open, reconciliation: driver.reconciliation().clone() }
    }
}

/// Waits for the opening, and says what is found.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    blocked_since: Option<Instant>,
}

impl Opening {
    /// Whether new payments are taken on.
    ///
    /// # Errors
    /// Nobody can say what is needed for that.
    pub(crate) fn look(&mut self, looked: Looked) -> Result<bool, DemoError> {
        self.look_and_say(looked, |text| eprintln!("{text}"))
    }

    /// The same, saying it elsewhere.
    ///
    /// # Errors
    /// Nobody can say what is needed for that.
    pub(crate) fn look_and_say(
        &mut self,
        looked: Looked,
        say: impl FnOnce(&str),
    ) -> Result<bool, DemoError> {
        match looked.reconciliation {
            Reconciliation::Done(report) if looked.books_are_open => say(&told(&report)),
            Reconciliation::None
            | Reconciliation::Asking { .. }
            | Reconciliation::Booking { .. }
            | Reconciliation::Done(_) => {}
            Reconciliation::Blocked(report) => {
                let since = self.blocked_since.get_or_insert_with(now);
                let only_unknown = !report.forgotten && report.troubles.is_empty();
                if !only_unknown || since.elapsed() > UNKNOWN_MAX {
                    return Err(DemoError::NotReconciled(what_blocks(&report)));
                }
            }
        }
        Ok(looked.books_are_open)
    }
}

fn told(report: &ReconcileReport) -> String {
    let (found, adjusted) = (report.found.len(), report.adjusted.len());
    let mut text = format!(
        "reconciled with the node: {found} payments since the backup, {adjusted} channels adjusted"
    );
    for (channel, booked, there) in &report.adjusted {
        let line = write!(text, "\n  channel {channel}: {booked} booked, {there} there");
        line.expect("a string takes it");
    }
    for channel in &report.uncompared {
        let line = write!(text, "\n  channel {channel}: not compared, as a part of it is unknown");
        line.expect("a string takes it");
    }
    text
}

fn what_blocks(report: &ReconcileReport) -> String {
    let mut text =
        "the engine was restored from a backup, and nothing new is taken on: ".to_owned();
    if report.forgotten {
        text.push_str(
            "the node's list of parts has a gap, so that nobody can say what was paid since: begin \
             with a new data directory; or, where you know that nothing is missing, start again \
             with --accept-forgotten WHY --operator WHO",
        );
        for (channel, expected, there) in &report.unexplained {
            let line = write!(text, "\n  channel {channel}: {expected} expected, {there} there");
            line.expect("a string takes it");
        }
        if report.unexplained.is_empty() {
            text.push_str("\n  no channel lacks anything");
        }
    } else if let Some(trouble) = report.troubles.first() {
        text.push_str("what the node says can't be booked: ");
        text.push_str(trouble);
    } else {
        text.push_str(
            "the node can't say what became of these parts; start again later, or with \
             --accept-unknown, which keeps their hashes claimed",
        );
        for key in report.unknown.iter().take(NAMED_MAX) {
            let (hash, part) = (key.payment_hash, key.part_id);
            write!(text, "\n  part {part} of {hash}").expect("a string takes it");
        }
    }
    text
}

/// Whether every channel that the node says is ours is in the books.
fn books_are_open(driver: &Driver) -> bool {
    let engine = driver.engine();
    let (Some(books), Some(view)) = (engine.resource::<Books>(), engine.resource::<NodeView>())
    else {
        return false;
    };
    view.channels.iter().all(|channel| books.0.has_channel(channel.short_channel_id))
}

#[expect(clippy::disallowed_methods, reason = "the edge: how long a person waits")]
fn now() -> Instant {
    Instant::now()
}
