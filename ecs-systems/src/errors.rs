//! Every code that an error can have: what it means, and what to do next.

mod known;
mod own;

use known::KNOWN;
use own::OWN;

/// What is known of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// What a program looks at. It never changes its meaning.
    pub code: i32,
    /// Its name; Core Lightning's where that has one.
    pub name: &'static str,
    /// What happened.
    pub meaning: &'static str,
    /// What to do next.
    pub next: &'static str,
}

const fn code(
    code: i32,
    name: &'static str,
    meaning: &'static str,
    next: &'static str,
) -> ErrorCode {
    ErrorCode { code, name, meaning, next }
}

/// All of them, in order.
pub const ERROR_CODES: &[ErrorCode] = &ALL;

const ALL: [ErrorCode; KNOWN.len() + OWN.len()] = {
    let mut all = [KNOWN[0]; KNOWN.len() + OWN.len()];
    let (known, own) = all.split_at_mut(KNOWN.len());
    known.copy_from_slice(KNOWN);
    own.copy_from_slice(OWN);
    all
};

/// A code that is not ours: a third party's System may fail a payment with any.
const OTHERS: ErrorCode = code(
    0,
    "OTHER",
    "A System of a third party says so.",
    "Look at the message, and at the last System with payecs_systrace.",
);

/// What is known of a code; of one that isn't ours, where to look.
#[must_use]
pub fn explained(code: i32) -> &'static ErrorCode {
    of(code).unwrap_or(&OTHERS)
}

/// What is known of a code.
/// ```
/// # use ecs_systems::errors::of;
/// assert_eq!(of(207).unwrap().name, "PAY_INVOICE_EXPIRED");
/// assert!(of(1).is_none());
/// ```
#[must_use]
pub fn of(code: i32) -> Option<&'static ErrorCode> {
    ERROR_CODES.iter().find(|known| known.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ROWS;
    use std::collections::BTreeSet;

    #[test]
    fn each_code_is_explained_once() {
        assert!(
            ERROR_CODES.iter().map(|it| it.code).collect::<BTreeSet<_>>().len()
                == ERROR_CODES.len()
        );
        for it in ERROR_CODES {
            assert!(it.meaning.ends_with('.') && it.next.ends_with(['.', '`']), "{}", it.code);
        }
        assert_eq!(of(0), None);
    }

    #[test]
    fn what_systems_refuse_with_is_explained() {
        let refused = ROWS.iter().flat_map(|(_, row)| row.refuses);
        let unknown: Vec<&i32> = refused.filter(|code| of(**code).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
