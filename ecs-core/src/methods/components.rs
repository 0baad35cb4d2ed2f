//! Reading and writing Components.

use super::{EXPECTED, INVOCATION, NAMES, WRITES};
use crate::{
    Engine, EntityId, Error, ErrorObject, Expected, Json, Name, QUOTA_REACHED, Write, Writer,
    args::{Args, Fields},
    component::check_name,
    method::{
        Caller, Kind, Method, NOT_PERMITTED, Reply, Scope, optional, permit, permit_component,
        permit_exact, permit_write, required,
    },
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::borrow::Cow;

pub(super) const GET_COMPONENTS: Method = Method {
    name: "payecs_getcomponents",
    params: &[required("entity", Kind::ENTITY), required("components", NAMES)],
    scope: Scope::Read,
    errors: &[NOT_PERMITTED],
    result: r#"{"entity": id, component: value or null, …}"#,
    doc: "Reads Components in one look, in the order asked for; null where one is not attached. \
          Secret ones are given only to callers who may read secrets.",
    handle: get_components,
    check: |engine, args| names(engine, args).map(drop),
};

pub(super) const SET_COMPONENTS: Method = Method {
    name: "payecs_setcomponents",
    params: &[
        required("writes", WRITES),
        optional("expected", EXPECTED),
        optional("invocation", INVOCATION),
    ],
    scope: Scope::Flow,
    errors: &[NOT_PERMITTED, 2207, 2244, 2205, QUOTA_REACHED],
    result: "{}",
    doc: "Writes Components, all or nothing. First all `expected` are compared with the state \
          before the call: values by meaning, numbers exactly. Then the writes are applied in \
          order. With `invocation`, only while that is current on an Entity written.",
    handle: set_components,
    check: |engine, args| {
        let (writes, expected) = (judged_writes(engine, args)?, expected(args)?);
        Ok(engine.judge_components(&Writer::Caller, &writes, &expected)?)
    },
};

fn get_components(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let id = args.entity("entity")?;
    let names = names(engine, args)?;
    let mut fields = Vec::with_capacity(names.len());
    for name in names {
        if fields.iter().all(|(known, _)| *known != name) {
            let value = engine.component(id, &name).unwrap_or_else(Json::null);
            fields.push((name, value));
        }
    }
    Ok(Json::of(&Read { id, fields }).into())
}

/// What was read of an Entity: its number, then its Components in the order asked for.
struct Read<'a> {
    id: EntityId,
    fields: Vec<(Cow<'a, str>, Json)>,
}

impl Serialize for Read<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1 + self.fields.len()))?;
        map.serialize_entry("entity", &self.id)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The names of Components that the caller may read.
fn names<'a>(engine: &Engine, args: &'a Args<'_>) -> Result<Vec<Cow<'a, str>>, ErrorObject> {
    let names = args.texts("components")?;
    for name in &names {
        check_name(name)?;
        permit_component(args.caller(), name)?;
        if !args.caller().secrets && engine.is_secret(name) {
            let what = format!("Not permitted: `{name}` is secret.");
            return Err(ErrorObject::new(NOT_PERMITTED, what));
        }
    }
    Ok(names)
}

fn set_components(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let (writes, expected) = (judged_writes(engine, args)?, expected(args)?);
    engine.set_components(&Writer::Caller, &writes, &expected)?;
    Ok(Json::nothing().into())
}

/// The writes, if the invocation that they answer is current.
fn judged_writes(engine: &Engine, args: &Args<'_>) -> Result<Vec<Write>, ErrorObject> {
    let writes = writes(engine, args)?;
    if let Some(number) = args.read::<u64>("invocation")? {
        let is_current = |id| engine.check_invocation(id, Some(number)).is_ok();
        if !writes.iter().filter_map(|write| write.entity).any(is_current) {
            return Err(Error::StaleInvocation(number).into());
        }
    }
    Ok(writes)
}

/// The parameter `writes`; what only callers with another scope may write is refused.
pub(super) fn writes(engine: &Engine, args: &Args<'_>) -> Result<Vec<Write>, ErrorObject> {
    let mut writes = Vec::new();
    for fields in args.objects("writes")? {
        let (entity, exact, components) = named(args, "writes", fields)?;
        let components = components.into_iter().map(|(name, value)| (Name::from(name), value));
        let write = Write { entity: Some(entity), exact, components: components.collect() };
        for (name, _) in &write.components {
            permit_write(args.caller(), name)?;
            if let Some(scope) = engine.guarded.get(&**name) {
                permit(args.caller(), *scope, &format!("writing `{name}`"))?;
                permit_judge(engine, args.caller(), (entity, name))?;
            }
        }
        writes.push(write);
    }
    Ok(writes)
}

/// Refuses a word on what the caller's own token made, or is about to make.
fn permit_judge(
    engine: &Engine,
    caller: &Caller,
    (entity, name): (EntityId, &Name),
) -> Result<(), ErrorObject> {
    let Some(token) = &caller.token else { return Ok(()) };
    let is_own = engine.life_of(entity).is_none_or(|life| life.maker.as_ref() == Some(token));
    if !is_own {
        return Ok(());
    }
    let what = format!(
        "Not permitted: token `{token}` made Entity {entity}; another one writes `{name}` there."
    );
    Err(ErrorObject::new(NOT_PERMITTED, what))
}

/// The parameter `expected`.
pub(super) fn expected(args: &Args<'_>) -> Result<Vec<Expected>, ErrorObject> {
    let objects = args.objects("expected")?.into_iter();
    objects
        .map(|fields| {
            let (entity, exact, components) = named(args, "expected", fields)?;
            Ok(Expected { entity, exact, components })
        })
        .collect()
}

type Named = (EntityId, bool, Vec<(String, Option<Json>)>);

/// Takes `entity` and `exact` out of an object of Components.
fn named(args: &Args<'_>, param: &str, fields: Fields) -> Result<Named, ErrorObject> {
    let (mut entity, mut exact, mut components) = (None, false, Vec::new());
    for (name, value) in fields {
        match name.as_str() {
            "entity" => {
                let id = value.decode::<EntityId>();
                entity = Some(id.map_err(|_| args.misshapen(param))?);
            }
            "exact" => exact = value.decode().map_err(|_| args.misshapen(param))?,
            _ => {
                check_name(&name)?;
                permit_component(args.caller(), &name)?;
                components.push((name, Some(value).filter(|value| !value.is_null())));
            }
        }
    }
    permit_exact(args.caller(), exact)?;
    Ok((entity.ok_or_else(|| args.misshapen(param))?, exact, components))
}
