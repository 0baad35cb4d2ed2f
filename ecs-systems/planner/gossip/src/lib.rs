//! Reads the public graph from a Core Lightning `gossip_store`, and writes one.
//!
//! Read is major version 0 of the format from minor version 15 on (the file's first byte is 15 to
//! 31); Core Lightning wrote 16 in 2026. Of the messages, those count that a payment needs:
//! `channel_announcement` and `channel_update` of BOLT 7, the size of a channel (4101), a channel
//! that is closed (4103), the end of the store (4105). Signatures are not checked: the node that
//! wrote the store did that. What is written has no signatures that hold.
//!
//! [`verify_update`] checks the `channel_update` that a failure brings along.
//!
//! [`import`] also reads what `lightning-cli listchannels` and `lncli describegraph` print.
//!
//! ```
//! use payecs_gossip::{read, write};
//! use payecs_planner::{GraphShape, generate};
//!
//! let graph = generate(&GraphShape::default());
//! let loaded = read(&write(&graph)?)?;
//! assert_eq!(loaded.graph, graph);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod load;
mod read;
mod record;
mod message;
mod write;
mod signed;
mod json;
mod import;

pub use import::{Format, ImportError, Imported, import};
pub use load::{LoadError, Progress, load};
pub use message::Chain;
pub use read::{End, Ignored, Loaded, read};
pub use record::StoreError;
pub use signed::{SignedUpdate, UpdateFault, sign_update, verify_update};
pub use write::{Unwritable, write};
