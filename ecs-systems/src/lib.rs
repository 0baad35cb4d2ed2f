//! What a payment is: units, the documented Components, one file per System, and the ports they
//! need.
//!
//! [`PaymentSystems`] adds all of it to an engine; the order in which the Systems are tried is not
//! decided here but in `payflow_default::flow`.

#![expect(clippy::needless_pass_by_value, reason = "bevy gives a System its parameters by value")]
#![expect(clippy::unnecessary_wraps, reason = "every System answers alike; some refuse nothing")]

pub mod port;
pub mod components;
pub mod effects;
pub mod policy;
pub mod refusal;
pub mod errors;
pub mod records;
pub mod bolt11;
pub mod pay;
pub mod receive;
pub mod flow;
pub mod replies;
pub mod lessons;
pub mod rest;
pub mod kin;
pub mod spans;
pub mod methods;
mod entropy;
mod plugin;
#[cfg(test)]
mod fixture;

pub use payecs_planner as planner;
pub use payecs_units as units;
pub use plugin::PaymentSystems;
