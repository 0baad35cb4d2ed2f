//! Rows R8 and R8b.

use crate::{
    components::{Claimed, PaidPreimage, Parent, SelfAsked, Set, SetClaimed, SetSettling, Settled},
    port::{LedgerEntry, ReceiptsBook, Verdict, VirtualHtlc},
    records::{RecordEntry, SettleReceipt},
    refusal::PAY_DESTINATION_PERM_FAIL,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Entities, EntityId, Inputs, On, Refusal, Step, SystemSpec, Systems, Write};
use payecs_units::{PaymentSecret, Timestamp};

/// Takes a complete set.
pub const SETTLE_SET: SystemSpec = SystemSpec {
    name: "lightningd:settle_set",
    required: &["lightningd:set:complete", "lightningd:secret-known"],
    disallowed: &[
        "lightningd:refusing",
        "lightningd:set:settling",
        "lightningd:settled",
        "lightningd:failing",
    ],
    attaches: &["lightningd:set:settling", "lightningd:set:claimed", "lightningd:preimage"],
    detaches: &[],
    refuses: &[PAY_DESTINATION_PERM_FAIL],
    does: "judges the set once more, books it and settles the receipt, in one record",
};

pub(crate) fn settle_set(
    In(entity): On,
    sets: Query<(&Set, &Parent)>,
    payments: Query<&Claimed>,
    (entities, receipts, inputs): (Res<Entities>, Res<ReceiptsBook>, Res<Inputs>),
) -> Answer {
    let (set, Parent(parent)) = sets.get(entity)?;
    let htlc = VirtualHtlc {
        payment_hash: set.0.payment_hash,
        amount_msat: set.0.amount_msat,
        total_msat: set.0.total_msat,
        payment_secret: secret_of(*parent, &payments, &entities),
    };
    match receipts.0.judge(&htlc, Timestamp(inputs.now_ms)) {
        Verdict::Refuse(why) => Err(Refusal::new(PAY_DESTINATION_PERM_FAIL, why)),
        Verdict::Settle(preimage) => Ok(Step::advance()
            .attach(&SetSettling)
            .attach(&SetClaimed)
            .attach(&PaidPreimage(preimage))
            .settle_receipt(&SettleReceipt {
                payment_hash: htlc.payment_hash,
                amount_msat: htlc.amount_msat,
            })
            .keep(&LedgerEntry::SelfPay { payment: set.payment(), amount_msat: htlc.amount_msat })),
    }
}

fn secret_of(
    parent: EntityId,
    payments: &Query<&Claimed>,
    entities: &Entities,
) -> Option<PaymentSecret> {
    payments.get(entities.get(parent)?).ok()?.0.payment_secret
}

/// Ends a set that is taken.
pub const SET_SETTLED: SystemSpec = SystemSpec {
    name: "lightningd:set_settled",
    required: &["lightningd:set:settling", "lightningd:set:claimed"],
    disallowed: &["lightningd:settled"],
    attaches: &["lightningd:settled"],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "gives the preimage to our own payment; the set ends",
};

pub(crate) fn set_settled(In(entity): On, sets: Query<(&Parent, &PaidPreimage)>) -> Answer {
    let (Parent(parent), preimage) = sets.get(entity)?;
    let paid = Write::to(*parent).attach(preimage).detach::<SelfAsked>();
    Ok(Step::stop().attach(&Settled).detach::<Systems>().write(paid).wake(*parent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::{SecretKnown, SetComplete},
        fixture::{AMOUNT, Bench, NOW_MS, PREIMAGE, child, claim, here, payment, set},
        port::{LedgerError, Receipt, ReceiptState},
    };
    use ecs_core::Write as Writes;

    fn bench() -> Bench {
        let parent = here()
            .attach(&Claimed(claim()))
            .attach(&SelfAsked(child()))
            .attach(&Systems::listing(["acme:none"]));
        Bench::new().with(payment(), parent)
    }

    fn receipt(state: ReceiptState) -> Receipt {
        let (payment_hash, expires_at) = (PREIMAGE.hash(), Timestamp(NOW_MS + 1));
        Receipt { payment_hash, amount_msat: Some(AMOUNT), expires_at, state }
    }

    fn complete() -> Writes {
        here()
            .attach(&Set(set()))
            .attach(&Parent(payment()))
            .attach(&SetComplete)
            .attach(&SecretKnown)
    }

    #[test]
    fn a_set_is_judged_booked_and_its_receipt_settled_in_one_record() {
        let mut bench = bench().receipt(receipt(ReceiptState::Unpaid));
        let ran = bench.run_on(child(), &SETTLE_SET, complete());
        assert_eq!(ran.names_on(child()), ["preimage", "set:claimed", "set:settling"]);
        let payment_ref = claim().claim.payment;
        assert_eq!(
            ran.entries,
            [LedgerEntry::SelfPay { payment: payment_ref, amount_msat: AMOUNT }]
        );
        let shelved = bench.shelf.0.lock().unwrap();
        assert_eq!(shelved.settled, [(PREIMAGE.hash(), AMOUNT)]);
        assert!(ran.names_on(payment()).is_empty(), "the payment hears of it in the next record");
    }

    #[test]
    fn a_set_whose_receipt_is_no_longer_payable_is_refused() {
        for state in [None, Some(ReceiptState::Paid), Some(ReceiptState::Cancelled)] {
            let mut bench = bench();
            if let Some(state) = state {
                bench = bench.receipt(receipt(state));
            }
            let ran = bench.run_on(child(), &SETTLE_SET, complete());
            assert_eq!(ran.code(), Some(PAY_DESTINATION_PERM_FAIL), "{state:?}");
            assert!(ran.entries.is_empty() && bench.shelf.0.lock().unwrap().settled.is_empty());
        }
    }

    #[test]
    fn books_that_refuse_leave_the_receipt_unpaid() {
        let error = LedgerError::Invariant { what: "no".to_owned() };
        let mut bench = bench().receipt(receipt(ReceiptState::Unpaid)).refusing(error);
        let ran = bench.run_on(child(), &SETTLE_SET, complete());
        assert_eq!((ran.code(), ran.names_on(child())), (Some(2320), vec!["failing"]));
        assert!(bench.shelf.0.lock().unwrap().settled.is_empty());
    }

    #[test]
    fn a_taken_set_gives_its_preimage_to_the_payment_and_ends() {
        let write =
            complete().attach(&SetSettling).attach(&SetClaimed).attach(&PaidPreimage(PREIMAGE));
        let mut bench = bench();
        let ran = bench.run_on(child(), &SET_SETTLED, write);
        assert_eq!(ran.names_on(child()), ["settled", "systems"]);
        assert!(ran.detached_from(payment(), "self:asked"));
        assert_eq!(bench.app.get::<PaidPreimage>(payment()), Some(&PaidPreimage(PREIMAGE)));
        assert!(ran.entries.is_empty(), "booked once, when it was judged");
        assert_eq!(bench.woken()[0], payment());
    }
}
