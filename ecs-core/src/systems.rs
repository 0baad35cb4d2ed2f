//! `lightningd:systems`: the list an Entity is advanced by.

use crate::{
    Error, Json,
    component::{ComponentSpec, Shape, WhenFrozen, WireComponent},
    dispatch::ListId,
    error::ErrorObject,
};
use bevy_ecs::component::Component;
use serde::{Deserialize, Serialize};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Most names in a list.
pub const LIST_LENGTH_MAX: usize = 256;

/// The names of a list, in order.
pub(crate) type Names = Arc<[Arc<str>]>;

/// The list of Systems an Entity is advanced by: `lightningd:systems`, a JSON object with `systems`
/// (array of names, or one name), `current` (index of the last match) and `error` (a JSON-RPC
/// error); other fields are kept.
///
/// Never judged when it is written, only when the Entity is advanced: payz's clients store anything
/// here.
#[derive(Component, Clone, Debug)]
#[component(storage = "SparseSet")]
pub struct Systems {
    /// What was stored; `current` and `error` are laid over it.
    stored: Arc<Stored>,
    current: Option<u32>,
    error: Option<ErrorObject>,
    touched: bool,
    pub(crate) list: Option<ListId>,
}

/// A value as it was stored. Entities share it: most lists are the same.
#[derive(Debug)]
struct Stored {
    text: Json,
    /// What of it is kept whatever is laid over it.
    kept: BTreeMap<String, Json>,
    names: Option<Names>,
    /// How many names there are, where that is too many.
    too_many: Option<usize>,
    current: Option<u32>,
    error: Option<ErrorObject>,
    /// The value with another `current` and no error, by `current`: it is shown and recorded again
    /// and again.
    laid_over: Mutex<BTreeMap<u32, Json>>,
}

/// What a list says of the last match: its fields `current` and `error`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListProgress {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

impl Systems {
    /// A list of these names.
    /// ```
    /// # use ecs_core::{Systems, WireComponent};
    /// assert_eq!(Systems::listing(["acme:x"]).to_json().text(), r#"{"systems":["acme:x"]}"#);
    /// ```
    pub fn listing<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
        Self::read(&Json::of(&BTreeMap::from([("systems", names)])))
    }

    /// The same fields with another list; of a value that is no object, only the list.
    #[must_use]
    pub fn with_names<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Self {
        let mut fields = self.to_json().fields().unwrap_or_default();
        let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
        fields.insert("systems".to_owned(), Json::of(&names));
        Self::read(&Json::of(&fields))
    }

    /// The names, if the value is a proper list.
    #[must_use]
    pub fn names(&self) -> Option<&[Arc<str>]> {
        self.stored.names.as_deref()
    }

    /// What the last advance could not do.
    #[must_use]
    pub fn error(&self) -> Option<&ErrorObject> {
        self.error.as_ref()
    }

    /// The System that matched last.
    #[must_use]
    pub fn current(&self) -> Option<&str> {
        let at = usize::try_from(self.current?).ok()?;
        self.names()?.get(at).map(|name| &**name)
    }

    pub(crate) fn shared_names(&self) -> Result<&Names, Error> {
        self.stored.names.as_ref().ok_or_else(|| match self.stored.too_many {
            Some(count) => Error::InvalidSystems(format!(
                "`systems` has {count} names, and may have {LIST_LENGTH_MAX}."
            )),
            None => no_list(),
        })
    }

    /// How many bytes were stored, whatever is laid over them.
    pub(crate) fn weight(&self) -> usize {
        self.stored.text.text().len()
    }

    /// What it says of the last match, if anything was said since it was written.
    pub(crate) fn progress(&self) -> Option<ListProgress> {
        let (current, error) = (self.current, self.error.clone());
        self.touched.then_some(ListProgress { current, error })
    }

    pub(crate) fn set_progress(&mut self, ListProgress { current, error }: ListProgress) {
        (self.current, self.error, self.touched) = (current, error, true);
    }

    pub(crate) fn set_current(&mut self, current: u32) {
        (self.current, self.error, self.touched) = (Some(current), None, true);
    }

    pub(crate) fn set_error(&mut self, error: ErrorObject) {
        (self.error, self.touched) = (Some(error), true);
    }

    /// A value without a list, where only an error is to be kept.
    pub(crate) fn only_error(error: &ErrorObject) -> Self {
        Self::read(&Json::of(&BTreeMap::from([("error", error)])))
    }

    fn read(text: &Json) -> Self {
        let stored = Stored::shared(text);
        let (current, error) = (stored.current, stored.error.clone());
        Self { stored, current, error, touched: false, list: None }
    }
}

/// So many of the texts read last are remembered: the lists of a payment, its plans and its parts.
const READ_LAST_MAX: usize = 8;

thread_local! {
    /// The values read last, the latest behind.
    static READ_LAST: RefCell<Vec<Arc<Stored>>> = const { RefCell::new(Vec::new()) };
}

impl Stored {
    fn shared(text: &Json) -> Arc<Self> {
        READ_LAST.with_borrow_mut(|read| {
            let place = read.iter().position(|stored| stored.text.text() == text.text());
            let stored = match place {
                Some(place) => read.remove(place),
                None => Arc::new(Self::read(text)),
            };
            if read.len() == READ_LAST_MAX {
                read.remove(0);
            }
            read.push(Arc::clone(&stored));
            stored
        })
    }

    fn read(text: &Json) -> Self {
        let mut kept = text.fields().unwrap_or_default();
        let names = kept.get("systems").and_then(|list| names_in(list.text()));
        let too_many = names.as_ref().map(|names| names.len()).filter(|it| *it > LIST_LENGTH_MAX);
        let names = names.filter(|_| too_many.is_none());
        let current = kept.get("current").and_then(|it| it.decode().ok());
        let error = kept.remove("error").and_then(|it| it.decode().ok());
        let laid_over = Mutex::default();
        Self { text: text.plain(), kept, names, too_many, current, error, laid_over }
    }

    /// The value with this laid over it.
    fn with(&self, current: Option<u32>, error: Option<&ErrorObject>) -> Json {
        let (current, error) = (current.map(|it| Json::of(&it)), error.map(Json::of));
        let kept = self.kept.iter().map(|(name, value)| (name.as_str(), value));
        let mut fields: BTreeMap<&str, &Json> = kept.collect();
        fields.extend(current.as_ref().map(|it| ("current", it)));
        fields.extend(error.as_ref().map(|it| ("error", it)));
        Json::of(&fields)
    }

    /// The same without an error, once for each place in the list.
    fn at(&self, current: u32) -> Json {
        let mut laid_over = self.laid_over.lock().unwrap_or_else(PoisonError::into_inner);
        laid_over.entry(current).or_insert_with(|| self.with(Some(current), None)).clone()
    }
}

/// What is said of a value without a proper list.
pub(crate) fn no_list() -> Error {
    Error::InvalidSystems("invalid or absent `systems` field.".to_owned())
}

fn names_in(list: &str) -> Option<Names> {
    if list.starts_with('"') {
        let name: String = serde_json::from_str(list).ok()?;
        return Some(Arc::from([Arc::from(name)]));
    }
    let names: Vec<String> = serde_json::from_str(list).ok()?;
    Some(names.into_iter().map(Arc::from).collect())
}

impl WireComponent for Systems {
    const SPEC: ComponentSpec = ComponentSpec::input(
        "lightningd:systems",
        "object: `systems` array of names, `current` index, `error` JSON-RPC error",
        "The Systems the Entity is advanced by, in order; detaching it ends processing. \
         256 names at most. Never judged on write, only by `payecs_advance`.",
    )
    .when_frozen(WhenFrozen::Refused);

    fn from_json(json: &Json) -> Result<Self, Shape> {
        Ok(Self::read(json))
    }

    fn to_json(&self) -> Json {
        if !self.touched {
            return self.stored.text.clone();
        }
        let within = |current: &u32| (*current as usize) < LIST_LENGTH_MAX;
        match self.current.filter(within).filter(|_| self.error.is_none()) {
            Some(current) => self.stored.at(current),
            None => self.stored.with(self.current, self.error.as_ref()),
        }
    }
}

/// Declares a Component that keeps a JSON-RPC error object.
macro_rules! error_component {
    ($(#[$doc:meta])* $name:ident, $spec:expr) => {
        $(#[$doc])*
        #[derive(Component, Clone, Debug, PartialEq, Eq)]
        #[component(storage = "SparseSet")]
        pub struct $name(pub ErrorObject);

        impl WireComponent for $name {
            const SPEC: ComponentSpec = $spec;

            fn from_json(json: &Json) -> Result<Self, Shape> {
                Ok(Self(json.decode()?))
            }

            fn to_json(&self) -> Json {
                Json::of(&self.0)
            }
        }
    };
}

const ERROR_SHAPE: &str = "a JSON-RPC error object: `code` integer, `message` string, `data`";

error_component! {
    /// Processing is failing: `lightningd:failing`. Held until nothing is open, then it becomes
    /// [`Failed`].
    Failing,
    ComponentSpec::engine(
        "lightningd:failing",
        ERROR_SHAPE,
        "On the way to `lightningd:error`; held while HTLCs are in flight.",
    )
}

error_component! {
    /// Processing ended with an error: `lightningd:error`. `lightningd:systems` is gone in the same
    /// write.
    Failed,
    ComponentSpec::input(
        "lightningd:error",
        ERROR_SHAPE,
        "Processing ended; attached by `finish_error`, or by a client's own System on a draft. \
         `data` carries `final` (bool), `system` and the facts. On a frozen Entity a write of it \
         is taken as `lightningd:failing`.",
    )
    .when_frozen(WhenFrozen::Becomes("lightningd:failing"))
}

/// The list as it stood when processing ended: `lightningd:systems:final`.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[component(storage = "SparseSet")]
pub struct SystemsFinal(pub Json);

impl WireComponent for SystemsFinal {
    const SPEC: ComponentSpec = ComponentSpec::engine(
        "lightningd:systems:final",
        "as `lightningd:systems`",
        "What `lightningd:systems` was when processing ended.",
    );

    fn from_json(json: &Json) -> Result<Self, Shape> {
        Ok(Self(json.clone()))
    }

    fn to_json(&self) -> Json {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn systems(text: &str) -> Systems {
        Systems::from_json(&Json::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn a_list_is_an_array_of_strings_or_one_string() {
        for (text, names) in [
            (r#"{"systems":["a","b"]}"#, Some(2)),
            (r#"{"systems":"a"}"#, Some(1)),
            (r#"{"systems":[]}"#, Some(0)),
            (r#"{"systems":["a",1]}"#, None),
            (r#"{"systems":null}"#, None),
            ("{}", None),
            ("7", None),
        ] {
            assert_eq!(systems(text).names().map(<[_]>::len), names, "{text}");
            assert_eq!(systems(text).to_json().text(), text, "kept as it came");
        }
        let long = format!("{{\"systems\":{}}}", Json::of(&vec!["a"; LIST_LENGTH_MAX + 1]));
        assert_eq!(systems(&long).names(), None);
    }

    #[test]
    fn progress_is_laid_over_the_stored_value_and_other_fields_stay() {
        let mut stored = systems(r#"{"note":"x","systems":"a","error":{"code":1,"message":"m"}}"#);
        stored.set_current(0);
        assert_eq!(stored.to_json().text(), r#"{"current":0,"note":"x","systems":"a"}"#);
        stored.set_error(ErrorObject::new(2201, "none"));
        assert!(stored.to_json().text().contains(r#""error":{"code":2201"#));
        let other = stored.with_names(["b", "c"]);
        assert!(other.to_json().text().contains(r#""systems":["b","c"]"#));
        assert!(other.to_json().text().contains(r#""note":"x""#));
    }
}
