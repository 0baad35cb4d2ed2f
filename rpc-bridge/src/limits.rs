//! What a client may make grow, and how long it may take.

use std::time::Duration;

/// Largest request or batch, in bytes.
pub const REQUEST_BYTES_MAX: u32 = 1 << 20;
/// Largest answer to a request or a batch, in bytes.
pub const RESPONSE_BYTES_MAX: u32 = 16 << 20;
/// Most requests in a batch.
pub const BATCH_MAX: u32 = 100;
/// Most connections at a time.
pub const CONNECTIONS_MAX: u32 = 128;
/// Most of them that have shown no right token yet.
pub const STRANGERS_MAX: u32 = 32;
/// Most calls of one connection that run at the same time.
pub const CALLS_MAX: u32 = 64;
/// Most calls of one connection that wait while so many others run.
pub const WAITING_MAX: u32 = 1_024;
/// Most subscriptions of one connection.
pub const SUBSCRIPTIONS_MAX: u32 = 16;
/// Most bytes that a connection may hold before it is read again: answers that it did not take yet,
/// and calls that wait.
pub const UNSENT_BYTES_MAX: u32 = 4 << 20;

/// The bounds of a transport. The defaults suit a machine that serves its owner's programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request or batch, in bytes. Default: [`REQUEST_BYTES_MAX`].
    pub request_bytes: u32,
    /// Largest answer to a request or a batch, in bytes. Default: [`RESPONSE_BYTES_MAX`].
    pub response_bytes: u32,
    /// Most requests in a batch. Default: [`BATCH_MAX`].
    pub batch: u32,
    /// Most connections at a time; one more is told so and closed. Default: [`CONNECTIONS_MAX`].
    pub connections: u32,
    /// Most connections over HTTP that have shown no right token yet; one more takes the place of
    /// the one that is there longest. Default: [`STRANGERS_MAX`].
    pub strangers: u32,
    /// Most calls of one connection that run at the same time. Default: [`CALLS_MAX`].
    pub calls: u32,
    /// Most calls of one connection that wait for their turn; one more is refused. Default:
    /// [`WAITING_MAX`].
    pub waiting: u32,
    /// Most subscriptions of one connection. Default: [`SUBSCRIPTIONS_MAX`].
    pub subscriptions: u32,
    /// Most bytes that a connection may hold before it is read again: answers that it did not take
    /// yet, and calls that wait. Default: [`UNSENT_BYTES_MAX`].
    pub unsent_bytes: u32,
    /// How long a connection over HTTP may be there without showing a right token. Default: 3 s.
    pub stranger: Duration,
    /// How long the head of a request may take, counted from when one may come: a connection that
    /// is silent for so long is closed. Default: 10 s.
    pub head: Duration,
    /// How long the body of a request may take. Default: 10 s.
    pub body: Duration,
    /// How long a connection may take nothing of what is written to it. Default: 30 s.
    pub stall: Duration,
    /// How often a WebSocket is pinged; one that says nothing for twice as long is closed. Default:
    /// 30 s.
    pub ping: Duration,
    /// How long calls in flight may still run when the transport is stopped. Default: 10 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: REQUEST_BYTES_MAX,
            response_bytes: RESPONSE_BYTES_MAX,
            batch: BATCH_MAX,
            connections: CONNECTIONS_MAX,
            strangers: STRANGERS_MAX,
            calls: CALLS_MAX,
            waiting: WAITING_MAX,
            subscriptions: SUBSCRIPTIONS_MAX,
            unsent_bytes: UNSENT_BYTES_MAX,
            stranger: Duration::from_secs(3),
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            ping: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}
