//! What `payecs_explain` says of payments: why one failed and with what it would have gone, or what
//! it waits for.

mod told;
mod changes;
mod waits;
mod attempts;
mod gone;
#[cfg(test)]
mod tests;

use crate::{
    bolt11,
    components::{
        Amount, Claimed, Exclude, FeeBudget, InvoiceFeatures, MainPayment, PaidPreimage, RetryFor,
        SameAs,
    },
    port::NodeView,
};
use bevy_ecs::{entity::Entity, world::World};
use changes::{Given, changes, no_plan};
use ecs_core::{ErrorObject, Explainer, Failed, Failing, Id, Json, Systems};
use told::{Limited, Named, Told, sentence};

pub(crate) const PAYMENT: Explainer = Explainer {
    field: "payment",
    shape: r#"{"status": "draft", "pending", "failing", "failed" or "complete", "why",
        "code", "name", "meaning", "next", "final", "waits_for": [{"what": "parts", "planner",
        "operator", "payment", "join", "set" or "time", "entities": [id, …], "until",
        "until_height", "words"}, …], "changes": [{"what", "component", "from", "to", "with":
        [{"what", "component", "from", "to"}, …], "promised": bool, "words"}, …], "largest_msat",
        "limits": [{"short_channel_id_dir", "allows_msat", "limit": "fee_budget", "delay", "htlc",
        "knowledge", "capacity", "parts" or "excluded", "words"}, …], "attempts": {"rounds",
        "rounds_max", "parts_failed", "parts": [{"entity", "partid", "amount_msat", "fee_msat",
        "failcode", "failure", "erring_index", "erring_node", "short_channel_id_dir"}, …]},
        "known_by": "engine" or "books"}"#,
    doc: "Of a payment: `why` it failed, in a sentence, and which `changes` would have had it go, \
          each alone: `what` is a param of `pay`, `maxparts` or `time`, `component` what it is on \
          the Entity, and `with` what must be so beside it. `promised`: the planner found routes \
          with this change and nothing else changed, by what was known then; another change takes \
          away what was in the way, and nobody asked what is behind. `to` is null where it is not \
          known how much is needed. `limits` is what binds, most binding first: what a direction \
          `allows_msat` and by which `limit`; `largest_msat` could have gone. `attempts`: the \
          rounds, and of the parts that failed the last 100, with who erred and BOLT 4's name of \
          the failure. Of one under way: what it `waits_for`, and until when. A payment that was \
          collected is told from the books, if it is in their last 1000000 entries: then its \
          parts are counted alone; where they can't tell yet, or at all, the code is 2321 or 2322.",
    explain,
    recall: gone::recall,
};

fn explain(world: &World, entity: Entity) -> Option<Json> {
    let it = world.entity(entity);
    let id = it.get::<Id>().filter(|_| it.contains::<MainPayment>())?.0;
    let attempts = attempts::attempts(world, entity, id);
    let has_list = it.contains::<Systems>();
    let said = if let Some(Failed(error)) = it.get().filter(|_| !it.contains::<PaidPreimage>()) {
        failed(error, &given(world, entity))
    } else if it.contains::<PaidPreimage>() && !has_list {
        Told { status: "complete", why: "It is paid.".to_owned(), ..Told::default() }
    } else {
        under_way(world, entity)
    };
    Some(Json::of(&Told { attempts, known_by: "engine", ..said }))
}

/// One that failed with this.
fn failed(error: &ErrorObject, given: &Given) -> Told {
    let planned = no_plan(error).map(|(no_plan, _)| no_plan);
    let limits = planned.iter().flat_map(|no_plan| &no_plan.cut).map(Limited::from).collect();
    Told {
        status: "failed",
        why: sentence(&error.message),
        error: Some(Named::of(error)),
        changes: changes(error, given),
        largest_msat: planned.and_then(|no_plan| no_plan.largest_msat),
        limits,
        ..Told::default()
    }
}

fn under_way(world: &World, entity: Entity) -> Told {
    let it = world.entity(entity);
    let (waits_for, why) = waits::waits(world, entity);
    if it.contains::<PaidPreimage>() {
        let why = format!("The payee was paid. {why}");
        return Told { status: "pending", why, waits_for, ..Told::default() };
    }
    if let Some(Failing(error)) = it.get() {
        let said = failed(error, &given(world, entity));
        let why = format!("It fails once nothing of it is open: {} {why}", said.why);
        return Told { status: "failing", why, waits_for, ..said };
    }
    let is_claimed = it.contains::<Claimed>() || it.contains::<SameAs>();
    let status = if is_claimed { "pending" } else { "draft" };
    Told { status, why, waits_for, ..Told::default() }
}

fn given(world: &World, entity: Entity) -> Given {
    let it = world.entity(entity);
    let features = it.get::<InvoiceFeatures>().and_then(|features| features.0.as_str());
    let claimed = it.get::<Claimed>().map(|claimed| claimed.0.claim.amount_msat);
    Given {
        amount: claimed.or_else(|| it.get::<Amount>().map(|amount| amount.0)),
        fee_budget: it.get::<FeeBudget>().map(|budget| budget.0),
        exclude: it.get::<Exclude>().map(|exclude| exclude.0.clone()),
        retry_for_ms: it.get::<RetryFor>().map(RetryFor::milliseconds),
        delay_max: world.get_resource::<NodeView>().map(|node| node.delay_max),
        takes_parts: Some(features.is_some_and(|bits| bolt11::takes_multi_part(&bits))),
    }
}
