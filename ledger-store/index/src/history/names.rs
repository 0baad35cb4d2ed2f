//! What an entry of the ledger is found by.
//!
//! | name | of |
//! |---|---|
//! | `p`, the payment hash in 32 bytes | each line about it, and each set that it paid |
//! | `k`, SHA-256 of the idempotency key | each claim with it |
//! | `t`, milliseconds since 1970 in 8 bytes (big-endian) | every entry |
//!
//! Values are empty: what an entry says is read from the ledger.

use super::Moment;
use crate::extract::{Extractor, Names, index_of, key};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// Reads the names of the history out of entries as `ledger-store` writes them:
/// `{"at_ms": …, "entity": …, "lines": [{"system": …, "body": …}]}`.
///
/// Of the lines of our Systems, `payment_hash`, that of `payer` and `idempotency_key` are read and
/// nothing else: a preimage is in no name.
pub const HISTORY: Extractor = Extractor { format: 2, names };

/// What no name of a time reaches.
pub(super) const BEHIND_TIMES: [u8; 1] = [b'u'];
/// How the Systems are called whose lines are read; those of others have shapes of their own.
const OURS: [&str; 2] = ["ledger:", "receipts:"];

pub(super) fn of_payment(payment_hash: &[u8; 32]) -> Vec<u8> {
    [b"p".as_slice(), payment_hash].concat()
}

/// A digest, because a key may be of any length and hold any bytes.
pub(super) fn of_key(idempotency_key: &str) -> Vec<u8> {
    [b"k".as_slice(), &Sha256::digest(idempotency_key)].concat()
}

pub(super) fn of_time(at_ms: u64) -> Vec<u8> {
    [b"t".as_slice(), &at_ms.to_be_bytes()].concat()
}

/// The key of a moment.
pub(super) fn of_moment(moment: Moment) -> Vec<u8> {
    key(&of_time(moment.at_ms), moment.entry)
}

/// The moment of a key.
pub(super) fn moment(key: &[u8]) -> Option<Moment> {
    let at_ms = key.get(1..9)?.try_into().ok()?;
    let moment = Moment { at_ms: u64::from_be_bytes(at_ms), entry: index_of(key)? };
    (of_moment(moment) == key).then_some(moment)
}

#[derive(Deserialize)]
struct Entry<'a> {
    at_ms: u64,
    #[serde(borrow)]
    lines: Vec<Line<'a>>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    system: Cow<'a, str>,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    payment_hash: Option<Cow<'a, str>>,
    #[serde(borrow)]
    idempotency_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payer: Option<Payer<'a>>,
}

#[derive(Deserialize)]
struct Payer<'a> {
    #[serde(borrow)]
    payment_hash: Cow<'a, str>,
}

fn names(_index: u64, payload: &[u8]) -> Result<Names, String> {
    let entry: Entry<'_> = serde_json::from_slice(payload).map_err(|error| unread(&error))?;
    let mut names = Names::from([(of_time(entry.at_ms), vec![])]);
    for line in entry.lines {
        if OURS.iter().any(|ours| line.system.starts_with(ours)) {
            add(&mut names, line.body)?;
        }
    }
    Ok(names)
}

fn add(names: &mut Names, body: &RawValue) -> Result<(), String> {
    let body: Body<'_> = serde_json::from_str(body.get()).map_err(|error| unread(&error))?;
    let payers = body.payer.map(|payer| payer.payment_hash);
    for text in body.payment_hash.iter().chain(&payers) {
        names.insert(of_payment(&hash(text)?), vec![]);
    }
    names.extend(body.idempotency_key.map(|key| (of_key(&key), vec![])));
    Ok(())
}

fn hash(text: &str) -> Result<[u8; 32], String> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|error| format!("a payment hash: {error}"))?;
    Ok(hash)
}

/// Where it can't be read: the words of the error itself would quote it.
fn unread(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    format!("it is not as this program writes it, from line {line}, column {column} on")
}
