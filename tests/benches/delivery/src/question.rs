//! What is asked of a planner, and what it may answer.

use payecs_planner::Route;
use payecs_units::{Blocks, Msat, NodeId};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::fmt;

/// Most parts at a time.
pub const PARTS_MAX: u32 = 10;
/// Longest expiry of a first hop.
pub const DELAY_MAX: Blocks = Blocks(2_016);
/// Expiry of a last hop, at least.
pub const FINAL_CLTV: Blocks = Blocks(18);

/// The most that all parts together may cost: 1 %, rounded down.
#[must_use]
pub fn fee_max(amount: Msat) -> Msat {
    Msat(amount.0 / 100)
}

/// One payment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Question {
    /// Who pays.
    pub source: NodeId,
    /// Who is paid.
    pub destination: NodeId,
    /// What is to arrive.
    pub amount: Msat,
    /// Breaks ties.
    pub number: u64,
}

/// What is missing of a payment, and within which limits.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// What is to arrive over all routes.
    pub amount: Msat,
    /// What they may cost together.
    pub fee_max: Msat,
    /// Most routes.
    pub parts_max: u32,
}

impl Ask {
    /// The whole of a payment.
    #[must_use]
    pub fn all(question: &Question) -> Self {
        Self { amount: question.amount, fee_max: fee_max(question.amount), parts_max: PARTS_MAX }
    }
}

/// Why a payment was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Only for more than 1 %.
    Fees,
    /// Only for more blocks.
    Delay,
    /// Limits of single HTLCs.
    Limits,
    /// What channels hold, as far as that is known.
    Liquidity,
    /// Only in more parts.
    Parts,
    /// Not within so many rounds.
    Rounds,
    /// The planner took longer than is waited for.
    Time,
    /// It does not say.
    Unsaid,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Fees => "fees",
            Self::Delay => "delay",
            Self::Limits => "limits",
            Self::Liquidity => "liquidity",
            Self::Parts => "parts",
            Self::Rounds => "rounds",
            Self::Time => "time",
            Self::Unsaid => "unsaid",
        })
    }
}

/// Measures CPU time of this thread.
#[derive(Debug, Default)]
pub struct Stopwatch {
    taken_ns: u64,
}

impl Stopwatch {
    /// Does something, and counts the time that takes.
    pub fn time<T>(&mut self, what: impl FnOnce() -> T) -> T {
        let begun_ns = thread_ns();
        let it = what();
        self.taken_ns += thread_ns().saturating_sub(begun_ns);
        it
    }

    /// All that was counted.
    #[must_use]
    pub fn taken_ns(&self) -> u64 {
        self.taken_ns
    }
}

fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |it: i64| u64::try_from(it).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// Somebody who plans payments, and learns from what becomes of their parts.
pub trait Planner {
    /// What is known during one payment.
    type Payment;

    /// How it is called in tables.
    fn name(&self) -> &'static str;

    /// A payment of which nothing is known yet.
    fn begin(&self, question: &Question) -> Self::Payment;

    /// Routes for what is missing; what planning takes is measured by `watch`.
    ///
    /// # Errors
    /// Why there are none.
    fn plan(
        &self,
        payment: &mut Self::Payment,
        ask: &Ask,
        watch: &mut Stopwatch,
    ) -> Result<Vec<Route>, Reason>;

    /// The route of this place in the last plan carries its part: it stays until the payment ends.
    fn arrived(&self, payment: &mut Self::Payment, place: usize);

    /// The route of this place in the last plan failed: hop `hop`, from 0, had too little.
    fn failed(&self, payment: &mut Self::Payment, place: usize, hop: usize);
}
