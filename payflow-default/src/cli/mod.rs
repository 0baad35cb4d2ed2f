//! The command line of `payecs`. Only what is here writes to stdout, and what a plugin answers.

pub(crate) mod demo;
pub(crate) mod serve;
mod call;
mod pay;
mod ask;
mod pays;
mod invoice;
mod rebalance;
mod plan;
mod graph;
mod knowledge;
mod look;
mod trace;
mod flow;
mod token;
mod backup;
mod restore;
mod verify;
mod client;
mod home;
mod pretty;
mod spinner;
pub(crate) mod log;

use clap::{CommandFactory, Parser, Subcommand};
use std::{io, process::ExitCode};

/// A programmable Lightning payment engine.
///
/// A payment is an Entity, what is known of it are Components, and each thing that happens to it is
/// a System that matched. Begin with `payecs demo`: it pays an invoice on a simulated network and
/// shows every step.
#[derive(Debug, Parser)]
#[command(name = "payecs", version, arg_required_else_help = true)]
struct Cli {
    /// What to log to stderr: `info`, `payflow::send=debug`, `payecs=trace`, …
    #[arg(long, global = true, env = "PAYECS_LOG", value_name = "FILTER", default_value = "off")]
    log: String,
    #[command(subcommand)]
    command: Chosen,
}

#[derive(Debug, Subcommand)]
enum Chosen {
    Serve(serve::Args),
    #[command(flatten)]
    Other(Command),
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Call(call::Args),
    Pay(pay::Args),
    Listpays(pays::ListArgs),
    Paystatus(pays::StatusArgs),
    Cancelpay(pays::CancelArgs),
    Invoice(invoice::Args),
    Rebalance(rebalance::Args),
    Decode(ask::DecodeArgs),
    Plan(plan::Args),
    Graph(graph::Args),
    Knowledge(knowledge::Args),
    Trace(trace::Args),
    Explain(look::ExplainArgs),
    Flow(flow::Args),
    Ledger(ask::LedgerArgs),
    Getinfo(ask::InfoArgs),
    Token(token::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Verify(verify::Args),
    /// Prints completions for a shell.
    ///
    /// For bash: `payecs completions bash > /etc/bash_completion.d/payecs`.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Does what the command line says. Exit codes: 0 done, 1 failed, 2 not understood.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let filter = match log::filter(&cli.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("error: --log {}: {error}", cli.log);
            return ExitCode::from(2);
        }
    };
    match cli.command {
        // Where spans go is among its settings, which are read first.
        Chosen::Serve(args) => serve::run(&args, filter),
        Chosen::Other(command) => {
            log::to_stderr(filter);
            execute(command)
        }
    }
}

fn execute(command: Command) -> ExitCode {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Call(args) => call::run(&args),
        Command::Pay(args) => pay::run(&args),
        Command::Listpays(args) => pays::list(&args),
        Command::Paystatus(args) => pays::status(&args),
        Command::Cancelpay(args) => pays::cancel(&args),
        Command::Invoice(args) => invoice::run(&args),
        Command::Rebalance(args) => rebalance::run(&args),
        Command::Decode(args) => ask::decode(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Knowledge(args) => knowledge::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Explain(args) => look::explain(&args),
        Command::Flow(args) => flow::run(&args),
        Command::Ledger(args) => ask::ledger(&args),
        Command::Getinfo(args) => ask::info(&args),
        Command::Token(args) => token::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "payecs", &mut io::stdout());
            ExitCode::SUCCESS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_bad_values_are_refused_with_exit_code_2() {
        Cli::command().debug_assert();
        for (args, expected) in [
            (vec!["demo", "--amount", "0"], "above zero"),
            (vec!["demo", "--amount", "12 sat"], "expected msat"),
            (vec!["demo", "--nodes", "1"], "2..=250000"),
            (vec!["demo", "--nodes", "250001"], "2..=250000"),
            (vec!["demo", "--speed", "0"], "expected a speed"),
            (vec!["demo", "--seed", "-1"], "unexpected argument"),
            (vec!["demo", "--virtual", "--speed", "2"], "cannot be used with"),
            (vec!["payy"], "unrecognized subcommand"),
            (vec!["serve"], "--data-dir"),
            (vec!["flow", "--format", "png"], "possible values: text, json, dot, mermaid"),
            (vec!["flow", "--builtin", "--entity", "7"], "cannot be used with"),
            (vec!["call", "--data-dir", "D"], "<METHOD>"),
            (vec!["invoice", "--data-dir", "D", "1", "a"], "<DESCRIPTION>"),
            (vec!["graph", "stats"], "<FILE>"),
            (vec!["graph", "stats", "F", "--from", "csv"], "expected one of gossip_store, list"),
            (vec!["graph", "import", "F"], "--out <TO>"),
            (vec!["knowledge", "export", "--data-dir", "D"], "<FILE>"),
            (vec!["token", "create", "a", "--data-dir", "D"], "--scope"),
        ] {
            let error = Cli::try_parse_from([&["payecs"], args.as_slice()].concat()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{args:?}");
            assert!(error.to_string().contains(expected), "{args:?}: {error}");
        }
    }
}
