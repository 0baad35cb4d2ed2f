//! What an operator takes on after a restored backup.

use super::world::Accepts;
use clap::builder::NonEmptyStringValueParser;
use ecs_systems::port::Decision;

/// Decisions that only a person can take.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Accepting {
    /// After `payecs restore`: take on new payments though the node can't say what became of some
    /// parts. Their hashes stay claimed, so that nothing is paid twice.
    #[arg(long, requires = "data_dir")]
    accept_unknown: bool,
    /// After `payecs restore`: take on new payments though the node's list of parts has a gap,
    /// and say why. A payment that the node forgot may be paid a second time. It stands in the
    /// books.
    #[arg(long, value_name = "WHY", value_parser = NonEmptyStringValueParser::new(),
          requires_all = ["data_dir", "operator"])]
    accept_forgotten: Option<String>,
    /// Who decides that.
    #[arg(long, value_name = "WHO", value_parser = NonEmptyStringValueParser::new(),
          requires = "accept_forgotten")]
    operator: Option<String>,
}

impl Accepting {
    /// What was decided.
    pub(crate) fn accepts(&self) -> Accepts {
        let forgotten = self.accept_forgotten.clone().zip(self.operator.clone());
        let forgotten = forgotten.map(|(why, who)| Decision { who, why });
        Accepts { unknown: self.accept_unknown, forgotten }
    }
}
