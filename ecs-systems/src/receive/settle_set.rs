//! Row R8.

use super::{
    check_cltv::blocks_left,
    gathering::refuse,
    own_parts::{Circulars, own_parts, shares},
};
use crate::{
    components::{
        Claimed, Htlc, PaidPreimage, Parent, ReceivedFacts, Refusing, SelfAsked, Set, SetClaimed,
        SetHeld, SetReceived, SetSettling,
    },
    effects::{HOLD_TIMER, SettleHtlcs},
    policy::Intake,
    port::{
        Books, LedgerEntry, NodeView, Offered, PaidReceipt, PayeeFailure, ReceiptsBook, Verdict,
    },
    records::{ReceiptLine, RecordEntry},
    refusal::PAY_DESTINATION_PERM_FAIL,
};
use bevy_ecs::{
    prelude::{Has, In, Query, Res},
    query::QueryData,
};
use ecs_core::{
    Answer, EffectRequest, Entities, EntityId, Id, Inputs, On, Refusal, Step, SystemSpec, Write,
};
use payecs_units::{BlockHeight, Blocks, Msat, PaymentHash, PaymentSecret, Preimage, Timestamp};

/// No preimage leaves when an HTLC of the set has no more blocks left than this: our node needs
/// them to take the HTLC on the chain, if its peer doesn't give it up.
pub const MARGIN_BLOCKS: Blocks = Blocks(12);

/// Takes a complete set.
pub const SETTLE_SET: SystemSpec = SystemSpec {
    name: "lightningd:settle_set",
    required: &["lightningd:set:complete", "lightningd:secret-known"],
    disallowed: &[
        "lightningd:hold",
        "lightningd:reject",
        "lightningd:refusing",
        "lightningd:set:settling",
        "lightningd:settled",
        "lightningd:failing",
    ],
    attaches: &[
        "lightningd:set:settling",
        "lightningd:set:claimed",
        "lightningd:preimage",
        "lightningd:parent",
        "lightningd:refusing",
    ],
    detaches: &[],
    refuses: &[PAY_DESTINATION_PERM_FAIL],
    does: "judges the set once more and books it in one record; then the preimage leaves for all \
           its HTLCs; while the books of a backup are reconciled, it is given back, or waits where \
           it is held",
};

/// A set that is complete.
#[derive(QueryData, Debug)]
pub(crate) struct Complete {
    id: &'static Id,
    set: &'static Set,
    parent: Option<&'static Parent>,
    received: Option<&'static SetReceived>,
    held: Has<SetHeld>,
}

/// What decides about a set.
type Against<'w> = (
    Res<'w, Entities>,
    Res<'w, ReceiptsBook>,
    Res<'w, Inputs>,
    Res<'w, NodeView>,
    Res<'w, Books>,
    Res<'w, Intake>,
);

pub(crate) fn settle_set(
    In(entity): On,
    sets: Query<Complete>,
    (payments, htlcs): (Query<&Claimed>, Query<&Htlc>),
    circulars: Circulars,
    (entities, receipts, inputs, node, books, intake): Against<'_>,
) -> Answer {
    let set = sets.get(entity)?;
    if intake.reconciling {
        // Who holds it has decided, and its timer bounds the wait. The payer of any other may try
        // again: the receipt stays payable.
        let refuse = Step::advance().attach(&Refusing(PayeeFailure::TIMEOUT));
        return Ok(if set.held { Step::wait() } else { refuse });
    }
    let Some(SetReceived(received)) = set.received else {
        let secret = set.parent.and_then(|parent| secret_of(parent.0, &payments, &entities));
        return settle_virtual(set.set, secret, &receipts, Timestamp(inputs.now_ms));
    };
    if !keeps_margin(received, node.height) {
        return Ok(refuse("an HTLC of the set expires too soon"));
    }
    let first = received.htlcs.first().and_then(|first| entities.get(first.entity));
    let secret = first.and_then(|first| htlcs.get(first).ok()?.0.payment_secret);
    let offered = Offered { amount_msat: received.amount_msat, ..offered(set.set, secret) };
    let preimage = judge(&offered, &receipts, received.first_at)?;
    let own = own_parts(&offered.payment_hash, &circulars, (&books, &entities));
    let htlcs = shares(&received.htlcs, own.as_ref());
    let own = own.filter(|_| htlcs.iter().any(|share| share.own_msat.0 > 0));
    let mut step = Step::wait()
        .attach(&SetSettling)
        .attach(&PaidPreimage(preimage))
        .cancel_timers(HOLD_TIMER)
        .receipt(&ReceiptLine::Release { payment_hash: offered.payment_hash })
        .effect(EffectRequest::with_reply(&SettleHtlcs {
            htlcs: htlcs.iter().map(|share| share.htlc).collect(),
        }));
    if let Some(own) = &own {
        let asked = Write::to(own.entity).attach(&SelfAsked(set.id.0));
        step = step.attach(&Parent(own.entity)).write(asked);
    }
    let payer = own.map(|own| own.payment);
    let entry = LedgerEntry::SettleSet { set: set.set.reference(set.id.0), htlcs, payer };
    Ok(step.keep(&entry))
}

/// A set that crosses no channel is settled in the record that judges it.
fn settle_virtual(
    set: &Set,
    secret: Option<PaymentSecret>,
    receipts: &ReceiptsBook,
    now: Timestamp,
) -> Answer {
    let offered = offered(set, secret);
    let preimage = judge(&offered, receipts, now)?;
    let (payment_hash, amount_msat) = (offered.payment_hash, offered.amount_msat);
    let paid = Some(paid_receipt(&payment_hash, amount_msat, receipts));
    Ok(Step::advance()
        .attach(&SetSettling)
        .attach(&SetClaimed)
        .attach(&PaidPreimage(preimage))
        .receipt(&ReceiptLine::Settle { payment_hash, amount_msat })
        .keep(&LedgerEntry::SelfPay { payment: set.payment(), amount_msat, paid }))
}

/// What the books say of a receipt that others pay.
pub(super) fn paid_receipt(
    payment_hash: &PaymentHash,
    amount_msat: Msat,
    receipts: &ReceiptsBook,
) -> PaidReceipt {
    let invoice = receipts.0.facts(payment_hash).and_then(|facts| facts.invoice);
    let label = invoice.map(|invoice| invoice.issued.label.clone());
    PaidReceipt { amount_msat, circular: false, label }
}

fn offered(set: &Set, payment_secret: Option<PaymentSecret>) -> Offered {
    let Set(facts) = set;
    Offered {
        payment_hash: facts.payment_hash,
        amount_msat: facts.amount_msat,
        total_msat: facts.total_msat,
        payment_secret,
    }
}

fn judge(offered: &Offered, receipts: &ReceiptsBook, at: Timestamp) -> Result<Preimage, Refusal> {
    match receipts.0.judge(offered, at) {
        Verdict::Refuse(why) => Err(Refusal::new(PAY_DESTINATION_PERM_FAIL, why)),
        Verdict::Settle(preimage) => Ok(preimage),
    }
}

/// Whether every HTLC of a set has blocks enough left for its preimage to leave.
#[must_use]
pub fn keeps_margin(received: &ReceivedFacts, height: BlockHeight) -> bool {
    received.htlcs.iter().all(|htlc| blocks_left(htlc.cltv_expiry, height) > MARGIN_BLOCKS)
}

fn secret_of(
    parent: EntityId,
    payments: &Query<&Claimed>,
    entities: &Entities,
) -> Option<PaymentSecret> {
    payments.get(entities.get(parent)?).ok()?.0.payment_secret
}

#[cfg(test)]
mod tests;
