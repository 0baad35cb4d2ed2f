//! Fields of an item, each error with the item's place.

use super::Kind;
use crate::import::ImportError;
use payecs_units::{Blocks, Msat, NodeId, Ppm, ShortChannelId};
use serde_json::{Map, Value};

/// Longest text of a value that an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// An item of the list, or an object inside of one.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    place: String,
    /// What stands before the names of its fields in errors.
    inside: &'static str,
    fields: std::borrow::Cow<'a, Map<String, Value>>,
}

impl Item<'_> {
    /// The item with that number, counted from 1.
    pub(super) fn new(kind: Kind, at: usize, fields: Map<String, Value>) -> Item<'static> {
        let (name, list) = match kind {
            Kind::Channels => ("short_channel_id", "channels"),
            Kind::Edges => ("channel_id", "edges"),
        };
        let id = fields.get(name).and_then(|id| match id {
            Value::String(id) => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        });
        let id = id.map(|id| format!(" (channel {})", cut(&id))).unwrap_or_default();
        let place = format!("item {at} of `{list}`{id}");
        Item { place, inside: "", fields: std::borrow::Cow::Owned(fields) }
    }

    /// An object inside; `None` where it is absent or null.
    pub(super) fn inner(&self, name: &'static str) -> Result<Option<Item<'_>>, ImportError> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Item {
                place: self.place.clone(),
                inside: name,
                fields: std::borrow::Cow::Borrowed(fields),
            })),
            Some(other) => Err(self.wrong(name, format!("is {}, not an object", shown(other)))),
        }
    }

    /// Where it is.
    pub(super) fn place(&self) -> String {
        self.place.clone()
    }

    pub(super) fn wrong(&self, name: &str, what: impl Into<String>) -> ImportError {
        let dot = if self.inside.is_empty() { "" } else { "." };
        let field = format!("{}{dot}{name}", self.inside);
        ImportError::Field { place: self.place.clone(), field, what: what.into() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    fn need(&self, name: &str) -> Result<&Value, ImportError> {
        let there = self.fields.get(name).filter(|value| !value.is_null());
        there.ok_or_else(|| self.wrong(name, "is missing"))
    }

    fn text(&self, name: &str) -> Result<&str, ImportError> {
        let value = self.need(name)?;
        value.as_str().ok_or_else(|| self.wrong(name, format!("is {}, not text", shown(value))))
    }

    /// A number, or one as text.
    pub(super) fn number(&self, name: &str) -> Result<u64, ImportError> {
        let value = self.need(name)?;
        let number = match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let wrong =
            || self.wrong(name, format!("is {}, not a number from 0 to 2^64-1", shown(value)));
        number.ok_or_else(wrong)
    }

    pub(super) fn number_or(&self, name: &str, other: u64) -> Result<u64, ImportError> {
        if self.has(name) { self.number(name) } else { Ok(other) }
    }

    fn number_32(&self, name: &str) -> Result<u32, ImportError> {
        let number = self.number(name)?;
        u32::try_from(number).map_err(|_| self.wrong(name, format!("is {number}, above 2^32-1")))
    }

    pub(super) fn ppm(&self, name: &str) -> Result<Ppm, ImportError> {
        self.number_32(name).map(Ppm)
    }

    pub(super) fn blocks(&self, name: &str) -> Result<Blocks, ImportError> {
        self.number_32(name).map(Blocks)
    }

    /// Millisatoshi, as a number or as text that may end in `msat`.
    pub(super) fn msat(&self, name: &str) -> Result<Msat, ImportError> {
        let text = self.need(name)?.as_str();
        let Some(digits) = text.and_then(|text| text.strip_suffix("msat")) else {
            return self.number(name).map(Msat);
        };
        let wrong = || self.wrong(name, format!("is `{}msat`, not an amount", cut(digits)));
        digits.parse().map(Msat).map_err(|_| wrong())
    }

    pub(super) fn flag_or(&self, name: &str, other: bool) -> Result<bool, ImportError> {
        if !self.has(name) {
            return Ok(other);
        }
        let value = self.need(name)?;
        let wrong = || self.wrong(name, format!("is {}, not true or false", shown(value)));
        value.as_bool().ok_or_else(wrong)
    }

    pub(super) fn node(&self, name: &str) -> Result<NodeId, ImportError> {
        let text = self.text(name)?;
        text.parse().map_err(|error| self.wrong(name, format!("is no node id: {error}")))
    }

    pub(super) fn scid(&self, name: &str) -> Result<ShortChannelId, ImportError> {
        let text = self.text(name)?;
        text.parse().map_err(|error| self.wrong(name, format!("is no channel id: {error}")))
    }
}

fn shown(value: &Value) -> String {
    format!("`{}`", cut(&value.to_string()))
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
