//! The file that a seed is kept in.

use super::Seed;
use payecs_journal::{Cause, Disk, DiskError, Open};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The name of the file, below the root of its disk.
pub const SEED_FILE: &str = "secrets/receipts.seed";
/// The directory that it is in, and nothing else.
pub const SECRETS_DIR: &str = "secrets";
const UNFINISHED: &str = "secrets/receipts.seed.tmp";
const MAGIC: [u8; 8] = *b"payecs\x1aR";
/// Magic 8, seed 32, its id 8.
const FILE_BYTES: usize = 48;

/// Why there is no seed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SeedFileError {
    /// The disk refuses.
    #[error("{0}; the file holds the seed of our receipts")]
    Disk(#[from] DiskError),
    /// The file is not as it was written.
    #[error(
        "{SEED_FILE} is damaged: put it back from its backup; without it the receipts that were \
         issued can't be paid"
    )]
    Damaged,
}

/// A seed and its file. What is on the disk is written once and never changed.
#[derive(Debug)]
pub struct SeedFile {
    disk: Arc<dyn Disk>,
    seed: Seed,
    bytes: Option<Zeroizing<[u8; 32]>>,
}

impl SeedFile {
    /// Reads the file, which must be its owner's alone. Where there is none, the seed is what
    /// `draw` gives, and is in no file before [`SeedFile::keep`].
    ///
    /// # Errors
    /// See [`SeedFileError`].
    pub fn open(
        disk: &Arc<dyn Disk>,
        draw: impl FnOnce() -> Zeroizing<[u8; 32]>,
    ) -> Result<Self, SeedFileError> {
        let disk = Arc::clone(disk);
        let file = match disk.open(SEED_FILE, Open::Read) {
            Ok(file) => file,
            Err(error) if error.cause == Cause::Missing => {
                let bytes = draw();
                return Ok(Self { disk, seed: Seed::new(&bytes), bytes: Some(bytes) });
            }
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Zeroizing::new([0; FILE_BYTES]);
        if file.len_bytes()? != FILE_BYTES as u64 || file.read_at(0, &mut *bytes)? != FILE_BYTES {
            return Err(SeedFileError::Damaged);
        }
        let mut drawn = Zeroizing::new([0; 32]);
        drawn.copy_from_slice(&bytes[8..40]);
        let seed = Seed::new(&drawn);
        if *contents(&seed, &drawn) != *bytes {
            return Err(SeedFileError::Damaged);
        }
        Ok(Self { disk, seed, bytes: None })
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Whether there was no file: the seed was drawn, and no receipt can be of it yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.bytes.is_some()
    }

    /// Makes a new seed durable. To be called once the journal is open, as that shows that no
    /// receipt is of another seed, and before a receipt is issued.
    ///
    /// # Errors
    /// The disk refuses: no receipt may be issued.
    pub fn keep(&mut self) -> Result<(), SeedFileError> {
        let Some(bytes) = &self.bytes else { return Ok(()) };
        self.disk.make_dir(SECRETS_DIR)?;
        match self.disk.remove(UNFINISHED) {
            Ok(()) => {}
            Err(error) if error.cause == Cause::Missing => {}
            Err(error) => return Err(error.into()),
        }
        let mut file = self.disk.open(UNFINISHED, Open::New)?;
        file.write_at(0, &*contents(&self.seed, bytes))?;
        file.sync()?;
        self.disk.rename(UNFINISHED, SEED_FILE)?;
        self.disk.sync_dir(SECRETS_DIR)?;
        self.bytes = None;
        Ok(())
    }
}

fn contents(seed: &Seed, bytes: &[u8; 32]) -> Zeroizing<[u8; FILE_BYTES]> {
    let mut contents = Zeroizing::new([0; FILE_BYTES]);
    contents[..8].copy_from_slice(&MAGIC);
    contents[8..40].copy_from_slice(bytes);
    contents[40..].copy_from_slice(&seed.id().0.to_be_bytes());
    contents
}

#[cfg(test)]
mod tests {
    use super::*;
    use payecs_journal::MemoryDisk;

    fn open(disk: &MemoryDisk, drawn: u8) -> Result<SeedFile, SeedFileError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        SeedFile::open(&disk, || Zeroizing::new([drawn; 32]))
    }

    #[test]
    fn a_seed_is_drawn_once_and_outlives_a_power_cut_once_it_is_kept() {
        let disk = MemoryDisk::new();
        assert!(open(&disk, 1).unwrap().is_new());
        disk.power_loss(1);
        let mut drawn = open(&disk, 2).unwrap();
        assert!(drawn.is_new(), "the first was not kept");
        drawn.keep().unwrap();
        for seed in 0..20 {
            disk.power_loss(seed);
            let mut again = open(&disk, 3).unwrap();
            assert_eq!((again.is_new(), again.seed().id()), (false, drawn.seed().id()));
            again.keep().unwrap();
        }
    }

    #[test]
    fn no_changed_byte_or_length_is_taken_for_a_seed() {
        let disk = MemoryDisk::new();
        open(&disk, 1).unwrap().keep().unwrap();
        let written = contents(&Seed::new(&Zeroizing::new([1; 32])), &[1; 32]);
        for at in 0..FILE_BYTES {
            let mut changed = *written;
            changed[at] ^= 1;
            disk.put(SEED_FILE, &changed);
            assert!(matches!(open(&disk, 2), Err(SeedFileError::Damaged)), "byte {at}");
            disk.put(SEED_FILE, &written[..at]);
            assert!(matches!(open(&disk, 2), Err(SeedFileError::Damaged)), "length {at}");
        }
        disk.put(SEED_FILE, &*written);
        assert!(!open(&disk, 2).unwrap().is_new());
    }
}
