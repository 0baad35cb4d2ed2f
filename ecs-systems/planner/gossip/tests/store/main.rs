//! What a store says is what the graph is, and nothing that a file may hold ends in a panic.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod frames;
mod any_bytes;
mod shape;
mod json;

use frames::{
    COMPLETED, DELETED, SCID, amount, announced, channel, closed, framed, node, store, updated,
};
use payecs_gossip::{End, Ignored, LoadError, Loaded, StoreError, Unwritable, load, read, write};
use payecs_planner::{Channel, GraphBuilder, GraphShape, Policy, generate};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, Ppm, ShortChannelId};
use std::path::Path;

fn way(direction: Direction) -> ChannelDirection {
    ChannelDirection { scid: ShortChannelId(SCID), direction }
}

/// The fee base of both directions, in msat.
fn bases(loaded: &Loaded) -> [Option<u64>; 2] {
    let base = |direction| Some(loaded.graph.policy(way(direction))?.fee_base_msat.0);
    [Direction::Zero, Direction::One].map(base)
}

#[test]
fn every_field_of_a_channel_and_its_updates_is_read() {
    let [announcement, amount] = channel(SCID);
    let updates = [updated(SCID, 0, 7, 1_000), updated(SCID, 3, 7, 30)];
    let loaded = read(&store(&[&[announcement, amount][..], &updates].concat())).unwrap();
    let expected = Channel {
        short_channel_id: ShortChannelId(SCID),
        node_a: node(1),
        node_b: node(2),
        capacity: Msat(1_000_000),
    };
    assert_eq!(loaded.graph.channels().collect::<Vec<_>>(), [expected]);
    let policy = Policy {
        enabled: true,
        fee_base_msat: Msat(1_000),
        fee_rate: Ppm(250),
        cltv_delta: Blocks(144),
        htlc_minimum_msat: Msat(2_000),
        htlc_maximum_msat: Msat(900_000),
    };
    assert_eq!(loaded.graph.policy(way(Direction::Zero)), Some(&policy));
    let disabled = Policy { enabled: false, fee_base_msat: Msat(30), ..policy };
    assert_eq!(loaded.graph.policy(way(Direction::One)), Some(&disabled));
    let (channels, updates, ignored) = (loaded.channels, loaded.updates, loaded.ignored);
    assert_eq!((channels, updates, ignored), (1, 2, Ignored::default()));
    assert_eq!(loaded.end, End::Whole);
}

#[test]
fn an_update_without_a_maximum_may_use_the_whole_capacity() {
    let mut short = updated(SCID, 0, 7, 1);
    short.truncate(130);
    short[110] = 0;
    let loaded = read(&store(&[&channel(SCID)[..], &[short]].concat())).unwrap();
    let policy = loaded.graph.policy(way(Direction::Zero)).unwrap();
    assert_eq!(policy.htlc_maximum_msat, Msat(1_000_000));
}

#[test]
fn the_newest_update_counts_whatever_the_order() {
    let [announcement, amount] = channel(SCID);
    let messages = [
        updated(SCID, 0, 30, 3),
        announcement,
        amount,
        updated(SCID, 1, 9, 7),
        updated(SCID, 0, 10, 1),
        updated(SCID, 1, 9, 8),
        updated(SCID, 0, 20, 2),
    ];
    let loaded = read(&store(&messages)).unwrap();
    assert_eq!(bases(&loaded), [Some(3), Some(8)], "of one second the last in the file");
    assert_eq!(loaded.ignored, Ignored { outdated: 3, ..Ignored::default() });
}

#[test]
fn a_closed_channel_is_gone_until_it_is_announced_again() {
    let [announcement, amount] = channel(SCID);
    let first = [announcement.clone(), amount.clone(), updated(SCID, 0, 50, 1), closed(SCID)];
    let gone = read(&store(&first)).unwrap();
    assert_eq!((gone.channels, gone.ignored), (0, Ignored { closed: 2, ..Ignored::default() }));
    let later = [announcement, amount, updated(SCID, 0, 40, 2)];
    let again = read(&store(&[&first[..], &later].concat())).unwrap();
    assert_eq!((again.channels, bases(&again)), (1, [Some(2), None]));
    assert_eq!(again.ignored, Ignored { closed: 2, ..Ignored::default() });
}

#[test]
fn what_can_be_no_channel_is_counted() {
    let other_chain = announced(1, SCID + 4, [1, 2]);
    let messages = [
        &channel(SCID)[..],
        &[announced(0, SCID + 1, [2, 1]), amount(5)],
        &[announced(0, SCID + 2, [1, 2]), amount(0)],
        &[announced(0, SCID + 3, [1, 2]), updated(SCID + 3, 0, 1, 1), amount(5)],
        &[other_chain, amount(5)],
        &[announced(0, SCID + 5, [1, 2]), amount(u64::MAX)],
        &[updated(SCID + 9, 0, 1, 1), vec![1, 1, 0], vec![1, 1]],
    ];
    let loaded = read(&store(&messages.concat())).unwrap();
    let expected =
        Ignored { unusable: 4, unannounced: 2, other_chain: 1, other: 4, ..Ignored::default() };
    assert_eq!((loaded.channels, loaded.ignored), (1, expected));
}

#[test]
fn deleted_records_do_not_count_and_an_ended_store_ends() {
    let mut bytes = store(&channel(SCID));
    bytes.extend(framed(COMPLETED | DELETED, 5, &updated(SCID, 0, 9, 9)));
    bytes.extend(framed(COMPLETED, 5, &updated(SCID, 0, 1, 1)));
    let ended = framed(COMPLETED, 0, &[&[16, 9][..], &[0; 40]].concat());
    bytes.extend(ended.into_iter().chain(b"whatever".iter().copied()));
    let loaded = read(&bytes).unwrap();
    assert_eq!((bases(&loaded), loaded.ignored.deleted), ([Some(1), None], 1));
    assert_eq!(loaded.end, End::Superseded);
}

#[test]
fn only_versions_that_mark_completed_records_are_read() {
    for (version, error) in [
        (14, Some(StoreError::Version { major: 0, minor: 14 })),
        (15, None),
        (16, None),
        (31, None),
        (32 + 16, Some(StoreError::Version { major: 1, minor: 16 })),
    ] {
        assert_eq!(read(&[version]).err(), error, "version byte {version}");
    }
    assert_eq!(read(&[]).err(), Some(StoreError::Empty));
}

#[test]
fn a_flaw_names_the_offset_of_its_record() {
    let whole = store(&channel(SCID));
    let offset = store(&channel(SCID)[..1]).len();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(read(&flipped).err(), Some(StoreError::Checksum { offset }));
    let cut = &whole[..whole.len() - 1];
    assert_eq!(read(cut).err(), Some(StoreError::Cut { offset }));
    assert_eq!(read(&whole[..offset + 5]).err(), Some(StoreError::Cut { offset }));
    let short = [&whole[..], &framed(COMPLETED, 1, &[1, 0, 0])].concat();
    let error = StoreError::Malformed { offset: whole.len(), bytes: 3 };
    assert_eq!(read(&short).err(), Some(error));
    let middle = [&whole[..], &framed(0, 1, &amount(1)), &[0]].concat();
    assert_eq!(read(&middle).err(), Some(StoreError::NotCompleted { offset: whole.len() }));
}

#[test]
fn a_record_that_is_being_written_ends_the_reading() {
    let whole = store(&channel(SCID));
    let (offset, record) = (whole.len(), framed(0, 1, &updated(SCID, 0, 1, 1)));
    for bytes in 1..=record.len() {
        let loaded = read(&[&whole, &record[..bytes]].concat()).unwrap();
        assert_eq!((loaded.channels, loaded.end), (1, End::Torn { offset }), "{bytes} bytes");
    }
}

#[test]
fn checksums_are_those_of_core_lightning() {
    // The first record of a store of its own: 32 zero bytes as the store's name.
    let record = [0x20, 0, 0, 0x22, 0x1b, 0xad, 0x8d, 0x9b, 0, 0, 0, 0, 0x10, 0x0b];
    let bytes = [&[16][..], &record, &[0; 32]].concat();
    assert_eq!(read(&bytes).unwrap().ignored.other, 1);
    // It begins with the timestamp where a checksum of nothing would have 0: so a timestamp that
    // is the checksum of "1234" makes that of "56789" the known one of "123456789".
    let timestamp = crc32c::crc32c(b"1234");
    let record = framed(COMPLETED, timestamp, b"56789");
    assert_eq!(record[4..8], 0xe306_9283_u32.to_be_bytes());
    assert_eq!(read(&[&[16][..], &record].concat()).unwrap().ignored.other, 1);
}

#[test]
fn what_is_written_is_read_back_packed_or_not() {
    let graph = generate(&GraphShape { nodes: 200, seed: 5, ..GraphShape::default() });
    let bytes = write(&graph).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gossip_store");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(load(&path).unwrap().graph, graph);
    // Two frames, and a name that doesn't say so.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let packed = [first, second].map(|part| ruzstd::encoding::compress_to_vec(part, level));
    std::fs::write(&path, packed.concat()).unwrap();
    assert_eq!(load(&path).unwrap().graph, graph);
    std::fs::write(&path, &packed[0][..packed[0].len() / 2]).unwrap();
    assert!(matches!(load(&path), Err(LoadError::Unpack(_))));
    assert!(matches!(load(&directory.path().join("none")), Err(LoadError::Io(_))));
}

#[test]
fn what_the_format_has_no_room_for_is_not_written() {
    let scid = ShortChannelId(SCID);
    let mut builder = GraphBuilder::new();
    builder.add_channel(scid, node(1), node(2), Msat(1_001)).unwrap();
    assert_eq!(write(&builder.build()), Err(Unwritable::Capacity { scid }));
    let graph = read(&store(&[&channel(SCID)[..], &[updated(SCID, 0, 1, 1)]].concat()));
    let graph = graph.unwrap().graph;
    let direction = way(Direction::Zero);
    let policy = graph.policy(direction).unwrap().clone();
    for policy in [
        Policy { cltv_delta: Blocks(1 << 16), ..policy.clone() },
        Policy { fee_base_msat: Msat(1 << 32), ..policy },
    ] {
        let graph = graph.with_policy(direction, policy).unwrap();
        assert_eq!(write(&graph), Err(Unwritable::Policy { direction }));
    }
}

/// With the public graph of 2026-02-03 in `PAYECS_GRAPH`, packed or not.
#[test]
fn the_public_graph_has_the_counts_it_is_known_for() {
    let Some(path) = std::env::var_os("PAYECS_GRAPH") else { return };
    let loaded = load(Path::new(&path)).unwrap();
    let graph = &loaded.graph;
    let counts = (graph.nodes_count(), loaded.channels, loaded.updates);
    assert_eq!(counts, (17_324, 50_808, 101_616));
    let ways = graph.channels().flat_map(|channel| {
        let scid = channel.short_channel_id;
        [Direction::Zero, Direction::One].map(|direction| ChannelDirection { scid, direction })
    });
    let is_enabled = |way: &ChannelDirection| graph.policy(*way).is_some_and(|it| it.enabled);
    assert_eq!(ways.filter(is_enabled).count(), 65_810);
    let capacity = Msat::sum(graph.channels().map(|channel| channel.capacity)).unwrap();
    assert_eq!((capacity.0 + 50_000_000_000) / 100_000_000_000, 5_362, "BTC");
    assert_eq!(loaded.ignored, Ignored { other: 1, ..Ignored::default() });
    assert_eq!(payecs_gossip::read(&write(graph).unwrap()).unwrap(), loaded);
}
