//! Signed checkpoints: what the ledger held at a time, one line each.

use super::{Head, LedgerLog, Progress, VerifyError, verify};
use crate::{
    disk::{self, Cause, Disk, Open, read_all},
    error::{Damage, Error, Harm},
    sign::{Sign, Verify},
};
use sha2::{Digest as _, Sha256};
use std::fmt;

const FILE: &str = "ledger/checkpoints";
const WORD: &str = "payecs-checkpoint-1";
/// More than a checkpoint each hour for twenty years.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What the ledger held at a time, signed. Its text is one line:
/// `payecs-checkpoint-1 <id> <count> <hash> <time> <key id> <signature>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// What the ledger held.
    pub head: Head,
    /// When, in seconds since 1970 (UTC), as the caller said.
    pub at_seconds: u64,
    /// The key that signed.
    pub key_id: String,
    /// The signature of [`Checkpoint::digest`].
    pub signature: Vec<u8>,
}

impl Checkpoint {
    /// What is signed: SHA-256 of the line without its signature.
    #[must_use]
    pub fn digest(head: &Head, at_seconds: u64, key_id: &str) -> [u8; 32] {
        Sha256::digest(unsigned(head, at_seconds, key_id)).into()
    }

    fn of_line(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        words.next().filter(|word| *word == WORD)?;
        let head = Head::of_words(&mut words)?;
        let at_seconds = words.next()?.parse().ok()?;
        let key_id = words.next()?.to_owned();
        let signature = hex::decode(words.next()?).ok()?;
        let checkpoint = Self { head, at_seconds, key_id, signature };
        (checkpoint.to_string() == line).then_some(checkpoint)
    }
}

fn unsigned(head: &Head, at_seconds: u64, key_id: &str) -> String {
    let Head { id, count, hash } = head;
    format!("{WORD} {id} {count} {} {at_seconds} {key_id}", hex::encode(hash))
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&unsigned(&self.head, self.at_seconds, &self.key_id))?;
        write!(to, " {}", hex::encode(&self.signature))
    }
}

impl LedgerLog {
    /// Makes the ledger durable, signs what it holds and adds that to `ledger/checkpoints`.
    /// `at_seconds` is the time, since 1970 (UTC).
    ///
    /// # Errors
    /// As [`LedgerLog::sync`] and [`checkpoints`]. The checkpoint does not count then.
    pub fn checkpoint(&mut self, signer: &dyn Sign, at_seconds: u64) -> Result<Checkpoint, Error> {
        let head = self.sync()?;
        let key_id = signer.key_id();
        let signature = signer.sign(Checkpoint::digest(&head, at_seconds, &key_id));
        let checkpoint = Checkpoint { head, at_seconds, key_id, signature };
        let line = checkpoint.to_string();
        if Checkpoint::of_line(&line).as_ref() != Some(&checkpoint) {
            return Err(Error::KeyId { key_id: checkpoint.key_id });
        }
        let mut lines = lines(&*self.reader.disk)?;
        lines.extend(line.bytes());
        lines.push(b'\n');
        // In place of the old file, so that no power loss leaves a part of a line.
        disk::create(&*self.reader.disk, FILE, &lines).map_err(Error::of_write)?;
        Ok(checkpoint)
    }
}

/// The checkpoints on a disk, oldest first.
///
/// # Errors
/// [`Error::Damaged`] when a line is not one, or when the disk refuses.
pub fn checkpoints(disk: &dyn Disk) -> Result<Vec<Checkpoint>, Error> {
    let lines = lines(disk)?;
    let mut found = vec![];
    let mut offset = 0_u64;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = std::str::from_utf8(line).ok().and_then(|text| text.strip_suffix('\n'));
        let Some(checkpoint) = text.and_then(Checkpoint::of_line) else {
            let (file, harm) = (FILE.to_owned(), Harm::Line);
            let holds = (found.len() as u64).checked_sub(1);
            return Err(Damage { file, offset, harm, holds, next: None }.into());
        };
        found.push(checkpoint);
        offset = offset.saturating_add(line.len() as u64);
    }
    Ok(found)
}

/// Checks the ledger on a disk against its own checkpoints: that each is signed by a trusted key,
/// and that the ledger begins with what each stands for. What the ledger holds, and how many
/// checkpoints vouch for it.
///
/// # Errors
/// [`VerifyError::Signature`], or as [`verify`].
pub fn verify_checkpoints(
    disk: &dyn Disk,
    verifier: &dyn Verify,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Head, usize), VerifyError> {
    let checkpoints = checkpoints(disk)?;
    for Checkpoint { head, at_seconds, key_id, signature } in &checkpoints {
        let digest = Checkpoint::digest(head, *at_seconds, key_id);
        if !verifier.verify(key_id, digest, signature) {
            return Err(VerifyError::Signature { head: *head, key_id: key_id.clone() });
        }
    }
    let heads: Vec<Head> = checkpoints.iter().map(|checkpoint| checkpoint.head).collect();
    Ok((verify(disk, &heads, progress)?, heads.len()))
}

/// The bytes of the file of checkpoints; none when it is missing.
fn lines(disk: &dyn Disk) -> Result<Vec<u8>, Error> {
    let file = match disk.open(FILE, Open::Read) {
        Ok(file) => file,
        Err(error) if error.cause == Cause::Missing => return Ok(vec![]),
        Err(error) => return Err(error.into()),
    };
    let len = file.len_bytes()?;
    if len > FILE_BYTES_MAX {
        let bytes = usize::try_from(len).unwrap_or(usize::MAX);
        let max = usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX);
        return Err(Error::TooLong { bytes, max });
    }
    let mut lines = vec![0; usize::try_from(len).unwrap_or(0)];
    read_all(&*file, FILE, 0, &mut lines)?;
    Ok(lines)
}
