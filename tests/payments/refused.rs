//! What refused an amount is not offered it again, in whole payments of random worlds.

use crate::{harness::Payer, invoices::hash_of, nets, random::cases};
use ecs_core::{EntityId, Write};
use ecs_systems::{
    components::{MaxFeePercent, Part, PartFailure, PartSent, PartSpent},
    planner::{Plan, Route},
    port::{Blame, Failure},
    units::{ChannelDirection, Msat, Ppm},
};
use node_sim::{
    BalanceModel, Faults, InvoiceRequest, OurChannels, Settings, SimConfig, SimNetwork,
};
use proptest::{collection::vec, prelude::*};
use std::collections::{BTreeMap, BTreeSet};

/// As long as payments last here nothing that was learned fades.
const LASTS_MS: u64 = 10 * 60 * 1_000;

/// The parts that left, in what order, and what each taught.
#[derive(Debug, Default)]
struct Watch {
    left: BTreeSet<EntityId>,
    over: BTreeSet<EntityId>,
    /// The least that each direction refused for lack of liquidity since more than that passed.
    refused: BTreeMap<ChannelDirection, Msat>,
    lacks: usize,
}

impl Watch {
    /// Looks at what happened at one moment: what ended before is known to what left.
    fn look(&mut self, payer: &Payer) {
        let ended = self.ended(payer);
        self.learn(payer, ended.into_iter().filter(|part| self.left.contains(part)).collect());
        let engine = payer.driver.engine();
        for entity in engine.entities() {
            let left = engine.get::<PartSent>(entity).is_some();
            if left && self.left.insert(entity) {
                let Part(part) = engine.get(entity).expect("a part");
                self.judge(&part.route);
            }
        }
        let ended = self.ended(payer);
        self.learn(payer, ended);
    }

    fn judge(&self, route: &Route) {
        for hop in &route.hops {
            let refused = self.refused.get(&hop.short_channel_id_dir);
            assert!(
                refused.is_none_or(|refused| hop.amount_msat < *refused),
                "{} over {} that refused {refused:?}",
                hop.amount_msat,
                hop.short_channel_id_dir
            );
        }
    }

    fn ended(&self, payer: &Payer) -> Vec<EntityId> {
        let engine = payer.driver.engine();
        let is_over = |entity: &EntityId| {
            let paid = engine.get::<PartSpent>(*entity).is_some();
            let failed = engine.get::<PartFailure>(*entity).is_some();
            (paid || failed) && !self.over.contains(entity)
        };
        engine.entities().into_iter().filter(is_over).collect()
    }

    /// What ended at one moment did so in an order that can't be told: what passed may have been
    /// the last.
    fn learn(&mut self, payer: &Payer, ended: Vec<EntityId>) {
        let engine = payer.driver.engine();
        let part = |entity| &engine.get::<Part>(entity).expect("a part").0.route;
        let failure = |entity| engine.get::<PartFailure>(entity).map(|it| &it.0);
        for (route, failure) in
            ended.iter().filter_map(|entity| Some((part(*entity), failure(*entity)?)))
        {
            self.refused(route, failure);
        }
        for entity in ended {
            self.over.insert(entity);
            match failure(entity) {
                Some(failure) => self.crossed(part(entity), failure),
                None => self.paid(part(entity)),
            }
        }
    }

    fn refused(&mut self, route: &Route, failure: &Failure) {
        if let Blame::Liquidity(index) = failure.blame(route) {
            let hop = &route.hops[index];
            let least = self.refused.entry(hop.short_channel_id_dir).or_insert(hop.amount_msat);
            *least = hop.amount_msat.min(*least);
            self.lacks += 1;
        }
    }

    fn crossed(&mut self, route: &Route, failure: &Failure) {
        let crossed = match failure.blame(route) {
            Blame::Payee => route.hops.len(),
            Blame::Nobody | Blame::Ours(_) | Blame::Nothing => 0,
            Blame::Liquidity(index)
            | Blame::Terms(index)
            | Blame::Channel(index)
            | Blame::Node(index) => index,
        };
        for hop in &route.hops[..crossed] {
            let (way, amount) = (hop.short_channel_id_dir, hop.amount_msat);
            self.refused.retain(|refused, least| *refused != way || *least > amount);
        }
    }

    /// What passed is on the other side, from where as much more may come back.
    fn paid(&mut self, route: &Route) {
        for hop in &route.hops {
            let (way, amount) = (hop.short_channel_id_dir, hop.amount_msat);
            self.refused.retain(|refused, least| *refused != way || *least > amount);
            let twin = ChannelDirection { direction: way.direction.reversed(), ..way };
            if let Some(least) = self.refused.get_mut(&twin) {
                *least = Msat(least.0 + amount.0);
            }
        }
    }
}

fn world(seed: u64, bimodal: bool, faults: Faults) -> SimNetwork {
    let usual = SimConfig::default();
    let balances = if bimodal { BalanceModel::Bimodal } else { BalanceModel::Uniform };
    let config = SimConfig {
        nodes: 16,
        seed,
        channels_per_node: 4,
        capacity_min_msat: Msat(usual.capacity_min_msat.0 / 10),
        capacity_max_msat: Msat(usual.capacity_max_msat.0 / 10),
        balances,
        ours: OurChannels { count: 4, our_share: Ppm(700_000), ..usual.ours },
        settings: Settings { faults, ..Settings::default() },
    };
    SimNetwork::new(config).expect("a network of that size")
}

/// Pays all of these at once, and watches; how many parts were refused for lack of liquidity.
fn watched(network: &SimNetwork, payments: &[(usize, u64)]) -> usize {
    let mut payer = Payer::new(network);
    let mut watch = Watch::default();
    let generous = || Write::here().attach(&MaxFeePercent(ecs_core::Json::of(&5)));
    for (payee, amount) in payments {
        let invoice = payer.invoice_of(*payee, InvoiceRequest::of(Msat(*amount)));
        payer.start(&invoice, generous());
        watch.look(&payer);
    }
    let until = payer.now.after_ms(LASTS_MS);
    loop {
        for job in payer.driver.take_jobs() {
            let plan = (job.run)();
            payer.driver.finish_plan(payer.now, job.id, plan);
            watch.look(&payer);
        }
        let Some(next) = payer.driver.next_at().filter(|next| *next <= until) else { break };
        payer.now = payer.now.max(next);
        payer.driver.poll(payer.now);
        watch.look(&payer);
    }
    watch.lacks
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_direction_is_never_offered_again_what_it_refused(
        seed: u64,
        bimodal: bool,
        unreadable in 0_u32..200_000,
        reprice in 0_u32..100_000,
        payments in vec((any::<usize>(), 1_000_000_u64..800_000_000), 1..5),
    ) {
        let faults =
            Faults { unreadable_ppm: unreadable, reprice_ppm: reprice, ..Faults::default() };
        watched(&world(seed, bimodal, faults), &payments);
    }
}

#[test]
fn what_passes_at_the_moment_of_a_refusal_may_pass_again() {
    let faults = Faults { reprice_ppm: 94_663, ..Faults::default() };
    let payments = [
        (4_490_008_050_754_995_762, 183_087_000),
        (11_260_314_326_531_802_715, 548_468_478),
        (1_989_951_031_616_381_759, 423_681_429),
    ];
    watched(&world(16_999_802_122_306_324_302, false, faults), &payments);
}

#[test]
fn parts_are_refused_for_lack_of_liquidity_in_such_worlds() {
    let payments = [(3, 600_000_000), (5, 400_000_000), (9, 300_000_000)];
    let lacks: usize =
        (0..4).map(|seed| watched(&world(seed, true, Faults::default()), &payments)).sum();
    assert!(lacks >= 10, "{lacks}: the law is hardly tried");
}

/// Makes the plans that are asked for, and has the driver take them.
pub(crate) fn plan_all(payer: &mut Payer) {
    for job in payer.driver.take_jobs() {
        let plan = (job.run)();
        payer.driver.finish_plan(payer.now, job.id, plan);
    }
}

#[test]
fn a_plan_that_another_payment_has_left_no_room_for_is_made_again() {
    const AMOUNT: Msat = Msat(300_000_000);
    for room in [500_000_000, 700_000_000] {
        let network = nets::diamond_with_room(Msat(room));
        let mut payer = Payer::new(&network);
        let invoices = [(); 2].map(|()| payer.invoice("carol", InvoiceRequest::of(AMOUNT)));
        let ids = invoices.each_ref().map(|invoice| payer.start(invoice, Write::here()));
        // Both are planned before one of them has left.
        let plans: Vec<_> =
            payer.driver.take_jobs().into_iter().map(|job| (job.id, (job.run)())).collect();
        assert_eq!(plans.len(), 2);
        for (job, plan) in plans {
            assert_eq!(plan.as_ref().ok().and_then(Plan::fee), Some(Msat(1_000)));
            payer.driver.finish_plan(payer.now, job, plan);
        }
        let jobs = payer.driver.take_jobs();
        assert_eq!(jobs.len(), usize::from(room == 500_000_000), "by bob there is room for {room}");
        for job in jobs {
            let plan = (job.run)();
            payer.driver.finish_plan(payer.now, job.id, plan);
        }
        for (id, invoice) in ids.into_iter().zip(&invoices) {
            assert_eq!(payer.finish(id).status, "complete");
            assert_eq!(payer.submitted(hash_of(invoice)).len(), 1, "at the first go");
        }
    }
}

#[test]
fn a_plan_that_a_lesson_has_overtaken_is_made_again() {
    const AMOUNT: Msat = Msat(100_000_000);
    let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
    let [slow, quick] = [(); 2].map(|()| payer.invoice("carol", InvoiceRequest::of(AMOUNT)));
    let id = payer.start(&slow, Write::here());
    let jobs = payer.driver.take_jobs();
    let [job] = <[_; 1]>::try_from(jobs).expect("one payment, one plan");
    let by_bob = (job.run)();
    let other = payer.start(&quick, Write::here());
    assert_eq!(payer.finish(other).status, "complete");
    assert_eq!(payer.submitted(hash_of(&quick)).len(), 2, "bob had nothing, dave had");
    payer.driver.finish_plan(payer.now, job.id, by_bob);
    assert_eq!(payer.submitted(hash_of(&slow)).len(), 0, "not by bob any more");
    plan_all(&mut payer);
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(3_000));
    assert_eq!(payer.submitted(hash_of(&slow)).len(), 1, "by dave at once");
}
