//! What a System may leave behind: whether an Entity may rest now, and what a third party may ask
//! for.

use crate::{
    Engine, EntityId, Error, effect::EffectClass, engine::Rest, error::ErrorObject, system::Step,
    systems::Systems, write::Writer,
};

impl Engine {
    /// Whether a frozen Entity would rest though nothing is under way for it.
    pub(crate) fn is_parked(&self, id: EntityId) -> bool {
        let Some(entity) = self.find(id) else { return false };
        let world = self.world.entity(entity);
        self.is_frozen(id)
            && world.contains::<Systems>()
            && !self.awaits(id, entity)
            && (self.at_rest)(&self.world, entity) != Rest::Waiting
    }

    /// A third party's System may not hold up what is frozen: it fails, and the System runs no
    /// more.
    pub(crate) fn fail_as_parked(&mut self, id: EntityId, name: &str) {
        let what = format!("System `{name}` waits, but nothing is under way.");
        self.mute(id, name);
        self.fail(id, name, ErrorObject::new(Error::NoMatch.code(), what));
    }

    /// Whether something will happen to an Entity whose System waits. Where nothing will, it comes
    /// to what an Entity without a matching System comes to.
    pub(crate) fn rests_rightly(&mut self, id: EntityId) -> bool {
        let Some(entity) = self.find(id) else { return true };
        let world = self.world.entity(entity);
        if !world.contains::<Systems>() || self.awaits(id, entity) {
            return true;
        }
        match (self.at_rest)(&self.world, entity) {
            Rest::Waiting => true,
            Rest::Stuck => false,
            Rest::Write(write) => {
                let before = self.changes(id);
                self.write_as_engine(id, &[write]);
                self.wake(id);
                self.changes(id) != before
            }
        }
    }
}

/// A third party's System has no part in what is kept beside the Components, asks for nothing that
/// keeps the Entity busy or that is another Entity's, and names its own notices and timers, which
/// write nothing.
pub(crate) fn permit_step(writer: &Writer, step: &Step) -> Result<(), Error> {
    let (Writer::Plugin(prefix), Some(beside)) = (writer, &step.beside) else { return Ok(()) };
    let foreign = |kind: &str| !kind.starts_with(prefix.as_str());
    let is_ours = |class: &EffectClass, kind| match class {
        EffectClass::Reply => true,
        EffectClass::Timer { writes, .. } => !writes.is_empty() || foreign(kind),
        EffectClass::Notice => foreign(kind),
    };
    let mut effects = beside.effects.iter();
    let effect = effects.find(|it| it.entity.is_some() || is_ours(&it.class, it.kind));
    let cancel = beside.cancels.iter().find(|kind| foreign(kind));
    let what = match (beside.records.first(), effect, cancel) {
        (Some(record), ..) => format!("write `{}` lines", record.system),
        (None, Some(effect), _) => format!("ask for `{}`", effect.kind),
        (None, None, Some(kind)) => format!("cancel `{kind}`"),
        (None, None, None) => return Ok(()),
    };
    Err(Error::Invalid(format!("a System of `{prefix}` may not {what}")))
}
