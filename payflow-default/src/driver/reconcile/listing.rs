//! The node's list of parts, page by page.

use super::{Asked, held_parts, payment_of};
use crate::driver::{ASK_AGAIN_MS_FIRST, Driver};
use ecs_systems::port::{
    Books, HoldState, LedgerError, NodeError, NodeReply, NodeRequest, PartKey, PartRecord,
    PartStatus,
};

/// Parts in one page of the node's list: more are not looked at in one command.
pub(super) const PAGE: u32 = 1_000;

impl Driver {
    /// A page of the node's list.
    pub(in crate::driver) fn take_parts_listed(&mut self, reply: Result<NodeReply, NodeError>) {
        let looked_at = match reply {
            Ok(NodeReply::Parts(mut records)) => {
                // What is beyond the page is asked for again.
                records.truncate(PAGE as usize);
                let known: Result<Vec<_>, _> = records.iter().map(|it| self.known(it)).collect();
                known.map(|known| (records, known)).map_err(|error| error.to_string())
            }
            Ok(_) => Err("the answer belongs to another question".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let now = self.now;
        let Some(asked) = &mut self.asked else { return };
        let (records, known) = match looked_at {
            Ok(looked_at) => looked_at,
            Err(why) => {
                tracing::error!(target: "payflow::reconcile", why, "no list of parts: asked again");
                asked.again_at = Some(now.after_ms(ASK_AGAIN_MS_FIRST));
                return;
            }
        };
        asked.is_listed = records.is_empty();
        for (record, known) in records.into_iter().zip(known) {
            asked.take(record, known);
        }
        let is_listed = asked.is_listed;
        self.note_progress();
        if is_listed {
            self.ask_about_open_parts();
        }
        self.ask_on();
    }

    /// What the books have of a part that the node lists.
    fn known(&self, record: &PartRecord) -> Result<Option<HoldState>, LedgerError> {
        let Some(Books(books)) = self.engine.resource() else { return Ok(None) };
        books.part(&payment_of(&record.key), record.key.part_id)
    }

    /// The parts that the books have as open and of which nothing was heard.
    fn ask_about_open_parts(&mut self) {
        let open = self.open_payments();
        let held = open.iter().flat_map(held_parts);
        let Some(asked) = &mut self.asked else { return };
        let keys: Vec<PartKey> = held.filter(|key| !asked.said.contains_key(key)).collect();
        asked.awaited.extend(keys.iter().copied());
        for key in keys {
            self.asking.watch(key, self.now);
            self.offer(NodeRequest::AskPart(key));
        }
    }
}

impl Asked {
    /// Keeps what is needed of a part: most are over, and the books know them.
    fn take(&mut self, record: PartRecord, known: Option<HoldState>) {
        self.listed += 1;
        self.look_for_gap(record.created_index, known.is_some());
        let is_paid = matches!(record.status, PartStatus::Paid { .. });
        match (known, &record.status) {
            (Some(HoldState::Void), _) if !is_paid => {}
            (Some(HoldState::Held | HoldState::Void), _) => {
                self.said.insert(record.key, record.status);
            }
            (Some(HoldState::Paid), _)
            | (None, PartStatus::Failed(_) | PartStatus::NeverArrived) => {}
            (None, PartStatus::Paid { .. } | PartStatus::InFlight | PartStatus::Unknown) => {
                self.found.push(record);
            }
        }
    }

    /// What was sent before a part of the backup is in the backup. Once something was booked, the
    /// books know parts that are in no backup: then only the place counts to which all are booked.
    fn look_for_gap(&mut self, place: u64, is_known: bool) {
        let booked_to = self.followed.as_ref().map(|followed| followed.booked_to);
        let before = self.after.max(booked_to.unwrap_or_default());
        let follows = before.checked_add(1) == Some(place);
        self.has_gap = match booked_to {
            None => !is_known && (self.has_gap || !follows),
            Some(booked_to) => self.has_gap || (place > booked_to && !follows),
        };
        self.after = self.after.max(place);
    }

    /// Whether the list lacks something that was sent since the backup.
    pub(super) fn has_forgotten(&self) -> bool {
        let listed_to = self.followed.as_ref().map(|followed| followed.listed_to);
        self.has_gap || listed_to.is_some_and(|listed_to| self.after < listed_to)
    }
}
