//! The binary `payecs`: see `payecs --help`.

use std::process::ExitCode;

/// Records are made on one thread and freed on another, in many small pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    payflow_default::cli::run()
}
