//! A shell with a journal, on disks that fill, fail and forget.

use super::*;
use ecs_core::EntityId;
use ledger_store::store::Restored;
use payecs_journal::{Disk, Faults, LogId, MemoryDisk, Operation, Options};
use tokio::task::JoinSet;

/// Our node on that disk, in real time, ten times as fast.
struct Running {
    handle: Handle,
    thread: JoinHandle<Ended>,
}

fn start(network: &SimNetwork, disk: &MemoryDisk) -> (Running, Restored) {
    let options = Options { reserve_bytes: 0, ..Options::new(LogId([7; 16])) };
    start_with(network, disk, Options { segment_bytes: 4_096, ..options })
}

fn start_with(network: &SimNetwork, disk: &MemoryDisk, options: Options) -> (Running, Restored) {
    let mut engine = app();
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (store, restored) = Store::open(&disk, options, &mut engine, &mut |_| {}).unwrap();
    let node = network.connect(START);
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let entropy = Entropy::seeded(store.last() + 1);
    let driver = Driver::new(engine, Box::new(node), Box::new(planner), entropy, START);
    let (shell, handle) = Shell::new(driver, clock("10"), Limits::default());
    let thread = shell.keeping(store).unwrap().run_on_thread().unwrap();
    (Running { handle, thread }, restored)
}

impl Running {
    /// What the books say is free, once they are open.
    async fn available(&self) -> Msat {
        loop {
            let available = self
                .handle
                .call(|driver, _| driver.engine().resource::<Books>().unwrap().0.available());
            match available.await.unwrap() {
                Msat::ZERO => tokio::time::sleep(Duration::from_millis(1)).await,
                available => return available,
            }
        }
    }

    async fn status(&self, id: EntityId) -> Option<Status> {
        let read = move |driver: &mut Driver, _| driver.engine().get::<Status>(id).cloned();
        self.handle.call(read).await.unwrap()
    }

    fn stop(self) -> Ended {
        self.handle.stop();
        self.thread.join().unwrap()
    }
}

#[tokio::test]
async fn a_payment_that_was_answered_is_there_after_a_stop_and_a_crash() {
    let (network, disk) = (network(), MemoryDisk::new());
    let (first, _) = start(&network, &disk);
    let before = first.available().await;
    let mut news = first.handle.subscribe();
    let id = pay(&network, &first.handle).await;
    success(&mut news).await;
    // What is answered after the announcement includes it.
    assert_eq!(first.status(id).await, Some(Status::complete()));
    let left = first.available().await;
    assert!(left < before);
    // The power goes in the middle of the run: the files as they are now are all that is left.
    let lost = disk.fork();
    lost.power_loss(3);
    first.stop().journal.unwrap();
    for (disk, snapshot) in [(lost, false), (disk, true)] {
        let (again, restored) = start(&network, &disk);
        assert_eq!(restored.records == 0, snapshot, "a stop leaves a snapshot: {restored:?}");
        assert_eq!(again.status(id).await, Some(Status::complete()));
        assert_eq!(again.available().await, left);
        again.stop().journal.unwrap();
    }
}

#[tokio::test]
async fn after_a_sync_that_failed_nothing_is_answered_and_the_shell_ends() {
    let (network, disk) = (network(), MemoryDisk::new());
    let (first, _) = start(&network, &disk);
    first.available().await;
    let fail = Some((Operation::Sync, 1));
    disk.plan(Faults { fail, words: Some("broken".to_owned()), ..Faults::default() });
    let components = Write::here().attach(&Invoice(Json::of(&invoice(&network))));
    let started = first.handle.call(move |driver, now| driver.start_payment(now, components));
    assert_eq!(started.await, Err(ShellError::Stopped));
    let ended = first.thread.join().unwrap();
    let error = ended.journal.unwrap_err().to_string();
    assert!(error.contains("broken") && error.contains("open the log again"), "{error}");
    disk.plan(Faults::default());
    disk.power_loss(1);
    let (again, _) = start(&network, &disk);
    let mut news = again.handle.subscribe();
    pay(&network, &again.handle).await;
    success(&mut news).await;
    again.stop().journal.unwrap();
    network.audit().unwrap();
}

/// Writes until calls are refused; those that were taken in before, and wait for room.
async fn fill(handle: &Handle) -> JoinSet<Result<EntityId, ShellError>> {
    let mut calls = JoinSet::new();
    loop {
        let handle = handle.clone();
        let write = |driver: &mut Driver, now| driver.command(now, ecs_core::Engine::new_entity);
        calls.spawn(async move { handle.call(write).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        while let Some(called) = calls.try_join_next() {
            if let Err(refused) = called.unwrap() {
                assert_eq!(refused, ShellError::DiskFull);
                return calls;
            }
        }
    }
}

#[tokio::test]
async fn a_full_disk_refuses_calls_and_once_there_is_room_what_waited_goes_on() {
    let (network, disk) = (network(), MemoryDisk::new());
    let (running, _) = start(&network, &disk);
    running.available().await;
    disk.plan(Faults { capacity_bytes: Some(0), ..Faults::default() });
    let waiting = fill(&running.handle).await;
    assert!(!waiting.is_empty());
    let refused = running.handle.call_method(Caller::owner(), "payecs_newentity", None).await;
    assert_eq!(refused.unwrap_err().code, 2341);
    disk.plan(Faults::default());
    for answer in waiting.join_all().await {
        answer.unwrap();
    }
    let mut news = running.handle.subscribe();
    pay(&network, &running.handle).await;
    success(&mut news).await;
    running.stop().journal.unwrap();
}

/// Pays again and again until a payment ends so; what the last one failed with.
async fn pay_until(running: &Running, network: &SimNetwork, refused: bool) -> Option<i32> {
    let mut news = running.handle.subscribe();
    loop {
        let id = pay(network, &running.handle).await;
        let error = loop {
            let News::Notice(notice) = news.next().await.unwrap() else { continue };
            let failed = notice.effect.read::<PayFailure>().filter(|it| it.entity == id);
            let paid = notice.effect.read::<PaySuccess>().filter(|it| it.entity == id);
            if failed.is_some() || paid.is_some() {
                break failed.map(|failed| failed.error.code);
            }
        };
        if error.is_some() == refused {
            return error;
        }
    }
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_refuses_new_payments_only_and_takes_them_on_with_new_room() {
    let (network, disk) = (network(), MemoryDisk::new());
    let options = Options { reserve_bytes: 200_000, ..Options::new(LogId([7; 16])) };
    let options = Options { segment_bytes: 20_000, ..options };
    let (running, _) = start_with(&network, &disk, options);
    running.available().await;
    assert_eq!(pay_until(&running, &network, false).await, None);
    let used: usize =
        disk.files().iter().filter_map(|name| disk.bytes(name)).map(|it| it.len()).sum();
    let used = u64::try_from(used).unwrap();
    disk.plan(Faults { capacity_bytes: Some(used + 300_000), ..Faults::default() });
    assert_eq!(pay_until(&running, &network, true).await, Some(2330));
    let low = running.handle.call(|driver, _| driver.intake()).await;
    assert!(low.unwrap().disk_low, "calls are still answered");
    disk.plan(Faults::default());
    assert_eq!(pay_until(&running, &network, false).await, None);
    running.stop().journal.unwrap();
    network.audit().unwrap();
}

#[tokio::test]
async fn a_shell_that_is_stopped_on_a_full_disk_ends_and_says_so() {
    let (network, disk) = (network(), MemoryDisk::new());
    let (running, _) = start(&network, &disk);
    running.available().await;
    disk.plan(Faults { capacity_bytes: Some(0), ..Faults::default() });
    let waiting = fill(&running.handle).await;
    let ended = running.stop();
    let answers = waiting.join_all().await;
    assert!(!answers.is_empty() && answers.iter().all(|it| *it == Err(ShellError::Stopped)));
    let error = ended.journal.unwrap_err().to_string();
    assert!(error.contains("free space"), "{error}");
}
