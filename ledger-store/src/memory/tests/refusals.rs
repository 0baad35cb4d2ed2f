//! Each kind of entry: what accepts it, what refuses it; a refusal writes nothing.

use crate::laws::fixture::{
    channel, claim, claimed, complete, dispatch, entity, fail, opening, payment, post, preimage,
    reserve, void,
};
use crate::{ENTRIES_PER_BATCH_MAX, MemoryLedger, PARTS_PER_DISPATCH_MAX};
use ecs_systems::port::{Claim, Ledger, LedgerEntry, LedgerError, PaidReceipt, PaymentRef};
use ecs_systems::units::{Msat, NodeId, Timestamp};

/// Payment 1 of 900 msat: part 1 of 500 msat is open, part 2 of 200 is paid, part 3 failed.
/// Payments 2 (reserved), 3 (claimed), 4 (complete) and 5 (failed) beside it.
fn busy() -> MemoryLedger {
    let mut books = MemoryLedger::new("sim");
    let paying = payment(1, 1);
    for batch in [
        vec![opening(1, 2_000), opening(2, 1_000)],
        vec![claim(1, 1, 900), reserve(paying, 900, 20)],
        vec![dispatch(paying, &[(1, 1, 500, 5), (2, 1, 200, 5), (3, 2, 100, 0)])],
        vec![post(paying, 2, 2), void(paying, 3)],
        vec![claim(2, 1, 100), reserve(payment(2, 1), 100, 0)],
        vec![claim(3, 1, 2_000)],
        vec![claim(4, 1, 10), complete(4, 1, 0)],
        vec![claim(5, 1, 10), fail(payment(5, 1))],
    ] {
        books.commit(&batch, None, Timestamp(0)).unwrap();
    }
    books
}

/// Each entry on its own against [`busy`]: the end of its refusal, or `None` where it is accepted.
fn table(rows: Vec<(LedgerEntry, Option<&str>)>) {
    for (place, (entry, words)) in rows.into_iter().enumerate() {
        let mut books = busy();
        let before = format!("{books:?}");
        let name = entry.system();
        match (books.commit(&[entry], None, Timestamp(0)), words) {
            (Ok(()), None) => {}
            (Err(error), Some(words)) => {
                let error = error.to_string();
                assert!(error.ends_with(words), "row {place}: `{error}` is not `{words}`");
                assert_eq!(format!("{books:?}"), before, "row {place}: {name} wrote");
            }
            (result, words) => panic!("row {place}: {name}: {result:?}, expected {words:?}"),
        }
        books.verify().unwrap();
    }
}

#[test]
fn a_channel_opens_once_and_within_64_bits() {
    table(vec![
        (opening(3, 1), None),
        (opening(3, u64::MAX - 3_000), None),
        (opening(3, u64::MAX - 2_999), Some("equity:opening: a counter left 0 to 2^64-1 msat")),
        (opening(3, u64::MAX), Some("2^64-1 msat")),
        (opening(1, 2_000), None),
        (opening(1, 2_001), Some("channel 1x0x0: exists_with_different_amount_msat")),
    ]);
}

#[test]
fn a_claim_is_a_compare_and_set() {
    let elsewhere = Claim { destination: NodeId([3; 33]), ..claimed(1, 2, 900) };
    let by_another = Claim { entity: entity(9), ..claimed(1, 1, 900) };
    let used = "this hash is already used: 900msat to \
        020202020202020202020202020202020202020202020202020202020202020202";
    let elsewhere_after = Claim { destination: NodeId([3; 33]), ..claimed(4, 2, 10) };
    table(vec![
        (claim(6, 1, 1), None),
        (claim(1, 1, 900), None),
        (claim(1, 2, 900), Some("entity 2 is already paying this hash")),
        (LedgerEntry::Claim(by_another), Some("entity 2 is already paying this hash")),
        (claim(1, 2, 901), Some(used)),
        (LedgerEntry::Claim(elsewhere), Some(used)),
        (claim(4, 1, 10), Some(&used.replace("900", "10"))),
        (claim(4, 2, 10), Some(&used.replace("900", "10"))),
        (LedgerEntry::Claim(elsewhere_after), Some(&used.replace("900", "10"))),
        (claim(5, 1, 10), Some("of group 1 has failed already: use a new group")),
        (claim(5, 2, 10), None),
        (claim(5, 2, 11), None),
    ]);
}

#[test]
fn a_reservation_is_within_claim_and_funds() {
    let three = payment(3, 1);
    let available = busy().available().0;
    assert_eq!(available, 2_000 + 1_000 - 202 - 505 - 213 - 100);
    let too_much = format!("{}msat needed, {available}msat available", available + 1);
    table(vec![
        (reserve(three, available, 0), None),
        (reserve(three, 1, available - 1), None),
        (reserve(three, 1, available), Some(&too_much)),
        (reserve(three, available + 1, 0), Some(&too_much)),
        (reserve(three, 2_001, 0), Some("2001msat reserved of 2000msat claimed")),
        (reserve(three, 0, 10), Some("0msat reserved of 2000msat claimed")),
        (reserve(three, 1, u64::MAX), Some("a sum is above 2^64-1 msat")),
        (reserve(payment(2, 1), 100, 0), None),
        (reserve(payment(2, 1), 100, 1), Some("exists_with_different_fee_budget_msat")),
        (reserve(payment(2, 1), 99, 0), Some("exists_with_different_amount_msat")),
        (reserve(payment(4, 1), 1, 0), Some("of group 1 is complete already")),
        (reserve(payment(5, 1), 1, 0), Some("of group 1 has failed already")),
        (reserve(payment(5, 2), 1, 0), Some("of group 2 is unknown")),
    ]);
}

#[test]
fn a_dispatch_is_within_the_rest_and_its_channels() {
    let one = payment(1, 1);
    let many: Vec<_> = (10..).take(PARTS_PER_DISPATCH_MAX + 1).map(|id| (id, 1, 1, 0)).collect();
    let too_many = format!("{} parts, {PARTS_PER_DISPATCH_MAX} allowed", many.len());
    table(vec![
        (dispatch(one, &[(4, 1, 213, 0)]), None),
        (dispatch(one, &[(4, 1, 200, 13)]), None),
        (dispatch(one, &[(4, 1, 213, 1)]), Some("parts of 214msat exceed the rest of 213msat")),
        (dispatch(one, &[(4, 1, 200, 0), (5, 2, 14, 0)]), Some("exceed the rest of 213msat")),
        (dispatch(one, &[]), Some("a dispatch without parts")),
        (dispatch(one, &[(4, 1, 0, 1)]), Some("is worth nothing")),
        (dispatch(one, &[(0, 1, 1, 0)]), Some("parts are numbered from 1")),
        (dispatch(one, &[(4, 1, u64::MAX, 1)]), Some("a sum is above 2^64-1 msat")),
        (dispatch(one, &[(4, 1, u64::MAX, 0), (5, 2, 1, 0)]), Some("above 2^64-1 msat")),
        (dispatch(one, &[(4, 1, 1, 0), (4, 2, 1, 0)]), Some("group 1 was dispatched before")),
        (dispatch(one, &[(4, 1, 1, 0), (3, 2, 100, 0)]), Some("was dispatched before")),
        (dispatch(one, &[(2, 1, 200, 5)]), Some("group 1 was dispatched before")),
        (dispatch(one, &[(1, 1, 500, 5)]), Some("exists_with_different_parts")),
        (dispatch(one, &[(1, 1, 500, 5), (2, 1, 200, 5), (3, 2, 100, 0)]), None),
        (dispatch(one, &many), Some(&too_many)),
        (dispatch(one, &[(4, 7, 1, 0)]), Some("1msat needed, 0msat available")),
        (dispatch(payment(3, 1), &[(1, 1, 1, 0)]), Some("exceed the rest of 0msat")),
        (dispatch(payment(4, 1), &[(1, 1, 1, 0)]), Some("is complete already")),
    ]);
}

#[test]
fn a_part_ends_once() {
    let one = payment(1, 1);
    let circular = |fee: u64| LedgerEntry::PostPart {
        payment: one,
        part_id: ecs_systems::units::PartId(1),
        fee_msat: Msat(fee),
        circular: true,
    };
    table(vec![
        (post(one, 1, 0), None),
        (post(one, 1, 5), None),
        (post(one, 1, 6), Some("group 1: fee of 6msat, 5msat held")),
        (circular(5), None),
        (circular(6), Some("group 1: fee of 6msat, 5msat held")),
        (void(one, 1), None),
        (post(one, 2, 2), None),
        (post(one, 2, 3), Some("exists_with_different_fee_msat")),
        (void(one, 2), Some("exists_with_different_entry")),
        (post(one, 3, 0), Some("exists_with_different_entry")),
        (void(one, 3), None),
        (post(one, 4, 0), Some("of group 1 is not under way")),
        (void(one, 4), Some("of group 1 is not under way")),
        (void(payment(5, 1), 1), Some("has failed already")),
    ]);
}

#[test]
fn a_payment_ends_once_and_with_nothing_open() {
    let one = payment(1, 1);
    let wrong = LedgerEntry::Complete {
        payment: payment(2, 1),
        preimage: preimage(9),
        fee_msat: Msat(0),
        successful_parts: 0,
        failed_parts: 0,
        amount_msat: None,
    };
    table(vec![
        (complete(1, 1, 2), Some("group 1: 1 parts are open")),
        (fail(one), Some("group 1: 1 parts are paid")),
        (complete(2, 1, 0), None),
        (fail(payment(2, 1)), None),
        (wrong, Some("group 1: the preimage is of another hash")),
        (complete(3, 1, 0), None),
        (complete(4, 1, 0), None),
        (complete(4, 1, 1), Some("exists_with_different_fee_msat")),
        (fail(payment(4, 1)), Some("exists_with_different_entry")),
        (fail(payment(5, 1)), None),
        (complete(5, 1, 0), Some("exists_with_different_entry")),
        (fail(payment(6, 1)), Some("of group 1 is unknown")),
    ]);
}

#[test]
fn a_self_payment_is_within_its_claim_and_cannot_fail() {
    let pays = |payment: PaymentRef, msat| LedgerEntry::SelfPay {
        payment,
        amount_msat: Msat(msat),
        paid: None,
    };
    let three = payment(3, 1);
    let told = |msat| LedgerEntry::SelfPay {
        payment: three,
        amount_msat: Msat(7),
        paid: Some(PaidReceipt { amount_msat: Msat(msat), circular: false, label: None }),
    };
    table(vec![
        (told(7), None),
        (told(8), Some("posted 7msat")),
        (pays(three, 2_000), None),
        (pays(three, 2_001), Some("2001msat self-paid of 2000msat claimed")),
        (pays(three, 0), Some("0msat self-paid of 2000msat claimed")),
        (pays(payment(4, 1), 1), Some("is complete already")),
        (pays(payment(9, 1), 1), Some("is unknown")),
    ]);
    let mut books = busy();
    books.commit(&[pays(three, 5)], None, Timestamp(0)).unwrap();
    books.commit(&[pays(three, 5)], None, Timestamp(0)).unwrap();
    for (entry, words) in [
        (pays(three, 6), "exists_with_different_amount_msat"),
        (fail(three), "5msat was paid to ourselves"),
    ] {
        let error = books.commit(&[entry], None, Timestamp(0)).unwrap_err();
        assert!(error.to_string().ends_with(words), "{error}");
    }
}

#[test]
fn an_entity_writes_for_its_own_payments() {
    for (writer, entry, accepted) in [
        (Some(entity(1)), void(payment(1, 1), 1), true),
        (None, void(payment(1, 1), 1), true),
        (Some(entity(2)), void(payment(1, 1), 1), false),
        (Some(entity(2)), claim(6, 1, 1), false),
        (Some(entity(6)), claim(6, 1, 1), true),
        (Some(entity(2)), opening(3, 1), true),
    ] {
        let result = busy().commit(&[entry], writer, Timestamp(0));
        assert_eq!(result.is_ok(), accepted, "{result:?}");
    }
}

#[test]
fn two_payments_that_want_one_channel_get_what_it_has() {
    let mut books = MemoryLedger::new("sim");
    let (one, two) = (payment(1, 1), payment(2, 1));
    let batch = [
        opening(1, 1_000),
        opening(2, 1_000),
        claim(1, 1, 700),
        reserve(one, 700, 0),
        claim(2, 1, 700),
        reserve(two, 700, 0),
        dispatch(one, &[(1, 1, 700, 0)]),
    ];
    books.commit(&batch, None, Timestamp(0)).unwrap();
    let late = dispatch(two, &[(1, 1, 200, 0), (2, 1, 200, 1), (3, 2, 299, 0)]);
    let error = books.commit(&[late], None, Timestamp(0)).unwrap_err();
    let short =
        LedgerError::InsufficientFunds { requested_msat: Msat(401), available_msat: Msat(300) };
    assert_eq!(error, short, "the channel's figures");
    books.commit(&[dispatch(two, &[(1, 2, 700, 0)])], None, Timestamp(0)).unwrap();
}

#[test]
fn a_batch_has_a_greatest_length() {
    let claims = vec![claim(1, 1, 1); ENTRIES_PER_BATCH_MAX + 1];
    let mut books = MemoryLedger::new("sim");
    let error = books.commit(&claims, None, Timestamp(0)).unwrap_err();
    assert_eq!(error.to_string(), "ledger invariant: 10001 entries, 10000 allowed");
    books.commit(&claims[1..], None, Timestamp(0)).unwrap();
}

#[test]
fn all_of_64_bits_is_paid_to_the_last_msat() {
    let mut books = MemoryLedger::new("sim");
    let all = u64::MAX;
    let paying = payment(1, 1);
    let batch = [
        opening(1, all - 10),
        opening(2, 10),
        claim(1, 1, all),
        reserve(paying, all - 20, 20),
        dispatch(paying, &[(1, 1, all - 30, 20), (2, 2, 10, 0)]),
        post(paying, 1, 20),
        post(paying, 2, 0),
        complete(1, 1, 20),
    ];
    books.commit(&batch, None, Timestamp(0)).unwrap();
    books.verify().unwrap();
    assert_eq!(books.available(), Msat(0));
    let channel = books.balance(&crate::Account::Channel(channel(1)).of(books.node_name()));
    assert_eq!(channel.credits_posted_msat, Msat(all - 10));
    let shown = books.balance_object();
    assert_eq!(shown.net_msat, -i128::from(all));
}
