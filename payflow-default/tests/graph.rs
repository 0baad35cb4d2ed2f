//! `payecs graph`, as a user runs it.

use ecs_systems::{
    planner::{Graph, generate_public},
    units::{ChannelDirection, Direction},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn graph(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payecs"));
    command.arg("graph").args(words).output().expect("it runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a name in Unicode")
}

/// What `lightning-cli listchannels` prints of a graph.
fn listchannels(graph: &Graph) -> Value {
    let ways = graph.channels().flat_map(|channel| {
        let scid = channel.short_channel_id;
        [Direction::Zero, Direction::One].map(|direction| ChannelDirection { scid, direction })
    });
    let announced = ways.filter_map(|way| Some((way, graph.policy(way)?)));
    let channels = announced.map(|(way, policy)| {
        let (source, destination) = graph.ends(way).expect("it is there");
        json!({
            "source": source.to_string(), "destination": destination.to_string(),
            "short_channel_id": way.scid.to_string(), "direction": way.direction.bit(),
            "amount_msat": graph.capacity(way.scid).expect("it is there").0,
            "active": policy.enabled, "base_fee_millisatoshi": policy.fee_base_msat.0,
            "fee_per_millionth": policy.fee_rate.0, "delay": policy.cltv_delta.0,
            "htlc_minimum_msat": policy.htlc_minimum_msat.0,
            "htlc_maximum_msat": policy.htlc_maximum_msat.0,
        })
    });
    json!({ "channels": channels.collect::<Vec<_>>() })
}

#[test]
fn a_graph_that_was_imported_is_taken_by_all_that_read_one() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("channels.json"), directory.path().join("store"));
    let made = generate_public(300, 4);
    fs::write(&from, listchannels(&made).to_string()).unwrap();
    let output = graph(&["import", text(&from), "--out", text(&to)]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("300 nodes") && out(&output).contains("from listchannels."));
    let loaded = payecs_gossip::load(&to).unwrap();
    assert_eq!(loaded.graph, made);

    let [stats, of_json] = [&to, &from].map(|path| {
        let output = graph(&["stats", text(path), "--json"]);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    });
    assert_eq!(
        (&stats["format"], &of_json["format"]),
        (&json!("gossip_store"), &json!("listchannels"))
    );
    for field in ["nodes", "channels", "directions", "disabled", "capacity_msat", "distributions"] {
        assert_eq!(stats[field], of_json[field], "{field}");
    }
    assert_eq!((&stats["nodes"], &stats["end"]), (&json!(300), &json!("whole")));
    assert_eq!(stats["channels"], made.channels_count());
    assert!(stats["distributions"]["degree"]["max"].as_u64() > Some(1));
    let shown = out(&graph(&["stats", text(&to)]));
    for expected in ["nodes", "300", "p50", "CLTV delta (blocks)", "Left out: 1 messages"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}

#[test]
fn a_file_that_is_there_is_replaced_only_by_force_and_never_by_half() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("channels.json"), directory.path().join("store"));
    fs::write(&from, listchannels(&generate_public(50, 1)).to_string()).unwrap();
    fs::write(&to, "precious").unwrap();
    let import =
        |more: &[&str]| graph(&[&["import", text(&from), "--out", text(&to)], more].concat());
    let output = import(&["--json"]);
    assert_eq!((output.status.code(), fs::read(&to).unwrap()), (Some(1), b"precious".to_vec()));
    let error: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(error["message"].as_str().unwrap().contains("--force replaces it"), "{error}");
    assert_eq!(import(&["--from", "describegraph", "--force"]).status.code(), Some(1));
    assert_eq!(fs::read(&to).unwrap(), b"precious", "what can't be read replaces nothing");
    assert_eq!(import(&["--force"]).status.code(), Some(0));
    assert_eq!(payecs_gossip::load(&to).unwrap().graph.nodes_count(), 50);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left beside it");
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("graph");
    let store = payecs_gossip::write(&generate_public(50, 1)).unwrap();
    let mut flipped = store.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut capacity = listchannels(&generate_public(50, 1));
    for it in capacity["channels"].as_array_mut().unwrap() {
        it["amount_msat"] = json!(1_500);
    }
    let odd = capacity.to_string();
    for (bytes, command, expected) in [
        (flipped, "stats", "the record's checksum is wrong"),
        (store[..store.len() - 1].to_vec(), "stats", "the file ends within the record"),
        (b"{\"edges\":[{}]}".to_vec(), "stats", "item 1 of `edges`: `channel_id` is missing"),
        (b"{\"edges\":[".to_vec(), "import", "line 1, column 10"),
        (odd.into_bytes(), "import", "its capacity is no whole number of satoshi"),
    ] {
        fs::write(&path, bytes).unwrap();
        let to = directory.path().join("to");
        let more: &[&str] = if command == "import" { &["--out", text(&to)] } else { &[] };
        let output = graph(&[&[command, text(&path)], more].concat());
        assert_eq!(output.status.code(), Some(1), "{expected}");
        let said = err(&output);
        assert!(said.contains(expected) && said.contains(text(&path)), "{expected}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!to.exists(), "{expected}");
    }
    // A record that is being written.
    let torn = [&store[..], &[0, 0, 0]].concat();
    fs::write(&path, torn).unwrap();
    let shown = out(&graph(&["stats", text(&path)]));
    assert!(shown.contains(&format!("at offset {}, was not written", store.len())), "{shown}");
}
