//! The laws of the planner, for every implementation of the port.
//!
//! Each law is a function that takes what makes a planner of a graph, and panics where the law does
//! not hold; [`planner_laws!`](crate::planner_laws) makes one test of each.

#![expect(clippy::missing_panics_doc, reason = "a law panics where it does not hold")]

use super::{Failure, FailureCode, Lesson, Planner};
use payecs_planner::{
    Graph, GraphBuilder, GraphDelta, GraphShape, HOPS_MAX, Layer, LocalChannel, NoPlan, Plan,
    PlanRequest, Policy, Rng, Route, check, generate,
};
use payecs_units::{
    Blocks, ChannelDirection, Direction, MicroPercent, Msat, NodeId, Ppm, ShortChannelId, Timestamp,
};
use std::sync::Arc;

/// Tests that a [`Planner`] keeps the port's laws. The expression is a function that makes a
/// planner which knows a graph and nothing else: `Fn(Arc<Graph>) -> impl Planner`.
///
/// ```
/// # use ecs_systems::{planner::*, port::{Lesson, PlanJob, Planner}, units::Timestamp};
/// # use std::sync::Arc;
/// # #[derive(Clone)]
/// # struct MyPlanner(Arc<Graph>);
/// # impl Planner for MyPlanner {
/// #     fn prepare(&self, request: PlanRequest) -> PlanJob {
/// #         let graph = Arc::clone(&self.0);
/// #         Box::new(move || plan(&graph, &Knowledge::default(), &request))
/// #     }
/// #     fn learn(&mut self, _: &Lesson, _: Timestamp) {}
/// #     fn patch(&mut self, _: &[GraphDelta]) {}
/// #     fn graph(&self) -> Arc<Graph> { Arc::clone(&self.0) }
/// #     fn knowledge_version(&self) -> u64 { 0 }
/// # }
/// mod my_planner {
///     # use super::*;
///     ecs_systems::planner_laws!(|graph: Arc<Graph>| MyPlanner(graph));
/// }
/// ```
#[macro_export]
macro_rules! planner_laws {
    ($open:expr) => {
        $crate::planner_laws! { @each $open;
            a_plan_is_exactly_what_was_asked_for
            the_same_question_on_the_same_knowledge_gets_the_same_answer
            a_job_works_on_what_was_known_when_it_was_made
            a_direction_that_failed_is_not_used_again_at_that_amount
            a_channel_of_ours_that_failed_is_used_again
            what_a_part_takes_is_not_free_for_others
            lessons_make_the_version_grow
            a_change_that_fits_is_in_the_graph
            a_change_that_does_not_fit_is_left_out
            nothing_is_planned_where_there_is_nothing
        }
    };
    (@each $open:expr; $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                $crate::port::laws::$law($open);
            }
        )*
    };
}

/// When the laws happen, in milliseconds since 1970.
const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// Within the half-life of any planner.
const SOON: Timestamp = Timestamp(NOW.0 + 1_000);

fn node(byte: u8) -> NodeId {
    let mut bytes = [byte; 33];
    bytes[0] = 2;
    NodeId(bytes)
}

const US: u8 = 1;
const PAYEE: u8 = 9;

fn way(scid: u64, from: u8, to: u8) -> ChannelDirection {
    let direction = Direction::between(&node(from), &node(to));
    ChannelDirection { scid: ShortChannelId(scid), direction }
}

fn policy(fee_base: u64) -> Policy {
    Policy {
        enabled: true,
        fee_base_msat: Msat(fee_base),
        fee_rate: Ppm(100),
        cltv_delta: Blocks(40),
        htlc_minimum_msat: Msat(1),
        htlc_maximum_msat: Msat(1_000_000_000),
    }
}

/// Two hubs lead to the payee, the first a little cheaper.
fn two_ways() -> Graph {
    let mut builder = GraphBuilder::new();
    for (scid, hub, fee) in [(20, 2, 1_000), (30, 3, 2_000)] {
        builder
            .add_channel(ShortChannelId(scid), node(hub), node(PAYEE), Msat(1_000_000_000))
            .expect("a new channel");
        builder.set_policy(way(scid, hub, PAYEE), policy(fee)).expect("the channel is there");
    }
    builder.build()
}

/// A channel of ours with a billion msat on our side.
fn local(scid: u64, peer: NodeId) -> LocalChannel {
    LocalChannel {
        short_channel_id: ShortChannelId(scid),
        peer,
        spendable_msat: Msat(1_000_000_000),
        receivable_msat: Msat(1_000_000_000),
        htlc_minimum_msat: Msat(1),
        htlc_maximum_msat: Msat(1_000_000_000),
        free_slots: 30,
        dust_room_msat: Msat(1_000_000_000),
        usable: true,
    }
}

/// From us to the payee, through both hubs, with limits that don't bind.
fn question(amount: u64) -> PlanRequest {
    PlanRequest {
        source: node(US),
        destination: node(PAYEE),
        amount_msat: Msat(amount),
        fee_budget_msat: Msat(amount),
        delay_max_blocks: Blocks(2_016),
        final_cltv_blocks: Blocks(20),
        parts_max: 16,
        hops_max: HOPS_MAX,
        risk_factor_micro_percent: MicroPercent(10_000_000),
        exclude: Vec::new(),
        hints: Vec::new(),
        policies: Vec::new(),
        layer: Layer::default(),
        shadow: false,
        local: vec![local(10, node(2)), local(11, node(3))],
        announced_first_hops: false,
        first_hop: None,
        last_hop: None,
        now: NOW,
        seed: 7,
    }
}

fn ask<P: Planner>(planner: &P, request: &PlanRequest) -> Result<Plan, NoPlan> {
    planner.prepare(request.clone())()
}

/// The one route of a plan for that much over [`two_ways`].
fn route_for<P: Planner>(planner: &P, amount: u64) -> Route {
    let plan = ask(planner, &question(amount)).expect("either way carries it");
    assert_eq!(plan.routes.len(), 1, "one route where one will do");
    plan.routes.into_iter().next().expect("there is one")
}

/// The route failed at its hop of that index.
fn failed(route: &Route, index: usize, failcode: FailureCode) -> Lesson {
    let hop = &route.hops[index];
    let failure = Failure {
        erring_index: Some(u32::try_from(index).expect("routes are short")),
        ..Failure::local(Some(hop), failcode)
    };
    Lesson::Failed(route.clone(), failure)
}

/// A random question on a generated graph, with limits that often bind.
fn random_question(rng: &mut Rng, graph: &Graph) -> PlanRequest {
    let nodes = graph.nodes();
    let mut drawn = || {
        let count = u64::try_from(nodes.len()).expect("fewer nodes than numbers");
        nodes[usize::try_from(rng.below(count)).expect("below a length")]
    };
    let (destination, first, second) = (drawn(), drawn(), drawn());
    let amount = 1 + rng.below(1_500_000_000);
    PlanRequest {
        destination,
        amount_msat: Msat(amount),
        fee_budget_msat: Msat(rng.below(amount / 20 + 5_000)),
        delay_max_blocks: Blocks(u32::try_from(100 + rng.below(1_000)).expect("below 1100")),
        parts_max: u32::try_from(1 + rng.below(8)).expect("below 9"),
        local: vec![local(10, first), local(11, second)],
        seed: rng.below(1_000),
        ..question(amount)
    }
}

/// A plan delivers exactly the amount asked for, within fee budget, delay and parts, and keeps
/// every rule of routes.
pub fn a_plan_is_exactly_what_was_asked_for<P: Planner>(open: impl Fn(Arc<Graph>) -> P) {
    let mut plans = 0;
    for seed in 0..8 {
        let graph = Arc::new(generate(&GraphShape { nodes: 60, seed, ..GraphShape::default() }));
        let planner = open(Arc::clone(&graph));
        let mut rng = Rng::new(seed);
        for _ in 0..12 {
            let request = random_question(&mut rng, &graph);
            let Ok(plan) = ask(&planner, &request) else { continue };
            plans += 1;
            assert_eq!(check(&graph, &request, &plan), Ok(()), "seed {seed}");
            assert_eq!(plan.amount(), Some(request.amount_msat), "seed {seed}");
            assert!(plan.fee().is_some_and(|fee| fee <= request.fee_budget_msat), "seed {seed}");
            assert!(plan.routes.iter().all(|route| route.delay() <= request.delay_max_blocks));
            let parts = u32::try_from(plan.routes.len()).expect("a plan is short");
            assert!((1..=request.parts_max).contains(&parts), "seed {seed}");
            assert_eq!(plan.knowledge_version, planner.knowledge_version(), "it can be told");
        }
    }
    assert!(plans >= 10, "{plans} plans of 96 questions: the law was hardly tried");
}

/// The same question on the same knowledge gets the same answer, from any planner of the same kind.
pub fn the_same_question_on_the_same_knowledge_gets_the_same_answer<P: Planner>(
    open: impl Fn(Arc<Graph>) -> P,
) {
    let graph = Arc::new(generate(&GraphShape { nodes: 60, seed: 3, ..GraphShape::default() }));
    let (mut one, mut other) = (open(Arc::clone(&graph)), open(Arc::clone(&graph)));
    let mut rng = Rng::new(3);
    for _ in 0..24 {
        let request = random_question(&mut rng, &graph);
        let first = ask(&one, &request);
        assert_eq!(ask(&one, &request), first, "asked again");
        assert_eq!(ask(&other, &request), first, "asked of another");
        let Ok(plan) = first else { continue };
        let last = plan.routes[0].hops.len().saturating_sub(1);
        let lessons = [
            Lesson::Sent(plan.routes[0].clone()),
            failed(&plan.routes[0], last, FailureCode::TemporaryChannelFailure),
        ];
        for lesson in &lessons {
            one.learn(lesson, NOW);
            other.learn(lesson, NOW);
        }
        assert_eq!(one.knowledge_version(), other.knowledge_version());
    }
}

/// A job that was made before a lesson answers as if there had been none.
pub fn a_job_works_on_what_was_known_when_it_was_made<P: Planner>(open: impl Fn(Arc<Graph>) -> P) {
    let mut planner = open(Arc::new(two_ways()));
    let (before, later) = (ask(&planner, &question(500_000)), planner.prepare(question(500_000)));
    let route = route_for(&planner, 500_000);
    planner.learn(&Lesson::Sent(route.clone()), NOW);
    planner.learn(&failed(&route, 1, FailureCode::TemporaryChannelFailure), NOW);
    planner.patch(&[GraphDelta::ChannelClosed { short_channel_id: ShortChannelId(20) }]);
    assert_eq!(later(), before);
}

/// A direction of others that failed at an amount is not used again at that amount or more within
/// the half-life; a smaller amount may try it.
pub fn a_direction_that_failed_is_not_used_again_at_that_amount<P: Planner>(
    open: impl Fn(Arc<Graph>) -> P,
) {
    let mut planner = open(Arc::new(two_ways()));
    let route = route_for(&planner, 500_000);
    let hop = route.hops[1].clone();
    planner.learn(&Lesson::Sent(route.clone()), NOW);
    planner.learn(&failed(&route, 1, FailureCode::TemporaryChannelFailure), NOW);
    for amount in [500_000, 500_001, 700_000, 5_000_000] {
        let request = PlanRequest { now: SOON, ..question(amount) };
        let plan = ask(&planner, &request).expect("the other way carries it");
        let again = plan.routes.iter().flat_map(|route| &route.hops).find(|used| {
            used.short_channel_id_dir == hop.short_channel_id_dir
                && used.amount_msat >= hop.amount_msat
        });
        assert!(again.is_none(), "{amount} over what refused it");
    }
}

/// Our node says what our own channels carry: one that is full for the moment is used as before.
pub fn a_channel_of_ours_that_failed_is_used_again<P: Planner>(open: impl Fn(Arc<Graph>) -> P) {
    let mut planner = open(Arc::new(two_ways()));
    let route = route_for(&planner, 500_000);
    planner.learn(&Lesson::Sent(route.clone()), NOW);
    planner.learn(&failed(&route, 0, FailureCode::TemporaryChannelFailure), NOW);
    assert_eq!(route_for(&planner, 500_000), route);
}

/// While a part is out, what it takes is not given to others; once it is back, it is.
pub fn what_a_part_takes_is_not_free_for_others<P: Planner>(open: impl Fn(Arc<Graph>) -> P) {
    const MOST: u64 = 900_000_000;
    let only_way = || PlanRequest { last_hop: Some(node(2)), ..question(MOST) };
    let mut planner = open(Arc::new(two_ways()));
    let plan = ask(&planner, &only_way()).expect("one way carries it");
    for route in &plan.routes {
        planner.learn(&Lesson::Sent(route.clone()), NOW);
    }
    assert!(ask(&planner, &only_way()).is_err(), "twice as much as the channel holds");
    for route in &plan.routes {
        let unreadable =
            Failure { erring_index: None, ..Failure::local(None, FailureCode::Unreadable) };
        planner.learn(&Lesson::Failed(route.clone(), unreadable), NOW);
    }
    assert!(ask(&planner, &only_way()).is_ok(), "it came back");
}

/// Every lesson that changes what is known makes the version grow, and a plan carries the version
/// it was made with.
pub fn lessons_make_the_version_grow<P: Planner>(open: impl Fn(Arc<Graph>) -> P) {
    let mut planner = open(Arc::new(two_ways()));
    let route = route_for(&planner, 500_000);
    for lesson in [
        Lesson::Sent(route.clone()),
        Lesson::Paid(route.clone()),
        Lesson::Sent(route.clone()),
        failed(&route, 1, FailureCode::TemporaryChannelFailure),
    ] {
        let before = planner.knowledge_version();
        planner.learn(&lesson, NOW);
        assert!(planner.knowledge_version() > before);
        let request = PlanRequest { now: SOON, ..question(500_000) };
        let plan = ask(&planner, &request).expect("one way is left");
        assert_eq!(plan.knowledge_version, planner.knowledge_version());
    }
}

/// Changes are taken in their order, and plans are made on the graph that comes of them.
pub fn a_change_that_fits_is_in_the_graph<P: Planner>(open: impl Fn(Arc<Graph>) -> P) {
    let mut planner = open(Arc::new(Graph::default()));
    assert!(ask(&planner, &question(500_000)).is_err());
    let (scid, capacity) = (ShortChannelId(20), Msat(1_000_000_000));
    let (direction, policy) = (way(20, 2, PAYEE), policy(1_000));
    let announced = GraphDelta::ChannelAnnounced {
        short_channel_id: scid,
        node_a: node(2),
        node_b: node(PAYEE),
        capacity,
    };
    planner.patch(&[announced, GraphDelta::PolicyChanged { direction, policy: policy.clone() }]);
    assert_eq!(planner.graph().policy(direction), Some(&policy));
    let plan = ask(&planner, &question(500_000)).expect("there is a way now");
    assert_eq!(check(&planner.graph(), &question(500_000), &plan), Ok(()));
    planner.patch(&[GraphDelta::ChannelClosed { short_channel_id: scid }]);
    assert_eq!(planner.graph().channels_count(), 0);
    assert!(ask(&planner, &question(500_000)).is_err());
}

/// A change that doesn't fit is left out without harm: the others of its batch are taken.
pub fn a_change_that_does_not_fit_is_left_out<P: Planner>(open: impl Fn(Arc<Graph>) -> P) {
    let unknown = ShortChannelId(999);
    let announced = |short_channel_id, node_b| GraphDelta::ChannelAnnounced {
        short_channel_id,
        node_a: node(2),
        node_b,
        capacity: Msat(1),
    };
    let bad = [
        GraphDelta::PolicyChanged { direction: way(999, 2, PAYEE), policy: policy(1) },
        GraphDelta::ChannelClosed { short_channel_id: unknown },
        announced(ShortChannelId(20), node(PAYEE)),
        announced(unknown, node(2)),
    ];
    for delta in &bad {
        let mut planner = open(Arc::new(two_ways()));
        let before = ask(&planner, &question(500_000));
        planner.patch(std::slice::from_ref(delta));
        assert_eq!(*planner.graph(), two_ways());
        let same = |left: &Result<Plan, NoPlan>, right: &Result<Plan, NoPlan>| {
            let routes = |it: &Result<Plan, NoPlan>| it.clone().map(|plan| plan.routes);
            routes(left) == routes(right)
        };
        assert!(same(&ask(&planner, &question(500_000)), &before));
        let direction = way(20, 2, PAYEE);
        let good = GraphDelta::PolicyChanged { direction, policy: policy(7) };
        planner.patch(&[delta.clone(), good, delta.clone()]);
        assert_eq!(planner.graph().policy(direction), Some(&policy(7)), "the good one is taken");
    }
}

/// No graph, no channel, no part or no amount: no plan, and no panic.
pub fn nothing_is_planned_where_there_is_nothing<P: Planner>(open: impl Fn(Arc<Graph>) -> P) {
    let (empty, planner) = (open(Arc::new(Graph::default())), open(Arc::new(two_ways())));
    assert!(ask(&empty, &question(1)).is_err());
    for request in [
        PlanRequest { local: Vec::new(), ..question(1) },
        PlanRequest { parts_max: 0, ..question(1) },
        PlanRequest { destination: node(8), ..question(1) },
        PlanRequest { fee_budget_msat: Msat(0), ..question(1) },
        PlanRequest { delay_max_blocks: Blocks(0), ..question(1) },
        question(0),
        question(u64::MAX),
    ] {
        assert!(ask(&planner, &request).is_err());
    }
}

#[cfg(test)]
mod tests;
