//! `payecs graph stats`.

use super::{Source, left_out, left_out_told};
use crate::cli::{
    ask::table,
    call::print,
    demo::words::{grouped, sat},
};
use ecs_core::Json;
use ecs_systems::{
    planner::{Graph, Policy},
    units::{ChannelDirection, Direction, Msat},
};
use payecs_gossip::Imported;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};
use tabled::builder::Builder;

/// Which places of a distribution are shown, in percent.
const PLACES: [(&str, usize); 5] =
    [("min", 0), ("p10", 10), ("p50", 50), ("p90", 90), ("max", 100)];

/// Shows what a graph is like: how many nodes, channels and directions, what they can carry, and
/// how degrees, capacities and policies are distributed.
///
/// A record that is damaged is an error that names its place; one at the end that was not written
/// whole is told of, and so is what was left out and why.
///
/// Exit codes: 0 shown; 1 the file can't be read; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs graph stats ~/.lightning/bitcoin/gossip_store
  payecs graph stats mainnet.gossip_store.zst --json | jq .distributions.degree")]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let imported = match args.source.read() {
        Ok(imported) => imported,
        Err(error) => return args.source.refused(&error),
    };
    let stats = Stats::of(&imported.graph);
    if args.source.json {
        return print(&stats.object(&imported), true);
    }
    match write!(io::stdout().lock(), "{}", stats.told(&imported)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What a graph comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stats {
    pub(super) nodes: usize,
    pub(super) channels: usize,
    /// Directions with a policy.
    pub(super) directions: usize,
    pub(super) disabled: usize,
    /// `None`: above 2⁶⁴−1 msat.
    pub(super) capacity: Option<Msat>,
    pub(super) distributions: Vec<Distribution>,
}

/// Some figures of all nodes, channels or directions with a policy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Distribution {
    name: &'static str,
    /// What it is called in JSON.
    key: &'static str,
    /// The figures at [`PLACES`]; `None` where there is no figure.
    pub(super) at: Option<[u64; PLACES.len()]>,
}

impl Distribution {
    fn of(name: &'static str, key: &'static str, mut figures: Vec<u64>) -> Self {
        figures.sort_unstable();
        let last = figures.len().checked_sub(1);
        let at = last.map(|last| PLACES.map(|(_, percent)| figures[last * percent / 100]));
        Self { name, key, at }
    }
}

impl Stats {
    pub(super) fn of(graph: &Graph) -> Self {
        let policies: Vec<&Policy> = policies(graph).collect();
        let of = |get: fn(&Policy) -> u64| policies.iter().map(|it| get(it)).collect::<Vec<_>>();
        let degree = |node| u64::try_from(graph.outgoing(node).count()).unwrap_or(u64::MAX);
        let degrees = graph.nodes().iter().map(degree).collect();
        let capacities = graph.channels().map(|channel| channel.capacity.0).collect();
        let distributions = vec![
            Distribution::of("channels of a node", "degree", degrees),
            Distribution::of("capacity (msat)", "capacity_msat", capacities),
            Distribution::of("fee base (msat)", "fee_base_msat", of(|it| it.fee_base_msat.0)),
            Distribution::of("fee rate (ppm)", "fee_rate_ppm", of(|it| it.fee_rate.0.into())),
            Distribution::of(
                "CLTV delta (blocks)",
                "cltv_delta_blocks",
                of(|it| it.cltv_delta.0.into()),
            ),
            Distribution::of(
                "smallest HTLC (msat)",
                "htlc_minimum_msat",
                of(|it| it.htlc_minimum_msat.0),
            ),
            Distribution::of(
                "largest HTLC (msat)",
                "htlc_maximum_msat",
                of(|it| it.htlc_maximum_msat.0),
            ),
        ];
        Self {
            nodes: graph.nodes_count(),
            channels: graph.channels_count(),
            directions: policies.len(),
            disabled: policies.iter().filter(|policy| !policy.enabled).count(),
            capacity: Msat::sum(graph.channels().map(|channel| channel.capacity)),
            distributions,
        }
    }

    fn object(&self, imported: &Imported) -> Json {
        let distribution = |it: &Distribution| {
            let places = PLACES.iter().map(|(name, _)| *name);
            let at = it.at.map(|at| Json::object(places.zip(at.iter().map(Json::of))));
            (it.key, at.unwrap_or_else(Json::null))
        };
        let fields = [
            ("format", Json::of(&imported.format.to_string())),
            ("nodes", Json::of(&self.nodes)),
            ("channels", Json::of(&self.channels)),
            ("directions", Json::of(&self.directions)),
            ("disabled", Json::of(&self.disabled)),
            ("capacity_msat", Json::of(&self.capacity)),
            ("distributions", Json::object(self.distributions.iter().map(distribution))),
        ];
        Json::object(fields.into_iter().chain(left_out(imported)))
    }

    fn told(&self, imported: &Imported) -> String {
        let count = |count: usize| grouped(u64::try_from(count).unwrap_or(u64::MAX));
        let mut sums = Builder::default();
        for (name, sum) in [
            ("format", imported.format.to_string()),
            ("nodes", count(self.nodes)),
            ("channels", count(self.channels)),
            ("directions with a policy", count(self.directions)),
            ("of these disabled", count(self.disabled)),
            ("capacity", self.capacity.map_or_else(|| "above 2^64-1 msat".to_owned(), sat)),
        ] {
            sums.push_record([name.to_owned(), sum]);
        }
        let mut rows = Builder::default();
        let places = PLACES.iter().map(|(name, _)| (*name).to_owned());
        rows.push_record([String::new()].into_iter().chain(places));
        for it in &self.distributions {
            let figures =
                it.at.map_or([const { String::new() }; PLACES.len()], |at| at.map(grouped));
            rows.push_record([it.name.to_owned()].into_iter().chain(figures));
        }
        let tables = [table(sums, 1..), table(rows, 1..)];
        let left_out = left_out_told(imported);
        let gap = if left_out.is_empty() { "" } else { "\n" };
        let lines = left_out.into_iter().map(|line| line + "\n");
        let left_out: String = lines.collect();
        format!("{}\n\n{}\n{gap}{left_out}", tables[0], tables[1])
    }
}

/// What is announced, of each direction in turn.
fn policies(graph: &Graph) -> impl Iterator<Item = &Policy> {
    let ways = graph.channels().flat_map(|channel| {
        let scid = channel.short_channel_id;
        [Direction::Zero, Direction::One].map(|direction| ChannelDirection { scid, direction })
    });
    ways.filter_map(|way| graph.policy(way))
}
