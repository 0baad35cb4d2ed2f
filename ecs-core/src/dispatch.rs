//! Which System of a list matches: a lookup, not a search.
//!
//! A match depends on presence only. Of each list it is kept, for each archetype, which Systems fit
//! its typed Components; what is left to test of those are the foreign names, bit by bit.

use crate::{
    life::Life,
    registry::{Owner, Registered, Registry, SystemIndex},
    systems::{Failing, Names},
};
use bevy_ecs::world::EntityRef;
use foldhash::HashMap;
use std::{collections::BTreeMap, sync::Arc};

/// Most lists that are kept resolved at a time; unused ones make room.
pub const LISTS_MAX: usize = 4_096;
/// Most pairs of list and archetype that are kept resolved; past that all start anew.
const FITTING_MAX: usize = 65_536;

/// An interned list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListId(u64);

/// What a scan of a list came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    System { index: SystemIndex, position: u32 },
    Unregistered(Arc<str>),
    Nothing,
}

struct List {
    names: Names,
    users: u32,
    /// The state of the registry that `entries` were resolved against.
    generation: Option<u64>,
    entries: Vec<Option<SystemIndex>>,
    /// By archetype: asked for one at a time.
    fitting: HashMap<usize, Box<[u16]>>,
}

/// The interned lists.
#[derive(Default)]
pub(crate) struct Lists {
    /// Asked for one at a time: its order is random.
    by_number: HashMap<u64, List>,
    by_names: BTreeMap<Names, u64>,
    next: u64,
    /// How many pairs of list and archetype are kept resolved.
    fitting: usize,
}

impl Lists {
    /// Interns a list for one more Entity; `hint`: what it was interned as for another. `None`: too
    /// many different lists are in use.
    pub(crate) fn take(&mut self, names: &Names, hint: Option<ListId>) -> Option<ListId> {
        let hinted = hint.and_then(|id| self.by_number.get_mut(&id.0).map(|list| (id, list)));
        if let Some((id, list)) = hinted.filter(|(_, list)| Arc::ptr_eq(&list.names, names)) {
            list.users += 1;
            return Some(id);
        }
        if let Some(number) = self.by_names.get(names) {
            let list = self.by_number.get_mut(number).expect("both maps hold the same lists");
            list.users += 1;
            return Some(ListId(*number));
        }
        if self.by_number.len() >= LISTS_MAX {
            self.drop_unused();
        }
        if self.by_number.len() >= LISTS_MAX {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.by_names.insert(Arc::clone(names), number);
        let (entries, fitting) = (Vec::new(), HashMap::default());
        let names = Arc::clone(names);
        self.by_number.insert(number, List { names, users: 1, generation: None, entries, fitting });
        Some(ListId(number))
    }

    /// One Entity less uses the list. It stays resolved until room is needed.
    pub(crate) fn give_back(&mut self, id: ListId) {
        if let Some(list) = self.by_number.get_mut(&id.0) {
            list.users -= 1;
        }
    }

    fn drop_unused(&mut self) {
        let (lists, by_names) = (&mut self.by_number, &mut self.by_names);
        let fitting = &mut self.fitting;
        lists.retain(|_, list| {
            let used = list.users > 0;
            if !used {
                *fitting -= list.fitting.len();
                by_names.remove(&list.names);
            }
            used
        });
    }

    /// The first System of the list that matches and may run. A name that is not registered ends
    /// the scan, or is passed over: always where the Entity failed on it.
    pub(crate) fn find(
        &mut self,
        id: ListId,
        registry: &Registry,
        (entity, life): (EntityRef<'_>, &Life),
    ) -> Found {
        if self.fitting >= FITTING_MAX {
            self.fitting = 0;
            self.by_number.values_mut().for_each(|list| list.fitting.clear());
        }
        let list = self.by_number.get_mut(&id.0).expect("an attached list is interned");
        let resolved = list.fitting.len();
        list.refresh(registry);
        let key = list.fit(registry, entity);
        self.fitting = self.fitting + list.fitting.len() - resolved;
        let fitting = &list.fitting[&key];
        for position in fitting {
            let Some(index) = list.entries[usize::from(*position)] else {
                let name = &list.names[usize::from(*position)];
                if entity.contains::<Failing>() || life.muted.contains(name) {
                    continue;
                }
                return Found::Unregistered(Arc::clone(name));
            };
            let system = registry.get(index);
            if system.fits_foreign(&life.foreign.mask) && may_run(system, life) {
                return Found::System { index, position: u32::from(*position) };
            }
        }
        Found::Nothing
    }
}

/// Whether a System that is on no list matches and may run.
pub(crate) fn matches(system: &Registered, entity: EntityRef<'_>, life: &Life) -> bool {
    system.fits_archetype(|id| entity.contains_id(id))
        && system.fits_foreign(&life.foreign.mask)
        && may_run(system, life)
}

fn may_run(system: &Registered, life: &Life) -> bool {
    !life.muted.contains(&system.def.system)
        && (system.owner == Owner::BuiltIn || !life.own_systems_only)
}

impl List {
    fn refresh(&mut self, registry: &Registry) {
        if self.generation != Some(registry.generation) {
            self.generation = Some(registry.generation);
            self.entries = self.names.iter().map(|name| registry.find(name)).collect();
            self.fitting.clear();
        }
    }

    /// Finds the positions whose Systems fit the Entity's archetype, and those of unregistered
    /// names. Answers where they are kept.
    fn fit(&mut self, registry: &Registry, entity: EntityRef<'_>) -> usize {
        let archetype = entity.archetype();
        let key = archetype.id().index();
        if self.fitting.contains_key(&key) {
            return key;
        }
        let fitting = self
            .entries
            .iter()
            .zip(0_u16..)
            .filter(|(entry, _)| {
                entry.is_none_or(|index| {
                    registry.get(index).fits_archetype(|id| archetype.contains(id))
                })
            })
            .map(|(_, position)| position)
            .collect();
        self.fitting.insert(key, fitting);
        key
    }
}
