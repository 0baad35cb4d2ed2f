//! What is asked for and paid where others pay us: paycodes, their payers, and who decides.

use super::plot::{amount, index};
use ecs_systems::{
    planner::Rng,
    units::{Blocks, Msat, Preimage},
};

/// What follows from a paycode has its number and so many times this more.
pub(super) const STRIDE: u32 = 1_000;
/// The number of the paycode that something follows from; of anything else, its own.
pub(super) fn origin(number: u32) -> u32 {
    number % STRIDE
}

/// Milliseconds between two blocks, as the network has it where nothing else is said.
const BLOCK_MS: u64 = 600_000;
/// What a hold leaves before its first HTLC expires.
const HOLD_ENDS_BLOCKS: u32 = 18;
/// How long a payee gathers a set, and a little more.
const SET_MS: u64 = 70_000;
/// Most times what was asked for that a payer says it pays.
const TIMES_MAX: u64 = 3;

/// Something about a paycode. `of` is the number of the deed that asked for it.
#[derive(Clone, Debug)]
pub(super) enum Receiving {
    /// A client asks for a paycode.
    Ask(Offer),
    /// Another node sends a part.
    Pay { of: u32, part: Share },
    /// Somebody decides about what is held.
    Decide { of: u32, how: Decision },
    /// A client deletes it.
    Delete { of: u32, status: &'static str, keep_tombstone: bool },
    /// A client asks how it stands.
    Look { of: u32 },
    /// A client waits for it.
    Wait { of: u32, until: &'static str, timeout_s: Option<u64> },
    /// A client asks for it again, with the same request or another.
    AskAgain { of: u32, same: bool },
}

/// A paycode as a client wants it.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// `None`: any.
    pub(super) asked: Option<Msat>,
    pub(super) overpay: Overpay,
    pub(super) timeout_s: u64,
    pub(super) cltv: u32,
    pub(super) hold: bool,
    pub(super) chosen: Chosen,
    /// Whether it has an idempotency key.
    pub(super) key: bool,
}

/// Which totals a paycode takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overpay {
    /// Up to twice what was asked for.
    Bolt,
    /// That alone.
    Exact,
    /// That or more.
    Any,
}

/// Who knows the preimage.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chosen {
    /// The engine alone.
    Drawn,
    /// Engine and client.
    Preimage(Preimage),
    /// The client alone.
    Hash(Preimage),
}

/// What becomes of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is settled with its preimage.
    Settle,
    /// Its hold is detached.
    Release,
    /// The paycode is given up.
    Cancel,
}

/// A part that another node sends.
#[derive(Clone, Debug)]
pub(super) struct Share {
    /// The sender among the other nodes.
    pub(super) from: usize,
    pub(super) amount: Msat,
    pub(super) total: Msat,
    pub(super) shown: Shown,
    /// Blocks that the last HTLC has left when the part leaves.
    pub(super) cltv: Blocks,
    /// The hash is none of ours.
    pub(super) elsewhere: bool,
}

/// The payment secret that a part shows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    Right,
    Wrong,
    Nothing,
}

impl Offer {
    fn draw(rng: &mut Rng, base: Msat) -> Self {
        let preimage = {
            let words = [rng.next_u64(), rng.next_u64(), rng.next_u64(), rng.next_u64()];
            let mut bytes = [0; 32];
            for (piece, word) in bytes.chunks_mut(8).zip(words) {
                piece.copy_from_slice(&word.to_le_bytes());
            }
            Preimage(bytes)
        };
        let chosen = match rng.below(4) {
            0 => Chosen::Preimage(preimage),
            1 => Chosen::Hash(preimage),
            _ => Chosen::Drawn,
        };
        let timeout_s = match rng.below(4) {
            0 => 1 + rng.below(20),
            1 => 60 + rng.below(300),
            _ => 3_600,
        };
        Self {
            asked: rng.chance(800_000).then_some(base),
            overpay: [Overpay::Bolt, Overpay::Bolt, Overpay::Exact, Overpay::Any][index(rng, 4)],
            timeout_s,
            cltv: 18 + small(rng, 10),
            hold: rng.chance(250_000),
            chosen,
            key: rng.chance(250_000),
        }
    }

    /// Whether a complete set waits for a decision.
    pub(super) fn holds(&self) -> bool {
        self.hold || matches!(self.chosen, Chosen::Hash(_))
    }

    /// The preimage, where the client has it.
    pub(super) fn preimage(&self) -> Option<Preimage> {
        match self.chosen {
            Chosen::Drawn => None,
            Chosen::Preimage(preimage) | Chosen::Hash(preimage) => Some(preimage),
        }
    }
}

/// A paycode and all that follows, each with how long after it that is.
pub(super) fn draw(rng: &mut Rng, of: u32) -> Vec<(u64, Receiving)> {
    let base = Msat(1 + amount(rng).0 / 4);
    let offer = Offer::draw(rng, base);
    let mut all = vec![(0, Receiving::Ask(offer.clone()))];
    for nth in 0..[1, 1, 1, 2, 2, 3, 0][index(rng, 7)] {
        let is_late = offer.timeout_s < SET_MS && rng.chance(200_000);
        let after_ms = match (nth, is_late) {
            (_, true) => (1_000 * offer.timeout_s + rng.below(10_000)).saturating_sub(3_000),
            (0, false) => rng.below(3_000),
            (_, false) => rng.below(2 * SET_MS),
        };
        pay(rng, of, (&offer, base), 100 + after_ms, &mut all);
    }
    if offer.holds() || rng.chance(100_000) {
        for _ in 0..[1, 1, 1, 2, 0][index(rng, 5)] {
            let after_ms = match rng.below(8) {
                0 => BLOCK_MS * rng.below(34),
                _ => rng.below(2 * SET_MS),
            };
            let how = decide(rng, &offer);
            all.push((1_000 + after_ms, Receiving::Decide { of, how }));
        }
    }
    watch(rng, of, &mut all);
    all
}

fn decide(rng: &mut Rng, offer: &Offer) -> Decision {
    match rng.below(4) {
        0 => Decision::Cancel,
        1 => Decision::Release,
        _ if offer.preimage().is_none() => Decision::Release,
        _ => Decision::Settle,
    }
}

/// Who looks, waits, deletes and asks again.
fn watch(rng: &mut Rng, of: u32, all: &mut Vec<(u64, Receiving)>) {
    if rng.chance(500_000) {
        let until = ["paid", "held", "final"][index(rng, 3)];
        let timeout_s = rng.chance(400_000).then(|| rng.below(120));
        all.push((200 + rng.below(20_000), Receiving::Wait { of, until, timeout_s }));
    }
    if rng.chance(400_000) {
        all.push((200 + rng.below(2 * SET_MS), Receiving::Look { of }));
    }
    if rng.chance(200_000) {
        let status = ["unpaid", "paid", "expired", "cancelled", "receiving"][index(rng, 5)];
        let keep_tombstone = rng.chance(600_000);
        let delete = Receiving::Delete { of, status, keep_tombstone };
        all.push((200 + rng.below(2 * SET_MS), delete));
    }
    if rng.chance(150_000) {
        let same = rng.chance(600_000);
        all.push((200 + rng.below(2 * SET_MS), Receiving::AskAgain { of, same }));
    }
}

/// A payment in parts, which is what was asked for, or is wrong in some way.
fn pay(
    rng: &mut Rng,
    of: u32,
    (offer, base): (&Offer, Msat),
    start_ms: u64,
    all: &mut Vec<(u64, Receiving)>,
) {
    let count = if rng.chance(550_000) { 1 } else { 2 + small(rng, 4) };
    let total = total(rng, base);
    let whole = if total == Msat::ZERO { base } else { total };
    let (sum, sent) = match rng.below(20) {
        0 | 1 => (whole.0, count - 1),
        2 => (whole.0.saturating_sub(1), count),
        3 | 4 => (whole.0 + 1 + rng.below(1 + whole.0 / 4), count),
        _ => (whole.0, count),
    };
    let spread_ms = match rng.below(8) {
        0 => SET_MS + rng.below(30_000),
        1 | 2 => rng.below(SET_MS),
        _ => 0,
    };
    let (from, is_one) = (index(rng, 1_000), rng.chance(500_000));
    let wrong = rng.chance(200_000).then(|| small(rng, count));
    let share = sum / u64::from(count);
    for nth in 0..sent {
        let is_last = nth + 1 == count;
        let amount = if is_last { sum - share * u64::from(count - 1) } else { share };
        let mut part = Share {
            from: if is_one { from } else { index(rng, 1_000) },
            amount: Msat(amount.max(1)),
            total,
            shown: Shown::Right,
            cltv: Blocks(offer.cltv + 1 + small(rng, 24)),
            elsewhere: false,
        };
        if wrong == Some(nth) {
            spoil(rng, &mut part, offer.cltv);
        }
        let after_ms = spread_ms * u64::from(nth) / u64::from(count);
        all.push((start_ms + after_ms, Receiving::Pay { of, part }));
    }
}

/// What a payer says that all parts sum to.
fn total(rng: &mut Rng, base: Msat) -> Msat {
    Msat(match rng.below(20) {
        0 | 1 => base.0 + rng.below(base.0 + 1),
        2 => 2 * base.0,
        3 => 2 * base.0 + 1,
        4 => base.0 - 1,
        5 => 0,
        6 => TIMES_MAX * base.0,
        _ => base.0,
    })
}

/// Makes a part that is wrong.
fn spoil(rng: &mut Rng, part: &mut Share, cltv: u32) {
    match rng.below(5) {
        0 => part.shown = Shown::Wrong,
        1 => part.shown = Shown::Nothing,
        2 => part.total = Msat(part.total.0 + 1),
        3 => part.elsewhere = true,
        _ => part.cltv = Blocks(HOLD_ENDS_BLOCKS.min(cltv - 1) - small(rng, 15)),
    }
}

/// A number below `n`.
fn small(rng: &mut Rng, n: u32) -> u32 {
    u32::try_from(rng.below(u64::from(n))).expect("it is below a small number")
}
