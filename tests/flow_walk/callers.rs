//! What callers write, and what external Systems answer.

use crate::{
    act::Command,
    choice::{ExternalAnswer, Written},
    machine::Machine,
    third,
};
use ecs_core::{EntityId, ErrorObject, Failed, Json, Systems, Write};
use ecs_systems::{
    components::{Approval, Cancel, Hold, Label, Reject},
    port::PayeeFailure,
};

impl Machine {
    pub(crate) fn written(&mut self, number: usize, written: Written) -> Command {
        let entity = self.app.entities()[number];
        if written == Written::NoHold {
            self.env.decided.sets.push(entity);
        }
        call(entity, |write| match written {
            Written::Label => write.attach(&Label(Json::of("mine"))),
            Written::Cancel => write.attach(&Cancel),
            Written::Approval => write.attach(&Approval(true)),
            Written::Error => {
                write.attach(&Failed(ErrorObject::new(third::THEIR_CODE, "Not any more")))
            }
            Written::Reject => write.attach(&Reject(PayeeFailure::TIMEOUT)),
            Written::Hold => write.attach(&Hold),
            Written::NoHold => write.detach::<Hold>(),
            Written::NoList => write.detach::<Systems>(),
        })
    }

    pub(crate) fn external(&self, number: usize, answer: ExternalAnswer) -> Command {
        let entity = self.app.entities()[number];
        let name = self.app.invocation(entity).map(|invoke| invoke.system).unwrap_or_default();
        let here = Write::to(entity);
        let error = ErrorObject::new(third::THEIR_CODE, "Not with us");
        let writes = match answer {
            ExternalAnswer::Done | ExternalAnswer::Stale => {
                vec![here.attach_json(third::flag(&name), Json::yes())]
            }
            ExternalAnswer::Rejects => {
                vec![
                    here.attach_json(third::flag(&name), Json::yes())
                        .attach(&Reject(PayeeFailure::TIMEOUT)),
                ]
            }
            ExternalAnswer::Holds => {
                vec![here.attach_json(third::flag(&name), Json::yes()).attach(&Hold)]
            }
            ExternalAnswer::Idle => Vec::new(),
            ExternalAnswer::Fails => vec![here.attach(&Failed(error))],
            ExternalAnswer::Ends => vec![here.attach(&Failed(error)).detach::<Systems>()],
        };
        Command::Answer { entity, writes, stale: answer == ExternalAnswer::Stale }
    }
}

pub(crate) fn call(entity: EntityId, write: impl FnOnce(Write) -> Write) -> Command {
    Command::Call { entity, writes: vec![write(Write::to(entity))] }
}
