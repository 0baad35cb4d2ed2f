//! The laws hold for the planner of this workspace, and are broken by one that keeps none.

use super::*;
use crate::port::PlanJob;
use payecs_planner::{FailedAt, HopFailure, Knowledge, plan};

/// The planner with its knowledge, in the shortest way.
struct Short {
    graph: Arc<Graph>,
    knowledge: Knowledge,
}

impl Planner for Short {
    fn prepare(&self, request: PlanRequest) -> PlanJob {
        let (graph, knowledge) = (Arc::clone(&self.graph), self.knowledge.clone());
        Box::new(move || plan(&graph, &knowledge, &request))
    }

    fn learn(&mut self, lesson: &Lesson, now: Timestamp) {
        match lesson {
            Lesson::Sent(route) => self.knowledge.sent(route),
            Lesson::Paid(route) => self.knowledge.paid(route, now),
            Lesson::Failed(route, failure) => {
                let hop = |index: u32| FailedAt::Hop {
                    index: usize::try_from(index).unwrap(),
                    kind: HopFailure::LiquidityLack,
                };
                let index = failure.erring_index.filter(|index| *index > 0);
                let at = index.map_or(FailedAt::Unreadable, hop);
                self.knowledge.failed(route, at, now);
            }
            Lesson::Told(reports) => self.knowledge.told(reports, now),
        }
    }

    fn patch(&mut self, deltas: &[GraphDelta]) {
        for delta in deltas {
            if let Ok(graph) = self.graph.patched(std::slice::from_ref(delta)) {
                self.graph = Arc::new(graph);
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

mod kept {
    use super::*;

    crate::planner_laws!(|graph: Arc<Graph>| Short { graph, knowledge: Knowledge::default() });
}

/// A planner that never learns and never hears of changes.
struct Deaf(Short);

impl Planner for Deaf {
    fn prepare(&self, request: PlanRequest) -> PlanJob {
        self.0.prepare(request)
    }

    fn learn(&mut self, _: &Lesson, _: Timestamp) {}

    fn patch(&mut self, _: &[GraphDelta]) {}

    fn graph(&self) -> Arc<Graph> {
        self.0.graph()
    }

    fn knowledge_version(&self) -> u64 {
        self.0.knowledge_version()
    }
}

fn deaf(graph: Arc<Graph>) -> Deaf {
    Deaf(Short { graph, knowledge: Knowledge::default() })
}

#[test]
fn a_planner_that_learns_nothing_breaks_the_laws_of_learning() {
    let laws: [fn(); 5] = [
        || a_direction_that_failed_is_not_used_again_at_that_amount(deaf),
        || what_a_part_takes_is_not_free_for_others(deaf),
        || lessons_make_the_version_grow(deaf),
        || a_change_that_fits_is_in_the_graph(deaf),
        || a_change_that_does_not_fit_is_left_out(deaf),
    ];
    for (place, law) in laws.into_iter().enumerate() {
        assert!(std::panic::catch_unwind(law).is_err(), "law {place} of learning was not broken");
    }
}
