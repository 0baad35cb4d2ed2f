//! What a hop refused is not offered to it again while it counts.

use super::laws::case;
use super::plan;
use crate::{FailedAt, Hop, HopFailure, Knowledge, KnowledgeConfig, PlanRequest, Rng};
use payecs_units::{Msat, Timestamp};
use proptest::prelude::*;

/// Why hops refuse: most lack liquidity.
const KINDS: [HopFailure; 5] = [
    HopFailure::LiquidityLack,
    HopFailure::LiquidityLack,
    HopFailure::LiquidityLack,
    HopFailure::DisabledOrPolicy,
    HopFailure::Node,
];

/// What a hop refused, and until when it is not to be offered again.
#[derive(Debug, PartialEq)]
struct Refusal {
    hop: Hop,
    kind: HopFailure,
    until: Timestamp,
}

impl Refusal {
    fn of(hop: &Hop, kind: HopFailure, now: Timestamp) -> Option<Self> {
        let KnowledgeConfig { half_life, disabled_for, .. } = KnowledgeConfig::default();
        let until = match kind {
            HopFailure::LiquidityLack => now.after(half_life),
            HopFailure::DisabledOrPolicy | HopFailure::Node => now.after(disabled_for),
            HopFailure::OtherTerms => return None,
        };
        Some(Self { hop: hop.clone(), kind, until })
    }

    /// Whether it is about less than what crosses the hop: what crossed it since proves more.
    fn is_lack_below(&self, hop: &Hop) -> bool {
        self.kind == HopFailure::LiquidityLack && self.forbids_amount(hop)
    }

    fn forbids_amount(&self, hop: &Hop) -> bool {
        let same = self.hop.short_channel_id_dir == hop.short_channel_id_dir;
        same && hop.amount_msat >= self.hop.amount_msat
    }

    fn forbids(&self, hop: &Hop, request: &PlanRequest) -> bool {
        let node = self.hop.from;
        match self.kind {
            HopFailure::LiquidityLack => self.forbids_amount(hop),
            HopFailure::DisabledOrPolicy => {
                self.hop.short_channel_id_dir == hop.short_channel_id_dir
            }
            HopFailure::Node => {
                let is_end = node == request.source || node == request.destination;
                !is_end && (hop.from == node || hop.to == node)
            }
            HopFailure::OtherTerms => false,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn what_was_refused_is_never_planned_again_within_the_half_life(seed: u64) {
        let (graph, mut request) = case(seed);
        let mut rng = Rng::new(seed);
        let mut knowledge = Knowledge::default();
        let mut refusals: Vec<Refusal> = Vec::new();
        for _ in 0..30 {
            request.now = request.now.after_ms(rng.below(400_000));
            refusals.retain(|refusal| request.now < refusal.until);
            let Ok(plan) = plan(&graph, &knowledge, &request) else { continue };
            prop_assert_eq!(plan.knowledge_version, knowledge.version());
            for hop in plan.routes.iter().flat_map(|route| &route.hops) {
                let forbids = |refusal: &&Refusal| refusal.forbids(hop, &request);
                prop_assert_eq!(refusals.iter().find(forbids), None, "{:?}", hop);
            }
            plan.routes.iter().for_each(|route| knowledge.sent(route));
            for route in &plan.routes {
                let index = usize::try_from(rng.below(4)).unwrap() % route.hops.len();
                let kind = KINDS[usize::try_from(rng.below(8)).unwrap() % KINDS.len()];
                knowledge.failed(route, FailedAt::Hop { index, kind }, request.now);
                refusals.retain(|refusal| {
                    !route.hops[..index].iter().any(|hop| refusal.is_lack_below(hop))
                });
                refusals.extend(Refusal::of(&route.hops[index], kind, request.now));
            }
        }
        prop_assert_eq!(knowledge.in_flight_total(), Msat::ZERO);
    }
}
