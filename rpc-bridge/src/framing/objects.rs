//! JSON values out of a stream of bytes, one after the other, with or without space between them.

use ecs_core::JSON_DEPTH_MAX;

/// Why a stream can't be read on as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Something else than an object or an array begins.
    #[error("neither an object nor an array")]
    NoValue,
    /// A value goes on as no JSON does.
    #[error("a value that is not JSON")]
    Syntax,
    /// A value is nested too deep.
    #[error("nested deeper than {JSON_DEPTH_MAX} levels")]
    Depth,
    /// A value is larger than may be.
    #[error("the request is larger than may be")]
    Size,
}

/// Finds where values end, by brackets and quotes alone; whether they are JSON is judged later.
/// Each byte is looked at once, and no more is kept than the value that has begun.
///
/// Who goes on after what is broken gets the values behind it: bytes that are no value are skipped
/// up to the next bracket that opens, values that are too large or too deep up to their end. A
/// value whose end never comes is noticed by what can't follow in it: a line that ends within a
/// string, or a value right behind a value. Each such place is told of once.
/// ```
/// # use rpc_bridge::{Broken, Objects};
/// let (mut objects, mut bytes) = (Objects::new(100), &b"{\"a\":1}\n?![2"[..]);
/// assert_eq!(objects.next(&mut bytes).unwrap().unwrap(), b"{\"a\":1}");
/// assert_eq!(objects.next(&mut bytes), Err(Broken::NoValue));
/// assert_eq!(objects.next(&mut bytes), Ok(None));
/// assert_eq!(objects.next(&mut &b"]"[..]).unwrap().unwrap(), b"[2]");
/// ```
#[derive(Debug)]
pub struct Objects {
    bytes_max: usize,
    value: Vec<u8>,
    depth: u32,
    place: Place,
    skipped: Skipped,
    begun: Vec<u8>,
    /// How many bytes of values were looked at.
    #[cfg(test)]
    looked: usize,
}

/// Where in a value the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A value, a name or a sign may come, or the rest of a number or a word.
    Open,
    String,
    /// In a string, behind a backslash.
    Escape,
    /// Behind a string or a closing bracket: only a sign may come.
    Behind,
}

/// What is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipped {
    Nothing,
    /// What stands before the next value.
    Between,
    /// The value that has begun.
    Value,
}

impl Objects {
    /// At the beginning of a stream, for values of so many bytes at most.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        let (value, place, skipped) = (Vec::new(), Place::Open, Skipped::Nothing);
        Self {
            bytes_max,
            value,
            depth: 0,
            place,
            skipped,
            begun: Vec::new(),
            #[cfg(test)]
            looked: 0,
        }
    }

    /// Takes from `bytes` until a value is whole. `None`: all were taken and none is.
    ///
    /// # Errors
    /// What comes is no value, or not one that is taken. The next call goes on behind it.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        while self.depth > 0 || self.begins(bytes)? {
            if let Some(value) = self.value(bytes)? {
                return Ok(Some(value));
            }
            if bytes.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    /// Takes what stands before a value; whether one begins.
    fn begins(&mut self, bytes: &mut &[u8]) -> Result<bool, Broken> {
        while let Some((byte, rest)) = bytes.split_first() {
            if matches!(byte, b'{' | b'[') {
                self.skipped = Skipped::Nothing;
                return Ok(true);
            }
            *bytes = rest;
            if !byte.is_ascii_whitespace() && self.skipped != Skipped::Between {
                self.skipped = Skipped::Between;
                self.begun = Vec::new();
                return Err(Broken::NoValue);
            }
        }
        Ok(false)
    }

    /// Takes bytes of the value that has begun, up to its end. `None`: it goes on, or is skipped.
    fn value(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        let all = *bytes;
        let room = self.bytes_max.saturating_sub(self.value.len());
        for (at, byte) in all.iter().enumerate() {
            if at >= room && self.skipped == Skipped::Nothing {
                self.breaks_off(&all[..at], Skipped::Value);
                *bytes = &all[at..];
                return Err(Broken::Size);
            }
            if !self.goes_on_with(*byte) {
                *bytes = &all[at..];
                return self.gives_up(&all[..at]);
            }
            if self.depth > JSON_DEPTH_MAX && self.skipped == Skipped::Nothing {
                self.breaks_off(&all[..=at], Skipped::Value);
                *bytes = &all[at + 1..];
                return Err(Broken::Depth);
            }
            if self.depth == 0 {
                *bytes = &all[at + 1..];
                return Ok(self.ends(&all[..=at]));
            }
        }
        if self.skipped == Skipped::Nothing {
            self.value.extend_from_slice(all);
        }
        *bytes = &[];
        Ok(None)
    }

    /// Keeps no more of a value than what is told of it.
    fn breaks_off(&mut self, last: &[u8], skipped: Skipped) {
        self.begun = std::mem::take(&mut self.value);
        self.begun.extend_from_slice(last);
        self.skipped = skipped;
    }

    /// What there was of the value that was broken last, as far as it was taken; once.
    #[must_use]
    pub fn begun(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.begun)
    }

    /// Leaves a value that can't be JSON, before the byte that shows it.
    fn gives_up(&mut self, last: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        let was_told = self.skipped == Skipped::Value;
        self.breaks_off(last, Skipped::Between);
        (self.depth, self.place) = (0, Place::Open);
        if was_told { Ok(None) } else { Err(Broken::Syntax) }
    }

    /// The value that these bytes end. `None`: it is one that is skipped.
    fn ends(&mut self, last: &[u8]) -> Option<Vec<u8>> {
        self.place = Place::Open;
        if std::mem::replace(&mut self.skipped, Skipped::Nothing) == Skipped::Value {
            return None;
        }
        let mut value = std::mem::take(&mut self.value);
        value.extend_from_slice(last);
        Some(value)
    }

    /// Whether a value may go on with this byte.
    fn goes_on_with(&mut self, byte: u8) -> bool {
        #[cfg(test)]
        (self.looked += 1);
        match self.place {
            Place::String | Place::Escape if byte < b' ' => return false,
            Place::Escape => self.place = Place::String,
            Place::String => match byte {
                b'\\' => self.place = Place::Escape,
                b'"' => self.place = Place::Behind,
                _ => {}
            },
            Place::Open | Place::Behind => return self.goes_on_outside_with(byte),
        }
        true
    }

    /// The same, outside of strings.
    fn goes_on_outside_with(&mut self, byte: u8) -> bool {
        match byte {
            b'}' | b']' => {
                self.depth -= 1;
                self.place = Place::Behind;
            }
            b',' | b':' => self.place = Place::Open,
            _ if self.place == Place::Behind => return byte.is_ascii_whitespace(),
            b'"' => self.place = Place::String,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A value, or why there is none.
    type Found = Result<String, Broken>;

    /// The values in a text that comes in pieces, and what stands between them.
    fn all(text: &[u8], cut: usize) -> Vec<Found> {
        let (mut objects, mut found) = (Objects::new(100), vec![]);
        for mut some in text.chunks(cut.max(1)) {
            loop {
                match objects.next(&mut some) {
                    Ok(Some(value)) => found.push(Ok(String::from_utf8(value).unwrap())),
                    Ok(None) => break,
                    Err(broken) => found.push(Err(broken)),
                }
            }
            assert!(objects.value.len() <= 100, "no more is kept than may be");
        }
        found
    }

    #[test]
    fn values_need_nothing_between_them() {
        for (text, found) in [
            ("{}{}", vec!["{}", "{}"]),
            (" {}\n\n{\"a\":[1]}\n\n", vec!["{}", "{\"a\":[1]}"]),
            (r#"{"}":"{\"\\"}[{}]"#, vec![r#"{"}":"{\"\\"}"#, "[{}]"]),
            ("{\"a\" :\n1 , \"b\":[ ] }", vec!["{\"a\" :\n1 , \"b\":[ ] }"]),
            ("{\"a\":", vec![]),
        ] {
            assert_eq!(
                all(text.as_bytes(), 1_000),
                found.into_iter().map(|it| Ok(it.to_owned())).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn what_is_broken_is_told_of_once_and_what_is_behind_it_found() {
        let (long, deep) = (format!("{{\"a\":\"{}\"}}", "x".repeat(200)), "[".repeat(65));
        let deep = format!("{deep}{}", "]".repeat(65));
        let many = "{\"a\":{}".repeat(3);
        for (text, found) in [
            ("{}x y}{}", vec![Ok("{}"), Err(Broken::NoValue), Ok("{}")]),
            ("}\n\n\"a\"{}", vec![Err(Broken::NoValue), Ok("{}")]),
            ("{\"a\":\"x\n\n{}", vec![Err(Broken::Syntax), Ok("{}")]),
            ("{\"a\":\"x\\\n{}", vec![Err(Broken::Syntax), Ok("{}")]),
            ("{\"a\"{}", vec![Err(Broken::Syntax), Ok("{}")]),
            ("{\"a\":\"x}{\"b\":1}{}", vec![Err(Broken::Syntax), Ok("{}")]),
            // Of a value without an end, what it took in is lost; what comes then is not.
            (&many, vec![Err(Broken::Syntax), Err(Broken::Syntax)]),
            (
                &format!("{many}}}"),
                vec![Err(Broken::Syntax), Err(Broken::Syntax), Ok("{\"a\":{}}")],
            ),
            (&format!("{long}{{}}"), vec![Err(Broken::Size), Ok("{}")]),
            (&format!("{deep}{{}}"), vec![Err(Broken::Depth), Ok("{}")]),
            (&format!("{}\n\"\n{{}}", &long[..150]), vec![Err(Broken::Size), Ok("{}")]),
        ] {
            let found: Vec<Found> = found.into_iter().map(|it| it.map(str::to_owned)).collect();
            assert_eq!(all(text.as_bytes(), 1_000), found, "{text}");
        }
    }

    #[test]
    fn a_value_is_as_large_as_may_be_and_no_larger() {
        let exact = format!("[{}]", "1".repeat(98));
        let more = format!("[{}]", "1".repeat(99));
        assert_eq!(all(exact.as_bytes(), 7), [Ok(exact)]);
        assert_eq!(all(more.as_bytes(), 7), [Err(Broken::Size)]);
    }

    #[test]
    fn the_memory_of_a_large_value_is_given_back() {
        let mut objects = Objects::new(1 << 20);
        let large = format!("[\"{}", "x".repeat(1 << 19));
        assert_eq!(objects.next(&mut large.as_bytes()), Ok(None));
        assert!(objects.value.capacity() >= 1 << 19);
        assert!(objects.next(&mut &b"\"]"[..]).unwrap().is_some());
        assert_eq!(objects.value.capacity(), 0);
    }

    #[test]
    fn each_byte_is_looked_at_once_however_many_values_come_glued() {
        let text = r#"{"id":1,"method":"x","params":["\"}"]}"#.repeat(20_000);
        for cut in [1, 7, 1 << 16, text.len()] {
            let (mut objects, mut found) = (Objects::new(100), 0);
            for mut some in text.as_bytes().chunks(cut) {
                while objects.next(&mut some).unwrap().is_some() {
                    found += 1;
                }
            }
            assert_eq!((found, objects.looked), (20_000, text.len()), "cut after {cut} bytes");
        }
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_never_matters(
            text in "[{}\\[\\]\"\\\\ a1,:\n]{0,80}",
            cut in 1_usize..9,
        ) {
            prop_assert_eq!(all(text.as_bytes(), cut), all(text.as_bytes(), 1_000));
        }
    }
}
