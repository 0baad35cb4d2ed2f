//! The planner beside LDK's `find_route`, on the same questions in turns: what a plan takes, and
//! whether payments arrive where nobody knows the balances.
//!
//! Both are asked in this thread, whose CPU time is measured. Every route of both is held against
//! the policies; a flaw of ours ends it with an error. The last line says how many targets are met.

#![expect(clippy::print_stdout, reason = "its figures are what a bench is for")]

mod ldk;
mod plot;
mod targets;

use clap::Parser as _;
use ldk::{Ldk, LdkError, World};
use payecs_delivery::{
    Balances, Contender, DeliveryCell, Judged, Options, OptionsError, Ours, PlanCell, Runner,
    Strictness, TIMES, Table, delivery_table, plan_table, size_ratio, size_table, sized,
};
use payecs_planner::Graph;
use plot::PlotError;
use std::path::PathBuf;
use std::process::ExitCode;
use targets::Targets;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NAMES: [&str; 2] = ["payecs", "LDK"];

/// The planner beside LDK's `find_route`: plans and deliveries, with the ratio of their CPU times.
#[derive(clap::Parser)]
#[command(name = "planner-vs-ldk")]
struct Cli {
    #[command(flatten)]
    options: Options,
    /// Draw what arrives and what it costs, of the delivery table.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Options(#[from] OptionsError),
    #[error(transparent)]
    Ldk(#[from] LdkError),
    #[error(transparent)]
    Plot(#[from] PlotError),
    #[error("{0} of our plans break a rule: `--json FILE` says which")]
    Flaws(usize),
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), BenchError> {
    let options = &cli.options;
    let graph = options.graph()?;
    let world = World::of(&graph)?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let (nodes, channels) = (graph.nodes_count(), graph.channels_count());
    println!("{nodes} nodes, {channels} channels; seed {}; load {}", options.seed, load.trim());
    let mut runner = Runner::new(options, &graph)?;
    let mut targets = Targets::default();
    let mut flaws = 0;
    if options.tables.contains(&Table::Plan) {
        let cells = plans(&mut runner, &graph, &world)?;
        flaws += cells.iter().flat_map(|it| &it.planned[0]).filter(|it| it.flaw.is_some()).count();
        targets.plans(&cells);
    }
    if options.tables.contains(&Table::Delivery) {
        let cells = deliveries(&mut runner, options, &graph, &world)?;
        flaws += cells.iter().flat_map(|it| &it.outcomes[0]).filter(|it| it.flaw.is_some()).count();
        targets.deliveries(&cells);
        if let Some(path) = &cli.svg {
            plot::draw(path, NAMES, &cells)?;
        }
    }
    if options.tables.contains(&Table::Size) {
        let [small, large] = [sized(options, 1)?, sized(options, TIMES)?];
        let all = || small.iter().chain(&large).flat_map(|it| &it.planned[0]);
        flaws += all().filter(|it| it.flaw.is_some()).count();
        println!("{}\n", size_table(&small, &large));
        targets.size(size_ratio(&small, &large));
    }
    print!("{targets}");
    if flaws > 0 { Err(BenchError::Flaws(flaws)) } else { Ok(()) }
}

fn plans(
    runner: &mut Runner<'_>,
    graph: &Graph,
    world: &World,
) -> Result<Vec<PlanCell>, BenchError> {
    let ours = Judged(Ours::new(graph, None), Strictness::Exact);
    let theirs = Judged(Ldk::new(world, graph), Strictness::AtLeast);
    let contenders: [&dyn Contender; 2] = [&ours, &theirs];
    let cells = runner.plans(&contenders, |cell| {
        eprintln!("planned {} of {} sat", cell.set, cell.satoshi);
    })?;
    println!("{}\n", plan_table(&NAMES, &cells));
    Ok(cells)
}

fn deliveries(
    runner: &mut Runner<'_>,
    options: &Options,
    graph: &Graph,
    world: &World,
) -> Result<Vec<DeliveryCell>, BenchError> {
    let mut all = Vec::new();
    for model in &options.models {
        let balances = Balances::new(graph, *model, options.seed);
        let own = options.own_known.then_some(&balances);
        let ours = Judged(Ours::new(graph, own), Strictness::Exact);
        let theirs = Judged(Ldk::new(world, graph), Strictness::AtLeast);
        let contenders: [&dyn Contender; 2] = [&ours, &theirs];
        all.extend(runner.deliveries(*model, &balances, &contenders, |cell| {
            eprintln!("paid {} of {} sat", cell.set, cell.satoshi);
        })?);
    }
    println!("{}\n", delivery_table(&NAMES, &all));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cli(words: &str) -> Cli {
        Cli::try_parse_from(words.split(' ')).expect("options")
    }

    #[test]
    fn both_are_asked_and_neither_breaks_a_rule() {
        let cli = cli("planner-vs-ldk --nodes 600 --limit 8 --sets uniform --amounts 1000,200000");
        let graph = cli.options.graph().expect("it is generated");
        let world = World::of(&graph).expect("LDK takes it");
        let mut runner = Runner::new(&cli.options, &graph).expect("pairs are drawn");
        let cells = plans(&mut runner, &graph, &world).expect("plans");
        let all = || cells.iter().flat_map(|cell| cell.planned.iter().flatten());
        assert_eq!(all().count(), 32);
        assert_eq!(all().find_map(|it| it.flaw.as_ref()), None);
        for (planner, name) in NAMES.into_iter().enumerate() {
            let planned = cells.iter().flat_map(|cell| &cell.planned[planner]);
            assert!(planned.filter(|it| it.is_sound()).count() > 4, "{name}");
        }
        let paid = deliveries(&mut runner, &cli.options, &graph, &world).expect("deliveries");
        let mut targets = Targets::default();
        targets.plans(&cells);
        targets.deliveries(&paid);
        let said = targets.to_string();
        let last = said.lines().last().expect("a last line");
        assert!(last.starts_with("targets: ") && last.ends_with("met"), "{said}");
        for (planner, name) in NAMES.into_iter().enumerate() {
            let outcomes = paid.iter().flat_map(|cell| &cell.outcomes[planner]);
            assert!(outcomes.filter(|it| it.delivered).count() > 4, "{name}");
        }
    }

    #[test]
    fn a_set_that_nobody_knows_is_refused_by_name() {
        let cli = cli("planner-vs-ldk --nodes 50 --sets nobody");
        let refused = run(&cli).expect_err("there is no such set").to_string();
        assert!(refused.contains("`nobody` is no set"), "{refused}");
    }
}
