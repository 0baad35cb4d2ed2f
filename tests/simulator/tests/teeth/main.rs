//! The auditor is not blind: for each law, a broken piece of the engine or of its surroundings that
//! the auditor notices.

mod books;
mod node;
mod paycodes;
mod shelf;
mod stopped;
mod systems;

use ecs_systems::{
    port::{Node, NodeEvent, NodeRequest, PartStatus},
    units::{Blocks, GroupId, Msat},
};
use ledger_store::store::Kept;
use node::Bent;
use node_sim::{Fact, TruthRecord};
use payecs_journal::MemoryDisk;
use payflow_default::testing::simulator::{Around, Config, Law, Simulation};
use serde_json::Value;
use shelf::{Bend, Broken, Slip, WHOLE};
use std::sync::Arc;

/// A broken piece is noticed within so many seeds.
const SEEDS: u64 = 40;

/// Whether the auditor says that this law was broken, within some seeds.
fn finds(law: Law, config: impl Fn(u64) -> Config) {
    let breaks =
        |seed| Simulation::new(config(seed)).run().is_err_and(|finding| finding.breaks(law));
    assert!((1..=SEEDS).any(breaks), "{law:?} is blind");
}

/// The same with a broken piece around the engine.
fn notices(law: Law, around: impl Around + 'static) {
    let around: Arc<dyn Around> = Arc::new(around);
    finds(law, |seed| Config { around: Arc::clone(&around), ..Config::of(seed) });
}

/// A node whose requests and events are changed on their way.
struct Between(fn(NodeRequest) -> Vec<NodeRequest>, fn(NodeEvent) -> Option<NodeEvent>);

impl Around for Between {
    fn node(&self, node: Box<dyn Node>) -> Box<dyn Node> {
        Box::new(Bent { node, asks: self.0, tells: self.1 })
    }
}

fn asks_as_it_is(request: NodeRequest) -> Vec<NodeRequest> {
    vec![request]
}

#[test]
fn a_network_log_without_a_payment_leaves_money_unaccounted_for() {
    struct Forgets;
    impl Around for Forgets {
        fn fact(&self, fact: TruthRecord) -> Option<TruthRecord> {
            (!matches!(fact.fact, Fact::PartPaid { .. })).then_some(fact)
        }
    }
    notices(Law::MoneyIsWhole, Forgets);
}

#[test]
fn a_node_that_sends_each_part_twice_pays_twice() {
    let twice = |request: NodeRequest| {
        let mut requests = vec![request.clone()];
        if let NodeRequest::SendPart(mut again) = request {
            again.key.group_id = GroupId(again.key.group_id.0 ^ 1);
            requests.push(NodeRequest::SendPart(again));
        }
        requests
    };
    notices(Law::PaidOnce, Between(twice, Some));
}

#[test]
fn a_node_that_gives_more_to_the_first_hop_breaks_the_fee_budget() {
    let dearer = |mut request: NodeRequest| {
        if let NodeRequest::SendPart(part) = &mut request
            && part.route.hops.len() > 1
            && let Some(first) = part.route.hops.first_mut()
        {
            first.amount_msat = Msat(first.amount_msat.0 + 3_000_000);
        }
        vec![request]
    };
    notices(Law::FeeWithinBudget, Between(dearer, Some));
}

#[test]
fn a_node_that_never_says_what_became_of_a_part_keeps_payments_from_ending() {
    let silent = |event: NodeEvent| (!matches!(event, NodeEvent::Part { .. })).then_some(event);
    notices(Law::EndsInTime, Between(asks_as_it_is, silent));
}

#[test]
fn a_node_that_says_it_took_more_makes_books_of_payments_wrong() {
    let dearer = |mut event: NodeEvent| {
        if let NodeEvent::Part { status: PartStatus::Paid { spent_msat, .. }, .. } = &mut event {
            *spent_msat = Msat(spent_msat.0 + 1);
        }
        Some(event)
    };
    notices(Law::BooksOfPayments, Between(asks_as_it_is, dearer));
}

#[test]
fn a_part_that_is_locked_for_too_long_is_seen() {
    let longer = |mut request: NodeRequest| {
        if let NodeRequest::SendPart(part) = &mut request {
            for hop in &mut part.route.hops {
                hop.cltv_blocks = Blocks(hop.cltv_blocks.0 + 2_016);
            }
        }
        vec![request]
    };
    notices(Law::OutgoingMargin, Between(longer, Some));
}

#[test]
fn an_htlc_without_a_word_of_ours_is_seen_when_it_expires() {
    let silent = |request: NodeRequest| {
        let is_word =
            matches!(request, NodeRequest::SettleHtlc { .. } | NodeRequest::FailHtlc { .. });
        if is_word { Vec::new() } else { vec![request] }
    };
    notices(Law::IncomingMargin, Between(silent, Some));
}

#[test]
fn a_node_that_panics_is_told() {
    let panics = |event: NodeEvent| {
        if matches!(event, NodeEvent::Part { .. }) {
            std::panic::resume_unwind(Box::new("the node is broken"));
        }
        Some(event)
    };
    notices(Law::KeepsRunning, Between(asks_as_it_is, panics));
}

#[test]
fn books_that_post_a_wrong_fee_disagree_with_the_channels() {
    notices(Law::BooksOfChannels, books::WrongFee);
}

#[test]
fn receipts_that_forget_that_they_were_paid_are_settled_again() {
    notices(Law::SettledOnce, Broken(Bend { slip: Some(Slip::Again), ..WHOLE }));
}

/// A journal that says that everything is durable as soon as it is written.
struct TooEarly;

impl Around for TooEarly {
    fn kept(&self, kept: Kept) -> Kept {
        Kept { synced: kept.written, ..kept }
    }
}

#[test]
fn a_journal_that_is_not_waited_for_lets_parts_leave_before_their_record() {
    notices(Law::RecordedFirst, TooEarly);
}

/// A store that loses its last records.
struct Loses;

impl Around for Loses {
    fn dies(&self, disk: &MemoryDisk) {
        for name in disk.files().into_iter().filter(|name| name.starts_with("state/")) {
            let bytes = disk.bytes(&name).unwrap_or_default();
            disk.put(&name, &bytes[..bytes.len() - bytes.len() / 4]);
        }
    }
}

#[test]
fn a_store_that_loses_its_last_records_forgets_what_was_told() {
    notices(Law::Durable, Loses);
}

#[test]
fn damage_that_is_taken_for_whole_is_found() {
    struct Overlooks;
    impl Around for Overlooks {
        fn overlooks_damage(&self) -> bool {
            true
        }
    }
    notices(Law::DamageIsNamed, Overlooks);
}

/// An answer in which a field is another one.
struct Says(&'static str, fn(&mut Value));

impl Around for Says {
    fn answer(&self, method: &str, answer: String) -> String {
        let Some(mut value) = serde_json::from_str(&answer).ok().filter(|_| method == self.0)
        else {
            return answer;
        };
        (self.1)(&mut value);
        value.to_string()
    }
}

#[test]
fn a_list_that_has_another_end_than_was_told_is_noticed() {
    let failed = |answer: &mut Value| {
        for payment in answer.get_mut("pays").and_then(Value::as_array_mut).into_iter().flatten() {
            payment["status"] = Value::from("failed");
        }
    };
    notices(Law::TheEndIsFinal, Says("listpays", failed));
}

#[test]
fn a_caller_who_is_told_another_fee_is_told_no_truth() {
    let dearer = |answer: &mut Value| {
        for name in ["fee_msat", "amount_sent_msat"] {
            if let Some(msat) = answer.get(name).and_then(Value::as_u64) {
                answer[name] = Value::from(msat + 1);
            }
        }
    };
    notices(Law::ToldTheTruth, Says("pay", dearer));
}
