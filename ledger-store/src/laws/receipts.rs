//! The laws of [`Receipts`].

use super::fixture::preimage;
use crate::receipts::NewReceipt;
use ecs_systems::port::{ReceiptState, Receipts, Verdict, VirtualHtlc};
use ecs_systems::units::{Msat, PaymentSecret, Timestamp};

const NOW: Timestamp = Timestamp(1_000);
const LATE: Timestamp = Timestamp(2_000);
const SECRET: PaymentSecret = PaymentSecret([3; 32]);

fn receipt(number: u8, amount_msat: Option<u64>) -> NewReceipt {
    NewReceipt {
        preimage: preimage(number),
        payment_secret: Some(SECRET),
        amount_msat: amount_msat.map(Msat),
        expires_at: LATE,
    }
}

fn htlc(number: u8, msat: u64) -> VirtualHtlc {
    VirtualHtlc {
        payment_hash: preimage(number).hash(),
        amount_msat: Msat(msat),
        total_msat: Msat(msat),
        payment_secret: Some(SECRET),
    }
}

fn takes<R: Receipts>(receipts: &R, htlc: &VirtualHtlc, now: Timestamp) -> bool {
    matches!(receipts.judge(htlc, now), Verdict::Settle(_))
}

/// HTLCs that receipt 1 of 100 msat refuses before it expires.
fn refused() -> [VirtualHtlc; 6] {
    let good = htlc(1, 100);
    let wrong = PaymentSecret([4; 32]);
    [
        htlc(1, 99),
        htlc(1, 201),
        VirtualHtlc { payment_secret: None, ..good.clone() },
        VirtualHtlc { payment_secret: Some(wrong), ..good.clone() },
        VirtualHtlc { amount_msat: Msat(0), ..good.clone() },
        VirtualHtlc { amount_msat: Msat(99), ..good },
    ]
}

/// The same settlement again is no error, another one is; no HTLC is taken any more.
pub fn a_receipt_is_settled_at_most_once<R: Receipts>(open: impl Fn(&[NewReceipt]) -> R) {
    let mut receipts = open(&[receipt(1, Some(100))]);
    let hash = preimage(1).hash();
    receipts.settle(&hash, Msat(100), NOW).expect("the first time");
    receipts.settle(&hash, Msat(100), LATE).expect("the same again");
    assert!(receipts.settle(&hash, Msat(101), NOW).is_err(), "another amount");
    assert!(!takes(&receipts, &htlc(1, 100), NOW), "it is paid");
    assert_eq!(receipts.find(&hash).map(|it| it.state), Some(ReceiptState::Paid));
}

/// Judging changes nothing, whatever else is judged or settled between.
pub fn an_htlc_gets_the_same_verdict_until_the_receipt_is_settled<R: Receipts>(
    open: impl Fn(&[NewReceipt]) -> R,
) {
    let mut receipts = open(&[receipt(1, Some(100)), receipt(2, None)]);
    let good = htlc(1, 100);
    let first = receipts.judge(&good, NOW);
    let before = receipts.find(&good.payment_hash);
    for bad in refused() {
        assert!(!takes(&receipts, &bad, NOW), "{} of {}", bad.amount_msat, bad.total_msat);
    }
    receipts.settle(&preimage(2).hash(), Msat(5), NOW).expect("another receipt");
    assert!(receipts.judge(&good, NOW) == first, "another verdict");
    assert!(first == Verdict::Settle(preimage(1)), "a good HTLC is taken");
    assert!(receipts.find(&good.payment_hash) == before, "judging changed the receipt");
}

/// After each refusal.
pub fn a_refusal_leaves_the_receipt_payable<R: Receipts>(open: impl Fn(&[NewReceipt]) -> R) {
    let receipts = open(&[receipt(1, Some(100))]);
    for bad in refused() {
        assert!(!takes(&receipts, &bad, NOW), "{} of {}", bad.amount_msat, bad.total_msat);
        assert!(takes(&receipts, &htlc(1, 100), NOW), "it is payable");
        let state = receipts.find(&bad.payment_hash).map(|it| it.state);
        assert_eq!(state, Some(ReceiptState::Unpaid));
    }
    assert!(!takes(&receipts, &htlc(1, 100), LATE), "it expires");
}

/// Neither a refusal nor a receipt that is looked up tells it.
pub fn no_preimage_leaves_without_a_settle_verdict<R: Receipts>(open: impl Fn(&[NewReceipt]) -> R) {
    let receipts = open(&[receipt(1, Some(100))]);
    let secrets = [preimage(1).reveal(), SECRET.reveal()];
    for bad in refused() {
        let Verdict::Refuse(words) = receipts.judge(&bad, NOW) else { panic!("it is taken") };
        assert!(!secrets.iter().any(|it| words.contains(it)), "a refusal tells a secret");
    }
    let found = receipts.find(&preimage(1).hash()).expect("it is there");
    let shown = format!("{} {}", found.payment_hash, found.expires_at);
    assert!(!secrets.iter().any(|it| shown.contains(it)), "a receipt tells a secret");
}

/// Both ends included; any amount where none is asked for; no upper end where it overflows.
pub fn amounts_between_once_and_twice_are_taken<R: Receipts>(open: impl Fn(&[NewReceipt]) -> R) {
    let half = u64::MAX / 2;
    for (asked, msat, taken) in [
        (Some(100), 99, false),
        (Some(100), 100, true),
        (Some(100), 200, true),
        (Some(100), 201, false),
        (Some(half), half - 1, false),
        (Some(half), u64::MAX - 1, true),
        (Some(half), u64::MAX, false),
        (Some(half + 1), u64::MAX, true),
        (None, 0, false),
        (None, 1, true),
        (None, u64::MAX, true),
    ] {
        let receipts = open(&[receipt(1, asked)]);
        assert_eq!(takes(&receipts, &htlc(1, msat), NOW), taken, "{msat} of {asked:?}");
    }
}

/// It is neither found, nor judged, nor settled.
pub fn what_is_unknown_is_refused<R: Receipts>(open: impl Fn(&[NewReceipt]) -> R) {
    let mut receipts = open(&[receipt(1, Some(100))]);
    let hash = preimage(2).hash();
    assert!(receipts.find(&hash).is_none(), "nothing has this hash");
    assert!(!takes(&receipts, &htlc(2, 100), NOW), "nothing has this hash");
    assert!(receipts.settle(&hash, Msat(100), NOW).is_err(), "nothing has this hash");
}
