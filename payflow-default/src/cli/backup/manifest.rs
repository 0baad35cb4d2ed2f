//! What a backup says of itself.

use super::{BackupError, files};
use payecs_journal::Head;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    fmt::Write as _,
    fs::File,
    io,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

/// The name of the file.
pub(crate) const NAME: &str = "backup.json";
/// The shape of the file.
pub(crate) const VERSION: u32 = 1;
/// How much is read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Described {
    /// Below the backup's directory.
    pub(crate) name: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) version: u32,
    /// The program that made it.
    made_by: String,
    /// The head of the ledger that was copied: the original has it too.
    pub(crate) head: String,
    /// The last record that was copied.
    pub(crate) record: u64,
    pub(crate) files: Vec<Described>,
    /// The SHA-256 of all this, with nothing here.
    sum: String,
}

impl Manifest {
    /// Describes what is below a directory.
    pub(crate) fn of(dir: &Path, head: Head, record: u64) -> Result<Self, BackupError> {
        let described = |name: PathBuf| describe(dir, name);
        let files = files::below(dir)?.into_iter().map(described).collect::<Result<_, _>>()?;
        let made_by = concat!("payecs ", env!("CARGO_PKG_VERSION")).to_owned();
        let (version, head, sum) = (VERSION, head.to_string(), String::new());
        let manifest = Self { version, made_by, head, record, files, sum };
        Ok(Self { sum: manifest.sum(), ..manifest })
    }

    /// Whether there is one: whether the directory is a backup.
    pub(crate) fn is_in(dir: &Path) -> bool {
        dir.join(NAME).is_file()
    }

    /// Whether a file of that name below a backup says what is in it.
    pub(super) fn is_name_of_one(name: &Path) -> bool {
        name == Path::new(NAME)
    }

    /// Writes it into the directory, durably but for its name.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), BackupError> {
        let path = dir.join(NAME);
        let text = serde_json::to_vec_pretty(self).expect("it is names and numbers");
        let written = files::create(&path).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        written.map_err(|error| BackupError::file(&path, &error))
    }

    /// How many entries the ledger had that was copied.
    pub(crate) fn entries(&self) -> u64 {
        self.head.parse::<Head>().map_or(0, |head| head.count)
    }

    /// Whether nobody changed a byte of it.
    pub(crate) fn is_as_written(&self) -> bool {
        self.sum == self.sum()
    }

    fn sum(&self) -> String {
        let bare = Self { sum: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&bare).expect("it is names and numbers");
        hex_of(&Sha256::digest(text))
    }

    /// How long all files are together.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }
}

/// Looks at a file below a directory.
pub(crate) fn describe(dir: &Path, name: PathBuf) -> Result<Described, BackupError> {
    let path = dir.join(&name);
    let (bytes, sha256) = digest(&path).map_err(|error| BackupError::file(&path, &error))?;
    Ok(Described { name, bytes, sha256 })
}

/// The length and the SHA-256 of a file.
fn digest(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let (mut bytes, mut piece) = (0_u64, vec![0; PIECE_BYTES]);
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return Ok((bytes, hex_of(&hash.finalize())));
        }
        bytes = bytes.saturating_add(count as u64);
        hash.update(&piece[..count]);
    }
}

fn hex_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes it");
    }
    text
}
