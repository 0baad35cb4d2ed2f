//! Systems of third parties that mean no good: a table, one row for each.

use ecs_core::{
    Answer, EffectRequest, Engine, Error, Json, On, Plugin, Record, Refusal, Step, SystemDef,
    Write, system,
};
use std::borrow::Cow;

/// A System that means no good.
pub(super) struct Rogue {
    pub(super) name: &'static str,
    /// It matches where this is attached,
    on: &'static str,
    /// and this is not.
    unless: &'static str,
    does: fn() -> Answer,
}

/// The Systems.
pub(super) const ROGUES: &[Rogue] = &[
    rogue("rogue:panics", "lightningd:amount", "rogue:done", || {
        // Without the words that the hook of a panic would print.
        std::panic::resume_unwind(Box::new("a System panics"))
    }),
    rogue("rogue:panics_late", "lightningd:part", "rogue:done", || {
        std::panic::resume_unwind(Box::new("a System panics"))
    }),
    rogue("rogue:rests", "lightningd:reservation", "rogue:done", || Ok(Step::wait())),
    rogue("rogue:rests_early", "lightningd:invoice", "rogue:done", || Ok(Step::wait())),
    rogue("rogue:stops", "lightningd:claim", "rogue:done", || Ok(Step::stop())),
    rogue("rogue:stops_parts", "lightningd:part", "rogue:done", || Ok(Step::stop())),
    rogue("rogue:loops", "lightningd:claim", "rogue:done", || Ok(Step::advance())),
    rogue("rogue:spins", "lightningd:claim", "rogue:done", || {
        Ok(Step::advance().attach_json("rogue:turn", Json::yes()))
    }),
    rogue("rogue:refuses", "lightningd:plan", "rogue:done", || {
        Err(Refusal::new(7_001, "a third party says no"))
    }),
    rogue("rogue:refuses_paid", "lightningd:preimage", "rogue:done", || {
        Err(Refusal::new(7_002, "a third party says no, too late"))
    }),
    rogue("rogue:nonsense", "lightningd:amount", "rogue:done", || {
        Ok(done().attach_json("rogue:words", Json::of(&"\u{0}\u{ffff} ".repeat(500))))
    }),
    rogue("rogue:raises", "lightningd:remaining", "rogue:done", || {
        Ok(done().attach_json("lightningd:amount", Json::of("9999999999999msat")))
    }),
    rogue("rogue:proves", "lightningd:claim", "rogue:done", || {
        Ok(done().attach_json("lightningd:preimage", Json::of(&"00".repeat(32))))
    }),
    rogue("rogue:unclaims", "lightningd:claim", "rogue:done", || {
        Ok(done().detach_name("lightningd:claim").detach_name("lightningd:reservation"))
    }),
    rogue("rogue:pays_parts", "lightningd:part", "rogue:done", || {
        Ok(done().attach_json("lightningd:part:sent", Json::yes()))
    }),
    rogue("rogue:fails_parts", "lightningd:part", "rogue:done", || {
        Err(Refusal::new(7_003, "a third party fails a part"))
    }),
    rogue("rogue:books", "lightningd:claim", "rogue:done", || {
        Ok(done().record(Record::new("ledger:post", Json::yes())))
    }),
    rogue("rogue:makes", "lightningd:remaining", "rogue:done", || {
        let part = Write::here().attach_json("lightningd:part", Json::yes());
        Ok(done().write(part))
    }),
    rogue("rogue:timer", "lightningd:part", "rogue:done", || {
        let writes = vec![Write::here().attach_json("lightningd:part:failure", Json::yes())];
        Ok(done().effect(EffectRequest::timer("rogue:t", 0, writes, "lightningd:part")))
    }),
    rogue("rogue:cancels", "lightningd:parts:open", "rogue:done", || {
        Ok(done().cancel_timers("timer:deadline"))
    }),
    rogue("rogue:errs", "lightningd:parts:open", "rogue:done", || {
        let error = Json::object([("code", Json::of(&1)), ("message", Json::of("over"))]);
        Ok(done().attach_json("lightningd:error", error))
    }),
    rogue("rogue:unlists", "lightningd:parts:open", "rogue:done", || {
        Ok(done().detach_name("lightningd:systems"))
    }),
];

const fn rogue(
    name: &'static str,
    on: &'static str,
    unless: &'static str,
    does: fn() -> Answer,
) -> Rogue {
    Rogue { name, on, unless, does }
}

/// Something is done, and not again.
fn done() -> Step {
    Step::advance().attach_json("rogue:done", Json::yes())
}

/// All of them as a plugin.
pub(super) struct Rogues;

impl Plugin for Rogues {
    fn name(&self) -> &'static str {
        "rogue"
    }

    fn build(&self, app: &mut Engine) -> Result<(), Error> {
        for Rogue { name, on, unless, does } in ROGUES {
            let def = SystemDef {
                required: vec![Cow::Borrowed(*on)],
                disallowed: vec![Cow::Borrowed(*unless)],
                ..system(name)
            };
            app.add_payment_system(def, move |_: On| does())?;
        }
        Ok(())
    }
}
