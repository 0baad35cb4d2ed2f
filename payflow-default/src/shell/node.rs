//! The node on a thread of its own: what it takes is not the engine's time.

use super::{Clock, sleep_until};
use crate::Driver;
use ecs_systems::{
    planner::Graph,
    port::{Node, NodeEvent, NodeRequest, NodeView, RequestId},
    units::Timestamp,
};
use std::{
    fmt, io,
    panic::resume_unwind,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc::channel},
    task::{Wake, Waker},
    thread::{self, JoinHandle},
    time::Duration,
};

/// The node, and how far it has lived.
type Lived = (Box<dyn Node>, Timestamp);

/// The thread that has the node.
#[derive(Debug)]
pub(super) struct NodeThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Option<Lived>>>,
}

/// What the driver has in the node's place.
struct Far {
    shared: Arc<Shared>,
    /// How the node was after the last events that were taken.
    view: NodeView,
    graph: Arc<Graph>,
}

/// What both threads see.
#[derive(Default)]
struct Shared {
    desk: Mutex<Desk>,
    /// Rung when there is something for the node's thread, and it sleeps.
    bell: Condvar,
}

/// What lies ready for the other thread.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is news of its own")]
struct Desk {
    requests: Vec<(RequestId, NodeRequest, Timestamp)>,
    events: Vec<NodeEvent>,
    /// How the node was after the last of the events, where there are some.
    seen: Option<(NodeView, Arc<Graph>)>,
    /// Who waits for events.
    waker: Option<Waker>,
    /// The node has called its waker.
    woken: bool,
    asleep: bool,
    stop: bool,
    /// The thread has ended by a panic.
    panicked: bool,
}

impl NodeThread {
    /// Has the driver's node live on a thread of its own, by that clock.
    pub(super) fn start(driver: &mut Driver, clock: Clock) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (give, taken) = channel();
        let there = Arc::clone(&shared);
        let live = move || live(taken.recv().ok()?, clock, &there);
        let thread = thread::Builder::new().name("payecs-node".to_owned()).spawn(live)?;
        let far = |node: &dyn Node| Far {
            shared: Arc::clone(&shared),
            view: node.view().clone(),
            graph: node.graph(),
        };
        let node = driver.swap_node(|node| Box::new(far(node)));
        give.send(node).expect("the thread waits for it");
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Ends the thread, has the driver take what happened until then, and gives it the node back,
    /// which stands still now.
    ///
    /// # Panics
    /// As the thread did.
    pub(super) fn stop(mut self, driver: &mut Driver, now: Timestamp) {
        let ended = self.end().expect("it is stopped once");
        let lived = ended.unwrap_or_else(|panic| resume_unwind(panic));
        let (mut node, until) = lived.expect("it was given one");
        driver.poll(now);
        for (id, request, at) in std::mem::take(&mut self.shared.desk().requests) {
            node.submit(id, request, until.max(at));
        }
        driver.swap_node(|_| node);
    }

    fn end(&mut self) -> Option<thread::Result<Option<Lived>>> {
        let thread = self.thread.take()?;
        self.shared.leave(|desk| desk.stop = true);
        Some(thread.join())
    }
}

impl Drop for NodeThread {
    fn drop(&mut self) {
        // A panic is told by whoever takes events.
        let _node = self.end();
    }
}

impl Node for Far {
    fn view(&self) -> &NodeView {
        &self.view
    }

    fn graph(&self) -> Arc<Graph> {
        Arc::clone(&self.graph)
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        self.shared.leave(|desk| desk.requests.push((id, request, now)));
    }

    fn poll(&mut self, _now: Timestamp) -> Vec<NodeEvent> {
        let mut desk = self.shared.desk();
        assert!(!desk.panicked, "the node's thread panicked");
        if let Some((view, graph)) = desk.seen.take() {
            (self.view, self.graph) = (view, graph);
        }
        std::mem::take(&mut desk.events)
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        None
    }

    fn set_waker(&mut self, waker: Waker) {
        self.shared.desk().waker = Some(waker);
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves something for the node's thread.
    fn leave(&self, change: impl FnOnce(&mut Desk)) {
        let mut desk = self.desk();
        change(&mut desk);
        let asleep = std::mem::take(&mut desk.asleep);
        drop(desk);
        if asleep {
            self.bell.notify_one();
        }
    }

    /// Waits for requests, for the node's waker, or so long. `false`: the thread is to end.
    fn wait(
        &self,
        at_most: Duration,
        requests: &mut Vec<(RequestId, NodeRequest, Timestamp)>,
    ) -> bool {
        let mut desk = self.desk();
        if desk.requests.is_empty() && !desk.woken && !desk.stop && !at_most.is_zero() {
            desk.asleep = true;
            let slept = self.bell.wait_timeout_while(desk, at_most, |desk| desk.asleep);
            (desk, _) = slept.unwrap_or_else(PoisonError::into_inner);
        }
        (desk.asleep, desk.woken) = (false, false);
        std::mem::swap(&mut desk.requests, requests);
        !desk.stop
    }

    /// Hands over what happened, and wakes who waits for it.
    fn hand_over(&self, events: Vec<NodeEvent>, node: &dyn Node) {
        let mut desk = self.desk();
        desk.events.extend(events);
        desk.seen = Some((node.view().clone(), node.graph()));
        wake(&desk);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let desk = self.desk();
        let (requests, events) = (desk.requests.len(), desk.events.len());
        write!(out, "{requests} requests and {events} events lie ready")
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.leave(|desk| desk.woken = true);
    }
}

fn wake(desk: &Desk) {
    if let Some(waker) = &desk.waker {
        waker.wake_by_ref();
    }
}

/// Tells of a panic of the thread.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut desk = self.0.desk();
            desk.panicked = true;
            wake(&desk);
        }
    }
}

/// Lives as the node until it is to stop. What was asked for before that is still submitted.
fn live(mut node: Box<dyn Node>, mut clock: Clock, shared: &Arc<Shared>) -> Option<Lived> {
    let _end = End(shared);
    node.set_waker(Waker::from(Arc::clone(shared)));
    let (mut requests, mut now) = (Vec::new(), clock.now());
    loop {
        let goes_on = shared.wait(sleep_until(&clock, node.next_event_at()), &mut requests);
        now = now.max(clock.now());
        for (id, request, at) in requests.drain(..) {
            now = now.max(at);
            node.submit(id, request, now);
        }
        let events = node.poll(now);
        if !events.is_empty() {
            shared.hand_over(events, &*node);
        }
        if !goes_on {
            return Some((node, now));
        }
    }
}
