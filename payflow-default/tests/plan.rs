//! `payecs plan` on a graph, as a user runs it.

use serde_json::Value;
use std::process::{Command, Output};

fn plan(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payecs"));
    command.arg("plan").args(words).env_remove("PAYECS_GRAPH").env_remove("PAYECS_DATA_DIR");
    command.output().expect("it runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn routes_on_a_graph_are_the_same_as_json_and_as_a_table_and_on_a_store_of_it() {
    let words = ["--nodes", "600", "--seed", "4", "@1", "@40", "100000sat"];
    let output = plan(&[&words[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let route = &json["routes"][0];
    let hops = route["path"].as_array().unwrap();
    let (first, last) = (&hops[0], &hops[hops.len() - 1]);
    assert_eq!(first["amount_in_msat"], first["amount_out_msat"], "the first hop is ours");
    assert_eq!(last["cltv_out"], 18);
    assert!(json["fee_msat"].as_u64().unwrap() <= 1_000_000, "1 % of the amount");
    let graph = ecs_systems::planner::generate_public(600, 4);
    assert_eq!(json["channels"], graph.channels_count());

    let text = out(&plan(&words));
    for hop in hops {
        assert!(text.contains(hop["node_id_out"].as_str().unwrap()), "{text}");
        assert!(text.contains(hop["short_channel_id_dir"].as_str().unwrap()), "{text}");
    }
    assert!(text.contains("arrive, fee ") && text.contains("planned in "), "{text}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gossip_store");
    std::fs::write(&path, payecs_gossip::write(&graph).unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let ids = [&first["node_id_in"], &last["node_id_out"]].map(|id| id.as_str().unwrap());
    let output = plan(&["--graph", path, &ids[0][..20], ids[1], "0.001btc", "--json"]);
    let stored: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(stored["routes"], json["routes"]);
}

#[test]
fn what_stands_in_the_way_has_a_payments_code() {
    let made = ["--nodes", "600", "--seed", "4", "--json"];
    let stranger = "03".repeat(33);
    for (words, code, expected) in [
        (["@1", "@40", "21000000btc"], 215, "our channels together"),
        (["@1", &stranger, "1sat"], 216, "DST: no node of the graph"),
        (["@1", "0", "1sat"], -32602, "DST: "),
        ([&stranger, "@1", "1sat"], -32602, "SRC: no node of the graph"),
    ] {
        let output = plan(&[&made[..], &words].concat());
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", err(&output));
        let error: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(error["code"], code, "{words:?}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.to_lowercase().contains(&expected.to_lowercase()), "{words:?}: {error}");
    }
    let output = plan(&[&made[..4], &["@1", "@80", "100000sat", "--maxfee", "0"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let text = err(&output);
    assert!(text.contains("(code 206)") && text.contains("fee_needed_msat"), "{text}");
    let output = plan(&["--graph", "no/such/file", "@1", "@2", "1sat"]);
    assert!(err(&output).contains("no/such/file: the file can't be read"), "{}", err(&output));
}

#[test]
fn words_that_say_no_question_are_a_bad_option() {
    for (words, expected) in [
        (vec!["@1", "@2", "1sat"], "needs --graph FILE or --nodes N"),
        (vec!["02", "1sat"], "needs --data-dir DIR"),
        (vec!["--nodes", "600", "@1", "@2", "1 sat"], "AMOUNT: "),
        (vec!["--nodes", "600", "--graph", "F", "@1", "@2", "1sat"], "cannot be used with"),
    ] {
        let output = plan(&words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(err(&output).contains(expected), "{words:?}: {}", err(&output));
    }
}
