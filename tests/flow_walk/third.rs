//! Third parties' Systems in the list: in this process and outside.

use crate::{
    situation::{Does, Place, Third},
    world::START_MS,
};
use ecs_core::{
    Answer, EffectBody, EffectRequest, Engine, ErrorObject, Failed, Json, On, Record, Refusal,
    Step, Systems, system,
};
use serde::{Deserialize, Serialize};

/// The code that they refuse with.
pub(crate) const THEIR_CODE: i32 = 7_777;
/// When their timers are due.
const THEIR_TIMER_MS: u64 = START_MS + 30_000;

/// What they tell whoever listens.
#[derive(Clone, Serialize, Deserialize)]
struct Told;

impl EffectBody for Told {
    const KIND: &'static str = "acme:told";
}

/// The flag of a third party's System.
pub(crate) fn flag(name: &str) -> String {
    format!("{name}:done")
}

fn error() -> ErrorObject {
    ErrorObject::new(THEIR_CODE, "Not with us")
}

/// What one answers whenever it matches. `None`: it doesn't run in this process.
fn answer(third: &Third) -> Option<Answer> {
    let flagged = || Step::advance().attach_json(flag(third.name), Json::yes());
    let timer = |kind| EffectRequest::timer(kind, THEIR_TIMER_MS, Vec::new(), "acme:x");
    Some(match third.does {
        Does::Flag => Ok(flagged()),
        Does::Tells => Ok(flagged().effect(EffectRequest::notice(&Told)).effect(timer("acme:t"))),
        Does::Refuse => Err(Refusal::new(THEIR_CODE, "Not with us")),
        Does::Idle => Ok(Step::advance()),
        Does::Wait => Ok(Step::wait()),
        Does::Stop => Ok(Step::stop()),
        Does::End => Ok(Step::stop().attach(&Failed(error())).detach::<Systems>()),
        Does::Ask => Ok(Step::wait().effect(EffectRequest::with_reply(&Told))),
        Does::Book => Ok(flagged().record(Record::new("ledger:fail", Json::yes()))),
        Does::Time => Ok(flagged().effect(timer("payecs:invocation_timeout"))),
        Does::External | Does::Missing => return None,
    })
}

/// Registers them.
pub(crate) fn register(app: &mut Engine, thirds: &[Third]) {
    for third in thirds.iter().filter(|third| third.does != Does::Missing) {
        let mut def = system(third.name).requires([third.requires]);
        def.disallowed.push(flag(third.name).into());
        let done = match answer(third) {
            Some(answer) => app.add_payment_system(def, move |_: On| -> Answer { answer.clone() }),
            None => app.add_external_system(def),
        };
        done.expect("their names are names");
    }
}

/// The list: theirs where they stand, and what is left of ours.
pub(crate) fn listed(order: &[&str], thirds: &[Third], lacks: Option<&str>) -> Vec<String> {
    let at = |place| thirds.iter().filter(move |third| third.place == place).map(|it| it.name);
    let mut list: Vec<&str> = at(Place::First).collect();
    for name in order.iter().copied().filter(|name| Some(*name) != lacks) {
        let claim = name == "lightningd:claim_hash";
        list.extend(at(Place::BeforeClaim).filter(|_| claim));
        list.push(name);
        list.extend(at(Place::BehindClaim).filter(|_| claim));
    }
    list.extend(at(Place::Last));
    list.into_iter().map(str::to_owned).collect()
}
