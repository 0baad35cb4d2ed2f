//! Values as changes.

use crate::{
    Error, Json,
    component::{Insertion, TypedComponent, misshapen},
    names::{ForeignId, Named},
    write::Writer,
};

/// A change that was judged and decoded: it cannot fail any more.
pub(crate) enum Change {
    Clear,
    /// Takes the Entity away.
    End,
    /// Without an insertion, the value is beside the text.
    AttachTyped(TypedComponent, Json, Option<Insertion>),
    AttachForeign(ForeignId, Json),
    DetachTyped(TypedComponent),
    DetachForeign(ForeignId),
}

impl Change {
    /// Whether it makes an Entity where there is none.
    pub(crate) fn attaches(&self) -> bool {
        self.value().is_some()
    }

    /// Whether it attaches what freezes an Entity.
    pub(crate) fn freezes(&self) -> bool {
        matches!(self, Self::AttachTyped(typed, ..) if typed.spec.freezes)
    }

    /// What it attaches.
    pub(crate) fn value(&self) -> Option<&Json> {
        match self {
            Self::AttachTyped(_, json, _) | Self::AttachForeign(_, json) => Some(json),
            Self::Clear | Self::End | Self::DetachTyped(_) | Self::DetachForeign(_) => None,
        }
    }
}

/// The change of a value that is new: it must be within the limits. What the engine itself has
/// written from a value of ours is that value; whatever others wrote is read and judged.
pub(crate) fn decode(
    writer: &Writer,
    name: &str,
    named: Named,
    value: Option<&Json>,
) -> Result<Change, Error> {
    if *writer == Writer::Engine
        && let (Named::Typed(typed), Some(json)) = (named, value)
        && (typed.is_carried)(json)
    {
        return Ok(Change::AttachTyped(typed, json.clone(), None));
    }
    if let Some(json) = value {
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
            Ok(Change::AttachTyped(typed, canonical, Some(insertion)))
        }
        (Named::Typed(typed), None) => Ok(Change::DetachTyped(typed)),
        (Named::Foreign(id), Some(json)) => Ok(Change::AttachForeign(id, json.plain())),
        (Named::Foreign(id), None) => Ok(Change::DetachForeign(id)),
    }
}
