use super::REMEMBERED;
use crate::{
    OpenError, PartState, PaymentTruth, Settings, SimNetwork, Syncing, audit_disk,
    fixture::{Desk, chain},
    open::tests::{act, disk, little, options},
};
use ecs_systems::{
    port::{NodeRequest, PartKey, PartStatus},
    units::{GroupId, Msat, PartId, PaymentHash},
};
use payecs_journal::MemoryDisk;
use payecs_planner::Rng;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Totals = BTreeMap<PaymentHash, PaymentTruth>;

fn totals(memory: &MemoryDisk) -> (Totals, SimNetwork) {
    let mut totals = Totals::new();
    let network = audit_disk(&disk(memory), &mut |hash, truth| {
        totals.entry(hash).or_default().add(truth);
    });
    (totals, network.unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn a_disk_tells_an_auditor_all_that_a_network_in_memory_knows(seed: u64) {
        let (memory, config) = (MemoryDisk::new(), little(seed));
        let opened = config.clone().open(&disk(&memory), &options(Syncing::Inline, 20_000));
        let mut kept = Desk::new(opened.unwrap().network);
        let mut free = Desk::new(SimNetwork::new(config).unwrap());
        for (desk, mut rng) in [(&mut kept, Rng::new(seed)), (&mut free, Rng::new(seed))] {
            (0..40).for_each(|step| act(desk, &mut rng, step));
        }
        prop_assert_eq!(&kept.heard, &free.heard);
        let expected = free.network.state().truth.payments.clone();
        prop_assert_eq!(kept.network.our_balance(), free.network.our_balance());
        let fork = memory.fork();
        fork.power_loss(seed);
        let (found, network) = totals(&fork);
        prop_assert_eq!(found, expected);
        prop_assert_eq!(network.our_balance(), free.network.our_balance());
        prop_assert_eq!(network.audit(), Ok(()));
    }
}

/// Payments one after the other; the key of each.
fn pay(desk: &mut Desk, count: usize) -> Vec<PartKey> {
    let one = |_| {
        let part = desk.part("carol", Msat(1_000));
        desk.send(&part);
        desk.run_ms(2_000);
        part.key
    };
    (0..count).map(one).collect()
}

fn asked(desk: &mut Desk, key: PartKey) -> PartStatus {
    desk.heard.clear();
    desk.submit(NodeRequest::AskPart(key));
    desk.run_ms(0);
    desk.told(key).pop().unwrap()
}

#[test]
fn what_is_over_leaves_memory_and_is_neither_denied_nor_lost() {
    let memory = MemoryDisk::new();
    let options = options(Syncing::Inline, 8_000);
    let opened = chain(Settings::default()).open(&disk(&memory), &options).unwrap();
    let mut desk = Desk::new(opened.network);
    let keys = pay(&mut desk, 2 * REMEMBERED);
    let (oldest, newest) = (keys[0], keys[keys.len() - 1]);
    let never = PartKey { group_id: GroupId(99), part_id: PartId(7), ..newest };
    for _ in 0..2 {
        assert_eq!(asked(&mut desk, oldest), PartStatus::Unknown);
        assert_eq!(asked(&mut desk, never), PartStatus::NeverArrived);
        assert!(matches!(asked(&mut desk, newest), PartStatus::Paid { .. }));
        {
            let state = desk.network.state();
            assert_eq!(state.ours.parts.len(), REMEMBERED);
            assert_eq!(state.ours.order.len(), REMEMBERED);
            assert!(state.truth.payments.is_empty() && state.flights.is_empty());
            assert!(state.invoices.is_empty(), "each is paid");
        }
        let now = desk.now;
        drop(desk);
        memory.power_loss(5);
        let opened = chain(Settings::default()).open(&disk(&memory), &options).unwrap();
        desk = Desk::new(opened.network);
        desk.run_until(now);
    }
    drop(desk);
    let (found, network) = totals(&memory);
    assert_eq!(found.len(), keys.len());
    let paid = |truth: &PaymentTruth| {
        let part = truth.parts.values().next().unwrap();
        (
            truth.received_in_all(),
            truth.sets_taken,
            truth.parts.len(),
            part.state == PartState::Paid,
        )
    };
    assert!(found.values().all(|truth| paid(truth) == (Msat(1_000), 1, 1, true)));
    let spent: u64 = found.values().map(|truth| truth.spent().0).sum();
    assert_eq!(network.our_balance()[0].1, Msat(500_000_000 - spent));
}

#[test]
fn a_disk_without_a_network_has_nothing_to_audit() {
    let memory = MemoryDisk::new();
    let found = audit_disk(&disk(&memory), &mut |_, _| {});
    assert!(matches!(found, Err(OpenError::NoNetwork)), "{found:?}");
    assert_eq!(memory.files(), Vec::<String>::new());
}
