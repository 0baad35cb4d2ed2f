//! A simulated Lightning network behind the `Node` port.
//!
//! Seeded, deterministic, and without a clock of its own: any number of nodes up to 250 000, made
//! up ([`SimConfig`]), of a graph ([`OverGraph`]) or by hand ([`SimBuilder`]); hidden balances,
//! policies and HTLC slots; HTLCs that lock money hop by hop and are checked by each node as BOLT 4
//! says, at a cost that does not depend on the size of the network; payees with real BOLT 11
//! invoices; faults by chance ([`Faults`]) or by script ([`Script`]); and a log of what really
//! happened, for auditors.
//!
//! A network lives in memory ([`SimNetwork::new`], [`SimBuilder::build`]) without any I/O, or on a
//! disk of its own ([`SimConfig::open`], [`SimBuilder::open`]), where it outlives the process: its
//! log has the inputs that changed it, and a network made again from them is the same. What is
//! over leaves memory: [`REMEMBERED`] says how much our node still knows of the past, and
//! [`audit_disk`] reads all of it.
//!
//! ```
//! use ecs_systems::{
//!     port::{Node, NodeEvent, NodeRequest, PartKey, PartStatus, RequestId, SendPart},
//!     units::{Blocks, GroupId, Msat, PartId, PaymentHash, PaymentSecret, Timestamp},
//! };
//! use node_sim::{InvoiceRequest, SimBuilder, policy};
//!
//! // A network of three; alice is us.
//! let (size, half) = (Msat(1_000_000_000), Msat(500_000_000));
//! let network = SimBuilder::new(1)
//!     .node("alice")
//!     .node("bob")
//!     .node("carol")
//!     .channel("alice", "bob", size, half, policy(0, 0), policy(0, 0))
//!     .channel("bob", "carol", size, half, policy(1_000, 10), policy(0, 0))
//!     .us("alice")
//!     .build()?;
//! let now = Timestamp::from_unix_seconds(1_700_000_000);
//! let mut node = network.connect(now);
//!
//! // An invoice, a route, a part.
//! let carol = network.id("carol")?;
//! let invoice = network.invoice(carol, InvoiceRequest::of(Msat(100_000)), now)?;
//! let read: lightning_invoice::Bolt11Invoice = invoice.parse()?;
//! let route = network.route(network.us(), carol, Msat(100_000), Blocks(20), now).ok_or("none")?;
//! let hash: &[u8; 32] = read.payment_hash().as_ref();
//! let payment_hash = PaymentHash(*hash);
//! let key = PartKey { payment_hash, group_id: GroupId(1), part_id: PartId(1) };
//! let part = SendPart {
//!     key,
//!     route,
//!     height: network.height(now),
//!     total_msat: Msat(100_000),
//!     payment_secret: Some(PaymentSecret(read.payment_secret().0)),
//!     payment_metadata: None,
//!     invoice: Some(invoice),
//! };
//! node.submit(RequestId(1), NodeRequest::SendPart(part), now);
//!
//! // The clock jumps from event to event until the part is final.
//! let status = loop {
//!     let next = node.next_event_at().ok_or("nothing is under way")?;
//!     let outcome = node.poll(next).into_iter().find_map(|event| match event {
//!         NodeEvent::Part { key: part, status } if part == key => Some(status),
//!         _ => None,
//!     });
//!     if let Some(status) = outcome {
//!         break status;
//!     }
//! };
//! assert!(matches!(status, PartStatus::Paid { spent_msat: Msat(101_001), .. }));
//! assert_eq!(network.payment(key.payment_hash).received_in_all(), Msat(100_000));
//! network.audit()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod settings;
mod config;
mod builder;
mod over;
mod assemble;
mod network;
mod node;
mod state;
mod keys;
mod channel;
mod flight;
mod onion;
mod told;
mod forward;
mod payee;
mod ours;
mod tell;
mod request;
mod remote;
mod invoice;
mod path;
mod fault;
mod script;
mod late;
mod truth;
mod audit;
mod input;
mod change;
mod image;
mod pairs;
mod keeper;
mod made;
mod graph_file;
mod open;
mod past;
pub mod laws;
#[cfg(test)]
mod fixture;

pub use builder::{SimBuilder, policy};
pub use config::{BalanceModel, OUR_NAME, OurChannels, SimConfig};
pub use error::SimError;
pub use flight::RemoteId;
pub use invoice::InvoiceRequest;
pub use made::Made;
pub use network::SimNetwork;
pub use node::SimNode;
pub use open::{OpenError, Opened, Options, Syncing, audit_disk, open_there};
pub use over::{OverGraph, Place};
pub use past::REMEMBERED;
pub use remote::RemotePart;
pub use script::{Lie, Script};
pub use settings::{Faults, Settings, Signer};
pub use truth::{Fact, PartState, PartTruth, PaymentTruth, TruthRecord};
