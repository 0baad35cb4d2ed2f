//! Words that callers prove themselves with: a cookie for whoever reads the owner's files, and
//! tokens with a name for everybody else.
//!
//! A token is 256 random bits. It is shown once, when it is made; what is kept is its SHA-256. The
//! file is read again when it was replaced, so that a token that was made or revoked counts at
//! once, also in connections that are open.

mod file;
mod throttle;

pub use file::{TOKENS_MAX, TokenError, TokenInfo};
pub(crate) use throttle::Throttle;

use crate::{Grant, private};
use file::Stored;
use sha2::{Digest, Sha256};
use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What every token begins with, so that one that leaked is recognised.
const PREFIX: &str = "payecs_";
/// The name of the cookie among tokens; no token may have it.
const COOKIE: &str = "cookie";

/// A token as its bearer has it. It is not printed by accident.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A new one, of 256 random bits.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    fn draw() -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *bytes).expect("the operating system has randomness");
        Self(Zeroizing::new(format!("{PREFIX}{}", hex::encode(*bytes))))
    }

    /// The text, for `Authorization: Bearer` and nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

/// A token that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// What it may do, and its name: 1 to 64 letters, digits, `.`, `_` or `-`.
    pub grant: Grant,
    /// When it ends, in ms since 1970 UTC. `None`: never.
    pub expires_ms: Option<u64>,
}

/// What is left of a token once it was read: enough to ask again whether it still counts.
#[derive(Clone, Copy)]
pub(crate) struct Pass([u8; 32]);

impl Pass {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

/// The tokens of a directory. A command line and a server may have the same directory open.
pub struct Tokens {
    dir: PathBuf,
    cookie: Option<(Pass, Arc<Grant>)>,
    read: Mutex<Read>,
}

/// What the file said when it was read.
#[derive(Default)]
struct Read {
    stamp: Option<Stamp>,
    entries: Vec<Entry>,
}

/// Tells a file from the one that takes its place.
type Stamp = (u64, i64, i64, u64);

struct Entry {
    pass: Pass,
    grant: Arc<Grant>,
    expires_ms: Option<u64>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tokens").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Opens the tokens of a directory, which is made where it is missing and closed to others.
    ///
    /// # Errors
    /// The directory can't be made or entered, or its file is damaged.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, TokenError> {
        let dir = dir.into();
        private::make_dir(&dir)?;
        file::read(&dir)?;
        Ok(Self { dir, cookie: None, read: Mutex::default() })
    }

    /// Makes a new cookie, for a server that starts: the one before counts no more. Whoever can
    /// read the file may do everything.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn renew_cookie(&mut self) -> Result<PathBuf, TokenError> {
        let (secret, path) = (Secret::draw(), self.dir.join(COOKIE));
        private::write_whole(&path, secret.reveal().as_bytes())?;
        self.cookie = Some((Pass::of(secret.reveal()), Arc::new(Grant::owner(COOKIE))));
        Ok(path)
    }

    /// The cookie of the server that has this directory, for a client on the same machine.
    ///
    /// # Errors
    /// No server was ever started with it, or the file is somebody else's.
    pub fn read_cookie(dir: &Path) -> io::Result<Secret> {
        let path = dir.join(COOKIE);
        let text = Zeroizing::new(fs::read_to_string(&path).map_err(private::at(&path))?);
        Ok(Secret(Zeroizing::new(text.trim_end().to_owned())))
    }

    /// Makes a token. What is answered is shown to nobody again.
    ///
    /// # Errors
    /// The name is taken or none, there is no scope, or there are too many tokens; nothing was
    /// written then. Or the file can't be written.
    pub fn create(&self, new: &NewToken) -> Result<Secret, TokenError> {
        let secret = Secret::draw();
        file::change(&self.dir, |all| file::add(all, new, &Pass::of(secret.reveal()).0, now_ms()))?;
        Ok(secret)
    }

    /// The tokens by name, without what proves them.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn list(&self) -> Result<Vec<TokenInfo>, TokenError> {
        file::read(&self.dir)?.into_iter().map(|stored| stored.info()).collect()
    }

    /// Revokes a token: the next call that comes with it is refused, and its subscriptions end.
    ///
    /// # Errors
    /// There is none of that name, or the file can't be written.
    pub fn revoke(&self, name: &str) -> Result<(), TokenError> {
        file::change(&self.dir, |all| {
            let at = all.iter().position(|stored| stored.name == name);
            all.remove(at.ok_or_else(|| TokenError::Unknown(name.to_owned()))?);
            Ok(())
        })
    }

    /// Whom a token is of, if it counts.
    pub(crate) fn check(&self, token: &str) -> Option<(Pass, Arc<Grant>)> {
        let pass = Pass::of(token);
        self.grant_at(pass, now_ms()).map(|grant| (pass, grant))
    }

    /// What a token that was let in is for, as long as it counts. Its bearer has nothing left to
    /// guess.
    pub(crate) fn grant(&self, pass: Pass) -> Option<Arc<Grant>> {
        match &self.cookie {
            Some((cookie, grant)) if cookie.0 == pass.0 => Some(Arc::clone(grant)),
            _ => self.grant_at(pass, now_ms()),
        }
    }

    /// Looks at the cookie first, which no file revokes. Compares with every other token, so that
    /// the time says nothing.
    fn grant_at(&self, pass: Pass, now_ms: u64) -> Option<Arc<Grant>> {
        if let Some((cookie, grant)) = &self.cookie
            && bool::from(cookie.0.ct_eq(&pass.0))
        {
            return Some(Arc::clone(grant));
        }
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.refresh(&self.dir);
        let mut found = None;
        for entry in &read.entries {
            let counts = entry.expires_ms.is_none_or(|expires_ms| now_ms < expires_ms);
            if bool::from(entry.pass.0.ct_eq(&pass.0)) && counts {
                found = Some(&entry.grant);
            }
        }
        found.cloned()
    }
}

impl Read {
    /// Reads the file again if another one has taken its place. What can't be read counts for
    /// nothing.
    fn refresh(&mut self, dir: &Path) {
        let stamp = stamp(&file::path(dir));
        if stamp == self.stamp {
            return;
        }
        let entries = file::read(dir).and_then(|all| all.iter().map(Stored::entry).collect());
        // What the host could not read now, it may read at the next call.
        self.stamp = if matches!(entries, Err(TokenError::Io(_))) { None } else { stamp };
        self.entries = entries.unwrap_or_else(|error| {
            tracing::error!(target: "payecs::tokens", %error, "tokens could not be read");
            Vec::new()
        });
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let of = fs::metadata(path).ok()?;
    Some((of.ino(), of.mtime(), of.mtime_nsec(), of.size()))
}

/// The time, in ms since 1970 UTC.
#[expect(clippy::disallowed_methods, reason = "tokens end by the clock on the wall")]
fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
