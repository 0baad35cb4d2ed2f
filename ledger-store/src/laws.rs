//! The laws of the two ports, for every implementation of them.
//!
//! Each law is a function that takes what opens an empty store, and panics where the law does not
//! hold; [`ledger_laws!`](crate::ledger_laws) and [`receipts_laws!`](crate::receipts_laws) make one
//! test of each.

#![expect(clippy::missing_panics_doc, reason = "a law panics where it does not hold")]

pub mod fixture;
pub mod ledger;
mod keys;
mod late;
mod model;
pub mod receipts;

pub use model::follow;

/// Tests that a [`Ledger`](ecs_systems::port::Ledger) keeps the port's laws. The expression opens
/// empty books and is evaluated anew for each test.
/// ```
/// mod memory {
///     ledger_store::ledger_laws!(ledger_store::MemoryLedger::new("sim"));
/// }
/// ```
#[macro_export]
macro_rules! ledger_laws {
    ($open:expr) => {
        $crate::ledger_laws! { @each $open;
            a_batch_is_written_whole_or_not_at_all
            debits_equal_credits_after_each_batch
            a_pending_posting_is_resolved_exactly_once
            no_limited_account_is_overdrawn
            a_hash_is_complete_at_most_once
            a_failed_hash_may_be_claimed_by_a_new_group
            an_idempotency_key_belongs_to_one_payment_for_ever
            an_idempotency_key_belongs_to_one_request_and_its_end_is_kept
            the_same_entry_again_is_no_error_and_no_second_posting
            the_same_entry_with_other_fields_is_a_breach
            nothing_is_written_for_an_unknown_payment
            all_of_a_failed_payment_returns
            a_receipt_is_told_of_with_what_was_posted
            limits_are_asked_before_funds
            a_set_is_pending_until_it_is_claimed_or_voided
            what_came_back_of_our_own_is_no_income
            control_self_is_level_after_the_end
            postings_are_immutable_and_read_in_pages
            an_overspent_part_costs_what_the_node_took
            what_the_node_took_overdraws_no_channel_and_nothing_reserved
            a_late_part_is_booked_once_for_what_it_cost
            a_late_part_that_went_around_is_made_even
            each_part_that_went_around_is_made_even
            no_hash_is_paid_again_that_turned_out_paid
            a_check_says_what_a_commit_would_and_writes_nothing
            any_entries_follow_the_model
        }
    };
    (@each $open:expr; $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                $crate::laws::ledger::$law(|| $open);
            }
        )*
    };
}

/// Tests that a [`Receipts`](ecs_systems::port::Receipts) keeps the port's laws. The expression is
/// a function that makes a store with the receipts it is given:
/// `Fn(&[NewReceipt]) -> impl Receipts`.
/// ```
/// use ledger_store::{MemoryReceipts, NewReceipt};
///
/// fn open(made: &[NewReceipt]) -> MemoryReceipts {
///     let mut receipts = MemoryReceipts::default();
///     for receipt in made {
///         receipts.add(receipt).expect("receipts of the laws are valid");
///     }
///     receipts
/// }
/// mod memory {
///     ledger_store::receipts_laws!(super::open);
/// }
/// ```
#[macro_export]
macro_rules! receipts_laws {
    ($open:expr) => {
        $crate::receipts_laws! { @each $open;
            a_receipt_is_settled_at_most_once
            an_htlc_gets_the_same_verdict_until_the_receipt_is_settled
            a_refusal_leaves_the_receipt_payable
            no_preimage_leaves_without_a_settle_verdict
            a_preimage_is_released_for_one_set_at_a_time
            only_the_secret_of_a_receipt_is_its_secret
            terms_are_kept_and_judged_by
            amounts_between_once_and_twice_are_taken
            what_is_unknown_is_refused
            receipts_and_their_changes_are_counted
            a_receipt_expires_once_and_what_began_before_is_taken
            a_receipt_is_deleted_unless_it_is_being_paid
            what_is_over_is_told_oldest_first_and_counted_once_it_is_cleaned
        }
    };
    (@each $open:expr; $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                $crate::laws::receipts::$law($open);
            }
        )*
    };
}
