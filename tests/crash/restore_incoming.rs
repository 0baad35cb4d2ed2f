//! An engine that goes on from an old backup, and what was paid to it.

use crate::{
    journal::Durable,
    nets::{self, Channels},
    receiving::{self, AMOUNT, PREIMAGE, SECRET, request},
    restore::{restore, with_unknown},
};
use ecs_core::{EntityId, Write};
use ecs_systems::{
    components::{Circular, Hold, Set, SetHeld, SetSettling},
    port::PartStatus,
    units::Msat,
};
use ledger_store::ReceiptRequest;
use node_sim::{RemoteId, RemotePart, Script, SimBuilder, SimNetwork};
use payecs_journal::MemoryDisk;
use payflow_default::Reconciliation;

const LITTLE: Msat = Msat(10_000_000);

/// Carol pays us.
fn receive(durable: &Durable, part: RemotePart) -> RemoteId {
    let (carol, now) = (durable.payer.node("carol"), durable.payer.now);
    durable.payer.network.pay_us(carol, part, now).expect("a way to us")
}

/// Carol pays us a half of it.
fn receive_half(durable: &Durable) -> RemoteId {
    let whole = RemotePart::whole(PREIMAGE.hash(), SECRET, AMOUNT);
    receive(durable, whole.of_it(Msat(AMOUNT.0 / 2)))
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

/// One way to carol.
fn line() -> SimNetwork {
    let builder = ["alice", "bob", "carol"].iter();
    let builder = builder.fold(SimBuilder::new(1).us("alice"), |builder, name| builder.node(name));
    let builder = builder.even("alice", "bob", 0).even("bob", "carol", 0);
    builder.build().expect("a network")
}

#[test]
fn the_channel_of_an_unknown_part_is_compared_once_it_is_known() {
    for failed_balances in [0, 3] {
        let mut durable = Durable::new(&line());
        let (_, backup) = with_unknown(&mut durable, 6);
        let wanted = ReceiptRequest { amount_msat: Some(LITTLE), ..request() };
        durable.issue(&wanted).expect("it lives");
        receive(&durable, RemotePart::whole(PREIMAGE.hash(), SECRET, LITTLE));
        durable.run_for(20_000).expect("it lives");
        restore(&mut durable, &backup);
        let blocked = durable.payer.driver.reconciliation();
        let Reconciliation::Blocked(report) = blocked else { panic!("{blocked:?}") };
        assert_eq!((report.uncompared.len(), report.adjusted.len()), (1, 0), "{report:?}");
        durable.payer.troubles.open().failed_balances = failed_balances;
        durable.run_for(200_000).expect("it lives");
        let done = durable.payer.driver.reconciliation();
        let Reconciliation::Done(report) = done else { panic!("{done:?}") };
        assert_eq!((report.uncompared.len(), report.adjusted.len()), (0, 1), "{report:?}");
        durable.run_for(1_800_000).expect("it lives");
        assert_agrees(&mut durable);
    }
}

/// A set that is held at the backup, and released a moment before the engine is lost; the first
/// words on its HTLCs are lost with it.
fn released(lost_words: u32, later_ms: u64) -> (Durable, MemoryDisk, Vec<RemoteId>) {
    let mut durable = Durable::new(&nets::diamond(nets::HALF));
    durable.issue(&request()).expect("it lives");
    let first = receive_half(&durable);
    durable.run_for(5_000).expect("it lives");
    let held = set(&durable).expect("a half is here");
    durable.payer.tell(held, Write::here().attach(&Hold));
    let second = receive_half(&durable);
    durable.run_for(5_000).expect("it lives");
    let backup = durable.backup();
    durable.payer.troubles.open().lost_words = lost_words;
    durable.payer.tell(held, Write::here().detach::<Hold>());
    durable.run_for(later_ms).expect("it lives");
    durable.payer.troubles.open().lost_words = 0;
    (durable, backup, vec![first, second])
}

#[test]
fn what_was_released_since_is_waited_for_and_never_given_back_by_half() {
    let mut on_their_channels = 0;
    for (lost_words, later_ms) in [(0, 0), (0, 1), (0, 20), (0, 10_000), (1, 1), (1, 20)] {
        let (mut durable, backup, halves) = released(lost_words, later_ms);
        let paid = |durable: &Durable, id| {
            let status = durable.payer.network.remote_status(id);
            matches!(status, Some(PartStatus::Paid { preimage: PREIMAGE, .. }))
        };
        on_their_channels += halves.iter().filter(|id| !paid(&durable, **id)).count();
        restore(&mut durable, &backup);
        assert_agrees(&mut durable);
        for id in halves {
            assert!(paid(&durable, id), "{lost_words} lost, {later_ms} ms later");
        }
    }
    assert!(on_their_channels > 3, "{on_their_channels} were on their channels");
}

#[test]
fn a_part_of_a_payment_around_that_is_being_settled_opens_the_intake_once_it_is_known() {
    let network = nets::diamond(nets::HALF);
    let invoice = receiving::invoice(&network);
    let mut durable = Durable::new(&network);
    durable.issue(&request()).expect("it lives");
    let id = durable.pay_with(&invoice, Write::here().attach(&Circular)).expect("it lives");
    while !is_settling(&durable) {
        durable.run_for(1).expect("it lives");
    }
    let backup = durable.backup();
    let key = durable.payer.part(id, 1);
    durable.payer.script(Script::AnswerUnknown { key, times: 6 });
    durable.payer.script(Script::LoseOutcome { key });
    restore(&mut durable, &backup);
    let blocked = durable.payer.driver.reconciliation();
    let Reconciliation::Blocked(report) = blocked else { panic!("{blocked:?}") };
    assert_eq!(report.unknown, [key].into(), "{report:?}");
    durable.run_for(200_000).expect("it lives");
    assert_agrees(&mut durable);
    assert_eq!(durable.payer.outcome(id).status, "complete");
}

#[test]
fn a_channel_is_not_compared_while_a_set_on_it_is_being_settled() {
    let mut durable = Durable::new(&line());
    durable.issue(&ReceiptRequest { amount_msat: Some(LITTLE), ..request() }).expect("it lives");
    durable.payer.troubles.open().lost_words = 2;
    for _ in 0..2 {
        let whole = RemotePart::whole(PREIMAGE.hash(), SECRET, LITTLE);
        receive(&durable, whole.of_it(Msat(LITTLE.0 / 2)));
    }
    let (_, backup) = with_unknown(&mut durable, 5);
    assert!(is_settling(&durable), "both words were lost");
    // That one of them is off its channel is heard only after the part is known.
    durable.payer.troubles.open().lost_resolutions = 1;
    restore(&mut durable, &backup);
    durable.run_for(1_800_000).expect("it lives");
    assert_agrees(&mut durable);
    let Reconciliation::Done(report) = durable.payer.driver.reconciliation() else { panic!() };
    assert!(report.adjusted.is_empty(), "what was settled is income: {report:?}");
}
