//! Orders on a simulated network. We are `alice`: by bob and carol to dave, and back.

use ecs_core::{ErrorObject, Json};
use ecs_systems::{
    port::Ledger,
    units::{Msat, ShortChannelId},
};
use ledger_store::Account;
use node_sim::{Script, Settings, SimBuilder, SimNetwork, policy};
use payecs_rebalance::Rebalance;
use payflow_default::testing::flow::{Bench, Flow};

/// The size of every channel: 1 000 000 sat.
const SIZE: Msat = Msat(1_000_000_000);
const HALF: Msat = Msat(500_000_000);
/// What bob and dave take for a part.
const FEE: Msat = Msat(1_000);

/// A ring of four, of whose channels our one with bob is as full as it says.
fn ring(ours_with_bob: Msat, bobs_with_carol: Msat) -> SimNetwork {
    let fee = || policy(FEE.0, 0);
    ["alice", "bob", "carol", "dave"]
        .iter()
        .fold(SimBuilder::new(1).settings(Settings::default()).us("alice"), |net, name| {
            net.node(name)
        })
        .channel("alice", "bob", SIZE, ours_with_bob, policy(0, 0), fee())
        .channel("bob", "carol", SIZE, bobs_with_carol, fee(), policy(0, 0))
        .channel("carol", "dave", SIZE, HALF, policy(0, 0), fee())
        .channel("dave", "alice", SIZE, HALF, fee(), policy(0, 0))
        .build()
        .expect("a network")
}

fn bench(network: &SimNetwork) -> Bench {
    Bench::new(network, &Flow::of(Rebalance, [], []))
}

/// Our channel with bob, which is the first.
fn with_bob(bench: &Bench) -> ShortChannelId {
    bench.network.our_balance()[0].0
}

fn ours(bench: &Bench) -> Vec<Msat> {
    bench.network.our_balance().into_iter().map(|(_, balance)| balance).collect()
}

fn rebalance(bench: &mut Bench, more: &str) -> Result<Json, ErrorObject> {
    let channel = with_bob(bench);
    bench.call("rebalance", &format!(r#"{{"short_channel_id":"{channel}"{more}}}"#))
}

fn text(answer: &Json, field: &str) -> String {
    answer.fields().unwrap_or_default()[field].text().to_owned()
}

fn posted(bench: &Bench, account: Account) -> i128 {
    let sums = bench.books.lock().balance(&account.of("sim"));
    i128::from(sums.debits_posted_msat.0) - i128::from(sums.credits_posted_msat.0)
}

#[test]
fn a_channel_is_brought_to_half_from_both_sides_for_the_fee_alone() {
    for (before, way) in [(Msat(900_000_000), "out"), (Msat(100_000_000), "in")] {
        let mut bench = bench(&ring(before, HALF));
        let answer = rebalance(&mut bench, "").expect(way);
        assert_eq!(text(&answer, "status"), "\"moved\"");
        assert_eq!(text(&answer, "direction"), format!("\"{way}\""));
        let now = ours(&bench)[0];
        let off = now.0.abs_diff(HALF.0);
        assert!(off <= SIZE.0 / 100, "{way}: {now}");
        assert_eq!(bench.money_is_whole(), Ok(()));
        let fee: i128 = text(&answer, "fee_msat").parse().unwrap();
        assert!(fee > 0);
        assert_eq!(posted(&bench, Account::RebalanceFee), fee);
        for account in [Account::Payment, Account::RoutingFee, Account::IncomeInvoice] {
            assert_eq!(posted(&bench, account), 0, "{account}");
        }
        let again = rebalance(&mut bench, "").expect("again");
        assert_eq!(text(&again, "status"), "\"level\"");
        assert_eq!(posted(&bench, Account::RebalanceFee), fee, "nothing was paid");
    }
}

#[test]
fn the_target_is_a_share_or_an_amount() {
    for target in ["20%", "200000sat"] {
        let mut bench = bench(&ring(HALF, HALF));
        let answer = rebalance(&mut bench, &format!(r#","target":"{target}""#)).expect(target);
        let wanted: u64 = text(&answer, "target_msat").parse().unwrap();
        assert!(ours(&bench)[0].0.abs_diff(wanted) <= SIZE.0 / 100, "{target}: {answer:?}");
    }
}

#[test]
fn where_the_network_lets_through_less_half_as_much_is_tried() {
    // 400 000 sat are wanted, and bob can send carol 150 000.
    let mut bench = bench(&ring(Msat(900_000_000), Msat(150_000_000)));
    let answer = rebalance(&mut bench, "").expect("a quarter");
    assert_eq!(text(&answer, "tries"), "3");
    let moved: u64 = text(&answer, "amount_msat").parse().unwrap();
    assert!((80_000_000..=100_000_000).contains(&moved), "{moved}");
    assert_eq!(bench.money_is_whole(), Ok(()));
}

#[test]
fn a_fee_that_is_too_high_is_not_paid() {
    for limit in [r#","maxfee":"1999msat""#, r#","maxfeepercent":0.0001"#] {
        let mut bench = bench(&ring(Msat(900_000_000), HALF));
        let before = ours(&bench);
        let error = rebalance(&mut bench, limit).expect_err(limit);
        assert_eq!(error.code, 206, "{error:?}");
        assert_eq!(error.facts()["tries"], Json::of(&4));
        assert_eq!(ours(&bench), before, "nothing moved");
        assert_eq!(posted(&bench, Account::RebalanceFee), 0);
    }
}

#[test]
fn what_no_order_can_be_is_refused_and_nothing_is_made() {
    let mut bench = bench(&ring(Msat(900_000_000), HALF));
    for (params, code, words) in [
        (r#"{"short_channel_id":"1x1x9"}"#.to_owned(), -32602, "no channel of ours"),
        (r#"{"short_channel_id":"x"}"#.to_owned(), -32602, "short_channel_id"),
        (format!(r#"["{}","101%"]"#, with_bob(&bench)), -32602, "target"),
        (format!(r#"["{}","1.5btc"]"#, with_bob(&bench)), -32602, "target"),
        (format!(r#"["{}","50%",0]"#, with_bob(&bench)), -32602, "maxfee"),
        (format!(r#"["{}","50%",1,101]"#, with_bob(&bench)), -32602, "maxfeepercent"),
        (format!(r#"["{}","50%",1,1,0]"#, with_bob(&bench)), -32602, "retry_for"),
    ] {
        let error = bench.call("rebalance", &params).expect_err(&params);
        assert_eq!(error.code, code, "{params}: {error:?}");
        assert!(error.message.contains(words), "{params}: {error:?}");
    }
    assert!(bench.driver.engine().entities().is_empty());
    let none = bench.call("listpaycodes", "[]").unwrap();
    assert_eq!(text(&none, "paycodes"), "[]");
}

#[test]
fn a_node_with_one_channel_has_nothing_to_move() {
    let network = SimBuilder::new(1)
        .us("alice")
        .node("alice")
        .node("bob")
        .channel("alice", "bob", SIZE, SIZE, policy(0, 0), policy(0, 0))
        .build()
        .expect("a network");
    let error = rebalance(&mut bench(&network), "").unwrap_err();
    assert_eq!(error.code, 215, "{error:?}");
}

#[test]
fn one_order_at_a_time_for_a_channel_and_a_cancelled_one_tries_no_more() {
    // What bob keeps he can't send on.
    let mut bench = bench(&ring(Msat(900_000_000), Msat(150_000_000)));
    let until = bench.now.after_ms(600_000);
    let node = bench.network.id("bob").expect("bob");
    bench.network.script(Script::KeepNext { node, until }, bench.now).expect("a script");
    let channel = with_bob(&bench);
    let first = bench.begin_call("rebalance", &format!(r#"["{channel}"]"#));
    bench.run_for(1_000);
    let second = rebalance(&mut bench, "").expect_err("the first is under way");
    assert_eq!(second.code, 200, "{second:?}");
    let order = second.facts()["entity"].clone();
    let trying = bench.driver.engine().component(order.decode().unwrap(), "rebalance:trying");
    let payment = text(&trying.expect("it has begun"), "payment");
    bench.call("cancelpay", &format!(r#"{{"entity":{payment}}}"#)).unwrap();
    let error = bench.finish_call(&first).expect_err("it was cancelled");
    assert_eq!((error.code, &error.facts()["tries"]), (210, &Json::of(&1)), "{error:?}");
    bench.run_for(600_000);
    assert_eq!(bench.money_is_whole(), Ok(()));
}

#[test]
fn halves_are_those_of_what_was_wanted_and_stay_within_the_channels() {
    // Where the other channel can take in only 100 000 sat, no more is aimed at.
    let network = SimBuilder::new(1)
        .us("alice")
        .node("alice")
        .node("bob")
        .channel("alice", "bob", SIZE, SIZE, policy(0, 0), policy(0, 0))
        .channel("alice", "bob", SIZE, Msat(900_000_000), policy(0, 0), policy(0, 0))
        .build()
        .expect("a network");
    let mut bench = bench(&network);
    let answer = rebalance(&mut bench, r#","target":"0%""#).expect("through the same peer");
    assert_eq!(text(&answer, "amount_msat"), "100000000");
    assert_eq!(text(&answer, "fee_msat"), "0");
    assert_eq!(bench.money_is_whole(), Ok(()));
}

#[test]
fn an_order_that_is_over_stays_until_the_next_one_begins() {
    let mut bench = bench(&ring(Msat(900_000_000), HALF));
    let first = rebalance(&mut bench, "").expect("it moves");
    let moved = |bench: &Bench, answer: &Json| {
        let order = text(answer, "entity").parse().unwrap();
        bench.driver.engine().component(order, "rebalance:moved")
    };
    assert!(moved(&bench, &first).is_some());
    let second = rebalance(&mut bench, r#","target":"20%""#).expect("it moves again");
    assert_eq!(moved(&bench, &first), None);
    assert!(moved(&bench, &second).is_some());
}
