//! From an invoice to who is paid, and for what: rows 1 to 10.

pub mod nonce;
pub mod parse;
pub mod invoice_type;
pub mod currency;
pub mod expiry;
pub mod description;
pub mod target;
pub mod accept;
