//! Row R3.

use super::{
    gathering::{Gathering, LiveSets, gathering, payable, refuse},
    sets::list_of,
};
use crate::{
    components::{
        Hold, Htlc, HtlcJoined, Paycode, ReceivedFacts, ReceivedHtlc, SecretKnown, Set, SetEnough,
        SetFacts, SetReceived, SetTimedOut,
    },
    effects::SET_TIMER,
    port::{IncomingHtlc, Receipt, ReceiptsBook},
    refusal::overflow,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{
    Answer, EffectRequest, Entities, EntityId, Id, Inputs, On, Refusal, Step, SystemSpec, Systems,
    Write,
};
use payecs_units::{GroupId, Timestamp};

/// How long a set waits for its other HTLCs, from its first one on: 70 s (BOLT 4 asks for 60 at
/// least).
pub const SET_MS_MAX: u64 = 70_000;
/// Most HTLCs in a set; one more is refused.
pub const SET_HTLCS_MAX: usize = 256;

/// Puts an HTLC into its set.
pub const JOIN_SET: SystemSpec = SystemSpec {
    name: "lightningd:join_set",
    required: &[
        "lightningd:htlc",
        "lightningd:htlc:matched",
        "lightningd:check_secret:ran",
        "lightningd:check_amounts:ran",
        "lightningd:check_cltv:ran",
    ],
    disallowed: &["lightningd:htlc:joined", "lightningd:refusing", "lightningd:failing"],
    attaches: &["lightningd:htlc:joined", "lightningd:refusing"],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "adds the HTLC to its set, or opens one; the HTLC's fate is its set's",
};

pub(crate) fn join_set(
    In(entity): On,
    htlcs: Query<(&Id, &Htlc, &Systems)>,
    sets: LiveSets,
    entities: Res<Entities>,
    (receipts, inputs): (Res<ReceiptsBook>, Res<Inputs>),
) -> Answer {
    let (id, Htlc(htlc), systems) = htlcs.get(entity)?;
    let now = Timestamp(inputs.now_ms);
    let set = gathering(&sets, &htlc.payment_hash);
    let receipt = match payable(&*receipts.0, &htlc.payment_hash, &set, now) {
        Ok(receipt) => receipt,
        Err(why) => return Ok(refuse(why)),
    };
    let mine = ReceivedHtlc {
        entity: id.0,
        htlc: htlc.htlc,
        amount_msat: htlc.amount_msat,
        cltv_expiry: htlc.cltv_expiry,
    };
    match set {
        Gathering::Open(set) => match set.received {
            Some(SetReceived(received)) if fits(received, htlc, set.set.0) => {
                let number = set.id.0;
                let amount = received.amount_msat.checked_add(mine.amount_msat);
                let mut received = received.clone();
                received.amount_msat = amount.ok_or_else(|| overflow("What was received"))?;
                received.htlcs.push(mine);
                Ok(joined(number, added(Write::to(number), received, set.set.0)))
            }
            Some(_) | None => Ok(refuse("the set does not take the HTLC")),
        },
        Gathering::Absent => {
            let systems = list_of(&*receipts.0, &htlc.payment_hash, systems);
            open(mine, htlc, &receipt, (&systems, &entities, now))
        }
        Gathering::Closed => Ok(refuse("the set takes no more")),
    }
}

/// Whether another HTLC may be added: another may have joined since its amounts were checked.
fn fits(received: &ReceivedFacts, htlc: &IncomingHtlc, set: SetFacts) -> bool {
    htlc.total_msat == set.total_msat && received.htlcs.len() < SET_HTLCS_MAX
}

fn joined(set: EntityId, write: Write) -> Step {
    Step::stop().attach(&HtlcJoined(set)).detach::<Systems>().write(write).wake(set)
}

fn added(write: Write, received: ReceivedFacts, set: SetFacts) -> Write {
    let enough = (received.amount_msat >= set.total_msat).then_some(SetEnough);
    write.attach(&SetReceived(received)).attach_some(enough.as_ref())
}

/// A set of this one HTLC, with its timer.
fn open(
    mine: ReceivedHtlc,
    htlc: &IncomingHtlc,
    receipt: &Receipt,
    (systems, entities, now): (&Systems, &Entities, Timestamp),
) -> Answer {
    let number = entities.free().next().ok_or_else(|| Refusal::invalid("no entity id is free"))?;
    let set = SetFacts {
        payment_hash: htlc.payment_hash,
        group_id: GroupId(0),
        amount_msat: htlc.total_msat,
        total_msat: htlc.total_msat,
    };
    let amount_msat = mine.amount_msat;
    let received = ReceivedFacts { first_at: now, amount_msat, htlcs: vec![mine] };
    let hold = (receipt.hold || !receipt.preimage_known).then_some(Hold);
    let known = receipt.preimage_known.then_some(SecretKnown);
    let write = Write::to(number)
        .attach(&Set(set))
        .attach(&Paycode(receipt.clone()))
        .attach(systems)
        .attach_some(hold.as_ref())
        .attach_some(known.as_ref());
    let writes = vec![Write::here().attach(&SetTimedOut)];
    let at_ms = now.after_ms(SET_MS_MAX).0;
    let timer = EffectRequest::timer(SET_TIMER, at_ms, writes, "lightningd:set").on(number);
    Ok(joined(number, added(write, received, set)).effect(timer))
}

#[cfg(test)]
mod tests;
