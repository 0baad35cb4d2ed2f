//! The node on a thread of its own.

use super::*;
use crate::shell::node::NodeThread;
use node_sim::Fact;
use std::{sync::mpsc, task::Wake};

/// Rings when the node's thread has handed something over.
struct Bell(mpsc::Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Who listens no more has heard enough.
        let _heard = self.0.send(());
    }
}

/// How many such facts the network has: they grow in number and never go.
fn count(network: &SimNetwork, is_it: fn(&Fact) -> bool) -> usize {
    network.truth(0).iter().filter(|record| is_it(&record.fact)).count()
}

/// A node that panics once time goes on.
struct Broken(SimNode);

impl Node for Broken {
    fn view(&self) -> &NodeView {
        self.0.view()
    }

    fn graph(&self) -> Arc<Graph> {
        self.0.graph()
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        self.0.submit(id, request, now);
    }

    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent> {
        assert_eq!(now, START, "on purpose");
        self.0.poll(now)
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        Some(START.after_ms(1))
    }

    fn set_waker(&mut self, _waker: Waker) {}
}

#[tokio::test]
async fn payments_are_made_while_it_lives_apart_and_the_driver_has_it_back() {
    let network = network();
    let driver = driver(network.connect(START));
    let (shell, handle) = Shell::new(driver, clock("10"), Limits::default());
    let thread = shell.with_node_apart().unwrap().run_on_thread().unwrap();
    let mut news = handle.subscribe();
    let mut paid = Vec::new();
    for _ in 0..5 {
        paid.push(pay(&network, &handle).await);
    }
    for _ in &paid {
        success(&mut news).await;
    }
    let under_way = pay(&network, &handle).await;
    while count(&network, |fact| matches!(fact, Fact::PartSubmitted { .. })) <= paid.len() {
        tokio::task::yield_now().await;
    }
    handle.stop();
    let Ended { mut driver, .. } = thread.join().unwrap();
    for id in paid {
        assert_eq!(driver.engine().get::<Status>(id), Some(&Status::complete()));
    }
    // What was in flight stands still with the network, and goes on with it.
    let until = driver.now().after_ms(60_000);
    driver.run_until(until);
    assert_eq!(driver.engine().get::<Status>(under_way), Some(&Status::complete()));
    assert_eq!(network.in_flight(), 0);
    network.audit().unwrap();
}

#[test]
fn what_happened_until_it_is_given_back_is_taken() {
    let network = network();
    let mut driver = driver(network.connect(START));
    let thread = NodeThread::start(&mut driver, clock("10")).unwrap();
    let (bell, rung) = mpsc::channel();
    driver.set_waker(Waker::from(Arc::new(Bell(bell))));
    let components = Write::here().attach(&Invoice(Json::of(&invoice(&network))));
    let id = driver.start_payment(START, components).unwrap();
    for job in driver.take_jobs() {
        let plan = (job.run)();
        driver.finish_plan(START, job.id, plan);
    }
    while count(&network, |fact| matches!(fact, Fact::PartPaid { .. })) == 0 {
        rung.recv().expect("the thread lives");
    }
    assert_eq!(driver.engine().get::<Status>(id), Some(&Status::sending()), "nobody has polled");
    thread.stop(&mut driver, START);
    assert_eq!(driver.engine().get::<Status>(id), Some(&Status::complete()));
}

#[test]
#[should_panic(expected = "the node's thread panicked")]
fn its_panic_is_the_drivers() {
    let network = network();
    let mut driver = driver(Broken(network.connect(START)));
    let _thread = NodeThread::start(&mut driver, clock("1")).unwrap();
    loop {
        driver.poll(START);
        std::thread::yield_now();
    }
}
