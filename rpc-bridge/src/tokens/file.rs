//! The file of the tokens.

use super::{COOKIE, Entry, NewToken, Pass};
use crate::{Grant, private};
use ecs_core::{Caller, Json, Scope};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Most tokens of a directory.
pub const TOKENS_MAX: usize = 1_000;
/// Longest name of a token.
const NAME_BYTES_MAX: usize = 64;

/// Why tokens can't be read or changed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name can't be one.
    #[error("`{0}` can't name a token: 1 to 64 letters, digits, `.`, `_` or `-`, and not `cookie`")]
    Name(String),
    /// There is a token of that name. Revoke it first.
    #[error("there is a token `{0}`: revoke it first, or choose another name")]
    Taken(String),
    /// There is no token of that name.
    #[error("there is no token `{0}`")]
    Unknown(String),
    /// A token that may do nothing.
    #[error("a token needs a scope: read, receive, pay, flow, approve or admin")]
    NoScope,
    /// No room for another one.
    #[error("there are {TOKENS_MAX} tokens: revoke one first")]
    TooMany,
    /// The file is no list of tokens.
    #[error("{0}: damaged: {1}; put back a copy, or remove it and make the tokens again")]
    Damaged(PathBuf, String),
    /// The file or its directory.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A token, without what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// What it may do, and its name.
    pub grant: Grant,
    /// When it was made, in ms since 1970 UTC.
    pub created_ms: u64,
    /// When it ends, in ms since 1970 UTC. `None`: never.
    pub expires_ms: Option<u64>,
}

/// A token in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub(super) name: String,
    sha256: String,
    scopes: Vec<String>,
    #[serde(default)]
    secrets: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    methods: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    components: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    writes: Option<BTreeSet<String>>,
    created_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u64>,
}

impl Stored {
    fn grant(&self) -> Result<Grant, TokenError> {
        let scopes: Option<BTreeSet<Scope>> =
            self.scopes.iter().map(|name| scope_named(name)).collect();
        let scopes = scopes.ok_or_else(|| self.damaged("a scope that is not known"))?;
        let (methods, components) = (self.methods.clone(), self.components.clone());
        let (name, writes): (Arc<str>, _) = (self.name.as_str().into(), self.writes.clone());
        let (secrets, token) = (self.secrets, Some(Arc::clone(&name)));
        let caller = Caller { secrets, components, writes, token, ..Caller::with(scopes) };
        Ok(Grant { name, caller, methods })
    }

    pub(super) fn info(&self) -> Result<TokenInfo, TokenError> {
        let (created_ms, expires_ms) = (self.created_ms, self.expires_ms);
        Ok(TokenInfo { grant: self.grant()?, created_ms, expires_ms })
    }

    pub(super) fn entry(&self) -> Result<Entry, TokenError> {
        let mut hash = [0; 32];
        hex::decode_to_slice(&self.sha256, &mut hash)
            .map_err(|_| self.damaged("`sha256` is none"))?;
        let (pass, grant) = (Pass(hash), Arc::new(self.grant()?));
        Ok(Entry { pass, grant, expires_ms: self.expires_ms })
    }

    fn damaged(&self, why: &str) -> TokenError {
        TokenError::Damaged(PathBuf::from(FILE), format!("token `{}`: {why}", self.name))
    }
}

const FILE: &str = "tokens.json";

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// The tokens of a directory, in the order in which they were made.
pub(super) fn read(dir: &Path) -> Result<Vec<Stored>, TokenError> {
    let path = path(dir);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(private::at(&path)(error).into()),
    };
    let json = Json::parse(&text).map_err(|error| error.to_string());
    json.and_then(|json| json.decode().map_err(|error| error.to_string()))
        .map_err(|why| TokenError::Damaged(path, why))
}

/// Changes the tokens of a directory, one at a time.
pub(super) fn change(
    dir: &Path,
    change: impl FnOnce(&mut Vec<Stored>) -> Result<(), TokenError>,
) -> Result<(), TokenError> {
    let lock = private::lock_file(&dir.join("tokens.lock"))?;
    lock.lock()?;
    let mut all = read(dir)?;
    change(&mut all)?;
    private::write_whole(&path(dir), Json::of(&all).text().as_bytes())?;
    Ok(())
}

/// Adds a token, if it may be.
pub(super) fn add(
    all: &mut Vec<Stored>,
    new: &NewToken,
    hash: &[u8; 32],
    created_ms: u64,
) -> Result<(), TokenError> {
    let Grant { name, caller, methods } = &new.grant;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits);
    if !is_name || &**name == COOKIE {
        return Err(TokenError::Name(name.escape_debug().to_string()));
    }
    if all.iter().any(|stored| *stored.name == **name) {
        return Err(TokenError::Taken(name.to_string()));
    }
    if caller.scopes.is_empty() {
        return Err(TokenError::NoScope);
    }
    if all.len() >= TOKENS_MAX {
        return Err(TokenError::TooMany);
    }
    all.push(Stored {
        name: name.to_string(),
        sha256: hex::encode(hash),
        scopes: caller.scopes.iter().map(|scope| scope_name(*scope)).collect(),
        secrets: caller.secrets,
        methods: methods.clone(),
        components: caller.components.clone(),
        writes: caller.writes.clone(),
        created_ms,
        expires_ms: new.expires_ms,
    });
    Ok(())
}

fn scope_name(scope: Scope) -> String {
    format!("{scope:?}").to_lowercase()
}

fn scope_named(name: &str) -> Option<Scope> {
    Scope::ALL.into_iter().find(|scope| scope_name(*scope) == name)
}
