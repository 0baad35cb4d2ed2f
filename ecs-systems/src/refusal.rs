//! Why a payment fails: codes as Core Lightning has them, ours from 2200 on.

use crate::port::LedgerError;
use ecs_core::{ErrorObject, INVALID_PARAMS, Json, Refusal};
use payecs_planner::{NoPlan, NoPlanReason};
use payecs_units::{Blocks, Msat};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Another payment of the same hash is under way.
pub const PAY_IN_PROGRESS: i32 = 200;
/// The hash was used with another amount or destination.
pub const PAY_RHASH_ALREADY_USED: i32 = 201;
/// The payee says no.
pub const PAY_DESTINATION_PERM_FAIL: i32 = 203;
/// There is no route.
pub const PAY_ROUTE_NOT_FOUND: i32 = 205;
/// Every route is above the fee or delay limit.
pub const PAY_ROUTE_TOO_EXPENSIVE: i32 = 206;
/// The invoice has expired.
pub const PAY_INVOICE_EXPIRED: i32 = 207;
/// No payment is known by that name.
pub const PAY_NO_SUCH_PAYMENT: i32 = 208;
/// All rounds are used up, or the node isn't ready.
pub const PAY_UNSPECIFIED_ERROR: i32 = 209;
/// Time is up, or the payment was cancelled; nothing is in flight.
pub const PAY_STOPPED_RETRYING: i32 = 210;
/// The payment is not where the caller thinks it is.
pub const PAY_STATUS_UNEXPECTED: i32 = 211;
/// The signer refused.
pub const PREAPPROVAL_DECLINED: i32 = 213;
/// There isn't that much to spend.
pub const PAY_INSUFFICIENT_FUNDS: i32 = 215;
/// The destination is not in the graph and no hint leads there.
pub const PAY_UNREACHABLE: i32 = 216;
/// The channels into the destination are too small.
pub const PAY_DESTINATION_INSUFFICIENT_CAPACITY: i32 = 220;
/// What Core Lightning has no code for.
pub const LIGHTNINGD: i32 = -1;
/// There is another invoice with that label.
pub const INVOICE_LABEL_ALREADY_EXISTS: i32 = 900;
/// There is, or was, another receipt of that hash.
pub const PREIMAGE_ALREADY_EXISTS: i32 = 901;
/// None of the channels that an invoice is to tell of can be told of.
pub const INVOICE_HINTS_GAVE_NO_ROUTES: i32 = 902;
/// What was waited for can no longer be paid.
pub const PAYCODE_EXPIRED: i32 = 903;
/// It was not paid in time.
pub const PAYCODE_WAIT_TIMED_OUT: i32 = 904;
/// There is no such paycode.
pub const PAYCODE_NOT_FOUND: i32 = 905;
/// It does not stand where the caller thinks it does.
pub const PAYCODE_STATUS_UNEXPECTED: i32 = 906;
/// An invoice has no description any more.
pub const INVOICE_NO_DESCRIPTION: i32 = 908;
/// Policy, a limit or an operator refused.
pub const POLICY_REFUSED: i32 = 2310;
/// The books would no longer balance.
pub const LEDGER_INVARIANT: i32 = 2320;
/// The history of the books is still being opened: the same may be tried again.
pub const HISTORY_OPENING: i32 = 2321;
/// The history of the books can't be read.
pub const HISTORY_UNREADABLE: i32 = 2322;

/// Nothing new is taken on at present: the same may be tried again later.
pub const INTAKE_CLOSED: i32 = 2330;

/// The payment was under way when a backup was made that the engine was restored from, and is not
/// gone on with. Nothing of it is paid where it had claimed its hash; else the hash may have been
/// paid since (`data.final`: `false`), which paying the same invoice again tells.
pub const RESTORED: i32 = 2331;

/// The graph has no such channel: nothing was written.
pub const UNKNOWN_CHANNEL: i32 = 2332;
/// What is said of a channel's liquidity can't be: nothing was written.
pub const IMPOSSIBLE_REPORT: i32 = 2333;

/// More is under way than may be: nothing happened, the same may be tried again later.
pub const TOO_BUSY: i32 = 2340;
/// The disk is full: nothing happened. Make room, then try again.
pub const DISK_FULL: i32 = 2341;
/// The engine has stopped, or stops: Core Lightning's code of a node that shuts down. What was
/// called may have happened: look after the next start.
pub const SHUTDOWN: i32 = -5;

/// An amount is beyond 2⁶⁴−1 msat: −32602.
#[must_use]
pub fn overflow(what: &str) -> Refusal {
    Refusal::new(INVALID_PARAMS, format!("{what} is more than 2^64-1 msat"))
}

/// What the planner was asked when it found no plan: beside its answer in the data of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What was to be delivered.
    pub amount_msat: Msat,
    /// What fees could take of the budget.
    pub fee_left_msat: Msat,
    /// How long a path could take.
    pub delay_left_blocks: Blocks,
    /// How many parts there could be.
    pub parts_left: u32,
}

impl Asked {
    /// What it is called in the data.
    pub const NAME: &str = "asked";

    /// The error with the question, where it is the planner's answer.
    #[must_use]
    pub fn beside(self, error: ErrorObject) -> ErrorObject {
        let is_answer = error.data.as_ref().is_some_and(|data| data.decode::<NoPlan>().is_ok());
        if !is_answer {
            return error;
        }
        let mut facts = error.facts();
        facts.insert(Self::NAME.to_owned(), Json::of(&self));
        error.with_data(&facts)
    }
}

/// What the planner could not do, as the payment's error.
#[must_use]
pub fn from_no_plan(no_plan: &NoPlan) -> Refusal {
    let code = match no_plan.reason {
        NoPlanReason::Unreachable => PAY_UNREACHABLE,
        NoPlanReason::InsufficientFunds => PAY_INSUFFICIENT_FUNDS,
        NoPlanReason::DestinationCapacity => PAY_DESTINATION_INSUFFICIENT_CAPACITY,
        NoPlanReason::Excluded | NoPlanReason::NoRoute | NoPlanReason::TooLong => {
            PAY_ROUTE_NOT_FOUND
        }
        NoPlanReason::TooExpensive => PAY_ROUTE_TOO_EXPENSIVE,
    };
    Refusal::new(code, capitalised(&no_plan.explain())).with_data(no_plan)
}

/// What the books refused, as the payment's error.
#[must_use]
pub fn from_ledger(error: &LedgerError) -> Refusal {
    let message = capitalised(&error.to_string());
    match error {
        LedgerError::InProgress { entity } => {
            Refusal::new(PAY_IN_PROGRESS, message).with_data(&json!({ "entity": entity }))
        }
        LedgerError::HashUsed { used_msat, destination } => {
            Refusal::new(PAY_RHASH_ALREADY_USED, message)
                .with_data(&json!({ "used_msat": used_msat, "destination": destination }))
        }
        LedgerError::KeyUsed { idempotency_key, payment_hash } => {
            let facts = json!({ "idempotency_key": idempotency_key, "payment_hash": payment_hash });
            Refusal::new(PAY_RHASH_ALREADY_USED, message).with_data(&facts)
        }
        LedgerError::InsufficientFunds { requested_msat, available_msat } => {
            Refusal::new(PAY_INSUFFICIENT_FUNDS, message).with_data(
                &json!({ "requested_msat": requested_msat, "available_msat": available_msat }),
            )
        }
        LedgerError::LimitReached { limit, used_msat, requested_msat, max_msat, resets_at } => {
            Refusal::new(POLICY_REFUSED, message).with_data(&json!({
                "limit": limit, "used": used_msat, "requested": requested_msat, "max": max_msat,
                "resets_at": resets_at,
            }))
        }
        LedgerError::HistoryOpening { done, of } => {
            Refusal::new(HISTORY_OPENING, message).with_data(&json!({ "done": done, "of": of }))
        }
        LedgerError::HistoryUnreadable { .. } => Refusal::new(HISTORY_UNREADABLE, message),
        LedgerError::Invariant { .. } => Refusal::new(LEDGER_INVARIANT, message),
    }
}

/// The sentence with a capital letter in front.
pub(crate) fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_core::EntityId;
    use payecs_planner::Binding;
    use payecs_units::{NodeId, Timestamp};

    #[test]
    fn why_there_is_no_plan_has_its_code_and_its_facts() {
        for (reason, code) in [
            (NoPlanReason::Unreachable, 216),
            (NoPlanReason::InsufficientFunds, 215),
            (NoPlanReason::DestinationCapacity, 220),
            (NoPlanReason::Excluded, 205),
            (NoPlanReason::NoRoute, 205),
            (NoPlanReason::TooLong, 205),
            (NoPlanReason::TooExpensive, 206),
        ] {
            let no_plan = NoPlan {
                reason,
                largest_msat: Some(Msat(7)),
                fee_needed_msat: None,
                delay_needed_blocks: None,
                parts_needed: None,
                allow: Vec::new(),
                cut: Vec::<Binding>::new(),
            };
            let refusal = from_no_plan(&no_plan);
            assert_eq!(refusal.code, code);
            assert!(refusal.message.starts_with(char::is_uppercase), "{}", refusal.message);
            assert_eq!(refusal.data.unwrap().decode::<NoPlan>().unwrap(), no_plan);
        }
    }

    #[test]
    fn what_the_books_refuse_has_its_code_and_its_facts() {
        let node = NodeId([2; 33]);
        let (one, two, three) = (Msat(1), Msat(2), Msat(3));
        let limit = |resets_at| LedgerError::LimitReached {
            limit: "daily".to_owned(),
            used_msat: one,
            requested_msat: two,
            max_msat: three,
            resets_at,
        };
        let limit_facts = |resets_at: Option<&str>| {
            json!({ "limit": "daily", "used": 1, "requested": 2, "max": 3,
                "resets_at": resets_at })
        };
        for (error, code, facts) in [
            (
                LedgerError::InProgress { entity: EntityId::FIRST },
                200,
                Some(json!({ "entity": 1 })),
            ),
            (
                LedgerError::HashUsed { used_msat: one, destination: node },
                201,
                Some(json!({ "used_msat": 1, "destination": node.to_string() })),
            ),
            (
                LedgerError::KeyUsed {
                    idempotency_key: "k".to_owned(),
                    payment_hash: payecs_units::PaymentHash([3; 32]),
                },
                201,
                Some(json!({ "idempotency_key": "k", "payment_hash": "03".repeat(32) })),
            ),
            (
                LedgerError::InsufficientFunds { requested_msat: two, available_msat: one },
                215,
                Some(json!({ "requested_msat": 2, "available_msat": 1 })),
            ),
            (limit(None), 2310, Some(limit_facts(None))),
            (limit(Some(Timestamp(0))), 2310, Some(limit_facts(Some("1970-01-01T00:00:00.000Z")))),
            (
                LedgerError::HistoryOpening { done: 1, of: 2 },
                2321,
                Some(json!({ "done": 1, "of": 2 })),
            ),
            (LedgerError::HistoryUnreadable { what: "a bad sector".to_owned() }, 2322, None),
            (LedgerError::Invariant { what: "sums differ".to_owned() }, 2320, None),
        ] {
            let refusal = from_ledger(&error);
            assert_eq!(refusal.code, code, "{error}");
            assert_eq!(refusal.data, facts.map(|facts| ecs_core::Json::of(&facts)), "{error}");
            assert!(!refusal.message.starts_with(char::is_lowercase), "{}", refusal.message);
        }
    }

    #[test]
    fn an_overflow_names_what_overflows() {
        let refusal = overflow("The sum");
        assert_eq!((refusal.code, &*refusal.message), (-32602, "The sum is more than 2^64-1 msat"));
        assert_eq!(capitalised(""), "");
        assert_eq!(capitalised("\u{e9}t\u{e9}"), "\u{c9}t\u{e9}");
    }
}
