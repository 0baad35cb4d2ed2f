//! How far a snapshot has seen a ledger.

use super::Head;
use crate::file::HEADER_END;
use std::{fmt, str::FromStr};

const WORD: &str = "payecs-ledger-mark-1";

/// What a ledger holds durably, and where. Kept in a snapshot, it lets
/// [`super::LedgerLog::open_from`] begin there. Its text is one line, such as
/// `payecs-ledger-mark-1 <id> <count> <hash> <offset>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerMark {
    /// What the ledger holds.
    pub head: Head,
    /// Where its last entry begins, in bytes; without one, where the first will.
    pub offset: u64,
}

impl LedgerMark {
    /// A ledger without entries.
    pub(super) fn empty(head: Head) -> Self {
        Self { head, offset: HEADER_END }
    }

    fn of_words<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let head = Head::of_words(words)?;
        Some(Self { head, offset: words.next()?.parse().ok()? })
    }
}

impl fmt::Display for LedgerMark {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head: Head { id, count, hash }, offset } = self;
        write!(to, "{WORD} {id} {count} {} {offset}", hex::encode(hash))
    }
}

/// A text that is not a mark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `{WORD} <id> <count> <hash> <offset>`: open the ledger without a mark")]
pub struct ParseMarkError;

impl FromStr for LedgerMark {
    type Err = ParseMarkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split(' ');
        let mark = (words.next() == Some(WORD)).then(|| Self::of_words(&mut words)).flatten();
        mark.filter(|mark| mark.to_string() == text).ok_or(ParseMarkError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::LogId;

    #[test]
    fn mark_is_read_as_it_is_written_and_nothing_else_is() {
        let head = Head { id: LogId([1; 16]), count: 7, hash: [0xab; 32] };
        let mark = LedgerMark { head, offset: 4_000 };
        let text = mark.to_string();
        assert_eq!(text.parse(), Ok(mark));
        for wrong in [
            String::new(),
            head.to_string(),
            text.replace("-1 ", "-2 "),
            text.replace(" 4000", " 04000"),
            text.replace(" 4000", ""),
            text.replace("ab", "AB"),
            format!("{text} more"),
            format!("{text}\n"),
        ] {
            assert_eq!(wrong.parse::<LedgerMark>(), Err(ParseMarkError), "{wrong}");
        }
    }
}
