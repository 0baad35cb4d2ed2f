use super::*;
use crate::{
    InvoiceRequest, Made, OpenError, Syncing,
    fixture::{Desk, START},
    open::tests::{disk, options},
    open_there,
};
use ecs_systems::{
    port::{Node, PartStatus},
    units::Blocks,
};
use payecs_journal::MemoryDisk;
use payecs_planner::{GraphShape, generate};

fn graph() -> Graph {
    generate(&GraphShape { nodes: 60, seed: 5, ..GraphShape::default() })
}

#[test]
fn a_network_over_a_graph_has_its_channels_policies_and_the_balances_that_all_can_draw() {
    let graph = graph();
    let config = OverGraph { balances: HiddenBalances::Bimodal, seed: 9, ..OverGraph::default() };
    let network = SimNetwork::over(&graph, &config).unwrap();
    let seen = network.connect(START).graph();
    assert_eq!(seen.channels_count(), graph.channels_count() + 4, "ours besides");
    for channel in graph.channels() {
        let (scid, capacity) = (channel.short_channel_id, channel.capacity);
        let [a, b] = [channel.node_a, channel.node_b].map(|it| network.of_graph(it).unwrap());
        let balance = hidden_balance(HiddenBalances::Bimodal, 9, scid, capacity);
        for (from, to, original, has) in
            [(a, b, Direction::Zero, balance), (b, a, Direction::One, Msat(capacity.0 - balance.0))]
        {
            let here = ChannelDirection { scid, direction: Direction::between(&from, &to) };
            let there = ChannelDirection { scid, direction: original };
            assert_eq!(seen.policy(here), graph.policy(there));
            assert_eq!(network.spendable(here), Some(has));
        }
    }
    network.audit().unwrap();
    assert_eq!(network.original(network.us()), None);
    assert_eq!(network.id(OUR_NAME), Ok(network.us()));
}

#[test]
fn nodes_are_called_by_their_ids_of_the_graph() {
    let graph = graph();
    let network = SimNetwork::over(&graph, &OverGraph::default()).unwrap();
    for original in graph.nodes() {
        let node = network.of_graph(*original).unwrap();
        let text = original.to_string();
        assert_eq!(network.name(node).unwrap(), text[..NAME_DIGITS]);
        assert_eq!((network.id(&text), network.id(&text[..12])), (Ok(node), Ok(node)));
        assert_eq!(network.original(node), Some(*original));
    }
    for unknown in ["", "02", "0", "zz", "n0"] {
        let name = unknown.to_owned();
        assert_eq!(network.id(unknown), Err(SimError::UnknownName { name }));
    }
    let alike = [[2; 33], [2; 33]].map(|mut id| {
        id[32] = 1;
        NodeId(id)
    });
    let alike = [alike[0], NodeId([2; 33])];
    assert_eq!(name(&alike, 0), alike[0].to_string(), "twelve digits are both's");
}

#[test]
fn we_join_with_the_peers_that_were_named_or_stand_in_for_a_node() {
    let graph = graph();
    let peer = graph.nodes()[7];
    let channels = OurChannels { count: 5, ..crate::SimConfig::default().ours };
    let place = Place::Joins { channels, peers: vec![peer] };
    let joined = SimNetwork::over(&graph, &OverGraph { place, ..OverGraph::default() }).unwrap();
    assert_eq!(joined.our_balance().len(), 5);
    assert!(joined.direction(joined.us(), joined.of_graph(peer).unwrap()).is_some());
    let place = Place::StandsIn(peer);
    let config = OverGraph { place, ..OverGraph::default() };
    let stands_in = SimNetwork::over(&graph, &config).unwrap();
    assert_eq!(stands_in.us(), stands_in.of_graph(peer).unwrap());
    assert_eq!(stands_in.our_balance().len(), graph.outgoing(&peer).count());
    for place in
        [Place::StandsIn(NodeId([9; 33])), Place::Joins { channels, peers: vec![NodeId([9; 33])] }]
    {
        let refused = SimNetwork::over(&graph, &OverGraph { place, ..OverGraph::default() });
        assert_eq!(refused.unwrap_err(), SimError::UnknownNode { node: NodeId([9; 33]) });
    }
}

#[test]
fn an_invoice_of_a_node_of_the_graph_is_paid() {
    let network = SimNetwork::over(&graph(), &OverGraph::default()).unwrap();
    let mut desk = Desk::new(network);
    let (amount, us) = (Msat(100_000), desk.network.us());
    let others = desk.network.others();
    let mut reached = others
        .iter()
        .filter(|payee| desk.network.route(us, **payee, amount, Blocks(20), desk.now).is_some());
    let payee = desk.network.name(*reached.next_back().unwrap()).unwrap();
    let part = desk.part(&payee, amount);
    desk.send(&part);
    desk.run_ms(10_000);
    assert!(matches!(desk.told(part.key)[..], [PartStatus::Paid { .. }]));
    desk.network.audit().unwrap();
}

#[test]
fn a_network_on_a_disk_needs_its_graph_no_more_and_refuses_another() {
    let (graph, memory) = (graph(), MemoryDisk::new());
    let config = OverGraph { label: "here".to_owned(), ..OverGraph::default() };
    let options = options(Syncing::Inline, 3_000);
    assert!(open_there(&disk(&memory), &options).unwrap().is_none());
    let opened = config.clone().open(&graph, &disk(&memory), &options).unwrap();
    let mut desk = Desk::new(opened.network);
    let peer = desk.network.name(desk.node.view().channels[0].peer).unwrap();
    for _ in 0..10 {
        let invoice = desk.invoice(&peer, InvoiceRequest::of(Msat(1_000_000)));
        let part = desk.part_for(&invoice, Msat(1_000_000));
        desk.send(&part);
        desk.run_ms(2_000);
    }
    let ours = desk.network.our_balance();
    let snapshot = memory.files().iter().any(|it| it.ends_with(".snapshot"));
    assert!(snapshot, "{:?}", memory.files());
    let fork = memory.fork();
    fork.power_loss(1);
    let again = open_there(&disk(&fork), &options).unwrap().unwrap().network;
    assert_eq!(again.our_balance(), ours);
    let (label, balances) = ("here".to_owned(), HiddenBalances::Uniform);
    assert_eq!(again.made(), Some(Made::Over { label, nodes: 60, seed: 1, balances }));
    assert_eq!(*again.connect(desk.now).graph(), *desk.node.graph());
    again.audit().unwrap();
    drop(again);
    let renamed = OverGraph { label: "there".to_owned(), ..OverGraph::default() };
    drop(renamed.clone().open(&graph, &disk(&fork), &options).unwrap());
    let less = generate(&GraphShape { nodes: 50, ..GraphShape::default() });
    for (config, graph, what) in [
        (renamed.clone(), &less, "the graph"),
        (OverGraph { seed: 2, ..renamed.clone() }, &graph, "the seed"),
        (
            OverGraph { balances: HiddenBalances::Bimodal, ..renamed },
            &graph,
            "how balances and we are placed",
        ),
    ] {
        let refused = config.open(graph, &disk(&fork), &options);
        let Err(OpenError::OtherNetwork { differs, made }) = refused else { panic!("{what}") };
        assert_eq!((differs.as_str(), made.as_str()), (what, "the graph here of 60 nodes, seed 1"));
    }
}

#[test]
fn a_snapshot_has_the_channels_that_were_used_and_no_others() {
    let graph = generate(&GraphShape { nodes: 2_000, ..GraphShape::default() });
    let memory = MemoryDisk::new();
    let options = options(Syncing::Inline, 20_000);
    let opened = OverGraph::default().open(&graph, &disk(&memory), &options).unwrap();
    let mut desk = Desk::new(opened.network);
    let peer = desk.network.name(desk.node.view().channels[0].peer).unwrap();
    let snapshot = || memory.files().into_iter().find(|it| it.ends_with(".snapshot"));
    while snapshot().is_none() {
        let part = desk.part(&peer, Msat(1_000_000));
        desk.send(&part);
        desk.run_ms(2_000);
    }
    let file = disk(&memory).open(&snapshot().unwrap(), payecs_journal::Open::Read).unwrap();
    assert!(file.len_bytes().unwrap() < 60_000, "{} bytes", file.len_bytes().unwrap());
}
