//! Situations in which others pay us.

use crate::{
    closed::Cause,
    payers::{Payers, Shown},
    situation::{More, Situation, to_us},
    third::{Does, Place, Third},
};
use ecs_core::Write;
use ecs_systems::policy::Policy;

/// What is right.
const RIGHT: &[Shown] = &[Shown::Whole, Shown::Half];
/// What is right, and all that is wrong.
const ALL: &[Shown] = &[
    Shown::Whole,
    Shown::Half,
    Shown::OtherTotal,
    Shown::TooLittle,
    Shown::TooMuch,
    Shown::WrongSecret,
    Shown::NoSecret,
    Shown::TooFewBlocks,
    Shown::Nothing,
    Shown::OtherHash,
];

const PLAIN: Payers =
    Payers { shows: RIGHT, htlcs_max: 2, hold: false, awaited: false, payable_ms: None };

/// Paid, not paid, cancelled: see `payers::end_of`.
const ENDS: &[i32] = &[0, 1, 2];

fn new(name: &'static str, payers: Payers) -> Situation {
    Situation { payers: Some(payers), ..Situation::new(name, Write::here(), ENDS) }
}

/// What third parties' Systems wait for on HTLCs and sets.
const STAGES: [&str; 6] = [
    "lightningd:htlc",
    "lightningd:set:received",
    "lightningd:set:enough",
    "lightningd:set:complete",
    "lightningd:set:settling",
    "lightningd:refusing",
];

/// The situations in which others pay us.
pub(crate) fn situations() -> Vec<Situation> {
    let held = Payers { hold: true, ..PLAIN };
    let written = |name, payers| Situation { ends: &[0, 1], ..new(name, payers).written() };
    let closes: &[Cause] = &[Cause::Reconciling, Cause::DiskLow];
    let closing = |name, payers| Situation { closes, ..new(name, payers).odd() };
    let mut all = vec![
        new("received", Payers { shows: ALL, htlcs_max: 3, ..PLAIN }).full(),
        new("received, much is rare", PLAIN).two_rare(),
        new("received, held", Payers { htlcs_max: 3, ..held }).full(),
        new("received, held, much is rare", held).two_rare(),
        new("received, preimage awaited", Payers { awaited: true, ..PLAIN }).full(),
        new("received, expires", Payers { payable_ms: Some(40_000), htlcs_max: 3, ..PLAIN }).full(),
        Situation {
            policy: Policy { held_htlcs_max: 1, ..Policy::default() },
            ..new("received, held, no place for two", held).odd()
        },
        // What crosses no channel cannot be held.
        Situation {
            receipt: true,
            more: More::Hold,
            ..Situation::new("to self, held", to_us(), &[203]).full()
        },
        closing("received, closed intake", PLAIN),
        closing("received, held, closed intake", held),
        written("received, written to", PLAIN),
        written("received, held, written to", held),
        written("received, awaited, written to", Payers { awaited: true, ..PLAIN }),
    ];
    let does = [Does::Flag, Does::Reject, Does::Hold, Does::External, Does::Refuse, Does::Wait];
    for does in does {
        for requires in STAGES {
            let third = vec![Third { name: "acme:a", requires, does, place: Place::First }];
            let name = format!("{} received {requires}", does.word()).leak();
            all.push(Situation { third, ..new(name, PLAIN).odd() });
        }
    }
    all
}
