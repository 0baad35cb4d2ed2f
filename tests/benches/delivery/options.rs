//! What the command line says.

use crate::balances::Model;
use std::path::PathBuf;

pub(crate) struct Options {
    pub(crate) graph: Option<PathBuf>,
    pub(crate) nodes: u32,
    pub(crate) pairs: Option<PathBuf>,
    pub(crate) sets: Vec<String>,
    pub(crate) amounts: Vec<u64>,
    pub(crate) balances: Vec<Model>,
    pub(crate) own_known: bool,
    /// Most pairs of each set.
    pub(crate) limit: usize,
    /// Most CPU time of the planner for one payment.
    pub(crate) cpu_us_max: u64,
    pub(crate) seed: u64,
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    pub(crate) fn of(mut words: impl Iterator<Item = String>) -> Self {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        let mut it = Self {
            graph: path("PAYECS_GRAPH"),
            nodes: 17_324,
            pairs: path("PAYECS_PAIRS"),
            sets: list("mid,hubs,uniform"),
            amounts: vec![1_000, 100_000, 1_000_000, 10_000_000],
            balances: vec![Model::Uniform],
            own_known: false,
            limit: 10,
            cpu_us_max: 1_000_000,
            seed: 1,
            json: None,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                // Cargo adds `--bench`.
                "--bench" => {}
                "--full" => {
                    it.limit = usize::MAX;
                    it.cpu_us_max = 10_000_000;
                    it.balances = vec![Model::Uniform, Model::Bimodal];
                }
                name => {
                    let value = words.next().unwrap_or_else(|| panic!("`{name}` needs a value"));
                    it.set(name, value);
                }
            }
        }
        it
    }

    fn set(&mut self, name: &str, value: String) {
        match name {
            "--graph" => self.graph = Some(value.into()),
            "--nodes" => self.nodes = value.parse().unwrap(),
            "--pairs" => self.pairs = Some(value.into()),
            "--sets" => self.sets = list(&value),
            "--amounts" => {
                self.amounts = list(&value).iter().map(|it| it.parse().unwrap()).collect();
            }
            "--balances" => self.balances = list(&value).iter().map(|it| Model::of(it)).collect(),
            "--own" => {
                self.own_known = match value.as_str() {
                    "known" => true,
                    "hidden" => false,
                    other => panic!("`--own {other}`: known or hidden"),
                }
            }
            "--limit" => self.limit = value.parse().unwrap(),
            "--cpu-ms" => self.cpu_us_max = value.parse::<u64>().unwrap() * 1_000,
            "--seed" => self.seed = value.parse().unwrap(),
            "--json" => self.json = Some(value.into()),
            other => panic!("`{other}` is no option of this bench: see its head"),
        }
    }
}

fn list(words: &str) -> Vec<String> {
    words.split(',').map(str::to_owned).collect()
}
