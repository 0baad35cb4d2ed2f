//! Registering Systems, and which there are.

use super::NAMES;
use crate::{
    Declared, Engine, ErrorObject, External, Json, OWNER_BYTES_MAX, Owner, QUOTA_REACHED,
    SYSTEM_NAMES_MAX, SYSTEM_TIMEOUT_MS, SystemDef,
    args::Args,
    component::check_name,
    method::{
        CHECK_KINDS, Kind, Method, NOT_PERMITTED, Reply, Scope, optional, permit, permit_component,
        required,
    },
    registry::{Registered, permit_system},
};
use std::{borrow::Cow, sync::Arc};

/// Longest timeout a System may ask for: a day.
const TIMEOUT_S_MAX: u64 = 86_400;

pub(super) const NEW_SYSTEM: Method = Method {
    name: "payecs_newsystem",
    params: &[
        required("system", Kind::TEXT.saying("the name of the System")),
        required("required", NAMES),
        optional("disallowed", NAMES),
        optional("timeout", TIMEOUT),
        optional("owner", OWNER),
        optional("grace", GRACE),
        optional("reads", NAMES),
        optional("writes", NAMES),
        optional("token", TOKEN),
    ],
    scope: Scope::Flow,
    errors: &[NOT_PERMITTED, QUOTA_REACHED],
    result: r#"{"warning": text}"#,
    doc: "Registers an external System: where it matches, it is announced as \
          `payecs_system_invoke`, and its answer is payecs_advance. The same again, with identical \
          lists in identical order, is no error, and what is given besides holds from the next \
          announcement on. Without `timeout`: 60 seconds. With `grace`, what nobody has fails with \
          2203 once nobody has served the System for so long (payecs_serve, payecs_invocations), \
          and not only after `timeout`. `owner`, `reads` and `writes` say who runs it, and which \
          Components it reads besides, attaches or detaches. It is the token's that registered it: \
          only who comes with that token, or has scope `admin`, serves it, says something else of \
          it, or takes it away; whoever has `admin` may give it to a `token`: those who served it \
          and may not any more do no longer, and what they had is given to its new servers, under \
          new numbers. A token that is for some Components, or writes some, names its Systems as \
          these. `warning`, only where there is one: with those `writes` it would go on matching, \
          which ends in 2202.",
    handle: new_system,
    check: |engine, args| {
        let External(def, ..) = asked_for(engine, args)?.0;
        Ok(engine.judge_external(&def)?)
    },
};

pub(super) const REMOVE_SYSTEM: Method = Method {
    name: "payecs_removesystem",
    params: &[required("system", Kind::TEXT.saying("the name of an external System"))],
    scope: Scope::Flow,
    errors: &[NOT_PERMITTED],
    result: "{}",
    doc: "Takes an external System away. What awaits its answer fails with 2203. Lists that name \
          it are as those that name a System that was never registered: 2200, and once a payment \
          is claimed 2203. Its name is free then, and whoever served it has to ask to serve again.",
    handle: |engine, args| {
        let name = removable(engine, args)?;
        engine.remove_external_system(&name)?;
        Ok(Json::nothing().into())
    },
    check: |engine, args| removable(engine, args).map(drop),
};

pub(super) const LIST_SYSTEMS: Method = Method {
    name: "payecs_listsystems",
    params: &[],
    scope: Scope::Read,
    errors: &[],
    result: "{\"systems\": [{\"system\", \"required\", \"disallowed\", \"owner\", \"builtin\", \
             \"invocations\", \"answers\", \"latency_ms\", \"timeout\", \"grace\", \"reads\", \
             \"writes\", \"token\", \"servers\"}, …]}",
    doc: "Lists the registered Systems: who owns each (`payecs`, the prefix of a plugin in this \
          process, the `owner` of an external one, or `external`), how often it was run or \
          announced, and of external ones how many announcements were answered, after how many \
          milliseconds on average (null before the first answer), what was said of each (null \
          where nothing was), whose token it is, and how many serve it now; these are left out \
          for others.",
    handle: |engine, _| {
        let systems = engine.systems.iter().map(|system| system_object(engine, system));
        Ok(Json::object([("systems", Json::array(systems))]).into())
    },
    check: CHECK_KINDS,
};

const TIMEOUT: Kind =
    Kind { fits: |json| matches!(json.decode(), Ok(1_u64..=TIMEOUT_S_MAX)), ..Kind::COUNT }
        .saying("seconds an invocation may take: an integer from 1 to 86400");

const OWNER: Kind = Kind {
    fits: |json| json.as_str().is_some_and(|it| (1..=OWNER_BYTES_MAX).contains(&it.len())),
    ..Kind::TEXT
}
.saying("a string of 1 to 128 bytes: who runs the System");

const TOKEN: Kind = Kind { fits: OWNER.fits, ..Kind::TEXT }
    .saying("the name of a token, a string of 1 to 128 bytes: whose the System is");

const GRACE: Kind = Kind { fits: is_grace, ..Kind::COUNT }
    .saying("seconds it may be without a server: an integer from 0 to 86400");

fn is_grace(json: &Json) -> bool {
    json.decode::<u64>().is_ok_and(|seconds| seconds <= TIMEOUT_S_MAX)
}

fn new_system(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let (External(def, _, declared), timeout_ms) = asked_for(engine, args)?;
    let warning = declared.warning(&def);
    engine.register_external(def, timeout_ms, declared)?;
    Ok(Json::object(warning.map(|text| ("warning", Json::of(&text)))).into())
}

/// The System of that name, if the caller may take it away.
fn removable(engine: &Engine, args: &Args<'_>) -> Result<String, ErrorObject> {
    let name = args.need::<String>("system")?;
    engine.check_removable(&name)?;
    if let Some(system) = engine.systems.named(&name) {
        permit_system(args.caller(), system)?;
    }
    Ok(name)
}

/// The System that is to be registered, if the caller may do that. Of another's, one may say again
/// what is known.
fn asked_for(engine: &Engine, args: &Args<'_>) -> Result<(External, Option<u64>), ErrorObject> {
    let (mut external, timeout_ms) = external(args)?;
    let External(def, _, declared) = &mut external;
    match engine.systems.named(&def.system) {
        Some(known) if timeout_ms.is_some() || *declared != Declared::default() => {
            permit_system(args.caller(), known)?;
        }
        Some(_) => {}
        None if args.caller().may_name(&def.system) => {
            declared.token = declared.token.take().or_else(|| args.caller().token.clone());
        }
        None => {
            let what = format!(
                "Not permitted: the caller may not name a System `{}`: begin its name as those of \
                 its Components.",
                def.system
            );
            return Err(ErrorObject::new(NOT_PERMITTED, what));
        }
    }
    Ok((external, timeout_ms))
}

/// The System that is named, and its timeout in milliseconds if that is given.
fn external(args: &Args<'_>) -> Result<(External, Option<u64>), ErrorObject> {
    let owned = |names: Vec<String>| names.into_iter().map(Cow::Owned).collect();
    let def = SystemDef {
        system: args.need::<String>("system")?.into(),
        required: owned(args.strings("required")?),
        disallowed: owned(args.strings("disallowed")?),
    };
    for name in def.required.iter().chain(&def.disallowed) {
        permit_component(args.caller(), name)?;
    }
    let declared = Declared {
        owner: args.read("owner")?,
        token: token(args)?,
        grace_ms: in_ms(args, "grace")?,
        reads: components(args, "reads")?,
        writes: components(args, "writes")?,
    };
    let timeout_ms = in_ms(args, "timeout")?;
    Ok((External(def, timeout_ms.unwrap_or(SYSTEM_TIMEOUT_MS), declared), timeout_ms))
}

/// The token that a System is given to.
fn token(args: &Args<'_>) -> Result<Option<Arc<str>>, ErrorObject> {
    let token = args.read::<String>("token")?;
    if token.is_some() {
        permit(args.caller(), Scope::Admin, "giving a System to a token")?;
    }
    Ok(token.map(Into::into))
}

fn in_ms(args: &Args<'_>, name: &str) -> Result<Option<u64>, ErrorObject> {
    Ok(args.read::<u64>(name)?.map(|seconds| seconds * 1_000))
}

fn components(args: &Args<'_>, param: &str) -> Result<Option<Vec<String>>, ErrorObject> {
    if args.given(param).is_none() {
        return Ok(None);
    }
    let names = args.strings(param)?;
    if names.len() > SYSTEM_NAMES_MAX {
        let what = format!("`{param}` names more than {SYSTEM_NAMES_MAX} components");
        return Err(ErrorObject::invalid(what));
    }
    for name in &names {
        check_name(name)?;
        permit_component(args.caller(), name)?;
    }
    Ok(Some(names))
}

fn system_object(engine: &Engine, system: &Registered) -> Json {
    let owner = match (&system.owner, &system.declared.owner) {
        (Owner::BuiltIn, _) => "payecs",
        (Owner::Plugin(prefix), _) => prefix.trim_end_matches(':'),
        (Owner::External, Some(name)) => name.as_str(),
        (Owner::External, None) => "external",
    };
    let counts = system.counts;
    let latency_ms = counts.answers_ms.checked_div(counts.answers);
    let mut fields = vec![
        ("system", Json::of(&system.def.system)),
        ("required", Json::of(&system.def.required)),
        ("disallowed", Json::of(&system.def.disallowed)),
        ("owner", Json::of(owner)),
        ("builtin", Json::of(&(system.owner == Owner::BuiltIn))),
        ("invocations", Json::of(&counts.runs)),
        ("answers", Json::of(&counts.answers)),
        ("latency_ms", Json::of(&latency_ms)),
    ];
    if let Some((timeout_ms, grace_ms)) = engine.times_of(&system.def.system) {
        let Declared { reads, writes, .. } = &system.declared;
        fields.extend([
            ("timeout", Json::of(&(timeout_ms / 1_000))),
            ("grace", Json::of(&grace_ms.map(|ms| ms / 1_000))),
            ("reads", Json::of(reads)),
            ("writes", Json::of(writes)),
            ("token", Json::of(&system.declared.token)),
            ("servers", Json::of(&engine.servers.count(&system.def.system))),
        ]);
    }
    Json::object(fields)
}
