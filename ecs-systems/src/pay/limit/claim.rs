//! Row 22.

mod request;

pub use request::NOT_ASKED_FOR;

use super::cancel;
use crate::{
    components::{
        Amount, Cancel, ClaimFacts, Claimed, Destination, FeePaid, IdempotencyKey,
        InvoicePaymentSecret, LedgerRef, PaidParts, PaidPreimage, PartsPaid, PayHash, Replayed,
        SameAs, Status,
    },
    entropy::draw_63_bits,
    flow,
    pay::settle::settle::reference_of,
    policy::Intake,
    port::{Books, Claim, ClaimState, LedgerEntry, LedgerError, PaymentRef},
    records::RecordEntry,
    refusal::{
        HISTORY_OPENING, HISTORY_UNREADABLE, INTAKE_CLOSED, PAY_IN_PROGRESS,
        PAY_RHASH_ALREADY_USED, PAY_UNSPECIFIED_ERROR, from_ledger,
    },
};
use bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{
    Answer, Failing, Given, Id, Inputs, Join, JoinAllOrAny, JoinMode, On, Refusal, Step,
    SystemSpec, Systems,
};
use payecs_units::{GroupId, Msat, Preimage};

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
        "lightningd:parts:paid",
        "lightningd:ledger",
        "lightningd:failing",
        "lightningd:same-as",
        "lightningd:join",
        "lightningd:payment_hash",
    ],
    detaches: &["lightningd:same-as"],
    refuses: &[
        -32602,
        PAY_IN_PROGRESS,
        PAY_RHASH_ALREADY_USED,
        HISTORY_OPENING,
        HISTORY_UNREADABLE,
        INTAKE_CLOSED,
    ],
    does: "claims the hash by a durable compare-and-set; what was paid before, or tried with the \
           same idempotency key, is answered again; what runs with that key is waited for",
};

type Reads<'w> = (
    &'w Id,
    &'w Systems,
    &'w PayHash,
    &'w Destination,
    &'w Amount,
    Option<&'w InvoicePaymentSecret>,
    Option<&'w IdempotencyKey>,
    &'w Given,
    Has<Cancel>,
);

pub(crate) fn claim_hash(
    In(entity): On,
    reads: Query<Reads<'_>>,
    (inputs, intake): (Res<Inputs>, Res<Intake>),
    books: Res<Books>,
) -> Answer {
    let (id, systems, hash, destination, amount, secret, key, given, cancelled) =
        reads.get(entity)?;
    require_whole_flow(systems)?;
    let group_id = GroupId(draw_63_bits(&inputs, "group", id.0));
    let claim = Claim {
        payment: PaymentRef { payment_hash: hash.0, group_id },
        entity: id.0,
        destination: destination.0,
        amount_msat: amount.0,
        idempotency_key: key.map(|key| key.text().into_owned()),
        request: key.map(|_| request::request_hash(given)),
    };
    let refused = |error| from_ledger(&error);
    if let Some(key) = &claim.idempotency_key
        && let Some((earlier, state)) = books.0.claim_of_key(key).map_err(refused)?
    {
        return answer_of_key(key, &claim, (&earlier, &state), cancelled, &books);
    }
    match books.0.claim(&hash.0).map_err(refused)? {
        Some((earlier, ClaimState::Complete { preimage, fee_msat }))
            if earlier.same_intent(&claim) =>
        {
            return paid_before(&earlier, preimage, fee_msat, &books);
        }
        Some((earlier, state)) if state != ClaimState::Failed => {
            return Err(from_ledger(&conflict(&earlier, &claim, &state)));
        }
        _ => {}
    }
    intake.check()?;
    let facts = ClaimFacts { claim: claim.clone(), payment_secret: secret.map(|secret| secret.0) };
    Ok(Step::advance()
        .attach(&Claimed(facts))
        .attach(&Status::deciding())
        .keep(&LedgerEntry::Claim(claim)))
}

/// What a payment comes to whose key was used before: the end of that one, which it waits for; or
/// a refusal, where something else was asked for.
fn answer_of_key(
    key: &str,
    claim: &Claim,
    (earlier, state): (&Claim, &ClaimState),
    cancelled: bool,
    books: &Books,
) -> Answer {
    if !earlier.same_request(claim) {
        let payment_hash = earlier.payment.payment_hash;
        let idempotency_key = key.to_owned();
        return Err(from_ledger(&LedgerError::KeyUsed { idempotency_key, payment_hash }));
    }
    Ok(match *state {
        ClaimState::Open if cancelled => {
            Step::advance().attach(&SameAs(earlier.entity)).attach(&Failing(cancel::cancelled()))
        }
        ClaimState::Open => {
            let entities = [earlier.entity].into();
            let join = Join { entities, mode: JoinMode::Named(JoinAllOrAny::All) };
            Step::wait().attach(&SameAs(earlier.entity)).attach(&join)
        }
        ClaimState::Complete { preimage, fee_msat } => {
            // A System may have made another invoice of the same request.
            let hash = PayHash(earlier.payment.payment_hash);
            paid_before(earlier, preimage, fee_msat, books)?.attach(&hash)
        }
        ClaimState::Failed => replayed().attach(&Failing(failed_before(earlier, books)?)),
    })
}

fn replayed() -> Step {
    Step::advance().attach(&Replayed).detach::<SameAs>()
}

fn paid_before(earlier: &Claim, preimage: Preimage, fee_msat: Msat, books: &Books) -> Answer {
    let count = match end_of(earlier, books)? {
        Some(LedgerEntry::Complete { successful_parts, .. }) => successful_parts,
        Some(_) | None => 0,
    };
    let amount_msat = earlier.amount_msat;
    let parts = PaidParts { count, amount_msat, fee_msat, ..PaidParts::default() };
    let step = replayed()
        .attach(&FeePaid(fee_msat))
        .attach(&PaidPreimage(preimage))
        .attach(&LedgerRef(reference_of(&earlier.payment)));
    Ok(if count > 0 { step.attach(&PartsPaid(parts)) } else { step })
}

/// What the caller of a failed payment was told.
fn failed_before(earlier: &Claim, books: &Books) -> Result<Refusal, Refusal> {
    Ok(match end_of(earlier, books)? {
        Some(LedgerEntry::Fail { answer: Some(answer), .. }) => answer,
        Some(_) | None => {
            Refusal::new(PAY_UNSPECIFIED_ERROR, "The payment with this idempotency key has failed")
        }
    })
}

fn end_of(earlier: &Claim, books: &Books) -> Result<Option<LedgerEntry>, Refusal> {
    books.0.end_of(&earlier.payment).map_err(|error| from_ledger(&error))
}

/// Rows 22 to 34, P and S carry the money laws: a list without one of them is not run.
fn require_whole_flow(systems: &Systems) -> Result<(), Refusal> {
    let names = systems.names().unwrap_or_default();
    // Nearly all lists have them in the order of the default one.
    let mut behind = names.iter();
    let mut listed = |name: &str| {
        behind.any(|listed| **listed == *name) || names.iter().any(|listed| **listed == *name)
    };
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
