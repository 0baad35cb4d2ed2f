//! The engine behind the pipe.

use super::{autoclean::Change, names::RECEIVED, options::Options};
use crate::{
    Asker,
    cli::{
        demo::{
            DemoError,
            world::{Opening, Start, build},
        },
        serve::network::invoice,
    },
    service::{EndsFeed, SIM_INVOICE},
    shell::{Clock, Ended, Handle, Limits, Shell, refused},
};
use ecs_core::{Caller, ErrorObject, INTERNAL, Json, Reply};
use node_sim::SimNetwork;
use rpc_bridge::{Answer, Out, Outcome};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
};
use tokio::runtime;

/// While more calls than that wait for the engine, no more are handed in.
const QUEUED_MAX: usize = 256;

/// A call of a method of the engine.
pub(super) struct Call {
    /// The name in the engine's table.
    pub(super) method: &'static str,
    pub(super) params: Option<Json>,
    /// Of `check`: the name under which a command is judged.
    pub(super) judges: Option<String>,
    pub(super) answer: Answer,
}

/// An engine on its threads, as the pipe calls it.
pub(super) struct Running {
    pub(super) handle: Handle,
    network: SimNetwork,
    queued: Arc<Queued>,
    /// Where answers are found out that take longer.
    elsewhere: runtime::Handle,
}

impl fmt::Debug for Running {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Running").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// Calls that the engine has not begun.
#[derive(Default)]
struct Queued {
    count: Mutex<usize>,
    begun: Condvar,
}

/// Some of them, until the engine begins or forgets them.
struct Waiting(Arc<Queued>, usize);

impl Drop for Waiting {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= self.1;
        self.0.begun.notify_one();
    }
}

impl Queued {
    /// Waits until there is room for some.
    fn add(self: &Arc<Self>, some: usize) -> Waiting {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |count: &mut usize| *count > QUEUED_MAX;
        let mut count = self.begun.wait_while(count, full).unwrap_or_else(PoisonError::into_inner);
        *count += some;
        Waiting(Arc::clone(self), some)
    }
}

impl Running {
    /// Opens the data directory, and runs its engine on a thread of its own. Answers with what is
    /// received from then on.
    ///
    /// # Errors
    /// As for the daemon.
    pub(super) fn start(
        options: Options,
        out: &Out,
        elsewhere: runtime::Handle,
    ) -> Result<(Self, EndsFeed, JoinHandle<Ended>), DemoError> {
        let start = Start {
            data_dir: Some(&options.data_dir),
            wanted: options.wanted,
            announce_all: options.announce_all,
            accepts: options.accepts,
            policy: options.policy,
            quotas: options.quotas,
        };
        let Opening { mut driver, kept, world } = build(&start)?;
        let announced = out.clone();
        driver.announce_to(Box::new(move |body| announced.tell(INVOKE, body)));
        let clock = Clock::scaled(driver.now(), options.speed);
        let (shell, handle) = Shell::new(driver, clock, Limits::default());
        let shell = match kept {
            Some(kept) => shell.keeping(kept.store)?,
            None => shell,
        };
        let flushed = out.clone();
        let shell = shell.with_node_apart()?.with_rounds(move || flushed.flush());
        let received = EndsFeed::from_now(handle.clone(), RECEIVED.map(|(topic, _)| topic));
        let thread = shell.run_on_thread()?;
        let (network, queued) = (world.network, Arc::default());
        Ok((Self { handle, network, queued, elsewhere }, received, thread))
    }

    /// Hands calls to the engine, as soon as it has room.
    pub(super) fn call(&self, calls: Vec<Call>) {
        for call in &calls {
            if call.method == PAY {
                self.handle.decode_ahead(call.params.as_ref());
            }
        }
        let queued = self.queued.add(calls.len());
        let (network, elsewhere) = (self.network.clone(), self.elsewhere.clone());
        // Where it is not taken in, each is told so by its dropped answer.
        let calls = Arc::new(Mutex::new(calls));
        let taken = Arc::clone(&calls);
        let posted = self.handle.post_waiting(move |driver, now| {
            drop(queued);
            let caller = Caller::owner();
            for Call { method, params, judges, answer } in take(&taken) {
                let asker = Way { answer, judges, elsewhere: elsewhere.clone() };
                if method == SIM_INVOICE.name {
                    let network = network.clone();
                    asker.find_out(move || {
                        invoice(&network, &Caller::owner(), params.as_ref(), now)
                    });
                } else {
                    let call = (method, params.as_ref());
                    driver.call_method(now, &caller, call, Box::new(asker));
                }
            }
        });
        if let Err(error) = posted {
            for call in take(&calls) {
                call.answer.give_now(Err(refused(error)));
            }
        }
    }
}

impl Running {
    /// Changes what is cleaned by itself.
    pub(super) fn change(&self, change: Change, answer: Answer) {
        let answer = Arc::new(Mutex::new(Some(answer)));
        let other_way = Arc::clone(&answer);
        let posted = self.handle.post_waiting(move |driver, _| {
            driver.change_autoclean(|autoclean| change.apply(autoclean));
            give(&answer, Ok(Json::nothing()));
        });
        if let Err(error) = posted {
            give(&other_way, Err(refused(error)));
        }
    }
}

/// Gives an answer, once.
fn give(answer: &Mutex<Option<Answer>>, outcome: Outcome) {
    if let Some(answer) = answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
        answer.give_now(outcome);
    }
}

/// The method that judges a call.
pub(super) const CHECK: &str = "check";
/// What of its params says which command is judged.
pub(super) const JUDGED: &str = "command_to_check";
/// The method whose invoice is decoded before the engine is asked.
const PAY: &str = "pay";
/// What Systems are announced as.
const INVOKE: &str = <ecs_core::Invoke as ecs_core::EffectBody>::KIND;

/// The answer to `check` where nothing is wrong.
pub(super) fn fits(command: &str) -> Json {
    Json::object([(JUDGED, Json::of(command))])
}

fn take(calls: &Mutex<Vec<Call>>) -> Vec<Call> {
    std::mem::take(&mut calls.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The way back for a call. What is answered at once goes out at the end of the engine's round.
struct Way {
    answer: Answer,
    judges: Option<String>,
    elsewhere: runtime::Handle,
}

impl Way {
    fn find_out(self, work: impl FnOnce() -> Outcome + Send + 'static) {
        let answer = self.answer;
        self.elsewhere.spawn_blocking(move || {
            let found = catch_unwind(AssertUnwindSafe(work));
            let broken = |_| Err(ErrorObject::new(INTERNAL, "Internal error: see the log"));
            answer.give_now(found.unwrap_or_else(broken));
        });
    }
}

impl Asker for Way {
    fn answer(self: Box<Self>, reply: Result<Reply, ErrorObject>) {
        match reply {
            Ok(Reply::Now(json)) => {
                let json = self.judges.as_deref().map_or(json, fits);
                self.answer.give(Ok(json));
            }
            Ok(Reply::Elsewhere(work)) => self.find_out(work),
            Ok(Reply::Later(_)) => unreachable!("the driver waits itself"),
            Err(error) => self.answer.give(Err(error)),
        }
    }

    /// Who asks over a pipe waits for its answer until the pipe ends.
    fn is_gone(&self) -> bool {
        false
    }
}
