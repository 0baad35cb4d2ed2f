use super::*;
use proptest::prelude::*;

fn node(index: u8) -> NodeId {
    NodeId([index; 33])
}

fn direction(scid: u64, direction: Direction) -> ChannelDirection {
    ChannelDirection { scid: ShortChannelId(scid), direction }
}

fn policy(rate: u32) -> Policy {
    Policy {
        enabled: true,
        fee_base_msat: Msat(1),
        fee_rate: Ppm(rate),
        cltv_delta: Blocks(40),
        htlc_minimum_msat: Msat(1),
        htlc_maximum_msat: Msat(1_000),
    }
}

fn announced(scid: u64, a: u8, b: u8) -> GraphDelta {
    GraphDelta::ChannelAnnounced {
        short_channel_id: ShortChannelId(scid),
        node_a: node(a),
        node_b: node(b),
        capacity: Msat(scid * 1_000),
    }
}

#[test]
fn lookups_answer_what_was_put_in_whatever_the_order_of_the_ends() {
    let mut builder = GraphBuilder::new();
    builder.add_channel(ShortChannelId(9), node(3), node(2), Msat(900)).unwrap();
    builder.add_channel(ShortChannelId(5), node(2), node(7), Msat(500)).unwrap();
    builder.set_policy(direction(9, Direction::One), policy(11)).unwrap();
    let graph = builder.build();
    assert_eq!((graph.nodes_count(), graph.channels_count()), (3, 2));
    assert_eq!(graph.endpoints(ShortChannelId(9)), Some((node(2), node(3))));
    assert_eq!(graph.ends(direction(9, Direction::One)), Some((node(3), node(2))));
    assert_eq!(graph.capacity(ShortChannelId(5)), Some(Msat(500)));
    assert_eq!(graph.policy(direction(9, Direction::One)), Some(&policy(11)));
    assert_eq!(graph.policy(direction(9, Direction::Zero)), None);
    let from_two: Vec<_> = graph.outgoing(&node(2)).collect();
    let expected =
        vec![(direction(5, Direction::Zero), node(7)), (direction(9, Direction::Zero), node(3))];
    assert_eq!(from_two, expected);
    assert_eq!(graph.outgoing(&node(1)).count(), 0);
    assert!(graph.contains_node(&node(7)) && !graph.contains_node(&node(1)));
}

#[test]
fn patches_are_all_or_nothing_and_leave_the_old_graph_alone() {
    let graph = Graph::default().patched(&[announced(1, 1, 2), announced(2, 2, 3)]).unwrap();
    let to = direction(2, Direction::Zero);
    let deltas = [
        GraphDelta::PolicyChanged { direction: to, policy: policy(5) },
        GraphDelta::ChannelClosed { short_channel_id: ShortChannelId(1) },
    ];
    let patched = graph.patched(&deltas).unwrap();
    assert_eq!((patched.channels_count(), patched.nodes_count()), (1, 2));
    assert_eq!(patched.policy(to), Some(&policy(5)));
    assert_eq!((graph.channels_count(), graph.policy(to)), (2, None));
    assert_eq!(graph.with_policy(to, policy(5)).unwrap().policy(to), Some(&policy(5)));
    let again = patched.patched(&deltas[1..]);
    assert_eq!(again, Err(GraphError::UnknownChannel { scid: ShortChannelId(1) }));
    assert_eq!(graph.to_builder().build(), graph);
}

fn deltas() -> impl Strategy<Value = Vec<GraphDelta>> {
    let scid = 1..6_u64;
    let delta = prop_oneof![
        1 => (scid.clone(), 1..5_u8, 1..5_u8).prop_map(|(scid, a, b)| announced(scid, a, b)),
        4 => (scid.clone(), any::<bool>(), 0..100_u32).prop_map(|(scid, one, rate)| {
            let way = if one { Direction::One } else { Direction::Zero };
            let (direction, policy) = (direction(scid, way), policy(rate));
            GraphDelta::PolicyChanged { direction, policy }
        }),
        1 => scid.prop_map(|scid| {
            GraphDelta::ChannelClosed { short_channel_id: ShortChannelId(scid) }
        }),
    ];
    proptest::collection::vec(delta, 0..12)
}

proptest! {
    #[test]
    fn what_is_taken_in_together_is_never_other_than_one_by_one(deltas in deltas()) {
        let start = [announced(1, 1, 2), announced(2, 2, 3), announced(3, 3, 4)];
        let mut graph = Graph::default().patched(&start).unwrap();
        let (mut one_by_one, mut refused_alone) = (graph.clone(), Vec::new());
        for delta in &deltas {
            match one_by_one.patched(std::slice::from_ref(delta)) {
                Ok(patched) => one_by_one = patched,
                Err(error) => refused_alone.push(error),
            }
        }
        let mut refused = Vec::new();
        graph.take_in(&deltas, &mut |error| refused.push(error));
        prop_assert_eq!(&graph, &one_by_one);
        prop_assert_eq!(refused, refused_alone);
    }
}

#[test]
fn nonsense_is_refused_with_its_facts() {
    let scid = ShortChannelId(1);
    let graph = Graph::default().patched(&[announced(1, 1, 2)]).unwrap();
    for (delta, error) in [
        (announced(1, 1, 3), GraphError::KnownChannel { scid }),
        (announced(2, 4, 4), GraphError::SameEnds { scid: ShortChannelId(2), node: node(4) }),
    ] {
        assert_eq!(graph.patched(&[delta]), Err(error));
    }
    let unknown = direction(7, Direction::Zero);
    let error = GraphError::UnknownChannel { scid: ShortChannelId(7) };
    assert_eq!(graph.with_policy(unknown, policy(1)), Err(error));
}
