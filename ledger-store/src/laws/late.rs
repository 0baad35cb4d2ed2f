//! The laws of what a node says when it contradicts itself.

use super::fixture::{
    around, claim, claimed, complete, dispatch, fail, late, opening, overspend, payment, post,
    preimage, prove, reserve, void,
};
use super::ledger::{known, must, refuses, seen, two_parts_under_way, write};
use ecs_systems::port::{ClaimState, HoldState, Ledger, LedgerEntry, LedgerError, PostingState};
use ecs_systems::units::{Msat, PartId, Timestamp};

/// The excess leaves the part's channel as a fee: first out of what the payment has set aside.
pub fn an_overspent_part_costs_what_the_node_took<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    let paying = payment(1, 1);
    refuses(&mut books, overspend(paying, 1, 5));
    must(&mut books, [post(paying, 1, 10), overspend(paying, 1, 25)]);
    assert_eq!(books.available(), Msat(950), "25 of the rest of 30");
    must(&mut books, [post(paying, 2, 10), overspend(paying, 2, 100)]);
    assert_eq!(books.available(), Msat(855), "the last 5 of the rest, and 95 more");
    must(&mut books, [complete(1, 1, 145)]);
    let shown = books.balance_object();
    assert_eq!((shown.outgoing_total_msat, shown.fees_paid_msat), (Msat(1_000), Msat(145)));
    assert_eq!(books.available(), Msat(855));
    let posted =
        books.postings_of(&paying).expect("told").into_iter().filter(|it| it.code == "overspend");
    let facts = posted.map(|it| (it.part_id, it.amount_msat, it.state));
    let wanted = [(1, 25), (2, 100)]
        .map(|(part, msat)| (Some(PartId(part)), Msat(msat), PostingState::Posted));
    assert_eq!(facts.collect::<Vec<_>>(), wanted);
}

/// What is not there is refused with the invariant, and nothing of it is written.
pub fn what_the_node_took_overdraws_no_channel_and_nothing_reserved<L: Ledger>(
    open: impl Fn() -> L,
) {
    for (others, most, more) in [(0, 390, 391), (900, 80, 81)] {
        let mut books = two_parts_under_way(&open);
        let paying = payment(1, 1);
        must(&mut books, [claim(2, 1, 900), post(paying, 1, 10)]);
        if others > 0 {
            must(&mut books, [reserve(payment(2, 1), others, 0)]);
        }
        for excess in [more, u64::MAX] {
            let error = refuses(&mut books, overspend(paying, 1, excess));
            assert!(matches!(error, LedgerError::Invariant { .. }), "{error} is no breach");
        }
        must(&mut books, [overspend(paying, 1, most), void(paying, 2)]);
        let error = refuses(&mut books, late(paying, 2, u64::MAX));
        assert!(matches!(error, LedgerError::Invariant { .. }), "{error} is no breach");
    }
}

/// A late part that went around is an expense where nothing of it came back, like any other: at
/// once where its payment is over, else at its end. Nothing stays between the two halves.
pub fn a_late_part_that_went_around_is_made_even<L: Ledger>(open: impl Fn() -> L) {
    let paying = payment(1, 1);
    let LedgerEntry::LatePart { part_id, fee_msat, .. } = late(paying, 1, 17) else {
        unreachable!("it is one");
    };
    let around = LedgerEntry::LatePart { payment: paying, part_id, fee_msat, circular: true };
    let (others, end) = (post(paying, 2, 10), complete(1, 1, 10));
    for entries in [
        [void(paying, 1), others.clone(), around.clone(), end.clone()],
        [void(paying, 1), others, end, around],
    ] {
        let mut books = two_parts_under_way(&open);
        must(&mut books, entries);
        let shown = books.balance_object();
        assert_eq!((shown.outgoing_total_msat, shown.fees_paid_msat), (Msat(1_000), Msat(27)));
        for (account, balance) in books.trial_balance() {
            if account.ends_with(":control:self") {
                assert_eq!(balance.debits_posted_msat, balance.credits_posted_msat);
            }
        }
    }
}

/// What went around and never came back is an expense for each part that says so, at the end of the
/// payment and after.
pub fn each_part_that_went_around_is_made_even<L: Ledger>(open: impl Fn() -> L) {
    let paying = payment(1, 1);
    for (late_fee, fee) in [(10, 20), (17, 27)] {
        let mut books = two_parts_under_way(&open);
        let part_id = PartId(1);
        let fee_msat = Msat(late_fee);
        let late = LedgerEntry::LatePart { payment: paying, part_id, fee_msat, circular: true };
        let ends = [void(paying, 1), around(paying, 2, 10), complete(1, 1, 10), late];
        must(&mut books, ends);
        let shown = books.balance_object();
        let spent = (shown.outgoing_total_msat, shown.fees_paid_msat);
        assert_eq!(spent, (Msat(1_000), Msat(fee)));
        for (account, balance) in books.trial_balance() {
            if account.ends_with(":control:self") {
                assert_eq!(balance.debits_posted_msat, balance.credits_posted_msat);
            }
        }
    }
}

/// Whether its payment runs, is complete or had failed.
pub fn a_late_part_is_booked_once_for_what_it_cost<L: Ledger>(open: impl Fn() -> L) {
    let paying = payment(1, 1);
    let failed = [void(paying, 2), fail(paying), prove(1, 1)];
    let ended = [post(paying, 2, 10), complete(1, 1, 10)];
    let runs = [post(paying, 2, 10)];
    let cases: [(&[LedgerEntry], u64, u64); 3] =
        [(&failed, 617, 17), (&ended, 1_027, 27), (&runs, 1_027, 27)];
    for (between, spent, fee) in cases {
        let mut books = two_parts_under_way(&open);
        refuses(&mut books, late(paying, 1, 10));
        must(&mut books, [void(paying, 1)]);
        must(&mut books, between.to_vec());
        assert_eq!(books.part(&paying, PartId(1)), Ok(Some(HoldState::Void)));
        must(&mut books, [late(paying, 1, 17)]);
        assert_eq!(books.part(&paying, PartId(1)), Ok(Some(HoldState::Paid)));
        let before = seen(&books);
        must(&mut books, [late(paying, 1, 17)]);
        assert!(seen(&books) == before, "it was booked twice");
        refuses(&mut books, late(paying, 1, 18));
        if between.len() == 1 {
            refuses(&mut books, fail(paying));
            must(&mut books, [complete(1, 1, fee)]);
        }
        let shown = books.balance_object();
        assert_eq!(shown.net_msat, 0_i128.saturating_sub(spent.into()));
        assert_eq!(books.available(), Msat(2_000).saturating_sub(Msat(spent)));
        let (_, state) = known(&books, &paying.payment_hash).expect("it was claimed");
        let fee_msat = Msat(fee);
        assert!(state == ClaimState::Complete { preimage: preimage(1), fee_msat }, "its fee");
    }
}

/// Whichever attempt it was, and whatever became of the others.
pub fn no_hash_is_paid_again_that_turned_out_paid<L: Ledger>(open: impl Fn() -> L) {
    let (first, second) = (payment(1, 1), payment(1, 2));
    for second_runs in [false, true] {
        let mut books = two_parts_under_way(&open);
        refuses(&mut books, prove(1, 1));
        must(&mut books, [void(first, 1), void(first, 2), fail(first)]);
        refuses(&mut books, late(first, 1, 10));
        refuses(&mut books, LedgerEntry::Prove { payment: first, preimage: preimage(2) });
        if second_runs {
            must(&mut books, [claim(1, 2, 1_000), prove(1, 1)]);
            let (held, state) = known(&books, &first.payment_hash).expect("the latest claim");
            assert!(held == claimed(1, 2, 1_000) && state == ClaimState::Open, "it still runs");
            must(&mut books, [fail(second)]);
        } else {
            must(&mut books, [prove(1, 1)]);
        }
        let (held, state) = known(&books, &first.payment_hash).expect("the complete claim");
        assert!(held == claimed(1, 1, 1_000), "the complete one counts");
        assert!(matches!(state, ClaimState::Complete { .. }), "{state:?}");
        for again in [claim(1, 2, 1_000), claim(1, 3, 1_000), claim(1, 3, 999)] {
            let error = refuses(&mut books, again);
            assert!(matches!(error, LedgerError::HashUsed { .. }), "{error}");
        }
    }
}

/// At every place of a payment, for what is taken and what is refused.
pub fn a_check_says_what_a_commit_would_and_writes_nothing<L: Ledger>(open: impl Fn() -> L) {
    let mut books = open();
    let paying = payment(1, 1);
    let entries = [
        opening(1, 2_000),
        claim(1, 1, 1_000),
        void(paying, 1),
        reserve(paying, 1_000, 50),
        dispatch(paying, &[(1, 1, 600, 10), (2, 1, 400, 10)]),
        complete(1, 1, 3),
        post(paying, 2, 3),
        overspend(paying, 2, 9_000),
        void(paying, 1),
        late(paying, 1, 10),
        fail(paying),
        complete(1, 1, 13),
    ];
    for entry in entries {
        let before = seen(&books);
        let checked = books.check(std::slice::from_ref(&entry), None, Timestamp(1_000));
        assert!(seen(&books) == before, "checking {} changed the books", entry.system());
        let name = entry.system();
        let written = write(&mut books, entry);
        assert!(checked == written, "{name}: {checked:?} and {written:?}");
    }
}
