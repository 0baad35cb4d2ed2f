//! One payment, in rounds.

use crate::{
    balances::Balances,
    question::{Ask, PARTS_MAX, Planner, Question, Reason, Stopwatch, fee_max},
    replay::{Strictness, flaw},
};
use payecs_planner::{Graph, Route};
use payecs_units::{ChannelDirection, Msat};
use serde::Serialize;
use std::collections::BTreeMap;

const ROUNDS_MAX: u32 = 30;

/// What became of a payment.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// Whether all of it arrived.
    pub delivered: bool,
    /// Rounds in which something was sent.
    pub rounds: u32,
    /// Parts sent in all rounds.
    pub htlcs: u32,
    /// Parts that are held at the end.
    pub parts: u32,
    /// Of what arrived.
    pub fee_msat: u64,
    /// Of the planner, in all rounds.
    pub cpu_ns: u64,
    /// Why it was not delivered.
    pub reason: Option<Reason>,
    /// The first rule that a plan broke; it was sent all the same.
    pub flaw: Option<String>,
}

/// Pays on hidden balances; they are as before after each payment.
#[derive(Debug)]
pub struct Payer<'a> {
    /// Where.
    pub graph: &'a Graph,
    /// What is really there.
    pub balances: &'a Balances,
    /// A payment is given up once the planner took so much CPU time for it.
    pub cpu_ns_max: u64,
}

/// A payment under way.
struct Under<'a> {
    payer: &'a Payer<'a>,
    question: &'a Question,
    held: BTreeMap<ChannelDirection, Msat>,
    arrived: Msat,
    watch: Stopwatch,
    outcome: Delivery,
}

impl Payer<'_> {
    /// Pays once, as `planner` says.
    pub fn pay<P: Planner>(
        &self,
        planner: &P,
        question: &Question,
        strictness: Strictness,
    ) -> Delivery {
        let outcome = Delivery {
            delivered: false,
            rounds: 0,
            htlcs: 0,
            parts: 0,
            fee_msat: 0,
            cpu_ns: 0,
            reason: None,
            flaw: None,
        };
        let mut under = Under {
            payer: self,
            question,
            held: BTreeMap::new(),
            arrived: Msat::ZERO,
            watch: Stopwatch::default(),
            outcome,
        };
        let mut payment = planner.begin(question);
        while under.outcome.rounds < ROUNDS_MAX && under.outcome.reason.is_none() {
            under.round(planner, &mut payment, strictness);
            under.outcome.cpu_ns = under.watch.taken_ns();
            if under.arrived >= question.amount {
                under.outcome.delivered = true;
                return under.outcome;
            }
            if under.outcome.cpu_ns > self.cpu_ns_max {
                under.outcome.reason.get_or_insert(Reason::Time);
            }
        }
        under.outcome.reason.get_or_insert(Reason::Rounds);
        under.outcome
    }
}

impl Under<'_> {
    /// Plans what is missing, and sends it.
    fn round<P: Planner>(&mut self, planner: &P, payment: &mut P::Payment, strictness: Strictness) {
        let ask = Ask {
            amount: self.question.amount.saturating_sub(self.arrived),
            fee_max: fee_max(self.question.amount).saturating_sub(Msat(self.outcome.fee_msat)),
            parts_max: PARTS_MAX - self.outcome.parts,
        };
        if ask.parts_max == 0 {
            self.outcome.reason = Some(Reason::Parts);
            return;
        }
        let routes = match planner.plan(payment, &ask, &mut self.watch) {
            Ok(routes) => routes,
            Err(reason) => {
                self.outcome.reason = Some(reason);
                return;
            }
        };
        if self.outcome.flaw.is_none() {
            self.outcome.flaw = flaw(self.payer.graph, self.question, &routes, &ask, strictness);
        }
        self.outcome.rounds += 1;
        for (place, route) in routes.iter().take(ask.parts_max as usize).enumerate() {
            self.outcome.htlcs += 1;
            match self.sent(route) {
                None => planner.arrived(payment, place),
                Some(hop) => planner.failed(payment, place, hop),
            }
        }
    }

    /// The hop that has too little, if one has.
    fn sent(&mut self, route: &Route) -> Option<usize> {
        let lacks = route.hops.iter().position(|hop| {
            let way = hop.short_channel_id_dir;
            let held = self.held.get(&way).copied().unwrap_or(Msat::ZERO);
            self.payer.balances.of(way).saturating_sub(held) < hop.amount_msat
        });
        if lacks.is_some() {
            return lacks;
        }
        for hop in &route.hops {
            let held = self.held.entry(hop.short_channel_id_dir).or_insert(Msat::ZERO);
            *held = Msat(held.0.saturating_add(hop.amount_msat.0));
        }
        self.outcome.parts += 1;
        self.outcome.fee_msat += route.fee().0;
        self.arrived = Msat(self.arrived.0.saturating_add(route.amount().0));
        None
    }
}
