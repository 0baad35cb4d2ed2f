//! One text for all values that mean the same.

use super::{Decimal, Json, RawFields, read};
use serde_json::value::RawValue;

impl Json {
    /// The text that every equal value has: no whitespace, keys in byte order, of two with one name
    /// the last, strings with the fewest escapes, numbers as digits and exponent. To be hashed.
    /// ```
    /// # use ecs_core::Json;
    /// let value = Json::parse(r#"{ "b": [1.50, 0], "a": "\u0041" }"#).unwrap();
    /// assert_eq!(value.canonical(), r#"{"a":"A","b":[15e-1,0]}"#);
    /// ```
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::with_capacity(self.text().len());
        write_canonical(self.text(), &mut text);
        text
    }
}

fn write_canonical(text: &str, out: &mut String) {
    match text.as_bytes()[0] {
        b'{' => {
            let fields = read::<RawFields<'_>>(text).unwrap_or_default();
            write_all('{', fields.iter(), '}', out, |(name, value), out| {
                out.push_str(Json::of(name.as_ref()).text());
                out.push(':');
                write_canonical(value.get(), out);
            });
        }
        b'[' => {
            let items = read::<Vec<&RawValue>>(text).unwrap_or_default();
            write_all('[', items.iter(), ']', out, |item, out| write_canonical(item.get(), out));
        }
        b'"' => match read::<String>(text) {
            Some(string) => out.push_str(Json::of(&string).text()),
            None => out.push_str(text),
        },
        b'-' | b'0'..=b'9' => match Decimal::read(text) {
            Some(number) => number.write(out),
            None => out.push_str(text),
        },
        _ => out.push_str(text),
    }
}

fn write_all<T>(
    open: char,
    items: impl Iterator<Item = T>,
    close: char,
    out: &mut String,
    write: impl Fn(T, &mut String),
) {
    out.push(open);
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}

impl Decimal {
    fn write(&self, out: &mut String) {
        if self.digits.is_empty() {
            return out.push('0');
        }
        if self.negative {
            out.push('-');
        }
        out.push_str(&self.digits);
        if self.exponent != 0 {
            out.push('e');
            out.push_str(&self.exponent.to_string());
        }
    }
}
