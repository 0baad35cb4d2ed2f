//! What must hold in every state.

use crate::{
    closed,
    machine::{Breach, Fate, Frozen, Machine, channels},
    payers, received, taken,
    third::{Does, THEIR_CODE, Third},
    world,
};
use ecs_core::{
    Effect, EffectClass, Engine, EntityId, Error, Failed, Failing, Json, Systems, SystemsFinal,
    WhenFrozen, WireComponent, Writable, Write, Writer,
};
use ecs_systems::{
    components::{
        Amount, Claimed, Destination, Part, PartsOpen, PartsPaid, PayHash, PlanningEntity,
        Replayed, Reservation, SelfAsked, Set, SetReceived, Status,
    },
    port::{Ledger, Receipts},
    units::{Msat, PaymentHash},
};
use ledger_store::Account;
use std::{collections::BTreeMap, sync::Arc};

/// Codes that say that the flow itself has lost its way.
const LOST: [(i32, &str); 5] = [
    (-32603, "no System reads what isn't there"),
    (2201, "no payment stalls"),
    (2202, "no System fires without a change"),
    (2203, "no System panics"),
    (2320, "the books refuse nothing of ours"),
];

/// Most Entities that two payments have in all rounds of a walk.
const ENTITIES_MAX: usize = 40;

pub(crate) type Judged = Result<(), Breach>;

fn breach(law: &'static str, what: String) -> Judged {
    Err(Breach { law, what })
}

/// Judges the state the machine is in, and notes what is frozen from now on.
pub(crate) fn judge(machine: &mut Machine) -> Judged {
    let entities = machine.app.entities().len();
    if entities > ENTITIES_MAX {
        return breach("no System fires without end", format!("there are {entities} Entities"));
    }
    freeze(machine)?;
    for entity in machine.app.entities() {
        rests_for_a_reason(machine, entity)?;
        not_lost(machine, entity)?;
    }
    for payment in machine.env.payments.clone() {
        spends_within_bounds(machine, payment)?;
        ends_once(machine, payment)?;
        fails_only_unpaid(machine, payment)?;
        ends_as_it_must(machine, payment)?;
    }
    taken::htlcs_are_true(machine)?;
    closed::nothing_is_taken_on(machine)?;
    paid_at_most_once(machine)?;
    received::judge(machine)?;
    let over = machine.situation.payers.is_none() || payers::is_over(machine);
    if over && machine.env.payments.iter().all(|payment| machine.has_ended(*payment)) {
        books_are_true(machine)?;
    }
    Ok(())
}

/// Inputs stay what they were when the hash was claimed.
fn freeze(machine: &mut Machine) -> Judged {
    for payment in machine.env.payments.clone() {
        let app = &machine.app;
        if app.get::<Claimed>(payment).is_none() && app.get::<Replayed>(payment).is_none() {
            continue;
        }
        says_what_is_claimed(app, payment)?;
        let Some(before) = machine.env.frozen.get(&payment).cloned() else {
            let frozen = inputs(app, payment);
            machine.env.frozen.insert(payment, frozen);
            continue;
        };
        meddling_is_refused(&mut machine.app, payment)?;
        let app = &machine.app;
        for (name, json) in before.iter() {
            let now = app.component(payment, name);
            if now.as_ref() != Some(json) {
                let what = format!("{payment}: `{name}` was {json}, is {now:?}");
                return breach("what is claimed is frozen", what);
            }
        }
    }
    Ok(())
}

/// The Components say the same as the claim.
fn says_what_is_claimed(app: &Engine, payment: EntityId) -> Judged {
    let Some(Claimed(facts)) = app.get::<Claimed>(payment) else { return Ok(()) };
    let claim = &facts.claim;
    let same = app.get::<Amount>(payment).is_some_and(|it| it.0 == claim.amount_msat)
        && app.get::<PayHash>(payment).is_some_and(|it| it.0 == claim.payment.payment_hash)
        && app.get::<Destination>(payment).is_some_and(|it| it.0 == claim.destination);
    let said = app.get::<Amount>(payment);
    let what = || format!("{payment}: {said:?}, claimed are {}", claim.amount_msat);
    if same { Ok(()) } else { breach("the Components say what is claimed", what()) }
}

/// Nobody changes, or ends, what is claimed.
fn meddling_is_refused(app: &mut Engine, payment: EntityId) -> Judged {
    let changed = Write::to(payment).attach(&Amount(Msat(1)));
    let mut frozen = |write| matches!(set(app, write), Err(Error::Frozen(_)));
    let no_list = Write::to(payment).detach::<Systems>();
    let no_hash = Write::to(payment).detach::<PayHash>();
    let refused = [changed, Write::end(payment), no_list, no_hash].map(&mut frozen);
    let law = "what is claimed is frozen";
    if refused == [true; 4] { Ok(()) } else { breach(law, format!("{payment}: {refused:?}")) }
}

fn set(app: &mut Engine, write: Write) -> Result<(), Error> {
    app.set_components(&Writer::Caller, &[write], &[])
}

/// The documented inputs of a payment that nobody may change any more.
fn inputs(app: &Engine, payment: EntityId) -> Frozen {
    let frozen = app.component_specs().filter(|spec| {
        let input = spec.writable == Writable::Callers && spec.when_frozen == WhenFrozen::Refused;
        (input && spec.name != "lightningd:systems") || spec.name == "lightningd:claim"
    });
    let read = |name: &str| Some((Arc::from(name), app.component(payment, name)?));
    Arc::new(frozen.filter_map(|spec| read(spec.name)).collect())
}

/// Nothing rests that nobody will ever wake.
fn rests_for_a_reason(machine: &Machine, entity: EntityId) -> Judged {
    let app = &machine.app;
    let Some(systems) = app.get::<Systems>(entity) else { return Ok(()) };
    let alive = |id: EntityId| app.get::<Systems>(id).is_some();
    let children = app.get::<PartsOpen>(entity);
    let part_waits = |part: EntityId| alive(part) && app.get::<Part>(part).is_some();
    let awaited = !app.outstanding(entity).is_empty()
        || app.invocation(entity).is_some()
        || app.get::<PlanningEntity>(entity).is_some_and(|plan| alive(plan.0))
        || app.get::<SelfAsked>(entity).is_some_and(|set| alive(set.0))
        || children.is_some_and(|open| open.0.iter().any(|part| part_waits(part.entity)));
    if awaited || is_stuck_draft(machine, entity, systems) {
        return Ok(());
    }
    let names: Vec<_> = app.components(entity).into_iter().map(|(name, _)| name).collect();
    breach("no payment stalls", format!("entity {entity} rests for nothing: {names:?}"))
}

/// A draft that nothing fits, where 2201 is recorded, or on which a third party's System waits: its
/// owner may change it.
pub(crate) fn is_stuck_draft(machine: &Machine, entity: EntityId, systems: &Systems) -> bool {
    let app = &machine.app;
    let draft = !app.is_frozen(entity) && app.get::<Failing>(entity).is_none();
    let rests = |third: &Third| matches!(third.does, Does::Wait | Does::Stop);
    draft && (list_key(&systems.to_json()) || machine.situation.third.iter().any(rests))
}

/// No Entity fails for a reason that is the flow's own.
fn not_lost(machine: &Machine, entity: EntityId) -> Judged {
    let app = &machine.app;
    let failing = app.get::<Failing>(entity).map(|failing| &failing.0);
    let failed = app.get::<Failed>(entity).map(|failed| &failed.0);
    for error in [failing, failed].into_iter().flatten() {
        let ours = !error.data.as_ref().is_some_and(|data| data.text().contains("acme:"));
        if let Some((_, law)) = LOST.iter().find(|(code, _)| *code == error.code && ours) {
            return breach(law, format!("entity {entity}: {} {}", error.code, error.message));
        }
    }
    Ok(())
}

fn sum(machine: &Machine, payment: EntityId, fates: &[Fate]) -> (u64, u64, usize) {
    let Some(Claimed(facts)) = machine.app.get::<Claimed>(payment) else { return (0, 0, 0) };
    let mine = machine.env.offers.iter().filter(|(key, offer)| {
        key.group_id == facts.group_id()
            && key.payment_hash == facts.payment_hash()
            && fates.contains(&offer.fate)
    });
    mine.fold((0, 0, 0), |(amount, fee, count), (_, offer)| {
        (amount + offer.amount_msat, fee + offer.fee_msat, count + 1)
    })
}

/// Never more is out or paid than the amount, and never more fees than the budget.
fn spends_within_bounds(machine: &Machine, payment: EntityId) -> Judged {
    let app = &machine.app;
    let (amount, fee, _) = sum(machine, payment, &[Fate::Open, Fate::Paid]);
    let Some(Claimed(facts)) = app.get::<Claimed>(payment) else { return Ok(()) };
    let Some(Reservation(reserved)) = app.get::<Reservation>(payment) else {
        let nothing = amount == 0;
        let what = format!("{payment}: {amount} msat are out without a reservation");
        return if nothing { Ok(()) } else { breach("what is spent was set aside", what) };
    };
    if Msat(amount) > facts.claim.amount_msat || reserved.amount_msat != facts.claim.amount_msat {
        let what = format!("{payment}: {amount} msat of {}", facts.claim.amount_msat);
        return breach("never more than the amount", what);
    }
    if Msat(fee) > reserved.fee_budget_msat {
        let what = format!("{payment}: {fee} msat of {}", reserved.fee_budget_msat);
        return breach("never more than the fee budget", what);
    }
    Ok(())
}

/// A payment is complete or failed, not both, once, and its list is kept.
fn ends_once(machine: &Machine, payment: EntityId) -> Judged {
    let app = &machine.app;
    let told = machine.env.ends.get(&payment).map_or(&[][..], Vec::as_slice);
    let status = app.get::<Status>(payment);
    let complete = status.is_some_and(|status| *status == Status::complete());
    let failed = status.is_some_and(|status| *status == Status::failed());
    let error = app.get::<Failed>(payment).is_some();
    let running = app.get::<Systems>(payment).is_some();
    let kept = app.get::<SystemsFinal>(payment).is_some();
    let failing = app.get::<Failing>(payment).is_some();
    let claimed = app.get::<Claimed>(payment).is_some();
    let given_up = !running && !claimed && status.is_none();
    let sound = if given_up || (!claimed && error && status.is_none()) {
        told.is_empty() && !kept
    } else if running {
        told.is_empty() && !complete && !failed && !error && !kept
    } else {
        told == [complete] && complete != failed && failed == error && kept && !failing
    };
    let what = || format!("{payment}: told {told:?}, status {status:?}, error {error}");
    if sound { Ok(()) } else { breach("a payment ends exactly once", what()) }
}

/// Nothing that failed is out, or paid.
fn fails_only_unpaid(machine: &Machine, payment: EntityId) -> Judged {
    let app = &machine.app;
    if !machine.has_ended(payment) {
        return Ok(());
    }
    taken::none_waits_at_the_end(machine, payment)?;
    let taken = taken::taken_msat(machine, None);
    let (_, _, open) = sum(machine, payment, &[Fate::Open]);
    let (_, _, paid) = sum(machine, payment, &[Fate::Paid]);
    let sets = app.entities().into_iter().filter(|set| {
        let of = app.get::<ecs_systems::components::Parent>(*set);
        app.get::<Set>(*set).is_some() && of.is_some_and(|parent| parent.0 == payment)
    });
    let sets: Vec<EntityId> = sets.collect();
    let set_runs = sets.iter().any(|set| app.get::<Systems>(*set).is_some());
    let lost = |set: &EntityId| app.get::<SetReceived>(*set).is_some() && taken == 0;
    let settled =
        |set: &EntityId| app.component(*set, "lightningd:settled").is_some() && !lost(set);
    let complete = machine.end_of(payment) == Some(0);
    let set_settled = sets.iter().any(settled);
    let replayed = app.get::<Replayed>(payment).is_some();
    if open > 0 || set_runs {
        return breach("no payment ends while a part is out", format!("{payment}: {open} open"));
    }
    if !complete && (paid > 0 || set_settled) {
        return breach("nothing that is paid has failed", format!("{payment}: {paid} parts paid"));
    }
    if complete && paid == 0 && !set_settled && !replayed {
        return breach("nothing is complete that nobody paid", format!("{payment}"));
    }
    Ok(())
}

/// In the default order a payment ends as its situation says, and what must not be paid is not
/// even tried.
fn ends_as_it_must(machine: &Machine, payment: EntityId) -> Judged {
    let ends = machine.situation.ends;
    let law = "a payment ends as it must";
    if !machine.situation.third.is_empty() {
        let codes = machine.situation.third.iter().flat_map(|third| third.does.codes());
        let theirs: Vec<i32> = codes.copied().chain([THEIR_CODE]).collect();
        let end = machine.end_of(payment).filter(|end| !ends.contains(end) && machine.in_order);
        let what = |end| format!("{payment}: {end}, not one of {ends:?} {theirs:?}");
        return end
            .filter(|end| !theirs.contains(end))
            .map_or(Ok(()), |end| breach(law, what(end)));
    }
    let other = machine.end_of(payment).filter(|end| !ends.contains(end));
    if let Some(end) = other.filter(|_| machine.in_order) {
        return breach(law, format!("{payment}: {end}, not one of {ends:?}"));
    }
    let tried = !machine.env.offers.is_empty() || machine.app.get::<Reservation>(payment).is_some();
    let may_try = ends.iter().any(|end| [0, 209].contains(end));
    let what = || format!("{payment}: set aside, or sent");
    if tried && !may_try { breach(law, what()) } else { Ok(()) }
}

/// A hash is paid by one payment only.
fn paid_at_most_once(machine: &Machine) -> Judged {
    let app = &machine.app;
    let mut payers: BTreeMap<PaymentHash, Vec<EntityId>> = BTreeMap::new();
    for payment in machine.env.payments.iter().copied() {
        let Some(Claimed(facts)) = app.get::<Claimed>(payment) else { continue };
        let (_, _, parts) = sum(machine, payment, &[Fate::Paid]);
        if parts > 0 || machine.end_of(payment) == Some(0) {
            payers.entry(facts.payment_hash()).or_default().push(payment);
        }
    }
    match payers.iter().find(|(_, payers)| payers.len() > 1) {
        None => Ok(()),
        Some((hash, payers)) => breach("a hash is paid once", format!("{hash} by {payers:?}")),
    }
}

/// Once all have ended: the books balance, nothing is set aside, and what they say was paid is what
/// the node says.
fn books_are_true(machine: &Machine) -> Judged {
    let books = machine.books.lock();
    if let Err(error) = books.verify() {
        return breach("the books balance", error.to_string());
    }
    for (account, balance) in books.trial_balance() {
        if balance.debits_pending_msat != Msat::ZERO || balance.credits_pending_msat != Msat::ZERO {
            return breach("nothing stays set aside", format!("{account}: {balance:?}"));
        }
    }
    let cost = |payment: &EntityId| machine.app.get::<PartsPaid>(*payment).map(|paid| paid.0);
    let costs = machine.env.payments.iter().filter_map(cost);
    let mut unbooked: u64 = costs.map(|cost| cost.unbooked_msat.0).sum();
    for (channel, opened) in channels(machine.world).into_iter().zip(machine.situation.opening_msat)
    {
        let paid = machine.env.offers.values().filter(|it| it.fate == Fate::Paid);
        let through = paid.filter(|it| it.channel == channel.0);
        let spent: u64 = through.map(|it| it.amount_msat + it.fee_msat + it.over_msat).sum();
        let balance = books.balance(&Account::Channel(channel).of("walk"));
        let told = balance.credits_posted_msat;
        let left_out = spent.checked_sub(told.0).and_then(|it| unbooked.checked_sub(it));
        unbooked = left_out.unwrap_or(unbooked);
        let came = opened + taken::taken_msat(machine, Some(channel.0));
        if left_out.is_none() || balance.debits_posted_msat != Msat(came) {
            let what = format!("{channel}: {told} in the books, {spent} msat at the node");
            return breach("the books say what was paid", what);
        }
    }
    if unbooked > 0 {
        let what = format!("{unbooked} msat are said to be in no books and are");
        return breach("the books say what was paid", what);
    }
    taken::circles_are_true(machine, &books)?;
    let income = books.balance(&Account::IncomeInvoice.of("walk")).credits_posted_msat;
    let receipt = machine.receipts.lock().find(&world::preimage(1).hash());
    let paid = receipt.is_some_and(|it| it.state == ecs_systems::port::ReceiptState::Paid);
    if (income > Msat::ZERO) && !paid {
        return breach("the books say what was paid", format!("income of {income} for nothing"));
    }
    Ok(())
}

/// Whether an effect is worth a place in a state's key: how it reads without its number.
pub(crate) fn effect_key(effect: &Effect) -> (EntityId, String, u64) {
    let at = match effect.class {
        EffectClass::Timer { at_ms, .. } => at_ms,
        EffectClass::Reply | EffectClass::Notice => 0,
    };
    (effect.entity, effect.kind.clone(), at)
}

/// A value that says no more than whether progress is recorded as an error.
pub(crate) fn list_key(json: &Json) -> bool {
    json.text().contains("\"error\":")
}
