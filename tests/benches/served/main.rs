//! What a call costs through the server, beside jsonrpsee alone with an answer that is always the
//! same.
//!
//! `cargo bench -p payecs-tests --bench served -- [--quick] [ROW…]`
//!
//! | row | what it measures |
//! |---|---|
//! | `calls` | `payecs_getcomponents`, by 1 and by 64 clients, over each way in |
//! | `writes` | `payecs_setcomponents` of a draft, beside what the disk syncs in that directory |
//! | `advance` | `payecs_advance` of a new payment by 64 clients: decoded to claimed, and synced |
//!
//! Three answer `calls`, with the same bytes, in turns, in one run: jsonrpsee as it comes, with a
//! constant (`bare`); this server with a service that has a constant too (`bridge`), so that both
//! are asked for the same work; and this server with the engine on its thread and a journal
//! (`engine`). Clients are threads of this process that wait for each answer. A draft is written
//! before its answer and synced within 100 ms. Nothing is asserted of a time.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its figures are what a bench is for")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

#[path = "../../served/daemon.rs"]
mod daemon;
mod servers;
mod turns;

use daemon::Daemon;
use payecs_tests::callers::{Caller, Door};
use payflow_default::shell::Speed;
use servers::{CALL, NOTE};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use turns::{Turn, measure, median};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often those that are compared take turns.
const ROUNDS: usize = 5;
/// Clients at a time.
const CLIENTS: [usize; 2] = [1, 64];

fn main() {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let quick = words.iter().any(|word| word == "--quick");
    let turn = Duration::from_millis(if quick { 300 } else { 2_000 });
    let rows: Vec<&String> = words.iter().filter(|word| *word != "--quick").collect();
    let wanted = |row: &str| rows.is_empty() || rows.iter().any(|word| *word == row);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("served");
    let _ = fs::remove_dir_all(&dir);
    let daemon = Daemon::start(&dir.join("daemon"), Speed::REAL);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{ROUNDS} turns of {} ms, medians; load {}", turn.as_millis(), load.trim());
    println!(
        "{:<8} {:<11} {:>7} {:<7} {:>9} {:>6} {:>9} {:>9}",
        "row", "over", "clients", "", "/s", "ratio", "p50 µs", "p99 µs"
    );
    if wanted("calls") {
        calls(&daemon, &dir, turn);
    }
    if wanted("writes") {
        writes(&daemon, &dir, turn);
    }
    if wanted("advance") {
        advance(&daemon, if quick { 5 } else { 50 });
    }
    daemon.stop();
    let _ = fs::remove_dir_all(&dir);
}

/// Says what turns came to; the ratio is to those of another, in the same rounds.
fn tell(row: &str, over: &str, clients: usize, who: &str, turns: &[Turn], to: Option<&[Turn]>) {
    let of = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
    let ratio = to.map_or(String::new(), |to| {
        let ratios = turns.iter().zip(to).map(|(turn, to)| turn.a_second / to.a_second);
        format!("{:.2}", median(ratios))
    });
    println!(
        "{row:<8} {over:<11} {clients:>7} {who:<7} {:>9.0} {ratio:>6} {:>9.0} {:>9.0}",
        of(|turn| turn.a_second),
        of(|turn| turn.p50_us),
        of(|turn| turn.p99_us)
    );
}

fn calls(daemon: &Daemon, dir: &Path, turn: Duration) {
    let mut writer = Caller::connect(&daemon.doors()[2]).unwrap();
    writer.ask(servers::NEW).unwrap();
    writer.ask(NOTE).unwrap();
    let bare = daemon.runtime.block_on(servers::bare());
    let bridge = daemon.runtime.block_on(servers::bridge(&dir.join("bridge")));
    for (door, engine) in daemon.doors().iter().enumerate() {
        // jsonrpsee serves no unix socket.
        let mut peers = vec![("bridge", &bridge[door]), ("engine", engine)];
        peers.extend(bare.get(door).map(|bare| ("bare", bare)));
        for clients in CLIENTS {
            let mut turns: Vec<Vec<Turn>> = peers.iter().map(|_| vec![]).collect();
            for _ in 0..ROUNDS {
                for ((_, peer), turns) in peers.iter().zip(&mut turns) {
                    turns.push(measure(peer, clients, turn, |_, _| CALL.to_owned()));
                }
            }
            let bare_turns = turns.get(2).cloned();
            for ((who, _), turns) in peers.iter().zip(&turns) {
                tell("calls", engine.name(), clients, who, turns, bare_turns.as_deref());
            }
        }
    }
}

fn writes(daemon: &Daemon, dir: &Path, turn: Duration) {
    for door in daemon.doors() {
        for clients in CLIENTS {
            let (mut ours, mut raw) = (vec![], vec![]);
            for _ in 0..ROUNDS {
                raw.push(syncs(dir, turn));
                ours.push(measure(&door, clients, turn, |_, number| servers::note(number)));
            }
            tell("writes", door.name(), clients, "disk", &raw, None);
            tell("writes", door.name(), clients, "engine", &ours, Some(&raw));
        }
    }
}

/// How often the disk syncs a record of 300 bytes that was appended.
fn syncs(dir: &Path, long: Duration) -> Turn {
    let mut file = fs::File::create(dir.join("syncs")).unwrap();
    let (begun, mut took) = (Instant::now(), vec![]);
    while begun.elapsed() < long {
        let since = Instant::now();
        file.write_all(&[7; 300]).unwrap();
        file.sync_data().unwrap();
        took.push(since.elapsed());
    }
    Turn::of(took, begun.elapsed())
}

/// Advances new payments, so many by each client, and measures the call alone.
fn advance(daemon: &Daemon, each: usize) {
    for door in daemon.doors() {
        let begun = Instant::now();
        let took: Vec<Duration> = thread::scope(|scope| {
            let clients: Vec<_> =
                (0..64).map(|_| scope.spawn(|| advanced(daemon, &door, each))).collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        let turn = Turn::of(took, begun.elapsed());
        tell("advance", door.name(), 64, "engine", &[turn], None);
    }
}

fn advanced(daemon: &Daemon, door: &Door, each: usize) -> Vec<Duration> {
    let mut caller = Caller::connect(door).unwrap();
    let draft = |daemon: &Daemon, caller: &mut Caller| {
        let said = caller.ask(servers::NEW).unwrap();
        let (_, entity) = said.split_once(r#""entity":"#).unwrap();
        let entity = entity.trim_end_matches('}').to_owned();
        caller.ask(&servers::payment(&entity, &daemon.invoice())).unwrap();
        entity
    };
    (0..each)
        .map(|_| {
            let entity = draft(daemon, &mut caller);
            let call = servers::request("payecs_advance", &format!("[{entity}]"));
            let begun = Instant::now();
            let said = caller.ask(&call).unwrap();
            assert!(said.contains(r#""result":{}"#), "{said}");
            begun.elapsed()
        })
        .collect()
}
