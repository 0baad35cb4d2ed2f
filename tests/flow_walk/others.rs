//! Situations with a second payment, and with Systems of third parties in the list.

use crate::{
    situation::{
        After, Does, Place, Second, Situation, Third, amount, any_amount, fixed, of, to_us,
    },
    world::{AMOUNT_MSAT, draft},
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

/// What third parties' Systems wait for: every stage of a payment, and every Entity of it.
const STAGES: [(&str, &str); 9] = [
    ("acme:a", "lightningd:invoice"),
    ("acme:b", "lightningd:claim"),
    ("acme:c", "lightningd:reservation"),
    ("acme:d", "lightningd:plan"),
    ("acme:e", "lightningd:parts:open"),
    ("acme:f", "lightningd:part"),
    ("acme:g", "lightningd:planning"),
    ("acme:h", "lightningd:preimage"),
    ("acme:i", "lightningd:failing"),
];

/// The situations with third parties' Systems.
pub(crate) fn third_parties() -> Vec<Situation> {
    let ends = &[0, 203, 205, 209, 210];
    let mut all = Vec::new();
    for place in [Place::First, Place::Last] {
        let flags = STAGES.map(|(name, requires)| {
            let does = Does::Flag;
            Third { name, requires, does, place }
        });
        let third = flags.to_vec();
        let name = if place == Place::First { "flags before" } else { "flags behind" };
        all.push(Situation { third, ..Situation::new(name, fixed(), ends).narrow() });
    }
    for does in [Does::Refuse, Does::Idle, Does::External] {
        for (name, requires) in STAGES {
            let third = vec![Third { name, requires, does, place: Place::First }];
            let name = format!("{} {requires}", does.word()).leak();
            let new = Situation::new(name, fixed(), ends).narrow();
            let new = if does == Does::External { new.full() } else { new.quiet() };
            all.push(Situation { third, ..new });
        }
        let third = Third { name: "acme:s", requires: "lightningd:set", does, place: Place::First };
        let name = format!("{} a set", does.word()).leak();
        let new = Situation::new(name, to_us(), &[0, 203]).narrow();
        all.push(Situation { receipt: true, third: vec![third], ..new });
    }
    all
}
