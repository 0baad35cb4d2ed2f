//! The text of a value: where it is short it lies in place, else it is shared.

use super::short::short_text;
use arrayvec::ArrayString;
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;
use std::sync::Arc;

/// So long a text lies in place: flags, amounts, heights and moments do.
pub(super) const SHORT_BYTES_MAX: usize = 16;

/// The text of a value alone, as it is kept for long: no larger than what names its place, as so
/// many are held.
#[derive(Clone)]
pub(super) enum JsonText {
    Short(ArrayString<SHORT_BYTES_MAX>),
    /// Behind a thin pointer.
    Long(Arc<Box<RawValue>>),
}

impl JsonText {
    /// # Panics
    /// If the value has a map whose keys aren't strings.
    pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        short_text(value).map_or_else(
            || {
                let raw = serde_json::value::to_raw_value(value);
                Self::owned(raw.expect("our values have string keys"))
            },
            Self::Short,
        )
    }

    pub(super) fn copied(raw: &RawValue) -> Self {
        Self::in_place(raw.get()).unwrap_or_else(|| Self::Long(Arc::new(raw.to_owned())))
    }

    pub(super) fn owned(raw: Box<RawValue>) -> Self {
        Self::in_place(raw.get()).unwrap_or_else(|| Self::Long(Arc::new(raw)))
    }

    fn in_place(text: &str) -> Option<Self> {
        ArrayString::from(text).ok().map(Self::Short)
    }

    pub(super) fn get(&self) -> &str {
        match self {
            Self::Short(text) => text,
            Self::Long(raw) => raw.get(),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Long(one), Self::Long(other)) if Arc::ptr_eq(one, other) => true,
            _ => self.get() == other.get(),
        }
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Long(raw) => raw.serialize(to),
            Self::Short(text) => serialize_short(text, to),
        }
    }
}

/// Writes it as it stands there; what needs no reading isn't read.
fn serialize_short<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    let plain = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    if let Some(plain) = plain.filter(|plain| !plain.contains('\\')) {
        return to.serialize_str(plain);
    }
    if let Ok(number) = text.parse::<u64>() {
        // JSON has no zeros before a number.
        return to.serialize_u64(number);
    }
    match text {
        "true" => to.serialize_bool(true),
        "false" => to.serialize_bool(false),
        "null" => to.serialize_unit(),
        _ => serde_json::from_str::<&RawValue>(text).map_err(S::Error::custom)?.serialize(to),
    }
}
