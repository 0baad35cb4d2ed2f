//! What Core Lightning and LND print of a graph is the same graph, and an error names its place.

use payecs_gossip::{End, Format, ImportError, Imported, LoadError, import, load, read, write};
use payecs_planner::{Graph, GraphBuilder, GraphShape, Policy, Rng, generate};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, Ppm, ShortChannelId};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;

/// A graph with all that the formats can say: policies of every kind, missing and disabled ones.
fn graph(seed: u64) -> Graph {
    let made = generate(&GraphShape { nodes: 12, seed, ..GraphShape::default() });
    let mut rng = Rng::new(seed);
    let mut builder = GraphBuilder::new();
    for channel in made.channels() {
        let scid = channel.short_channel_id;
        let capacity = Msat((1 + rng.below(1 << 40)) * 1_000);
        builder.add_channel(scid, channel.node_a, channel.node_b, capacity).unwrap();
        for direction in [Direction::Zero, Direction::One] {
            let policy = Policy {
                enabled: rng.chance(700_000),
                fee_base_msat: Msat(rng.below(1 << 32)),
                fee_rate: Ppm(u32::try_from(rng.below(1 << 32)).unwrap()),
                cltv_delta: Blocks(u32::try_from(rng.below(1 << 16)).unwrap()),
                htlc_minimum_msat: Msat(rng.below(1 << 50)),
                htlc_maximum_msat: Msat(1 + rng.below(1 << 50)),
            };
            if rng.chance(850_000) {
                builder.set_policy(ChannelDirection { scid, direction }, policy).unwrap();
            }
        }
    }
    builder.build()
}

fn way(scid: ShortChannelId, direction: Direction) -> ChannelDirection {
    ChannelDirection { scid, direction }
}

/// As `lightning-cli listchannels` prints it: channels without a policy are not in it.
fn as_listchannels(graph: &Graph) -> Value {
    let mut channels = Vec::new();
    for channel in graph.channels() {
        let scid = channel.short_channel_id;
        for direction in [Direction::One, Direction::Zero] {
            let Some(policy) = graph.policy(way(scid, direction)) else { continue };
            let (source, destination) = graph.ends(way(scid, direction)).unwrap();
            channels.push(json!({
                "source": source.to_string(), "destination": destination.to_string(),
                "short_channel_id": scid.to_string(), "direction": direction.bit(),
                "public": true, "amount_msat": channel.capacity.0, "message_flags": 1,
                "channel_flags": direction.bit() | if policy.enabled { 0 } else { 2 },
                "active": policy.enabled, "last_update": 1_700_000_000,
                "base_fee_millisatoshi": policy.fee_base_msat.0,
                "fee_per_millionth": policy.fee_rate.0, "delay": policy.cltv_delta.0,
                "htlc_minimum_msat": policy.htlc_minimum_msat.0,
                "htlc_maximum_msat": policy.htlc_maximum_msat.0, "features": "",
            }));
        }
    }
    json!({ "channels": channels })
}

/// As `lncli describegraph` prints it: numbers of 64 bits are text.
fn as_describegraph(graph: &Graph) -> Value {
    let policy = |policy: Option<&Policy>| {
        policy.map_or(Value::Null, |it| {
            json!({
                "time_lock_delta": it.cltv_delta.0, "min_htlc": it.htlc_minimum_msat.0.to_string(),
                "fee_base_msat": it.fee_base_msat.0.to_string(),
                "fee_rate_milli_msat": it.fee_rate.0.to_string(), "disabled": !it.enabled,
                "max_htlc_msat": it.htlc_maximum_msat.0.to_string(), "last_update": 1_700_000_000,
                "custom_records": {}, "inbound_fee_base_msat": 0,
                "inbound_fee_rate_milli_msat": 0,
            })
        })
    };
    let edges = graph.channels().map(|channel| {
        let scid = channel.short_channel_id;
        json!({
            "channel_id": scid.0.to_string(), "chan_point": "00:0", "last_update": 0,
            "node1_pub": channel.node_a.to_string(), "node2_pub": channel.node_b.to_string(),
            "capacity": (channel.capacity.0 / 1_000).to_string(),
            "node1_policy": policy(graph.policy(way(scid, Direction::Zero))),
            "node2_policy": policy(graph.policy(way(scid, Direction::One))),
        })
    });
    let nodes = graph.nodes().iter();
    let nodes = nodes.map(|node| json!({ "pub_key": node.to_string(), "addresses": [] }));
    json!({ "nodes": nodes.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>() })
}

/// The graph without channels that nobody announced a policy of.
fn announced(graph: &Graph) -> Graph {
    let mut builder = graph.to_builder();
    for channel in graph.channels() {
        let scid = channel.short_channel_id;
        let mut ways = [Direction::Zero, Direction::One].map(|it| way(scid, it)).into_iter();
        if ways.all(|way| graph.policy(way).is_none()) {
            builder.remove_channel(scid).unwrap();
        }
    }
    builder.build()
}

fn imported(bytes: &[u8], format: Option<Format>) -> Result<Imported, ImportError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("graph");
    fs::write(&path, bytes).unwrap();
    import(&path, format, &mut |_| ())
}

fn of_json(json: &Value) -> Result<Imported, ImportError> {
    imported(json.to_string().as_bytes(), None)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_graph_never_changes_on_its_way_through_a_format(seed: u64) {
        let graph = graph(seed);
        let store = write(&graph).unwrap();
        for (bytes, format, expected) in [
            (store, Format::GossipStore, graph.clone()),
            (as_listchannels(&graph).to_string().into(), Format::ListChannels, announced(&graph)),
            (as_describegraph(&graph).to_string().into(), Format::DescribeGraph, graph.clone()),
        ] {
            for asked in [None, Some(format)] {
                let got = imported(&bytes, asked).unwrap();
                prop_assert_eq!((got.format, got.end), (format, End::Whole));
                prop_assert_eq!(&got.graph, &expected, "{}", format);
                let again = read(&write(&got.graph).unwrap()).unwrap();
                prop_assert_eq!(again.graph, got.graph);
            }
        }
    }

    #[test]
    fn no_json_ever_ends_in_a_panic(seed: u64, at: usize, byte: u8) {
        let mut bytes: Vec<u8> = as_describegraph(&graph(seed)).to_string().into();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _read = imported(&bytes, Some(Format::DescribeGraph));
        let _cut = imported(&bytes[..at], None);
    }
}

#[test]
fn a_packed_file_tells_how_much_of_it_is_read_and_is_told_by_its_content() {
    let graph = graph(7);
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let text = as_describegraph(&graph).to_string();
    let packed = ruzstd::encoding::compress_to_vec(text.as_bytes(), level);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("graph");
    fs::write(&path, &packed).unwrap();
    let mut told = Vec::new();
    let got = import(&path, None, &mut |progress| told.push(progress)).unwrap();
    assert_eq!((got.format, &got.graph), (Format::DescribeGraph, &graph));
    let length = u64::try_from(packed.len()).unwrap();
    assert!(told.iter().all(|it| it.of == length) && told.is_sorted_by_key(|it| it.read));
    assert_eq!(told.last().map(|it| it.read), Some(length));
    assert!(matches!(load(&path), Err(LoadError::Store(_))), "it is no store");
}

/// An edit of a JSON value.
type Edit = fn(&mut Value);

#[test]
fn what_is_wrong_in_listchannels_is_told_with_its_channel_and_field() {
    let [source, destination] = ["11", "22"].map(|byte| format!("02{}", byte.repeat(32)));
    let good = json!({ "channels": [
        { "source": source, "destination": destination, "short_channel_id": "1x2x3",
          "direction": 0, "public": true, "amount_msat": "5000msat",
          "channel_flags": 0, "active": true, "last_update": 9, "base_fee_millisatoshi": 1,
          "fee_per_millionth": 2, "delay": 3, "htlc_minimum_msat": "4msat" },
    ] });
    let got = of_json(&good).unwrap().graph;
    let policy = got.policy("1x2x3/0".parse().unwrap()).unwrap();
    assert_eq!((policy.htlc_minimum_msat, policy.htlc_maximum_msat), (Msat(4), Msat(5_000)));
    let place = "item 1 of `channels` (channel 1x2x3): ";
    let rows: [(Edit, &str); 9] = [
        (|it| it["delay"] = json!("x"), "`delay` is `\"x\"`, not a number from 0"),
        (|it| it["delay"] = json!(1_u64 << 32), "`delay` is 4294967296, above 2^32-1"),
        (|it| it["amount_msat"] = json!(null), "`amount_msat` is missing"),
        (|it| it["amount_msat"] = json!("5sat"), "`amount_msat` is `\"5sat\"`, not a number"),
        (|it| it["amount_msat"] = json!("xmsat"), "`amount_msat` is `xmsat`, not an amount"),
        (|it| it["source"] = json!("02"), "`source` is no node id"),
        (|it| it["destination"] = it["source"].clone(), "`destination` is the same node"),
        (|it| it["direction"] = json!(1), "`direction` is not 0, which"),
        (|it| it["active"] = json!("no"), "`active` is `\"no\"`, not true or false"),
    ];
    for (edit, expected) in rows {
        let mut bad = good.clone();
        edit(&mut bad["channels"][0]);
        let error = of_json(&bad).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(expected), "{error}");
    }
    let mut other = good.clone();
    let mut second = good["channels"][0].clone();
    second["amount_msat"] = json!(6_000);
    other["channels"].as_array_mut().unwrap().push(second);
    let error = of_json(&other).unwrap_err().to_string();
    assert!(error.contains("item 2") && error.contains("the capacity of channel 1x2x3"), "{error}");
}

#[test]
fn of_a_direction_that_is_listed_twice_the_newer_counts_and_private_channels_do_not() {
    let listed = |update: u64, base: u64, public: bool| {
        json!({ "source": format!("02{}", "22".repeat(32)),
            "destination": format!("02{}", "11".repeat(32)), "short_channel_id": "1x2x3",
            "public": public, "satoshis": 5, "channel_flags": 2, "last_update": update,
            "base_fee_millisatoshi": base, "fee_per_millionth": 2, "delay": 3 })
    };
    let all = [listed(5, 1, true), listed(9, 2, true), listed(7, 3, true), listed(99, 4, false)];
    let got = of_json(&json!({ "channels": all })).unwrap();
    let policy = got.graph.policy("1x2x3/1".parse().unwrap()).unwrap();
    assert_eq!((policy.fee_base_msat, policy.enabled), (Msat(2), false), "by `channel_flags`");
    let counted: Vec<_> = got.left_out.into_iter().collect();
    let private = "directions of channels that are not announced";
    assert_eq!(counted, [(private, 1), ("directions with a newer update", 2)]);
}

#[test]
fn what_is_wrong_in_describegraph_is_told_with_its_channel_and_field() {
    let policy = json!({ "time_lock_delta": 40, "min_htlc": "1000", "fee_base_msat": "1",
        "fee_rate_milli_msat": "2", "disabled": false });
    let good = json!({ "nodes": [], "edges": [
        { "channel_id": "17", "node1_pub": format!("02{}", "11".repeat(32)),
          "node2_pub": format!("02{}", "22".repeat(32)), "capacity": "5",
          "node1_policy": policy, "node2_policy": null },
    ] });
    let got = of_json(&good).unwrap().graph;
    let way = way(ShortChannelId(17), Direction::Zero);
    assert_eq!(got.policy(way).unwrap().htlc_maximum_msat, Msat(5_000), "the capacity");
    let place = "item 1 of `edges` (channel 17): ";
    let rows: [(Edit, &str); 6] = [
        (|it| it["capacity"] = json!("-1"), "`capacity` is `\"-1\"`, not a number"),
        (|it| it["capacity"] = json!(u64::MAX), "`capacity` is more than 2^64-1 msat"),
        (|it| it["node1_policy"] = json!(7), "`node1_policy` is `7`, not an object"),
        (
            |it| it["node1_policy"]["fee_base_msat"] = json!(null),
            "`node1_policy.fee_base_msat` is missing",
        ),
        (|it| it["node2_pub"] = json!(4), "`node2_pub` is `4`, not text"),
        (|it| it["node2_pub"] = it["node1_pub"].clone(), "at both ends"),
    ];
    for (edit, expected) in rows {
        let mut bad = good.clone();
        edit(&mut bad["edges"][0]);
        let error = of_json(&bad).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(expected), "{error}");
    }
    let mut unknown = good;
    unknown["edges"][0]["capacity"] = json!("0");
    let got = of_json(&unknown).unwrap();
    assert_eq!(got.left_out["channels whose capacity nobody knows"], 1);
    assert_eq!(got.graph.channels_count(), 0);
}

#[test]
fn what_is_no_graph_says_so() {
    let edges = Some(Format::DescribeGraph);
    for (bytes, format, expected) in [
        (&b"{\"pays\":[]}"[..], None, "no object with an array `channels` or `edges`"),
        (b"{\"channels\":[]}", edges, "no object with an array `edges`"),
        (b"{\"channels\":[\n{]}", None, "line 2, column 2: "),
        (b"{\"channels\":7}", None, "line 1, column"),
        (b"{\"channels\":[7]}", None, "expected a map"),
        (b"{\"channels\":[]", None, "line 1, column 14: EOF"),
        (b"{\"channels\":[]} {}", None, "trailing characters"),
        (b"[1]", None, "neither a gossip_store nor JSON"),
        (b"[1]", edges, "expected an object with an array `edges`"),
        (b"node,node", None, "neither a gossip_store nor JSON"),
        (b"", None, "the file is empty"),
        (&[1, 2, 3], None, "version 0.1 of gossip_store is not read"),
    ] {
        let error = imported(bytes, format).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert_eq!("describegraph".parse(), Ok(Format::DescribeGraph));
    let unknown = "csv".parse::<Format>().unwrap_err();
    assert_eq!(unknown, "expected one of gossip_store, listchannels, describegraph");
}
