//! The intake closes, once on a path: what has begun is followed, and nothing else is taken on.

use crate::{
    act::Command,
    laws::Judged,
    machine::{Breach, Machine},
};
use ecs_core::{Engine, EntityId};
use ecs_systems::{
    components::{Claimed, Part, SetSettling},
    policy::Intake,
};

/// Why it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    Reconciling,
    DiskLow,
}

/// What had begun when it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Closed {
    cause: Cause,
    claims: usize,
    parts: usize,
    settling: usize,
}

impl Closed {
    /// Whether no preimage leaves.
    pub(crate) fn reconciles(self) -> bool {
        self.cause == Cause::Reconciling
    }

    fn now(app: &Engine, cause: Cause) -> Self {
        let entities = app.entities();
        let count = |is: &dyn Fn(EntityId) -> bool| entities.iter().filter(|id| is(**id)).count();
        Self {
            cause,
            claims: count(&|id| app.get::<Claimed>(id).is_some()),
            parts: count(&|id| app.get::<Part>(id).is_some()),
            settling: count(&|id| app.get::<SetSettling>(id).is_some()),
        }
    }
}

impl Machine {
    /// The intake as it is in this state.
    pub(crate) fn intake(&self) -> Intake {
        let cause = self.env.closed.map(|closed| closed.cause);
        Intake {
            reconciling: cause == Some(Cause::Reconciling),
            disk_low: cause == Some(Cause::DiskLow),
            ..Intake::default()
        }
    }

    /// Closes it.
    pub(crate) fn close(&mut self, cause: Cause) -> Command {
        self.env.closed = Some(Closed::now(&self.app, cause));
        Command::Nothing
    }
}

/// No hash is claimed, no part made, and while books are reconciled no preimage released.
pub(crate) fn nothing_is_taken_on(machine: &Machine) -> Judged {
    let Some(then) = machine.env.closed else { return Ok(()) };
    let now = Closed::now(&machine.app, then.cause);
    let settles = then.reconciles() && now.settling > then.settling;
    if now.claims > then.claims || now.parts > then.parts || settles {
        let what = format!("{now:?}, after {then:?}");
        return Err(Breach { law: "a closed intake takes on nothing", what });
    }
    Ok(())
}
