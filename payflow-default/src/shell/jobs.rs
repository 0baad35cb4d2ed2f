//! Plans in the making, on tokio's blocking threads, so many at a time.

use crate::{Job, JobId};
use ecs_core::Write;
use ecs_systems::{
    planner::{NoPlan, NoPlanReason, Plan},
    port::PlanJob,
    replies,
};
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};
use tokio::task::JoinSet;

/// Most jobs that a thread does before it hands them in: waking it costs as much as a short plan.
const IN_A_ROW_MAX: usize = 8;

/// What came of a job.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) id: JobId,
    /// The plan, to be held against what was learned since.
    pub(super) made: Option<Plan>,
    /// The plan, or why there is none, in words: the engine's thread only takes them over.
    pub(super) reply: Vec<Write>,
}

/// Jobs that wait and jobs that run. The queue is as long as there are plan Entities at most.
#[derive(Debug)]
pub(super) struct Jobs {
    running_max: usize,
    waiting: VecDeque<Job>,
    running: JoinSet<Vec<Done>>,
}

impl Jobs {
    pub(super) fn new(running_max: usize) -> Self {
        Self { running_max, waiting: VecDeque::new(), running: JoinSet::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Takes jobs, and starts as many as may run.
    pub(super) fn add(&mut self, jobs: Vec<Job>) {
        self.waiting.extend(jobs);
        while self.running.len() < self.running_max {
            let count = self.waiting.len().div_ceil(self.running_max).min(IN_A_ROW_MAX);
            if count == 0 {
                return;
            }
            let jobs: Vec<Job> = self.waiting.drain(..count).collect();
            let run = |job: Job| {
                let plan = answer(job.run);
                let made = plan.as_ref().ok().cloned();
                Done { id: job.id, made, reply: replies::planned(plan) }
            };
            self.running.spawn_blocking(move || jobs.into_iter().map(run).collect());
        }
    }

    /// The next jobs that are done. Waits for ever where none runs; safe to drop while it waits.
    pub(super) async fn next(&mut self) -> Vec<Done> {
        match self.running.join_next().await {
            Some(done) => done.expect("a job that panics is answered for, and none is aborted"),
            None => std::future::pending().await,
        }
    }
}

/// Runs a job. One that panics has found no route: its payment must not wait for ever.
fn answer(job: PlanJob) -> Result<Plan, NoPlan> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|_| {
        tracing::error!(target: "payflow::plan", "the planner panicked");
        Err(NoPlan {
            reason: NoPlanReason::NoRoute,
            largest_msat: None,
            fee_needed_msat: None,
            delay_needed_blocks: None,
            parts_needed: None,
            allow: Vec::new(),
            cut: Vec::new(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planner_that_panics_has_found_no_route() {
        let answered = answer(Box::new(|| panic!("on purpose")));
        assert_eq!(answered.map_err(|no_plan| no_plan.reason), Err(NoPlanReason::NoRoute));
    }
}
