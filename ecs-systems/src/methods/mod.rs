//! The methods of a payer, one file per theme: what can be called by name, whatever the transport.
//!
//! Names, params and results are Core Lightning's where it has them.

mod kinds;
mod which;
mod past;
mod decode;
mod pay;
mod cancel;
mod status;
mod list_pays;

use ecs_core::{Engine, Inputs, Json, Method};
use payecs_units::Timestamp;

/// All of them.
pub(crate) const ALL: [&Method; 5] =
    [&decode::DECODE, &pay::PAY, &cancel::CANCEL_PAY, &status::PAY_STATUS, &list_pays::LIST_PAYS];

/// The moment of the command.
fn now(engine: &Engine) -> Timestamp {
    engine.resource::<Inputs>().map_or(Timestamp(0), |inputs| Timestamp(inputs.now_ms))
}

/// A moment in seconds since 1970 with milliseconds behind the point, as Core Lightning has it.
fn seconds(at: Timestamp) -> Json {
    let text = format!("{}.{:03}", at.unix_seconds(), at.0 % 1_000);
    Json::parse(&text).expect("digits with a point among them")
}

#[cfg(test)]
mod tests;
