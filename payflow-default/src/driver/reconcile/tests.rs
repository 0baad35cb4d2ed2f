//! A node that lists many parts.

use super::{booking::BOOKED_PER_COMMAND, *};
use crate::{
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
};
use ecs_core::{Change, EntityId, Failed, Line, Snapshot};
use ecs_systems::{
    components::Invoice,
    planner::{Graph, KnowledgeConfig},
    policy::Policy,
    port::{
        Claim, Failure, FailureCode, Ledger, LedgerEntry, Node, NodeReply, NodeView, PartHold,
        RequestId,
    },
    units::{GroupId, NodeId, PartId, Preimage},
};
use ledger_store::{MemoryLedger, MemoryReceipts, store::Kept};
use node_sim::{InvoiceRequest, SimBuilder, SimNetwork, SimNode, policy};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    task::Waker,
};

const START: Timestamp = Timestamp(1_700_000_000_000);
const AMOUNT: Msat = Msat(1_000);

fn network() -> SimNetwork {
    let (size, half) = (Msat(1_000_000_000), Msat(500_000_000));
    let builder = SimBuilder::new(1).node("alice").node("bob").us("alice");
    builder.channel("alice", "bob", size, half, policy(0, 0), policy(0, 0)).build().unwrap()
}

/// What a node lists, and what it was asked for.
#[derive(Debug, Default)]
struct Listed {
    parts: Vec<PartRecord>,
    replies: VecDeque<NodeEvent>,
    offers: u32,
}

/// The simulated node with another list of parts.
struct Lister(SimNode, Arc<Mutex<Listed>>);

impl Node for Lister {
    fn view(&self) -> &NodeView {
        self.0.view()
    }

    fn graph(&self) -> Arc<Graph> {
        self.0.graph()
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        let mut listed = self.1.lock().unwrap();
        if let NodeRequest::ListParts { after, limit } = request {
            let behind = listed.parts.iter().filter(|part| part.created_index > after);
            // One more than was asked for.
            let page = behind.take(limit as usize + 1).cloned().collect();
            let reply = Ok(NodeReply::Parts(page));
            listed.replies.push_back(NodeEvent::Reply { id, reply });
        } else {
            listed.offers += u32::from(matches!(request, NodeRequest::SendPart(_)));
            self.0.submit(id, request, now);
        }
    }

    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent> {
        let mut events = self.0.poll(now);
        events.extend(self.1.lock().unwrap().replies.drain(..));
        events
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let waits = !self.1.lock().unwrap().replies.is_empty();
        if waits { Some(START) } else { self.0.next_event_at() }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.0.set_waker(waker);
    }
}

fn preimage(number: u64) -> Preimage {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Preimage(bytes)
}

/// A part of the payment of that number, as the place in the list says.
fn part(place: u64, of: u64, channel: ShortChannelId) -> PartRecord {
    let preimage = preimage(of);
    let (payment_hash, group_id, part_id) = (preimage.hash(), GroupId(1), PartId(place));
    PartRecord {
        key: PartKey { payment_hash, group_id, part_id },
        short_channel_id: channel,
        destination: None,
        amount_msat: AMOUNT,
        sent_msat: AMOUNT,
        status: PartStatus::Paid { preimage, spent_msat: AMOUNT },
        created_index: place,
    }
}

/// Books a part, and its payment as complete.
fn book(books: &mut MemoryLedger, record: &PartRecord, preimage: Preimage) {
    let (payment, part_id) = (payment_of(&record.key), record.key.part_id);
    let hold = PartHold {
        part_id,
        short_channel_id: record.short_channel_id,
        amount_msat: AMOUNT,
        fee_msat: Msat::ZERO,
    };
    let claim = Claim {
        payment,
        entity: EntityId::new(1).unwrap(),
        destination: NodeId([2; 33]),
        amount_msat: AMOUNT,
        idempotency_key: None,
        request: None,
    };
    let (fee_msat, circular) = (Msat::ZERO, false);
    let lines = [
        LedgerEntry::Claim(claim),
        LedgerEntry::Reserve {
            payment,
            amount_msat: AMOUNT,
            fee_budget_msat: fee_msat,
            label: None,
            limits: Vec::new(),
        },
        LedgerEntry::Dispatch { payment, parts: vec![hold] },
        LedgerEntry::PostPart { payment, part_id, fee_msat, circular },
        LedgerEntry::Complete {
            payment,
            preimage,
            fee_msat,
            successful_parts: 1,
            failed_parts: 0,
            amount_msat: Some(AMOUNT),
        },
    ];
    books.commit(&lines, None, START).unwrap();
}

/// A backup's books that know the first of these parts.
fn backup(channel: ShortChannelId, known: &[PartRecord]) -> MemoryLedger {
    let mut books = MemoryLedger::new("sim");
    let opening =
        LedgerEntry::Opening { short_channel_id: channel, amount_msat: Msat(500_000_000) };
    books.commit(&[opening], None, START).unwrap();
    for record in known {
        let PartStatus::Paid { preimage, .. } = record.status else { panic!("{record:?}") };
        book(&mut books, record, preimage);
    }
    books.commit(&[LedgerEntry::Backup], None, START).unwrap();
    books
}

/// An engine on these books, and on the state of the one before it.
fn start(
    network: &SimNetwork,
    listed: &Arc<Mutex<Listed>>,
    books: MemoryLedger,
    state: Option<&Snapshot>,
) -> Driver {
    let mut engine = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(books),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    })
    .unwrap();
    if let Some(state) = state {
        engine.restore(state).unwrap();
    }
    let node = Lister(network.connect(START), Arc::clone(listed));
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let (node, planner) = (Box::new(node), Box::new(planner));
    let mut driver = Driver::new(engine, node, planner, Entropy::seeded(1), START);
    driver.keep_journal(0);
    driver.resume(START);
    driver
}

/// One poll, whose records are kept at once: the lines of each.
fn step_telling(driver: &mut Driver) -> Vec<Vec<Line>> {
    driver.poll(START);
    let records = driver.take_records();
    let last = driver.last_record();
    driver.records_kept(START, Kept { written: last, synced: last });
    let lines = |change: Change| {
        let Change::Lines(_, lines) = change else { return Vec::new() };
        lines
    };
    records.into_iter().map(|it| it.delta.changes.into_iter().flat_map(lines).collect()).collect()
}

/// One poll, whose records are kept at once: how many lines the longest has.
fn step(driver: &mut Driver) -> usize {
    step_telling(driver).iter().map(Vec::len).max().unwrap_or_default()
}

/// To the end of the asking.
fn reconcile(driver: &mut Driver) -> Vec<Line> {
    let mut lines = Vec::new();
    while driver.asked.is_some() {
        lines.extend(step_telling(driver).into_iter().flatten());
    }
    lines.extend(step_telling(driver).into_iter().flatten());
    lines
}

/// Books as those of a driver are now.
fn books_of(driver: &Driver) -> MemoryLedger {
    let mut books = MemoryLedger::new("sim");
    books.restore(&driver.engine().resource::<Books>().unwrap().0.image().json()).unwrap();
    books
}

/// How many parts were read, and how many booked.
fn progress(driver: &Driver) -> (u64, u64) {
    match *driver.reconciliation() {
        Reconciliation::Asking { listed, since } => (listed, since.0 - START.0),
        Reconciliation::Booking { listed, booked, .. } => (listed, booked),
        Reconciliation::None | Reconciliation::Blocked(_) | Reconciliation::Done(_) => {
            panic!("it is over")
        }
    }
}

#[test]
fn a_long_list_is_read_and_booked_a_little_with_each_command_and_nothing_is_sent_meanwhile() {
    const KNOWN: usize = 4_000;
    const FOUND: usize = 2_000;
    const ALL: u64 = 50_000;
    let network = network();
    let channel = network.connect(START).view().channels[0].short_channel_id;
    let parts: Vec<PartRecord> = (1..=ALL)
        .map(|place| {
            let record = part(place, place, channel);
            let failure = Failure::local(None, FailureCode::TemporaryNodeFailure);
            let is_paid = place <= KNOWN as u64 || place > ALL - FOUND as u64;
            let status = if is_paid { record.status } else { PartStatus::Failed(failure) };
            PartRecord { status, ..record }
        })
        .collect();
    let books = backup(channel, &parts[..KNOWN]);
    let listed = Arc::new(Mutex::new(Listed { parts, ..Listed::default() }));
    let mut driver = start(&network, &listed, books, None);
    let (mut before, mut polls) = ((0, 0), 0);
    while driver.asked.is_some() {
        let lines = step(&mut driver);
        polls += 1;
        let Some(asked) = &driver.asked else { break };
        let now = progress(&driver);
        assert!(now.0 - before.0 <= u64::from(PAGE), "{before:?}, {now:?}");
        assert!(now.1 - before.1 <= BOOKED_PER_COMMAND as u64, "{before:?}, {now:?}");
        assert!(lines <= 6 * BOOKED_PER_COMMAND, "{lines}");
        let kept = asked.found.len() + asked.said.len();
        assert!(kept <= FOUND, "{kept} parts in memory");
        assert_eq!(driver.intake().parts_read, now.0);
        before = now;
        if polls == 20 {
            let bob = network.id("bob").unwrap();
            let invoice = network.invoice(bob, InvoiceRequest::of(AMOUNT), START).unwrap();
            let write = Write::here().attach(&Invoice(ecs_core::Json::of(&invoice)));
            let id = driver.start_payment(START, write).unwrap();
            let Failed(error) = driver.engine().get(id).unwrap();
            let told = error.data.as_ref().unwrap().to_string();
            let read = format!("\"parts_read\":{}", now.0);
            assert!(error.code == 2330 && now.0 > 0 && told.contains(&read), "{told}");
        }
    }
    step(&mut driver);
    assert!(polls > ALL / u64::from(PAGE) + (FOUND / BOOKED_PER_COMMAND) as u64, "{polls} polls");
    let Reconciliation::Done(report) = driver.reconciliation() else { panic!("not done") };
    assert_eq!((report.found.len(), report.adjusted.len()), (FOUND, 1));
    assert!(driver.engine().entities().len() == 1, "but for the refused payment nothing is left");
    assert_eq!((driver.intake(), listed.lock().unwrap().offers), (Intake::default(), 0));
}

/// Parts since the backup: the first payment has the first and the last, others one each.
fn around(channel: ShortChannelId) -> Vec<PartRecord> {
    let last = 4 * BOOKED_PER_COMMAND as u64;
    let of = |place| if place == last { 1 } else { place };
    (1..=last).map(|place| part(place, of(place), channel)).collect()
}

#[test]
fn what_the_node_forgets_after_a_crash_is_missed_unless_it_was_booked() {
    let network = network();
    let channel = network.connect(START).view().channels[0].short_channel_id;
    let parts = around(channel);
    let last = parts.len() as u64;
    for (after, forgotten, is_closed) in [
        // One that is booked, one that is not, the last two; the last is known, the others not.
        (1, 50, false),
        (1, last - 1, true),
        (2, 150, false),
        (2, 250, true),
        (3, 250, false),
        (3, 350, true),
    ] {
        let listed = Arc::new(Mutex::new(Listed { parts: parts.clone(), ..Listed::default() }));
        let mut driver = start(&network, &listed, backup(channel, &[]), None);
        while !matches!(driver.reconciliation(), Reconciliation::Booking { .. }) {
            step(&mut driver);
        }
        for _ in 1..after {
            step(&mut driver);
        }
        assert_eq!(progress(&driver).1, after * BOOKED_PER_COMMAND as u64);
        let (books, state) = (books_of(&driver), driver.engine().snapshot());
        listed.lock().unwrap().parts.retain(|part| part.created_index != forgotten);
        let mut driver = start(&network, &listed, books, Some(&state));
        while driver.asked.is_some() {
            step(&mut driver);
        }
        let told = driver.reconciliation();
        let seen = matches!(told, Reconciliation::Blocked(report) if report.forgotten);
        assert_eq!((seen, driver.intake().reconciling), (is_closed, is_closed), "{forgotten}");
    }
}

#[test]
fn who_accepted_a_gap_is_in_the_books_though_a_crash_hides_it() {
    let network = network();
    let channel = network.connect(START).view().channels[0].short_channel_id;
    let mut parts = around(channel);
    parts.retain(|part| part.created_index != 50);
    let listed = Arc::new(Mutex::new(Listed { parts, ..Listed::default() }));
    let decision = Decision { who: "ada".to_owned(), why: "cleaned up".to_owned() };
    let mut driver = start(&network, &listed, backup(channel, &[]), None);
    driver.accept_forgotten(decision.clone());
    while !matches!(driver.reconciliation(), Reconciliation::Booking { .. }) {
        step(&mut driver);
    }
    assert_eq!(progress(&driver).1, BOOKED_PER_COMMAND as u64);
    let mut driver = start(&network, &listed, books_of(&driver), Some(&driver.engine().snapshot()));
    let lines = reconcile(&mut driver);
    let Reconciliation::Done(report) = driver.reconciliation() else { panic!("not done") };
    assert!(report.forgotten && report.decision.as_ref() == Some(&decision), "{report:?}");
    let last: LedgerEntry = lines.last().unwrap().body.decode().unwrap();
    let (accepted, forgotten) = (Vec::new(), Some(decision));
    assert_eq!(last, LedgerEntry::Reconciled { accepted, forgotten });
}

#[test]
fn a_gap_that_is_still_seen_after_a_crash_is_accepted_anew() {
    let network = network();
    let channel = network.connect(START).view().channels[0].short_channel_id;
    let mut parts = around(channel);
    parts.retain(|part| part.created_index != 350);
    let listed = Arc::new(Mutex::new(Listed { parts, ..Listed::default() }));
    let mut driver = start(&network, &listed, backup(channel, &[]), None);
    driver.accept_forgotten(Decision { who: "ada".to_owned(), why: "cleaned up".to_owned() });
    while !matches!(driver.reconciliation(), Reconciliation::Booking { .. }) {
        step(&mut driver);
    }
    let mut driver = start(&network, &listed, books_of(&driver), Some(&driver.engine().snapshot()));
    reconcile(&mut driver);
    let told = driver.reconciliation();
    assert!(matches!(told, Reconciliation::Blocked(it) if it.is_closed_by_a_gap()), "{told:?}");
}

#[test]
fn a_part_that_was_found_and_that_the_node_knows_nothing_of_keeps_the_intake_closed() {
    let network = network();
    let channel = network.connect(START).view().channels[0].short_channel_id;
    let mut parts: Vec<PartRecord> = (1..=3).map(|place| part(place, place, channel)).collect();
    parts[1].status = PartStatus::Unknown;
    let key = parts[1].key;
    let listed = Arc::new(Mutex::new(Listed { parts, ..Listed::default() }));
    let mut driver = start(&network, &listed, backup(channel, &[]), None);
    while driver.asked.is_some() {
        step(&mut driver);
    }
    let Reconciliation::Blocked(report) = driver.reconciliation() else { panic!("not blocked") };
    assert_eq!(report.unknown, BTreeSet::from([key]), "{report:?}");
    assert_eq!(report.uncompared, BTreeSet::from([channel]));
    assert!(driver.intake().reconciling);
    // The simulated node never saw it.
    while driver.intake().reconciling {
        step(&mut driver);
    }
    let Reconciliation::Done(report) = driver.reconciliation() else { panic!("not done") };
    assert!(report.unknown.is_empty() && report.adjusted.len() == 1, "{report:?}");
}
