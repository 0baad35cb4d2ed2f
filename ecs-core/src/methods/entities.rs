//! Making, listing and ending Entities.

use super::{ENTITY, NAMES};
use crate::{
    Engine, EntityId, Error, ErrorObject, Json, Write, Writer,
    args::Args,
    inputs::Entities,
    method::{Method, Scope, optional, required},
    names::Named,
};
use std::{collections::BTreeSet, num::NonZeroU32};

pub(super) const NEW_ENTITY: Method = Method {
    name: "payecs_newentity",
    params: &[],
    scope: Scope::Flow,
    errors: &[],
    result: r#"{"entity": id}"#,
    doc: "Gives out the number of a new Entity, counting up from 1 and leaving out numbers in use. \
          The Entity exists once a Component is attached to it.",
    handle: |engine, _| Ok(Json::object([("entity", Json::of(&engine.new_entity()))])),
};

pub(super) const LIST_ENTITIES: Method = Method {
    name: "payecs_listentities",
    params: &[
        optional("required", NAMES),
        optional("disallowed", NAMES),
        optional("limit", "an integer from 1: most entities in the answer"),
        optional("after", "an entity id: only larger ones"),
        optional("components", NAMES),
    ],
    scope: Scope::Read,
    errors: &[],
    result: r#"{"entities": [{"entity": id, component: value, …}, …]}"#,
    doc: "Lists the Entities that have all required and none of the disallowed Components, by \
          number, with all their Components by name, or those asked for. Secret Components are \
          left out.",
    handle: list_entities,
};

pub(super) const DELETE_ENTITY: Method = Method {
    name: "payecs_delentity",
    params: &[required("entity", ENTITY)],
    scope: Scope::Flow,
    errors: &[2204, 2205],
    result: "{}",
    doc: "Ends an Entity: detaches everything. Refused once the Entity is frozen.",
    handle: delete_entity,
};

fn list_entities(engine: &mut Engine, args: &Args<'_>) -> Result<Json, ErrorObject> {
    let required = args.strings("required")?;
    let disallowed = args.strings("disallowed")?;
    let limit = args.read::<NonZeroU32>("limit")?.map_or(usize::MAX, |limit| limit.get() as usize);
    let after = args.read::<EntityId>("after")?;
    let shown = match args.given("components") {
        None => None,
        Some(_) => Some(args.strings("components")?.into_iter().collect::<BTreeSet<String>>()),
    };
    let (required, disallowed) = (engine.asked(&required)?, engine.asked(&disallowed)?);
    if let Some(shown) = &shown {
        engine.asked(shown)?;
    }
    let live = engine.world.resource::<Entities>();
    let matching = live.after(after).filter(|id| {
        required.iter().all(|name| engine.has(*id, name.as_ref()))
            && !disallowed.iter().any(|name| engine.has(*id, name.as_ref()))
    });
    let entities = matching.take(limit).map(|id| entity_object(engine, id, shown.as_ref()));
    Ok(Json::object([("entities", Json::array(entities))]))
}

fn entity_object(engine: &Engine, id: EntityId, shown: Option<&BTreeSet<String>>) -> Json {
    let components = engine.components(id).into_iter().filter(|(name, _)| {
        !engine.is_secret(name) && shown.is_none_or(|shown| shown.contains(&**name))
    });
    Json::object(std::iter::once(("entity".into(), Json::of(&id))).chain(components))
}

fn delete_entity(engine: &mut Engine, args: &Args<'_>) -> Result<Json, ErrorObject> {
    let id = args.entity("entity")?;
    if engine.find(id).is_none() {
        return Err(Error::UnknownEntity(id).into());
    }
    engine.set_components(&Writer::Caller, &[Write::end(id)], &[])?;
    Ok(Json::nothing())
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
