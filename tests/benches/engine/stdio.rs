//! What a call costs the plugin process over stdin and stdout.
//!
//! Without `--binary` it is this program. The CPU is user and system time of all threads of that
//! process, from `/proc`, in µs for each call, median of the turns. Everything
//! is kept in a journal in the directory of the build: drafts are written before the answer and
//! synced within 100 ms. Each System is announced.
//!
//! | row | what is called |
//! |---|---|
//! | `newentity` | `payecs_newentity` |
//! | `setcomponents` | three Components of one Entity |
//! | `getcomponents` | the same three |
//! | `advance` | an external System is announced |
//! | `7 steps` | nonce, five defaults and the fee budget of a draft, each announced |
//! | `7 steps, invoice` | nonce, and an invoice decoded, its signature too, and checked |
//! | `listentities` | 50 000 Entities with five Components each, in ms |
//! | `bytes per Entity` | what 100 000 such Entities add to the process |
//!
//! Beside them stand the figures of payz, which decodes no invoice itself and keeps nothing, and
//! the target. Nothing is asserted of a time.

use crate::child::{Plugin, request};
use std::{env, fs, path::Path};

const IN_FLIGHT: [usize; 3] = [1, 64, 4_096];
/// Entities that are listed, and those of which it is said what they take.
const LISTED: usize = 50_000;
const RESIDENT: usize = 100_000;

const LISTING: &str = "listentities, ms";
const BYTES: &str = "bytes per Entity";

/// What is measured, beside payz at 1 and 64 in flight, and the target at 64.
struct Row {
    name: &'static str,
    payz: &'static str,
    target_us: f64,
    /// What is announced with each call.
    told: usize,
    /// What must be there before; then the calls.
    calls: fn(&mut Plugin, usize) -> Vec<String>,
}

const ROWS: [Row; 6] = [
    Row { name: "newentity", payz: "4.9/7.1", target_us: 7.1, told: 0, calls: new_entities },
    Row { name: "setcomponents", payz: "6.3/14.2", target_us: 14.2, told: 0, calls: writes },
    Row { name: "getcomponents", payz: "6.2/10.1", target_us: 10.1, told: 0, calls: reads },
    Row { name: "advance", payz: "7.9/11.6", target_us: 11.6, told: 1, calls: announced },
    Row { name: "7 steps", payz: "142/325", target_us: 40.0, told: 7, calls: defaults },
    Row { name: "7 steps, invoice", payz: "142/325", target_us: 40.0, told: 7, calls: decoded },
];

pub(crate) fn rows(quick: bool, binary: Option<&Path>, shows: impl Fn(&str) -> bool) {
    let binary = binary.map_or_else(|| env::current_exe().unwrap(), Path::to_path_buf);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stdio");
    let _ = fs::remove_dir_all(&dir);
    let (turns, calls) = if quick { (1, 2_000) } else { (5, 10_000) };
    println!("{}: {turns} turns of {calls} calls", binary.display());
    println!(
        "{:<18}{:>9}{:>9}{:>9}{:>12}{:>9}",
        "CPU µs per call", "1", "64", "4096", "payz 1/64", "target"
    );
    for row in ROWS.iter().filter(|row| shows(row.name)) {
        let count = if row.name.contains("invoice") { calls / 10 } else { calls };
        measure(row, &binary, &dir, (turns, count));
    }
    if shows(LISTING) {
        list(&binary, &dir, turns);
    }
    if shows(BYTES) {
        weigh(&binary, &dir);
    }
    let _ = fs::remove_dir_all(&dir);
}

fn measure(row: &Row, binary: &Path, dir: &Path, (turns, count): (usize, usize)) {
    let mut figures = Vec::new();
    for in_flight in IN_FLIGHT {
        let mut plugin = Plugin::start(binary, &dir.join(format!("{}{in_flight}", row.name)));
        let turn = |_| {
            let calls = (row.calls)(&mut plugin, count);
            let run = plugin.run(in_flight, &calls, false);
            assert_eq!(run.told, row.told * count, "{}: announced", row.name);
            in_us(run.cpu_ns, count)
        };
        figures.push(median((0..turns).map(turn).collect()));
        plugin.stop();
    }
    let [one, some, many] = figures[..] else { unreachable!("one for each") };
    let (name, payz, target) = (row.name, row.payz, row.target_us);
    println!("{name:<18}{one:>9.1}{some:>9.1}{many:>9.1}{payz:>12}{target:>9.1}");
}

fn list(binary: &Path, dir: &Path, turns: usize) {
    let mut plugin = Plugin::start(binary, &dir.join("list"));
    plugin.run(64, &fives(LISTED), false);
    let turn = |_| {
        let run = plugin.run(1, &[request(1, "payecs_listentities", "[]")], true);
        assert_eq!(run.answers[0].matches(r#""entity":"#).count(), LISTED);
        in_us(run.cpu_ns, 1_000)
    };
    let ms = median((0..turns).map(turn).collect());
    plugin.stop();
    println!("{LISTING:<18}{ms:>9.1}{:>9}{:>9}{:>12}{:>9}", "", "", "139", "69.5");
}

fn weigh(binary: &Path, dir: &Path) {
    let mut plugin = Plugin::start(binary, &dir.join("bytes"));
    let (before, asked) = (plugin.memory_bytes(), fives(RESIDENT));
    plugin.run(64, &asked, false);
    let bytes = plugin.memory_bytes().saturating_sub(before) / RESIDENT as u64;
    plugin.stop();
    println!("{BYTES:<18}{bytes:>9}{:>9}{:>9}{:>12}{:>9}", "", "", "2216", "1500");
}

/// Writes of five Components each to so many Entities.
fn fives(count: usize) -> Vec<String> {
    let write = |at: usize| {
        let components = r#""acme:a":"what somebody wrote","acme:b":12345,"acme:c":true"#;
        let more = r#""acme:d":{"list":[1,2,3]},"acme:e":"ff00ff00ff00ff00""#;
        let entity = at + 1;
        let params = format!(r#"[{{"entity":{entity},{components},{more}}}]"#);
        request(at as u64, "payecs_setcomponents", &params)
    };
    (0..count).map(write).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
fn in_us(cpu_ns: u64, count: usize) -> f64 {
    cpu_ns as f64 / 1_000.0 / count as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Entities that nobody has written to, and the text of each write.
fn fresh(plugin: &mut Plugin, count: usize, write: impl Fn(&str) -> String) -> Vec<String> {
    let asked = new_entities(plugin, count);
    let answers = plugin.run(64, &asked, true).answers;
    let entities: Vec<String> = answers
        .iter()
        .map(|answer| {
            let (_, entity) = answer.split_once(r#""entity":"#).unwrap();
            entity.trim_end_matches('}').to_owned()
        })
        .collect();
    let writes = entities.iter().map(|entity| request(1, "payecs_setcomponents", &write(entity)));
    plugin.run(64, &writes.collect::<Vec<_>>(), false);
    entities
}

fn advances(entities: &[String]) -> Vec<String> {
    let advance = |entity| request(1, "payecs_advance", &format!("[{entity}]"));
    entities.iter().map(advance).collect()
}

fn three(entity: usize) -> String {
    let components = r#""acme:a":"what somebody wrote","acme:b":[1,2,3],"acme:c":true"#;
    format!(r#"[{{"entity":{entity},{components}}}]"#)
}

fn new_entities(_: &mut Plugin, count: usize) -> Vec<String> {
    (0..count).map(|at| request(at as u64, "payecs_newentity", "[]")).collect()
}

fn writes(_: &mut Plugin, count: usize) -> Vec<String> {
    (0..count).map(|at| request(at as u64, "payecs_setcomponents", &three(at + 1))).collect()
}

fn reads(plugin: &mut Plugin, count: usize) -> Vec<String> {
    let there = writes(plugin, count);
    plugin.run(64, &there, false);
    let read = |at| {
        let params = format!(r#"[{at},["acme:a","acme:b","acme:c"]]"#);
        request(at, "payecs_getcomponents", &params)
    };
    (1..=count as u64).map(read).collect()
}

fn announced(plugin: &mut Plugin, count: usize) -> Vec<String> {
    plugin.ask("payecs_newsystem", r#"["acme:out",["acme:go"],["acme:done"]]"#);
    let systems = r#""lightningd:systems":{"systems":["acme:out"]}"#;
    let write = |entity: &str| format!(r#"[{{"entity":{entity},"acme:go":true,{systems}}}]"#);
    advances(&fresh(plugin, count, write))
}

fn listing(systems: &[&str]) -> String {
    let names: Vec<String> = systems.iter().map(|name| format!(r#""lightningd:{name}""#)).collect();
    format!(r#""lightningd:systems":{{"systems":[{}]}}"#, names.join(","))
}

fn defaults(plugin: &mut Plugin, count: usize) -> Vec<String> {
    let systems = listing(&[
        "generate_nonce",
        "default_riskfactor",
        "default_maxfeepercent",
        "default_retry_for",
        "default_maxdelay",
        "default_exemptfee",
        "compute_feebudget",
    ]);
    let given = r#""lightningd:main-payment":true,"lightningd:amount":"100000msat""#;
    advances(&fresh(plugin, count, |entity| {
        format!(r#"[{{"entity":{entity},{given},{systems}}}]"#)
    }))
}

fn decoded(plugin: &mut Plugin, count: usize) -> Vec<String> {
    let ask = |at| request(at, "sim_invoice", &format!("[{}]", 1_000 + at));
    let asked: Vec<String> = (0..count as u64).map(ask).collect();
    let answers = plugin.run(64, &asked, true).answers;
    let invoices: Vec<&str> = answers
        .iter()
        .map(|answer| answer.split_once(r#""bolt11":""#).unwrap().1.split('"').next().unwrap())
        .collect();
    let systems = listing(&[
        "generate_nonce",
        "parse_invoice",
        "promote_invoice_type",
        "check_type",
        "check_currency",
        "check_expiry",
        "promote_target",
    ]);
    let next = std::cell::Cell::new(0);
    advances(&fresh(plugin, count, |entity| {
        let invoice = invoices[next.replace(next.get() + 1)];
        format!(r#"[{{"entity":{entity},"lightningd:invoice":"{invoice}",{systems}}}]"#)
    }))
}
