//! Claims and lines.

use super::*;
use crate::fixture::{AMOUNT, PREIMAGE, claim, made_up};
use payecs_units::{GroupId, Seconds};

fn payment() -> PaymentRef {
    claim().claim.payment
}

fn entries() -> Vec<(&'static str, LedgerEntry)> {
    let (part_id, amount_msat) = (PartId(1), AMOUNT);
    let (payment, fee_msat) = (payment(), Msat(10));
    let short_channel_id = ShortChannelId(10);
    let hold = PartHold { part_id, short_channel_id, amount_msat, fee_msat };
    let limit = SpendLimit {
        name: "daily".to_owned(),
        label: Some("rent".to_owned()),
        window: Seconds(86_400),
        max_msat: Msat(9),
    };
    let (label, limits) = (Some("rent".to_owned()), vec![limit]);
    let reserve =
        LedgerEntry::Reserve { payment, amount_msat, fee_budget_msat: fee_msat, label, limits };
    let (successful_parts, failed_parts) = (1, 2);
    let preimage = PREIMAGE;
    let complete = LedgerEntry::Complete {
        payment,
        preimage,
        fee_msat,
        successful_parts,
        failed_parts,
        amount_msat: Some(amount_msat),
    };
    let set = SetRef { payment_hash: PREIMAGE.hash(), set: EntityId::FIRST };
    let htlc = HtlcId { short_channel_id, id: 3 };
    let htlcs = vec![SetShare { htlc, amount_msat, own_msat: Msat(1) }];
    let payer = Some(payment);
    let paid = |label: Option<&str>| {
        let label = label.map(ToOwned::to_owned);
        Some(PaidReceipt { amount_msat, circular: label.is_none(), label })
    };
    let answer = ErrorObject::new(210, "time is up").with_data(&[0.5]);
    let accepted = vec![PREIMAGE.hash()];
    let forgotten = Some(Decision { who: "ann".to_owned(), why: "a new node".to_owned() });
    vec![
        ("ledger:reserve", LedgerEntry::HoldSet { set, htlcs: htlcs.clone() }),
        ("ledger:reserve", LedgerEntry::SettleSet { set, htlcs, payer }),
        ("ledger:post", LedgerEntry::ClaimSet { set, lost: vec![htlc], paid: None }),
        ("ledger:post", LedgerEntry::ClaimSet { set, lost: Vec::new(), paid: paid(None) }),
        ("ledger:void", LedgerEntry::VoidSet { set }),
        ("ledger:post", LedgerEntry::Opening { short_channel_id, amount_msat }),
        ("ledger:reconcile", LedgerEntry::Adjust { short_channel_id, amount_msat, more: true }),
        ("ledger:reconcile", LedgerEntry::Backup),
        ("ledger:reconcile", LedgerEntry::Reconciled { accepted, forgotten: None }),
        ("ledger:reconcile", LedgerEntry::Reconciled { accepted: Vec::new(), forgotten }),
        ("ledger:claim", LedgerEntry::Claim(claim().claim)),
        ("ledger:reserve", reserve),
        ("ledger:reserve", LedgerEntry::Dispatch { payment, parts: vec![hold] }),
        ("ledger:post", LedgerEntry::PostPart { payment, part_id, fee_msat, circular: true }),
        ("ledger:void", LedgerEntry::VoidPart { payment, part_id }),
        ("ledger:post", LedgerEntry::Overspend { payment, part_id, amount_msat, circular: true }),
        ("ledger:post", LedgerEntry::LatePart { payment, part_id, fee_msat, circular: true }),
        ("ledger:claim", LedgerEntry::Prove { payment, preimage: PREIMAGE }),
        ("ledger:post", LedgerEntry::SelfPay { payment, amount_msat, paid: None }),
        ("ledger:post", LedgerEntry::SelfPay { payment, amount_msat, paid: paid(Some("tea")) }),
        ("ledger:void", complete),
        ("ledger:void", LedgerEntry::Fail { payment, answer: None }),
        ("ledger:void", LedgerEntry::Fail { payment, answer: Some(answer.clone()) }),
        ("ledger:void", LedgerEntry::FailDraft { hash: None, answer: None }),
        (
            "ledger:void",
            LedgerEntry::FailDraft { hash: Some(payment.payment_hash), answer: Some(answer) },
        ),
    ]
}

#[test]
fn every_line_is_traced_by_its_kind_and_read_back() {
    for (system, entry) in entries() {
        assert_eq!(entry.system(), system);
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<LedgerEntry>(&text).unwrap(), entry, "{system}");
    }
}

#[test]
fn the_same_intent_is_hash_destination_and_amount_whoever_has_it() {
    let one = claim().claim;
    let group = PaymentRef { group_id: GroupId(1), ..payment() };
    let hash = PaymentRef { payment_hash: PaymentHash([1; 32]), ..payment() };
    for (other, same) in [
        (one.clone(), true),
        (Claim { entity: one.entity.next(), ..one.clone() }, true),
        (Claim { payment: group, ..one.clone() }, true),
        (Claim { payment: hash, ..one.clone() }, false),
        (Claim { destination: made_up(0x44), ..one.clone() }, false),
        (Claim { amount_msat: Msat(AMOUNT.0 + 1), ..one.clone() }, false),
    ] {
        assert_eq!((one.same_intent(&other), other.same_intent(&one)), (same, same));
    }
}

#[test]
fn no_line_shows_its_preimage() {
    for (system, entry) in entries() {
        let shown = entry.shown();
        assert!(!shown.text().contains(&PREIMAGE.reveal()), "{system}: {shown}");
    }
}
