//! The deterministic simulator: engine, driver, network, journal and clients under one seed and one
//! virtual clock, with everything that may go wrong, and an auditor who trusts none of it.
//!
//! A seed says what happens: a network, clients who pay, cancel, ask and leave, others who pay us,
//! Systems that mean no good, faults of the network and of the disk, deaths between any two durable
//! writes. Then faults stop, and everything must come to rest. The same seed is the same run on any
//! machine.
//!
//! ```
//! use payflow_default::testing::simulator::{Config, Simulation};
//!
//! match Simulation::new(Config::of(1)).run() {
//!     Ok(report) => assert!(report.payments > 0),
//!     Err(finding) => panic!("{finding}"),
//! }
//! ```

mod law;
mod around;
mod plot;
mod world;
mod offers;
mod faults;
mod rogues;
mod strangers;
mod border;
mod disk;
mod host;
mod clients;
mod stage;
mod acts;
mod paycodes;
mod deaths;
mod rest;
mod auditor;
mod report;
mod shrink;

pub use around::{Around, AsItIs};
pub use law::{Breach, Law};
pub use report::{Finding, Report};

use crate::testing::flow::Flow;
use plot::Plot;
use stage::Stage;
use std::{
    any::Any,
    collections::BTreeSet,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// What is simulated.
#[derive(Clone)]
pub struct Config {
    /// Where everything comes from.
    pub seed: u64,
    /// Whether others pay us, mostly: paycodes, and whatever may be wrong with what is sent for
    /// them.
    pub receive: bool,
    /// Decisions of the seed that are left out, by number.
    pub without: BTreeSet<u32>,
    /// Systems of third parties that every payment has beside the default ones.
    pub flow: Flow,
    /// What stands around pieces of the engine: for tests of the auditor.
    pub around: Arc<dyn Around>,
    /// Whether every step is written down.
    pub traced: bool,
}

impl Config {
    /// A seed in which others pay us, with the default flow alone.
    #[must_use]
    pub fn receiving(seed: u64) -> Self {
        Self { receive: true, ..Self::of(seed) }
    }

    /// All of a seed, with the default flow alone.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            receive: false,
            without: BTreeSet::new(),
            flow: Flow::default(),
            around: Arc::new(AsItIs),
            traced: false,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Config")
            .field("seed", &self.seed)
            .field("receive", &self.receive)
            .field("without", &self.without)
            .field("flow", &self.flow)
            .finish_non_exhaustive()
    }
}

/// One run of a seed.
#[derive(Clone, Debug)]
pub struct Simulation {
    config: Config,
}

impl Simulation {
    /// A simulation, to be run.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Runs it to its end. Where a law was broken, the same is run again, with every step written
    /// down for the finding.
    ///
    /// # Errors
    /// A law was broken.
    pub fn run(&self) -> Result<Report, Box<Finding>> {
        let outcome = self.run_once(self.config.traced);
        if outcome.breaches.is_empty() {
            return Ok(Report { trace: outcome.trace, ..outcome.report });
        }
        let traced = if self.config.traced { outcome } else { self.run_once(true) };
        Err(Box::new(Finding::of(&self.config, traced)))
    }

    /// Runs it, and where a law was broken, leaves decisions of the seed out as long as the same
    /// law is still broken.
    ///
    /// # Errors
    /// A law was broken: the smallest run in which it is.
    pub fn run_and_shrink(&self) -> Result<Report, Box<Finding>> {
        self.run().map_err(|finding| Box::new(shrink::shrink(&self.config, *finding)))
    }

    fn run_once(&self, traced: bool) -> Outcome {
        let plot = Plot::draw(self.config.seed, &self.config.without, self.config.receive);
        let numbers = plot.numbers();
        let mut stage = match catch_unwind(AssertUnwindSafe(|| {
            Stage::new(Config { traced, ..self.config.clone() }, plot)
        })) {
            Ok(stage) => stage,
            Err(panic) => return Outcome::of_panic(numbers, &*panic),
        };
        let played = catch_unwind(AssertUnwindSafe(|| stage.play()));
        if let Err(panic) = played {
            stage.auditor.breach(Law::KeepsRunning, words(&*panic));
        }
        stage.outcome(numbers)
    }
}

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    pub(crate) breaches: Vec<Breach>,
    pub(crate) trace: Vec<String>,
    /// The decisions that were drawn, and not left out.
    pub(crate) numbers: Vec<u32>,
}

impl Outcome {
    fn of_panic(numbers: Vec<u32>, panic: &(dyn Any + Send)) -> Self {
        let breach = Breach { law: Law::KeepsRunning, facts: words(panic) };
        let (report, trace) = (Report::default(), Vec::new());
        Self { report, breaches: vec![breach], trace, numbers }
    }
}

/// The words of a panic.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let words = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", words.unwrap_or_else(|| "without words".to_owned()))
}
