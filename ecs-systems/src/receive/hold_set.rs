//! Row R7.

use super::{
    gathering::refuse,
    holds::{HeldSets, too_many},
};
use crate::{
    components::{Held, HeldFacts, Refusing, Set, SetHeld, SetReceived},
    effects::HOLD_TIMER,
    policy::Policy,
    port::{LedgerEntry, NodeView, PayeeFailure, SetShare},
    records::RecordEntry,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, EffectRequest, Id, On, Step, SystemSpec, Write};
use payecs_units::{BlockHeight, Blocks, Msat};

/// A hold ends when an HTLC of the set has no more blocks left than this: 12 that must be left when
/// it is settled, and 6 to settle it.
pub const HOLD_ENDS_BLOCKS: Blocks = Blocks(18);

/// Books a set that waits for a decision.
pub const HOLD_SET: SystemSpec = SystemSpec {
    name: "lightningd:hold_set",
    required: &["lightningd:set:complete", "lightningd:hold", "lightningd:set:received"],
    disallowed: &[
        "lightningd:set:held",
        "lightningd:refusing",
        "lightningd:failing",
        "lightningd:set:settling",
        "lightningd:settled",
    ],
    attaches: &["lightningd:set:held", "lightningd:held", "lightningd:refusing"],
    detaches: &[],
    refuses: &[],
    does: "books a set as held; it is refused 18 blocks before an HTLC of it expires, and at once \
           where as many HTLCs are held as may be",
};

pub(crate) fn hold_set(
    In(entity): On,
    sets: Query<(&Id, &Set, &SetReceived)>,
    held: HeldSets,
    (node, policy): (Res<NodeView>, Res<Policy>),
) -> Answer {
    let (id, set, SetReceived(received)) = sets.get(entity)?;
    let earliest = received.htlcs.iter().map(|htlc| htlc.cltv_expiry.0).min().unwrap_or(0);
    let until_height = BlockHeight(earliest.saturating_sub(HOLD_ENDS_BLOCKS.0));
    if node.height >= until_height {
        return Ok(refuse("the set expires too soon to be held"));
    }
    if let Some(why) = too_many(received, &held, &policy) {
        tracing::info!(target: "payflow::receive", why, "set given back");
        // Its payer may try again, when others were decided.
        return Ok(Step::advance().attach(&Refusing(PayeeFailure::TIMEOUT)));
    }
    let share = |htlc: &crate::components::ReceivedHtlc| SetShare {
        htlc: htlc.htlc,
        amount_msat: htlc.amount_msat,
        own_msat: Msat::ZERO,
    };
    let htlcs = received.htlcs.iter().map(share).collect();
    let writes = vec![Write::here().attach(&Refusing(PayeeFailure::DETAILS))];
    Ok(Step::wait()
        .attach(&SetHeld)
        .attach(&Held(HeldFacts { amount_msat: received.amount_msat, until_height }))
        .keep(&LedgerEntry::HoldSet { set: set.reference(id.0), htlcs })
        .effect(EffectRequest::timer(HOLD_TIMER, u64::MAX, writes, "lightningd:held")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::{Hold, SetComplete},
        fixture::{AMOUNT, Bench, Ran},
        receive::{
            fixture::{bare_set, received, set, set_entity},
            refuse_set::FAIL_TO_REFUSE,
        },
    };
    use ecs_core::{EffectClass, ErrorObject, Failing, Systems};

    fn ran(height: u32) -> Ran {
        let write = bare_set().attach(&received(AMOUNT.0)).attach(&SetComplete).attach(&Hold);
        let mut bench = Bench::new().node(|node| node.height = BlockHeight(height));
        bench.run_on(set_entity(), &HOLD_SET, write)
    }

    #[test]
    fn a_held_set_is_booked_and_has_a_timer_at_a_height() {
        let ran = ran(800_081);
        assert_eq!(ran.names(), ["held", "set:held"]);
        let held = r#"{"amount_msat":100000,"until_height":800082}"#;
        assert_eq!(ran.attached("held"), Some(held));
        let Some(LedgerEntry::HoldSet { set: name, htlcs }) = ran.entries.first() else {
            panic!("{:?}", ran.entries);
        };
        assert_eq!((*name, htlcs[0].amount_msat), (set().reference(set_entity()), AMOUNT));
        let EffectClass::Timer { writes, .. } = &ran.effects[0].class else { panic!("a timer") };
        assert_eq!(*writes, [Write::here().attach(&Refusing(PayeeFailure::DETAILS))]);
    }

    #[test]
    fn a_set_that_fails_is_given_back_and_not_held() {
        let systems = Systems::listing([HOLD_SET.name, FAIL_TO_REFUSE.name]);
        let write = bare_set().attach(&received(AMOUNT.0)).attach(&SetComplete).attach(&Hold);
        let failing = Failing(ErrorObject::new(-1, "Not with us"));
        let mut bench = Bench::new().node(|node| node.height = BlockHeight(800_000));
        bench.put(set_entity(), write.attach(&failing).attach(&systems));
        bench.app.advance(set_entity(), None).unwrap();
        assert!(bench.app.get::<Refusing>(set_entity()).is_some());
        assert!(bench.app.get::<SetHeld>(set_entity()).is_none());
    }

    #[test]
    fn a_set_that_expires_within_18_blocks_is_not_held() {
        let ran = ran(800_082);
        assert_eq!(ran.names(), ["refusing"]);
        assert!(ran.entries.is_empty() && ran.effects.is_empty());
    }
}
