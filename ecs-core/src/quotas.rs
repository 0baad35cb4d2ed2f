//! How much of the engine callers and third parties may use up.
//!
//! What the flow itself writes counts too, and is never refused: a payment that is under way gets
//! to its end. Nobody is refused who uses up no more than before.

mod quota;
mod held;

pub(crate) use held::Held;
pub use quota::{QUOTA_REACHED, Quota, QuotaReached, QuotaTooHigh, Quotas};

use crate::{
    Engine, EntityId, Error,
    commit::{Batch, change::Change},
    inputs::Entities,
    life::Life,
    names::ForeignId,
    systems::Systems,
    write::Writer,
};
use bevy_ecs::component::ComponentId;
use std::{collections::BTreeMap, sync::Arc};

/// What of an Entity is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    components: u64,
    bytes: u64,
}

/// One Component of an Entity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Typed(ComponentId),
    Foreign(ForeignId),
}

/// What changes come to for one Entity.
#[derive(Default)]
struct Changed {
    /// Nothing stays of what there was.
    cleared: bool,
    /// The bytes that are attached; `None`: detached.
    latest: BTreeMap<Key, Option<u64>>,
}

/// What would be used up more than before.
#[derive(Clone, Copy, Default)]
struct Growth {
    entities: u64,
    bytes: i128,
}

impl Growth {
    fn add(&mut self, other: Self) {
        self.entities += other.entities;
        self.bytes += other.bytes;
    }
}

impl Engine {
    /// Sets how much callers and third parties may use up. What there is already stays.
    /// ```
    /// # use ecs_core::{Engine, Error, Json, Quota, Quotas, Write, Writer};
    /// let mut app = Engine::new();
    /// app.set_quotas(Quotas::default().with(Quota::Entities, 1).unwrap());
    /// let mut write = |id| {
    ///     let write = Write::to(id).attach_json("acme:x", Json::yes());
    ///     app.set_components(&Writer::Caller, &[write], &[])
    /// };
    /// let (one, two) = (ecs_core::EntityId::FIRST, ecs_core::EntityId::FIRST.next());
    /// assert_eq!(write(one), Ok(()));
    /// assert_eq!(write(two).unwrap_err().code(), 2208, "one is enough");
    /// assert_eq!(write(one), Ok(()), "it is there already");
    /// ```
    pub fn set_quotas(&mut self, quotas: Quotas) {
        self.quotas = quotas;
    }

    /// How much callers and third parties may use up.
    #[must_use]
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// The bytes of the values of all Components.
    #[must_use]
    pub fn bytes_held(&self) -> u64 {
        self.held.bytes()
    }

    /// Refuses what would be more than there may be.
    pub(crate) fn within(&self, quota: Quota, wanted: u64) -> Result<(), QuotaReached> {
        self.quotas.check(quota, wanted)
    }

    /// Refuses what has interned names since, if these are too many.
    pub(crate) fn check_names(&self, mark: usize) -> Result<(), QuotaReached> {
        let now = self.names.mark();
        if now > mark { self.within(Quota::Names, now as u64) } else { Ok(()) }
    }

    /// Refuses changes of somebody else than the engine by which too much would be used up.
    pub(crate) fn check_quotas(&self, changes: &[(EntityId, Change)]) -> Result<(), Error> {
        if self.fits_on_top(changes) {
            debug_assert_eq!(self.check_growth(changes), Ok(()), "what fits on top fits");
            return Ok(());
        }
        self.check_growth(changes)
    }

    fn check_growth(&self, changes: &[(EntityId, Change)]) -> Result<(), Error> {
        let (mut all, mut by_token) = (Growth::default(), BTreeMap::<&Arc<str>, Growth>::new());
        for (id, result) in self.changed(changes)? {
            let life = self.life_of(id);
            let (before, after) =
                (life.map_or_else(Size::default, Size::of), result.size(self, id));
            if after.components > before.components {
                self.within(Quota::Components, after.components)?;
            }
            if after.bytes > before.bytes {
                self.within(Quota::EntityBytes, after.bytes)?;
            }
            let bytes = i128::from(after.bytes) - i128::from(before.bytes);
            let entities = u64::from(life.is_none() && after.components > 0);
            let growth = Growth { entities, bytes };
            all.add(growth);
            if let Some(maker) = life.map_or(self.calling.as_ref(), |life| life.maker.as_ref()) {
                by_token.entry(maker).or_default().add(growth);
            }
        }
        let entities = self.world.resource::<Entities>().count() as u64;
        let there = (entities, self.held.bytes());
        self.may_grow(all, there, (Quota::Entities, Quota::Bytes))?;
        if self.calling.is_some() {
            for (token, growth) in by_token {
                let there = self.held.of(token);
                self.may_grow(growth, there, (Quota::TokenEntities, Quota::TokenBytes))?;
            }
        }
        Ok(())
    }

    /// Whether everything that is attached might come on top of what there is, replace nothing, and
    /// be one Entity's: mostly so, and quickly said.
    fn fits_on_top(&self, changes: &[(EntityId, Change)]) -> bool {
        let fits = |quota, wanted: u64| self.within(quota, wanted).is_ok();
        let (mut count, mut bytes) = (0_u64, 0_u64);
        for json in changes.iter().filter_map(|(_, change)| change.value()) {
            let length = json.text().len() as u64;
            if !fits(Quota::ComponentBytes, length) {
                return false;
            }
            (count, bytes) = (count + 1, bytes.saturating_add(length));
        }
        let entities = self.world.resource::<Entities>().count() as u64;
        let mut last = None;
        fits(Quota::Entities, entities.saturating_add(count))
            && fits(Quota::Bytes, self.held.bytes().saturating_add(bytes))
            && changes.iter().map(|(id, _)| *id).all(|id| {
                if last.replace(id) == Some(id) {
                    return true;
                }
                let life = self.life_of(id);
                let there = life.map_or_else(Size::default, Size::of);
                let maker = life.map_or(self.calling.as_ref(), |life| life.maker.as_ref());
                fits(Quota::Components, there.components.saturating_add(count))
                    && fits(Quota::EntityBytes, there.bytes.saturating_add(bytes))
                    && maker.filter(|_| self.calling.is_some()).is_none_or(|token| {
                        let (made, held) = self.held.of(token);
                        fits(Quota::TokenEntities, made.saturating_add(count))
                            && fits(Quota::TokenBytes, held.saturating_add(bytes))
                    })
            })
    }

    fn may_grow(
        &self,
        Growth { entities: made, bytes: grown }: Growth,
        (entities, bytes): (u64, u64),
        (of_entities, of_bytes): (Quota, Quota),
    ) -> Result<(), QuotaReached> {
        if made > 0 {
            self.within(of_entities, entities.saturating_add(made))?;
        }
        if grown > 0 {
            let wanted = i128::from(bytes) + grown;
            self.within(of_bytes, u64::try_from(wanted).unwrap_or(u64::MAX))?;
        }
        Ok(())
    }

    /// What changes come to, by Entity.
    fn changed(
        &self,
        changes: &[(EntityId, Change)],
    ) -> Result<BTreeMap<EntityId, Changed>, QuotaReached> {
        let mut by_entity: BTreeMap<EntityId, Changed> = BTreeMap::new();
        for (id, change) in changes {
            let result = by_entity.entry(*id).or_default();
            let bytes = change.value().map(|json| json.text().len() as u64);
            self.within(Quota::ComponentBytes, bytes.unwrap_or_default())?;
            match change {
                Change::Clear | Change::End => {
                    *result = Changed { cleared: true, latest: BTreeMap::new() }
                }
                Change::AttachTyped(typed, ..) | Change::DetachTyped(typed) => {
                    result.latest.insert(Key::Typed(typed.id), bytes);
                }
                Change::AttachForeign(name, _) | Change::DetachForeign(name) => {
                    result.latest.insert(Key::Foreign(*name), bytes);
                }
            }
        }
        Ok(by_entity)
    }

    /// The bytes of what is attached, as they are counted.
    fn weight(&self, id: EntityId, key: Key) -> Option<u64> {
        let life = self.life_of(id)?;
        let length = match key {
            Key::Typed(typed) if typed == self.systems_id => self.get::<Systems>(id)?.weight(),
            Key::Typed(typed) => life.texts.get(typed)?.text().len(),
            Key::Foreign(name) => life.foreign.values.get(&name)?.text().len(),
        };
        Some(length as u64)
    }

    /// The Entities that somebody's token is about to make by these changes.
    pub(crate) fn to_be_made(
        &self,
        batch: &Batch<'_>,
        changes: &[(EntityId, Change)],
    ) -> Vec<EntityId> {
        if self.calling.is_none() || *batch.writer != Writer::Caller {
            return Vec::new();
        }
        let written = changes.iter().map(|(id, _)| *id);
        let mut made: Vec<EntityId> = written.filter(|id| self.find(*id).is_none()).collect();
        made.dedup();
        made
    }

    /// Notes whose token has made these Entities.
    pub(crate) fn note_maker(&mut self, made: &[EntityId]) {
        for id in made {
            let Some(entity) = self.find(*id) else { continue };
            self.held.give(self.lives.of_mut(entity), self.calling.clone());
            self.note_life(*id);
        }
    }
}

impl Changed {
    /// What the Entity comes to.
    fn size(&self, engine: &Engine, id: EntityId) -> Size {
        let life = engine.life_of(id).filter(|_| !self.cleared);
        let mut size = life.map_or_else(Size::default, Size::of);
        for (key, value) in &self.latest {
            let old = if self.cleared { None } else { engine.weight(id, *key) };
            size.components += u64::from(value.is_some());
            size.components -= u64::from(old.is_some());
            size.bytes += value.unwrap_or_default();
            size.bytes -= old.unwrap_or_default();
        }
        size
    }
}

impl Size {
    fn of(life: &Life) -> Self {
        Self { components: life.attached.into(), bytes: life.bytes }
    }
}

#[cfg(test)]
mod tests;
