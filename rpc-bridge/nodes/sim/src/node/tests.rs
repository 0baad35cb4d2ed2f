use crate::{
    BalanceModel, Fact, Faults, InvoiceRequest, OurChannels, PartState, RemotePart, Settings,
    SimConfig, SimNetwork,
    fixture::{Desk, every_fault},
    laws::LawWorld,
};
use ecs_systems::{
    port::{Node, NodeEvent, NodeRequest, PartStatus, SendPart},
    units::{Blocks, Msat, PaymentSecret, Preimage, Seconds, Timestamp},
};
use proptest::prelude::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

struct ChainWorld(Desk);

impl LawWorld for ChainWorld {
    fn node(&mut self) -> &mut dyn Node {
        &mut self.0.node
    }

    fn now(&self) -> Timestamp {
        self.0.now
    }

    fn wait(&mut self) -> Vec<NodeEvent> {
        let next = self.0.node.next_event_at().unwrap();
        self.0.now = self.0.now.max(next);
        self.0.node.poll(self.0.now)
    }

    fn payable(&mut self) -> SendPart {
        self.0.part("carol", Msat(1_000_000))
    }

    fn unpayable(&mut self) -> SendPart {
        let part = self.payable();
        SendPart { payment_secret: Some(PaymentSecret([0; 32])), ..part }
    }

    fn offer(&mut self, preimage: Preimage) {
        self.0.offer("carol", preimage, Msat(5_000), Msat(5_000));
    }

    fn crash(&mut self) {
        self.0.node = self.0.network.connect(self.0.now);
    }
}

mod laws {
    mod well_behaved {
        use super::super::{ChainWorld, Desk};
        crate::node_laws!(ChainWorld(Desk::chain()));
    }
    mod slow_and_stammering {
        use super::super::{ChainWorld, Desk, bad_day};
        use crate::fixture::chain;
        crate::node_laws!(ChainWorld(Desk::new(chain(bad_day()).build().unwrap())));
    }
}

/// Nothing that breaks a law, but everything that is unpleasant.
fn bad_day() -> Settings {
    let faults = Faults {
        duplicate_event_ppm: 500_000,
        reorder_event_ppm: 300_000,
        late_ppm: 200_000,
        late_ms: 700,
        stuck_ppm: 300_000,
        stuck_for: Seconds(5),
        ..Faults::default()
    };
    Settings { answer_ms: 50, faults, ..Settings::default() }
}

fn little(seed: u64, balances: BalanceModel) -> SimConfig {
    let faults = every_fault();
    let settings = Settings { faults, ..Settings::default() };
    let ours = OurChannels { slots: 3, ..SimConfig::default().ours };
    SimConfig {
        nodes: 12,
        seed,
        channels_per_node: 4,
        balances,
        settings,
        ours,
        ..SimConfig::default()
    }
}

/// Payments in every direction for some time; what the desk heard and the network knows.
fn traffic(config: SimConfig, payments: u64) -> Desk {
    let mut desk = Desk::new(SimNetwork::new(config).unwrap());
    let (us, others) = (desk.network.us(), desk.network.others());
    let mut rng = payecs_planner::Rng::new(3);
    for round in 0..payments {
        let mut draw = || others[usize::try_from(rng.below(others.len() as u64)).unwrap()];
        let (from, payee) = (draw(), draw());
        let amount = Msat(1_000 + rng.below(3_000_000_000));
        let now = desk.now;
        let invoice = desk.network.invoice(payee, InvoiceRequest::of(amount), now).unwrap();
        let route = desk.network.route(us, payee, amount, Blocks(20), now);
        if route.is_some() {
            let part = desk.part_for(&invoice, amount);
            desk.send(&part);
        }
        let _ = desk.network.pay_invoice(from, &invoice, 2, now);
        let preimage = Preimage([u8::try_from(round).unwrap(); 32]);
        let part = RemotePart::whole(preimage.hash(), PaymentSecret([1; 32]), amount);
        if desk.network.pay_us(from, part, now).is_ok() && round % 2 == 0 {
            desk.run_ms(3_000);
            settle_all(&mut desk, preimage);
        }
        match round % 5 {
            3 => desk.network.restart(desk.now),
            4 => desk.node = desk.network.connect(desk.now),
            _ => {}
        }
        desk.run_ms(200);
        desk.network.audit().unwrap();
    }
    desk
}

fn settle_all(desk: &mut Desk, preimage: Preimage) {
    let offered = desk.offered().into_iter();
    for htlc in offered.filter(|htlc| htlc.payment_hash == preimage.hash()) {
        let htlc = htlc.htlc;
        desk.submit(NodeRequest::SettleHtlc { htlc, preimage });
    }
}

fn ours(network: &SimNetwork) -> u64 {
    network.our_balance().iter().map(|channel| channel.1.0).sum()
}

/// What our parts took and what HTLCs to us brought, by the log.
fn turnover(network: &SimNetwork) -> (u64, u64) {
    let (mut spent, mut earned) = (0, 0);
    for record in network.truth(0) {
        if let Fact::PartPaid { sent_msat, .. } = record.fact {
            spent += sent_msat.0;
        }
        if let Fact::IncomingResolved { amount_msat, settled: true, .. } = record.fact {
            earned += amount_msat.0;
        }
    }
    (spent, earned)
}

fn what_our_node_says_is_the_truth(desk: &mut Desk) {
    let hashes = desk.network.truth(0).into_iter().filter_map(|record| {
        let Fact::PartSubmitted { key, .. } = record.fact else { return None };
        Some(key)
    });
    for key in hashes {
        desk.heard.clear();
        desk.submit(NodeRequest::AskPart(key));
        desk.run_ms(0);
        let told = desk.told(key).pop().unwrap();
        let truth = desk.network.payment(key.payment_hash).parts[&key].clone();
        match truth.state {
            PartState::Paid => {
                let spent = truth.sent_msat;
                assert!(matches!(told, PartStatus::Paid { spent_msat, .. } if spent_msat == spent));
            }
            PartState::Failed(failure) => assert_eq!(told, PartStatus::Failed(failure)),
            PartState::InFlight => panic!("nothing is in flight"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn money_is_neither_made_nor_lost_under_random_traffic(seed: u64, bimodal: bool) {
        let balances = if bimodal { BalanceModel::Bimodal } else { BalanceModel::Uniform };
        let config = little(seed, balances);
        let before = ours(&SimNetwork::new(config.clone()).unwrap());
        let mut desk = traffic(config, 20);
        desk.run_ms(600_000 * 300);
        prop_assert_eq!(desk.network.audit(), Ok(()));
        prop_assert_eq!(desk.network.in_flight(), 0);
        let (spent, earned) = turnover(&desk.network);
        prop_assert_eq!(ours(&desk.network) + spent, before + earned);
        what_our_node_says_is_the_truth(&mut desk);
    }
}

#[test]
fn the_same_seed_gives_the_same_truth_and_another_seed_another() {
    let run = |seed| {
        let desk = traffic(little(seed, BalanceModel::Uniform), 40);
        (desk.network.truth(0), desk.heard)
    };
    let first = run(5);
    let count = |is: fn(&Fact) -> bool| first.0.iter().filter(|record| is(&record.fact)).count();
    assert!(count(|fact| matches!(fact, Fact::PartPaid { .. })) > 0);
    assert!(count(|fact| matches!(fact, Fact::PartFailed { .. })) > 0);
    assert!(count(|fact| matches!(fact, Fact::Forwarded { .. })) > 0);
    assert!(count(|fact| matches!(fact, Fact::IncomingResolved { settled: true, .. })) > 0);
    assert!(first == run(5));
    assert!(first != run(6));
}

/// Counts how often it was called.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_runs_our_node_is_told_when_others_begin_to_pay() {
    let network = SimNetwork::new(SimConfig::default()).unwrap();
    let now = Timestamp(1);
    let mut node = network.connect(now);
    let woken = Arc::new(Woken::default());
    node.set_waker(Waker::from(Arc::clone(&woken)));
    let part = RemotePart::whole(Preimage([1; 32]).hash(), PaymentSecret([1; 32]), Msat(1_000));
    let others = network.others();
    let begun =
        others.iter().filter(|from| network.pay_us(**from, part.clone(), now).is_ok()).count();
    assert!(begun > 0, "somebody has a way to us");
    assert!(woken.0.load(Ordering::Relaxed) >= begun);
}
