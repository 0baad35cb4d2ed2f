//! What goes wrong in the network: a table, one row for each fault.

use super::plot::index;
use ecs_systems::{
    planner::Rng,
    port::{FailureCode, PartKey},
    units::{Blocks, NodeId, PaymentHash, Seconds, Timestamp},
};
use node_sim::{Fact, Script, SimNetwork};

/// Most seconds that a node is away or keeps an HTLC.
const AWAY_S_MAX: u64 = 600;
/// Most seconds that our node tells something late.
const TOLD_LATE_S_MAX: u64 = 30;
/// Most blocks that our node does not see for a while.
const UNSEEN_BLOCKS_MAX: u64 = 3;
/// Most seconds that a payee keeps a complete set.
const HELD_S_MAX: u64 = 3_600;
/// How many of our parts a fault may be about: the latest.
const PARTS_LOOKED_AT: usize = 200;

/// What a fault has to strike with.
pub(super) struct Strike<'a> {
    pub(super) network: &'a SimNetwork,
    pub(super) rng: Rng,
    pub(super) now: Timestamp,
    /// Hashes of invoices that clients were given.
    pub(super) hashes: &'a [PaymentHash],
}

/// A row: the fault's name, and how it strikes. `None`: there was nothing to strike at.
pub(super) type Row = (&'static str, fn(&mut Strike<'_>) -> Option<()>);

/// The faults that are drawn.
pub(super) const FAULTS: &[Row] = &[
    ("node offline", |strike| {
        let (node, until) = (strike.node()?, strike.within(AWAY_S_MAX));
        let failcode = FailureCode::UnknownNextPeer;
        strike.script(Script::Offline { node, until: Some(until), failcode })
    }),
    ("HTLC failed", |strike| {
        let failcode = match strike.rng.below(3) {
            0 => FailureCode::TemporaryNodeFailure,
            1 => FailureCode::TemporaryChannelFailure,
            _ => FailureCode::PermanentChannelFailure,
        };
        let node = strike.node()?;
        strike.script(Script::FailNext { node, failcode })
    }),
    ("HTLC kept", |strike| {
        let (node, until) = (strike.node()?, strike.within(AWAY_S_MAX));
        strike.script(Script::KeepNext { node, until })
    }),
    ("failure garbled", |strike| {
        let node = strike.node()?;
        strike.script(Script::GarbleNext { node })
    }),
    ("set held", |strike| {
        let payment_hash = strike.hash()?;
        let until = strike.within(HELD_S_MAX);
        strike.script(Script::HoldSet { payment_hash, until })
    }),
    ("outcome lost", |strike| {
        let key = strike.part()?;
        strike.script(Script::LoseOutcome { key })
    }),
    ("outcome unknown", |strike| {
        let (key, times) = (strike.part()?, u32::try_from(1 + strike.rng.below(4)).ok()?);
        strike.script(Script::AnswerUnknown { key, times })
    }),
    ("channel closed", |strike| {
        // Rarely: what is closed stays so.
        if !strike.rng.chance(300_000) {
            return None;
        }
        let (a, b) = (strike.node()?, strike.node()?);
        let direction = strike.network.direction(a, b)?;
        strike.network.close_channel(direction.scid, strike.now).ok()
    }),
    ("policy changed", |strike| {
        let (a, b) = (strike.node()?, strike.node()?);
        let direction = strike.network.direction(a, b)?;
        let policy =
            node_sim::policy(strike.rng.below(5_000), u32::try_from(strike.rng.below(2_000)).ok()?);
        let announce = strike.rng.chance(500_000);
        strike.network.set_policy(direction, policy, announce, strike.now).ok()
    }),
];

/// Those that are drawn besides where others pay us.
pub(super) const RECEIVING: &[Row] = &[
    ("event told late", |strike| {
        let until = strike.within(TOLD_LATE_S_MAX);
        strike.script(Script::TellLate { until })
    }),
    ("answers lost", |strike| {
        let times = u32::try_from(1 + strike.rng.below(4)).ok()?;
        strike.script(Script::LoseReplies { times })
    }),
    ("blocks seen late", |strike| {
        let blocks = Blocks(u32::try_from(1 + strike.rng.below(UNSEEN_BLOCKS_MAX)).ok()?);
        let until = strike.within(AWAY_S_MAX);
        strike.script(Script::SeeLate { blocks, until })
    }),
    ("our node restarts later", |strike| {
        let at = strike.within(TOLD_LATE_S_MAX);
        strike.script(Script::RestartUs { at })
    }),
];

impl Strike<'_> {
    fn script(&self, script: Script) -> Option<()> {
        self.network.script(script, self.now).ok()
    }

    /// A node other than ours.
    fn node(&mut self) -> Option<NodeId> {
        let others = self.network.others();
        let at = index(&mut self.rng, others.len());
        others.get(at).copied()
    }

    /// A moment within so many seconds.
    fn within(&mut self, seconds_max: u64) -> Timestamp {
        self.now.after(Seconds(1 + self.rng.below(seconds_max)))
    }

    fn hash(&mut self) -> Option<PaymentHash> {
        let at = index(&mut self.rng, self.hashes.len());
        self.hashes.get(at).copied()
    }

    /// One of our latest parts.
    fn part(&mut self) -> Option<PartKey> {
        let log = self.network.truth(0);
        let sent = log.iter().rev().take(PARTS_LOOKED_AT).filter_map(|record| {
            let Fact::PartSubmitted { key, .. } = record.fact else { return None };
            Some(key)
        });
        let sent: Vec<PartKey> = sent.collect();
        let at = index(&mut self.rng, sent.len());
        sent.get(at).copied()
    }
}
