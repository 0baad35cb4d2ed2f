//! What a payment under way waits for, and until when.

use super::told::Wait;
use crate::components::{
    ApprovalAsked, Cancel, Claimed, Deadline, Part, PartsOpen, PlanningEntity, SameAs, SelfAsked,
    SetHeld,
};
use bevy_ecs::{entity::Entity, world::World};
use ecs_core::{Entities, Join, WakeAt};
use payecs_units::{BlockHeight, Timestamp};

/// Everything that is waited for, and that as a sentence.
pub(super) fn waits(world: &World, entity: Entity) -> (Vec<Wait>, String) {
    let it = world.entity(entity);
    let entities = world.resource::<Entities>();
    let deadline = it.get::<Deadline>().map(|deadline| deadline.0);
    let mut waits = Vec::new();
    if let Some(SameAs(other)) = it.get() {
        let words = format!("payment {other} with the same idempotency key to end");
        waits.push(Wait { what: "payment", entities: vec![*other], words, ..Wait::default() });
    }
    if let Some(join) = it.get::<Join>() {
        let joined: Vec<_> = join.entities.iter().copied().collect();
        let words = format!("some of {} joined Entities to end", joined.len());
        waits.push(Wait { what: "join", entities: joined, words, ..Wait::default() });
    }
    if let Some(WakeAt(at)) = it.get() {
        let until = Some(Timestamp(*at));
        let words = "the moment that it is to be woken at".to_owned();
        waits.push(Wait { what: "time", until, words, ..Wait::default() });
    }
    if let Some(ApprovalAsked(asked)) = it.get() {
        let words = format!(
            "an operator to approve {}, which is above {}",
            asked.requested_msat, asked.above_msat
        );
        let until = Some(asked.until);
        waits.push(Wait { what: "operator", until, words, ..Wait::default() });
    }
    if let Some(SelfAsked(set)) = it.get() {
        let held = entities.get(*set).and_then(|set| world.get::<SetHeld>(set));
        let words = match held {
            Some(_) => "somebody to settle or refuse the set that it pays ourselves by",
            None => "the set that it pays ourselves by",
        };
        let (entities, words) = (vec![*set], words.to_owned());
        waits.push(Wait { what: "set", entities, words, ..Wait::default() });
    }
    if let Some(plan) = it.get::<PlanningEntity>().filter(|plan| entities.get(plan.0).is_some()) {
        let (entities, words) = (vec![plan.0], "the planner to choose routes".to_owned());
        waits.push(Wait { what: "planner", entities, words, until: deadline, ..Wait::default() });
    }
    waits.extend(it.get::<PartsOpen>().map(|open| of_parts(world, entities, open)));
    let why = said(&waits, it.contains::<Claimed>());
    (waits, why + &then(deadline, it.contains::<Cancel>()))
}

/// Parts that are out, until the last of them expires.
fn of_parts(world: &World, entities: &Entities, PartsOpen(open): &PartsOpen) -> Wait {
    let expires = open.iter().filter_map(|part| {
        let Part(sent) = world.get::<Part>(entities.get(part.entity)?)?;
        sent.height.checked_add(sent.route.delay())
    });
    let until_height: Option<BlockHeight> = expires.max();
    let many = if open.len() == 1 { "1 part".to_owned() } else { format!("{} parts", open.len()) };
    let last = until_height.map(|height| format!(", block {} at the latest", height.0));
    Wait {
        what: "parts",
        entities: open.iter().map(|part| part.entity).collect(),
        until_height,
        words: format!("{many} to end{}", last.unwrap_or_default()),
        until: None,
    }
}

fn said(waits: &[Wait], is_claimed: bool) -> String {
    let words: Vec<String> = waits
        .iter()
        .map(|wait| match wait.until {
            Some(until) if wait.what != "planner" => format!("{}, until {until}", wait.words),
            Some(_) | None => wait.words.clone(),
        })
        .collect();
    match (words.is_empty(), is_claimed) {
        (false, _) => format!("It waits for {}.", words.join(", and for ")),
        (true, true) => "It is under way and waits for nothing of its own.".to_owned(),
        (true, false) => "It is a draft: nothing of it is paid or set aside.".to_owned(),
    }
}

fn then(deadline: Option<Timestamp>, is_cancelled: bool) -> String {
    match (deadline, is_cancelled) {
        (_, true) => " It was cancelled: nothing more is started.".to_owned(),
        (Some(until), false) => format!(" What fails is tried again until {until}."),
        (None, false) => String::new(),
    }
}
