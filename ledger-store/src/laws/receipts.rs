//! The laws of [`Receipts`].

use super::fixture::preimage;
use crate::receipts::NewReceipt;
use ecs_systems::port::{
    Offered, Over, OverKind, OverpayRule, ReceiptOrder, ReceiptState, Receipts, Terms, Verdict,
};
use ecs_systems::units::{Msat, PaymentHash, PaymentSecret, Timestamp};

const NOW: Timestamp = Timestamp(1_000);
const LATE: Timestamp = Timestamp(2_000);
const SECRET: PaymentSecret = PaymentSecret([3; 32]);

fn receipt(number: u8, amount_msat: Option<u64>) -> NewReceipt {
    NewReceipt {
        preimage: preimage(number),
        payment_secret: Some(SECRET),
        amount_msat: amount_msat.map(Msat),
        expires_at: LATE,
        terms: Terms::default(),
    }
}

fn htlc(number: u8, msat: u64) -> Offered {
    Offered {
        payment_hash: preimage(number).hash(),
        amount_msat: Msat(msat),
        total_msat: Msat(msat),
        payment_secret: Some(SECRET),
    }
}

fn takes<R: Receipts>(receipts: &R, htlc: &Offered, now: Timestamp) -> bool {
    matches!(receipts.judge(htlc, now), Verdict::Settle(_))
}

/// HTLCs that receipt 1 of 100 msat refuses before it expires.
fn refused() -> [Offered; 6] {
    let good = htlc(1, 100);
    let wrong = PaymentSecret([4; 32]);
    [
        htlc(1, 99),
        htlc(1, 201),
        Offered { payment_secret: None, ..good.clone() },
        Offered { payment_secret: Some(wrong), ..good.clone() },
        Offered { amount_msat: Msat(0), ..good.clone() },
        Offered { amount_msat: Msat(99), ..good },
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

/// Once its preimage leaves, no other set is; where it did not leave after all, one is again.
pub fn a_preimage_is_released_for_one_set_at_a_time<R: Receipts>(
    open: impl Fn(&[NewReceipt]) -> R,
) {
    let mut receipts = open(&[receipt(1, Some(100))]);
    let hash = preimage(1).hash();
    assert!(receipts.restore(&hash).is_err(), "nothing was released");
    for _ in 0..2 {
        assert!(takes(&receipts, &htlc(1, 100), NOW), "it is payable");
        receipts.release(&hash).expect("it is payable");
        assert!(receipts.release(&hash).is_err(), "twice");
        assert!(!takes(&receipts, &htlc(1, 100), NOW), "its preimage leaves");
        assert_eq!(receipts.find(&hash).map(|it| it.state), Some(ReceiptState::Settling));
        receipts.restore(&hash).expect("it did not leave");
    }
    receipts.release(&hash).expect("it is payable");
    receipts.settle(&hash, Msat(100), NOW).expect("what was released is paid");
    assert!(receipts.release(&hash).is_err() && receipts.restore(&hash).is_err(), "it is paid");
    assert!(receipts.release(&preimage(2).hash()).is_err(), "nothing has this hash");
}

/// The secret that was made, and no other; none where none was made.
pub fn only_the_secret_of_a_receipt_is_its_secret<R: Receipts>(open: impl Fn(&[NewReceipt]) -> R) {
    let bare = NewReceipt { payment_secret: None, ..receipt(2, None) };
    let receipts = open(&[receipt(1, Some(100)), bare]);
    let other = PaymentSecret([4; 32]);
    for (number, shown, expected) in [
        (1, Some(&SECRET), true),
        (1, Some(&other), false),
        (1, None, false),
        (2, None, true),
        (2, Some(&SECRET), false),
        (3, None, false),
        (3, Some(&SECRET), false),
    ] {
        let hash = preimage(number).hash();
        assert_eq!(receipts.shows_secret(&hash, shown), expected, "receipt {number}");
    }
}

/// As they were made, for every rule of overpaying.
pub fn terms_are_kept_and_judged_by<R: Receipts>(open: impl Fn(&[NewReceipt]) -> R) {
    for (overpay, most) in
        [(OverpayRule::Bolt, 200), (OverpayRule::Exact, 100), (OverpayRule::Any, u64::MAX)]
    {
        let terms = Terms { overpay, hold: true, ..Terms::default() };
        let receipts = open(&[NewReceipt { terms, ..receipt(1, Some(100)) }]);
        let found = receipts.find(&preimage(1).hash()).expect("it is there");
        assert_eq!((found.overpay, found.hold, found.cltv), (overpay, true, terms.cltv));
        for (msat, taken) in [(99, false), (100, true), (most, true)] {
            assert_eq!(takes(&receipts, &htlc(1, msat), NOW), taken, "{overpay:?}: {msat}");
        }
        let above = most.checked_add(1).is_some_and(|msat| takes(&receipts, &htlc(1, msat), NOW));
        assert!(!above, "{overpay:?}: above {most}");
    }
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

/// Each has its number, and each change of any of them another one, in order.
pub fn receipts_and_their_changes_are_counted<R: Receipts>(open: impl Fn(&[NewReceipt]) -> R) {
    let mut receipts = open(&[receipt(1, Some(100)), receipt(2, None)]);
    let hashes = [1, 2].map(|number| preimage(number).hash());
    let places = |receipts: &R| {
        let facts = hashes.map(|hash| receipts.facts(&hash).expect("it is there"));
        facts.map(|facts| (facts.created_index, facts.updated_index))
    };
    assert_eq!((places(&receipts), receipts.unpaid()), ([(1, 1), (2, 2)], 2));
    receipts.release(&hashes[0]).expect("it is payable");
    assert_eq!((places(&receipts), receipts.unpaid()), ([(1, 3), (2, 2)], 1));
    receipts.restore(&hashes[0]).expect("it did not leave");
    receipts.settle(&hashes[1], Msat(7), NOW).expect("it is payable");
    assert_eq!((places(&receipts), receipts.unpaid()), ([(1, 4), (2, 5)], 1));
    receipts.settle(&hashes[1], Msat(7), LATE).expect("the same again");
    assert_eq!(places(&receipts)[1], (2, 5), "nothing has changed");
    let created = receipts.in_order(ReceiptOrder::Created, 0, 9);
    assert_eq!(created, [(1, hashes[0]), (2, hashes[1])]);
    assert_eq!(receipts.in_order(ReceiptOrder::Updated, 0, 1), [(4, hashes[0])]);
    assert_eq!(receipts.in_order(ReceiptOrder::Updated, 5, 9), [(5, hashes[1])]);
    let proofs = hashes.map(|hash| receipts.proof(&hash));
    assert!(proofs == [None, Some(preimage(2))], "a preimage is told once it is paid for");
    let paid = receipts.facts(&hashes[1]).and_then(|facts| facts.paid);
    assert_eq!(paid, Some((Msat(7), NOW)));
    assert!(receipts.facts(&preimage(3).hash()).is_none(), "nothing has this hash");
}

/// It is told as expiring until it is noted, which is a change, and again where its preimage did
/// not leave after all.
pub fn a_receipt_expires_once_and_what_began_before_is_taken<R: Receipts>(
    open: impl Fn(&[NewReceipt]) -> R,
) {
    let mut receipts = open(&[1, 2, 3].map(|number| receipt(number, None)));
    let hashes = [1, 2, 3].map(|number| preimage(number).hash());
    let expiring = |receipts: &R| {
        let all = receipts.expiring(9).into_iter();
        all.map(|(_, hash)| hash).collect::<Vec<PaymentHash>>()
    };
    let expires_at = receipts.find(&hashes[0]).map(|receipt| receipt.expires_at);
    assert_eq!(receipts.expiring(1), [(expires_at.expect("it is there"), hashes[0])]);
    let changes = receipts.changes();
    receipts.expire(&hashes[0]).expect("it is unpaid");
    assert!(receipts.changes() > changes, "to expire is a change");
    assert_eq!(expiring(&receipts), hashes[1..]);
    assert_eq!(receipts.unpaid(), 3, "it is unpaid all the same");
    assert!(receipts.expire(&hashes[0]).is_err() && receipts.expire(&preimage(4).hash()).is_err());
    receipts.release(&hashes[0]).expect("a set began before");
    assert!(receipts.expire(&hashes[0]).is_err(), "its preimage leaves");
    receipts.restore(&hashes[0]).expect("it did not leave");
    assert_eq!(expiring(&receipts), hashes, "it expires again");
    for hash in &hashes {
        receipts.expire(hash).expect("it is unpaid");
    }
    receipts.settle(&hashes[0], Msat(7), LATE).expect("a set began before");
    receipts.withdraw(&hashes[1], LATE).expect("it is unpaid");
    receipts.delete(&hashes[2], false).expect("it is unpaid");
    assert_eq!((expiring(&receipts), receipts.unpaid()), (vec![], 0));
}

/// What waits, was paid or was cancelled; nothing that is being paid. It is counted as a change.
pub fn a_receipt_is_deleted_unless_it_is_being_paid<R: Receipts>(
    open: impl Fn(&[NewReceipt]) -> R,
) {
    let mut receipts = open(&[receipt(1, None), receipt(2, None), receipt(3, None)]);
    let hashes = [1, 2, 3].map(|number| preimage(number).hash());
    receipts.release(&hashes[0]).expect("it is payable");
    receipts.settle(&hashes[1], Msat(7), NOW).expect("it is payable");
    receipts.withdraw(&hashes[2], NOW).expect("it is unpaid");
    let changes = receipts.changes();
    assert!(receipts.delete(&hashes[0], false).is_err(), "its preimage leaves");
    assert_eq!(receipts.changes(), changes, "nothing has changed");
    receipts.restore(&hashes[0]).expect("it did not leave");
    for hash in &hashes {
        let changes = receipts.changes();
        receipts.delete(hash, false).expect("it is not being paid");
        assert!(receipts.changes() > changes, "a deletion is a change");
        assert!(receipts.find(hash).is_none() && receipts.delete(hash, false).is_err(), "gone");
    }
    assert_eq!((receipts.unpaid(), receipts.in_order(ReceiptOrder::Updated, 0, 9)), (0, vec![]));
    assert!(!takes(&receipts, &htlc(1, 100), NOW), "it is gone");
}

/// What was paid or cancelled or has expired, from any of them on; nothing that is being paid.
pub fn what_is_over_is_told_oldest_first_and_counted_once_it_is_cleaned<R: Receipts>(
    open: impl Fn(&[NewReceipt]) -> R,
) {
    let mut receipts = open(&[1, 2, 3, 4].map(|number| receipt(number, None)));
    let [paid, cancelled, expired, leaving] = [1, 2, 3, 4].map(|it| preimage(it).hash());
    let paid_at = Timestamp(NOW.0 + 1);
    receipts.settle(&paid, Msat(7), paid_at).expect("it is payable");
    receipts.withdraw(&cancelled, NOW).expect("it is unpaid");
    receipts.release(&leaving).expect("it is payable");
    let all = [
        Over {
            at: NOW,
            created_index: 2,
            payment_hash: cancelled,
            kind: OverKind::ExpiredPaycodes,
        },
        Over { at: paid_at, created_index: 1, payment_hash: paid, kind: OverKind::PaidPaycodes },
        Over { at: LATE, created_index: 3, payment_hash: expired, kind: OverKind::ExpiredPaycodes },
    ];
    assert_eq!(receipts.over(None, LATE, 9), all);
    assert_eq!(receipts.over(None, Timestamp(LATE.0 - 1), 9), all[..2], "the third is unpaid");
    assert_eq!(receipts.over(None, LATE, 2), all[..2]);
    for over in &all {
        let place = Some((over.at, over.created_index));
        let behind: Vec<Over> = all.iter().copied().skip_while(|it| it <= over).collect();
        assert_eq!(receipts.over(place, LATE, 9), behind);
        assert_eq!(receipts.over(place, Timestamp(0), 9), [], "nothing was over so early");
    }
    assert!(receipts.clean(&leaving).is_err(), "its preimage leaves");
    for Over { payment_hash, .. } in all {
        receipts.clean(&payment_hash).expect("it is over");
        assert!(receipts.find(&payment_hash).is_none(), "gone");
        assert!(receipts.clean(&payment_hash).is_err(), "once");
    }
    assert_eq!(receipts.over(None, LATE, 9), []);
    let counts = receipts.counts(false);
    let counted = (counts.deleted, counts.cleaned_paid, counts.cleaned_expired);
    assert_eq!(counted, (3, 1, 2));
    assert_eq!(receipts.counts(true).cleaned_paid, 0, "it had no invoice");
}
