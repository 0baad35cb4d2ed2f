//! What a plan takes, and whether payments arrive where nobody knows the balances.
//!
//! `cargo bench -p payecs-tests --bench planner -- --help` says the options. Without a file the
//! graph is generated, and the pairs are drawn. Nothing is asserted of a time; a route that breaks
//! a rule ends the bench with an error.

#![expect(clippy::print_stdout, reason = "its figures are what a bench is for")]

use clap::Parser as _;
use payecs_delivery::{
    Balances, Contender, Judged, Options, OptionsError, Ours, PlanCell, Runner, Strictness, TIMES,
    Table, delivery_table, plan_table, size_table, sized,
};
use std::process::ExitCode;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Plans of payecs, and what becomes of payments planned by it.
#[derive(clap::Parser)]
#[command(name = "planner")]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(flaws) => {
            eprintln!("{flaws} plans break a rule: `--json FILE` says which");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// How many plans broke a rule.
fn run(cli: &Cli) -> Result<usize, OptionsError> {
    let options = &cli.options;
    let graph = options.graph()?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let (nodes, channels) = (graph.nodes_count(), graph.channels_count());
    println!("{nodes} nodes, {channels} channels; seed {}; load {}", options.seed, load.trim());
    let mut runner = Runner::new(options, &graph)?;
    let mut flaws = 0;
    if options.tables.contains(&Table::Plan) {
        let ours = Judged(Ours::new(&graph, None), Strictness::Exact);
        let contenders: [&dyn Contender; 1] = [&ours];
        let cells = runner.plans(&contenders, |cell| {
            eprintln!("planned {} of {} sat", cell.set, cell.satoshi);
        })?;
        flaws += cells.iter().map(flaws_of).sum::<usize>();
        println!("{}\n", plan_table(&["payecs"], &cells));
    }
    for model in options.models.iter().filter(|_| options.tables.contains(&Table::Delivery)) {
        let balances = Balances::new(&graph, *model, options.seed);
        let own = options.own_known.then_some(&balances);
        let ours = Judged(Ours::new(&graph, own), Strictness::Exact);
        let contenders: [&dyn Contender; 1] = [&ours];
        let cells = runner.deliveries(*model, &balances, &contenders, |cell| {
            eprintln!("paid {} of {} sat", cell.set, cell.satoshi);
        })?;
        flaws += cells.iter().flat_map(|it| &it.outcomes[0]).filter(|it| it.flaw.is_some()).count();
        println!("{}\n", delivery_table(&["payecs"], &cells));
    }
    if options.tables.contains(&Table::Size) {
        let [small, large] = [sized(options, 1)?, sized(options, TIMES)?];
        flaws += small.iter().chain(&large).map(flaws_of).sum::<usize>();
        println!("{}\n", size_table(&small, &large));
    }
    Ok(flaws)
}

fn flaws_of(cell: &PlanCell) -> usize {
    cell.planned.iter().flatten().filter(|it| it.flaw.is_some()).count()
}
