//! The limit.

use crate::Most;
use ecs_core::bevy_ecs::prelude::{In, Query};
use ecs_core::{Engine, Error, Json, On, Plugin, Refusal, Step, system};
use ecs_systems::{components::Amount, units::Msat};

/// The code of a payment over the limit.
pub const OVER_THE_LIMIT: i32 = 7_001;

/// The plugin: payments up to that amount.
#[derive(Clone, Copy, Debug)]
pub struct Limit(pub Msat);

/// What the System reads: Components as the types that they are, found once and not by name.
type Payments<'w, 's> = Query<'w, 's, (&'static Amount, Option<&'static Most>)>;

impl Plugin for Limit {
    fn name(&self) -> &'static str {
        "acme"
    }

    fn build(&self, app: &mut Engine) -> Result<(), Error> {
        app.add_component::<Most>();
        let Limit(most) = *self;
        // It ends by itself: what it attaches, it disallows. It leaves payments alone that are
        // failing, and those that are paid.
        let limit = system("acme:limit").requires(["lightningd:amount"]).disallows([
            "acme:limited",
            "lightningd:failing",
            "lightningd:preimage",
        ]);
        app.add_payment_system(limit, move |In(payment): On, payments: Payments| {
            let (Amount(amount), given) = payments.get(payment)?;
            let most = given.map_or(most, |Most(given)| most.min(*given));
            if *amount > most {
                let words = format!("acme pays at most {most}, not {amount}");
                return Err(Refusal::new(OVER_THE_LIMIT, words));
            }
            Ok(Step::advance().attach_json("acme:limited", Json::yes()))
        })
    }
}
