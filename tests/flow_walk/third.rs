//! Third parties' Systems in the list: in this process and outside.

use crate::situation::{Does, Place, Third};
use ecs_core::{Answer, Engine, Json, On, Refusal, Step, system};

/// The code that they refuse with.
pub(crate) const THEIR_CODE: i32 = 7_777;

/// The flag of a third party's System.
pub(crate) fn flag(name: &str) -> String {
    format!("{name}:done")
}

/// Registers them.
pub(crate) fn register(app: &mut Engine, thirds: &[Third]) {
    for third in thirds {
        let mut def = system(third.name).requires([third.requires]);
        if matches!(third.does, Does::Flag | Does::External) {
            def.disallowed.push(flag(third.name).into());
        }
        let name = third.name;
        let done = match third.does {
            Does::Flag => app.add_payment_system(def, move |_: On| -> Answer {
                Ok(Step::advance().attach_json(flag(name), Json::yes()))
            }),
            Does::Refuse => app.add_payment_system(def, |_: On| -> Answer {
                Err(Refusal::new(THEIR_CODE, "Not with us"))
            }),
            Does::Idle => app.add_payment_system(def, |_: On| -> Answer { Ok(Step::advance()) }),
            Does::External => app.add_external_system(def),
        };
        done.expect("their names are names");
    }
}

/// The list: theirs in front of ours, behind, and what is left of ours.
pub(crate) fn listed(order: &[&str], thirds: &[Third], lacks: Option<&str>) -> Vec<String> {
    let at = |place| thirds.iter().filter(move |third| third.place == place).map(|it| it.name);
    let ours = order.iter().copied().filter(|name| Some(*name) != lacks);
    at(Place::First).chain(ours).chain(at(Place::Last)).map(str::to_owned).collect()
}
