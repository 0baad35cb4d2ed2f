//! What crosses the border between the engine and the outside: written down where it crosses, for
//! the auditor, with whether the disk had it by then.

use ecs_systems::{
    planner::Graph,
    port::{
        FailureCode, HtlcId, IncomingHtlc, InvoiceDraft, Node, NodeEvent, NodeReply, NodeRequest,
        NodeView, PartKey, RequestId,
    },
    units::{BlockHeight, PaymentHash, Preimage, Timestamp},
};
use serde::Deserialize as _;
use serde_json::Deserializer;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// Requests of the simulation itself have numbers from here on.
const OWN_REQUESTS: u64 = 1 << 62;

/// Something that crossed.
#[derive(Clone, Debug)]
pub(super) struct Crossing {
    pub(super) at: Timestamp,
    /// The height of the chain by then.
    pub(super) height: BlockHeight,
    pub(super) what: Crossed,
    /// Whether the disk had the record of it, durably.
    pub(super) is_recorded: bool,
}

/// What crossed.
#[derive(Clone, Debug)]
pub(super) enum Crossed {
    /// A part left; its first HTLC expires at `expires`, its last one at `last_expires`.
    Sent { key: PartKey, expires: BlockHeight, last_expires: BlockHeight },
    /// An HTLC came in.
    Offered(IncomingHtlc),
    /// The preimage of an HTLC left.
    Released { htlc: HtlcId, preimage: Preimage },
    /// An HTLC was given back, with what its payer is told; `None`: our node may do with it what it
    /// likes.
    GivenBack { htlc: HtlcId, why: Option<FailureCode> },
}

/// What has crossed, and what the disk has. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Border(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    crossings: Vec<Crossing>,
    durable: Durable,
    /// The height that our node sees, as it said last.
    height: BlockHeight,
    /// Invoices that our node is to sign, and those that it has signed.
    drafts: Vec<(u64, InvoiceDraft)>,
    signed: Vec<(u64, String)>,
    /// How many it was asked to sign, and how many of those were handed on.
    asked: usize,
    told: usize,
}

/// What was made durable, of that which may cross only then.
#[derive(Debug, Default)]
pub(super) struct Durable {
    /// Parts that are recorded to be sent.
    sent: BTreeSet<PartKey>,
    /// Sets whose settling is recorded, by their payment hashes.
    settled: BTreeSet<PaymentHash>,
}

impl Durable {
    /// More is durable: whole records, or files of such.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        // Each object from its first field on.
        for object in bytes.split(|byte| *byte == b'{') {
            if object.starts_with(br#""payment_hash":"#) {
                self.sent.extend(part_key(object));
            } else if let Some(text) = object.strip_prefix(SETTLES) {
                self.settled.extend(PaymentHash::deserialize(&mut Deserializer::from_slice(text)));
            }
        }
    }
}

/// The key that an object of a part begins with.
fn part_key(object: &[u8]) -> Option<PartKey> {
    let field = br#","partid":"#;
    let at = object.windows(field.len()).take(KEY_BYTES_MAX).position(|found| found == field)?;
    let (before, behind) = object.split_at(at.checked_add(field.len())?);
    let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // A key by itself is no part.
    let number = behind.get(..digits).filter(|_| behind.get(digits) == Some(&b','))?;
    serde_json::from_slice(&[b"{", before, number, b"}"].concat()).ok()
}

/// More than a key has before its last field.
const KEY_BYTES_MAX: usize = 200;

/// What the line of a set that is settled begins with, up to its payment hash.
const SETTLES: &[u8] = br#""entry":"settle_set","payment_hash":"#;

impl Border {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has crossed since this was last asked.
    pub(super) fn take(&self) -> Vec<Crossing> {
        std::mem::take(&mut self.lock().crossings)
    }

    /// Changes what is known to be durable.
    pub(super) fn durable(&self, change: impl FnOnce(&mut Durable)) {
        change(&mut self.lock().durable);
    }

    /// The height that our node sees.
    pub(super) fn height(&self) -> BlockHeight {
        self.lock().height
    }

    /// Has our node sign an invoice, for the deed with that number.
    pub(super) fn sign(&self, deed: u32, draft: InvoiceDraft) {
        let mut inner = self.lock();
        inner.asked += 1;
        inner.drafts.push((u64::from(deed), draft));
    }

    /// Whether our node is still to sign something, or has.
    pub(super) fn waits(&self) -> bool {
        let inner = self.lock();
        inner.asked > inner.told
    }

    /// What our node has signed since this was last asked, each with the number of its deed.
    pub(super) fn signed(&self) -> Vec<(u32, String)> {
        let mut inner = self.lock();
        inner.told += inner.signed.len();
        let signed = std::mem::take(&mut inner.signed).into_iter();
        signed.filter_map(|(deed, invoice)| Some((u32::try_from(deed).ok()?, invoice))).collect()
    }

    fn cross(&self, at: Timestamp, height: BlockHeight, what: Crossed) {
        let mut inner = self.lock();
        let is_recorded = match &what {
            Crossed::Sent { key, .. } => inner.durable.sent.contains(key),
            Crossed::Released { preimage, .. } => inner.durable.settled.contains(&preimage.hash()),
            Crossed::Offered(_) | Crossed::GivenBack { .. } => true,
        };
        inner.crossings.push(Crossing { at, height, what, is_recorded });
    }
}

/// The last of ours before the network.
pub(super) struct Watched {
    node: Box<dyn Node>,
    border: Border,
}

impl Watched {
    pub(super) fn new(node: Box<dyn Node>, border: Border) -> Self {
        Self { node, border }
    }

    fn see(&self, request: &NodeRequest, now: Timestamp) {
        let height = self.node.view().height;
        let after = |blocks: u32| BlockHeight(height.0.saturating_add(blocks));
        let what = match request {
            NodeRequest::SendPart(part) => {
                let hops = &part.route.hops;
                let from = part.height.0.saturating_sub(height.0);
                let blocks = |hop: Option<&ecs_systems::planner::Hop>| {
                    after(from.saturating_add(hop.map_or(0, |hop| hop.cltv_blocks.0)))
                };
                let (expires, last_expires) = (blocks(hops.first()), blocks(hops.last()));
                Crossed::Sent { key: part.key, expires, last_expires }
            }
            NodeRequest::SettleHtlc { htlc, preimage } => {
                Crossed::Released { htlc: *htlc, preimage: *preimage }
            }
            NodeRequest::FailHtlc { htlc, failcode } => {
                Crossed::GivenBack { htlc: *htlc, why: Some(*failcode) }
            }
            NodeRequest::ContinueHtlc(htlc) => Crossed::GivenBack { htlc: *htlc, why: None },
            NodeRequest::AskPart(_)
            | NodeRequest::ListParts { .. }
            | NodeRequest::ListIncoming
            | NodeRequest::SignInvoice(_)
            | NodeRequest::Decode(_)
            | NodeRequest::Preapprove(_)
            | NodeRequest::Balances => return,
        };
        self.border.cross(now, height, what);
    }

    /// Hands on what the simulation itself wants to have signed.
    fn have_signed(&mut self, now: Timestamp) {
        let drafts = std::mem::take(&mut self.border.lock().drafts);
        for (deed, draft) in drafts {
            let id = RequestId(OWN_REQUESTS + deed);
            self.node.submit(id, NodeRequest::SignInvoice(draft), now);
        }
    }

    /// Whether that is for the engine.
    fn hear(&self, event: &NodeEvent, now: Timestamp) -> bool {
        match event {
            NodeEvent::Reply { id, reply } if id.0 >= OWN_REQUESTS => {
                if let Ok(NodeReply::Invoice(invoice)) = reply {
                    self.border.lock().signed.push((id.0 - OWN_REQUESTS, invoice.clone()));
                }
                return false;
            }
            NodeEvent::Incoming(htlc) => {
                let what = Crossed::Offered(htlc.clone());
                self.border.cross(now, self.node.view().height, what);
            }
            NodeEvent::Reply { .. }
            | NodeEvent::Part { .. }
            | NodeEvent::HtlcResolved { .. }
            | NodeEvent::ViewChanged
            | NodeEvent::GraphChanged(_) => {}
        }
        true
    }
}

impl Node for Watched {
    fn view(&self) -> &NodeView {
        self.node.view()
    }

    fn graph(&self) -> Arc<Graph> {
        self.node.graph()
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        self.see(&request, now);
        self.node.submit(id, request, now);
    }

    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent> {
        self.have_signed(now);
        let events = self.node.poll(now);
        self.border.lock().height = self.node.view().height;
        events.into_iter().filter(|event| self.hear(event, now)).collect()
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let waits = !self.border.lock().drafts.is_empty();
        // At once: what is to be signed is handed on with the next poll.
        if waits { Some(Timestamp(0)) } else { self.node.next_event_at() }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.node.set_waker(waker);
    }
}
