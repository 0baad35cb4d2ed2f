//! Laws of the parts that we send.

use super::{
    LawWorld, WAITS_MAX,
    tools::{ask, is_final, list, next_status, ours_in_all, outcome, send},
};
use ecs_systems::{
    port::{NodeEvent, PartKey, PartRecord, PartStatus},
    units::PartId,
};

/// A part is told to be final, once at least, and asking gives the same status ever after.
///
/// # Panics
/// Where the law is broken.
pub fn every_part_becomes_final_and_stays_what_it_became(world: &mut dyn LawWorld) {
    for part in [world.payable(), world.unpayable()] {
        send(world, &part);
        let mut status = next_status(world, part.key);
        while !is_final(&status) {
            status = next_status(world, part.key);
        }
        for _ in 0..3 {
            assert_eq!(ask(world, part.key), status);
        }
    }
}

/// The preimage is the hash's, and our balances shrink by exactly what the status says.
///
/// # Panics
/// Where the law is broken.
pub fn a_paid_part_shows_its_preimage_and_costs_what_it_says(world: &mut dyn LawWorld) {
    let before = ours_in_all(world);
    let (part, refused) = (world.payable(), world.unpayable());
    send(world, &part);
    send(world, &refused);
    let PartStatus::Paid { preimage, spent_msat } = outcome(world, part.key) else {
        panic!("a payable part is paid");
    };
    assert!(!matches!(outcome(world, refused.key), PartStatus::Paid { .. }));
    assert_eq!(preimage.hash(), part.key.payment_hash);
    assert_eq!(spent_msat, part.route.sent());
    assert_eq!(ours_in_all(world).checked_add(spent_msat), Some(before));
}

/// Where parts are idempotent, the second submission changes nothing, before and after the end.
///
/// # Panics
/// Where the law is broken.
pub fn a_part_sent_twice_is_one_htlc(world: &mut dyn LawWorld) {
    if !world.node().view().capabilities.idempotent_parts {
        return;
    }
    let before = ours_in_all(world);
    let part = world.payable();
    send(world, &part);
    send(world, &part);
    let status = outcome(world, part.key);
    send(world, &part);
    assert_eq!(outcome(world, part.key), status);
    let known = list(world, 0, u32::MAX).into_iter().filter(|known| known.key == part.key);
    assert_eq!(known.count(), 1, "one part is listed");
    assert_eq!(ours_in_all(world).checked_add(part.route.sent()), Some(before), "paid once");
}

/// Asked before it is submitted the part never arrived; from then on that is never said again.
///
/// # Panics
/// Where the law is broken.
pub fn never_arrived_is_said_only_of_parts_that_were_not_submitted(world: &mut dyn LawWorld) {
    let part = world.payable();
    let before = ask(world, part.key);
    assert!(matches!(before, PartStatus::NeverArrived | PartStatus::Unknown));
    send(world, &part);
    outcome(world, part.key);
    let other = PartKey { part_id: PartId(part.key.part_id.0 + 1), ..part.key };
    assert!(matches!(ask(world, other), PartStatus::NeverArrived | PartStatus::Unknown));
}

/// Crash and ask: a final status outlives the engine.
///
/// # Panics
/// Where the law is broken.
pub fn after_a_crash_a_final_part_has_the_same_status(world: &mut dyn LawWorld) {
    for part in [world.payable(), world.unpayable()] {
        send(world, &part);
        let status = outcome(world, part.key);
        world.crash();
        assert_eq!(ask(world, part.key), status);
    }
}

/// Crash and ask: a part that was submitted is known, and becomes final without another word.
///
/// # Panics
/// Where the law is broken.
pub fn a_part_sent_right_before_a_crash_is_not_forgotten(world: &mut dyn LawWorld) {
    for part in [world.payable(), world.unpayable()] {
        send(world, &part);
        world.crash();
        let status = outcome(world, part.key);
        world.crash();
        assert_eq!(outcome(world, part.key), status);
    }
}

/// At one moment, the second poll is empty.
///
/// # Panics
/// Where the law is broken.
pub fn what_was_polled_is_not_polled_again(world: &mut dyn LawWorld) {
    let part = world.payable();
    send(world, &part);
    outcome(world, part.key);
    let now = world.now();
    world.node().poll(now);
    let again = world.node().poll(now);
    assert!(again.iter().all(|event| !matches!(event, NodeEvent::Part { .. })));
}

/// The list has each part once, in the order of `created_index`, without a gap, page by page.
///
/// # Panics
/// Where the law is broken.
pub fn parts_are_listed_once_and_in_pages(world: &mut dyn LawWorld) {
    let sent = [world.payable(), world.unpayable(), world.payable()];
    for part in &sent {
        send(world, part);
        outcome(world, part.key);
    }
    let mut seen: Vec<PartRecord> = Vec::new();
    for _ in 0..WAITS_MAX {
        let after = seen.last().map_or(0, |part| part.created_index);
        let page = list(world, after, 2);
        assert!(page.len() <= 2 && page.iter().all(|part| part.created_index > after));
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    let indices = seen.iter().map(|part| part.created_index);
    assert!(indices.eq(1..=sent.len() as u64), "without a gap, from 1");
    for part in &sent {
        let found: Vec<_> = seen.iter().filter(|known| known.key == part.key).collect();
        let amounts = (part.route.amount(), part.route.sent());
        assert_eq!(found.len(), 1);
        let first = part.route.hops.first().map(|hop| hop.short_channel_id_dir.scid);
        assert_eq!(Some(found[0].short_channel_id), first);
        let payee = part.route.hops.last().map(|hop| hop.to);
        assert!(found[0].destination.is_none() || found[0].destination == payee);
        assert_eq!((found[0].amount_msat, found[0].sent_msat), amounts);
        assert!(is_final(&found[0].status));
    }
}
