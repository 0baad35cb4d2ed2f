//! The Lightning node: parts go out, HTLCs come in.

use super::{CustomTlv, Failure, NodeView};
use payecs_planner::{Graph, GraphDelta, Route, RouteHint};
use payecs_units::{
    BlockHeight, Blocks, GroupId, Msat, NodeId, PartId, PaymentHash, PaymentSecret, Preimage,
    Seconds, ShortChannelId, Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{sync::Arc, task::Waker};

/// Ties a reply to its request. Chosen by the caller, unique among the outstanding ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// What a node knows a part by: an idempotency key where [`super::Capabilities::idempotent_parts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartKey {
    /// The hash that is paid.
    pub payment_hash: PaymentHash,
    /// The attempt.
    #[serde(rename = "groupid")]
    pub group_id: GroupId,
    /// The part.
    #[serde(rename = "partid")]
    pub part_id: PartId,
}

/// An HTLC to offer along a given route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendPart {
    /// Its key.
    #[serde(flatten)]
    pub key: PartKey,
    /// The way; expiries count from `height`.
    pub route: Route,
    /// The height the route's expiries count from.
    pub height: BlockHeight,
    /// What the payee is to get over all parts (BOLT 4 `total_msat`).
    pub total_msat: Msat,
    /// From the invoice; absent for a payment without one.
    pub payment_secret: Option<PaymentSecret>,
    /// From the invoice, as hexadecimal digits; goes into the last payload.
    pub payment_metadata: Option<String>,
    /// The invoice, for the node's own records.
    pub invoice: Option<String>,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartStatus {
    /// The payee released the preimage. Final.
    Paid {
        /// It hashes to the payment hash, or the driver refuses the answer.
        preimage: Preimage,
        /// What left us, fees included.
        spent_msat: Msat,
    },
    /// The HTLC is gone without the preimage. Final.
    Failed(Failure),
    /// The HTLC is out.
    InFlight,
    /// The node has no such part and never had: an authoritative answer, given only by a node that
    /// would know. The same part may be sent again where `idempotent_parts`.
    NeverArrived,
    /// Nobody can say. Never sent again and never written off.
    Unknown,
}

/// A part as the node's own list has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Its key.
    #[serde(flatten)]
    pub key: PartKey,
    /// The channel it leaves through.
    pub short_channel_id: ShortChannelId,
    /// Who is paid, where the node knows.
    pub destination: Option<NodeId>,
    /// What the payee gets of it.
    pub amount_msat: Msat,
    /// What leaves us.
    pub sent_msat: Msat,
    /// What became of it.
    pub status: PartStatus,
    /// Its place in the node's list: ask for the next page after it. The first part that was ever
    /// sent has 1, each next one more, and none changes. A node may forget what is over, but not
    /// its last part: so who reads the list sees by a gap that there was more.
    pub created_index: u64,
}

/// An HTLC by its channel and number, as both ends count them (BOLT 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HtlcId {
    /// The channel it came in on.
    pub short_channel_id: ShortChannelId,
    /// Its number there.
    pub id: u64,
}

/// An HTLC that wants to be settled by us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingHtlc {
    /// Which one.
    pub htlc: HtlcId,
    /// What it is locked to.
    pub payment_hash: PaymentHash,
    /// What it is worth.
    pub amount_msat: Msat,
    /// The height it expires at.
    pub cltv_expiry: BlockHeight,
    /// What the sender says all parts sum to (BOLT 4 `total_msat`).
    pub total_msat: Msat,
    /// From the onion.
    pub payment_secret: Option<PaymentSecret>,
    /// From the onion, as hexadecimal digits.
    pub payment_metadata: Option<String>,
    /// The other records of the onion that are not BOLT's, in the order of their types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tlvs: Vec<CustomTlv>,
    /// Whether the node has offered it before (it does so after a restart): answer as before.
    pub replayed: bool,
}

/// What an invoice is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceDescription {
    /// In words, of 639 bytes at most (BOLT 11, field `d`).
    Text(String),
    /// By the SHA-256 of words that the payer has from elsewhere (BOLT 11, field `h`), as
    /// hexadecimal digits.
    Hash(String),
}

impl InvoiceDescription {
    /// By the hash of these words.
    /// ```
    /// use ecs_systems::port::InvoiceDescription;
    ///
    /// let InvoiceDescription::Hash(hash) = InvoiceDescription::hash_of("tea") else { panic!() };
    /// assert!(hash.starts_with("a9f7"), "{hash}");
    /// ```
    #[must_use]
    pub fn hash_of(text: &str) -> Self {
        Self::Hash(hex::encode(Sha256::digest(text)))
    }
}

/// What an invoice is to say; the node signs it and stores nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceDraft {
    /// What it is locked to.
    pub payment_hash: PaymentHash,
    /// The secret payers must show.
    pub payment_secret: PaymentSecret,
    /// What to pay; absent: the payer chooses.
    pub amount_msat: Option<Msat>,
    /// What for.
    pub description: InvoiceDescription,
    /// When it is made.
    pub created_at: Timestamp,
    /// How long it holds.
    pub expiry: Seconds,
    /// Blocks the last HTLC must have left.
    pub min_final_cltv: Blocks,
    /// Addresses of the node's chain where it may be paid too, the best first.
    pub fallbacks: Vec<String>,
    /// Ways in over channels that aren't announced.
    pub hints: Vec<RouteHint>,
    /// Comes back in the HTLCs, as hexadecimal digits.
    pub payment_metadata: Option<String>,
}

/// What a signer is asked before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preapproval {
    /// The hash that would be paid.
    pub payment_hash: PaymentHash,
    /// Who would get it.
    pub destination: NodeId,
    /// How much.
    pub amount_msat: Msat,
    /// The invoice, if there is one.
    pub invoice: Option<String>,
}

/// What a node is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRequest {
    /// Offer an HTLC. No reply: its outcome is a [`NodeEvent::Part`].
    SendPart(SendPart),
    /// What became of a part? Answered by a [`NodeEvent::Part`].
    AskPart(PartKey),
    /// The parts after `after` in the node's own order, `limit` at most.
    ListParts {
        /// The `created_index` of the last one known; 0 for all.
        after: u64,
        /// Most records in the answer.
        limit: u32,
    },
    /// The HTLCs that wait for our word. Each comes again as a [`NodeEvent::Incoming`]; the reply
    /// comes after all of them.
    ListIncoming,
    /// Release a preimage for an HTLC. Settling twice is one settlement; of one that is off the
    /// channel the [`NodeEvent::HtlcResolved`] comes again.
    SettleHtlc {
        /// Which one.
        htlc: HtlcId,
        /// It hashes to the HTLC's hash.
        preimage: Preimage,
    },
    /// Give an HTLC back. Failing twice is one failure, told as settling twice is.
    FailHtlc {
        /// Which one.
        htlc: HtlcId,
        /// What to say.
        failcode: super::FailureCode,
    },
    /// Let the node treat an HTLC as if we weren't there; nodes without that fail it.
    ContinueHtlc(HtlcId),
    /// Sign an invoice.
    SignInvoice(InvoiceDraft),
    /// Decode what is not BOLT 11; the reply has the fields of Core Lightning's `decode`.
    Decode(String),
    /// Ask the signer.
    Preapprove(Preapproval),
    /// Balances of all channels, at the height that the answer names.
    Balances,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeReply {
    /// Done; for the requests that have nothing to tell.
    Done,
    /// To [`NodeRequest::ListParts`].
    Parts(Vec<PartRecord>),
    /// To [`NodeRequest::SignInvoice`]: the invoice.
    Invoice(String),
    /// To [`NodeRequest::Decode`]: the fields as JSON text.
    Decoded(String),
    /// To [`NodeRequest::Preapprove`].
    Preapproved,
    /// To [`NodeRequest::Balances`]: what is ours in each channel, HTLCs not counted.
    Balances {
        /// The height the balances belong to.
        height: BlockHeight,
        /// Channel and balance.
        channels: Vec<(ShortChannelId, Msat)>,
    },
}

/// Why a request wasn't done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum NodeError {
    /// The node said no; asking again gives the same answer.
    #[error("the node refused: {message}")]
    Refused {
        /// Its own code.
        code: i32,
        /// Its own words.
        message: String,
    },
    /// The node cannot do this at all: see `Capabilities`.
    #[error("the node cannot {what}")]
    Unsupported {
        /// The request.
        what: String,
    },
    /// The node could not be reached, or the answer was lost. Says nothing about what happened.
    #[error("the node gave no answer: {message}")]
    Transport {
        /// What the connection said.
        message: String,
    },
}

/// What a node tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeEvent {
    /// The answer to a request.
    Reply {
        /// The request.
        id: RequestId,
        /// The answer.
        reply: Result<NodeReply, NodeError>,
    },
    /// A part's state: unasked when it becomes final, and as the answer to `AskPart`.
    Part {
        /// Which part.
        key: PartKey,
        /// Its state.
        status: PartStatus,
    },
    /// An HTLC waits for our word.
    Incoming(IncomingHtlc),
    /// An HTLC that we settled or failed is off the channel for good.
    HtlcResolved {
        /// Which one.
        htlc: HtlcId,
        /// Whether the money is ours.
        settled: bool,
    },
    /// [`Node::view`] has changed.
    ViewChanged,
    /// The network's graph has changed; the planner applies it in this order.
    GraphChanged(Vec<GraphDelta>),
}

/// A Lightning node.
///
/// Sans I/O: requests are submitted, events are polled, and no call waits. A backend with threads
/// of its own keeps a queue behind this and calls the waker. The laws are `node_laws!`:
///
/// * Every submitted request but `SendPart` and `AskPart` gets exactly one `Reply`.
/// * An HTLC that was settled or failed is told to be resolved as often as the word is given again.
/// * Every part that was submitted gets at least one `Part` event with a final status, or
///   `Unknown`; the first final status never changes, however often it is asked for.
/// * Submitting the same part twice is one HTLC where `idempotent_parts`; elsewhere the caller must
///   not do it, and the node may fail the second.
/// * `NeverArrived` is only ever said of a part that was not submitted.
/// * What `poll` returned is not returned again.
/// * The answer to `Balances` comes after the `Part` events of whatever it counts.
pub trait Node: Send {
    /// Our node as of its last word.
    fn view(&self) -> &NodeView;

    /// The graph as of now; cheap.
    fn graph(&self) -> Arc<Graph>;

    /// Takes a request. Never blocks; trouble is an event.
    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp);

    /// The events up to `now`, in order. `now` never goes back.
    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent>;

    /// When the next event is due, for a backend that lives on a virtual clock. `None`: nothing is
    /// under way, or the backend calls the waker.
    fn next_event_at(&self) -> Option<Timestamp>;

    /// Called when an event arrives between polls. Backends on a virtual clock ignore it.
    fn set_waker(&mut self, waker: Waker);
}
