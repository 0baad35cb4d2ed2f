//! Names of Components, interned.

mod statics;

use crate::{
    Error,
    component::{NAME_BYTES_MAX, OWN_PREFIX, TypedComponent, check_name},
    write::Name,
};
use foldhash::HashMap;
use statics::Statics;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// Most foreign names an engine takes in its life, those of the flow among them.
pub const FOREIGN_NAMES_MAX: u32 = 4_352;

/// An interned foreign name: the number of its bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ForeignId(pub(crate) u32);

/// What stands behind a name.
#[derive(Clone, Copy)]
pub(crate) enum Named {
    /// A documented Component.
    Typed(TypedComponent),
    /// A name without a type: a third party's, or under a free prefix of ours.
    Foreign(ForeignId),
}

impl Named {
    /// Whether it is never shown.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self, Self::Typed(typed) if typed.spec.secret)
    }
}

/// All names that were ever registered, attached, or named by a System.
#[derive(Default)]
pub(crate) struct Names {
    /// Asked for one name at a time: its order is random.
    by_text: HashMap<Arc<str>, Named>,
    typed: BTreeMap<Arc<str>, TypedComponent>,
    statics: Statics,
    foreign_texts: Vec<Arc<str>>,
    free_prefixes: Vec<&'static str>,
}

impl Names {
    pub(crate) fn add_typed(&mut self, component: TypedComponent) {
        self.statics = Statics::default();
        let name: Arc<str> = component.spec.name.into();
        self.by_text.insert(Arc::clone(&name), Named::Typed(component));
        let earlier = self.typed.insert(name, component);
        assert!(earlier.is_none(), "component {} registered twice", component.spec.name);
    }

    pub(crate) fn add_free_prefix(&mut self, prefix: &'static str) {
        self.free_prefixes.push(prefix);
    }

    /// The documented Components, by name.
    pub(crate) fn typed(&self) -> impl Iterator<Item = (&Arc<str>, &TypedComponent)> {
        self.typed.iter()
    }

    /// The names without a type, by number.
    pub(crate) fn foreign_texts(&self) -> &[Arc<str>] {
        &self.foreign_texts
    }

    pub(crate) fn text(&self, id: ForeignId) -> &Arc<str> {
        &self.foreign_texts[id.0 as usize]
    }

    /// A name to share, if it was ever used, and what stands behind it.
    pub(crate) fn shared(&self, name: &str) -> Option<(&Arc<str>, &Named)> {
        self.by_text.get_key_value(name)
    }

    /// What stands behind a name, if it was ever used.
    pub(crate) fn find(&self, name: &str) -> Option<Named> {
        self.by_text.get(name).copied()
    }

    /// What stands behind the name of something that is written. A new one is interned where it
    /// is attached; `None`: nobody ever had it, and it is only detached.
    ///
    /// # Errors
    /// As [`Names::intern`].
    pub(crate) fn of_written(
        &mut self,
        name: &Name,
        attaches: bool,
    ) -> Result<Option<Named>, Error> {
        let remembered = match name {
            Cow::Borrowed(text) => self.statics.find(text),
            Cow::Owned(_) => None,
        };
        if remembered.is_some() {
            return Ok(remembered);
        }
        let named = if attaches { Some(self.intern(name)?) } else { self.look_up(name)? };
        if let (Cow::Borrowed(text), Some(named)) = (name, named) {
            self.statics.put(text, named);
        }
        Ok(named)
    }

    /// What stands behind a name; a new one is interned.
    ///
    /// # Errors
    /// A bad name, an unknown name under our own prefix, or too many names.
    pub(crate) fn intern(&mut self, name: &str) -> Result<Named, Error> {
        if let Some(named) = self.look_up(name)? {
            return Ok(named);
        }
        let id = u32::try_from(self.foreign_texts.len()).unwrap_or(u32::MAX);
        if id >= FOREIGN_NAMES_MAX {
            return Err(Error::Invalid(format!(
                "component name `{name}`: this engine has seen {FOREIGN_NAMES_MAX} names of third \
                 parties, its limit; put variable data into values"
            )));
        }
        let text: Arc<str> = name.into();
        self.foreign_texts.push(Arc::clone(&text));
        self.by_text.insert(text, Named::Foreign(ForeignId(id)));
        Ok(Named::Foreign(ForeignId(id)))
    }

    /// What stands behind a name that is only asked for: nothing is interned.
    ///
    /// # Errors
    /// A bad name, or an unknown name under our own prefix.
    pub(crate) fn look_up(&self, name: &str) -> Result<Option<Named>, Error> {
        if let Some(named) = self.find(name) {
            return Ok(Some(named));
        }
        check_name(name)?;
        if name.starts_with(OWN_PREFIX) && !self.is_free(name) {
            return Err(self.unknown(name));
        }
        Ok(None)
    }

    /// How many foreign names there are: for [`Names::forget_since`].
    pub(crate) fn mark(&self) -> usize {
        self.foreign_texts.len()
    }

    /// Takes back the names interned since, when what they were for was refused.
    pub(crate) fn forget_since(&mut self, mark: usize) {
        if mark < self.foreign_texts.len() {
            self.statics = Statics::default();
        }
        for text in self.foreign_texts.drain(mark..) {
            self.by_text.remove(&text);
        }
    }

    fn is_free(&self, name: &str) -> bool {
        self.free_prefixes
            .iter()
            .any(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
    }

    fn unknown(&self, name: &str) -> Error {
        let hint = did_you_mean(self.typed.keys().map(AsRef::as_ref), name);
        Error::Invalid(format!("`{name}` is no documented component{hint}"))
    }
}

/// "; `known`?" for the known name that is nearest to what was given, if one is near: it must have
/// some of what was given in it. Otherwise nothing.
pub fn did_you_mean<'a>(known: impl Iterator<Item = &'a str>, name: &str) -> String {
    const DISTANCE_MAX: usize = 3;
    if name.len() > NAME_BYTES_MAX {
        return String::new();
    }
    let nearest = known.map(|known| (edit_distance(known, name), known)).min();
    match nearest {
        Some((distance, known)) if distance <= DISTANCE_MAX && distance < name.chars().count() => {
            format!("; `{known}`?")
        }
        Some(_) | None => String::new(),
    }
}

/// How many characters must be put in, taken out or changed to make one text of the other.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, left_char) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right_char) in right.iter().enumerate() {
            let changed = diagonal + usize::from(left_char != *right_char);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

/// A set of foreign names as bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mask(Vec<u64>);

impl Mask {
    pub(crate) fn insert(&mut self, id: ForeignId) {
        let word = (id.0 / 64) as usize;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (id.0 % 64);
    }

    pub(crate) fn remove(&mut self, id: ForeignId) {
        if let Some(word) = self.0.get_mut((id.0 / 64) as usize) {
            *word &= !(1 << (id.0 % 64));
        }
    }

    /// Whether every name of `other` is in this set.
    pub(crate) fn contains_all(&self, other: &Self) -> bool {
        other.0.iter().enumerate().all(|(at, word)| self.0.get(at).unwrap_or(&0) & word == *word)
    }

    /// Whether no name of `other` is in this set.
    pub(crate) fn contains_none(&self, other: &Self) -> bool {
        other.0.iter().zip(&self.0).all(|(other, own)| other & own == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_of_ours_must_be_known_and_are_suggested() {
        let mut names = Names::default();
        names.add_free_prefix("lightningd:invoice:");
        assert!(names.intern("lightningd:invoice:type").is_ok());
        assert!(names.intern("lightningd:invoice:").is_err());
        assert!(names.intern("lightningd:unknown").is_err());
        assert_eq!(did_you_mean(["amount", "label"].into_iter(), "amuont"), "; `amount`?");
        assert_eq!(did_you_mean(["amount"].into_iter(), "preimage"), "");
        assert_eq!(edit_distance("amount", "amuont"), 2);
        assert_eq!(edit_distance("", "abc"), 3);
    }

    #[test]
    fn the_name_after_the_last_one_is_refused() {
        let mut names = Names::default();
        for number in 0..FOREIGN_NAMES_MAX {
            names
                .intern(&format!("acme:{number}"))
                .map_err(|error| error.to_string())
                .unwrap_or_else(|error| panic!("{error}"));
        }
        assert!(names.intern("acme:7").is_ok());
        assert!(names.intern("acme:more").is_err());
    }

    #[test]
    fn names_that_were_only_asked_for_or_taken_back_use_no_room() {
        let mut names = Names::default();
        assert!(names.look_up("acme:asked").is_ok_and(|named| named.is_none()));
        let (mark, name) = (names.mark(), Name::Borrowed("acme:new"));
        let is_known = |names: &mut Names, attaches| {
            names.of_written(&name, attaches).is_ok_and(|named| named.is_some())
        };
        assert!(!is_known(&mut names, false), "only detached");
        assert!(is_known(&mut names, true) && is_known(&mut names, false));
        names.forget_since(mark);
        assert!(!is_known(&mut names, false) && names.find(&name).is_none());
        assert_eq!(names.mark(), 0);
    }

    proptest! {
        #[test]
        fn a_mask_answers_as_a_set_would(
            own in prop::collection::btree_set(0_u32..200, 0..20),
            gone in prop::collection::btree_set(0_u32..200, 0..20),
            asked in prop::collection::btree_set(0_u32..200, 0..4),
        ) {
            let mask_of = |set: &BTreeSet<u32>| {
                let mut mask = Mask::default();
                for id in set {
                    mask.insert(ForeignId(*id));
                }
                mask
            };
            let mut mask = mask_of(&own);
            for id in &gone {
                mask.remove(ForeignId(*id));
            }
            let left: BTreeSet<u32> = own.difference(&gone).copied().collect();
            prop_assert_eq!(mask.contains_all(&mask_of(&asked)), asked.is_subset(&left));
            prop_assert_eq!(mask.contains_none(&mask_of(&asked)), asked.is_disjoint(&left));
        }
    }
}
