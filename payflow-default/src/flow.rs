//! The default flow: the list every payment is advanced by, unless its owner adds to it.
//!
//! Read it aloud: this is the story of a payment. The first System that matches runs, and the list
//! is scanned again from the top. What each name requires and does: docs/SYSTEMS.md.

/// The names of the default flow, in order.
pub const DEFAULT_FLOW: &[&str] = &[
    // Decode: what does the invoice say, and may we pay it?
    "lightningd:generate_nonce",
    "lightningd:parse_invoice",
    "lightningd:promote_invoice_type",
    "lightningd:check_type",
    "lightningd:check_currency",
    "lightningd:accept_no_currency",
    "lightningd:check_expiry",
    "lightningd:check_description",
    "lightningd:promote_target",
    "lightningd:accept_invoice",
    // Limit: how much, at what cost, and is it allowed?
    "lightningd:invoice_amount_msat",
    "lightningd:allow_overpay",
    "lightningd:fail_invoice_amount_and_amount",
    "lightningd:split_partial",
    "lightningd:default_riskfactor",
    "lightningd:default_maxfeepercent",
    "lightningd:default_retry_for",
    "lightningd:default_maxdelay",
    "lightningd:default_exemptfee",
    "lightningd:require_amount",
    "lightningd:compute_feebudget",
    "lightningd:claim_hash",
    "lightningd:preapprove",
    "lightningd:policy",
    "lightningd:approve",
    "lightningd:self_pay",
    "lightningd:reserve_funds",
    "lightningd:stop_on_cancel",
    "lightningd:tell_exposure",
    // Plan and send: which way, in how many parts; again with what failed.
    "lightningd:start_attempt",
    "lightningd:plan",
    "lightningd:dispatch",
    "lightningd:learn",
    // Settle: one of two ends.
    "lightningd:settle",
    "lightningd:finish_error",
    // The plan Entity.
    "lightningd:route",
    "lightningd:hand_over",
    "lightningd:hand_over_failure",
    // The part Entity.
    "lightningd:send_part",
    "lightningd:part_paid",
    "lightningd:part_failed",
    "lightningd:part_late",
    // The HTLC Entity: what comes in, and what it pays.
    "lightningd:match_paycode",
    "lightningd:check_secret",
    "lightningd:check_amounts",
    "lightningd:check_cltv",
    "lightningd:join_set",
    // The set Entity: HTLCs that together pay a receipt of ours.
    "lightningd:set_timeout",
    "lightningd:complete_set",
    "lightningd:apply_reject",
    "lightningd:hold_set",
    "lightningd:settle_set",
    "lightningd:set_settled",
    // Both: what is not taken goes back.
    "lightningd:refuse_htlc",
    "lightningd:refuse_set",
    "lightningd:fail_to_refuse",
];

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_systems::flow::ROWS;

    #[test]
    fn the_flow_names_every_system_of_the_table_once_and_in_its_order() {
        let table: Vec<&str> = ROWS.iter().map(|(_, spec)| spec.name).collect();
        assert_eq!(DEFAULT_FLOW, table);
    }
}
