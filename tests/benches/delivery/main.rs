//! Whether payments arrive where nobody knows the balances, in how many HTLCs, at what fee.
//!
//! `cargo bench -p payecs-tests --bench delivery -- [OPTION…]`
//!
//! | option | what it says | default |
//! |---|---|---|
//! | `--graph FILE` | a Core Lightning `gossip_store` | `PAYECS_GRAPH`, else generated |
//! | `--nodes N` | how many nodes the generated graph has | 17324 |
//! | `--pairs FILE` | who pays whom: docs/BENCHMARKS.md | `PAYECS_PAIRS`, else drawn |
//! | `--sets A,B` | which sets | `mid,hubs,uniform` |
//! | `--amounts A,B` | in satoshi | `1000,100000,1000000,10000000` |
//! | `--balances A,B` | `uniform`, `bimodal` | `uniform` |
//! | `--own WHAT` | whether the payer knows its own balances: `hidden`, `known` | `hidden` |
//! | `--limit N` | so many pairs of each set | 10 |
//! | `--cpu-ms N` | a payment is given up once the planner took so long for it | 1000 |
//! | `--full` | every pair, both models of balances, 10 s for each payment | |
//! | `--seed N` | which balances | 1 |
//! | `--json FILE` | a line for each payment | |
//!
//! A payment knows nothing at first. In each round its rest is planned, and every route sent as one
//! HTLC, which fails at the first hop whose balance, less what this payment holds there, is too
//! small. That is learned. What arrives is held until the end: all is delivered, the planner gives
//! up, or 30 rounds are over, or `--cpu-ms`. There are at most 10 parts at a time, for 1 % of the
//! amount together.
//! Each route is held against the policies hop by hop: a flaw ends the bench. A payment is feasible
//! where the true balances let it through, whatever the fees and limits; `narrow` counts only what
//! limits of HTLCs admit, over channels that lie on a way for 1 % or less.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its figures are what a bench is for")]
#![expect(clippy::use_debug, reason = "a flaw is printed with all that led to it")]

mod options;
mod pairs;
mod balances;
mod oracle;
mod replay;
mod pay;
mod table;

use balances::Balances;
use options::Options;
use oracle::Oracle;
use pay::{Payer, Question};
use payecs_planner::{Graph, generate_public};
use payecs_units::Msat;
use std::io::Write as _;
use table::{Row, Told};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MSAT_PER_SATOSHI: u64 = 1_000;

fn graph(options: &Options) -> Graph {
    match &options.graph {
        None => generate_public(options.nodes, 1),
        Some(path) => match payecs_gossip::load(path) {
            Ok(loaded) => loaded.graph,
            Err(error) => panic!("{}: {error}", path.display()),
        },
    }
}

fn main() {
    let options = Options::of(std::env::args().skip(1));
    let graph = graph(&options);
    let sets = pairs::sets(&graph, &options);
    let mut lines = options.json.as_ref().map(|path| std::fs::File::create(path).unwrap());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{} nodes, {} channels; seed {}, own balances {}; load {}",
        graph.nodes_count(),
        graph.channels_count(),
        options.seed,
        if options.own_known { "known" } else { "hidden" },
        load.trim()
    );
    let mut rows = Vec::new();
    for model in &options.balances {
        let balances = Balances::new(&graph, *model, options.seed);
        let oracle = Oracle::new(&graph, &balances);
        let payer = Payer {
            graph: &graph,
            balances: &balances,
            own_known: options.own_known,
            cpu_us_max: options.cpu_us_max,
        };
        for (set, pairs) in &sets {
            for satoshi in &options.amounts {
                let mut row = Row::new(*model, set, *satoshi);
                for (number, (source, destination)) in (0..).zip(pairs) {
                    let amount = Msat(satoshi * MSAT_PER_SATOSHI);
                    let (source, destination) = (*source, *destination);
                    let question = Question { source, destination, amount, number };
                    let told = Told {
                        feasible: oracle.is_feasible(&question),
                        narrow: oracle.is_narrowly_feasible(&question),
                        question,
                        outcome: payer.pay(&question),
                    };
                    if let Some(lines) = &mut lines {
                        writeln!(lines, "{}", told.json(*model, set)).unwrap();
                    }
                    row.add(&told);
                }
                eprintln!("{}", row.text());
                rows.push(row);
            }
        }
    }
    println!("{}", table::HEAD);
    for row in rows {
        println!("{}", row.text());
    }
}
