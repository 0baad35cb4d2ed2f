//! What no single crate can promise: the flow, its properties, the shape of the tree.
//!
//! The tests are beside this folder's `Cargo.toml`; here is what they and `cargo docgen` share.

pub mod callers;
pub mod docgen;
pub mod untrusted;

/// The examples of the README run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The examples of the page on testing run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/TESTING.md")]
struct Testing;
