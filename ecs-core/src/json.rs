//! JSON values, kept as the text that came.

use carried::{Carried, Written};
use letters::check_letters;
pub use limits::{JSON_DEPTH_MAX, NUMBER_DIGITS_MAX, NUMBER_EXPONENT_MAX};
use limits::{WRAPPED_DEPTH_MAX, bounded_number, check_limits, end_of_string};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};
use text::JsonText;

/// A JSON value as its text: key order, `0.50` and integers beyond 2⁵³ come back as they went in.
///
/// Two values are equal if they mean the same: whitespace and the order of keys don't matter, and
/// numbers compare by exact value (`1 = 1.0 = 10e-1`).
/// ```
/// # use ecs_core::Json;
/// let (left, right) = (Json::parse(r#"{"a":1,"b":[2]}"#), Json::parse(r#"{"b":[2.0],"a":1}"#));
/// assert_eq!(left.unwrap(), right.unwrap());
/// assert_ne!(Json::parse("9007199254740993").unwrap(), Json::parse("9007199254740992").unwrap());
/// ```
#[derive(Clone)]
pub struct Json(Inner);

#[derive(Clone)]
enum Inner {
    Text(JsonText),
    /// With the value beside it that it is written from.
    Value(Arc<Written<dyn Carried>>),
}

/// A text that is not JSON, or beyond a limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// A string has half of a letter: `\uD800` to `\uDFFF` without its other half. JSON allows it,
    /// but it is no text: many readers refuse the whole value that it stands in.
    #[error("a string has half of a surrogate pair")]
    HalfLetter,
    /// Nested too deep.
    #[error("nested deeper than {JSON_DEPTH_MAX} levels")]
    Depth,
    /// A number that cannot be compared in bounded time.
    #[error(
        "a number has more than {NUMBER_DIGITS_MAX} digits or an exponent beyond \
         ±{NUMBER_EXPONENT_MAX}"
    )]
    Number,
}

impl Json {
    /// Reads a text that came from outside.
    ///
    /// # Errors
    /// Not JSON, or beyond one of the limits of this module.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let raw: &RawValue =
            serde_json::from_str(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
        Self::judge(raw)
    }

    /// Takes a value from outside that a reader has found to be JSON.
    ///
    /// # Errors
    /// It is beyond one of the limits of this module.
    pub fn judge(raw: &RawValue) -> Result<Self, JsonError> {
        check_limits(raw.get(), JSON_DEPTH_MAX)?;
        check_letters(raw.get())?;
        Ok(Self::part(raw))
    }

    /// Judges a value of ours as [`Json::parse`] judges a text from outside.
    ///
    /// # Errors
    /// It is beyond one of the limits of this module.
    pub(crate) fn check(&self) -> Result<(), JsonError> {
        check_limits(self.text(), JSON_DEPTH_MAX)
    }

    /// An object with these fields, in this order.
    /// ```
    /// # use ecs_core::Json;
    /// let object = Json::object([("b", Json::yes()), ("a", Json::of(&1))]);
    /// assert_eq!(object.text(), r#"{"b":true,"a":1}"#);
    /// ```
    #[must_use]
    pub fn object<N: AsRef<str>>(fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::of(&Object(fields.into_iter().collect()))
    }

    /// An array of these values.
    /// ```
    /// # use ecs_core::Json;
    /// assert_eq!(Json::array([Json::yes(), Json::of("a")]).text(), r#"[true,"a"]"#);
    /// ```
    #[must_use]
    pub fn array(values: impl IntoIterator<Item = Self>) -> Self {
        Self::of(&values.into_iter().collect::<Vec<_>>())
    }

    /// The JSON of a value of ours.
    ///
    /// # Panics
    /// If the value has a map whose keys aren't strings: our own mistake.
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        Self::from_text(JsonText::of(value))
    }

    /// `true`, the value of every flag.
    #[must_use]
    pub fn yes() -> Self {
        Self::of(&true)
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self::of(&())
    }

    /// `{}`: the answer of what only acts.
    #[must_use]
    pub fn nothing() -> Self {
        Self::object(std::iter::empty::<(&str, Self)>())
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.kept().get()
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.text() == "null"
    }

    /// Reads it as a Rust value.
    ///
    /// # Errors
    /// It has another shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.text())
    }

    /// The values of an array. `None`: no array.
    /// ```
    /// # use ecs_core::Json;
    /// assert_eq!(Json::of(&[1, 2]).items().unwrap()[1], Json::of(&2));
    /// assert_eq!(Json::of("no array").items(), None);
    /// ```
    #[must_use]
    pub fn items(&self) -> Option<Vec<Self>> {
        Some(self.parts()?.into_iter().map(Self::part).collect())
    }

    /// The same, as they stand in the text.
    fn parts(&self) -> Option<Vec<&RawValue>> {
        self.text().starts_with('[').then(|| serde_json::from_str(self.text()).ok()).flatten()
    }

    /// The strings of an array; borrowed where they have no escapes. `None`: it is something else,
    /// or has something else in it.
    /// ```
    /// # use ecs_core::Json;
    /// assert_eq!(Json::of(&["a", "b\"c"]).texts().unwrap(), ["a", "b\"c"]);
    /// assert_eq!(Json::parse("[\"a\", 1]").unwrap().texts(), None);
    /// ```
    #[must_use]
    pub fn texts(&self) -> Option<Vec<Cow<'_, str>>> {
        let text = self.text();
        let (bytes, mut at, mut texts) = (text.as_bytes(), 1, Vec::new());
        if bytes[0] != b'[' {
            return None;
        }
        loop {
            match bytes[at] {
                b'"' => {
                    let end = end_of_string(bytes, at);
                    texts.push(text_of(&text[at..=end])?);
                    at = end;
                }
                b',' | b' ' | b'\n' | b'\r' | b'\t' => {}
                b']' => return Some(texts),
                _ => return None,
            }
            at += 1;
        }
    }

    /// What stands in a value that was judged as a whole.
    fn part(raw: &RawValue) -> Self {
        Self::from_text(JsonText::copied(raw))
    }

    /// The fields of an object as they stand in the text; of two with one name both. `None`: no
    /// object.
    /// ```
    /// # use ecs_core::Json;
    /// let entries = Json::parse(r#"{"b":1,"a":2,"b":3}"#).unwrap().entries().unwrap();
    /// assert_eq!(entries.iter().map(|(name, _)| name.as_str()).collect::<String>(), "bab");
    /// ```
    #[must_use]
    pub fn entries(&self) -> Option<Vec<(String, Self)>> {
        let is_object = self.text().starts_with('{');
        let entries = is_object.then(|| serde_json::from_str::<Entries<'_>>(self.text()).ok());
        Some(entries.flatten()?.0.into_iter().map(|(name, raw)| (name, Self::part(raw))).collect())
    }

    /// Reads it as a string; borrowed where it has no escapes. `None`: it is something else.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        text_of(self.text())
    }

    /// The fields of an object, in byte order; of two with one name the last. `None`: no object.
    #[must_use]
    pub fn fields(&self) -> Option<BTreeMap<String, Json>> {
        self.text().starts_with('{').then(|| self.decode().ok()).flatten()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() || same(self.text(), other.text())
    }
}

impl Eq for Json {}

impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.text())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Json({} bytes)", self.text().len())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.kept().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        check_limits(raw.get(), WRAPPED_DEPTH_MAX).map_err(de::Error::custom)?;
        Ok(Self::from_text(JsonText::owned(raw)))
    }
}

/// A string; borrowed where it has no escapes. `None`: it is something else.
fn text_of(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(json).ok().map(Cow::Owned)
}

/// An object that is written with these fields, in this order.
struct Object<N>(Vec<(N, Json)>);

impl<N: AsRef<str>> Serialize for Object<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name.as_ref(), value)))
    }
}

/// The fields of an object in the order of its text.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Entries<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Visitor)
    }
}

/// Deep equality of two valid texts within the limits.
fn same(left: &str, right: &str) -> bool {
    match (left.as_bytes()[0], right.as_bytes()[0]) {
        (b'{', b'{') => match (read::<RawFields<'_>>(left), read::<RawFields<'_>>(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len()
                    && left.iter().zip(&right).all(|((left_key, left), (right_key, right))| {
                        left_key == right_key && same(left.get(), right.get())
                    })
            }
            _ => false,
        },
        (b'[', b'[') => match (read::<Vec<&RawValue>>(left), read::<Vec<&RawValue>>(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len()
                    && left.iter().zip(&right).all(|(left, right)| same(left.get(), right.get()))
            }
            _ => false,
        },
        (b'"', b'"') => left == right || read::<String>(left) == read::<String>(right),
        (b'-' | b'0'..=b'9', b'-' | b'0'..=b'9') => {
            left == right
                || Decimal::read(left).is_some_and(|left| Decimal::read(right) == Some(left))
        }
        _ => left == right,
    }
}

/// The fields of an object where they stand, in byte order.
pub(crate) type RawFields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// An exact decimal number: ± digits × 10^exponent, without zeros at either end of the digits.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// `None`: beyond the limits of this module.
    fn read(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals, exponent) = bounded_number(text)?;
        let digits = format!("{whole}{decimals}");
        let kept = digits.trim_end_matches('0');
        let dropped = digits.len() - kept.len();
        let kept = kept.trim_start_matches('0');
        if kept.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let shift = i32::try_from(dropped).ok()? - i32::try_from(decimals.len()).ok()?;
        Some(Self { negative, digits: kept.to_owned(), exponent: exponent + shift })
    }
}

mod canonical;
mod carried;
mod letters;
mod limits;
mod short;
mod text;
#[cfg(test)]
mod tests;
