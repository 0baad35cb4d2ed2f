//! Plans payments over a graph of channels.
//!
//! Pure: no world, no I/O, no clock, no random source. The same [`PlanRequest`] on the same
//! [`Graph`] and [`Knowledge`] gives the same [`Plan`] on any machine.
//!
//! [`plan`] answers with routes or with the cause why there are none; [`check`] tells whether any
//! plan, whoever made it, keeps every rule; [`Knowledge`] is told what became of each part.
//!
//! ```
//! use payecs_planner::{
//!     GraphBuilder, HOPS_MAX, Knowledge, Layer, LocalChannel, PlanRequest, Policy, check, plan,
//! };
//! use payecs_units::{
//!     Blocks, ChannelDirection, Direction, MicroPercent, Msat, NodeId, Ppm, ShortChannelId,
//!     Timestamp,
//! };
//!
//! let [us, hub, payee] = [NodeId([1; 33]), NodeId([2; 33]), NodeId([3; 33])];
//! let hop = ChannelDirection {
//!     scid: ShortChannelId(2),
//!     direction: Direction::between(&hub, &payee),
//! };
//! let mut builder = GraphBuilder::new();
//! builder.add_channel(hop.scid, hub, payee, Msat(5_000_000))?;
//! builder.set_policy(hop, Policy {
//!     enabled: true,
//!     fee_base_msat: Msat(1_000),
//!     fee_rate: Ppm(100),
//!     cltv_delta: Blocks(40),
//!     htlc_minimum_msat: Msat(1),
//!     htlc_maximum_msat: Msat(5_000_000),
//! })?;
//! let graph = builder.build();
//! let request = PlanRequest {
//!     source: us,
//!     destination: payee,
//!     amount_msat: Msat(1_000_000),
//!     fee_budget_msat: Msat(5_000),
//!     delay_max_blocks: Blocks(2_016),
//!     final_cltv_blocks: Blocks(18),
//!     parts_max: 10,
//!     hops_max: HOPS_MAX,
//!     risk_factor_micro_percent: MicroPercent(10_000_000),
//!     exclude: vec![],
//!     hints: vec![],
//!     policies: vec![],
//!     layer: Layer::default(),
//!     shadow: false,
//!     local: vec![LocalChannel {
//!         short_channel_id: ShortChannelId(1),
//!         peer: hub,
//!         spendable_msat: Msat(2_000_000),
//!         receivable_msat: Msat(0),
//!         htlc_minimum_msat: Msat(1),
//!         htlc_maximum_msat: Msat(2_000_000),
//!         free_slots: 30,
//!         dust_room_msat: Msat(5_000_000),
//!         usable: true,
//!     }],
//!     announced_first_hops: false,
//!     first_hop: None,
//!     last_hop: None,
//!     now: Timestamp(0),
//!     seed: 7,
//! };
//! let mut knowledge = Knowledge::default();
//! let found = plan(&graph, &knowledge, &request)?;
//! assert_eq!(check(&graph, &request, &found), Ok(()));
//! assert_eq!(found.routes[0].fee(), Msat(1_100), "1 sat and 100 ppm");
//! assert_eq!(found.routes[0].delay(), Blocks(58));
//!
//! knowledge.sent(&found.routes[0]);
//! knowledge.paid(&found.routes[0], request.now);
//! assert_eq!(knowledge.bounds(hop, Msat(5_000_000), request.now).hi, Msat(4_000_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod request;
mod layer;
mod route;
mod rng;
mod graph;
mod cost;
mod knowledge;
mod ahead;
mod net;
mod path;
mod search;
mod flow;
mod share;
mod wide;
mod weights;
mod split;
mod plan;
mod check;
mod generate;
mod balance;
#[cfg(test)]
mod fixture;

pub use balance::{HiddenBalances, hidden_balance};
pub use check::{Flaw, check};
pub use cost::Bounds;
pub use generate::{GraphShape, generate, generate_between, generate_public};
pub use graph::{Channel, Graph, GraphBuilder, GraphDelta, GraphError, Policy};
pub use knowledge::{
    DECAYED_HALF_LIVES, FailedAt, HopFailure, Knowledge, KnowledgeConfig, KnowledgeImage,
    LiquidityReport,
};
pub use layer::{BIAS_MAX, Informed, Layer, NodeBias, TermsChange};
pub use plan::plan;
pub use request::{Exclusion, HOPS_MAX, HintHop, LocalChannel, PlanRequest, RouteHint};
pub use rng::Rng;
pub use route::{Binding, Hop, Limit, NoPlan, NoPlanReason, Plan, Route};
