//! Properties of every plan with a layer, on random small networks.

use super::own;
use crate::ahead::Ahead;
use crate::fixture::node;
use crate::net::Net;
use crate::path::Load;
use crate::plan::laws::{LETTERS, brute, case, changes, learned, letter, question, terms, total};
use crate::plan::plan;
use crate::search::{cheapest, cheapest_by};
use crate::{Graph, Informed, Knowledge, NodeBias, PlanRequest, Policy, Rng, TermsChange, check};
use payecs_units::{ChannelDirection, Direction, Msat, ShortChannelId};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A question, with something of everything said of the network.
fn layered(seed: u64) -> (Graph, PlanRequest) {
    let (graph, mut asked) = case(seed);
    let mut rng = Rng::new(seed ^ 3);
    let layer = &mut asked.layer;
    for channel in 70..70 + rng.below(4) {
        let [from, to] = [letter(&mut rng, 7), letter(&mut rng, 7)];
        layer.channels.push(own(channel, from, to, 10_000 + rng.below(200_000)));
    }
    let known = graph.channels().map(|channel| channel.short_channel_id);
    let own = layer.channels.iter().map(|channel| channel.short_channel_id);
    let all: Vec<_> = known.chain(own).chain((80..92).map(ShortChannelId)).collect();
    for scid in all {
        for direction in [Direction::Zero, Direction::One] {
            let way = ChannelDirection { scid, direction };
            if rng.chance(400_000) {
                layer.biases.push((way, bias(&mut rng)));
            }
            if rng.chance(200_000) {
                let msat = Msat(rng.below(100_000));
                let which = usize::try_from(rng.below(3)).unwrap();
                let all = [Informed::AtLeast(msat), Informed::AtMost(msat), Informed::Moved(msat)];
                layer.informed.push((way, all[which]));
            }
            if rng.chance(100_000) {
                layer.reserved.push((way, Msat(rng.below(50_000))));
            }
            if scid.0 >= 70 || rng.chance(100_000) {
                layer.terms.push((way, some_terms(&mut rng)));
            }
        }
    }
    for letter in LETTERS.into_iter().filter(|_| rng.chance(200_000)).collect::<Vec<_>>() {
        let bias = NodeBias { into: bias(&mut rng), out: bias(&mut rng) };
        layer.node_biases.push((node(letter), bias));
    }
    (graph, asked)
}

fn bias(rng: &mut Rng) -> i8 {
    i8::try_from(i64::try_from(rng.below(201)).unwrap() - 100).unwrap()
}

fn some_terms(rng: &mut Rng) -> TermsChange {
    let Policy { enabled, fee_base_msat, fee_rate, cltv_delta, htlc_minimum_msat, .. } = terms(rng);
    let mut maybe = |says: u32| rng.chance(says);
    TermsChange {
        fee_base_msat: maybe(800_000).then_some(fee_base_msat),
        fee_proportional_millionths: maybe(800_000).then_some(fee_rate),
        cltv_expiry_delta: maybe(800_000).then_some(cltv_delta),
        htlc_minimum_msat: maybe(800_000).then_some(htlc_minimum_msat),
        htlc_maximum_msat: maybe(500_000).then_some(Msat(90_000)),
        enabled: maybe(500_000).then_some(enabled),
    }
}

/// The most that a direction carries by what the caller says of it, in its order.
fn carries_at_most(asked: &PlanRequest, way: ChannelDirection, capacity: Msat) -> u64 {
    let (mut lo, mut hi) = (0, capacity.0);
    for (said, informed) in asked.layer.informed.iter().filter(|(it, _)| it.scid == way.scid) {
        match (*said == way, *informed) {
            (true, Informed::AtLeast(Msat(msat))) => {
                lo = lo.max(msat.min(capacity.0));
                hi = hi.max(lo);
            }
            (true, Informed::AtMost(Msat(msat))) => {
                hi = hi.min(msat);
                lo = lo.min(hi);
            }
            (false, Informed::AtLeast(_) | Informed::AtMost(_)) => {}
            (true, Informed::Moved(Msat(msat))) => {
                (lo, hi) = (lo.saturating_sub(msat), hi.saturating_sub(msat));
            }
            (false, Informed::Moved(Msat(msat))) => {
                (lo, hi) = ((lo + msat).min(capacity.0), (hi + msat).min(capacity.0));
            }
        }
    }
    let reserved = asked.layer.reserved.iter().filter(|(it, _)| *it == way);
    hi.saturating_sub(reserved.map(|(_, msat)| msat.0).sum())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_search_never_misses_the_best_single_path(seed: u64, weighted: bool) {
        let (graph, request) = layered(seed);
        let graph = graph.as_told(&request);
        let knowledge = Knowledge::default();
        let net = Net::new(&graph, &knowledge, &request);
        let question = question(&request, if weighted { 2_000 } else { 0 });
        let found = cheapest(&net, &Load::default(), &question);
        let cost = found.map(|path| total(&net, &path, &question).expect("within the limits"));
        prop_assert_eq!(cost, brute(&net, &question));
    }

    #[test]
    fn no_plan_ever_breaks_a_rule_and_none_is_missed(seed: u64) {
        let (graph, request) = layered(seed);
        let knowledge = Knowledge::default();
        let answer = plan(&graph, &knowledge, &request);
        let told = graph.as_told(&request);
        match &answer {
            Ok(plan) => {
                prop_assert_eq!(check(&graph, &request, plan), Ok(()), "{:?}", plan);
                let mut sums = BTreeMap::<_, u64>::new();
                for hop in plan.routes.iter().flat_map(|route| &route.hops) {
                    *sums.entry(hop.short_channel_id_dir).or_default() += hop.amount_msat.0;
                }
                let is_ours = |scid| request.local.iter().any(|it| it.short_channel_id == scid);
                for (way, sum) in sums.into_iter().filter(|(way, _)| !is_ours(way.scid)) {
                    let capacity = told.capacity(way.scid).unwrap_or(Msat(u64::MAX >> 1));
                    prop_assert!(sum <= carries_at_most(&request, way, capacity), "{way}: {sum}");
                }
            }
            Err(cause) => {
                let net = Net::new(&told, &knowledge, &request);
                prop_assert_eq!(brute(&net, &question(&request, 0)), None);
                for changed in changes(&request, cause) {
                    prop_assert!(plan(&graph, &knowledge, &changed).is_ok(), "{:?}", changed);
                }
            }
        }
        prop_assert_eq!(answer, plan(&graph, &knowledge, &request));
    }

    #[test]
    fn biases_that_come_to_nothing_never_change_a_plan(seed: u64) {
        let (graph, mut request) = layered(seed);
        let knowledge = Knowledge::default();
        let biases = std::mem::take(&mut request.layer.biases);
        request.layer.node_biases.clear();
        let without = plan(&graph, &knowledge, &request);
        for (way, bias) in biases {
            request.layer.biases.extend([(way, bias), (way, -bias)]);
            request.layer.node_biases.push((request.source, NodeBias::default()));
        }
        prop_assert_eq!(plan(&graph, &knowledge, &request), without);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_ahead_never_hides_a_cheaper_path(seed: u64, weighted: bool) {
        let (graph, knowledge, mut request) = learned(seed);
        let mut rng = Rng::new(seed ^ 4);
        for channel in graph.channels() {
            for direction in [Direction::Zero, Direction::One] {
                let way = ChannelDirection { scid: channel.short_channel_id, direction };
                if rng.chance(200_000) {
                    request.layer.biases.push((way, bias(&mut rng)));
                }
                if rng.chance(50_000) {
                    let least = Msat(rng.below(channel.capacity.0));
                    request.layer.informed.push((way, Informed::AtLeast(least)));
                }
            }
        }
        let net = Net::new(&graph, &knowledge, &request);
        let question = question(&request, if weighted { 2_000 } else { 0 });
        let load = Load::default();
        let by = |mut ahead: Ahead<'_>| {
            let path = cheapest_by(&net, &load, &question, &mut ahead)?;
            Some(total(&net, &path, &question).expect("within the limits"))
        };
        let plain = by(Ahead::nothing(&net));
        prop_assert_eq!(by(Ahead::weighed(&net, &question)), plain);
        prop_assert_eq!(by(Ahead::kept(&net, &question)), plain);
        prop_assert_eq!(by(Ahead::of_question(&net, &question)), plain);
    }
}
