//! New segments.

use super::{SEGMENT, StateLog, file_of};
use crate::{
    disk::{self, Disk, DiskError},
    file::{Class, FileHeader},
    tail::{FrameDigest, Tail},
};

impl StateLog {
    /// Follows the segment, all of which is durable, by a new one; whether it did. Without room for
    /// one, the old one goes on. Any other error is final: a name may be durable that nobody counts
    /// on.
    pub(super) fn rotate(&mut self) -> bool {
        let header = FileHeader {
            class: Class::State,
            id: self.id,
            first: self.next,
            previous: self.tail.digest(),
        };
        let name = file_of(self.next, SEGMENT);
        let made = new_segment(&*self.disk, &name, &header);
        match made {
            Ok(tail) => {
                self.tail = tail;
                self.segments.insert(self.next, name);
                self.space.new_segment();
                let filled = self.space.fill(&*self.disk, self.tail.file_mut(), &self.options);
                if let Err(error) = filled {
                    self.tail.fail(&error);
                }
                true
            }
            Err(error) if error.is_full() => {
                self.space.new_segment();
                false
            }
            Err(error) => {
                self.tail.fail(&error);
                false
            }
        }
    }
}

/// A segment without records, durable with its name.
pub(super) fn new_segment(
    disk: &dyn Disk,
    name: &str,
    header: &FileHeader,
) -> Result<Tail, DiskError> {
    let bytes = header.encode();
    let file = disk::create(disk, name, &bytes)?;
    Ok(Tail::of_new(file, header.seed(), FrameDigest::of(&bytes)))
}
