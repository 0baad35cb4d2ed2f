//! What is known of liquidity, from one daemon to another.

use crate::rig::{Daemon, payecs, said, text};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

fn knowledge(command: &str, dir: &TempDir, args: &[&str]) -> (bool, String) {
    let mut run = payecs(&["knowledge", command, "--data-dir", text(dir.path())]);
    let output = run.args(args).output().expect("it does");
    (output.status.success(), said(&output))
}

/// What a daemon tells of a direction.
fn of(daemon: &Daemon, way: &str) -> Value {
    daemon.answer(&["payecs_listknowledge", way])["knowledge"][0].clone()
}

#[test]
fn knowledge_goes_from_one_daemon_to_another_by_a_file() {
    let (dir, other_dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = dir.path().join("known.jsonl");
    let daemon = Daemon::start(dir.path());
    let invoice = daemon.invoice("20sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
    let (done, told) = knowledge("export", &dir, &[text(&file)]);
    assert!(done && told.contains("known.jsonl: "), "{told}");
    let (done, told) = knowledge("export", &dir, &[text(&file)]);
    assert!(!done && told.contains("the file is there; --force replaces it"), "{told}");
    let (done, lines) = knowledge("export", &dir, &["-"]);
    assert!(done && lines == fs::read_to_string(&file).unwrap(), "{lines}");
    let report: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let way = report["short_channel_id_dir"].as_str().unwrap().to_owned();
    let known = of(&daemon, &way);
    drop(daemon);

    // The same network, and nothing learned.
    let other = Daemon::start(other_dir.path());
    assert_eq!(of(&other, &way), Value::Null);
    let count = lines.lines().count();
    let noun = if count == 1 { "report" } else { "reports" };
    // What has not come yet by the clock of its network counts as now.
    other.wait_until("its clock is as far", || {
        let (done, told) = knowledge("import", &other_dir, &[text(&file)]);
        let is_whole = told.contains(&format!("Imported {count} {noun}."));
        assert!(is_whole && done || told.contains("seconds ahead"), "{told}");
        of(&other, &way)["reports"] == known["reports"]
    });
    drop(other);

    // It is killed, and has it again.
    let other = Daemon::start(other_dir.path());
    assert_eq!(of(&other, &way)["reports"], known["reports"]);
    unknown_channels(&other, &other_dir, &lines);
}

/// A line in the middle of a file that the daemon refuses, and leaves out where that is wanted.
fn unknown_channels(daemon: &Daemon, dir: &TempDir, lines: &str) {
    let mixed = dir.path().join("mixed.jsonl");
    let unknown = "{\"short_channel_id_dir\":\"1x2x3/0\",\"minimum_msat\":1}\n";
    let fresh = lines.lines().next().expect("it does");
    fs::write(&mixed, format!("\n{fresh}\n{}{fresh}\n", unknown.repeat(1_001))).expect("it does");
    let way =
        serde_json::from_str::<Value>(fresh).expect("it does")["short_channel_id_dir"].clone();
    let reports = || of(daemon, way.as_str().expect("it does"))["reports"].clone();
    let before = reports();
    let (done, told) = knowledge("import", dir, &[text(&mixed)]);
    assert!(!done && told.contains("mixed.jsonl, line 3: `reports[1]`: the graph has"), "{told}");
    let (done, told) = knowledge("import", dir, &[text(&mixed), "--skip-unknown", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"));
    assert!(done);
    assert_eq!(told, json!({"imported": 2, "skipped": 1_001}));
    assert_eq!(reports(), before, "the same again changes nothing");
    fs::write(&mixed, "{}\nno\n").expect("it does");
    let (done, told) = knowledge("import", dir, &[text(&mixed)]);
    assert!(!done && told.contains("mixed.jsonl: line 2: it is no JSON object"), "{told}");
    let (done, told) = knowledge("import", dir, &["/nowhere"]);
    assert!(!done && told.contains("/nowhere"), "{told}");
}
