//! What an operator allows.

use crate::{
    port::{OverKind, SpendLimit},
    refusal::INTAKE_CLOSED,
};
use bevy_ecs::resource::Resource;
use ecs_core::Refusal;
use payecs_planner::Graph;
use payecs_units::{Msat, Seconds};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// What an operator allows. Systems read it.
#[derive(Resource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Most that one payment may spend, fees included; more is refused.
    pub payment_max_msat: Option<Msat>,
    /// Above this an operator is asked.
    pub ask_above_msat: Option<Msat>,
    /// How long an operator has to answer.
    pub approval_timeout: Seconds,
    /// Bounds on what is spent within a time.
    pub limits: Vec<SpendLimit>,
    /// Most rounds of planning for one payment.
    pub rounds_max: u32,
    /// Most paycodes that wait unpaid, those that have expired and are still known included.
    pub unpaid_paycodes_max: u64,
    /// Most HTLCs that are held at a time, of all channels together.
    pub held_htlcs_max: u64,
    /// Most HTLCs of one channel that are held at a time.
    pub held_htlcs_per_channel_max: u64,
    /// What is deleted by itself of what is over on the receiving side.
    pub autoclean: Autoclean,
}

/// What is deleted by itself of what is over on the receiving side, and when. The default is Core
/// Lightning's: nothing, and an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autoclean {
    /// How often it is looked for; at least a second.
    pub cycle: Seconds,
    /// How long ago it ended. What is not here, or 0 here, is never deleted.
    pub ages: BTreeMap<OverKind, Seconds>,
}

impl Default for Autoclean {
    fn default() -> Self {
        Self { cycle: Seconds(3_600), ages: BTreeMap::new() }
    }
}

impl Autoclean {
    /// How old what is over so may get. `None`: it is never deleted.
    #[must_use]
    pub fn age(&self, kind: OverKind) -> Option<Seconds> {
        self.ages.get(&kind).copied().filter(|age| age.0 > 0)
    }

    /// All that is deleted, and at what age.
    pub fn enabled(&self) -> impl Iterator<Item = (OverKind, Seconds)> + '_ {
        OverKind::ALL.into_iter().filter_map(|kind| Some((kind, self.age(kind)?)))
    }
}

impl Default for Policy {
    /// No limits; ten minutes for an operator; 100 rounds; 100 000 paycodes that wait unpaid; 300
    /// HTLCs that are held, and 20 of one channel, as Core Lightning takes 30 by default; nothing
    /// is cleaned by itself.
    fn default() -> Self {
        Self {
            payment_max_msat: None,
            ask_above_msat: None,
            approval_timeout: Seconds(600),
            limits: Vec::new(),
            rounds_max: 100,
            unpaid_paycodes_max: 100_000,
            held_htlcs_max: 300,
            held_htlcs_per_channel_max: 20,
            autoclean: Autoclean::default(),
        }
    }
}

/// Whether the engine takes on what may move money. Systems read it; the driver replaces it.
///
/// While it is closed, no hash is claimed, no round begins, and no part leaves that has no record
/// yet: such a payment fails. Parts that are out are followed and booked, and what was paid before
/// is answered again. While books are reconciled, no preimage is released for a set either: one
/// that is held waits, and any other is given back. A disk that is low is no reason to refuse what
/// has come: to give it back takes as much room.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// The books are a backup's, and don't know yet what the node has done since.
    pub reconciling: bool,
    /// How many parts of the node's list were read for that; 0 where nothing is reconciled.
    pub parts_read: u64,
    /// What is left of the disk is to end what has begun.
    pub disk_low: bool,
}

impl Intake {
    /// Refuses a claim while it is closed. A payment that is refused so may be tried again later.
    ///
    /// # Errors
    /// Code 2330, with the cause.
    pub fn check(self) -> Result<(), Refusal> {
        let closed = self.closed().map(|(cause, why)| {
            let mut facts = json!({ "cause": cause, "retryable": true });
            self.add_progress(&mut facts);
            Refusal::new(INTAKE_CLOSED, format!("{why}, then try again")).with_data(&facts)
        });
        closed.map_or(Ok(()), Err)
    }

    /// Refuses to go on with a claimed payment while it is closed: it fails. That is the answer for
    /// ever where it has an idempotency key.
    ///
    /// # Errors
    /// Code 2330, with the cause.
    pub fn check_claimed(self) -> Result<(), Refusal> {
        let closed = self.closed().map(|(cause, why)| {
            let why = format!("{why}, then pay again, with another idempotency key if it had one");
            let mut facts = json!({ "cause": cause });
            self.add_progress(&mut facts);
            Refusal::new(INTAKE_CLOSED, why).with_data(&facts)
        });
        closed.map_or(Ok(()), Err)
    }

    /// How far a reconciliation is.
    fn add_progress(self, facts: &mut Value) {
        if self.reconciling {
            facts["parts_read"] = self.parts_read.into();
        }
    }

    /// Why it is closed, as a word and in words that say what to do first.
    fn closed(self) -> Option<(&'static str, &'static str)> {
        if self.reconciling {
            Some((
                "reconciling",
                "The engine was restored from a backup and has not learned from the node yet what \
                 was paid since: wait for it",
            ))
        } else if self.disk_low {
            Some((
                "disk",
                "The disk of the journal is nearly full, and what is left is for payments under \
                 way: make room there",
            ))
        } else {
            None
        }
    }
}

/// The graph that plans are checked against. The driver replaces it.
#[derive(Resource, Clone, Debug, Default)]
pub struct GraphView(pub Arc<Graph>);
