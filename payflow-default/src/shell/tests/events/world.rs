//! A program that pays and is paid, and those who listen to it.

use super::*;
use ecs_systems::units::{PaymentHash, PaymentSecret};
use node_sim::RemotePart;
use std::collections::{BTreeMap, BTreeSet};

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
pub(super) enum Act {
    /// Pays what is small, more than there is, what is no invoice, or what was paid last.
    Pay(u8),
    /// Is paid: what a paycode asks for, an invoice, or an invoice of its own.
    Receive(u8),
    /// Deletes what was paid last, if it is paid.
    Delete,
    /// The subscribers come, hear so many, and go.
    Hear(usize),
    /// The next pages are asked for.
    Ask(u64),
    /// The process is killed; with a seed, the power goes too.
    Kill(Option<u64>),
}

pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..4_u8).prop_map(Act::Pay),
        3 => (0..3_u8).prop_map(Act::Receive),
        1 => Just(Act::Delete),
        2 => (0..4_usize).prop_map(Act::Hear),
        2 => (1..4_u64).prop_map(Act::Ask),
        1 => proptest::option::of(0..9_u64).prop_map(Act::Kill),
    ];
    proptest::collection::vec(act, 1..30)
}

/// A program, and what it knows.
pub(super) struct World {
    pub(super) network: SimNetwork,
    pub(super) disk: MemoryDisk,
    listeners: [Listener; 4],
    /// What it was told in pages, and how far.
    told: Vec<Event>,
    cursor: u64,
    /// The payments that must end.
    started: BTreeSet<EntityId>,
    paid_last: Option<String>,
    /// What must be told of receipts that are paid, by hash.
    received: BTreeMap<String, Receipt>,
    received_last: Option<String>,
}

/// What is told of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Receipt {
    amount_msat: Option<u64>,
    label: Option<String>,
    to_self: bool,
}

/// What somebody who makes a paycode or an invoice is answered.
#[derive(Deserialize)]
struct Made {
    payment_hash: PaymentHash,
    payment_secret: PaymentSecret,
    bolt11: Option<String>,
}

impl World {
    pub(super) fn new() -> Self {
        let listeners =
            [Topic::PaySuccess, Topic::PayFailure, Topic::PaycodePayment, Topic::InvoicePayment]
                .map(Listener::of);
        Self {
            network: network(),
            disk: MemoryDisk::new(),
            listeners,
            told: Vec::new(),
            cursor: 0,
            started: BTreeSet::new(),
            paid_last: None,
            received: BTreeMap::new(),
            received_last: None,
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

    async fn receive(&mut self, handle: &Handle, kind: u8) {
        let (count, msat) = (self.received.len(), 20_000 + self.received.len() as u64);
        let label = (kind > 0).then(|| format!("tea{count}"));
        let (name, params) = match &label {
            None => ("paycode", format!("[{msat}]")),
            Some(label) => ("invoice", format!("[{msat},\"{label}\",\"tea\"]")),
        };
        let params = Some(Json::parse(&params).unwrap());
        let made = handle.call_method(Caller::owner(), name, params).await.unwrap();
        let made: Made = made.decode().unwrap();
        let to_self = kind == 2;
        if to_self {
            let write = Write::here().attach(&Invoice(Json::of(&made.bolt11.unwrap())));
            let started = handle.call(move |driver, now| driver.start_payment(now, write)).await;
            self.started.insert(started.unwrap().unwrap());
        } else {
            let carol = self.network.id("carol").unwrap();
            let now = handle.call(|_, now| now).await.unwrap();
            let part = RemotePart::whole(made.payment_hash, made.payment_secret, Msat(msat));
            self.network.pay_us(carol, part, now).unwrap();
        }
        let hash = made.payment_hash.to_string();
        self.received_last = Some(hash.clone());
        self.received.insert(hash, Receipt { amount_msat: Some(msat), label, to_self });
    }

    async fn delete(&self, handle: &Handle) {
        let Some(hash) = &self.received_last else { return };
        let params = Some(Json::of(&(hash, "paid")));
        let deleted = handle.call_method(Caller::owner(), "delpaycode", params).await;
        if let Err(error) = deleted {
            assert!([905, 906].contains(&error.code), "{error:?}");
        }
    }

    async fn ask(&mut self, handle: &Handle, limit: u64, timeout_s: u64) {
        let params = format!("[{},{limit},{timeout_s}]", self.cursor);
        let page = page(handle, &params).await.unwrap();
        assert!(page.cursor >= self.cursor && page.events.len() as u64 <= limit);
        self.told.extend(page.events);
        self.cursor = page.cursor;
    }

    /// What happens until the next kill, or the end; whether it was the end.
    pub(super) async fn live(
        &mut self,
        handle: &Handle,
        acts: &mut std::vec::IntoIter<Act>,
    ) -> bool {
        for act in acts {
            match act {
                Act::Pay(kind) => self.pay(handle, kind).await,
                Act::Receive(kind) => self.receive(handle, kind).await,
                Act::Delete => self.delete(handle).await,
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
            let ended: BTreeSet<_> = self.told.iter().filter_map(|event| event.entity).collect();
            let received = self.told.iter().filter(|event| event.entity.is_none()).count();
            if self.started.is_subset(&ended) && received >= self.received.len() {
                break;
            }
            let World { told, started, received, .. } = self;
            assert!(round < 1_000, "{told:?} of {started:?} and {received:?}");
            self.ask(handle, 3, 10).await;
        }
        let all = in_pages_of(handle, 1_000).await;
        let (ends, receipts): (Vec<_>, Vec<_>) = all.iter().partition(|it| it.entity.is_some());
        let entities: BTreeSet<_> = ends.iter().map(|event| event.entity).collect();
        assert_eq!(entities.len(), ends.len(), "each ends once: {all:?}");
        assert_eq!(receipts.len(), self.received.len(), "each is paid once: {all:?}");
        for event in receipts {
            let Event { amount_msat, to_self, .. } = *event;
            let told = Receipt { amount_msat, label: event.label.clone(), to_self };
            let hash = event.payment_hash.as_ref().unwrap();
            assert_eq!(Some(&told), self.received.get(hash), "{event:?}");
            let named = if told.label.is_some() { "invoice_payment" } else { "paycode_payment" };
            assert_eq!(event.kind, named);
        }
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
