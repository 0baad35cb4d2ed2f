//! Whether what a planner plans arrives where nobody knows the balances, in how many HTLCs, at
//! what fee; and what planning takes. Any [`Planner`] can be held against another.
//!
//! A payment knows nothing at first. In each round its rest is planned, and every route sent as one
//! HTLC, which fails at the first hop whose balance, less what this payment holds there, is too
//! small. That is learned. What arrives is held until the end: all is delivered, the planner gives
//! up, or 30 rounds are over, or the CPU time that a payment may take. There are at most 10 parts
//! at a time, for 1 % of the amount together.
//!
//! Each route is held against the policies hop by hop, by rules of its own.

mod options;
mod pairs;
mod balances;
mod oracle;
mod question;
mod replay;
mod ours;
mod plans;
mod pay;
mod run;
mod table;
mod size;

pub use balances::{Balances, Model};
pub use options::{Options, OptionsError, Table};
pub use oracle::Oracle;
pub use ours::Ours;
pub use pairs::Pairs;
pub use pay::{Delivery, Payer};
pub use plans::{Planned, plan_once};
pub use question::{
    Ask, DELAY_MAX, FINAL_CLTV, PARTS_MAX, Planner, Question, Reason, Stopwatch, fee_max,
};
pub use replay::{Strictness, flaw};
pub use run::{Contender, DeliveryCell, Judged, PlanCell, Runner};
pub use size::{RATIO_MAX, TIMES, size_ratio, size_table, sized};
pub use table::{delivery_table, figure, mean, plan_table, ppm, ratio};
