//! Values as changes.

use crate::{
    Error, Json,
    component::{Insertion, TypedComponent, misshapen},
    names::{ForeignId, Named},
};
use std::sync::Arc;

/// A change that was judged and decoded: it cannot fail any more.
pub(crate) enum Change {
    Clear,
    AttachTyped(Arc<TypedComponent>, Json, Insertion),
    AttachForeign(ForeignId, Json),
    DetachTyped(Arc<TypedComponent>),
    DetachForeign(ForeignId),
}

/// The change of a value that is new: it must be within the limits.
pub(crate) fn decode(name: &str, named: Named, value: Option<&Json>) -> Result<Change, Error> {
    let ours = |json: &&Json| matches!(&named, Named::Typed(typed) if (typed.is_carried)(json));
    if let Some(json) = value.filter(|json| !ours(json)) {
        json.check().map_err(|error| Error::Invalid(format!("`{name}`: {error}")))?;
    }
    decode_stored(named, value)
}

/// The change of a value that was judged before: what was taken is taken again.
pub(crate) fn decode_stored(named: Named, value: Option<&Json>) -> Result<Change, Error> {
    match (named, value) {
        (Named::Typed(typed), Some(json)) => {
            let (canonical, insertion) =
                (typed.decode)(json).map_err(|shape| misshapen(&typed.spec, json, &shape))?;
            Ok(Change::AttachTyped(typed, canonical, insertion))
        }
        (Named::Typed(typed), None) => Ok(Change::DetachTyped(typed)),
        (Named::Foreign(id), Some(json)) => Ok(Change::AttachForeign(id, json.plain())),
        (Named::Foreign(id), None) => Ok(Change::DetachForeign(id)),
    }
}
