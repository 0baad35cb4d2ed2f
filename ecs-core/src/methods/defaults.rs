//! The default list of Systems.

use crate::{
    Engine, ErrorObject, Json, QUOTA_REACHED, Systems, Write, Writer,
    args::Args,
    component::WireComponent,
    method::{CHECK_KINDS, Kind, Method, Reply, Scope, optional, required},
    systems::LIST_LENGTH_MAX,
};
use std::{collections::BTreeMap, sync::Arc};

pub(super) const SYSTEM_NAMES: Kind =
    Kind::TEXTS.saying("an array of names of Systems, or one name");
const REPLACE: Kind =
    Kind::OBJECT.saying("an object: the name of a default System, and of the one in its place");

pub(super) const BESIDE: Kind = Kind::OBJECT.saying(
    "an object: the name of a default System, and those that go beside it (a name or an array)",
);

pub(super) const GET_DEFAULT_SYSTEMS: Method = Method {
    name: "payecs_getdefaultsystems",
    params: &[],
    scope: Scope::Read,
    errors: &[],
    result: r#"{"systems": [name, …], "additions": {"prepend": [name, …], "append": [name, …],
        "before": {name: [name, …], …}, "after": {name: [name, …], …}}}"#,
    doc: "The default list of Systems, in order. `additions`, only where there are some: which of \
          them payecs_changedefaultsystems has put beside the flow.",
    handle: |engine, _| Ok(default_systems(engine).into()),
    check: CHECK_KINDS,
};

pub(super) const SET_DEFAULT_SYSTEMS: Method = Method {
    name: "payecs_setdefaultsystems",
    params: &[
        required("entity", Kind::ENTITY),
        optional("prepend", SYSTEM_NAMES),
        optional("append", SYSTEM_NAMES),
        optional("replace", REPLACE),
        optional("before", BESIDE),
        optional("after", BESIDE),
    ],
    scope: Scope::Flow,
    errors: &[2205, QUOTA_REACHED],
    result: "{}",
    doc: "Sets `systems` of the Entity's `lightningd:systems` to the default list, with Systems \
          before, after, or in place of some of it; `before` and `after` put Systems right before \
          or after one of it, by name, also where that one is replaced. Other fields stay; a value \
          that is no object is replaced.",
    handle: set_default_systems,
    check: |engine, args| {
        let write = list_asked_for(engine, args)?;
        Ok(engine.judge_components(&Writer::Caller, &[write], &[])?)
    },
};

/// The default list, and what of it is no part of the flow.
pub(super) fn default_systems(engine: &Engine) -> Json {
    let additions = engine.additions();
    let systems = ("systems", Json::of(engine.default_systems()));
    let beside = (!additions.is_empty()).then(|| ("additions", Json::of(additions)));
    Json::object([systems].into_iter().chain(beside))
}

fn set_default_systems(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let write = list_asked_for(engine, args)?;
    engine.set_components(&Writer::Caller, &[write], &[])?;
    Ok(Json::nothing().into())
}

/// What writes the list that is asked for.
fn list_asked_for(engine: &Engine, args: &Args<'_>) -> Result<Write, ErrorObject> {
    let id = args.entity("entity")?;
    let (prepend, append) = (args.strings("prepend")?, args.strings("append")?);
    let replaced = replaced(engine, args)?;
    engine.check_registered(&prepend)?;
    engine.check_registered(&append)?;
    let default = replaced.iter().map(|name| &**name);
    let names: Vec<&str> = prepend
        .iter()
        .map(String::as_str)
        .chain(default)
        .chain(append.iter().map(String::as_str))
        .collect();
    if names.len() > LIST_LENGTH_MAX {
        let what = format!("a list holds at most {LIST_LENGTH_MAX} Systems, got {}", names.len());
        return Err(ErrorObject::invalid(what));
    }
    let systems = match engine.get::<Systems>(id) {
        Some(present) => present.with_names(&names),
        None => Systems::listing(&names),
    };
    Ok(Write::to(id).attach_json(Systems::SPEC.name, systems.to_json()))
}

/// The default list with the replacements asked for.
fn replaced(engine: &Engine, args: &Args<'_>) -> Result<Vec<Arc<str>>, ErrorObject> {
    let objects = match args.given("replace") {
        Some(json) if json.items().is_some() => return Err(args.misshapen("replace")),
        _ => args.objects("replace")?,
    };
    let mut new_names = BTreeMap::new();
    for (old, new) in objects.into_iter().flatten() {
        let new = new.as_str().ok_or_else(|| args.misshapen("replace"))?;
        engine.check_registered(&[&old])?;
        engine.check_registered(&[&*new])?;
        if engine.replaceable_systems.iter().all(|name| **name != *old) {
            return Err(ErrorObject::invalid(format!("System `{old}` cannot be replaced")));
        }
        new_names.insert(old, Arc::from(&*new));
    }
    let (before, after) = (beside(engine, args, "before")?, beside(engine, args, "after")?);
    let mut names = Vec::new();
    for name in engine.default_systems() {
        names.extend(before.get(&**name).into_iter().flatten().cloned());
        names.push(new_names.get(&**name).unwrap_or(name).clone());
        names.extend(after.get(&**name).into_iter().flatten().cloned());
    }
    Ok(names)
}

/// What goes beside which default System.
fn beside(
    engine: &Engine,
    args: &Args<'_>,
    param: &str,
) -> Result<BTreeMap<Arc<str>, Vec<Arc<str>>>, ErrorObject> {
    let beside = named_beside(args, param)?;
    for (name, others) in &beside {
        if !engine.default_systems().contains(name) {
            let what = format!("`{param}`: System `{name}` is not in the default list");
            return Err(ErrorObject::invalid(what));
        }
        engine.check_registered(others)?;
    }
    Ok(beside)
}

/// The names in an object of them; whether there are such Systems is not judged.
pub(super) fn named_beside(
    args: &Args<'_>,
    param: &str,
) -> Result<BTreeMap<Arc<str>, Vec<Arc<str>>>, ErrorObject> {
    let mut beside = BTreeMap::new();
    for (name, others) in args.objects(param)?.into_iter().flatten() {
        let others: Vec<String> = match others.as_str() {
            Some(one) => vec![one.into_owned()],
            None => others.decode().map_err(|_| args.misshapen(param))?,
        };
        beside.insert(Arc::from(name), others.into_iter().map(Arc::from).collect());
    }
    Ok(beside)
}
