//! The generated graph has the shape of the public one.

use payecs_gossip::load;
use payecs_planner::{Graph, Policy, generate_public};
use payecs_units::{ChannelDirection, Direction, Msat};
use std::path::Path;

fn policies(graph: &Graph) -> Vec<(Msat, &Policy)> {
    let ways = graph.channels().flat_map(|channel| {
        let scid = channel.short_channel_id;
        [Direction::Zero, Direction::One]
            .map(|direction| (channel.capacity, ChannelDirection { scid, direction }))
    });
    let policies = ways.filter_map(|(capacity, way)| Some((capacity, graph.policy(way)?)));
    policies.filter(|(_, policy)| policy.enabled).collect()
}

/// Each figure of all nodes, channels or enabled directions, sorted.
fn figures(graph: &Graph) -> [(&'static str, Vec<u64>); 7] {
    let nodes = graph.nodes().iter();
    let degrees: Vec<u64> = nodes.map(|node| graph.outgoing(node).count() as u64).collect();
    let capacities: Vec<u64> = graph.channels().map(|channel| channel.capacity.0).collect();
    let policies = policies(graph);
    let of = |get: fn(&(Msat, &Policy)) -> u64| policies.iter().map(get).collect::<Vec<_>>();
    let mut all = [
        ("degree", degrees),
        ("capacity", capacities),
        ("base", of(|it| it.1.fee_base_msat.0)),
        ("rate", of(|it| it.1.fee_rate.0.into())),
        ("delta", of(|it| it.1.cltv_delta.0.into())),
        ("minimum", of(|it| it.1.htlc_minimum_msat.0)),
        // In so coarse a unit that rounding makes no difference.
        ("maximum", of(|it| it.1.htlc_maximum_msat.0.saturating_mul(1_000) / it.0.0)),
    ];
    for (_, figures) in &mut all {
        figures.sort_unstable();
    }
    all
}

/// With the public graph of 2026-02-03 in `PAYECS_GRAPH`.
#[test]
fn the_generated_graph_is_distributed_as_the_public_one() {
    let Some(path) = std::env::var_os("PAYECS_GRAPH") else { return };
    let public = load(Path::new(&path)).unwrap().graph;
    let made = generate_public(17_324, 1);
    let (few, many) = (made.channels_count() * 100, public.channels_count() * 101);
    assert!(few <= many && many * 98 <= few * 101, "{} channels", made.channels_count());
    for ((name, real), (_, made)) in figures(&public).into_iter().zip(figures(&made)) {
        for percent in (5..=95).step_by(5) {
            let at = |of: &[u64], percent: usize| of[of.len() * percent / 100];
            let seen = at(&made, percent - 4)..=at(&made, percent + 4);
            let expected = at(&real, percent);
            assert!(seen.contains(&expected), "{name}, {percent} %: {expected}, not {seen:?}");
        }
    }
    let share = |graph: &Graph| policies(graph).len() * 1_000 / (graph.channels_count() * 2);
    assert!(share(&made).abs_diff(share(&public)) <= 5, "of a thousand are enabled");
}
