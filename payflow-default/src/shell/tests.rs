mod calls;
mod desk;
mod events;
mod journal;
mod node;

use super::*;
use crate::{
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
};
use ecs_core::{Caller, EntityId, Json, Write, Writer};
use ecs_systems::{
    components::{Invoice, Status},
    effects::{PayFailure, PaySuccess},
    planner::{Graph, KnowledgeConfig},
    policy::Policy,
    port::{Books, Node, NodeEvent, NodeRequest, NodeView, RequestId},
    units::Msat,
};
use ledger_store::{MemoryLedger, MemoryReceipts};
use node_sim::{InvoiceRequest, SimBuilder, SimNetwork, SimNode, policy};
use std::sync::Mutex;

const START: Timestamp = Timestamp(1_700_000_000_000);

fn network() -> SimNetwork {
    let (size, half) = (Msat(1_000_000_000), Msat(500_000_000));
    SimBuilder::new(1)
        .node("alice")
        .node("bob")
        .node("carol")
        .channel("alice", "bob", size, half, policy(0, 0), policy(0, 0))
        .channel("bob", "carol", size, half, policy(1_000, 10), policy(0, 0))
        .us("alice")
        .build()
        .unwrap()
}

fn app() -> ecs_core::Engine {
    let parts = Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new("sim")),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    };
    engine(parts).unwrap()
}

fn driver(node: impl Node + 'static) -> Driver {
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let (node, planner) = (Box::new(node), Box::new(planner));
    let mut driver = Driver::new(app(), node, planner, Entropy::seeded(1), START);
    driver.poll(START);
    driver
}

fn shell(network: &SimNetwork, limits: Limits) -> (Shell, Handle) {
    Shell::new(driver(network.connect(START)), clock("1"), limits)
}

fn clock(speed: &str) -> Clock {
    Clock::scaled(START, speed.parse().unwrap())
}

/// An invoice of carol's.
fn invoice(network: &SimNetwork) -> String {
    let carol = network.id("carol").unwrap();
    network.invoice(carol, InvoiceRequest::of(Msat(100_000)), START).unwrap()
}

/// Starts a payment to carol.
async fn pay(network: &SimNetwork, handle: &Handle) -> EntityId {
    let components = Write::here().attach(&Invoice(Json::of(&invoice(network))));
    let started = handle.call(move |driver, now| driver.start_payment(now, components)).await;
    started.unwrap().unwrap()
}

/// Hears the payment's success, and when. Its failure ends the test.
async fn success(news: &mut Subscription) -> (Timestamp, PaySuccess) {
    loop {
        let News::Notice(notice) = news.next().await.unwrap() else { continue };
        assert_eq!(notice.effect.read::<PayFailure>(), None);
        if let Some(success) = notice.effect.read() {
            return (notice.at, success);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_made_in_the_clocks_time_and_announced() {
    let network = network();
    let (shell, handle) = shell(&network, Limits::default());
    let outside = async {
        let mut news = handle.subscribe();
        let id = pay(&network, &handle).await;
        let (at, success) = success(&mut news).await;
        handle.stop();
        while news.next().await.is_some() {}
        (id, at, success)
    };
    let (Ended { driver, .. }, (id, at, success)) = tokio::join!(shell.run(), outside);
    assert_eq!((success.entity, success.amount_msat), (id, Msat(100_000)));
    assert_eq!(driver.engine().get::<Status>(id), Some(&Status::complete()));
    // Four messages of 50 to 150 ms each, nothing polled before it is due.
    let took_ms = at.0 - START.0;
    assert!((200..=600).contains(&took_ms), "{took_ms}");
    network.audit().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_answered_when_it_is_there_and_no_later_than_it_said() {
    let network = network();
    let (shell, handle) = shell(&network, Limits::default());
    let call = |name: &'static str, params: Json| {
        let handle = handle.clone();
        async move { handle.call_method(Caller::owner(), name, Some(params)).await }
    };
    let outside = async {
        let id = pay(&network, &handle).await;
        let paid = call("payecs_wait", Json::of(&(id, "lightningd:systems:final"))).await.unwrap();
        assert!(paid.text().ends_with("\"state\":\"attached\"}"), "{paid}");
        let at = handle.call(|_, now| now).await.unwrap();
        assert!((200..=600).contains(&(at.0 - START.0)), "{at}");
        let late = call("payecs_wait", Json::of(&(id, "acme:never", 2))).await.unwrap_err();
        assert_eq!((late.code, late.message.as_str()), (2000, "Timed out while waiting"));
        let later = handle.call(|_, now| now).await.unwrap();
        assert!((2_000..2_100).contains(&(later.0 - at.0)), "{later}");
        let many = Write::to(EntityId::new(1_000).unwrap()).attach_json("acme:x", Json::yes());
        let many: Vec<Write> =
            (1_000..1_500).map(|id| Write { entity: EntityId::new(id), ..many.clone() }).collect();
        handle
            .call(move |driver, now| {
                driver.command(now, |it| it.set_components(&Writer::Caller, &many, &[]))
            })
            .await
            .unwrap()
            .unwrap();
        let listed = call("payecs_listentities", Json::of(&("acme:x",))).await.unwrap();
        assert_eq!(listed.text().matches("acme:x").count(), 500);
        let waits = call("payecs_wait", Json::of(&(id, "acme:never")));
        let gone = tokio::time::timeout(Duration::from_secs(1), waits).await;
        assert!(gone.is_err(), "who went away is forgotten");
        handle.stop();
    };
    let (Ended { mut driver, .. }, ()) = tokio::join!(shell.run(), outside);
    driver.poll(driver.now());
    assert!(format!("{driver:?}").contains("waiters: Waiters(0)"), "{driver:?}");
    let stopped = handle.call_method(Caller::owner(), "payecs_newentity", None).await;
    assert_eq!(stopped.unwrap_err().code, -5);
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_mailbox_are_refused_and_those_taken_in_are_done_before_the_stop() {
    let limits = Limits { mailbox: 2, ..Limits::default() };
    let (shell, handle) = shell(&network(), limits);
    let first = handle.call(|driver, now| {
        let made = driver.command(now, ecs_core::Engine::new_entity);
        (1, made)
    });
    let second = handle.call(|_, _| 2);
    let third = async {
        let refused = handle.call(|_, _| 3).await;
        handle.stop();
        refused
    };
    let (first, second, third, ended) = tokio::join!(first, second, third, shell.run());
    assert_eq!(first, Ok((1, EntityId::FIRST)));
    assert_eq!(second, Ok(2));
    assert_eq!(third, Err(ShellError::Full { waiting: 2 }));
    assert_eq!(ended.driver.now(), START);
    assert_eq!(handle.call(|_, _| 4).await, Err(ShellError::Stopped));
    assert_eq!(handle.subscribe().next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_is_told_how_much_it_missed() {
    let network = network();
    let (shell, handle) = shell(&network, Limits { notices: 2, ..Limits::default() });
    let (mut quick, mut slow) = (handle.subscribe(), handle.subscribe());
    let outside = async {
        handle
            .call(|driver, now| driver.command(now, |engine| engine.announce_all(true)))
            .await
            .unwrap();
        pay(&network, &handle).await;
        success(&mut quick).await;
        handle.stop();
    };
    let (_, ()) = tokio::join!(shell.run(), async {
        // Those announced in one command are more than are kept, even for the quick one.
        tokio::select! {
            () = outside => {}
            () = tokio::time::sleep(Duration::from_mins(1)) => handle.stop(),
        }
    });
    let Some(News::Lost { count }) = slow.next().await else { panic!("nothing was lost") };
    assert!(count > 10, "{count}");
    assert!(matches!(slow.next().await, Some(News::Notice(_))));
    assert!(matches!(slow.next().await, Some(News::Notice(_))));
    assert_eq!(slow.next().await, None);
}

/// A node that is not on a virtual clock: it says nothing of when, and calls the waker.
struct Quiet {
    node: SimNode,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Node for Quiet {
    fn view(&self) -> &NodeView {
        self.node.view()
    }

    fn graph(&self) -> Arc<Graph> {
        self.node.graph()
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        self.node.submit(id, request, now);
    }

    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent> {
        self.node.poll(now)
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        None
    }

    fn set_waker(&mut self, waker: Waker) {
        *self.waker.lock().unwrap() = Some(waker);
    }
}

#[tokio::test(start_paused = true)]
async fn the_nodes_waker_ends_the_sleep() {
    let (network, waker) = (network(), Arc::new(Mutex::new(None::<Waker>)));
    let node = Quiet { node: network.connect(START), waker: Arc::clone(&waker) };
    let (shell, handle) = Shell::new(driver(node), clock("1"), Limits::default());
    let outside = async {
        let mut news = handle.subscribe();
        pay(&network, &handle).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
        let (at, _) = success(&mut news).await;
        handle.stop();
        at
    };
    let (_, at) = tokio::join!(shell.run(), outside);
    assert_eq!(at, START.after_ms(2_000), "long before a sleep of {SLEEP_MS_MAX} ms is over");
}

#[tokio::test]
async fn on_a_thread_of_its_own_it_runs_until_the_last_handle_is_dropped() {
    let network = network();
    let driver = driver(network.connect(START));
    let (shell, handle) = Shell::new(driver, clock("10"), Limits::default());
    let thread = shell.run_on_thread().unwrap();
    let mut news = handle.subscribe();
    let id = pay(&network, &handle).await;
    success(&mut news).await;
    drop(handle);
    let Ended { driver, .. } = thread.join().unwrap();
    assert_eq!(driver.engine().get::<Status>(id), Some(&Status::complete()));
}
