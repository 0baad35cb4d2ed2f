//! Values as changes.

use crate::{
    Error, Json,
    component::{Insertion, TypedComponent, misshapen},
    names::{ForeignId, Named},
};

/// A change that was judged and decoded: it cannot fail any more.
pub(crate) enum Change {
    Clear,
    AttachTyped(Box<TypedComponent>, Json, Insertion),
    AttachForeign(ForeignId, Json),
    DetachTyped(Box<TypedComponent>),
    DetachForeign(ForeignId),
}

/// The change of a value that is new: it must be within the limits.
pub(crate) fn decode(name: &str, named: Named, value: Option<&Json>) -> Result<Change, Error> {
    if let Some(json) = value.filter(|json| !json.is_written_as(name)) {
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
            Ok(Change::AttachTyped(Box::new(typed), canonical, insertion))
        }
        (Named::Typed(typed), None) => Ok(Change::DetachTyped(Box::new(typed))),
        (Named::Foreign(id), Some(json)) => Ok(Change::AttachForeign(id, json.clone())),
        (Named::Foreign(id), None) => Ok(Change::DetachForeign(id)),
    }
}
