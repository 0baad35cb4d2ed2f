//! Row R8b.

use super::settle_set::paid_receipt;
use crate::{
    components::{
        PaidPreimage, Parent, ReceivedFacts, SelfAsked, Set, SetLost, SetReceived, Settled,
    },
    port::{HtlcId, LedgerEntry, PaidReceipt, ReceiptsBook},
    records::{ReceiptLine, RecordEntry},
    refusal::overflow,
};
use bevy_ecs::{
    prelude::{In, Query, Res},
    query::QueryData,
};
use ecs_core::{Answer, Id, On, Refusal, Step, SystemSpec, Systems, Write};
use payecs_units::Msat;

/// Ends a set that is taken.
pub const SET_SETTLED: SystemSpec = SystemSpec {
    name: "lightningd:set_settled",
    required: &["lightningd:set:settling", "lightningd:set:claimed"],
    disallowed: &["lightningd:settled"],
    attaches: &["lightningd:settled"],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "posts what came in and settles the receipt; a payment to ourselves goes on; the set \
           ends",
};

/// A set that was taken.
#[derive(QueryData, Debug)]
pub(crate) struct Taken {
    id: &'static Id,
    set: &'static Set,
    parent: Option<&'static Parent>,
    preimage: &'static PaidPreimage,
    received: Option<&'static SetReceived>,
    lost: Option<&'static SetLost>,
}

pub(crate) fn set_settled(
    In(entity): On,
    sets: Query<Taken>,
    receipts: Res<ReceiptsBook>,
) -> Answer {
    let set = sets.get(entity)?;
    let mut step = Step::stop().attach(&Settled).detach::<Systems>();
    if let Some(parent) = set.parent {
        let paid = Write::to(parent.0).detach::<SelfAsked>();
        // Of a payment that went around, each part brings the preimage itself.
        let virtual_proof = set.received.is_none().then_some(set.preimage);
        step = step.write(paid.attach_some(virtual_proof)).wake(parent.0);
    }
    let Some(SetReceived(received)) = set.received else { return Ok(step) };
    for htlc in &received.htlcs {
        step = step.write(Write::to(htlc.entity).attach(&Settled));
    }
    let lost = set.lost.map_or_else(Vec::new, |lost| lost.0.clone());
    let amount_msat = claimed(received, &lost)?;
    let payment_hash = set.set.0.payment_hash;
    // Its payer is there where parts of ours came back.
    let circular = set.parent.is_some();
    let paid = PaidReceipt { circular, ..paid_receipt(&payment_hash, amount_msat, &receipts) };
    let reference = set.set.reference(set.id.0);
    Ok(step
        .receipt(&ReceiptLine::Settle { payment_hash, amount_msat })
        .keep(&LedgerEntry::ClaimSet { set: reference, lost, paid: Some(paid) }))
}

/// What is ours of a set.
fn claimed(received: &ReceivedFacts, lost: &[HtlcId]) -> Result<Msat, Refusal> {
    let ours = received.htlcs.iter().filter(|htlc| !lost.contains(&htlc.htlc));
    Msat::sum(ours.map(|htlc| htlc.amount_msat)).ok_or_else(|| overflow("What was received"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::{SetClaimed, SetSettling},
        fixture::{AMOUNT, Bench, PREIMAGE, here, payment},
        port::{Receipt, ReceiptState},
        receive::fixture::{bare_set, receipt, received, set, set_entity},
    };
    use ecs_core::EntityId;

    fn taken() -> Write {
        let write = bare_set().attach(&SetSettling).attach(&SetClaimed);
        write.attach(&PaidPreimage(PREIMAGE))
    }

    fn payer() -> EntityId {
        EntityId::new(9).unwrap()
    }

    fn asking() -> Write {
        here().attach(&SelfAsked(set_entity())).attach(&Systems::listing(["acme:none"]))
    }

    fn paid(amount_msat: Msat, circular: bool) -> Option<PaidReceipt> {
        Some(PaidReceipt { amount_msat, circular, label: None })
    }

    fn releasing() -> Bench {
        Bench::new().receipt(Receipt { state: ReceiptState::Settling, ..receipt() })
    }

    #[test]
    fn a_set_without_a_channel_gives_its_preimage_to_the_payment_and_ends() {
        let mut bench = Bench::new().with(payer(), asking());
        let ran = bench.run_on(set_entity(), &SET_SETTLED, taken().attach(&Parent(payer())));
        assert_eq!(ran.names(), ["settled", "systems"]);
        assert!(ran.detached_from(payer(), "self:asked"));
        assert_eq!(bench.app.get::<PaidPreimage>(payer()), Some(&PaidPreimage(PREIMAGE)));
        assert!(ran.entries.is_empty(), "booked once, when it was judged");
        assert_eq!(bench.woken()[0], payer());
    }

    #[test]
    fn a_set_over_channels_is_posted_and_its_receipt_paid_in_one_record() {
        let mut bench = releasing();
        let ran = bench.run_on(set_entity(), &SET_SETTLED, taken().attach(&received(AMOUNT.0)));
        assert_eq!(
            (ran.names(), ran.names_on(payment())),
            (vec!["settled", "systems"], vec!["settled"])
        );
        let name = set().reference(set_entity());
        let entry =
            LedgerEntry::ClaimSet { set: name, lost: Vec::new(), paid: paid(AMOUNT, false) };
        assert_eq!(ran.entries, [entry]);
        let shelved = bench.shelf.0.lock().unwrap();
        assert_eq!(shelved.settled, [(PREIMAGE.hash(), AMOUNT)]);
    }

    #[test]
    fn what_the_node_lost_is_neither_posted_nor_paid() {
        let lost = vec![received(1).0.htlcs[0].htlc];
        let write = taken().attach(&received(AMOUNT.0)).attach(&SetLost(lost.clone()));
        let mut bench = releasing();
        let ran = bench.run_on(set_entity(), &SET_SETTLED, write);
        let name = set().reference(set_entity());
        let entry = LedgerEntry::ClaimSet { set: name, lost, paid: paid(Msat::ZERO, false) };
        assert_eq!(ran.entries, [entry]);
        assert_eq!(bench.shelf.0.lock().unwrap().settled, [(PREIMAGE.hash(), Msat::ZERO)]);
    }

    #[test]
    fn a_circular_payment_goes_on_and_gets_its_preimage_from_its_parts() {
        let write = taken().attach(&received(AMOUNT.0)).attach(&Parent(payer()));
        let mut bench = releasing().with(payer(), asking());
        let ran = bench.run_on(set_entity(), &SET_SETTLED, write);
        assert_eq!(ran.names_on(payer()), ["self:asked"]);
        let set = set().reference(set_entity());
        let entry = LedgerEntry::ClaimSet { set, lost: Vec::new(), paid: paid(AMOUNT, true) };
        assert_eq!(ran.entries, [entry]);
        assert_eq!(bench.woken()[0], payer());
    }
}
