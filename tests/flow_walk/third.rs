//! Third parties' Systems in the list: in this process and outside.

use crate::world::START_MS;
use ecs_core::{
    Answer, EffectBody, EffectRequest, Engine, ErrorObject, Failed, Json, On, Record, Refusal,
    Step, Systems, system,
};
use ecs_systems::{
    components::{Hold, Reject},
    port::PayeeFailure,
};
use serde::{Deserialize, Serialize};

/// The code that they refuse with.
pub(crate) const THEIR_CODE: i32 = 7_777;
/// When their timers are due.
const THEIR_TIMER_MS: u64 = START_MS + 30_000;

/// A third party's System in the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Third {
    /// `acme:…`; its flag is that with `:done`.
    pub(crate) name: &'static str,
    pub(crate) requires: &'static str,
    pub(crate) does: Does,
    pub(crate) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Attaches its flag.
    Flag,
    /// The same, with a notice and a timer of its own.
    Tells,
    /// Refuses, whenever it matches.
    Refuse,
    /// Nothing, whenever it matches.
    Idle,
    /// Waits, whenever it matches.
    Wait,
    /// Stops, whenever it matches.
    Stop,
    /// Attaches `lightningd:error` and detaches the list.
    End,
    /// Asks for an effect with a reply.
    Ask,
    /// Writes a line for the books.
    Book,
    /// Sets a timer that isn't its own.
    Time,
    /// Attaches its flag, and `lightningd:reject`.
    Reject,
    /// Attaches its flag, and `lightningd:hold`.
    Hold,
    /// Is announced.
    External,
    /// Is on the list, and nobody registered it.
    Missing,
}

impl Does {
    /// How situations with it are named.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Flag => "flags",
            Self::Tells => "tells of",
            Self::Refuse => "refuses",
            Self::Idle => "idles at",
            Self::Wait => "waits at",
            Self::Stop => "stops at",
            Self::End => "ends",
            Self::Ask => "asks at",
            Self::Book => "books at",
            Self::Time => "times",
            Self::Reject => "rejects",
            Self::Hold => "holds",
            Self::External => "external at",
            Self::Missing => "missing at",
        }
    }

    /// The codes that a payment may fail with because of it.
    pub(crate) fn codes(self) -> &'static [i32] {
        match self {
            Self::Flag | Self::Tells | Self::Reject | Self::Hold => &[],
            Self::Refuse => &[THEIR_CODE],
            Self::Idle => &[2202],
            Self::Wait | Self::Stop => &[2201],
            Self::End => &[THEIR_CODE, 2205],
            Self::Ask | Self::Book | Self::Time => &[-32602],
            Self::External => &[THEIR_CODE, 2203],
            Self::Missing => &[2203],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    /// Right before and right behind `claim_hash`.
    BeforeClaim,
    BehindClaim,
    Last,
}

impl Place {
    /// How situations with a System there are named.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::BeforeClaim => "before the claim",
            Self::BehindClaim => "behind the claim",
            Self::Last => "last",
        }
    }
}

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
        Does::Reject => Ok(flagged().attach(&Reject(PayeeFailure::TIMEOUT))),
        Does::Hold => Ok(flagged().attach(&Hold)),
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
