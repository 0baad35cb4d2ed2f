//! Who calls us: JSON-RPC 2.0 over the engine's method table.
//!
//! [`Service`] is whoever answers; [`answer`] takes the text of one request or a batch and answers
//! with text, so that every transport only moves bytes. The nodes whom *we* call live in crates
//! below `rpc-bridge/nodes`.

mod service;
mod jsonrpc;

pub use jsonrpc::{BATCH_MAX, INVALID_REQUEST, PARSE_ERROR, REQUEST_BYTES_MAX, answer};
pub use service::{BoxFuture, Feed, Grant, Heard, Outcome, Service, Topic};
