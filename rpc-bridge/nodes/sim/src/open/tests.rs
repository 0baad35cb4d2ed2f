use crate::{
    InvoiceRequest, OpenError, OurChannels, RemotePart, Script, Settings, SimConfig, SimError,
    SimNetwork,
    fixture::{Desk, chain, every_fault, every_script},
    laws::LawWorld,
    open::{Options, Syncing},
    policy,
};
use ecs_systems::{
    port::{FailureCode, Node, NodeEvent, NodeRequest, PartKey, PartStatus, SendPart},
    units::{Blocks, GroupId, Msat, PartId, PaymentSecret, Preimage, Timestamp},
};
use payecs_journal::{Disk, Error, LogId, MemoryDisk, Operation};
use payecs_planner::Rng;
use proptest::prelude::*;
use std::sync::Arc;

pub(crate) fn options(syncing: Syncing, snapshot_bytes: u64) -> Options {
    let options = Options::new(LogId([7; 16]), syncing);
    let log = payecs_journal::Options { segment_bytes: 1 << 14, reserve_bytes: 0, ..options.log };
    Options { log, snapshot_bytes, ..options }
}

pub(crate) fn disk(of: &MemoryDisk) -> Arc<dyn Disk> {
    Arc::new(of.clone())
}

fn open(disk_of: &MemoryDisk, config: &SimConfig, syncing: Syncing) -> SimNetwork {
    config.clone().open(&disk(disk_of), &options(syncing, 20_000)).unwrap().network
}

/// Everything but the clock, which stands still until it is asked, and the numbers of invoices,
/// which an opening passes over.
fn image(network: &SimNetwork, like: &SimNetwork) -> String {
    let (now, next_invoice) = {
        let state = like.state();
        (state.now, state.next_invoice)
    };
    let mut state = network.state();
    assert!(state.now <= now && state.next_invoice >= next_invoice);
    let ours = (state.now, state.next_invoice);
    (state.now, state.next_invoice) = (now, next_invoice);
    let text = serde_json::to_string(&state.image()).unwrap();
    let graph = state.graph();
    let view = &state.ours.view;
    let text = format!("{text} {view:?} {graph:?} {:?} {:?}", state.channels, state.ours.order);
    (state.now, state.next_invoice) = ours;
    text
}

pub(crate) fn little(seed: u64) -> SimConfig {
    let faults = every_fault();
    let settings = Settings { faults, answer_ms: 20, ..Settings::default() };
    let ours = OurChannels { slots: 6, ..SimConfig::default().ours };
    SimConfig { nodes: 9, seed, channels_per_node: 4, settings, ours, ..SimConfig::default() }
}

/// Does something, whatever the number says.
pub(crate) fn act(desk: &mut Desk, rng: &mut Rng, step: u64) {
    let (network, now) = (desk.network.clone(), desk.now);
    let others = network.others();
    let mut draw = || others[usize::try_from(rng.below(others.len() as u64)).unwrap()];
    let (from, payee) = (draw(), draw());
    let amount = Msat(1_000 + rng.below(300_000_000));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&step.to_be_bytes());
    let preimage = Preimage(bytes);
    let key = PartKey { payment_hash: preimage.hash(), group_id: GroupId(1), part_id: PartId(1) };
    match rng.below(16) {
        0..5 => {
            let invoice = network.invoice(payee, InvoiceRequest::of(amount), now).unwrap();
            if network.route(network.us(), payee, amount, Blocks(20), now).is_some() {
                let part = desk.part_for(&invoice, amount);
                script_of(rng.below(12), &network, &part, now);
                desk.send(&part);
                desk.send(&part);
            } else {
                drop(network.pay_invoice(from, &invoice, 2, now));
            }
        }
        5..8 => {
            let part = RemotePart::whole(preimage.hash(), PaymentSecret([1; 32]), amount);
            drop(network.pay_us(from, part, now));
        }
        8..10 => answer(desk, rng.below(2) == 0),
        10 => network.restart(now),
        11 => desk.node = network.connect(now),
        12 => {
            let direction = network.direction(from, payee);
            if let Some(direction) = direction {
                let announce = rng.below(2) == 0;
                network.set_policy(direction, policy(rng.below(50), 3), announce, now).unwrap();
                if rng.below(4) == 0 {
                    let gone = SimError::UnknownChannel { scid: direction.scid };
                    let refused = network.close_channel(direction.scid, now).err();
                    assert!(refused.is_none_or(|error| error == gone), "it may be closed already");
                }
            }
        }
        13 => {
            desk.submit(NodeRequest::AskPart(key));
            desk.submit(NodeRequest::ListParts { after: 2, limit: 3 });
            desk.submit(NodeRequest::Balances);
            desk.submit(NodeRequest::ListIncoming);
        }
        14 => {
            let until = Some(now.after_ms(rng.below(100_000)));
            let failcode = FailureCode::UnknownNextPeer;
            drop(network.script(Script::Offline { node: from, until, failcode }, now));
            drop(network.script(Script::KeepNext { node: payee, until: now }, now));
            drop(network.script(Script::GarbleNext { node: payee }, now));
            drop(network.script(Script::FailNext { node: payee, failcode }, now));
            every_script(&network, from, payee, now.after_ms(rng.below(100_000)), now);
        }
        _ => desk.run_ms(rng.below(700_000)),
    }
    desk.run_ms(rng.below(400));
}

fn script_of(which: u64, network: &SimNetwork, part: &SendPart, now: Timestamp) {
    let (key, until) = (part.key, now.after_ms(5_000));
    let script = match which {
        0 => Script::HoldSet { payment_hash: key.payment_hash, until },
        1 => Script::LoseOutcome { key },
        2 => Script::AnswerUnknown { key, times: 2 },
        3 => Script::Overspend { key, excess_msat: Msat(77) },
        4 => Script::FailThenPay { key, until },
        _ => return,
    };
    network.script(script, now).unwrap();
}

/// Gives our word on all that was offered.
fn answer(desk: &mut Desk, settle: bool) {
    for offered in desk.offered() {
        let htlc = offered.htlc;
        let steps = (0..10_000_u64).map(|step| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&step.to_be_bytes());
            Preimage(bytes)
        });
        let preimage = steps.take(200).find(|it| it.hash() == offered.payment_hash);
        let failcode = FailureCode::IncorrectOrUnknownPaymentDetails;
        desk.submit(match preimage.filter(|_| settle) {
            Some(preimage) => NodeRequest::SettleHtlc { htlc, preimage },
            None => NodeRequest::FailHtlc { htlc, failcode },
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn what_is_opened_is_what_was_alive(seed: u64, cut in 0_u8..3) {
        let (memory, config) = (MemoryDisk::new(), little(seed));
        let mut rng = Rng::new(seed);
        let mut desk = Desk::new(open(&memory, &config, Syncing::Inline));
        for step in 0..48 {
            act(&mut desk, &mut rng, step);
            if step % 8 != 7 {
                continue;
            }
            let fork = memory.fork();
            match cut {
                0 => {}
                1 => fork.crash(),
                _ => fork.power_loss(seed ^ step),
            }
            let again = open(&fork, &config, Syncing::Inline);
            prop_assert_eq!(image(&again, &desk.network), image(&desk.network, &desk.network));
            again.audit().unwrap();
        }
        let snapshots = memory.files().iter().filter(|it| it.ends_with(".snapshot")).count();
        prop_assert!(snapshots > 0, "{:?}", memory.files());
    }

    #[test]
    fn what_was_heard_is_known_after_a_power_cut(seed: u64) {
        let (memory, config) = (MemoryDisk::new(), little(seed));
        let mut rng = Rng::new(seed);
        let mut desk = Desk::new(open(&memory, &config, Syncing::Thread));
        for step in 0..40 {
            act(&mut desk, &mut rng, step);
        }
        let fork = memory.fork();
        fork.power_loss(seed);
        let finals = desk.heard.iter().filter_map(|event| {
            let NodeEvent::Part { key, status } = event else { return None };
            is_final(status).then(|| (*key, status.clone()))
        });
        let finals: Vec<_> = finals.collect();
        let now = desk.now;
        let mut again = Desk::new(open(&fork, &config, Syncing::Inline));
        // Long enough for every denial to be over.
        again.run_until(now.after_ms(10_000));
        for (key, status) in finals {
            again.heard.clear();
            for _ in 0..4 {
                again.submit(NodeRequest::AskPart(key));
                again.run_ms(100);
            }
            prop_assert!(again.told(key).contains(&status), "{status:?} {:?}", again.told(key));
        }
        again.network.audit().unwrap();
    }
}

fn is_final(status: &PartStatus) -> bool {
    match status {
        PartStatus::Paid { .. } => true,
        // A failure may be a denial of what is paid.
        PartStatus::Failed(failure) => failure.failcode != FailureCode::TemporaryNodeFailure,
        PartStatus::InFlight | PartStatus::NeverArrived | PartStatus::Unknown => false,
    }
}

#[test]
fn an_event_waits_for_the_sync_of_what_led_to_it() {
    let memory = MemoryDisk::new();
    let opened = chain(Settings::default()).open(&disk(&memory), &options(Syncing::Thread, 9_999));
    let mut desk = Desk::new(opened.unwrap().network);
    let part = desk.part("carol", Msat(1_000_000));
    desk.send(&part);
    desk.network.sync().unwrap();
    memory.plan(payecs_journal::Faults {
        fail: Some((Operation::Sync, 1)),
        words: Some("gone".to_owned()),
        ..Default::default()
    });
    desk.run_ms(60_000);
    while desk.network.failure().is_none() {
        std::thread::yield_now();
    }
    desk.run_ms(60_000);
    assert_eq!(desk.told(part.key), [], "the outcome was never durable");
    assert_eq!(desk.node.next_event_at(), None);
    let refused = desk.network.invoice(part.route.hops[1].to, InvoiceRequest::any(), desk.now);
    assert!(matches!(refused, Err(SimError::Log { message }) if message.contains("gone")));
    assert!(matches!(desk.network.sync(), Err(SimError::Log { .. })));
}

#[test]
fn a_full_disk_ends_the_network_without_a_panic() {
    for syncing in [Syncing::Inline, Syncing::Thread] {
        let memory = MemoryDisk::new();
        let mut desk = Desk::new(open(&memory, &little(3), syncing));
        memory.plan(payecs_journal::Faults { capacity_bytes: Some(60_000), ..Default::default() });
        let mut rng = Rng::new(3);
        for step in 0..400 {
            if desk.network.failure().is_some() {
                break;
            }
            if let Ok(invoice) =
                desk.network.invoice(desk.network.others()[1], InvoiceRequest::any(), desk.now)
            {
                drop(desk.network.pay_invoice(desk.network.others()[0], &invoice, 1, desk.now));
            }
            desk.run_ms(rng.below(step + 1) * 1_000);
            drop(desk.network.sync());
        }
        let failure = desk.network.failure().unwrap();
        assert!(failure.contains("full"), "{failure}");
        let us = desk.network.us();
        let part = RemotePart::whole(Preimage([1; 32]).hash(), PaymentSecret([1; 32]), Msat(1));
        assert!(matches!(desk.network.pay_us(us, part, desk.now), Err(SimError::Log { .. })));
    }
}

#[test]
fn another_configuration_or_seed_is_refused_by_name() {
    let memory = MemoryDisk::new();
    drop(open(&memory, &little(3), Syncing::Inline));
    let other_settings = Settings { latency_ms: 1, ..little(3).settings };
    for (config, named) in [
        (little(4), "the seed"),
        (SimConfig { nodes: 10, ..little(3) }, "the number of nodes"),
        (SimConfig { settings: other_settings, ..little(3) }, "a setting of the world"),
        (SimConfig { channels_per_node: 5, ..little(3) }, "the shape of its channels"),
    ] {
        let refused = config.open(&disk(&memory), &options(Syncing::Inline, 1));
        let Err(OpenError::OtherNetwork { differs, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(differs, named);
    }
    let refused = chain(Settings::default()).open(&disk(&memory), &options(Syncing::Inline, 1));
    assert!(matches!(refused, Err(OpenError::OtherNetwork { .. })));
    open(&memory, &little(3), Syncing::Inline).audit().unwrap();
}

#[test]
fn damage_and_a_second_opener_are_told_with_the_place() {
    let memory = MemoryDisk::new();
    let held = open(&memory, &little(3), Syncing::Inline);
    let second = little(3).open(&disk(&memory), &options(Syncing::Inline, 1));
    assert!(matches!(second, Err(OpenError::Journal(Error::Locked { .. }))), "{second:?}");
    drop(held);
    let name = memory.files().into_iter().find(|name| name.starts_with("state/0")).unwrap();
    let mut bytes = memory.bytes(&name).unwrap();
    bytes[200] ^= 1;
    memory.put(&name, &bytes);
    let damaged = little(3).open(&disk(&memory), &options(Syncing::Inline, 1)).unwrap_err();
    assert!(damaged.to_string().contains(&format!("{name} is damaged at byte")), "{damaged}");
}

#[test]
fn no_hash_is_handed_out_twice_though_its_sale_is_forgotten() {
    let (memory, config) = (MemoryDisk::new(), little(5));
    let mut hashes = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let network = open(&memory, &config, Syncing::Thread);
        network.sync().unwrap();
        let kept = memory.fork();
        for _ in 0..3 {
            let payee = network.others()[0];
            let invoice = network.invoice(payee, InvoiceRequest::any(), Timestamp(5)).unwrap();
            let read: lightning_invoice::Bolt11Invoice = invoice.parse().unwrap();
            let hash: &[u8; 32] = read.payment_hash().as_ref();
            assert!(hashes.insert(*hash));
        }
        drop(network);
        for name in kept.files() {
            memory.put(&name, &kept.bytes(&name).unwrap());
        }
    }
    assert_eq!(hashes.len(), 9);
}

/// A world whose crash is one of the network too.
struct Rebooted {
    memory: MemoryDisk,
    desk: Option<Desk>,
}

impl Rebooted {
    fn new() -> Self {
        let memory = MemoryDisk::new();
        let desk = Some(Self::boot(&memory));
        Self { memory, desk }
    }

    fn boot(memory: &MemoryDisk) -> Desk {
        let options = options(Syncing::Inline, 3_000);
        let opened = chain(Settings::default()).open(&disk(memory), &options);
        Desk::new(opened.unwrap().network)
    }

    fn desk(&mut self) -> &mut Desk {
        self.desk.as_mut().unwrap()
    }
}

impl LawWorld for Rebooted {
    fn node(&mut self) -> &mut dyn Node {
        &mut self.desk().node
    }

    fn now(&self) -> Timestamp {
        self.desk.as_ref().unwrap().now
    }

    fn wait(&mut self) -> Vec<NodeEvent> {
        let desk = self.desk();
        let next = desk.node.next_event_at().unwrap();
        desk.now = desk.now.max(next);
        desk.node.poll(desk.now)
    }

    fn payable(&mut self) -> SendPart {
        self.desk().part("carol", Msat(1_000_000))
    }

    fn unpayable(&mut self) -> SendPart {
        let part = self.payable();
        SendPart { payment_secret: Some(PaymentSecret([0; 32])), ..part }
    }

    fn offer(&mut self, preimage: Preimage) {
        self.desk().offer("carol", preimage, Msat(5_000), Msat(5_000));
    }

    fn crash(&mut self) {
        let mut desk = self.desk.take().unwrap();
        self.memory.power_loss(1);
        let opened = chain(Settings::default())
            .open(&disk(&self.memory), &options(Syncing::Inline, 3_000))
            .unwrap();
        desk.node = opened.network.connect(desk.now);
        desk.network = opened.network;
        self.desk = Some(desk);
    }
}

mod laws_over_power_cuts {
    crate::node_laws!(super::Rebooted::new());
}
