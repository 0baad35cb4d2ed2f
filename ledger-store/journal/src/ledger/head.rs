//! What a ledger holds, in one line.

use crate::file::LogId;
use std::{fmt, str::FromStr};

const WORD: &str = "payecs-ledger-head-1";

/// How many entries a ledger has, and the hash of the last one. Its text is one line, such as
/// `payecs-ledger-head-1 <id> <count> <hash>`, with id and hash in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which ledger.
    pub id: LogId,
    /// How many entries.
    pub count: u64,
    /// The hash of the last one; zeros without one.
    pub hash: [u8; 32],
}

impl fmt::Display for Head {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{WORD} {} {} {}", self.id, self.count, hex::encode(self.hash))
    }
}

/// A text that is not a head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `{WORD} <id> <count> <hash>`: paste the line as it was exported")]
pub struct ParseHeadError;

impl FromStr for Head {
    type Err = ParseHeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.trim().split(' ');
        let head = (words.next() == Some(WORD)).then(|| Self::of_words(&mut words)).flatten();
        head.filter(|head| head.to_string() == text.trim()).ok_or(ParseHeadError)
    }
}

impl Head {
    /// A ledger without entries.
    pub(super) fn empty(id: LogId) -> Self {
        Self { id, count: 0, hash: [0; 32] }
    }

    /// Reads id, count and hash.
    pub(super) fn of_words<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let id = LogId(hex::decode(words.next()?).ok()?.try_into().ok()?);
        let count = words.next()?.parse().ok()?;
        let hash = hex::decode(words.next()?).ok()?.try_into().ok()?;
        Some(Self { id, count, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_is_read_as_it_is_written_and_nothing_else_is() {
        let head = Head { id: LogId([1; 16]), count: 7, hash: [0xab; 32] };
        let text = head.to_string();
        assert_eq!(text.parse(), Ok(head));
        assert_eq!(format!(" {text}\n").parse(), Ok(head));
        for wrong in [
            String::new(),
            text.replace("-1 ", "-2 "),
            text.replace(" 7 ", " +7 "),
            text.replace(" 7 ", " 07 "),
            text.replace("ab", "AB"),
            text[..text.len() - 2].to_owned(),
            format!("{text} more"),
        ] {
            assert_eq!(wrong.parse::<Head>(), Err(ParseHeadError), "{wrong}");
        }
    }
}
