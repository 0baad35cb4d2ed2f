//! Our planner behind the port.

use ecs_core::Json;
use ecs_systems::{
    planner::{
        FailedAt, Graph, GraphDelta, HopFailure, Knowledge, KnowledgeConfig, KnowledgeImage, Plan,
        PlanRequest, Route, plan,
    },
    port::{Blame, Failure, Lesson, PartImage, PlanJob, Planner},
    units::Timestamp,
};
use std::sync::Arc;

/// The planner of `payecs-planner`, with one knowledge for all payments.
///
/// Jobs work on snapshots: a lesson taken while one runs is in the next one.
#[derive(Clone, Debug)]
pub struct OwnPlanner {
    graph: Arc<Graph>,
    knowledge: Arc<Knowledge>,
}

impl OwnPlanner {
    /// A planner that knows the graph and nothing else.
    #[must_use]
    pub fn new(graph: Arc<Graph>, config: KnowledgeConfig) -> Self {
        Self { graph, knowledge: Arc::new(Knowledge::new(config)) }
    }

    /// What it has learned.
    #[must_use]
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }
}

impl Planner for OwnPlanner {
    fn prepare(&self, request: PlanRequest) -> PlanJob {
        let (graph, knowledge) = (Arc::clone(&self.graph), Arc::clone(&self.knowledge));
        Box::new(move || plan(&graph, &knowledge, &request))
    }

    fn learn(&mut self, lesson: &Lesson, now: Timestamp) {
        let knowledge = Arc::make_mut(&mut self.knowledge);
        match lesson {
            Lesson::Sent(route) => knowledge.sent(route),
            Lesson::Paid(route) => knowledge.paid(route, now),
            Lesson::Failed(route, failure) => {
                knowledge.failed(route, failed_at(route, failure), now);
            }
            Lesson::Told(reports) => knowledge.told(reports, now),
        }
    }

    fn is_overtaken(&self, plan: &Plan, now: Timestamp) -> bool {
        let forbids = |route: &Route| self.knowledge.forbids(route, now);
        plan.knowledge_version != self.knowledge.version()
            && (plan.routes.iter().any(forbids)
                || self.knowledge.overfilled_by(&plan.routes, &self.graph, now))
    }

    fn image(&self, now: Timestamp) -> Option<PartImage> {
        let knowledge = Arc::clone(&self.knowledge);
        Some(PartImage::of(move || knowledge.image(now)))
    }

    fn take_back(&mut self, image: &Json) -> Result<(), String> {
        let image: KnowledgeImage = image.decode().map_err(|error| error.to_string())?;
        let config = self.knowledge.config().clone();
        self.knowledge = Arc::new(Knowledge::of_image(config, &image)?);
        Ok(())
    }

    fn knowledge(&self) -> Option<Arc<Knowledge>> {
        Some(Arc::clone(&self.knowledge))
    }

    fn patch(&mut self, deltas: &[GraphDelta]) {
        let graph = Arc::make_mut(&mut self.graph);
        graph.take_in(deltas, &mut |error| {
            tracing::warn!(target: "payflow::plan", %error, "change of graph left out");
        });
        for delta in deltas {
            if let GraphDelta::PolicyChanged { direction, .. } = delta {
                Arc::make_mut(&mut self.knowledge).policy_changed(*direction);
            }
        }
    }

    fn graph(&self) -> Arc<Graph> {
        Arc::clone(&self.graph)
    }

    fn knowledge_version(&self) -> u64 {
        self.knowledge.version()
    }
}

/// What a failure teaches of its route.
fn failed_at(route: &Route, failure: &Failure) -> FailedAt {
    match failure.blame(route) {
        Blame::Payee => FailedAt::Destination,
        Blame::Nobody | Blame::Ours(_) | Blame::Nothing => FailedAt::Unreadable,
        Blame::Liquidity(index) => FailedAt::Hop { index, kind: HopFailure::LiquidityLack },
        Blame::Terms(index) => FailedAt::Hop { index, kind: HopFailure::OtherTerms },
        Blame::Channel(index) => FailedAt::Hop { index, kind: HopFailure::DisabledOrPolicy },
        Blame::Node(index) => FailedAt::Hop { index, kind: HopFailure::Node },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_systems::{
        planner::{Hop, Policy},
        port::FailureCode,
        units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId},
    };

    #[test]
    fn failures_blame_the_hop_that_bolt_4_says() {
        let node = |byte| NodeId([byte; 33]);
        let hop = |scid| Hop {
            short_channel_id_dir: ChannelDirection {
                scid: ShortChannelId(scid),
                direction: Direction::Zero,
            },
            from: node(2),
            to: node(3),
            amount_msat: Msat(1),
            cltv_blocks: Blocks(1),
        };
        let route = Route { hops: vec![hop(1), hop(2)], probability_ppm: 1_000_000 };
        let policy = Policy {
            enabled: true,
            fee_base_msat: Msat(1),
            fee_rate: Ppm(0),
            cltv_delta: Blocks(0),
            htlc_minimum_msat: Msat(0),
            htlc_maximum_msat: Msat(9),
        };
        let failed = |erring_index: Option<u32>, failcode| {
            let hop = erring_index.and_then(|index| route.hops.get(index as usize));
            let update = (failcode == FailureCode::FeeInsufficient).then(|| policy.clone());
            failed_at(&route, &Failure { erring_index, update, ..Failure::local(hop, failcode) })
        };
        let at = |index, kind| FailedAt::Hop { index, kind };
        for (index, code, expected) in [
            (Some(1), FailureCode::TemporaryChannelFailure, at(1, HopFailure::LiquidityLack)),
            (Some(1), FailureCode::FeeInsufficient, at(1, HopFailure::OtherTerms)),
            (Some(0), FailureCode::FeeInsufficient, at(0, HopFailure::DisabledOrPolicy)),
            (Some(1), FailureCode::UnknownNextPeer, at(1, HopFailure::DisabledOrPolicy)),
            (Some(1), FailureCode::TemporaryNodeFailure, at(1, HopFailure::Node)),
            (Some(2), FailureCode::MppTimeout, FailedAt::Destination),
            (Some(0), FailureCode::TemporaryNodeFailure, FailedAt::Unreadable),
            (None, FailureCode::Unreadable, FailedAt::Unreadable),
        ] {
            assert_eq!(failed(index, code), expected, "{}", code.name());
        }
    }
}
