//! With what a payment that failed would have gone. Nothing is guessed: a change follows from what
//! the planner, the books or the policy said.

use super::told::{Change, Setting};
use crate::{
    components::{Amount, Exclude, FeeBudget, MaxDelay, MaxParts, RetryFor},
    refusal::{
        Asked, PAY_INSUFFICIENT_FUNDS, PAY_INVOICE_EXPIRED, PAY_STOPPED_RETRYING, POLICY_REFUSED,
    },
};
use ecs_core::{ErrorObject, Json, WireComponent};
use payecs_planner::{Exclusion, NoPlan};
use payecs_units::{Blocks, Msat, Timestamp};
use serde::Serialize;

/// What a payment was asked to be, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) amount: Option<Msat>,
    pub(super) fee_budget: Option<Msat>,
    pub(super) exclude: Option<Vec<Exclusion>>,
    pub(super) retry_for_ms: Option<u64>,
    /// Longest delay that the node has; `None`: nobody knows.
    pub(super) delay_max: Option<Blocks>,
    /// Whether the payee takes several parts; `None`: nobody knows.
    pub(super) takes_parts: Option<bool>,
}

/// The changes, the likeliest first.
pub(super) fn changes(error: &ErrorObject, given: &Given) -> Vec<Change> {
    if let Some((no_plan, asked)) = no_plan(error) {
        return of_plan(&no_plan, asked, given);
    }
    let facts = error.facts();
    let msat = |name: &str| facts.get(name).and_then(|json| json.decode::<Msat>().ok());
    let moment = |name: &str| facts.get(name).cloned().filter(|json| !json.is_null());
    match error.code {
        PAY_INSUFFICIENT_FUNDS => {
            msat("available_msat").map_or_else(Vec::new, |has| of_funds(has, given))
        }
        POLICY_REFUSED => {
            let left = msat("max").zip(msat("used")).and_then(|(max, used)| max.checked_sub(used));
            let less = left.and_then(|left| less(left, given, "the limit leaves room for"));
            let later = moment("resets_at").map(|at| {
                let words = "Ask again when the limit begins anew.".to_owned();
                Change::hoped(Setting::time(Json::null(), at), words)
            });
            less.into_iter().chain(later).collect()
        }
        PAY_STOPPED_RETRYING => moment("deadline").map_or_else(Vec::new, |_| {
            let seconds = given.retry_for_ms.map(|ms| ms / 1_000);
            let words = "Give it longer: time ran out before a way was found. How long it would \
                         have taken is not known."
                .to_owned();
            vec![Change::hoped(setting::<RetryFor, _, _>("retry_for", seconds, None::<u64>), words)]
        }),
        PAY_INVOICE_EXPIRED => expired(&facts),
        _ => Vec::new(),
    }
}

/// What the planner said, and what it was asked, where that is what failed the payment.
pub(super) fn no_plan(error: &ErrorObject) -> Option<(NoPlan, Option<Asked>)> {
    let data = error.data.as_ref()?;
    let asked = data.fields()?.get(Asked::NAME).and_then(|json| json.decode().ok());
    Some((data.decode().ok()?, asked))
}

fn setting<C: WireComponent, F: Serialize, T: Serialize>(
    what: &'static str,
    from: F,
    to: T,
) -> Setting {
    Setting::of(what, C::SPEC.name, (Json::of(&from), Json::of(&to)))
}

/// The planner's answer. It holds for the payment where the planner was asked for all of it.
fn of_plan(no_plan: &NoPlan, asked: Option<Asked>, given: &Given) -> Vec<Change> {
    let whole = asked.filter(|asked| given.amount.is_none_or(|amount| amount == asked.amount_msat));
    let mut changes = Vec::new();
    changes.extend(asked.and_then(|asked| limits(no_plan, asked, whole.is_some(), given)));
    if let (Some(asked), Some(parts)) = (asked, no_plan.parts_needed)
        && given.takes_parts != Some(false)
    {
        let set = setting::<MaxParts, _, _>("maxparts", asked.parts_left, parts);
        let words = format!("Allow {parts} parts: {} were, and so it goes.", asked.parts_left);
        changes.push(Change { promised: whole.is_some(), ..Change::hoped(set, words) });
    }
    if !no_plan.allow.is_empty() {
        let left = given.exclude.as_ref().map(|all| {
            let kept = all.iter().filter(|exclusion| !no_plan.allow.contains(exclusion));
            kept.collect::<Vec<_>>()
        });
        let named: Vec<String> = no_plan.allow.iter().map(named).collect();
        let set = setting::<Exclude, _, _>("exclude", &given.exclude, left);
        let words = format!("Don't exclude {}: there are routes through it.", named.join(", "));
        changes.push(Change { promised: whole.is_some(), ..Change::hoped(set, words) });
    }
    changes.extend(whole.zip(no_plan.largest_msat).map(|(asked, largest)| {
        let set = setting::<Amount, _, _>("amount_msat", asked.amount_msat, largest);
        let budget = asked.fee_left_msat;
        let words = format!(
            "Pay {largest} at most, with a maxfee of {budget}: that was found to go. Where the \
             invoice says an amount, ask for one of that much."
        );
        let with = vec![setting::<FeeBudget, _, _>("maxfee", budget, budget)];
        Change { with, promised: true, ..Change::hoped(set, words) }
    }));
    changes
}

/// Of fee and delay what was too little, as one change.
fn limits(no_plan: &NoPlan, asked: Asked, is_whole: bool, given: &Given) -> Option<Change> {
    let (fee, delay) = no_plan.fee_needed_msat.zip(no_plan.delay_needed_blocks)?;
    let budget = given.fee_budget.unwrap_or(asked.fee_left_msat);
    // What other parts had of the budget, they need.
    let others = budget.saturating_sub(asked.fee_left_msat);
    let fee = (fee > asked.fee_left_msat).then(|| fee.checked_add(others)).flatten();
    let slow = (delay > asked.delay_left_blocks).then_some(delay);
    let too_slow = slow.zip(given.delay_max).filter(|(slow, max)| slow > max);
    let mut words = Vec::new();
    let mut settings = Vec::new();
    if let Some(fee) = fee {
        settings.push(setting::<FeeBudget, _, _>("maxfee", budget, fee));
        words
            .push(format!("Allow {fee} in fees: {budget} were, and the cheapest routes cost more"));
    }
    if let Some(slow) = slow {
        let (had, needs) = (asked.delay_left_blocks, slow);
        settings.push(setting::<MaxDelay, _, _>("maxdelay", had, needs));
        words.push(format!("Allow a delay of {needs}: {had} were, and the routes take longer"));
    }
    if let Some((_, max)) = too_slow {
        words.push(format!("The node has no longer delay than {max}"));
    }
    if !is_whole {
        words.push("That is what was missing for the rest, while other parts were out".to_owned());
    }
    let mut settings = settings.into_iter();
    let set = settings.next()?;
    let promised = is_whole && too_slow.is_none();
    Some(Change { set, with: settings.collect(), promised, words: words.join(". ") + "." })
}

fn named(exclusion: &Exclusion) -> String {
    match exclusion {
        Exclusion::Node(node) => node.to_string(),
        Exclusion::Channel(way) => way.to_string(),
    }
}

/// There is less than amount and fee budget come to.
fn of_funds(has: Msat, given: &Given) -> Vec<Change> {
    let (Some(amount), Some(budget)) = (given.amount, given.fee_budget) else { return Vec::new() };
    let cheaper = has.checked_sub(amount).map(|left| {
        let set = setting::<FeeBudget, _, _>("maxfee", budget, left);
        let words = format!("Allow {left} in fees: amount and fees are set aside together.");
        Change::hoped(set, words)
    });
    let less = less(has, given, "there is");
    cheaper.into_iter().chain(less).collect()
}

/// So much may be spent in all: what of it the amount can be.
fn less(spend: Msat, given: &Given, what: &str) -> Option<Change> {
    let (amount, budget) = given.amount.zip(given.fee_budget)?;
    let most = spend.checked_sub(budget).filter(|most| *most > Msat::ZERO)?;
    let set = setting::<Amount, _, _>("amount_msat", amount, most);
    let words = format!("Pay {most} at most: {what} {spend}, of which {budget} are for fees.");
    let with = vec![setting::<FeeBudget, _, _>("maxfee", budget, budget)];
    Some(Change { with, ..Change::hoped(set, words) })
}

fn expired(facts: &std::collections::BTreeMap<String, Json>) -> Vec<Change> {
    let at = |name: &str| facts.get(name).and_then(|json| json.decode::<u64>().ok());
    let Some((now, expiry)) = at("now").zip(at("expiry")) else { return Vec::new() };
    let moment = Timestamp::from_unix_seconds;
    let set = Setting::time(Json::of(&moment(now)), Json::of(&moment(expiry)));
    let words = format!("It had to be paid before {}: ask for a new invoice.", moment(expiry));
    vec![Change::hoped(set, words)]
}
