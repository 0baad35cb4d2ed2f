//! What crosses the border between the engine and the outside: written down where it crosses, for
//! the auditor, with whether the disk had it by then.

use ecs_systems::{
    planner::Graph,
    port::{
        HtlcId, InvoiceDraft, Node, NodeEvent, NodeReply, NodeRequest, NodeView, PartKey, RequestId,
    },
    units::{BlockHeight, PaymentHash, Preimage, Timestamp},
};
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
    Offered { htlc: HtlcId, payment_hash: PaymentHash, expires: BlockHeight },
    /// The preimage of an HTLC left.
    Released { htlc: HtlcId, preimage: Preimage },
    /// An HTLC was given back.
    GivenBack { htlc: HtlcId },
}

/// What has crossed, and what the disk has. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Border(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    crossings: Vec<Crossing>,
    durable: Durable,
    /// Parts whose record was durable when they left first: it is for ever.
    sent: BTreeSet<PartKey>,
    /// The same of preimages, by their hashes.
    released: BTreeSet<PaymentHash>,
    /// Invoices that our node is to sign, and those that it has signed.
    drafts: Vec<(u64, InvoiceDraft)>,
    signed: Vec<(u64, String)>,
    /// How many it was asked to sign, and how many of those were handed on.
    asked: usize,
    told: usize,
}

/// The end of what was made durable.
#[derive(Debug, Default)]
pub(super) struct Durable {
    bytes: Vec<u8>,
}

/// So much of what was made durable is looked at: what crosses was recorded shortly before.
const DURABLE_BYTES_MAX: usize = 1 << 20;

impl Durable {
    /// More is durable.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.bytes.len() > DURABLE_BYTES_MAX {
            self.bytes.drain(..DURABLE_BYTES_MAX / 2);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether that text is in it; the latest is looked at first.
    pub(super) fn has(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let last = text.last().copied().unwrap_or_default();
        let ends = self.bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == last);
        ends.map(|(at, _)| &self.bytes[..=at]).any(|until| until.ends_with(text))
    }
}

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
        let inner = &mut *self.lock();
        let is_recorded = match &what {
            Crossed::Sent { key, .. } => {
                let text = serde_json::to_string(key).expect("a key is an object");
                let text = format!("{},", text.trim_end_matches('}'));
                inner.sent.contains(key) || (inner.durable.has(&text) && inner.sent.insert(*key))
            }
            Crossed::Released { preimage, .. } => {
                let hash = preimage.hash();
                let text = format!(r#""entry":"settle_set","payment_hash":"{hash}""#);
                inner.released.contains(&hash)
                    || (inner.durable.has(&text) && inner.released.insert(hash))
            }
            Crossed::Offered { .. } | Crossed::GivenBack { .. } => true,
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
            NodeRequest::FailHtlc { htlc, .. } | NodeRequest::ContinueHtlc(htlc) => {
                Crossed::GivenBack { htlc: *htlc }
            }
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
                let what = Crossed::Offered {
                    htlc: htlc.htlc,
                    payment_hash: htlc.payment_hash,
                    expires: htlc.cltv_expiry,
                };
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
