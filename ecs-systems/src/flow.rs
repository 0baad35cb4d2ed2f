//! The Systems of the default flow, in the order of the payment's story.
//!
//! The list that is really run is `payflow_default::flow`; this is what each name stands for.

use crate::{
    pay::{
        decode::{accept, currency, description, expiry, invoice_type, nonce, parse, target},
        limit::{
            amount, cancel, claim, defaults, exposure, feebudget, partial, policy, preapprove,
            require_amount, reserve, self_pay,
        },
        plan::{attempt, hand_over, plan_entity, route},
        send::{dispatch, late, learn, part_end, send_part},
        settle::{finish_error, settle},
    },
    receive::{
        apply_reject, check_amounts, check_cltv, check_secret, complete_set, hold_set, join_set,
        match_paycode, refuse_htlc, refuse_set, set_settled, set_timeout, settle_set,
    },
};
use ecs_core::{Engine, Error, SystemDef, SystemSpec};
use std::sync::Arc;

/// Changes what a System matches before it is registered. For tests that ask which guards carry a
/// law; anything else leaves the definitions as they are.
pub type Amend = Arc<dyn Fn(SystemDef) -> SystemDef + Send + Sync>;

/// Declares the rows: the part of the flow they belong to, spec and function.
macro_rules! rows {
    ($($row:literal $spec:path => $system:path;)*) => {
        /// Every System of the default flow with its row in the table, in order.
        pub const ROWS: &[(&str, SystemSpec)] = &[$(($row, $spec)),*];

        /// Registers every System of the default flow, with what it matches changed by `amend`.
        pub(crate) fn register(app: &mut Engine, amend: &Amend) -> Result<(), Error> {
            $(app.add_system(amend(SystemDef::from(&$spec)), $system)?;)*
            Ok(())
        }
    };
}

rows! {
    "1" nonce::GENERATE_NONCE => nonce::generate_nonce;
    "2" parse::PARSE_INVOICE => parse::parse_invoice;
    "3" invoice_type::PROMOTE_INVOICE_TYPE => invoice_type::promote_invoice_type;
    "4" invoice_type::CHECK_TYPE => invoice_type::check_type;
    "5" currency::CHECK_CURRENCY => currency::check_currency;
    "6" currency::ACCEPT_NO_CURRENCY => currency::accept_no_currency;
    "7" expiry::CHECK_EXPIRY => expiry::check_expiry;
    "8" description::CHECK_DESCRIPTION => description::check_description;
    "9" target::PROMOTE_TARGET => target::promote_target;
    "10" accept::ACCEPT_INVOICE => accept::accept_invoice;
    "11" amount::INVOICE_AMOUNT_MSAT => amount::invoice_amount_msat;
    "12" amount::ALLOW_OVERPAY => amount::allow_overpay;
    "13" amount::FAIL_INVOICE_AMOUNT_AND_AMOUNT => amount::fail_invoice_amount_and_amount;
    "14" partial::SPLIT_PARTIAL => partial::split_partial;
    "15" defaults::DEFAULT_RISKFACTOR => defaults::default_riskfactor;
    "16" defaults::DEFAULT_MAXFEEPERCENT => defaults::default_maxfeepercent;
    "17" defaults::DEFAULT_RETRY_FOR => defaults::default_retry_for;
    "18" defaults::DEFAULT_MAXDELAY => defaults::default_maxdelay;
    "19" defaults::DEFAULT_EXEMPTFEE => defaults::default_exemptfee;
    "20" require_amount::REQUIRE_AMOUNT => require_amount::require_amount;
    "21" feebudget::COMPUTE_FEEBUDGET => feebudget::compute_feebudget;
    "22" claim::CLAIM_HASH => claim::claim_hash;
    "23" preapprove::PREAPPROVE => preapprove::preapprove;
    "24" policy::POLICY => policy::policy;
    "25" policy::APPROVE => policy::approve;
    "26" self_pay::SELF_PAY => self_pay::self_pay;
    "27" reserve::RESERVE_FUNDS => reserve::reserve_funds;
    "28" cancel::STOP_ON_CANCEL => cancel::stop_on_cancel;
    "28b" exposure::TELL_EXPOSURE => exposure::tell_exposure;
    "29" attempt::START_ATTEMPT => attempt::start_attempt;
    "30" plan_entity::PLAN => plan_entity::plan;
    "31" dispatch::DISPATCH => dispatch::dispatch;
    "32" learn::LEARN => learn::learn;
    "33" settle::SETTLE => settle::settle;
    "34" finish_error::FINISH_ERROR => finish_error::finish_error;
    "P1" route::ROUTE => route::route;
    "P2" hand_over::HAND_OVER => hand_over::hand_over;
    "P3" hand_over::HAND_OVER_FAILURE => hand_over::hand_over_failure;
    "S1" send_part::SEND_PART => send_part::send_part;
    "S2" part_end::PART_PAID => part_end::part_paid;
    "S3" part_end::PART_FAILED => part_end::part_failed;
    "S4" late::PART_LATE => late::part_late;
    "R1" match_paycode::MATCH_PAYCODE => match_paycode::match_paycode;
    "R2" check_secret::CHECK_SECRET => check_secret::check_secret;
    "R2" check_amounts::CHECK_AMOUNTS => check_amounts::check_amounts;
    "R2" check_cltv::CHECK_CLTV => check_cltv::check_cltv;
    "R3" join_set::JOIN_SET => join_set::join_set;
    "R4" set_timeout::SET_TIMEOUT => set_timeout::set_timeout;
    "R5" complete_set::COMPLETE_SET => complete_set::complete_set;
    "R6b" apply_reject::APPLY_REJECT => apply_reject::apply_reject;
    "R7" hold_set::HOLD_SET => hold_set::hold_set;
    "R8" settle_set::SETTLE_SET => settle_set::settle_set;
    "R8b" set_settled::SET_SETTLED => set_settled::set_settled;
    "R9a" refuse_htlc::REFUSE_HTLC => refuse_htlc::refuse_htlc;
    "R9b" refuse_set::REFUSE_SET => refuse_set::refuse_set;
    "R10" refuse_set::FAIL_TO_REFUSE => refuse_set::fail_to_refuse;
}

/// The number of the first row that carries the money laws.
const FIRST_MONEY_ROW: u32 = 22;

/// The rows that carry the money laws, 22 to 34 with 28b, P, S and R: no payment runs without them.
pub fn money_systems() -> impl Iterator<Item = &'static str> {
    names(|row| row.is_none_or(|number| number >= FIRST_MONEY_ROW))
}

/// The rows that a third party may replace for a payment, 1 to 21.
pub fn replaceable_systems() -> impl Iterator<Item = &'static str> {
    names(|row| row.is_some_and(|number| number < FIRST_MONEY_ROW))
}

/// The Systems of the rows that `wanted` takes; it is given the number, `None` for 28b, P, S and R.
fn names(wanted: fn(Option<u32>) -> bool) -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter(move |(row, _)| wanted(row.parse().ok())).map(|(_, spec)| spec.name)
}
