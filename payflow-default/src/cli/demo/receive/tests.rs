use super::*;
use clap::Parser;
use serde_json::Value;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn told(words: &[&str]) -> (bool, String) {
    let line = Line::try_parse_from(std::iter::once(&"receive").chain(words)).expect("options");
    let mut out = Vec::new();
    let told = if line.args.json {
        Told::lines(Box::new(&mut out))
    } else {
        Told::text(Box::new(&mut out))
    };
    let good = tell(&line.args, told).expect("a demo");
    (good, String::from_utf8(out).expect("it is text"))
}

#[test]
fn every_act_comes_as_it_should_and_the_same_seed_tells_the_same() {
    let (good, lines) = told(&["--json", "--seed", "2"]);
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let summary = lines.last().expect("a summary");
    assert!(good, "{summary}");
    assert_eq!(summary["acts"], serde_json::json!([true, true, true, true]));
    let named = |name: &str| lines.iter().find(|line| line["event"] == name).expect(name);
    assert_eq!(named("paid")["parts"].as_array().map(Vec::len), Some(3));
    assert_eq!(named("invoice_paid")["pay_index"], 1);
    assert_eq!(named("settlepaycode")["status"], "paid");
    assert_eq!(named("cancelpaycode")["status"], "cancelled");
    assert_eq!(named("rebalanced")["status"], "moved");
    assert_eq!(told(&["--json", "--seed", "2"]).1.lines().count(), lines.len());
}

#[test]
fn people_are_told_in_words_and_what_has_no_way_is_no_success() {
    let (good, text) = told(&["--seed", "2"]);
    assert!(good && text.contains("Act 4.") && text.contains("control:self"), "{text}");
    let (good, text) = told(&["--seed", "2", "--amount", "1000btc"]);
    assert!(!good && text.contains("smaller --amount"), "{text}");
}
