//! Figures of graphs, and files that appear whole.

use super::{import::write, stats::Stats};
use ecs_systems::{
    planner::{Graph, GraphBuilder, Policy},
    units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId},
};
use std::fs;

fn node(byte: u8) -> NodeId {
    let mut bytes = [byte; 33];
    bytes[0] = 2;
    NodeId(bytes)
}

/// A star: node 0 with a channel to each of ten others, of 1 to 10 sat; all but one way out of it
/// have a policy with fees that count up, the first is disabled.
fn star() -> Graph {
    let mut builder = GraphBuilder::new();
    for other in 1..=10_u8 {
        let scid = ShortChannelId(other.into());
        let capacity = Msat(u64::from(other) * 1_000);
        builder.add_channel(scid, node(0), node(other), capacity).unwrap();
        let policy = Policy {
            enabled: other > 1,
            fee_base_msat: Msat(other.into()),
            fee_rate: Ppm(u32::from(other) * 10),
            cltv_delta: Blocks(40),
            htlc_minimum_msat: Msat(1),
            htlc_maximum_msat: capacity,
        };
        if other < 10 {
            let way = ChannelDirection { scid, direction: Direction::Zero };
            builder.set_policy(way, policy).unwrap();
        }
    }
    builder.build()
}

#[test]
fn figures_are_those_of_all_nodes_channels_and_directions_with_a_policy() {
    let stats = Stats::of(&star());
    assert_eq!((stats.nodes, stats.channels, stats.directions, stats.disabled), (11, 10, 9, 1));
    assert_eq!(stats.capacity, Some(Msat(55_000)));
    let at: Vec<_> = stats.distributions.iter().map(|it| it.at.unwrap()).collect();
    assert_eq!(at[0], [1, 1, 1, 1, 10], "degrees");
    assert_eq!(at[1], [1_000, 1_000, 5_000, 9_000, 10_000], "capacities");
    assert_eq!(at[2], [1, 1, 5, 8, 9], "fee bases");
    assert_eq!(at[3], [10, 10, 50, 80, 90], "fee rates");
    assert_eq!((at[4], at[5]), ([40; 5], [1; 5]));
    assert_eq!(at[6], [1_000, 1_000, 5_000, 8_000, 9_000], "largest HTLCs");
}

#[test]
fn a_graph_of_nothing_has_no_figures() {
    let stats = Stats::of(&Graph::default());
    assert_eq!((stats.nodes, stats.capacity), (0, Some(Msat::ZERO)));
    assert!(stats.distributions.iter().all(|it| it.at.is_none()));
}

#[test]
fn a_file_appears_whole_or_not_at_all_and_leaves_nothing_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("graph");
    write(&out, b"first").unwrap();
    write(&out, b"second").unwrap();
    assert_eq!(fs::read(&out).unwrap(), b"second");
    let taken = directory.path().join("directory");
    fs::create_dir_all(taken.join("full")).unwrap();
    write(&taken, b"third").unwrap_err();
    write(&directory.path().join("none/graph"), b"fourth").unwrap_err();
    write(&directory.path().join(".."), b"fifth").unwrap_err();
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
