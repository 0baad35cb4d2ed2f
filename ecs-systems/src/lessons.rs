//! Lessons in records: of each, who teaches it and what it is. The rest is in the state.

use crate::components::{PaidPreimage, Part, PartFailure};
use crate::port::{KnowledgeDesk, Lesson};
use ecs_core::{Change, Engine, EntityId, Json};
use payecs_planner::LiquidityReport;

const SENT: &str = "lesson:sent";
const PAID: &str = "lesson:paid";
const FAILED: &str = "lesson:failed";
const TOLD: &str = "lesson:told";

/// What the record of a command says of a lesson that a part teaches. `None`: the part teaches
/// another one, so that somebody else made this one up.
#[must_use]
pub fn note(engine: &Engine, part: EntityId, lesson: &Lesson) -> Option<Change> {
    let name = match lesson {
        Lesson::Sent(_) => SENT,
        Lesson::Paid(_) => PAID,
        Lesson::Failed(..) => FAILED,
        Lesson::Told(_) => return None,
    };
    let taught = taught(engine, part, name)?;
    (taught == *lesson).then(|| Change::Noted(part, name.into()))
}

/// The lesson of a note, right after the changes of its record. `None`: it is no lesson, or its
/// part is gone.
#[must_use]
pub fn taught(engine: &Engine, part: EntityId, note: &str) -> Option<Lesson> {
    let route = || Some(engine.get::<Part>(part)?.0.route.clone());
    match note {
        SENT => Some(Lesson::Sent(route()?)),
        PAID => {
            engine.get::<PaidPreimage>(part)?;
            Some(Lesson::Paid(route()?))
        }
        FAILED => {
            let PartFailure(failure) = engine.get(part)?;
            Some(Lesson::Failed(route()?, failure.clone()))
        }
        _ => None,
    }
}

/// Notes in the record of the command what somebody says of liquidity, and leaves it for whoever
/// has the planner.
pub(crate) fn tell(engine: &mut Engine, reports: Vec<LiquidityReport>) {
    engine.note_beside(TOLD, Json::of(&reports));
    if let Some(mut desk) = engine.resource_mut::<KnowledgeDesk>() {
        desk.tell(Lesson::Told(reports));
    }
}

/// The lesson that a record has beside its Entities. `None`: it is none, or can't be read.
#[must_use]
pub fn told(topic: &str, what: &Json) -> Option<Lesson> {
    let reports = (topic == TOLD).then(|| what.decode().ok())??;
    Some(Lesson::Told(reports))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Bench, PREIMAGE, child, failure, here, part},
        port::Failure,
    };
    use ecs_core::Json;
    use payecs_planner::Route;

    #[test]
    fn a_part_teaches_what_its_components_say_and_nothing_else() {
        let route = part().route;
        let nowhere = Route { hops: Vec::new(), probability_ppm: 0 };
        let failed = |failure: Failure| Lesson::Failed(route.clone(), failure);
        let (sent, paid) = (Lesson::Sent(route.clone()), Lesson::Paid(route.clone()));
        let bare = here().attach(&Part(part()));
        for (write, lesson, expected) in [
            (bare.clone(), sent.clone(), Some(SENT)),
            (bare.clone(), Lesson::Sent(nowhere), None),
            (bare.clone(), paid.clone(), None),
            (bare.clone().attach(&PaidPreimage(PREIMAGE)), paid, Some(PAID)),
            (bare.clone(), failed(failure()), None),
            (bare.attach(&PartFailure(failure())), failed(failure()), Some(FAILED)),
            (here().attach(&PartFailure(failure())), sent, None),
        ] {
            let mut bench = Bench::new();
            bench.put(child(), write);
            let noted = note(&bench.app, child(), &lesson);
            assert_eq!(noted, expected.map(|name| Change::Noted(child(), name.into())));
            let Some(name) = expected else { continue };
            assert_eq!(taught(&bench.app, child(), name), Some(lesson));
            let bytes = Json::of(&noted).text().len();
            assert!(bytes < 40, "a lesson takes {bytes} bytes of its record");
            assert_eq!(taught(&bench.app, child(), "acme:note"), None);
        }
    }
}
