//! `payecs graph import`.

use super::{Source, failed, left_out, left_out_told};
use crate::cli::{call::print, client::CallError, demo::words::grouped};
use ecs_core::Json;
use payecs_gossip::Imported;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{self, ExitCode},
};

/// Reads a graph from another format, and writes it as a `gossip_store` that all `--graph` options
/// take.
///
/// What is written is for planning and simulation: its messages have no signatures that hold, and
/// a node refuses them. It has the channels and the newest policy of each direction, and no more.
///
/// The file appears whole or not at all: it is written beside its name, and then named.
///
/// Exit codes: 0 written; 1 it can't be read or written, or the file is there; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lightning-cli listchannels > channels.json
  payecs graph import channels.json --out mainnet.gossip_store
  lncli describegraph | zstd > graph.json.zst
  payecs graph import graph.json.zst --from describegraph --out mainnet.gossip_store --force")]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// The file that is written.
    #[arg(long, value_name = "TO")]
    out: PathBuf,
    /// Write it also where there is one.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match imported(args) {
        Ok(imported) if args.source.json => print(&object(args, &imported), true),
        Ok(imported) => match write!(io::stdout().lock(), "{}", told(args, &imported)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => args.source.refused(&error),
    }
}

fn imported(args: &Args) -> Result<Imported, CallError> {
    check_free(&args.out, args.force)?;
    let imported = args.source.read()?;
    let bytes = payecs_gossip::write(&imported.graph)
        .map_err(|error| failed(&args.source.file, &error.to_string()))?;
    // Somebody may have made it meanwhile.
    check_free(&args.out, args.force)?;
    write(&args.out, &bytes).map_err(|error| failed(&args.out, &error.to_string()))?;
    Ok(imported)
}

/// Whether a file may be written there.
///
/// # Errors
/// One is there.
pub(in crate::cli) fn check_free(out: &Path, force: bool) -> Result<(), CallError> {
    if !force && fs::symlink_metadata(out).is_ok() {
        return Err(failed(out, "the file is there; --force replaces it"));
    }
    Ok(())
}

/// Writes a file beside its name, then names it, durably.
pub(in crate::cli) fn write(out: &Path, bytes: &[u8]) -> io::Result<()> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "it has no name of a file");
    let name = out.file_name().ok_or_else(no_name)?;
    let above = out.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    let unfinished = above.join(format!(".{}.{}.tmp", name.to_string_lossy(), process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let named = written.and_then(|()| fs::rename(&unfinished, out));
    if named.is_err() {
        // What is left has a name that nobody takes for a graph.
        let _removed = fs::remove_file(&unfinished);
    }
    named.and_then(|()| File::open(above)?.sync_all())
}

fn object(args: &Args, it: &Imported) -> Json {
    let fields = [
        ("out", Json::of(&args.out.display().to_string())),
        ("format", Json::of(&it.format.to_string())),
        ("nodes", Json::of(&it.graph.nodes_count())),
        ("channels", Json::of(&it.graph.channels_count())),
        ("directions", Json::of(&it.graph.policies_count())),
    ];
    Json::object(fields.into_iter().chain(left_out(it)))
}

fn told(args: &Args, it: &Imported) -> String {
    let count = |count: usize| grouped(u64::try_from(count).unwrap_or(u64::MAX));
    let written = format!(
        "{}: {} nodes, {} channels and {} directions with a policy, from {}.",
        args.out.display(),
        count(it.graph.nodes_count()),
        count(it.graph.channels_count()),
        count(it.graph.policies_count()),
        it.format,
    );
    let lines = [written].into_iter().chain(left_out_told(it));
    lines.map(|line| line + "\n").collect()
}
