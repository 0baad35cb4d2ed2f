//! Making, listing and ending Entities.

use super::NAMES;
use crate::{
    Engine, EntityId, Error, ErrorObject, Json, Write, Writer,
    args::Args,
    commit::frozen_error,
    inputs::Entities,
    life::Attached,
    method::{
        CHECK_KINDS, Caller, Kind, Method, NOT_PERMITTED, Reply, Scope, optional, permit_component,
        permit_write, required,
    },
    names::Named,
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc};

/// Most Entities that are looked at in one go.
const LOOKED_AT_MAX: usize = 128;
/// More Entities are put into words on another thread.
const TOLD_AT_ONCE_MAX: usize = 16;

const LIMIT: Kind = Kind { fits: |json| json.decode::<NonZeroU32>().is_ok(), ..Kind::COUNT }
    .saying("an integer from 1: most entities in the answer");

pub(super) const NEW_ENTITY: Method = Method {
    name: "payecs_newentity",
    params: &[],
    scope: Scope::Flow,
    errors: &[],
    result: r#"{"entity": id}"#,
    doc: "Gives out the number of a new Entity, counting up from 1 and leaving out numbers in use. \
          The Entity exists once a Component is attached to it.",
    handle: |engine, _| Ok(Json::object([("entity", Json::of(&engine.new_entity()))]).into()),
    check: CHECK_KINDS,
};

pub(super) const LIST_ENTITIES: Method = Method {
    name: "payecs_listentities",
    params: &[
        optional("required", NAMES),
        optional("disallowed", NAMES),
        optional("limit", LIMIT),
        optional("after", Kind::ENTITY.saying("an entity id: only larger ones")),
        optional("components", NAMES),
    ],
    scope: Scope::Read,
    errors: &[NOT_PERMITTED],
    result: r#"{"entities": [{"entity": id, component: value, …}, …]}"#,
    doc: "Lists the Entities that have all required and none of the disallowed Components, by \
          number, with all their Components by name, or those asked for. Secret Components, and \
          those the caller is not for, are left out. Of a long list what changes meanwhile is \
          shown as it was before or after.",
    handle: list_entities,
    check: |engine, args| asked(engine, args).map(drop),
};

pub(super) const DELETE_ENTITY: Method = Method {
    name: "payecs_delentity",
    params: &[required("entity", Kind::ENTITY)],
    scope: Scope::Flow,
    errors: &[NOT_PERMITTED, 2204, 2205],
    result: "{}",
    doc: "Ends an Entity: detaches everything, which the caller must be allowed to. Refused once \
          the Entity is frozen.",
    handle: delete_entity,
    check: |engine, args| doomed(engine, args).map(drop),
};

/// What a caller wants to see of which Entities.
struct Asked {
    caller: Caller,
    required: Vec<Option<Named>>,
    disallowed: Vec<Option<Named>>,
    limit: usize,
    after: Option<EntityId>,
    shown: Option<BTreeSet<String>>,
    /// Names that are never shown.
    secret: Vec<&'static str>,
    listed: Vec<(EntityId, Attached)>,
}

fn list_entities(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let mut asked = asked(engine, args)?;
    if asked.list_page(engine) {
        return Ok(asked.reply(engine));
    }
    let mut asked = Some(asked);
    Ok(Reply::in_steps(move |engine| {
        let is_listed = asked.as_mut().is_some_and(|asked| asked.list_page(engine));
        is_listed.then(|| asked.take().map(|asked| Ok(asked.reply(engine)))).flatten()
    }))
}

fn asked(engine: &Engine, args: &Args<'_>) -> Result<Asked, ErrorObject> {
    let (required, disallowed) = (args.strings("required")?, args.strings("disallowed")?);
    for name in required.iter().chain(&disallowed) {
        permit_component(args.caller(), name)?;
    }
    let (required, disallowed) = (engine.asked(&required)?, engine.asked(&disallowed)?);
    let limit = args.read::<NonZeroU32>("limit")?.map_or(usize::MAX, |limit| limit.get() as usize);
    let after = args.read::<EntityId>("after")?;
    let shown = match args.given("components") {
        None => None,
        Some(_) => Some(args.strings("components")?.into_iter().collect::<BTreeSet<String>>()),
    };
    for name in shown.iter().flatten() {
        permit_component(args.caller(), name)?;
    }
    engine.asked(shown.iter().flatten())?;
    let caller = args.caller().clone();
    let secret = engine.component_specs().filter(|spec| spec.secret).map(|spec| spec.name);
    let secret = secret.collect();
    Ok(Asked { caller, required, disallowed, limit, after, shown, secret, listed: Vec::new() })
}

impl Asked {
    /// Looks at some more Entities; whether these were the last.
    fn list_page(&mut self, engine: &Engine) -> bool {
        let live = engine.world.resource::<Entities>();
        let mut looked_at = 0;
        for id in live.after(self.after).take(LOOKED_AT_MAX) {
            if self.listed.len() == self.limit {
                return true;
            }
            looked_at += 1;
            self.after = Some(id);
            let matches = self.required.iter().all(|name| engine.has(id, name.as_ref()))
                && !self.disallowed.iter().any(|name| engine.has(id, name.as_ref()));
            let entity = engine.find(id).filter(|_| matches);
            let attached = entity.map(|entity| engine.attached(entity));
            let names = engine.names.foreign_texts();
            if let Some(attached) = attached.filter(|it| self.may_know_of(it, names)) {
                self.listed.push((id, attached));
            }
        }
        looked_at < LOOKED_AT_MAX || self.listed.len() == self.limit
    }

    /// Whether the caller is for something that the Entity has.
    fn may_know_of(&self, attached: &Attached, names: &[Arc<str>]) -> bool {
        let is_for = |(name, _): &(&str, &Json)| self.caller.may_touch(name);
        self.caller.components.is_none() || attached.by_name(names).iter().any(is_for)
    }

    fn shows(&self, name: &str) -> bool {
        let is_asked = self.shown.as_ref().is_none_or(|shown| shown.contains(name));
        is_asked && !self.secret.contains(&name) && self.caller.may_touch(name)
    }

    /// Few are told at once; many are put together elsewhere.
    fn reply(self, engine: &Engine) -> Reply {
        let names = engine.names.foreign_texts();
        if self.listed.len() <= TOLD_AT_ONCE_MAX {
            return self.told(names).into();
        }
        let names = names.to_vec();
        Reply::Elsewhere(Box::new(move || Ok(self.told(&names))))
    }

    fn told(&self, names: &[Arc<str>]) -> Json {
        let shown =
            self.listed.iter().map(|(id, attached)| Shown { id, asked: self, attached, names });
        Json::of(&Told { entities: shown.collect() })
    }
}

/// The answer.
#[derive(Serialize)]
struct Told<'a> {
    entities: Vec<Shown<'a>>,
}

/// One Entity, with what is shown of it.
struct Shown<'a> {
    id: &'a EntityId,
    asked: &'a Asked,
    attached: &'a Attached,
    names: &'a [Arc<str>],
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("entity", self.id)?;
        for (name, json) in self.attached.by_name(self.names) {
            if self.asked.shows(name) {
                map.serialize_entry(name, json)?;
            }
        }
        map.end()
    }
}

fn delete_entity(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let id = doomed(engine, args)?;
    engine.set_components(&Writer::Caller, &[Write::end(id)], &[])?;
    Ok(Json::nothing().into())
}

/// The Entity that may be ended.
fn doomed(engine: &Engine, args: &Args<'_>) -> Result<EntityId, ErrorObject> {
    let id = args.entity("entity")?;
    if engine.find(id).is_none() {
        return Err(Error::UnknownEntity(id).into());
    }
    if engine.is_frozen(id) {
        return Err(frozen_error(id, "it").into());
    }
    if args.caller().writes.is_some() {
        let components = engine.components(id);
        components.iter().try_for_each(|(name, _)| permit_write(args.caller(), name))?;
    }
    Ok(id)
}

impl Engine {
    /// What stands behind names that a caller asks about; no name was ever used for `None`.
    fn asked<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Result<Vec<Option<Named>>, Error> {
        names.into_iter().map(|name| self.names.look_up(name)).collect()
    }

    fn has(&self, id: EntityId, name: Option<&Named>) -> bool {
        name.is_some_and(|name| self.is_attached(id, name))
    }
}
