//! Changing the default list for everybody.

use super::defaults::{BESIDE, SYSTEM_NAMES, default_systems, named_beside};
use crate::{
    Engine, ErrorObject,
    args::Args,
    declared::Additions,
    method::{Method, Reply, Scope, optional},
};
use std::sync::Arc;

pub(super) const CHANGE_DEFAULT_SYSTEMS: Method = Method {
    name: "payecs_changedefaultsystems",
    params: &[
        optional("prepend", SYSTEM_NAMES),
        optional("append", SYSTEM_NAMES),
        optional("before", BESIDE),
        optional("after", BESIDE),
    ],
    scope: Scope::Admin,
    errors: &[],
    result: r#"{"systems": [name, …], "additions": {"prepend": [name, …], "append": [name, …],
        "before": {name: [name, …], …}, "after": {name: [name, …], …}}}"#,
    doc: "Puts Systems beside the flow in the default list: of every payment that `pay` begins, of \
          every HTLC that comes in and the set that it joins, and of what payecs_setdefaultsystems \
          writes. `prepend` stand before all of the flow, `append` after it, `before` and `after` \
          right beside one System of it. What is given takes the place of what was given there; \
          `[]` and `{}` take it away, and what is left out stays. Entities that have a list keep \
          theirs. It holds over restarts. A System that stands there is not taken away by \
          payecs_removesystem; one that nobody serves fails what awaits it, with 2203.",
    handle: |engine, args| {
        let additions = asked_for(engine, args)?;
        engine.set_additions(additions)?;
        Ok(Reply::from(default_systems(engine)))
    },
    check: |engine, args| {
        let additions = asked_for(engine, args)?;
        Ok(engine.check_additions(&additions)?)
    },
};

/// What is there, with what is given in its place.
fn asked_for(engine: &Engine, args: &Args<'_>) -> Result<Additions, ErrorObject> {
    let mut additions = engine.additions().clone();
    for (param, names) in [("prepend", &mut additions.prepend), ("append", &mut additions.append)] {
        if args.given(param).is_some() {
            *names = args.strings(param)?.into_iter().map(Arc::from).collect();
        }
    }
    for (param, beside) in [("before", &mut additions.before), ("after", &mut additions.after)] {
        if args.given(param).is_some() {
            *beside = named_beside(args, param)?;
            beside.retain(|_, names| !names.is_empty());
        }
    }
    Ok(additions)
}
