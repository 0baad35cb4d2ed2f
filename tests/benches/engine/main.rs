//! What the engine costs: in this process, and as the plugin over stdin and stdout.
//!
//! `cargo bench -p payecs-tests --bench engine -- [inside] [stdio] [--row NAME] [--quick]
//! [--binary FILE]`
//!
//! | row | what is done |
//! |---|---|
//! | `step, one Entity` | a System of a list of 20 replaces a Component, again and again |
//! | `step, 10 000 Entities` | the same, one step of each Entity in turn, each a command |
//! | `life` | 25 Components attached, 15 by Systems that match in turn; then gone |
//! | `life, bevy alone` | the same in bevy's world, without texts, matches, trace and journal |
//! | `bytes per Entity` | what 100 000 Entities of five Components add to this process |
//!
//! `--row` leaves the others out. Everything is traced and noted for the journal: the change of
//! each command is taken, and dropped. Criterion times these, as CPU time of this thread. The rows
//! over stdio are said in `stdio.rs`; the plugin is this very program. Nothing is asserted of a
//! time.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its figures are what a bench is for")]

mod child;
mod inside;
mod life;
mod stdio;
mod thread_time;

use std::{env, fs, path::PathBuf, process::ExitCode};

/// As in `payecs` and `payecs-plugin`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the command line asks for.
struct Asked {
    quick: bool,
    /// Only that row.
    row: Option<String>,
    /// `payecs-plugin`, where it isn't this program.
    binary: Option<PathBuf>,
    inside: bool,
    stdio: bool,
}

impl Asked {
    /// Cargo adds `--bench`.
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self { quick: false, row: None, binary: None, inside: false, stdio: false };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => {}
                "--quick" => asked.quick = true,
                "--row" => asked.row = Some(words.next().ok_or("--row needs a name")?),
                "--binary" => {
                    let path = PathBuf::from(words.next().ok_or("--binary needs a file")?);
                    // It is started in another directory.
                    let path = path.canonicalize().map_err(|error| format!("--binary: {error}"))?;
                    asked.binary = Some(path);
                }
                "inside" => asked.inside = true,
                "stdio" => asked.stdio = true,
                other => return Err(format!("`{other}`: expected inside, stdio or an option")),
            }
        }
        let all = !asked.inside && !asked.stdio;
        Ok(Self { inside: asked.inside || all, stdio: asked.stdio || all, ..asked })
    }

    fn shows(&self, row: &str) -> bool {
        self.row.as_ref().is_none_or(|asked| asked == row)
    }
}

fn main() -> ExitCode {
    if env::var_os(child::IS_PLUGIN).is_some() {
        return payflow_default::plugin::run();
    }
    let asked = match Asked::read(env::args().skip(1)) {
        Ok(asked) => asked,
        Err(what) => {
            eprintln!("{what}\nThe head of tests/benches/engine/main.rs says what can be asked.");
            return ExitCode::from(2);
        }
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {}", load.trim());
    if asked.inside {
        inside::rows(asked.quick, |row| asked.shows(row));
    }
    if asked.stdio {
        stdio::rows(asked.quick, asked.binary.as_deref(), |row| asked.shows(row));
    }
    ExitCode::SUCCESS
}
