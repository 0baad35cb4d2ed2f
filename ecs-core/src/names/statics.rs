//! Names that stand in the program.

use super::Named;
use std::ptr;

/// So many names of the program are remembered by where they stand in it.
const STATICS_MAX: usize = 256;

/// Names that stand in the program, found by their place in memory: what Systems write is mostly
/// named so.
#[derive(Default)]
pub(super) struct Statics(Vec<Option<(&'static str, Named)>>);

impl Statics {
    /// Its place here; another may be there.
    fn place(text: &'static str) -> usize {
        (text.as_ptr().addr() ^ (text.len() << 4)) % STATICS_MAX
    }

    pub(super) fn find(&self, text: &'static str) -> Option<Named> {
        let (known, named) = self.0.get(Self::place(text))?.as_ref()?;
        ptr::eq(*known, text).then_some(*named)
    }

    pub(super) fn put(&mut self, text: &'static str, named: Named) {
        if self.0.is_empty() {
            self.0.resize(STATICS_MAX, None);
        }
        self.0[Self::place(text)] = Some((text, named));
    }
}
