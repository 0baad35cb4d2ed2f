//! A copy of the beginning of a ledger, which may grow meanwhile.

use super::{DIR, FILE};
use crate::{
    disk::{self, Disk, Open},
    error::{Error, Harm},
    file::{Class, FileHeader, HEADER_END},
    frame::Kind,
    scan::{Found, Scan},
};

/// Copies the first `count` entries of a ledger to another disk, where none is. Nothing is written
/// to `from` and no lock is taken, so that another process may append meanwhile. The copy is
/// durable; what the state log knows beyond it, [`super::LedgerLog::complete_from`] adds.
/// Checkpoints are not copied. `progress` hears how many bytes each step has copied.
///
/// # Errors
/// [`Error::EntriesMissing`] where there are fewer, [`Error::Damaged`], [`Error::Version`], or when
/// a disk refuses.
pub fn copy_ledger(
    from: &dyn Disk,
    to: &dyn Disk,
    count: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    let file = from.open(FILE, Open::Read)?;
    let seed = FileHeader::read(&*file, FILE, Class::Ledger)?.seed();
    let mut scan = Scan::open(file, FILE, seed)?;
    let (mut copied, mut end) = (0_u64, HEADER_END);
    while copied < count {
        let at = scan.at();
        match scan.next()?.0 {
            Found::End => return Err(Error::EntriesMissing { count: copied, from: count }),
            Found::Bad => return Err(super::damage(at, Harm::Frame, copied).into()),
            Found::Frame(frame) if frame.kind == Kind::Record => {
                copied = copied.saturating_add(1);
                end = scan.at();
            }
            Found::Frame(_) => {}
        }
    }
    to.make_dir(DIR)?;
    disk::copy(from, to, FILE, end, progress)?;
    Ok(to.sync_dir(DIR)?)
}
