//! Laws about the tree itself: which crate knows which, how long things may be, what no file may
//! say, and that no link or number in the documents is dead.
//!
//! Nothing here compiles or runs the engine. Each law reads the files that version control would
//! track and names what breaks it as `path:line`, with what to do about it.

mod tree;
mod mask;
mod functions;
mod ratchet;
mod sizes;
mod words;
mod edges;
mod manifests;
mod markdown;
mod links;
mod records;
