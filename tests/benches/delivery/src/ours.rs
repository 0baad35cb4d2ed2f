//! The planner of payecs.

use crate::{
    balances::Balances,
    question::{Ask, DELAY_MAX, FINAL_CLTV, Planner, Question, Reason, Stopwatch},
};
use payecs_planner::{
    FailedAt, Graph, HOPS_MAX, HopFailure, Knowledge, Layer, Limit, LocalChannel, NoPlan,
    NoPlanReason, PlanRequest, Route, plan,
};
use payecs_units::{ChannelDirection, MicroPercent, Msat, Seconds, Timestamp};
use std::collections::BTreeMap;

const BEGUN: Timestamp = Timestamp(1_770_000_000_000);
/// 10 % a year.
const RISK: MicroPercent = MicroPercent(10_000_000);
/// HTLCs that a channel can have at a time (BOLT 2).
const SLOTS: u32 = 483;

/// [`plan`], with a new [`Knowledge`] for each payment.
#[derive(Debug)]
pub struct Ours<'a> {
    graph: &'a Graph,
    /// What the payer's channels hold, where it may know.
    own: Option<&'a Balances>,
}

impl<'a> Ours<'a> {
    /// Plans over `graph`. The payer knows what `own` says of its own channels, or nothing.
    #[must_use]
    pub fn new(graph: &'a Graph, own: Option<&'a Balances>) -> Self {
        Self { graph, own }
    }

    /// The payer's channels, and what they hold beside what parts that arrived hold of them. None
    /// where it may not know that.
    fn local(&self, paying: &Paying) -> Vec<LocalChannel> {
        let Some(own) = self.own else { return Vec::new() };
        let ours = self.graph.outgoing(&paying.question.source).filter_map(|(way, peer)| {
            let policy = self.graph.policy(way)?;
            let held = paying.held.get(&way).copied().unwrap_or(Msat::ZERO);
            Some(LocalChannel {
                short_channel_id: way.scid,
                peer,
                spendable_msat: own.of(way).saturating_sub(held),
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
}

/// A payment under way.
#[derive(Debug)]
pub struct Paying {
    question: Question,
    knowledge: Knowledge,
    /// What parts that arrived hold of the payer's channels.
    held: BTreeMap<ChannelDirection, Msat>,
    now: Timestamp,
    routes: Vec<Route>,
}

impl Planner for Ours<'_> {
    type Payment = Paying;

    fn name(&self) -> &'static str {
        "payecs"
    }

    fn begin(&self, question: &Question) -> Paying {
        Paying {
            question: *question,
            knowledge: Knowledge::default(),
            held: BTreeMap::new(),
            now: BEGUN,
            routes: Vec::new(),
        }
    }

    fn plan(
        &self,
        paying: &mut Paying,
        ask: &Ask,
        watch: &mut Stopwatch,
    ) -> Result<Vec<Route>, Reason> {
        let request = PlanRequest {
            source: paying.question.source,
            destination: paying.question.destination,
            amount_msat: ask.amount,
            fee_budget_msat: ask.fee_max,
            delay_max_blocks: DELAY_MAX,
            final_cltv_blocks: FINAL_CLTV,
            parts_max: ask.parts_max,
            hops_max: HOPS_MAX,
            risk_factor_micro_percent: RISK,
            exclude: Vec::new(),
            hints: Vec::new(),
            policies: Vec::new(),
            layer: Layer::default(),
            shadow: false,
            local: self.local(paying),
            announced_first_hops: self.own.is_none(),
            first_hop: None,
            last_hop: None,
            now: paying.now,
            seed: paying.question.number,
        };
        let planned = watch.time(|| plan(self.graph, &paying.knowledge, &request));
        let routes = planned.map_err(|no_plan| reason(&no_plan))?.routes;
        paying.now = paying.now.after(Seconds(1));
        paying.routes.clone_from(&routes);
        Ok(routes)
    }

    fn arrived(&self, paying: &mut Paying, place: usize) {
        paying.knowledge.sent(&paying.routes[place]);
        if let Some(first) = paying.routes[place].hops.first() {
            let held = paying.held.entry(first.short_channel_id_dir).or_default();
            *held = Msat(held.0.saturating_add(first.amount_msat.0));
        }
    }

    fn failed(&self, paying: &mut Paying, place: usize, hop: usize) {
        paying.knowledge.sent(&paying.routes[place]);
        let at = FailedAt::Hop { index: hop, kind: HopFailure::LiquidityLack };
        paying.knowledge.failed(&paying.routes[place], at, paying.now);
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
        | NoPlanReason::NoRoute
        | NoPlanReason::TooLong => first.unwrap_or(Reason::Liquidity),
    }
}
