//! Settings of the command line and of the environment, where these don't fit together.

use super::config::Settings;
use clap::{
    ArgMatches, Args, Command, Error, FromArgMatches, error::ErrorKind, parser::ValueSource,
};

/// What options and environment say. A network has a size or a graph: of what an option says of the
/// one and the environment of the other the option counts.
#[derive(Clone, Debug)]
pub(super) struct Given(pub(super) Settings);

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        Settings::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Settings::augment_args_for_update(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut settings = Settings::from_arg_matches(matches)?;
        let [nodes, graph] = ["nodes", "graph"].map(|name| matches.value_source(name));
        if let (Some(nodes), Some(graph)) = (nodes, graph) {
            match [nodes, graph].map(|source| source == ValueSource::CommandLine) {
                [true, false] => settings.graph = None,
                [false, true] => settings.nodes = None,
                [true, true] | [false, false] => return Err(two_networks()),
            }
        }
        Ok(Self(settings))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn two_networks() -> Error {
    let what = "a network has a number of nodes (`--nodes`, `PAYECS_NODES`) or a graph (`--graph`, \
                `PAYECS_GRAPH`), not both\n";
    Error::raw(ErrorKind::ArgumentConflict, what)
}
