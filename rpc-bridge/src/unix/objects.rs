//! JSON values out of a stream of bytes, one after the other, with or without space between them.

use ecs_core::JSON_DEPTH_MAX;

/// Why a stream can't be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Something else than an object or an array begins.
    #[error("neither an object nor an array")]
    NoValue,
    /// A value is nested too deep.
    #[error("nested deeper than {JSON_DEPTH_MAX} levels")]
    Depth,
    /// A value is larger than may be.
    #[error("the request is larger than may be")]
    Size,
}

/// Finds where values end, by brackets and quotes alone; whether they are JSON is judged later.
/// Each byte is looked at once, and no more is kept than the value that has begun.
/// ```
/// # use rpc_bridge::Objects;
/// let (mut objects, mut bytes) = (Objects::new(100), &b"{\"a\":1}\n[2"[..]);
/// assert_eq!(objects.next(&mut bytes).unwrap().unwrap(), b"{\"a\":1}");
/// assert_eq!(objects.next(&mut bytes), Ok(None));
/// ```
#[derive(Debug)]
pub struct Objects {
    bytes_max: usize,
    value: Vec<u8>,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Objects {
    /// At the beginning of a stream, for values of so many bytes at most.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, value: Vec::new(), depth: 0, in_string: false, escaped: false }
    }

    /// Takes from `bytes` until a value is whole. `None`: all were taken and none is.
    ///
    /// # Errors
    /// The stream can't be read on.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, Broken> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            if self.depth == 0 && byte.is_ascii_whitespace() {
                continue;
            }
            if self.depth == 0 && !matches!(byte, b'{' | b'[') {
                return Err(Broken::NoValue);
            }
            if self.value.len() >= self.bytes_max {
                return Err(Broken::Size);
            }
            self.value.push(*byte);
            self.look_at(*byte)?;
            if self.depth == 0 {
                return Ok(Some(std::mem::take(&mut self.value)));
            }
        }
        Ok(None)
    }

    fn look_at(&mut self, byte: u8) -> Result<(), Broken> {
        if self.escaped {
            self.escaped = false;
            return Ok(());
        }
        match byte {
            b'\\' => self.escaped = self.in_string,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => self.depth -= 1,
            _ => {}
        }
        if self.depth > JSON_DEPTH_MAX { Err(Broken::Depth) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &[u8], cut: usize) -> (Vec<String>, Option<Broken>) {
        let (mut objects, mut found) = (Objects::new(100), vec![]);
        for mut some in text.chunks(cut.max(1)) {
            loop {
                match objects.next(&mut some) {
                    Ok(Some(value)) => found.push(String::from_utf8(value).unwrap()),
                    Ok(None) => break,
                    Err(broken) => return (found, Some(broken)),
                }
            }
        }
        (found, None)
    }

    #[test]
    fn values_need_nothing_between_them() {
        let long = format!("{{\"a\":\"{}\"", "x".repeat(200));
        for (text, found, broken) in [
            ("{}{}", vec!["{}", "{}"], None),
            (" {}\n\n{\"a\":[1]}\n\n", vec!["{}", "{\"a\":[1]}"], None),
            (r#"{"}":"{\"\\"}[{}]"#, vec![r#"{"}":"{\"\\"}"#, "[{}]"], None),
            ("{}x{}", vec!["{}"], Some(Broken::NoValue)),
            ("}", vec![], Some(Broken::NoValue)),
            ("\"a\"", vec![], Some(Broken::NoValue)),
            ("{\"a\":", vec![], None),
            (&"[".repeat(65), vec![], Some(Broken::Depth)),
            (&long, vec![], Some(Broken::Size)),
        ] {
            let found = found.into_iter().map(ToOwned::to_owned).collect();
            assert_eq!(all(text.as_bytes(), 1_000), (found, broken), "{text}");
        }
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_never_matters(
            text in "[{}\\[\\]\"\\\\ a1,:]{0,80}",
            cut in 1_usize..9,
        ) {
            prop_assert_eq!(all(text.as_bytes(), cut), all(text.as_bytes(), 1_000));
        }
    }
}
