//! Who calls us: JSON-RPC 2.0 over the engine's method table.
//!
//! [`Service`] is whoever answers. [`answer`] takes the text of one request or a batch and answers
//! with text. Two transports stand before it: [`Server`], HTTP and WebSocket on a port of this
//! machine, for callers with [`Tokens`]; and [`Socket`], a unix socket for the owner. A plugin of
//! lightningd is asked on its stdin ([`read`]) and answers on its stdout ([`Out`]). What a client
//! may make grow is bounded by [`Limits`]. The nodes whom *we* call live in crates below
//! `rpc-bridge/nodes`.

mod service;
mod limits;
mod call;
mod jsonrpc;
mod framing;
mod private;
mod tokens;
mod http;
mod unix;
mod stdio;

#[cfg(test)]
mod fake;

pub use framing::{Broken, Objects};
pub use http::{Port, ServeError, Server, subscription_ends};
pub use jsonrpc::{
    INVALID_REQUEST, PARSE_ERROR, REQUEST_TOO_LARGE, RESPONSE_TOO_LARGE, TOO_MANY_CALLS, answer,
};
pub use limits::{
    BATCH_MAX, CALLS_MAX, CONNECTIONS_MAX, Limits, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX,
    STRANGERS_MAX, SUBSCRIPTIONS_MAX, UNSENT_BYTES_MAX, WAITING_MAX,
};
pub use service::{BoxFuture, Feed, Given, Grant, Heard, Outcome, Service, Topic};
pub use stdio::{Answer, Asked, Out, Peer, read};
pub use tokens::{NewToken, Secret, TOKENS_MAX, TokenError, TokenInfo, Tokens};
pub use unix::{Socket, SocketError};
