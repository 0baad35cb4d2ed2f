//! Whole payments, posting by posting.

use crate::MemoryLedger;
use crate::laws::fixture::{
    around, channel, claim, claim_set, claimed, complete, dispatch, entity, fail, opening, payment,
    post, preimage, reserve, set, settle_set, shares, void,
};
use crate::payment::Payment;
use ecs_systems::port::{
    Balance, BalanceObject, Ledger, LedgerEntry, PaymentRef, Posting, PostingState,
};
use ecs_systems::units::{Msat, PartId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Writes the batches, one after the other.
fn books(batches: &[&[LedgerEntry]]) -> MemoryLedger {
    let mut books = MemoryLedger::new("sim");
    for (at, batch) in (1_u64..).zip(batches) {
        books.commit(batch, Some(entity(1)), Timestamp(at)).unwrap();
        books.verify().unwrap();
    }
    books
}

/// A posting as `tx state code debit<-credit amount #part =resolved`, the last by its place.
fn lines(books: &MemoryLedger) -> Vec<String> {
    let postings = books.postings(0, u32::MAX);
    let places: BTreeMap<_, _> =
        postings.iter().enumerate().map(|(place, it)| (it.entry_id.clone(), place)).collect();
    let line = |it: &Posting| {
        let state = match it.state {
            PostingState::Pending => "pending",
            PostingState::Posted => "posted",
            PostingState::Voided => "voided",
        };
        let (debit, credit) = (&it.debit_account[4..], &it.credit_account[4..]);
        assert!(it.debit_account.starts_with("sim:") && it.credit_account.starts_with("sim:"));
        let mut line = format!("{} {state} {} {debit}<-{credit} ", it.tx_id, it.code);
        line += &it.amount_msat.0.to_string();
        if let Some(part) = it.part_id {
            line = format!("{line} p{part}");
        }
        if let Some(id) = &it.pending_id {
            line = format!("{line} ={}", places[id]);
        }
        line
    };
    postings.iter().map(line).collect()
}

/// Three parts, of which the second fails and is sent again as a fourth.
fn three_parts_one_retried() -> MemoryLedger {
    let paying = payment(1, 7);
    books(&[
        &[opening(1, 100_000), opening(2, 60_000)],
        &[claim(1, 7, 100_000), reserve(paying, 100_000, 1_000)],
        &[dispatch(paying, &[(1, 1, 50_000, 100), (2, 1, 30_000, 60), (3, 2, 20_000, 0)])],
        &[post(paying, 1, 90)],
        &[void(paying, 2)],
        &[dispatch(paying, &[(4, 2, 30_000, 45)])],
        &[post(paying, 3, 0)],
        &[post(paying, 4, 45)],
        &[complete(1, 7, 135)],
    ])
}

#[test]
fn each_step_of_a_payment_has_exactly_its_postings() {
    assert_eq!(
        lines(&three_parts_one_retried()),
        [
            "1 posted opening assets:channel:1x0x0<-equity:opening 100000",
            "1 posted opening assets:channel:2x0x0<-equity:opening 60000",
            "2 pending reserve control:reserved<-control:spendable 101000",
            "3 voided void control:reserved<-control:spendable 101000 =2",
            "3 pending part expenses:payment<-assets:channel:1x0x0 50000 p1",
            "3 pending fee expenses:fee:routing<-assets:channel:1x0x0 100 p1",
            "3 pending part expenses:payment<-assets:channel:1x0x0 30000 p2",
            "3 pending fee expenses:fee:routing<-assets:channel:1x0x0 60 p2",
            "3 pending part expenses:payment<-assets:channel:2x0x0 20000 p3",
            "3 pending reserve control:reserved<-control:spendable 840",
            "4 posted part expenses:payment<-assets:channel:1x0x0 50000 p1 =4",
            "4 posted fee expenses:fee:routing<-assets:channel:1x0x0 90 p1 =5",
            "4 voided void control:reserved<-control:spendable 840 =9",
            "4 pending reserve control:reserved<-control:spendable 850",
            "5 voided void expenses:payment<-assets:channel:1x0x0 30000 p2 =6",
            "5 voided void expenses:fee:routing<-assets:channel:1x0x0 60 p2 =7",
            "5 voided void control:reserved<-control:spendable 850 =13",
            "5 pending reserve control:reserved<-control:spendable 30910",
            "6 voided void control:reserved<-control:spendable 30910 =17",
            "6 pending part expenses:payment<-assets:channel:2x0x0 30000 p4",
            "6 pending fee expenses:fee:routing<-assets:channel:2x0x0 45 p4",
            "6 pending reserve control:reserved<-control:spendable 865",
            "7 posted part expenses:payment<-assets:channel:2x0x0 20000 p3 =8",
            "8 posted part expenses:payment<-assets:channel:2x0x0 30000 p4 =19",
            "8 posted fee expenses:fee:routing<-assets:channel:2x0x0 45 p4 =20",
            "9 voided void control:reserved<-control:spendable 865 =21",
        ]
    );
}

#[test]
fn a_payment_leaves_its_amounts_in_the_right_accounts() {
    let books = three_parts_one_retried();
    let expected = [
        ("sim:assets:channel:1x0x0", 100_000, 50_090),
        ("sim:assets:channel:2x0x0", 60_000, 50_045),
        ("sim:control:reserved", 0, 0),
        ("sim:control:spendable", 0, 0),
        ("sim:equity:opening", 0, 160_000),
        ("sim:expenses:fee:routing", 135, 0),
        ("sim:expenses:payment", 100_000, 0),
    ];
    let rows = expected.map(|(account, debits, credits)| {
        let (debits_posted_msat, credits_posted_msat) = (Msat(debits), Msat(credits));
        let none = Balance::default();
        (account.to_owned(), Balance { debits_posted_msat, credits_posted_msat, ..none })
    });
    assert_eq!(books.trial_balance(), rows);
    assert_eq!(books.available(), Msat(160_000 - 100_135));
    let postings = books.postings_of(&payment(1, 7)).unwrap();
    assert_eq!(postings.len(), 24);
    for posting in &postings {
        assert_eq!(posting.entity, Some(entity(1)));
        assert_eq!(posting.recorded_at, Timestamp(posting.tx_id));
        assert_eq!(posting.payment, Some(payment(1, 7)));
    }
    assert_eq!(postings[2].part_id, Some(PartId(1)));
}

#[test]
fn fee_remainders_return_to_the_rest_to_the_msat() {
    for (held, spent, rest) in [(0, 0, 50), (10, 10, 40), (10, 3, 47), (10, 0, 50), (50, 1, 49)] {
        let paying = payment(1, 1);
        let books = books(&[
            &[opening(1, 2_000), claim(1, 1, 1_000), reserve(paying, 1_000, 50)],
            &[dispatch(paying, &[(1, 1, 900, held)]), post(paying, 1, spent)],
        ]);
        let reserved = books.balance("sim:control:reserved").debits_pending_msat;
        assert_eq!(reserved, Msat(100 + rest), "{spent} of {held}");
        assert_eq!(books.available(), Msat(2_000 - 900 - spent - 100 - rest));
        let shown = books.balance_object();
        assert_eq!(shown.pending_outgoing_msat, Msat(100), "{spent} of {held}");
        assert_eq!(shown.reserved_fees_msat, Msat(rest), "{spent} of {held}");
    }
}

#[test]
fn a_circular_payment_costs_its_fee_alone() {
    let paying = payment(1, 1);
    let back = settle_set(1, &[(2, 1_000, 1_000)], Some(paying));
    let books = books(&[
        &[opening(1, 2_000), claim(1, 1, 1_000), reserve(paying, 1_000, 10)],
        &[dispatch(paying, &[(1, 1, 600, 10), (2, 1, 400, 0)])],
        &[back, around(paying, 1, 8), around(paying, 2, 0)],
        &[claim_set(1), complete(1, 1, 8)],
    ]);
    assert_eq!(
        lines(&books)[6..],
        [
            "1 pending rebalance_in assets:channel:2x0x0<-control:self 1000",
            "3 voided void expenses:payment<-assets:channel:1x0x0 600 p1 =3",
            "3 voided void expenses:fee:routing<-assets:channel:1x0x0 10 p1 =4",
            "1 posted rebalance control:self<-assets:channel:1x0x0 600 p1",
            "1 posted rebalance_fee expenses:fee:rebalance<-assets:channel:1x0x0 8 p1",
            "3 pending reserve control:reserved<-control:spendable 2",
            "3 voided void expenses:payment<-assets:channel:1x0x0 400 p2 =5",
            "1 posted rebalance control:self<-assets:channel:1x0x0 400 p2",
            "1 posted rebalance_in assets:channel:2x0x0<-control:self 1000 =6",
            "4 voided void control:reserved<-control:spendable 2 =11",
        ]
    );
    let shown = books.balance_object();
    assert_eq!((shown.outgoing_total_msat, shown.fees_paid_msat), (Msat(0), Msat(8)));
    assert_eq!(shown.net_msat, -8);
}

#[test]
fn what_others_pay_us_is_held_settled_and_posted() {
    let htlcs: &[(u16, u64, u64)] = &[(1, 300, 0), (2, 200, 0)];
    let held = LedgerEntry::HoldSet { set: set(1), htlcs: shares(htlcs) };
    let lost = vec![shares(htlcs)[1].htlc];
    let claimed = LedgerEntry::ClaimSet { set: set(1), lost, paid: None };
    let books = books(&[&[held], &[settle_set(1, htlcs, None)], &[claimed]]);
    assert_eq!(
        lines(&books),
        [
            "1 pending held assets:held:in<-liabilities:held 300",
            "1 pending held assets:held:in<-liabilities:held 200",
            "2 voided void assets:held:in<-liabilities:held 300 =0",
            "2 voided void assets:held:in<-liabilities:held 200 =1",
            "2 pending receive assets:channel:1x0x0<-income:invoice 300",
            "2 pending receive assets:channel:2x0x0<-income:invoice 200",
            "3 posted receive assets:channel:1x0x0<-income:invoice 300 =4",
            "3 voided void assets:channel:2x0x0<-income:invoice 200 =5",
        ]
    );
    assert_eq!(books.balance_object().incoming_total_msat, Msat(300));
}

#[test]
fn a_self_payment_moves_no_asset() {
    let amount_msat = Msat(900);
    let paying = payment(1, 1);
    let books = books(&[
        &[opening(1, 1_000), claim(1, 1, 900)],
        &[LedgerEntry::SelfPay { payment: paying, amount_msat, paid: None }, complete(1, 1, 0)],
    ]);
    assert_eq!(
        lines(&books)[1..],
        [
            "2 posted self_pay expenses:payment<-control:self 900",
            "2 posted self_income control:self<-income:invoice 900",
        ]
    );
    assert_eq!(books.available(), Msat(1_000));
    let both_sides = BalanceObject {
        incoming_total_msat: amount_msat,
        outgoing_total_msat: amount_msat,
        spendable_msat: Msat(1_000),
        ..BalanceObject::default()
    };
    assert_eq!(books.balance_object(), both_sides);
}

#[test]
fn the_balance_object_shows_amounts_and_fee_budgets_under_way_apart() {
    let paying = payment(1, 1);
    let before = [opening(1, 5_000), claim(1, 1, 1_000), reserve(paying, 1_000, 50)];
    let sent = [dispatch(paying, &[(1, 1, 600, 20), (2, 1, 300, 10)]), post(paying, 1, 15)];
    let ended = [void(paying, 2), complete(1, 1, 15)];
    let object = |out, fees, pending, budget, spendable| BalanceObject {
        incoming_total_msat: Msat(0),
        outgoing_total_msat: Msat(out),
        fees_paid_msat: Msat(fees),
        net_msat: -i128::from(out) - i128::from(fees),
        pending_incoming_msat: Msat(0),
        pending_outgoing_msat: Msat(pending),
        reserved_fees_msat: Msat(budget),
        spendable_msat: Msat(spendable),
        available_msat: -i128::from(out) - i128::from(fees) - i128::from(pending),
    };
    assert_eq!(books(&[&before]).balance_object(), object(0, 0, 1_000, 50, 3_950));
    assert_eq!(books(&[&before, &sent]).balance_object(), object(600, 15, 400, 35, 3_950));
    assert_eq!(books(&[&before, &sent, &ended]).balance_object(), object(600, 15, 0, 0, 4_385));
}

#[test]
fn each_batch_has_a_number_also_one_that_posts_nothing() {
    let mut books = books(&[&[opening(1, 10)], &[claim(1, 1, 5)], &[fail(payment(1, 1))]]);
    assert_eq!(books.claim(&preimage(1).hash()).unwrap().unwrap().0, claimed(1, 1, 5));
    books.commit(&[], None, Timestamp(0)).unwrap();
    let empty = LedgerEntry::Opening { short_channel_id: channel(3), amount_msat: Msat(0) };
    assert_eq!(books.commit(&[empty], None, Timestamp(0)), Ok(()));
    books.commit(&[opening(2, 10)], None, Timestamp(0)).unwrap();
    assert_eq!(lines(&books)[1], "6 posted opening assets:channel:2x0x0<-equity:opening 10");
}

#[test]
fn the_books_print_no_preimage() {
    let books = three_parts_one_retried();
    let shown = format!("{books:?}");
    assert!(!shown.contains(&preimage(1).reveal()), "{shown}");
    assert!(!shown.contains(&format!("{:?}", preimage(1).0)), "{shown}");
}

#[test]
fn verify_finds_payments_that_do_not_hold_what_their_postings_say() {
    type Damage = fn(&mut MemoryLedger, PaymentRef);
    fn change(books: &mut MemoryLedger, paying: PaymentRef, change: fn(&mut Payment)) {
        let dossier = books.state.open.get_mut(&paying.payment_hash).unwrap();
        change(Arc::make_mut(dossier).payments.get_mut(&paying.group_id).unwrap());
    }
    let of_payment = "has not set aside what is pending of it";
    let damages: [(Damage, &str); 4] = [
        (|books, paying| change(books, paying, |it| it.rest = None), of_payment),
        (|books, paying| change(books, paying, |it| it.parts.clear()), of_payment),
        (|books, paying| change(books, paying, |it| it.reservation = None), of_payment),
        (
            |books, paying| books.state.forget_under_way(&paying),
            "what payments have set aside is not what is known as under way",
        ),
    ];
    let paying = payment(1, 1);
    let before = [opening(1, 5_000), claim(1, 1, 1_000), reserve(paying, 1_000, 50)];
    for (damage, words) in damages {
        let mut books = books(&[&before, &[dispatch(paying, &[(1, 1, 600, 20)])]]);
        damage(&mut books, paying);
        let error = books.verify().unwrap_err().to_string();
        assert!(error.ends_with(words), "{error}");
    }
}
