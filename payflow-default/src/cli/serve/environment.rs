//! Variables of the environment that look like settings and are none.

use clap::{Command, CommandFactory};
use ecs_core::did_you_mean;
use std::{collections::BTreeSet, env};

/// What every setting in the environment begins with.
const PREFIX: &str = "PAYECS_";

/// Says which variables are no settings, on stderr. They may be another program's.
pub(super) fn warn() {
    let given = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for warning in warnings(given, &known(&crate::cli::Cli::command())) {
        eprintln!("warning: {warning}");
    }
}

/// The variables that a command and those below it read.
fn known(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
    let own: Vec<String> = own.map(ToOwned::to_owned).collect();
    own.into_iter().chain(command.get_subcommands().flat_map(known)).collect()
}

fn warnings(given: impl Iterator<Item = String>, known: &BTreeSet<String>) -> Vec<String> {
    let strange: BTreeSet<String> =
        given.filter(|name| name.starts_with(PREFIX) && !known.contains(name)).collect();
    let tell = |name: String| {
        let hint = did_you_mean(known.iter().map(String::as_str), &name);
        format!("`{name}` in the environment is no setting of payecs{hint}")
    };
    strange.into_iter().map(tell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_setting_is_told_with_the_one_that_may_be_meant() {
        let known = known(&crate::cli::Cli::command());
        for name in ["PAYECS_LISTEN", "PAYECS_DATA_DIR", "PAYECS_LOG", "PAYECS_CONFIG"] {
            assert!(known.contains(name), "{name}");
        }
        let given = ["PATH", "PAYECS_LISTEN", "PAYECS_LISEN", "PAYECS_WHATEVER", "payecs_x"];
        let told = warnings(given.into_iter().map(ToOwned::to_owned), &known);
        let wanted = [
            "`PAYECS_LISEN` in the environment is no setting of payecs; `PAYECS_LISTEN`?",
            "`PAYECS_WHATEVER` in the environment is no setting of payecs",
        ];
        assert_eq!(told, wanted);
    }
}
