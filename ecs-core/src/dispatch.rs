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
pub(crate) struct ListId(usize);

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
    /// By number; `None`: free for another list.
    places: Vec<Option<List>>,
    by_names: BTreeMap<Names, ListId>,
    /// How many pairs of list and archetype are kept resolved.
    fitting: usize,
}

impl Lists {
    /// Interns a list for one more Entity; `hint`: what it was interned as for another. `None`: too
    /// many different lists are in use.
    pub(crate) fn take(&mut self, names: &Names, hint: Option<ListId>) -> Option<ListId> {
        let hinted = hint.and_then(|id| self.list_mut(id).map(|list| (id, list)));
        if let Some((id, list)) = hinted.filter(|(_, list)| Arc::ptr_eq(&list.names, names)) {
            list.users += 1;
            return Some(id);
        }
        if let Some(id) = self.by_names.get(names).copied() {
            self.list_mut(id).expect("what has a name is there").users += 1;
            return Some(id);
        }
        if self.by_names.len() >= LISTS_MAX {
            self.drop_unused();
        }
        if self.by_names.len() >= LISTS_MAX {
            return None;
        }
        let is_full = self.by_names.len() == self.places.len();
        if is_full {
            self.places.push(None);
        }
        let place = self.places.iter().rposition(Option::is_none).expect("one is free now");
        self.places[place] = Some(List::of(Arc::clone(names)));
        self.by_names.insert(Arc::clone(names), ListId(place));
        Some(ListId(place))
    }

    fn list_mut(&mut self, id: ListId) -> Option<&mut List> {
        self.places.get_mut(id.0)?.as_mut()
    }

    /// One Entity less uses the list. It stays resolved until room is needed.
    pub(crate) fn give_back(&mut self, id: ListId) {
        if let Some(list) = self.list_mut(id) {
            list.users -= 1;
        }
    }

    fn drop_unused(&mut self) {
        for place in &mut self.places {
            if let Some(list) = place.take_if(|list| list.users == 0) {
                self.fitting -= list.fitting.len();
                self.by_names.remove(&list.names);
            }
        }
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
            self.places.iter_mut().flatten().for_each(|list| list.fitting.clear());
        }
        let list = self.places[id.0].as_mut().expect("an attached list is interned");
        self.fitting -= list.refresh(registry);
        let List { names, entries, fitting, .. } = list;
        let fitting = fit(fitting, &mut self.fitting, entries, (registry, entity));
        for position in fitting {
            let Some(index) = entries[usize::from(*position)] else {
                let name = &names[usize::from(*position)];
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
    /// Interned for one Entity.
    fn of(names: Names) -> Self {
        let (entries, fitting) = (Vec::new(), HashMap::default());
        Self { names, users: 1, generation: None, entries, fitting }
    }

    /// Answers how many archetypes it is no longer resolved for.
    fn refresh(&mut self, registry: &Registry) -> usize {
        if self.generation == Some(registry.generation) {
            return 0;
        }
        self.generation = Some(registry.generation);
        self.entries = self.names.iter().map(|name| registry.find(name)).collect();
        let resolved = self.fitting.len();
        self.fitting.clear();
        resolved
    }
}

/// The positions whose Systems fit an Entity's archetype, and those of unregistered names; resolved
/// and counted where it is the first of that archetype.
fn fit<'a>(
    fitting: &'a mut HashMap<usize, Box<[u16]>>,
    count: &mut usize,
    entries: &[Option<SystemIndex>],
    (registry, entity): (&Registry, EntityRef<'_>),
) -> &'a [u16] {
    let archetype = entity.archetype();
    fitting.entry(archetype.id().index()).or_insert_with(|| {
        let fits = |index| registry.get(index).fits_archetype(|id| archetype.contains(id));
        let entries = entries.iter().zip(0_u16..);
        let fitting = entries.filter(|(entry, _)| entry.is_none_or(fits));
        *count += 1;
        fitting.map(|(_, position)| position).collect()
    })
}
