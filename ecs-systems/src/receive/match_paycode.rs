//! Row R1.

use super::gathering::{LiveSets, gathering, payable, refuse};
use crate::{
    components::{Htlc, HtlcMatched},
    port::ReceiptsBook,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Inputs, On, Step, SystemSpec};
use payecs_units::Timestamp;

/// Finds what an HTLC pays.
pub const MATCH_PAYCODE: SystemSpec = SystemSpec {
    name: "lightningd:match_paycode",
    required: &["lightningd:htlc"],
    disallowed: &["lightningd:htlc:matched", "lightningd:refusing", "lightningd:failing"],
    attaches: &["lightningd:htlc:matched", "lightningd:refusing"],
    detaches: &[],
    refuses: &[],
    does: "lets an HTLC pass whose hash is that of a receipt that can be paid; else it is refused",
};

pub(crate) fn match_paycode(
    In(entity): On,
    htlcs: Query<&Htlc>,
    sets: LiveSets,
    (receipts, inputs): (Res<ReceiptsBook>, Res<Inputs>),
) -> Answer {
    let hash = htlcs.get(entity)?.0.payment_hash;
    let set = gathering(&sets, &hash);
    Ok(match payable(&*receipts.0, &hash, &set, Timestamp(inputs.now_ms)) {
        Ok(_) => Step::advance().attach(&HtlcMatched),
        Err(why) => refuse(why),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::{Hold, Refusing, SetComplete, SetEnough},
        fixture::{Bench, Ran, here, payment},
        port::{Receipt, ReceiptState},
        receive::fixture::{htlc, live_set, receipt, received, set_entity},
    };
    use ecs_core::Write;

    fn ran(receipt: Option<Receipt>, set: Option<Write>) -> Ran {
        let mut bench = Bench::new();
        if let Some(receipt) = receipt {
            bench = bench.receipt(receipt);
        }
        if let Some(set) = set {
            bench = bench.with(set_entity(), set);
        }
        bench.run_on(payment(), &MATCH_PAYCODE, here().attach(&htlc()))
    }

    fn passes(receipt: Option<Receipt>, set: Option<Write>) -> bool {
        let ran = ran(receipt, set);
        assert!(ran.effects.is_empty(), "every HTLC is answered by the Systems that refuse");
        match ran.names().as_slice() {
            ["htlc:matched"] => true,
            ["refusing"] => false,
            names => panic!("{names:?}"),
        }
    }

    #[test]
    fn only_a_receipt_that_can_be_paid_is_matched() {
        assert!(passes(Some(receipt()), None));
        assert!(!passes(None, None), "not ours");
        for state in [ReceiptState::Paid, ReceiptState::Settling, ReceiptState::Cancelled] {
            assert!(!passes(Some(Receipt { state, ..receipt() }), None), "{state:?}");
        }
        assert!(passes(Some(Receipt { hold: true, ..receipt() }), None));
    }

    #[test]
    fn an_expired_receipt_is_matched_while_its_set_is_open_and_none_once_it_is_closed() {
        let expired =
            || Some(Receipt { expires_at: Timestamp(crate::fixture::NOW_MS), ..receipt() });
        assert!(!passes(expired(), None));
        let open = || live_set().attach(&received(1_000));
        assert!(passes(expired(), Some(open())));
        for closed in [
            open().attach(&SetEnough),
            open().attach(&SetComplete),
            open().attach(&SetComplete).attach(&Hold),
            open().attach(&Refusing(crate::port::PayeeFailure::TIMEOUT)),
            live_set(),
        ] {
            assert!(!passes(Some(receipt()), Some(closed)));
        }
        let ended = open().attach(&SetComplete).detach::<ecs_core::Systems>();
        assert!(passes(Some(receipt()), Some(ended)), "a set that has ended is no set");
    }
}
