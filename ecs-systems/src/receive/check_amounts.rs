//! Row R2, the amounts.

use super::gathering::{Gathering, LiveSets, gathering, refuse};
use crate::{
    components::{CheckAmountsRan, Htlc},
    port::{IncomingHtlc, Receipt, ReceiptsBook},
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, On, Step, SystemSpec};
use payecs_units::Msat;

/// Checks amount and total.
pub const CHECK_AMOUNTS: SystemSpec = SystemSpec {
    name: "lightningd:check_amounts",
    required: &["lightningd:htlc", "lightningd:htlc:matched"],
    disallowed: &["lightningd:check_amounts:ran", "lightningd:refusing", "lightningd:failing"],
    attaches: &["lightningd:check_amounts:ran", "lightningd:refusing"],
    detaches: &[],
    refuses: &[],
    does: "lets only totals pass that the receipt takes, equal in all HTLCs of a set",
};

pub(crate) fn check_amounts(
    In(entity): On,
    htlcs: Query<&Htlc>,
    sets: LiveSets,
    receipts: Res<ReceiptsBook>,
) -> Answer {
    let Htlc(htlc) = htlcs.get(entity)?;
    let set_total = match gathering(&sets, &htlc.payment_hash) {
        Gathering::Open(set) => Some(set.set.0.total_msat),
        Gathering::Absent | Gathering::Closed => None,
    };
    let receipt = receipts.0.find(&htlc.payment_hash);
    let objection = receipt
        .map_or(Some("no receipt of this hash"), |receipt| objection(&receipt, htlc, set_total));
    Ok(objection.map_or_else(|| Step::advance().attach(&CheckAmountsRan), refuse))
}

/// Why amount or total are wrong, if they are.
fn objection(
    receipt: &Receipt,
    htlc: &IncomingHtlc,
    set_total: Option<Msat>,
) -> Option<&'static str> {
    if htlc.amount_msat == Msat::ZERO {
        return Some("the HTLC is worth nothing");
    }
    if !receipt.takes(htlc.total_msat) {
        return Some("the total is not what the receipt asks for");
    }
    let other = set_total.is_some_and(|total| total != htlc.total_msat);
    other.then_some("the total is not that of the set")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::{HtlcMatched, Refusing},
        fixture::{AMOUNT, Bench, here, payment},
        port::{OverpayRule, PayeeFailure},
        receive::fixture::{htlc, live_set, receipt, received, set_entity},
    };

    fn passes(receipt: Receipt, (amount, total): (u64, u64), set: bool) -> bool {
        let Htlc(good) = htlc();
        let htlc = IncomingHtlc { amount_msat: Msat(amount), total_msat: Msat(total), ..good };
        let mut bench = Bench::new().receipt(receipt);
        if set {
            bench = bench.with(set_entity(), live_set().attach(&received(1)));
        }
        let write = here().attach(&Htlc(htlc)).attach(&HtlcMatched);
        let ran = bench.run_on(payment(), &CHECK_AMOUNTS, write);
        if ran.names() == ["refusing"] {
            let told = bench.app.get::<Refusing>(payment());
            assert_eq!(told, Some(&Refusing(PayeeFailure::DETAILS)), "all alike");
            return false;
        }
        assert_eq!(ran.names(), ["check_amounts:ran"]);
        true
    }

    #[test]
    fn the_total_is_what_the_rule_of_the_receipt_allows() {
        let asked = AMOUNT.0;
        for (overpay, total, expected) in [
            (OverpayRule::Bolt, asked - 1, false),
            (OverpayRule::Bolt, asked, true),
            (OverpayRule::Bolt, asked * 2, true),
            (OverpayRule::Bolt, asked * 2 + 1, false),
            (OverpayRule::Exact, asked, true),
            (OverpayRule::Exact, asked + 1, false),
            (OverpayRule::Any, asked * 9, true),
            (OverpayRule::Any, asked - 1, false),
        ] {
            let receipt = Receipt { overpay, ..receipt() };
            assert_eq!(passes(receipt, (1, total), false), expected, "{overpay:?} {total}");
        }
        let any = || Receipt { amount_msat: None, ..receipt() };
        assert!(passes(any(), (1, 1), false) && !passes(any(), (1, 0), false));
        let large = Receipt { amount_msat: Some(Msat(u64::MAX / 2 + 1)), ..receipt() };
        assert!(passes(large, (1, u64::MAX), false), "no upper end where twice overflows");
    }

    #[test]
    fn every_htlc_is_worth_something_and_says_the_total_of_its_set() {
        assert!(!passes(receipt(), (0, AMOUNT.0), false));
        assert!(passes(receipt(), (1, AMOUNT.0), true));
        assert!(passes(receipt(), (1, AMOUNT.0 + 1), false));
        assert!(!passes(receipt(), (1, AMOUNT.0 + 1), true), "another total");
    }
}
