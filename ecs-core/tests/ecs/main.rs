//! What the engine promises as a whole, seen from outside.

mod common;
mod model;
mod dispatch;
mod misbehaving;
mod external;
mod serving;
mod owners;
mod registering;
mod progress;
mod freeze;
mod snapshot;
mod delta;
mod waits;
mod traced;
mod spans;
