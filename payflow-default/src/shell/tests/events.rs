//! Who keeps one cursor hears of every end, whatever went away meanwhile.

mod world;

use super::*;
use crate::service::ShellService;
use ecs_core::{Caller, ErrorObject, Inputs};
use ledger_store::{LATE_PAYMENTS_MAX, LedgerHistory, Seed};
use payecs_index::MemoryBackend;
use payecs_journal::{Disk, LogId, MemoryDisk, Options};
use proptest::prelude::*;
use rpc_bridge::{Feed, Heard, Service as _, Topic};
use serde::Deserialize;
use world::{World, acts};
use zeroize::Zeroizing;

/// Longest silence of a feed, in real time, after which there is taken to be nothing to hear.
const SILENCE: Duration = Duration::from_millis(30);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Event {
    cursor: u64,
    #[serde(rename = "event")]
    kind: String,
    entity: Option<EntityId>,
    payment_hash: Option<String>,
    #[serde(default)]
    amount_msat: Option<u64>,
    label: Option<String>,
    #[serde(default)]
    to_self: bool,
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
        receipts: Box::new(MemoryReceipts::with_seed(Seed::new(&Zeroizing::new([5; 32])))),
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
        assert_eq!((waits.events[0].entity, &*waits.events[0].kind), (Some(id), "pay_success"));
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
