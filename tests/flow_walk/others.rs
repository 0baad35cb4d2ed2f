//! Situations with a second payment, with Systems of third parties in the list, and with payments
//! that go around.

use crate::{
    closed::Cause,
    situation::{After, SENT, Second, Situation, amount, any_amount, fixed, of, restless, to_us},
    third::{Does, Place, THEIR_CODE, Third},
    world::{AMOUNT_MSAT, draft},
};
use ecs_core::Json;
use ecs_systems::{
    components::{Circular, ExemptFee, Partial, RetryFor},
    policy::Policy,
    units::Msat,
};

/// The situations with a second payment.
pub(crate) fn twice() -> Vec<Situation> {
    let again = |after, components| Some(Second { after, components });
    let new = |name, components, second| {
        let ends = &[0, 200, 203, 205, 209, 210];
        Situation { second, ..Situation::new(name, components, ends).narrow() }
    };
    let other = any_amount().attach(&amount(AMOUNT_MSAT / 2));
    vec![
        Situation {
            ends: &[0, 203, 205, 209, 210],
            ..new("replay", fixed(), again(After::End, fixed())).full()
        },
        new("concurrent", fixed(), again(After::Begin, fixed())).full(),
        Situation {
            ends: &[0, 201, 203, 205, 209, 210],
            ..new("same hash, other amount", fixed(), again(After::Begin, other))
        },
        Situation {
            opening_msat: [1_200_000, 400_000],
            ends: &[0, 203, 205, 209, 210, 215],
            ..new("two compete for funds", fixed(), again(After::Begin, of(draft(2))))
        },
        Situation {
            receipt: true,
            ends: &[0],
            ..new("to self twice", to_us(), again(After::Begin, to_us())).full()
        },
    ]
}

/// The situations in which the intake closes.
pub(crate) fn closing() -> Vec<Situation> {
    let new = |name, components, ends| {
        let situation = Situation::new(name, components, ends).narrow().two_rare();
        Situation { closes: &[Cause::Reconciling, Cause::DiskLow], receipt: true, ..situation }
    };
    let circle = to_us().attach(&Circular);
    let ends = &[0, 203, 205, 209, 210, 2330];
    vec![
        Situation { receipt: false, ..new("closed intake", fixed(), ends) },
        new("closed intake, circular", circle, ends),
        new("closed intake, to self", to_us(), &[0, 2330]),
    ]
}

/// What third parties' Systems wait for: every stage of a payment, and every Entity of it.
const STAGES: [(&str, &str); 10] = [
    ("acme:a", "lightningd:invoice"),
    ("acme:b", "lightningd:claim"),
    ("acme:c", "lightningd:reservation"),
    ("acme:d", "lightningd:plan"),
    ("acme:e", "lightningd:parts:open"),
    ("acme:f", "lightningd:part"),
    ("acme:g", "lightningd:planning"),
    ("acme:h", "lightningd:preimage"),
    ("acme:i", "lightningd:failing"),
    ("acme:j", "lightningd:part:failure"),
];

/// What each of them may do.
const DEEDS: [Does; 11] = [
    Does::Tells,
    Does::Refuse,
    Does::Idle,
    Does::Wait,
    Does::Stop,
    Does::End,
    Does::Ask,
    Does::Book,
    Does::Time,
    Does::External,
    Does::Missing,
];
const PLACES: [Place; 4] = [Place::First, Place::BeforeClaim, Place::BehindClaim, Place::Last];

/// What a payment ends with if they let it.
const ENDS: &[i32] = &[0, 203, 205, 209, 210];

fn with(third: Vec<Third>, name: String) -> Situation {
    let new = Situation::new(name.leak(), fixed(), ENDS).narrow();
    let outside = third.iter().any(|third| third.does == Does::External);
    let new = if outside { new.full() } else { new.quiet() };
    Situation { third, ..new }
}

/// The situations with third parties' Systems.
pub(crate) fn third_parties() -> Vec<Situation> {
    let mut all = Vec::new();
    for place in PLACES {
        let flags = STAGES.map(|(name, requires)| {
            let does = Does::Flag;
            Third { name, requires, does, place }
        });
        let name = format!("flags {}", place.word());
        all.push(with(flags.to_vec(), name).odd());
    }
    for does in DEEDS {
        let stages = STAGES.into_iter().filter(|_| does != Does::Missing);
        for (name, requires) in stages {
            let third = vec![Third { name, requires, does, place: Place::First }];
            all.push(with(third, format!("{} {requires}", does.word())));
        }
        let (name, requires) = ("acme:x", "lightningd:systems");
        for place in PLACES.into_iter().filter(|_| does != Does::External) {
            let third = vec![Third { name, requires, does, place }];
            all.push(with(third, format!("{} anything, {}", does.word(), place.word())));
        }
        for (requires, receipt) in [("lightningd:set", true), ("lightningd:refusing", false)] {
            let third = vec![Third { name, requires, does, place: Place::First }];
            let name = format!("{} a set's {requires}", does.word()).leak();
            let new = Situation::new(name, to_us(), &[0, 203, 210]).narrow().odd();
            all.push(Situation { third, receipt, ..new });
        }
    }
    all
}

/// The situations in which callers write in the middle.
pub(crate) fn written() -> Vec<Situation> {
    let fixed_again = Some(Second { after: After::End, components: fixed() });
    let new = |name, components, ends| Situation::new(name, components, ends).narrow().written();
    let outside = |(name, requires)| {
        let does = Does::External;
        let third = Third { name, requires, does, place: Place::First };
        Situation { third: vec![third], ..new("written in a draft", fixed(), ENDS) }
    };
    let ends = &[0, 203, 205, 209, 210, THEIR_CODE];
    vec![
        new("written to", fixed(), ends),
        Situation { second: fixed_again, ..new("written to when paid before", fixed(), ends) },
        Situation {
            policy: Policy {
                ask_above_msat: Some(Msat(500_000)),
                rounds_max: 1,
                ..Policy::default()
            },
            ..new("written to while asked", fixed(), &[0, 203, 205, 209, 210, 2310, THEIR_CODE])
        },
        Situation {
            view: restless(|view| view.capabilities.preapprove = true),
            ..new("written to at the signer", fixed(), &[0, 203, 205, 209, 210, 213, THEIR_CODE])
        },
        Situation { receipt: true, ..new("written to self", to_us(), &[0]) },
        outside(STAGES[0]),
    ]
}

/// The situations in which a payment goes around, and comes in as HTLCs. Two parts and all that is
/// rare come to more states than a daily run has time for: two parts are walked for one round, and
/// all that is rare with one part.
pub(crate) fn circles() -> Vec<Situation> {
    let new = Situation::new;
    let circle = to_us().attach(&Circular);
    let once = Policy { rounds_max: 1, ..Policy::default() };
    let dear = circle.clone().attach(&ExemptFee(Msat(10_000)));
    let circular = Situation { receipt: true, ..new("circular", circle, SENT) };
    vec![
        Situation { parts_max: 2, components: dear, policy: once, ..circular.clone() }.quiet(),
        Situation { name: "circular, one part", ..circular.clone() }.narrow().two_rare(),
        Situation {
            receipt: false,
            name: "circular, unknown",
            ends: &[203, 205, 209, 210],
            ..circular.clone()
        }
        .narrow()
        .full(),
        Situation {
            components: to_us()
                .attach(&Circular)
                .attach(&Partial(Msat(400_000)))
                .attach(&RetryFor(Json::of(&600))),
            name: "circular, too little",
            ends: &[203, 205, 209, 210],
            parts_max: 1,
            ..circular
        }
        .quiet(),
    ]
}
