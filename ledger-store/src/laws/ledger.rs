//! The laws of [`Ledger`].

use super::fixture::{
    around, claim, claim_set, claimed, complete, dispatch, fail, late, opening, overspend, payment,
    post, reserve, set, settle_set, shares, void,
};
use super::model::{self, sums_are_balanced};
use ecs_systems::port::{
    Balance, Claim, ClaimState, Ledger, LedgerEntry, LedgerError, PaidReceipt, Posting,
    PostingState, SpendLimit,
};
use ecs_systems::units::{Msat, PaymentHash, Seconds, Timestamp};
use std::collections::BTreeMap;

pub use super::keys::{
    an_idempotency_key_belongs_to_one_payment_for_ever,
    an_idempotency_key_belongs_to_one_request_and_its_end_is_kept,
};
pub use super::late::{
    a_check_says_what_a_commit_would_and_writes_nothing,
    a_late_part_is_booked_once_for_what_it_cost, a_late_part_that_went_around_is_made_even,
    an_overspent_part_costs_what_the_node_took, each_part_that_went_around_is_made_even,
    no_hash_is_paid_again_that_turned_out_paid,
    what_the_node_took_overdraws_no_channel_and_nothing_reserved,
};

/// How many random sequences [`any_entries_follow_the_model`] tries, and how long each is.
const SEEDS: u64 = 24;
const ENTRIES_PER_SEED: u64 = 150;

/// Everything that the port shows of the books.
pub(super) fn seen<L: Ledger>(books: &L) -> (Vec<Posting>, Vec<(String, Balance)>, Msat) {
    (books.postings(0, u32::MAX), books.trial_balance(), books.available())
}

/// The claim that counts on a hash.
pub(super) fn known<L: Ledger>(books: &L, hash: &PaymentHash) -> Option<(Claim, ClaimState)> {
    books.claim(hash).expect("the past is told")
}

pub(super) fn write<L: Ledger>(books: &mut L, entry: LedgerEntry) -> Result<(), LedgerError> {
    books.commit(&[entry], None, Timestamp(1_000))
}

/// Writes all of it, each in a batch of its own.
pub(super) fn must<L: Ledger>(books: &mut L, entries: impl IntoIterator<Item = LedgerEntry>) {
    for entry in entries {
        let name = entry.system();
        write(books, entry).unwrap_or_else(|error| panic!("{name} is refused: {error}"));
        sums_are_balanced(books);
    }
}

pub(super) fn refuses<L: Ledger>(books: &mut L, entry: LedgerEntry) -> LedgerError {
    let before = seen(books);
    let name = entry.system();
    let error = write(books, entry).err();
    assert!(seen(books) == before, "{name} was refused and changed the books");
    error.unwrap_or_else(|| panic!("{name} is not refused"))
}

/// A payment of 1 000 msat in two open parts with fees of 10 msat, over channels of 1 000 msat.
pub(super) fn two_parts_under_way<L: Ledger>(open: impl Fn() -> L) -> L {
    let mut books = open();
    let paying = payment(1, 1);
    must(&mut books, [opening(1, 1_000), opening(2, 1_000), claim(1, 1, 1_000)]);
    let parts = [(1, 1, 600, 10), (2, 2, 400, 10)];
    must(&mut books, [reserve(paying, 1_000, 50), dispatch(paying, &parts)]);
    books
}

/// One bad entry anywhere in a batch: nothing is written, claims included.
pub fn a_batch_is_written_whole_or_not_at_all<L: Ledger>(open: impl Fn() -> L) {
    let good = [claim(1, 1, 500), reserve(payment(1, 1), 500, 5), claim(2, 1, 500)];
    for place in 0..=good.len() {
        let mut books = open();
        must(&mut books, [opening(1, 1_000)]);
        let before = seen(&books);
        let mut batch = good.to_vec();
        batch.insert(place, void(payment(9, 9), 1));
        assert!(books.commit(&batch, None, Timestamp(0)).is_err(), "bad entry at {place}");
        assert!(seen(&books) == before, "a refused batch changed the books");
        let claim_left = known(&books, &payment(1, 1).payment_hash);
        assert!(claim_left.is_none(), "a refused batch left a claim");
        books.commit(&good, None, Timestamp(0)).expect("the batch without the bad entry");
    }
}

/// Through a whole payment, pending and posted.
pub fn debits_equal_credits_after_each_batch<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    let paying = payment(1, 1);
    must(&mut books, [void(paying, 1), dispatch(paying, &[(3, 1, 600, 7)])]);
    must(&mut books, [post(paying, 2, 10), post(paying, 3, 0), complete(1, 1, 10)]);
    assert_eq!(books.available(), Msat(990), "2 000 less 1 000 and a fee of 10");
}

/// A part that ended does not end again; every pending posting has one resolution, of at most its
/// amount.
pub fn a_pending_posting_is_resolved_exactly_once<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    let paying = payment(1, 1);
    refuses(&mut books, post(paying, 1, 11));
    must(&mut books, [post(paying, 1, 4), void(paying, 2)]);
    refuses(&mut books, void(paying, 1));
    refuses(&mut books, post(paying, 2, 0));
    must(&mut books, [complete(1, 1, 4)]);
    let postings = books.postings(0, u32::MAX);
    let mut pending = BTreeMap::new();
    for posting in &postings {
        if posting.state == PostingState::Pending {
            pending.insert(&posting.entry_id, posting.amount_msat);
        }
        if let Some(id) = &posting.pending_id {
            let held = pending.remove(id).expect("each is resolved once");
            assert!(posting.amount_msat <= held, "more than was pending");
        }
    }
    assert!(pending.is_empty(), "a payment that is over leaves nothing pending");
}

/// Neither what is reserved nor what a channel holds passes what is there.
pub fn no_limited_account_is_overdrawn<L: Ledger>(open: impl Fn() -> L) {
    let mut books = open();
    must(&mut books, [opening(1, 600), opening(2, 400), claim(1, 1, 900), claim(2, 1, 900)]);
    assert_eq!(
        refuses(&mut books, reserve(payment(1, 1), 900, 101)),
        LedgerError::InsufficientFunds { requested_msat: Msat(1_001), available_msat: Msat(1_000) }
    );
    must(&mut books, [reserve(payment(1, 1), 900, 100)]);
    refuses(&mut books, reserve(payment(2, 1), 1, 0));
    refuses(&mut books, dispatch(payment(1, 1), &[(1, 1, 590, 11)]));
    refuses(&mut books, dispatch(payment(1, 1), &[(1, 1, 300, 1), (2, 1, 299, 1)]));
    must(&mut books, [dispatch(payment(1, 1), &[(1, 1, 590, 10)])]);
    refuses(&mut books, dispatch(payment(1, 1), &[(2, 2, 400, 1)]));
    assert_eq!(books.available(), Msat(0));
}

/// While it is open the hash is in progress; once complete, every claim is refused.
pub fn a_hash_is_complete_at_most_once<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    let first = claimed(1, 1, 1_000);
    let in_progress = LedgerError::InProgress { entity: first.entity };
    let used = LedgerError::HashUsed { used_msat: Msat(1_000), destination: first.destination };
    assert_eq!(refuses(&mut books, claim(1, 2, 1_000)), in_progress);
    assert_eq!(refuses(&mut books, claim(1, 2, 999)), used);
    let hash = first.payment.payment_hash;
    assert!(known(&books, &hash) == Some((first.clone(), ClaimState::Open)), "its claim is open");
    refuses(&mut books, complete(1, 1, 20));
    must(&mut books, [post(payment(1, 1), 1, 10), post(payment(1, 1), 2, 10), complete(1, 1, 20)]);
    for again in [claim(1, 1, 1_000), claim(1, 2, 1_000), claim(1, 2, 999)] {
        assert_eq!(refuses(&mut books, again), used);
    }
    let done = ClaimState::Complete { preimage: super::fixture::preimage(1), fee_msat: Msat(20) };
    assert!(known(&books, &hash) == Some((first, done)), "its claim is complete");
    refuses(&mut books, fail(payment(1, 1)));
}

/// A failure frees the hash; the group that failed stays over.
pub fn a_failed_hash_may_be_claimed_by_a_new_group<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    let paying = payment(1, 1);
    refuses(&mut books, fail(paying));
    must(&mut books, [void(paying, 1), void(paying, 2), fail(paying)]);
    refuses(&mut books, claim(1, 1, 1_000));
    must(&mut books, [claim(1, 2, 700), reserve(payment(1, 2), 700, 0)]);
    refuses(&mut books, dispatch(paying, &[(3, 1, 1, 0)]));
    let (held, state) = known(&books, &paying.payment_hash).expect("the latest claim");
    assert!(held == claimed(1, 2, 700) && state == ClaimState::Open, "the latest claim counts");
}

/// Every entry of a payment, twice.
pub fn the_same_entry_again_is_no_error_and_no_second_posting<L: Ledger>(open: impl Fn() -> L) {
    let mut books = open();
    let paying = payment(1, 1);
    for entry in [
        opening(1, 2_000),
        claim(1, 1, 1_000),
        reserve(paying, 1_000, 50),
        dispatch(paying, &[(1, 1, 600, 10), (2, 1, 400, 10)]),
        void(paying, 1),
        post(paying, 2, 3),
        complete(1, 1, 3),
    ] {
        write(&mut books, entry.clone()).expect("the first time");
        let before = seen(&books);
        let again = books.commit(std::slice::from_ref(&entry), None, Timestamp(9_000));
        assert!(again == Ok(()), "{} again is refused", entry.system());
        assert!(seen(&books) == before, "{} again changed the books", entry.system());
    }
}

/// Every entry of a payment, again with one field changed.
pub fn the_same_entry_with_other_fields_is_a_breach<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    let paying = payment(1, 1);
    must(&mut books, [post(paying, 1, 3), void(paying, 2)]);
    must(&mut books, [overspend(paying, 1, 2), late(paying, 2, 10)]);
    for (entry, field) in [
        (opening(1, 999), "amount_msat"),
        (reserve(paying, 999, 50), "amount_msat"),
        (reserve(paying, 1_000, 51), "fee_budget_msat"),
        (dispatch(paying, &[(1, 1, 600, 10)]), "parts"),
        (post(paying, 1, 4), "fee_msat"),
        (overspend(paying, 1, 3), "amount_msat"),
        (late(paying, 2, 11), "fee_msat"),
        (void(paying, 1), "entry"),
    ] {
        let error = refuses(&mut books, entry);
        let LedgerError::Invariant { what } = &error else { panic!("{error} is no breach") };
        let wanted = format!("exists_with_different_{field}");
        assert!(what.ends_with(&wanted), "`{what}` does not name {wanted}");
    }
}

/// Held on both sides, then pending on its channels, then posted: each of its HTLCs, or only what
/// the node got; a set that is refused leaves nothing.
pub fn a_set_is_pending_until_it_is_claimed_or_voided<L: Ledger>(open: impl Fn() -> L) {
    let htlcs: &[(u16, u64, u64)] = &[(1, 300, 0), (2, 200, 0)];
    let (pending_in, total_in) = (
        |books: &L| books.balance_object().pending_incoming_msat,
        |books: &L| books.balance_object().incoming_total_msat,
    );
    for (held, lost, came) in [(false, 0, 500), (true, 0, 500), (true, 1, 200), (false, 2, 0)] {
        let mut books = open();
        must(&mut books, [opening(1, 100)]);
        if held {
            let held = LedgerEntry::HoldSet { set: set(1), htlcs: shares(htlcs) };
            must(&mut books, [held.clone()]);
            assert_eq!((pending_in(&books), books.available()), (Msat(500), Msat(100)));
            write(&mut books, held).expect("the same again");
        }
        must(&mut books, [settle_set(1, htlcs, None)]);
        assert_eq!((pending_in(&books), total_in(&books)), (Msat(500), Msat(0)));
        assert_eq!(books.available(), Msat(100), "not ours yet");
        refuses(&mut books, settle_set(1, &htlcs[..1], None));
        let lost = shares(htlcs).iter().take(lost).map(|share| share.htlc).collect();
        must(&mut books, [LedgerEntry::ClaimSet { set: set(1), lost, paid: None }]);
        assert_eq!((pending_in(&books), total_in(&books)), (Msat(0), Msat(came)));
        assert_eq!(Some(books.available()), Msat(100).checked_add(Msat(came)), "to be spent");
        refuses(&mut books, LedgerEntry::VoidSet { set: set(1) });
    }
    for entry in
        [LedgerEntry::HoldSet { set: set(1), htlcs: shares(htlcs) }, settle_set(1, htlcs, None)]
    {
        let mut books = open();
        refuses(&mut books, LedgerEntry::VoidSet { set: set(1) });
        must(&mut books, [entry, LedgerEntry::VoidSet { set: set(1) }]);
        assert_eq!((pending_in(&books), total_in(&books)), (Msat(0), Msat(0)));
        refuses(&mut books, settle_set(1, &htlcs[..1], None));
    }
}

/// It goes through `control:self`; only what another adds is income. While its set is being
/// settled the payment does not end.
pub fn what_came_back_of_our_own_is_no_income<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    let (paying, htlcs) = (payment(1, 1), [(1, 600, 600), (2, 450, 400)]);
    refuses(&mut books, settle_set(1, &htlcs, None));
    refuses(&mut books, settle_set(1, &htlcs, Some(payment(1, 2))));
    refuses(&mut books, settle_set(1, &[(1, 600, 601)], Some(paying)));
    must(&mut books, [settle_set(1, &htlcs, Some(paying))]);
    must(&mut books, [around(paying, 1, 10), around(paying, 2, 9)]);
    refuses(&mut books, complete(1, 1, 19));
    must(&mut books, [claim_set(1), complete(1, 1, 19)]);
    let shown = books.balance_object();
    assert_eq!((shown.incoming_total_msat, shown.outgoing_total_msat), (Msat(50), Msat(0)));
    assert_eq!((shown.fees_paid_msat, books.available()), (Msat(19), Msat(2_000 + 50 - 19)));
}

/// What left and did not come back is an expense; what came back and did not leave is income.
pub fn control_self_is_level_after_the_end<L: Ledger>(open: impl Fn() -> L) {
    let htlcs: &[(u16, u64, u64)] = &[(1, 600, 600), (2, 400, 400)];
    for (paid, lost, incoming, outgoing) in
        [(true, 0, 0, 0), (true, 1, 0, 600), (true, 2, 0, 1_000), (false, 0, 1_000, 0)]
    {
        let mut books = two_parts_under_way(&open);
        let paying = payment(1, 1);
        let end = |part| if paid { around(paying, part, 0) } else { void(paying, part) };
        let lost = shares(htlcs).iter().take(lost).map(|share| share.htlc).collect();
        must(&mut books, [settle_set(1, htlcs, Some(paying)), end(1), end(2)]);
        must(&mut books, [LedgerEntry::ClaimSet { set: set(1), lost, paid: None }]);
        must(&mut books, [if paid { complete(1, 1, 0) } else { fail(paying) }]);
        let shown = books.balance_object();
        assert_eq!(shown.incoming_total_msat, Msat(incoming), "paid {paid}");
        assert_eq!(shown.outgoing_total_msat, Msat(outgoing), "paid {paid}");
    }
}

/// Neither for a hash nor for a group that was not claimed.
pub fn nothing_is_written_for_an_unknown_payment<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    for foreign in [payment(1, 2), payment(2, 1)] {
        let (amount_msat, number) = (Msat(1), if foreign == payment(2, 1) { 2 } else { 1 });
        for entry in [
            reserve(foreign, 1, 0),
            dispatch(foreign, &[(9, 1, 1, 0)]),
            post(foreign, 1, 0),
            void(foreign, 1),
            LedgerEntry::SelfPay { payment: foreign, amount_msat, paid: None },
            complete(number, foreign.group_id.0, 0),
            fail(foreign),
        ] {
            let error = refuses(&mut books, entry);
            assert!(matches!(error, LedgerError::Invariant { .. }), "{error} is no breach");
        }
    }
}

/// To the msat.
pub fn all_of_a_failed_payment_returns<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    let paying = payment(1, 1);
    assert_eq!(books.available(), Msat(950));
    must(&mut books, [void(paying, 2), void(paying, 1)]);
    assert_eq!(books.available(), Msat(950), "what parts held is reserved again");
    must(&mut books, [fail(paying)]);
    assert_eq!(books.available(), Msat(2_000));
    assert_eq!(books.balance_object().spendable_msat, Msat(2_000));
}

/// A payment above both is told of the limit.
pub fn limits_are_asked_before_funds<L: Ledger>(open: impl Fn() -> L) {
    let mut books = open();
    must(&mut books, [opening(1, 100), claim(1, 1, 200)]);
    let limit = SpendLimit {
        name: "daily".to_owned(),
        label: None,
        window: Seconds(86_400),
        max_msat: Msat(150),
    };
    let entry = LedgerEntry::Reserve {
        payment: payment(1, 1),
        amount_msat: Msat(200),
        fee_budget_msat: Msat(0),
        label: None,
        limits: vec![limit],
    };
    let error = refuses(&mut books, entry);
    let reached = LedgerError::LimitReached {
        limit: "daily".to_owned(),
        used_msat: Msat(0),
        requested_msat: Msat(200),
        max_msat: Msat(150),
        resets_at: None,
    };
    assert_eq!(error, reached);
}

/// Pages together are the whole, and what was written stays as it was.
pub fn postings_are_immutable_and_read_in_pages<L: Ledger>(open: impl Fn() -> L) {
    let mut books = two_parts_under_way(open);
    let before = books.postings(0, u32::MAX);
    must(&mut books, [void(payment(1, 1), 1)]);
    let after = books.postings(0, u32::MAX);
    assert!(after.starts_with(&before), "a posting was changed");
    let mut paged = Vec::new();
    loop {
        let from = u64::try_from(paged.len()).expect("it fits");
        let page = books.postings(from, 3);
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3, "a page is at most its limit");
        paged.extend(page);
    }
    assert!(paged == after, "pages leave something out");
    let of_payment = books.postings_of(&payment(1, 1)).expect("told");
    assert!(after.ends_with(&of_payment) && of_payment.len() < after.len(), "its postings only");
    assert!(books.postings_of(&payment(1, 2)) == Ok(Vec::new()), "another group has none");
}

/// Random entries, good and bad: accepted and refused as the model says, with its figures.
pub fn any_entries_follow_the_model<L: Ledger>(open: impl Fn() -> L) {
    for seed in 0..SEEDS {
        let mut draw = model::Draw::new(seed);
        let choices: Vec<u64> = (0..ENTRIES_PER_SEED).map(|_| draw.next()).collect();
        model::follow(&mut open(), &choices);
    }
}

/// Of a receipt no other amount is told than what was posted for it.
pub fn a_receipt_is_told_of_with_what_was_posted<L: Ledger>(open: impl Fn() -> L) {
    let told = |msat| Some(PaidReceipt { amount_msat: Msat(msat), circular: true, label: None });
    let mut books = two_parts_under_way(open);
    let (paying, htlcs) = (payment(1, 1), [(1, 600, 600), (2, 450, 400)]);
    must(&mut books, [settle_set(1, &htlcs, Some(paying))]);
    let lost = vec![shares(&htlcs)[0].htlc];
    let claim = |paid| LedgerEntry::ClaimSet { set: set(1), lost: lost.clone(), paid };
    for other in [0, 449, 451, 1_050] {
        refuses(&mut books, claim(told(other)));
    }
    must(&mut books, [claim(told(450))]);
    refuses(&mut books, claim(None));
}
