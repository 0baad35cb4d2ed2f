//! The binary `payecs-plugin`: see `payecs-plugin --help`.

use std::process::ExitCode;

/// As in `payecs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    payflow_default::plugin::run()
}
