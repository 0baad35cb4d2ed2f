//! Row R2, the expiry.

use super::gathering::refuse;
use crate::{
    components::{CheckCltvRan, Htlc},
    port::{NodeView, ReceiptsBook},
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, On, Step, SystemSpec};
use payecs_units::{BlockHeight, Blocks};

/// Checks that there is time enough to take the HTLC.
pub const CHECK_CLTV: SystemSpec = SystemSpec {
    name: "lightningd:check_cltv",
    required: &["lightningd:htlc", "lightningd:htlc:matched"],
    disallowed: &["lightningd:check_cltv:ran", "lightningd:refusing", "lightningd:failing"],
    attaches: &["lightningd:check_cltv:ran", "lightningd:refusing"],
    detaches: &[],
    refuses: &[],
    does: "lets only HTLCs pass that have the blocks left that the receipt asks for",
};

pub(crate) fn check_cltv(
    In(entity): On,
    htlcs: Query<&Htlc>,
    (receipts, node): (Res<ReceiptsBook>, Res<NodeView>),
) -> Answer {
    let Htlc(htlc) = htlcs.get(entity)?;
    let asked = receipts.0.find(&htlc.payment_hash).map(|receipt| receipt.cltv);
    let left = blocks_left(htlc.cltv_expiry, node.height);
    if asked.is_some_and(|asked| left >= asked) {
        return Ok(Step::advance().attach(&CheckCltvRan));
    }
    Ok(refuse("the HTLC expires too soon"))
}

/// Blocks until an HTLC expires; 0 where it has.
pub(crate) fn blocks_left(expiry: BlockHeight, height: BlockHeight) -> Blocks {
    Blocks(expiry.0.saturating_sub(height.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::HtlcMatched,
        fixture::{Bench, here, payment},
        port::{IncomingHtlc, Receipt},
        receive::fixture::{htlc, receipt},
    };

    #[test]
    fn an_htlc_has_at_least_the_blocks_left_that_the_receipt_asks_for() {
        let Htlc(good) = htlc();
        for (asked, expiry, name) in [
            (18, 800_018, "check_cltv:ran"),
            (18, 800_017, "refusing"),
            (24, 800_018, "refusing"),
            (18, 799_999, "refusing"),
        ] {
            let htlc = IncomingHtlc { cltv_expiry: BlockHeight(expiry), ..good.clone() };
            let receipt = Receipt { cltv: Blocks(asked), ..receipt() };
            let write = here().attach(&Htlc(htlc)).attach(&HtlcMatched);
            let ran = Bench::new().receipt(receipt).run_on(payment(), &CHECK_CLTV, write);
            assert_eq!(ran.names(), [name], "{asked} {expiry}");
        }
    }
}
