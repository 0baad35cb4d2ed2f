//! Row 26.

use crate::{
    components::{
        Claimed, Hold, Parent, Refusing, SecretKnown, SelfAsked, Set, SetComplete, SetFacts, Total,
    },
    port::{Offered, PayeeFailure, ReceiptsBook, Verdict},
    receive::sets::list_of,
    refusal::PAY_DESTINATION_PERM_FAIL,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Entities, Id, Inputs, On, Refusal, Step, SystemSpec, Systems, Write};
use payecs_units::Timestamp;

/// Pays ourselves without a channel.
pub const SELF_PAY: SystemSpec = SystemSpec {
    name: "lightningd:self_pay",
    required: &["lightningd:policy:passed", "lightningd:to-self"],
    disallowed: &["lightningd:self:asked", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:self:asked"],
    detaches: &[],
    refuses: &[PAY_DESTINATION_PERM_FAIL],
    does: "opens a set with one virtual HTLC; its end is this payment's",
};

type Reads<'w> = (&'w Id, &'w Claimed, &'w Systems, Option<&'w Total>);

pub(crate) fn self_pay(
    In(entity): On,
    payments: Query<Reads<'_>>,
    entities: Res<Entities>,
    receipts: Res<ReceiptsBook>,
    inputs: Res<Inputs>,
) -> Answer {
    let (id, Claimed(facts), systems, total) = payments.get(entity)?;
    let amount = facts.claim.amount_msat;
    let offered = Offered {
        payment_hash: facts.payment_hash(),
        amount_msat: amount,
        total_msat: total.map_or(amount, |total| total.0),
        payment_secret: facts.payment_secret,
    };
    let set = Set(SetFacts {
        payment_hash: offered.payment_hash,
        group_id: facts.group_id(),
        amount_msat: amount,
        total_msat: offered.total_msat,
    });
    let number = entities.free().next().ok_or_else(|| Refusal::invalid("no entity id is free"))?;
    let systems = list_of(&*receipts.0, &offered.payment_hash, systems);
    let opened =
        Write::to(number).attach(&set).attach(&Parent(id.0)).attach(&systems).attach(&SetComplete);
    let hold = receipts.0.find(&offered.payment_hash).is_some_and(|receipt| receipt.hold);
    let opened = opened.attach_some(hold.then_some(Hold).as_ref());
    let opened = match receipts.0.judge(&offered, Timestamp(inputs.now_ms)) {
        Verdict::Settle(_) => opened.attach(&SecretKnown),
        Verdict::Refuse(why) => {
            tracing::info!(target: "payflow::limit", entity = %id.0, why, "own receipt refused");
            opened.attach(&Refusing(PayeeFailure::DETAILS))
        }
    };
    Ok(Step::wait().attach(&SelfAsked(number)).write(opened).wake(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::{PolicyPassed, ToSelf},
        fixture::{AMOUNT, Bench, NOW_MS, PREIMAGE, child, claim, here},
        port::Receipt,
    };
    use ecs_core::Write as Writes;
    use payecs_units::Msat;

    fn passed() -> Writes {
        here().attach(&PolicyPassed).attach(&ToSelf).attach(&Claimed(claim()))
    }

    fn receipt(expires_at: u64) -> Receipt {
        Receipt { expires_at: Timestamp(expires_at), ..crate::receive::fixture::receipt() }
    }

    #[test]
    fn a_set_is_opened_that_will_settle_or_refuse() {
        for (receipt, verdict) in [
            (Some(receipt(NOW_MS + 1)), "secret-known"),
            (Some(receipt(NOW_MS)), "refusing"),
            (None, "refusing"),
        ] {
            let mut bench = Bench::new();
            if let Some(receipt) = receipt {
                bench = bench.receipt(receipt);
            }
            let ran = bench.run(&SELF_PAY, passed());
            assert_eq!(ran.attached("self:asked"), Some("2"));
            let mut names = vec!["parent", "set", "set:complete", "systems", verdict];
            names.sort_unstable();
            assert_eq!(ran.names_on(child()), names);
            assert_eq!(ran.attached_to(child(), "parent"), Some("1"));
            assert!(ran.entries.is_empty(), "nothing is booked before the set is judged again");
        }
    }

    #[test]
    fn a_receipt_that_waits_for_a_decision_is_held_here_too() {
        let mut bench = Bench::new().receipt(Receipt { hold: true, ..receipt(NOW_MS + 1) });
        bench.run(&SELF_PAY, passed());
        assert!(bench.app.get::<Hold>(child()).is_some());
    }

    #[test]
    fn the_set_is_worth_the_amount_of_a_total_that_may_be_more() {
        for (total, expected) in [(None, AMOUNT), (Some(Total(Msat(300_000))), Msat(300_000))] {
            let mut bench = Bench::new();
            bench.run(&SELF_PAY, passed().attach_some(total.as_ref()));
            let Set(facts) = bench.app.get::<Set>(child()).unwrap();
            assert_eq!((facts.amount_msat, facts.total_msat), (AMOUNT, expected));
            assert_eq!(facts.payment_hash, PREIMAGE.hash());
            assert_eq!(facts.group_id, claim().group_id());
        }
    }
}
