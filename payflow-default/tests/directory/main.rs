//! The binary on real directories: copies of them, and what goes wrong with them.

mod common;
mod backup;
mod restore;
mod faults;
