//! Systems of third parties that one paycode asks for.

use ecs_core::{Args, Engine, ErrorObject, Kind, NOT_PERMITTED, Scope};
use std::sync::Arc;

/// Most Systems that a paycode asks for.
const PREPENDED_MAX: usize = 16;

/// What such a param takes.
pub(in crate::methods) const PREPEND: Kind = Kind {
    fits: |json| {
        (Kind::TEXTS.fits)(json) && json.texts().is_none_or(|it| it.len() <= PREPENDED_MAX)
    },
    ..Kind::TEXTS
}
.saying("an array of at most 16 names of Systems, or one name");

/// The Systems that are asked for.
///
/// # Errors
/// 1502: the caller may not say which Systems run. −32602: one of them is not registered, stands in
/// the default list or is named twice.
pub(in crate::methods) fn prepended(
    engine: &Engine,
    args: &Args<'_>,
) -> Result<Vec<Arc<str>>, ErrorObject> {
    let names: Vec<Arc<str>> = args.strings("prepend")?.into_iter().map(Arc::from).collect();
    if names.is_empty() {
        return Ok(names);
    }
    if !args.caller().may(Scope::Flow) {
        let what = "Not permitted: `prepend` needs the scope `flow`";
        return Err(ErrorObject::new(NOT_PERMITTED, what));
    }
    engine.check_registered(&names)?;
    for (at, name) in names.iter().enumerate() {
        let is_listed = engine.default_systems().contains(name);
        if is_listed || names[..at].contains(name) {
            let why = if is_listed { "stands in the default list" } else { "is named twice" };
            return Err(ErrorObject::invalid(format!("`prepend`: System `{name}` {why}")));
        }
    }
    Ok(names)
}
