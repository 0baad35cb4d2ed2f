//! The one write path: everything that changes a Component goes through here, whole or not at all.

mod apply;
pub(crate) mod change;
mod expected;

use crate::{
    Engine, EntityId, Error,
    component::{ComponentSpec, OWN_PREFIX, TypedComponent, WhenFrozen, Writable},
    delta,
    names::Named,
    systems::Systems,
    trace::{Kept, line_pair},
    write::{Record, Write, Writer},
};
use apply::mark_ends;
use change::{Change, decode};

/// Everything that is written in one record.
pub(crate) struct Batch<'a> {
    pub(crate) writer: &'a Writer,
    /// The Entity that writes without a number mean.
    pub(crate) subject: Option<EntityId>,
    pub(crate) writes: &'a [Write],
    pub(crate) records: &'a [Record],
}

impl Engine {
    /// Writes a batch.
    ///
    /// # Errors
    /// A name, value or writer is refused, or what is kept beside refuses its lines; then nothing
    /// was written.
    pub(crate) fn commit(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let names = self.names.mark();
        let judged = self.judge_all(batch).and_then(|changes| {
            self.keep(batch)?;
            Ok(changes)
        });
        let mut changes = judged.inspect_err(|_| self.names.forget_since(names))?;
        let made = self.to_be_made(batch, &changes);
        let mut touched = std::mem::take(&mut self.touched);
        let (mut waiting, mut may_freeze) = (Vec::new(), *batch.writer == Writer::Caller);
        if batch.writes.iter().any(|write| write.exact) {
            mark_ends(&mut changes);
        }
        for (entity, change) in changes.drain(..) {
            if touched.last() != Some(&entity) {
                touched.push(entity);
            }
            if self.concerns_waits(&change) {
                waiting.push(entity);
            }
            may_freeze |= change.freezes();
            self.apply(entity, change);
        }
        self.judged = changes;
        self.note_given(batch);
        self.note_maker(&made);
        // Mostly one alone.
        if touched.len() > 1 {
            touched.sort_unstable();
            touched.dedup();
        }
        for entity in touched.drain(..) {
            self.follow_up(entity, may_freeze);
        }
        self.touched = touched;
        if !waiting.is_empty() {
            self.follow_waits(waiting);
        }
        Ok(())
    }

    pub(crate) fn judge_all(
        &mut self,
        batch: &Batch<'_>,
    ) -> Result<Vec<(EntityId, Change)>, Error> {
        let names = self.names.mark();
        let mut changes = std::mem::take(&mut self.judged);
        changes.clear();
        for write in batch.writes {
            let entity = write.entity.or(batch.subject).ok_or_else(|| {
                Error::Invalid("a write outside a System must name its entity".to_owned())
            })?;
            self.judge(batch, entity, write, &mut changes)?;
        }
        if *batch.writer != Writer::Engine {
            self.check_names(names)?;
            self.check_quotas(&changes)?;
        }
        Ok(changes)
    }

    fn judge(
        &mut self,
        batch: &Batch<'_>,
        entity: EntityId,
        write: &Write,
        changes: &mut Vec<(EntityId, Change)>,
    ) -> Result<(), Error> {
        let writer = batch.writer;
        let frozen = *writer != Writer::Engine && self.is_frozen(entity);
        if write.exact {
            if frozen {
                return Err(frozen_error(entity, "`exact`"));
            }
            changes.push((entity, Change::Clear));
        }
        for (name, value) in &write.components {
            let value = value.as_ref().filter(|value| !value.is_null());
            let mut named = self.names.of_written(name, value.is_some())?;
            if *writer != Writer::Engine {
                match named {
                    Some(Named::Typed(typed)) => {
                        if let Some(json) = value {
                            self.check_wait(entity, name, json, batch.writes)?;
                        }
                        named = Some(self.permit_typed(
                            writer,
                            (entity, frozen),
                            typed,
                            value.is_some(),
                        )?);
                    }
                    Some(Named::Foreign(_)) | None => {
                        permit_foreign(writer, entity, name, frozen)?;
                    }
                }
            }
            if let Some(named) = named {
                changes.push((entity, decode(writer, name, named, value)?));
            }
        }
        Ok(())
    }

    /// What a caller's write of a documented Component comes to.
    fn permit_typed(
        &self,
        writer: &Writer,
        (entity, frozen): (EntityId, bool),
        typed: TypedComponent,
        attaching: bool,
    ) -> Result<Named, Error> {
        let ComponentSpec { name, writable, when_frozen, .. } = typed.spec;
        if matches!(writer, Writer::Plugin(_)) && self.guarded.contains_key(name) {
            return Err(Error::Invalid(format!("`{name}` is not for Systems to write")));
        }
        if writable == Writable::Engine && attaching {
            return Err(Error::Invalid(format!("`{name}` is set by the engine")));
        }
        if !frozen {
            return Ok(Named::Typed(typed));
        }
        match when_frozen {
            WhenFrozen::Allowed => Ok(Named::Typed(typed)),
            WhenFrozen::Becomes(other) if attaching && self.may_still_become(entity, other) => {
                Ok(self.names.find(other).unwrap_or(Named::Typed(typed)))
            }
            WhenFrozen::Becomes(_) | WhenFrozen::Refused => Err(frozen_error(entity, name)),
        }
    }

    /// Whether an Entity is under way and says nothing of that kind yet.
    fn may_still_become(&self, entity: EntityId, other: &str) -> bool {
        self.get::<Systems>(entity).is_some() && self.component(entity, other).is_none()
    }

    /// Hands the batch's lines to what is kept beside the Components.
    fn keep(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        if batch.records.is_empty() {
            return Ok(());
        }
        let kept = self.keep_lines(batch.subject, batch.records).map_err(Error::Refused)?;
        self.note_lines(kept, batch.records);
        if let Some(id) = batch.subject {
            batch.records.iter().for_each(|record| self.note_line(id, record));
        }
        Ok(())
    }

    /// Traces a line and, where someone watches, announces it, as the System it is named for.
    fn note_line(&mut self, id: EntityId, record: &Record) {
        let now_ms = self.now_ms;
        if self.announces {
            let shown = std::iter::once(line_pair(record.shown.clone()));
            self.announce(id, &record.system, shown, None);
        }
        if let Some(entity) = self.find(id) {
            let ring = &mut self.lives.of_mut(entity).ring;
            self.traces.push((id, ring), Kept::line(now_ms, record));
        }
    }

    fn concerns_waits(&self, change: &Change) -> bool {
        match change {
            Change::Clear | Change::End => !self.waiting.is_empty(),
            Change::AttachTyped(typed, ..) | Change::DetachTyped(typed) => {
                self.waiting.contains(&typed.id)
            }
            Change::AttachForeign(..) | Change::DetachForeign(_) => false,
        }
    }

    /// After a batch: an Entity that is frozen now forgets what was given to it; one that has
    /// nothing any more is gone.
    fn follow_up(&mut self, id: EntityId, may_freeze: bool) {
        let Some(entity) = self.find(id) else { return };
        if may_freeze && self.is_frozen(id) {
            self.forget_given(id);
        }
        if self.lives.of(entity).attached == 0 {
            self.end(id);
            self.note(|| delta::Change::Ended(id));
        }
    }
}

fn permit_foreign(
    writer: &Writer,
    entity: EntityId,
    name: &str,
    frozen: bool,
) -> Result<(), Error> {
    if name.starts_with(OWN_PREFIX) {
        return if frozen { Err(frozen_error(entity, name)) } else { Ok(()) };
    }
    match writer {
        Writer::Plugin(prefix) if !name.starts_with(prefix.as_str()) => Err(Error::Invalid(
            format!("a System of `{prefix}` may not write `{name}`: it is another party's name"),
        )),
        Writer::Plugin(_) | Writer::Caller | Writer::Engine => Ok(()),
    }
}

pub(crate) fn frozen_error(entity: EntityId, what: &str) -> Error {
    Error::Frozen(format!(
        "Entity {entity} is frozen: {what} can no longer be changed from outside."
    ))
}
