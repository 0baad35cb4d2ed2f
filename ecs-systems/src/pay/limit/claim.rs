//! Row 22.

use crate::{
    components::{
        Amount, ClaimFacts, Claimed, Destination, FeePaid, IdempotencyKey, InvoicePaymentSecret,
        PaidPreimage, PayHash, Replayed, Status,
    },
    entropy::draw_63_bits,
    flow,
    port::{Books, Claim, ClaimState, LedgerEntry, LedgerError, PaymentRef},
    records::RecordEntry,
    refusal::{PAY_IN_PROGRESS, PAY_RHASH_ALREADY_USED, from_ledger},
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Id, Inputs, On, Refusal, Step, SystemSpec, Systems};
use payecs_units::GroupId;

/// Makes the hash this payment's own.
pub const CLAIM_HASH: SystemSpec = SystemSpec {
    name: "lightningd:claim_hash",
    required: &[
        "lightningd:main-payment",
        "lightningd:payment_hash",
        "lightningd:destination",
        "lightningd:amount",
        "lightningd:feebudget",
    ],
    disallowed: &[
        "lightningd:claim",
        "lightningd:invoice:unchecked",
        "lightningd:invoice:amount_msat",
        "lightningd:partial",
        "lightningd:error",
        "lightningd:failing",
        "lightningd:preimage",
    ],
    attaches: &[
        "lightningd:claim",
        "lightningd:status",
        "lightningd:preimage",
        "lightningd:fee",
        "lightningd:replayed",
    ],
    detaches: &[],
    refuses: &[-32602, PAY_IN_PROGRESS, PAY_RHASH_ALREADY_USED],
    does: "claims the hash by a durable compare-and-set; what was paid before is answered again",
};

type Reads<'w> = (
    &'w Id,
    &'w Systems,
    &'w PayHash,
    &'w Destination,
    &'w Amount,
    Option<&'w InvoicePaymentSecret>,
    Option<&'w IdempotencyKey>,
);

pub(crate) fn claim_hash(
    In(entity): On,
    reads: Query<Reads<'_>>,
    inputs: Res<Inputs>,
    books: Res<Books>,
) -> Answer {
    let (id, systems, hash, destination, amount, secret, key) = reads.get(entity)?;
    require_whole_flow(systems)?;
    let group_id = GroupId(draw_63_bits(&inputs, "group", id.0));
    let claim = Claim {
        payment: PaymentRef { payment_hash: hash.0, group_id },
        entity: id.0,
        destination: destination.0,
        amount_msat: amount.0,
        idempotency_key: key.map(|key| key.text().into_owned()),
    };
    if let Some(earlier) =
        claim.idempotency_key.as_deref().and_then(|key| books.0.claim_of_key(key))
        && !earlier.same_intent(&claim)
    {
        let payment_hash = earlier.payment.payment_hash;
        return Err(from_ledger(&LedgerError::KeyUsed { payment_hash }));
    }
    match books.0.claim(&hash.0) {
        Some((earlier, ClaimState::Complete { preimage, fee_msat }))
            if earlier.same_intent(&claim) =>
        {
            return Ok(Step::advance()
                .attach(&Replayed)
                .attach(&FeePaid(fee_msat))
                .attach(&PaidPreimage(preimage)));
        }
        Some((earlier, state)) if state != ClaimState::Failed => {
            return Err(from_ledger(&conflict(&earlier, &claim, &state)));
        }
        _ => {}
    }
    let facts = ClaimFacts { claim: claim.clone(), payment_secret: secret.map(|secret| secret.0) };
    Ok(Step::advance()
        .attach(&Claimed(facts))
        .attach(&Status::deciding())
        .keep(&LedgerEntry::Claim(claim)))
}

/// Rows 22 to 34, P and S carry the money laws: a list without one of them is not run.
fn require_whole_flow(systems: &Systems) -> Result<(), Refusal> {
    let names = systems.names().unwrap_or_default();
    let listed = |name: &str| names.iter().any(|listed| **listed == *name);
    match flow::money_systems().find(|name| !listed(name)) {
        None => Ok(()),
        Some(missing) => Err(Refusal::invalid(format!(
            "`lightningd:systems` lacks `{missing}`: put your Systems before or after the default \
             ones, leave none out"
        ))),
    }
}

fn conflict(earlier: &Claim, claim: &Claim, state: &ClaimState) -> LedgerError {
    if earlier.same_intent(claim) && *state == ClaimState::Open {
        return LedgerError::InProgress { entity: earlier.entity };
    }
    LedgerError::HashUsed { used_msat: earlier.amount_msat, destination: earlier.destination }
}

#[cfg(test)]
mod tests;
