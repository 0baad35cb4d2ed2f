//! An engine that goes on from an old backup, and what was paid to it.

use crate::{
    journal::Durable,
    nets,
    receiving::{AMOUNT, PREIMAGE, SECRET, request},
    restore::restore,
};
use ecs_core::{EntityId, Write};
use ecs_systems::{
    components::{Hold, Set, SetHeld, SetSettling},
    units::Msat,
};
use node_sim::RemotePart;
use payflow_default::Reconciliation;

/// Carol pays us a half of it.
fn receive_half(durable: &Durable) {
    let (carol, now) = (durable.payer.node("carol"), durable.payer.now);
    let whole = RemotePart::whole(PREIMAGE.hash(), SECRET, AMOUNT);
    let half = whole.of_it(Msat(AMOUNT.0 / 2));
    durable.payer.network.pay_us(carol, half, now).expect("a way to us");
}

/// The set that the halves are joined in.
fn set(durable: &Durable) -> Option<EntityId> {
    let engine = durable.payer.driver.engine();
    engine.entities().into_iter().find(|id| engine.get::<Set>(*id).is_some())
}

fn is_settling(durable: &Durable) -> bool {
    let engine = durable.payer.driver.engine();
    set(durable).is_some_and(|set| {
        let claims = |effect: &ecs_core::Effect| effect.kind.contains("settle");
        engine.get::<SetSettling>(set).is_some() && engine.outstanding(set).iter().any(claims)
    })
}

/// Nothing is pending, and each channel has what is booked.
fn assert_agrees(durable: &mut Durable) {
    let done = durable.payer.driver.reconciliation();
    assert!(matches!(done, Reconciliation::Done(_)), "{done:?}");
    durable.run_for(120_000).expect("it lives");
    durable.payer.assert_channels_agree();
}

#[test]
fn what_was_settled_after_the_backup_is_booked_once() {
    let mut durable = Durable::new(&nets::diamond(nets::HALF));
    durable.issue(&request()).expect("it lives");
    receive_half(&durable);
    let (mut backups, mut settling) = (Vec::new(), 0);
    for moment in 0..200 {
        if moment == 50 {
            receive_half(&durable);
        }
        durable.run_for(10).expect("it lives");
        let now = is_settling(&durable);
        settling += u32::from(now);
        if now || moment % 10 == 0 {
            backups.push(durable.backup());
        }
    }
    durable.run_for(20_000).expect("it lives");
    assert!(settling > 1, "the preimage takes its time");
    for backup in &backups {
        restore(&mut durable, backup);
        assert_agrees(&mut durable);
    }
}

#[test]
fn a_set_that_was_held_at_the_backup_and_released_since_is_not_released_again() {
    let mut durable = Durable::new(&nets::diamond(nets::HALF));
    durable.issue(&request()).expect("it lives");
    receive_half(&durable);
    durable.run_for(5_000).expect("it lives");
    let held = set(&durable).expect("a half is here");
    durable.payer.tell(held, Write::here().attach(&Hold));
    receive_half(&durable);
    durable.run_for(5_000).expect("it lives");
    assert!(durable.payer.driver.engine().get::<SetHeld>(held).is_some());
    let backup = durable.backup();
    durable.payer.tell(held, Write::here().detach::<Hold>());
    durable.run_for(20_000).expect("it lives");
    restore(&mut durable, &backup);
    durable.payer.tell(held, Write::here().detach::<Hold>());
    assert_agrees(&mut durable);
}
