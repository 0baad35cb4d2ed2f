//! Who keeps one cursor hears of every end, whatever went away meanwhile.

use super::*;
use crate::service::ShellService;
use ecs_core::{Caller, ErrorObject, Inputs};
use ledger_store::{LATE_PAYMENTS_MAX, LedgerHistory};
use payecs_index::MemoryBackend;
use payecs_journal::{Disk, LogId, MemoryDisk, Options};
use proptest::prelude::*;
use rpc_bridge::{Feed, Heard, Service as _, Topic};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Longest silence of a feed, in real time, after which there is taken to be nothing to hear.
const SILENCE: Duration = Duration::from_millis(30);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Event {
    cursor: u64,
    #[serde(rename = "event")]
    kind: String,
    entity: EntityId,
    payment_hash: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Page {
    events: Vec<Event>,
    cursor: u64,
}

/// Our node over a disk, a hundred times as fast as real time.
fn start(network: &SimNetwork, disk: &MemoryDisk) -> (Shell, Handle) {
    let history = LedgerHistory::default();
    let parts = Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::over("sim", Arc::new(history.clone()), LATE_PAYMENTS_MAX)),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    };
    let mut engine = engine(parts).unwrap();
    let options = Options { reserve_bytes: 0, ..Options::new(LogId([7; 16])) };
    let options = Options { segment_bytes: 4_096, ..options };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (store, _) = Store::open(&disk, options, &mut engine, &mut |_| {}).unwrap();
    history.follow(store.reader(), MemoryBackend::default()).unwrap();
    let seen = engine.resource::<Inputs>().map_or(0, |inputs| inputs.now_ms);
    let now = Timestamp(seen).max(START);
    let node = network.connect(now);
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let entropy = Entropy::seeded(store.last() + 1);
    let driver = Driver::new(engine, Box::new(node), Box::new(planner), entropy, now);
    let clock = Clock::scaled(now, "100".parse().unwrap());
    let (shell, handle) = Shell::new(driver, clock, Limits::default());
    (shell.keeping(store).unwrap(), handle)
}

/// Runs a shell until what happens outside is over; then it is killed.
async fn kill_after<R>(shell: Shell, outside: impl Future<Output = R>) -> R {
    tokio::select! {
        ended = shell.run() => panic!("it ended: {ended:?}"),
        answer = outside => answer,
    }
}

async fn page(handle: &Handle, params: &str) -> Result<Page, ErrorObject> {
    let params = Some(Json::parse(params).unwrap());
    let answer = handle.call_method(Caller::owner(), "payecs_events", params).await?;
    Ok(answer.decode().unwrap())
}

/// All that is told in pages of that size.
async fn in_pages_of(handle: &Handle, limit: u64) -> Vec<Event> {
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        let next = page(handle, &format!("[{cursor},{limit}]")).await.unwrap();
        if next.events.is_empty() {
            return all;
        }
        assert!(next.events.len() as u64 <= limit && next.cursor > cursor);
        all.extend(next.events);
        cursor = next.cursor;
    }
}

async fn subscribe(
    handle: &Handle,
    topic: Topic,
    since: Option<u64>,
) -> Result<Box<dyn Feed>, ErrorObject> {
    ShellService::new(handle.clone(), []).subscribe(topic, since).await
}

fn event(heard: Heard, topic: Topic) -> Event {
    let Heard::Event { topic: of, params } = heard else { panic!("{heard:?}") };
    assert_eq!(of, topic);
    params.decode().unwrap()
}

/// Somebody who subscribes again and again.
struct Listener {
    topic: Topic,
    cursor: u64,
    heard: Vec<Event>,
}

impl Listener {
    fn of(topic: Topic) -> Self {
        Self { topic, cursor: 0, heard: Vec::new() }
    }

    /// Hears as many events, if there are so many, and goes away.
    async fn hear(&mut self, handle: &Handle, count: usize) {
        let mut feed = subscribe(handle, self.topic, Some(self.cursor)).await.unwrap();
        for _ in 0..count {
            let Ok(heard) = tokio::time::timeout(SILENCE, feed.next()).await else { return };
            let event = event(heard.unwrap(), self.topic);
            assert!(event.cursor > self.cursor, "in order, and none twice: {event:?}");
            self.cursor = event.cursor;
            self.heard.push(event);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// Pays what is small, more than there is, what is no invoice, or what was paid last.
    Pay(u8),
    /// The subscribers come, hear so many, and go.
    Hear(usize),
    /// The next pages are asked for.
    Ask(u64),
    /// The process is killed; with a seed, the power goes too.
    Kill(Option<u64>),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..4_u8).prop_map(Act::Pay),
        2 => (0..4_usize).prop_map(Act::Hear),
        2 => (1..4_u64).prop_map(Act::Ask),
        1 => proptest::option::of(0..9_u64).prop_map(Act::Kill),
    ];
    proptest::collection::vec(act, 1..30)
}

/// A program, and what it knows.
struct World {
    network: SimNetwork,
    disk: MemoryDisk,
    listeners: [Listener; 2],
    /// What it was told in pages, and how far.
    told: Vec<Event>,
    cursor: u64,
    /// The payments that must end.
    started: BTreeSet<EntityId>,
    paid_last: Option<String>,
}

impl World {
    fn new() -> Self {
        let listeners = [Topic::PaySuccess, Topic::PayFailure].map(Listener::of);
        Self {
            network: network(),
            disk: MemoryDisk::new(),
            listeners,
            told: Vec::new(),
            cursor: 0,
            started: BTreeSet::new(),
            paid_last: None,
        }
    }

    async fn pay(&mut self, handle: &Handle, kind: u8) {
        let carol = self.network.id("carol").unwrap();
        let now = handle.call(|_, now| now).await.unwrap();
        let of = |msat| self.network.invoice(carol, InvoiceRequest::of(Msat(msat)), now).unwrap();
        let invoice = match kind {
            0 => of(100_000),
            1 => of(900_000_000),
            2 => "lnbcnothing".to_owned(),
            _ => self.paid_last.clone().unwrap_or_else(|| of(50_000)),
        };
        let repeated = self.paid_last.as_ref() == Some(&invoice);
        let write = Write::here().attach(&Invoice(Json::of(&invoice)));
        let started = handle.call(move |driver, now| driver.start_payment(now, write)).await;
        let id = started.unwrap().unwrap();
        if !repeated {
            self.started.insert(id);
        }
        self.paid_last = Some(invoice).filter(|_| kind == 0).or(self.paid_last.take());
    }

    async fn ask(&mut self, handle: &Handle, limit: u64, timeout_s: u64) {
        let params = format!("[{},{limit},{timeout_s}]", self.cursor);
        let page = page(handle, &params).await.unwrap();
        assert!(page.cursor >= self.cursor && page.events.len() as u64 <= limit);
        self.told.extend(page.events);
        self.cursor = page.cursor;
    }

    /// What happens until the next kill, or the end; whether it was the end.
    async fn live(&mut self, handle: &Handle, acts: &mut std::vec::IntoIter<Act>) -> bool {
        for act in acts {
            match act {
                Act::Pay(kind) => self.pay(handle, kind).await,
                Act::Hear(count) => {
                    for listener in &mut self.listeners {
                        listener.hear(handle, count).await;
                    }
                }
                Act::Ask(limit) => self.ask(handle, limit, 0).await,
                Act::Kill(power) => {
                    // Nothing runs after this but the journal's thread, on the disk as it was.
                    self.disk = self.disk.fork();
                    if let Some(seed) = power {
                        self.disk.power_loss(seed);
                    }
                    return false;
                }
            }
        }
        self.hear_the_rest(handle).await;
        true
    }

    async fn hear_the_rest(&mut self, handle: &Handle) {
        for round in 0.. {
            let ended: BTreeSet<_> = self.told.iter().map(|event| event.entity).collect();
            if self.started.is_subset(&ended) {
                break;
            }
            assert!(round < 1_000, "{:?} of {:?}", self.told, self.started);
            self.ask(handle, 3, 10).await;
        }
        let all = in_pages_of(handle, 1_000).await;
        let entities: BTreeSet<_> = all.iter().map(|event| event.entity).collect();
        assert_eq!(entities.len(), all.len(), "each ends once: {all:?}");
        let paid = || all.iter().filter(|event| event.kind == "pay_success");
        let hashes: BTreeSet<_> = paid().map(|event| event.payment_hash.clone()).collect();
        assert_eq!(hashes.len(), paid().count(), "what is answered again is no end: {all:?}");
        for limit in [1, 2, 7] {
            assert_eq!(in_pages_of(handle, limit).await, all, "{limit}");
        }
        while self.cursor < all.last().map_or(0, |last| last.cursor) {
            self.ask(handle, 3, 0).await;
        }
        assert_eq!(self.told, all, "each once, in order");
        for listener in &mut self.listeners {
            listener.hear(handle, usize::MAX).await;
            let name = listener.topic.name();
            let of_it: Vec<Event> = all.iter().filter(|it| it.kind == name).cloned().collect();
            assert_eq!(listener.heard, of_it, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn who_comes_back_with_its_cursor_misses_no_end_and_hears_them_in_order(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut world = World::new();
        let mut acts = acts.into_iter();
        loop {
            let (network, disk) = (world.network.clone(), world.disk.clone());
            let over = runtime.block_on(async {
                let (shell, handle) = start(&network, &disk);
                kill_after(shell, world.live(&handle, &mut acts)).await
            });
            if over {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_waits_for_an_end_and_no_longer_than_it_says() {
    let network = network();
    let (shell, handle) = shell(&network, Limits::default());
    let outside = async {
        let at = || async { handle.call(|_, now| now).await.unwrap() };
        let before = page(&handle, "[]").await.unwrap();
        assert!(before.events.is_empty(), "{before:?}");
        let asked_at = at().await;
        let late = page(&handle, r#"{"timeout":2}"#).await.unwrap();
        assert!(late.events.is_empty() && late.cursor == before.cursor, "{late:?}");
        assert_eq!(at().await, asked_at.after_ms(2_000));
        let (waits, id) = tokio::join!(page(&handle, r#"{"timeout":60}"#), pay(&network, &handle));
        let waits = waits.unwrap();
        assert_eq!(waits.events.len(), 1, "{waits:?}");
        assert_eq!((waits.events[0].entity, &*waits.events[0].kind), (id, "pay_success"));
        assert!(at().await < asked_at.after_ms(3_000));
        let again = page(&handle, &format!("[{},1,60]", before.cursor)).await.unwrap();
        assert_eq!(again.events, waits.events, "what is there is not waited for");
        let none = page(&handle, "[77]").await.unwrap_err();
        let last = page(&handle, "[]").await.unwrap().cursor;
        let what = format!("`since`: there is no cursor 77, the last one is {last}");
        assert_eq!((none.code, none.message), (-32602, what));
        handle.stop();
    };
    tokio::join!(shell.run(), outside);
}

#[tokio::test(start_paused = true)]
async fn who_watches_systems_is_told_where_to_ask_what_ended_while_it_was_away() {
    let network = network();
    let (shell, handle) = shell(&network, Limits { notices: 4, ..Limits::default() });
    let outside = async {
        let mut ends = subscribe(&handle, Topic::PaySuccess, None).await.unwrap();
        pay(&network, &handle).await;
        let first = event(ends.next().await.unwrap(), Topic::PaySuccess);
        let topic = Topic::SystemInvoke;
        let refused = subscribe(&handle, topic, Some(77)).await.map(drop).unwrap_err();
        assert_eq!(refused.code, -32602);
        let mut systems = subscribe(&handle, topic, Some(1)).await.unwrap();
        assert_eq!(systems.next().await, Some(Heard::Lost { count: None, cursor: 1 }));
        pay(&network, &handle).await;
        let second = event(ends.next().await.unwrap(), Topic::PaySuccess);
        assert!(second.cursor > first.cursor);
        // The flow runs more Systems in a command than are kept for who is slow.
        let Some(Heard::Lost { count: Some(count), cursor }) = systems.next().await else {
            panic!("nothing was lost");
        };
        assert!(count > 0 && cursor == first.cursor, "{count} behind {cursor}");
        let Some(Heard::Event { params, .. }) = systems.next().await else {
            panic!("nothing is told");
        };
        let of = params.fields().unwrap()["cursor"].clone();
        assert!(of.decode::<u64>().unwrap() < second.cursor, "it led to that end: {params}");
        handle.stop();
        while systems.next().await.is_some() {}
        assert_eq!(ends.next().await, None);
    };
    tokio::join!(shell.run(), outside);
}
