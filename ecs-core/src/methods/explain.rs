//! Why an Entity is where it is.

use crate::{
    Engine, EntityId, Error, ErrorObject, Json,
    args::Args,
    inputs::Entities,
    life::{Invocation, Life},
    method::{
        CHECK_KINDS, Kind, Method, Reply, Scope,
        explainer::{Recall, Recalled},
        required,
    },
    registry::{Owner, Registered},
    systems::{Failed, Failing, Systems, SystemsFinal},
    time::utc_text,
};
use std::borrow::Cow;

pub(super) const EXPLAIN: Method = Method {
    name: "payecs_explain",
    params: &[required("entity", Kind::ENTITY)],
    scope: Scope::Read,
    errors: &[2204],
    result: "{\"entity\": id, \"state\": \"busy\", \"invoked\", \"runs\", \"rests\", \
             \"over\", \"unlisted\" or \"gone\", \
             \"next\": name or null, \"awaits\": [kind of effect, …], \"invocation\": \
             {\"invocation\", \"system\", \"since\"} or null, \"error\": {\"code\", \"message\", \
             \"data\"} or null, \"systems\": [{\"system\", \"registered\", \"matches\", \
             \"missing\": [component, …], \"in_the_way\": [component, …], \"set_aside\"}, …], …}",
    doc: "Why an Entity is where it is. `next` would run first now. For each System of its list, \
          in order: which required Components are missing, and which disallowed ones are in the \
          way; `set_aside`: it looped, panicked or failed here and may not run again. `awaits`: \
          replies and timers under way. `error`: why it fails or has failed, else what the last \
          advance could not do. Who knows what Components come to says so in a field of its own. \
          Of an Entity that is gone there is only what is still known elsewhere; where that is \
          nothing, the code is 2204.",
    handle: explain,
    check: CHECK_KINDS,
};

/// How a System stands to an Entity.
struct Judged<'a> {
    system: &'a str,
    registered: bool,
    missing: Vec<&'a str>,
    in_the_way: Vec<&'a str>,
    set_aside: bool,
}

fn explain(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let id = args.entity("entity")?;
    let Some(entity) = engine.find(id) else { return recall(engine, id) };
    let life = engine.lives.of(entity);
    let judge = |name| judge(engine, id, life, name, engine.systems.named(name));
    let names = engine.world.get::<Systems>(entity).and_then(Systems::names);
    let listed = names.unwrap_or_default().iter().map(|name| judge(name));
    let listed: Vec<Judged<'_>> = listed.collect();
    let epilogue = engine.epilogue.iter().map(|index| &engine.systems.get(*index).def.system);
    let next = if names.is_none() {
        None
    } else if let Some(first) = listed.iter().find(|judged| judged.runs()) {
        Some(first.system)
    } else {
        epilogue.map(|name| judge(name)).find(Judged::runs).map(|judged| judged.system)
    };
    let state = if names.is_none() {
        if engine.get::<SystemsFinal>(id).is_some() { "over" } else { "unlisted" }
    } else if life.is_busy() {
        "busy"
    } else if life.invocation.is_some() {
        "invoked"
    } else if next.is_some() {
        "runs"
    } else {
        "rests"
    };
    let awaits = life.outstanding.iter().map(|effect| Json::of(&effect.kind));
    let invocation = life.invocation.as_deref().map_or_else(Json::null, invocation_object);
    let said = engine.explainers().filter_map(|it| {
        let told = (it.explain)(&engine.world, entity)?;
        Some((it.field, told))
    });
    let fields = [
        ("entity", Json::of(&id)),
        ("state", Json::of(state)),
        ("next", Json::of(&next)),
        ("awaits", Json::array(awaits)),
        ("invocation", invocation),
        ("error", error_of(engine, id)),
        ("systems", Json::array(listed.iter().map(Judged::object))),
    ];
    Ok(Json::object(fields.into_iter().chain(said)).into())
}

/// What is still known of an Entity that is gone.
fn recall(engine: &Engine, id: EntityId) -> Result<Reply, ErrorObject> {
    let was_there = id < engine.world.resource::<Entities>().next;
    let all = engine.explainers().filter(|_| was_there);
    let all = all.filter_map(|it| Some((it.field, (it.recall)(&engine.world, id)?)));
    let all: Vec<(&str, Recall)> = all.collect();
    if all.is_empty() {
        return Err(Error::UnknownEntity(id).into());
    }
    Ok(Reply::Elsewhere(Box::new(move || {
        for (field, recall) in all {
            if let Some(Recalled { error, told }) = recall()? {
                return Ok(Json::object([
                    ("entity", Json::of(&id)),
                    ("state", Json::of("gone")),
                    ("next", Json::null()),
                    ("awaits", Json::array([])),
                    ("invocation", Json::null()),
                    ("error", error.as_ref().map_or_else(Json::null, Json::of)),
                    ("systems", Json::array([])),
                    (field, told),
                ]));
            }
        }
        Err(Error::UnknownEntity(id).into())
    })))
}

/// Why it fails, or what the last advance could not do.
fn error_of(engine: &Engine, id: EntityId) -> Json {
    let failed = engine.get::<Failed>(id).map(|Failed(error)| error);
    let failing = || engine.get::<Failing>(id).map(|Failing(error)| error);
    let listed = || engine.get::<Systems>(id).and_then(Systems::error);
    failed.or_else(failing).or_else(listed).map_or_else(Json::null, Json::of)
}

fn invocation_object(invocation: &Invocation) -> Json {
    Json::object([
        ("invocation", Json::of(&invocation.number)),
        ("system", Json::of(&invocation.system)),
        ("since", Json::of(&utc_text(invocation.since_ms))),
    ])
}

fn judge<'a>(
    engine: &Engine,
    id: EntityId,
    life: &Life,
    name: &'a str,
    system: Option<&'a Registered>,
) -> Judged<'a> {
    let is_there = |name: &str| engine.component(id, name).is_some();
    let those = |names: &'a [Cow<'static, str>], there: bool| -> Vec<&'a str> {
        names.iter().map(AsRef::as_ref).filter(|name| is_there(name) == there).collect()
    };
    let is_own = system.is_some_and(|system| system.owner == Owner::BuiltIn);
    Judged {
        system: name,
        registered: system.is_some(),
        missing: system.map_or_else(Vec::new, |system| those(&system.def.required, false)),
        in_the_way: system.map_or_else(Vec::new, |system| those(&system.def.disallowed, true)),
        set_aside: life.muted.contains(name) || (life.own_systems_only && !is_own),
    }
}

impl Judged<'_> {
    fn matches(&self) -> bool {
        self.registered && self.missing.is_empty() && self.in_the_way.is_empty()
    }

    fn runs(&self) -> bool {
        self.matches() && !self.set_aside
    }

    fn object(&self) -> Json {
        Json::object([
            ("system", Json::of(self.system)),
            ("registered", Json::of(&self.registered)),
            ("matches", Json::of(&self.matches())),
            ("missing", Json::of(&self.missing)),
            ("in_the_way", Json::of(&self.in_the_way)),
            ("set_aside", Json::of(&self.set_aside)),
        ])
    }
}
