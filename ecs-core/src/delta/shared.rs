//! Long values that many Entities have: records and snapshots say each of them once.

use crate::{
    Error, Json, WireComponent,
    systems::{Systems, SystemsFinal},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// Most values that are shared at once.
const VALUES_MAX: usize = 64;
/// A shorter value is said wherever it is attached.
const SHARED_BYTES_MIN: usize = 128;

/// Whether a Component's value is one that many Entities have.
pub(crate) fn is_shared(name: &str, value: &Json) -> bool {
    value.text().len() >= SHARED_BYTES_MIN
        && (name == Systems::SPEC.name || name == SystemsFinal::SPEC.name)
}

/// Values by number, found again by their text.
#[derive(Debug, Default)]
pub(crate) struct Values {
    all: Vec<Json>,
    /// Who lost its number last, once all were in use.
    lost: usize,
}

impl Values {
    pub(crate) fn find(&self, value: &Json) -> Option<u32> {
        let place = self.all.iter().position(|known| known.is_same_text(value))?;
        u32::try_from(place).ok()
    }

    /// A number for a value that has none. Where all are in use, another value loses its own.
    pub(crate) fn add(&mut self, value: &Json) -> u32 {
        let place = if self.has_room() { self.all.len() } else { (self.lost + 1) % VALUES_MAX };
        let number = u32::try_from(place).expect("VALUES_MAX fits");
        if !self.has_room() {
            self.lost = place;
        }
        self.put(number, value);
        number
    }

    /// The number of a value; a new one where there is room, so that nobody loses his.
    pub(crate) fn number(&mut self, value: &Json) -> Option<u32> {
        self.find(value).or_else(|| self.has_room().then(|| self.add(value)))
    }

    fn has_room(&self) -> bool {
        self.all.len() < VALUES_MAX
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Json> {
        self.all.get(usize::try_from(number).ok()?)
    }

    /// Gives a value a number: the next one, or one that another value loses. `false`: it is
    /// neither, and nothing was done.
    pub(crate) fn put(&mut self, number: u32, value: &Json) -> bool {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if place == self.all.len() && self.has_room() {
            self.all.push(value.plain());
        } else if let Some(known) = self.all.get_mut(place) {
            *known = value.plain();
        } else {
            return false;
        }
        true
    }

    pub(crate) fn into_all(self) -> Vec<Json> {
        self.all
    }
}

/// A record or snapshot is not what the engine writes.
pub(crate) fn unnamed(number: u32) -> Error {
    Error::Invalid(format!("value {number} is attached, but nothing before it says which that is"))
}

/// What the records since the last snapshot share. That snapshot may be what is read first, so the
/// records behind it name again what they mean.
#[derive(Debug, Default)]
pub(crate) struct SinceSnapshot {
    values: Values,
    snapshot_taken: AtomicBool,
}

impl SinceSnapshot {
    /// A snapshot is taken of the state as it is.
    pub(crate) fn note_snapshot(&self) {
        self.snapshot_taken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn values(&mut self) -> &mut Values {
        if std::mem::take(self.snapshot_taken.get_mut()) {
            self.values = Values::default();
        }
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_number_until_all_are_in_use_and_others_come() {
        let value = |number: usize| Json::of(&number);
        let mut values = Values::default();
        for number in 0..VALUES_MAX {
            assert_eq!(values.add(&value(number)) as usize, number);
        }
        assert_eq!(values.find(&value(7)), Some(7));
        let number = values.add(&value(VALUES_MAX));
        assert_eq!(values.get(number), Some(&value(VALUES_MAX)));
        assert_eq!(values.find(&value(number as usize)), None, "who had it before");
        let behind = u32::try_from(VALUES_MAX).unwrap();
        assert!(!values.put(behind, &value(0)), "no such number");
        assert!(!Values::default().put(1, &value(0)), "0 comes first");
    }

    #[test]
    fn after_a_snapshot_nothing_is_shared_yet() {
        let mut shared = SinceSnapshot::default();
        shared.values().add(&Json::yes());
        assert_eq!(shared.values().find(&Json::yes()), Some(0));
        shared.note_snapshot();
        assert_eq!(shared.values().find(&Json::yes()), None);
    }
}
