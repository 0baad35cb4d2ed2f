//! Which simulated network is wanted, and the one that is there.

use super::{DemoError, home};
use crate::cli::spinner::spinner;
use ecs_systems::planner::{Graph, HiddenBalances, generate_public};
use node_sim::{BalanceModel, Made, OverGraph, SimConfig, SimNetwork};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How many nodes a network has unless something else is said.
pub(crate) const NODES: u32 = 100;
/// Where a network comes from unless something else is said.
pub(crate) const SEED: u64 = 2;
/// The most nodes of a network, ours included.
pub(crate) const NODES_MAX: u32 = 250_000;
/// A network of more nodes has the public network's shape.
const SMALL_MAX: u32 = 1_000;
/// What the graph of such a network is called, before its number of nodes: the path of a file
/// begins otherwise.
const GENERATED: &str = "--nodes ";

/// How hidden balances are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Balances {
    /// Any share is equally likely.
    Uniform,
    /// Most is on one side.
    Bimodal,
}

/// What somebody says of the network; what isn't said is as it is there, or as by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// How many nodes, ours included.
    pub(crate) nodes: Option<u32>,
    pub(crate) seed: Option<u64>,
    /// A gossip store, in place of a number of nodes.
    pub(crate) graph: Option<PathBuf>,
    pub(crate) balances: Option<Balances>,
}

/// A network, and where it comes from.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) network: SimNetwork,
    pub(crate) seed: u64,
    /// The file with its graph.
    pub(crate) file: Option<String>,
}

impl Wanted {
    /// The network: the one of the data directory if there is one, else a new one.
    ///
    /// # Errors
    /// Something else is wanted than is there; the file can't be read; the network can't be made or
    /// opened.
    pub(crate) fn choose(&self, data_dir: Option<&Path>) -> Result<Chosen, DemoError> {
        let bar = spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        bar.set_message("the network is made, or read");
        let there = data_dir.map(home::network_there).transpose()?.flatten();
        let network = match there {
            Some(network) => {
                let made = network.made().expect("a network on a disk was made from something");
                self.check(&made)?;
                network
            }
            None => self.make(data_dir)?,
        };
        bar.finish_and_clear();
        let made = network.made();
        let file = match &made {
            Some(made) => There::of(made).file,
            None => self.graph.as_deref().map(label),
        };
        let seed = match made {
            Some(Made::Over { seed, .. } | Made::Generated { seed, .. }) => seed,
            Some(Made::ByHand) | None => self.seed(),
        };
        Ok(Chosen { network, seed, file })
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or(SEED)
    }

    fn make(&self, data_dir: Option<&Path>) -> Result<SimNetwork, DemoError> {
        let (nodes, seed) = (self.nodes.unwrap_or(NODES), self.seed());
        if let Some(file) = &self.graph {
            let loaded = payecs_gossip::load(file)
                .map_err(|error| DemoError::Graph { file: file.clone(), error })?;
            return self.over(&loaded.graph, label(file), data_dir);
        }
        if nodes > SMALL_MAX {
            let graph = generate_public(nodes - 1, seed);
            return self.over(&graph, format!("{GENERATED}{nodes}"), data_dir);
        }
        let balances = match self.balances {
            Some(Balances::Bimodal) => BalanceModel::Bimodal,
            Some(Balances::Uniform) | None => BalanceModel::Uniform,
        };
        let nodes = usize::try_from(nodes).expect("it is a thousand at most");
        let config = SimConfig { nodes, seed, balances, ..SimConfig::default() };
        Ok(match data_dir {
            Some(dir) => home::network(dir, |disk, options| config.open(disk, options))?,
            None => SimNetwork::new(config)?,
        })
    }

    fn over(
        &self,
        graph: &Graph,
        label: String,
        data_dir: Option<&Path>,
    ) -> Result<SimNetwork, DemoError> {
        let balances = match self.balances {
            Some(Balances::Bimodal) => HiddenBalances::Bimodal,
            Some(Balances::Uniform) | None => HiddenBalances::Uniform,
        };
        let config = OverGraph { seed: self.seed(), balances, label, ..OverGraph::default() };
        Ok(match data_dir {
            Some(dir) => home::network(dir, |disk, options| config.open(graph, disk, options))?,
            None => SimNetwork::over(graph, &config)?,
        })
    }

    /// Whether nothing else is wanted than is there.
    fn check(&self, made: &Made) -> Result<(), DemoError> {
        let there = There::of(made);
        let differs = |differs: bool, option: String| differs.then_some(option);
        let nodes =
            self.nodes.and_then(|it| differs(there.nodes != Some(it), format!("--nodes {it}")));
        let seed = self.seed.and_then(|it| differs(there.seed != it, format!("--seed {it}")));
        let graph = self.graph.as_deref().and_then(|file| {
            let option = format!("--graph {}", file.display());
            differs(there.file.as_deref() != Some(label(file).as_str()), option)
        });
        let balances = self.balances.and_then(|it| {
            let name = if it == Balances::Uniform { "uniform" } else { "bimodal" };
            differs(there.balances != name, format!("--balances {name}"))
        });
        match nodes.or(graph).or(seed).or(balances) {
            Some(option) => Err(DemoError::OtherNetwork { option, there: there.options() }),
            None => Ok(()),
        }
    }
}

/// A network that is there, in the words of the options.
struct There {
    nodes: Option<u32>,
    file: Option<String>,
    seed: u64,
    balances: &'static str,
}

impl There {
    fn of(made: &Made) -> Self {
        match made {
            Made::Generated { nodes, seed, balances } => {
                let balances = match balances {
                    BalanceModel::Uniform => "uniform",
                    BalanceModel::Bimodal => "bimodal",
                    BalanceModel::Even => "even",
                };
                Self { nodes: u32::try_from(*nodes).ok(), file: None, seed: *seed, balances }
            }
            Made::Over { label, seed, balances, .. } => {
                let balances = match balances {
                    HiddenBalances::Uniform => "uniform",
                    HiddenBalances::Bimodal => "bimodal",
                };
                let generated = label.strip_prefix(GENERATED);
                let file = generated.is_none().then(|| label.clone());
                let nodes = generated.and_then(|nodes| nodes.parse().ok());
                Self { nodes, file, seed: *seed, balances }
            }
            Made::ByHand => Self { nodes: None, file: None, seed: 0, balances: "given by hand" },
        }
    }

    fn options(&self) -> String {
        let Self { nodes, file, seed, balances } = self;
        let size = match (file, nodes) {
            (Some(file), _) => format!("--graph {file}"),
            (None, Some(nodes)) => format!("--nodes {nodes}"),
            (None, None) => "a network made by hand,".to_owned(),
        };
        format!("{size} --seed {seed} --balances {balances}")
    }
}

/// What the graph of a file is called: its whole path, so that it is the same from everywhere.
fn label(file: &Path) -> String {
    let whole = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    whole.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(dir: &Path, wanted: &Wanted) -> Result<Chosen, String> {
        wanted.choose(Some(dir)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_network_that_is_there_is_taken_as_it_is_and_others_are_refused_by_the_option() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gossip_store");
        let graph = generate_public(1_200, 3);
        let count = graph.nodes_count() + 1;
        fs::write(&file, payecs_gossip::write(&graph).unwrap()).unwrap();
        let bimodal = Some(Balances::Bimodal);
        let of_file = Wanted { graph: Some(file.clone()), balances: bimodal, ..Wanted::default() };
        let generated = Wanted { nodes: Some(1_201), seed: Some(3), ..Wanted::default() };
        let small = Wanted { nodes: Some(7), ..Wanted::default() };
        let text = file.canonicalize().unwrap().display().to_string();
        for (name, made, nodes, options) in [
            ("file", &of_file, count, format!("--graph {text} --seed 2 --balances bimodal")),
            ("public", &generated, count, "--nodes 1201 --seed 3 --balances uniform".to_owned()),
            ("small", &small, 7, "--nodes 7 --seed 2 --balances uniform".to_owned()),
        ] {
            let home = dir.path().join(name);
            for wanted in [made, made, &Wanted::default()] {
                let Chosen { network, seed, file } = chosen(&home, wanted).unwrap();
                assert_eq!(network.others().len() + 1, nodes, "{name}");
                assert_eq!(seed, made.seed());
                assert_eq!(file.is_some(), made.graph.is_some());
            }
            for (option, wanted) in [
                ("--nodes 8", Wanted { nodes: Some(8), ..Wanted::default() }),
                ("--seed 9", Wanted { seed: Some(9), ..made.clone() }),
                ("--graph /x", Wanted { graph: Some("/x".into()), ..Wanted::default() }),
            ] {
                let refused = chosen(&home, &wanted).unwrap_err();
                assert!(refused.contains(option) && refused.contains(&options), "{refused}");
                assert!(refused.contains("another data directory"), "{refused}");
            }
        }
        let uniform = Wanted { balances: Some(Balances::Uniform), ..Wanted::default() };
        let refused = chosen(&dir.path().join("file"), &uniform).unwrap_err();
        assert!(refused.contains("--balances uniform"), "{refused}");
        // The network needs its file no more.
        fs::remove_file(&file).unwrap();
        assert!(chosen(&dir.path().join("file"), &Wanted::default()).is_ok());
        let refused = of_file.choose(None).unwrap_err().to_string();
        assert!(refused.contains("gossip_store"), "{refused}");
    }
}
