//! The binary on real directories: copies of them, and what goes wrong with them.

mod common;
mod data_dir;
mod backup;
mod restore;
mod faults;
