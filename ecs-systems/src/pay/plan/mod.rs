//! From what remains to routes: rows 29, 30 and P1 to P3.

pub mod attempt;
pub mod plan_entity;
pub(crate) mod onion;
pub mod request;
pub mod route;
pub mod hand_over;
