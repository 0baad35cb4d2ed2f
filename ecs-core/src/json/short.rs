//! Writing a value whose text is short: without room of its own.

use super::text::SHORT_BYTES_MAX;
use arrayvec::ArrayString;
use serde::{
    Serialize, Serializer,
    ser::{self, Impossible},
};
use std::fmt;

type Short = ArrayString<SHORT_BYTES_MAX>;

/// The text of a number, a string without escapes, a flag or `null`, where it is short. `None`: it
/// is longer, or the value is something else.
pub(super) fn short_text<T: Serialize + ?Sized>(value: &T) -> Option<Short> {
    value.serialize(Writer).ok()
}

/// Not written here. Nobody sees it.
#[derive(Debug)]
struct Long;

impl fmt::Display for Long {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("no short text")
    }
}

impl std::error::Error for Long {}

impl ser::Error for Long {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Writer;

fn copied(text: &str) -> Result<Short, Long> {
    Short::from(text).map_err(|_| Long)
}

fn number(number: impl itoa::Integer) -> Result<Short, Long> {
    copied(itoa::Buffer::new().format(number))
}

fn string(string: &str) -> Result<Short, Long> {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if string.len() + 2 > SHORT_BYTES_MAX || !string.bytes().all(is_plain) {
        return Err(Long);
    }
    let mut text = Short::new();
    text.push('"');
    text.push_str(string);
    text.push('"');
    Ok(text)
}

impl Serializer for Writer {
    type Ok = Short;
    type Error = Long;
    type SerializeSeq = Impossible<Short, Long>;
    type SerializeTuple = Impossible<Short, Long>;
    type SerializeTupleStruct = Impossible<Short, Long>;
    type SerializeTupleVariant = Impossible<Short, Long>;
    type SerializeMap = Impossible<Short, Long>;
    type SerializeStruct = Impossible<Short, Long>;
    type SerializeStructVariant = Impossible<Short, Long>;

    fn serialize_bool(self, value: bool) -> Result<Short, Long> {
        copied(if value { "true" } else { "false" })
    }

    fn serialize_i8(self, value: i8) -> Result<Short, Long> {
        number(value)
    }

    fn serialize_i16(self, value: i16) -> Result<Short, Long> {
        number(value)
    }

    fn serialize_i32(self, value: i32) -> Result<Short, Long> {
        number(value)
    }

    fn serialize_i64(self, value: i64) -> Result<Short, Long> {
        number(value)
    }

    fn serialize_u8(self, value: u8) -> Result<Short, Long> {
        number(value)
    }

    fn serialize_u16(self, value: u16) -> Result<Short, Long> {
        number(value)
    }

    fn serialize_u32(self, value: u32) -> Result<Short, Long> {
        number(value)
    }

    fn serialize_u64(self, value: u64) -> Result<Short, Long> {
        number(value)
    }

    fn serialize_f32(self, _: f32) -> Result<Short, Long> {
        Err(Long)
    }

    fn serialize_f64(self, _: f64) -> Result<Short, Long> {
        Err(Long)
    }

    fn serialize_char(self, _: char) -> Result<Short, Long> {
        Err(Long)
    }

    fn serialize_str(self, value: &str) -> Result<Short, Long> {
        string(value)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Short, Long> {
        Err(Long)
    }

    fn serialize_none(self) -> Result<Short, Long> {
        copied("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Short, Long> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Short, Long> {
        copied("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Short, Long> {
        copied("null")
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Short, Long> {
        string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Short, Long> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Short, Long> {
        Err(Long)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Long> {
        Err(Long)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Long> {
        Err(Long)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Long> {
        Err(Long)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Long> {
        Err(Long)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Long> {
        Err(Long)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Long> {
        Err(Long)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Long> {
        Err(Long)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<Short, Long> {
        Err(Long)
    }
}
