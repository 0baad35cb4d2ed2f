//! One payment, in rounds.

use crate::balances::Balances;
use crate::replay::{Limits, flaw};
use payecs_planner::{
    FailedAt, Graph, HopFailure, Knowledge, Limit, LocalChannel, NoPlan, NoPlanReason, PlanRequest,
    Route, plan,
};
use payecs_units::{Blocks, ChannelDirection, MicroPercent, Msat, NodeId, Seconds, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::collections::BTreeMap;

/// Most parts at a time.
pub(crate) const PARTS_MAX: u32 = 10;
pub(crate) const DELAY_MAX: Blocks = Blocks(2_016);
pub(crate) const FINAL_CLTV: Blocks = Blocks(18);
const ROUNDS_MAX: u32 = 30;
const BEGUN: Timestamp = Timestamp(1_770_000_000_000);
/// 10 % a year.
const RISK: MicroPercent = MicroPercent(10_000_000);
/// HTLCs that a channel can have at a time (BOLT 2).
const SLOTS: u32 = 483;

/// The most that all parts together may cost: 1 %, rounded down.
pub(crate) fn fee_max(amount: Msat) -> Msat {
    Msat(amount.0 / 100)
}

#[derive(Clone, Copy)]
pub(crate) struct Question {
    pub(crate) source: NodeId,
    pub(crate) destination: NodeId,
    pub(crate) amount: Msat,
    /// Breaks ties.
    pub(crate) number: u64,
}

/// Why a payment was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
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
    /// The planner took longer than the bench waits.
    Time,
}

/// What became of a payment.
#[derive(Serialize)]
pub(crate) struct Outcome {
    pub(crate) delivered: bool,
    /// Rounds in which something was sent.
    pub(crate) rounds: u32,
    pub(crate) htlcs: u32,
    /// Parts that are held at the end.
    pub(crate) parts: u32,
    /// Of what arrived.
    pub(crate) fee_msat: u64,
    /// Of the planner, in all rounds.
    pub(crate) cpu_us: u64,
    pub(crate) reason: Option<Reason>,
}

pub(crate) struct Payer<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) balances: &'a Balances,
    pub(crate) own_known: bool,
    /// A payment is given up once the planner took so much CPU time for it.
    pub(crate) cpu_us_max: u64,
}

/// A payment under way.
struct Under<'a> {
    payer: &'a Payer<'a>,
    question: &'a Question,
    knowledge: Knowledge,
    held: BTreeMap<ChannelDirection, Msat>,
    arrived: Msat,
    now: Timestamp,
    outcome: Outcome,
}

impl Payer<'_> {
    pub(crate) fn pay(&self, question: &Question) -> Outcome {
        let outcome = Outcome {
            delivered: false,
            rounds: 0,
            htlcs: 0,
            parts: 0,
            fee_msat: 0,
            cpu_us: 0,
            reason: None,
        };
        let mut under = Under {
            payer: self,
            question,
            knowledge: Knowledge::default(),
            held: BTreeMap::new(),
            arrived: Msat::ZERO,
            now: BEGUN,
            outcome,
        };
        while under.outcome.rounds < ROUNDS_MAX && under.outcome.reason.is_none() {
            under.round();
            if under.arrived == question.amount {
                under.outcome.delivered = true;
                return under.outcome;
            }
            if under.outcome.cpu_us > self.cpu_us_max {
                under.outcome.reason.get_or_insert(Reason::Time);
            }
        }
        under.outcome.reason.get_or_insert(Reason::Rounds);
        under.outcome
    }
}

impl Under<'_> {
    /// Plans what is missing, and sends it.
    fn round(&mut self) {
        let limits = Limits {
            amount: self.question.amount.saturating_sub(self.arrived),
            fee_max: fee_max(self.question.amount).saturating_sub(Msat(self.outcome.fee_msat)),
            parts_max: PARTS_MAX - self.outcome.parts,
        };
        if limits.parts_max == 0 {
            self.outcome.reason = Some(Reason::Parts);
            return;
        }
        let request = self.request(&limits);
        let begun_ns = thread_ns();
        let plan = plan(self.payer.graph, &self.knowledge, &request);
        self.outcome.cpu_us += (thread_ns() - begun_ns) / 1_000;
        let routes = match plan {
            Ok(plan) => plan.routes,
            Err(no_plan) => {
                self.outcome.reason = Some(reason(&no_plan));
                return;
            }
        };
        if let Some(flaw) = flaw(self.payer.graph, self.question, &routes, &limits) {
            eprintln!("a flaw: {flaw}\n{request:#?}\n{routes:#?}");
            std::process::exit(1);
        }
        self.outcome.rounds += 1;
        self.now = self.now.after(Seconds(1));
        for route in &routes {
            self.send(route);
        }
    }

    fn request(&self, limits: &Limits) -> PlanRequest {
        PlanRequest {
            source: self.question.source,
            destination: self.question.destination,
            amount_msat: limits.amount,
            fee_budget_msat: limits.fee_max,
            delay_max_blocks: DELAY_MAX,
            final_cltv_blocks: FINAL_CLTV,
            parts_max: limits.parts_max,
            risk_factor_micro_percent: RISK,
            exclude: Vec::new(),
            hints: Vec::new(),
            local: self.local(),
            first_hop: None,
            last_hop: None,
            now: self.now,
            seed: self.question.number,
        }
    }

    /// The payer's channels: what they hold, or all that they might hold as far as was learned.
    fn local(&self) -> Vec<LocalChannel> {
        let graph = self.payer.graph;
        let ours = graph.outgoing(&self.question.source).filter_map(|(way, peer)| {
            let (policy, capacity) = (graph.policy(way)?, graph.capacity(way.scid)?);
            let most = if self.payer.own_known {
                self.payer.balances.of(way)
            } else {
                self.knowledge.bounds(way, capacity, self.now).hi
            };
            Some(LocalChannel {
                short_channel_id: way.scid,
                peer,
                spendable_msat: most.saturating_sub(self.held(way)),
                receivable_msat: Msat::ZERO,
                htlc_minimum_msat: policy.htlc_minimum_msat,
                htlc_maximum_msat: policy.htlc_maximum_msat,
                free_slots: SLOTS,
                dust_room_msat: Msat(u64::MAX),
                usable: policy.enabled,
            })
        });
        ours.collect()
    }

    fn held(&self, way: ChannelDirection) -> Msat {
        self.held.get(&way).copied().unwrap_or(Msat::ZERO)
    }

    fn send(&mut self, route: &Route) {
        self.outcome.htlcs += 1;
        self.knowledge.sent(route);
        let lacks = route.hops.iter().position(|hop| {
            let way = hop.short_channel_id_dir;
            self.payer.balances.of(way).saturating_sub(self.held(way)) < hop.amount_msat
        });
        if let Some(index) = lacks {
            let at = FailedAt::Hop { index, kind: HopFailure::LiquidityLack };
            self.knowledge.failed(route, at, self.now);
            return;
        }
        for hop in &route.hops {
            let held = self.held.entry(hop.short_channel_id_dir).or_insert(Msat::ZERO);
            *held = held.checked_add(hop.amount_msat).unwrap();
        }
        self.outcome.parts += 1;
        self.outcome.fee_msat += route.fee().0;
        self.arrived = self.arrived.checked_add(route.amount()).unwrap();
    }
}

fn reason(no_plan: &NoPlan) -> Reason {
    let by_limit = |limit| match limit {
        Limit::FeeBudget => Reason::Fees,
        Limit::Delay => Reason::Delay,
        Limit::Htlc => Reason::Limits,
        Limit::Parts => Reason::Parts,
        Limit::Knowledge | Limit::Capacity | Limit::Excluded => Reason::Liquidity,
    };
    let first = no_plan.cut.first().map(|binding| by_limit(binding.limit));
    match no_plan.reason {
        NoPlanReason::TooExpensive => first.unwrap_or(Reason::Fees),
        NoPlanReason::Unreachable
        | NoPlanReason::InsufficientFunds
        | NoPlanReason::DestinationCapacity
        | NoPlanReason::Excluded
        | NoPlanReason::NoRoute => first.unwrap_or(Reason::Liquidity),
    }
}

/// CPU time of this thread.
fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}
