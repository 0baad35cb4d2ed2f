//! What a daemon is told: by options, by the environment, by a file.

use super::{given::Given, otlp, quotas, web, written};
use crate::cli::demo::{
    accept,
    wanted::{Balances, NODES_MAX, Wanted},
};
use ecs_core::{Quota, Quotas};
use ecs_systems::{
    policy::{Autoclean, Policy},
    port::OverKind,
    units::{Msat, Seconds},
};
use payflow_default::shell::Speed;
use serde::Deserialize;
use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// The file that is read where no other is named, in the data directory.
const FILE: &str = "payecs.toml";
/// Where a daemon is reached unless it is told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9_741);
/// How long an operator may have for an answer, in seconds: to a day.
pub(crate) const APPROVAL_S: RangeInclusive<u64> = 1..=86_400;

/// Every setting of a daemon. An option counts more than the environment, that more than the file,
/// and that more than the default. In the file the names are those of the options without the
/// dashes in front: `listen = "127.0.0.1:9741"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Settings {
    /// Where HTTP and WebSocket are served: an address of this machine alone, e.g. 127.0.0.1:9741,
    /// which is the default, or localhost:9741. Port 0 takes a free one, which is written into
    /// `access/address`.
    #[arg(long, value_name = "ADDRESS", env = "PAYECS_LISTEN", value_parser = web::listen)]
    #[serde(default, deserialize_with = "written::listen")]
    pub(super) listen: Option<SocketAddr>,
    /// The origin of a web page that may call, e.g. `http://localhost:3000`; may be given several
    /// times. Default: none.
    #[arg(long = "origin", value_name = "URL", env = "PAYECS_ORIGIN", value_delimiter = ',')]
    #[serde(default)]
    pub(super) origin: Vec<String>,
    /// How many nodes the simulated network has, when it is made. Above 1000 it has the public
    /// network's shape. Default: 100.
    #[arg(long, value_name = "N", env = "PAYECS_NODES",
          value_parser = clap::value_parser!(u32).range(2..=i64::from(NODES_MAX)))]
    pub(super) nodes: Option<u32>,
    /// A Core Lightning gossip store, packed with zstd or not: the simulated network has its nodes,
    /// channels and policies, when it is made. Not with `--nodes`.
    #[arg(long, value_name = "FILE", env = "PAYECS_GRAPH")]
    pub(super) graph: Option<PathBuf>,
    /// How hidden balances are spread, when the network is made. Default: uniform.
    #[arg(long, value_enum, env = "PAYECS_BALANCES")]
    pub(super) balances: Option<Balances>,
    /// What the simulated network comes from, when it is made. Default: 2.
    #[arg(long, value_name = "N", env = "PAYECS_SEED")]
    pub(super) seed: Option<u64>,
    /// How many times faster than real time the simulated network lives. Default: 1.
    #[arg(long, value_name = "X", env = "PAYECS_SPEED")]
    #[serde(default, deserialize_with = "written::speed")]
    pub(super) speed: Option<Speed>,
    /// Measures what happens, and answers `GET /metrics` in the text format of Prometheus, to a
    /// token with scope `read`.
    #[arg(long, env = "PAYECS_METRICS", num_args = 0..=1, default_missing_value = "true",
          value_name = "BOOL")]
    pub(super) metrics: Option<bool>,
    /// Sends the spans of payments to a collector of OpenTelemetry on this machine, over HTTP,
    /// e.g. `http://127.0.0.1:4318`. In the file it is `endpoint` in a table, `[otlp]`.
    #[arg(long, value_name = "URL", env = "PAYECS_OTLP", value_parser = otlp::collector)]
    #[serde(default, deserialize_with = "otlp::table")]
    pub(super) otlp: Option<otlp::Collector>,
    /// A payment that could spend more than this, its fee budget included, is asked about: it
    /// waits until whoever has the scope `approve` attaches `lightningd:approval`. Default: none
    /// is.
    #[arg(long, value_name = "AMOUNT", env = "PAYECS_ASK_ABOVE")]
    #[serde(default, deserialize_with = "written::amount")]
    pub(super) ask_above: Option<Msat>,
    /// How many seconds an operator has for an answer, 1 to 86400; then the payment fails with
    /// 2310. Default: 600.
    #[arg(long, value_name = "N", env = "PAYECS_APPROVAL_TIMEOUT",
          value_parser = clap::value_parser!(u64).range(APPROVAL_S))]
    pub(super) approval_timeout: Option<u64>,
    /// Most paycodes that wait unpaid, those that have expired and are still known included.
    /// Default: 100000.
    #[arg(long, value_name = "N", env = "PAYECS_UNPAID_PAYCODES")]
    pub(super) unpaid_paycodes: Option<u64>,
    /// Most HTLCs that are held at a time, of all channels together; what is beyond goes back to
    /// its payer. Default: 300.
    #[arg(long, value_name = "N", env = "PAYECS_HELD_HTLCS")]
    pub(super) held_htlcs: Option<u64>,
    /// Most HTLCs of one channel that are held at a time. Default: 20.
    #[arg(long, value_name = "N", env = "PAYECS_HELD_HTLCS_PER_CHANNEL")]
    pub(super) held_htlcs_per_channel: Option<u64>,
    /// How often it is looked what is to be cleaned, in seconds from 1 on. Default: 3600.
    #[arg(long, value_name = "N", env = "PAYECS_AUTOCLEAN_CYCLE",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) autoclean_cycle: Option<u64>,
    /// How many seconds after its payment an invoice is deleted. 0, the default: never.
    #[arg(long, value_name = "N", env = "PAYECS_AUTOCLEAN_PAIDINVOICES_AGE")]
    pub(super) autoclean_paidinvoices_age: Option<u64>,
    /// How many seconds after its expiry an invoice is deleted. 0, the default: never.
    #[arg(long, value_name = "N", env = "PAYECS_AUTOCLEAN_EXPIREDINVOICES_AGE")]
    pub(super) autoclean_expiredinvoices_age: Option<u64>,
    /// How many seconds after its payment a paycode is deleted that has no invoice. 0, the default:
    /// never.
    #[arg(long, value_name = "N", env = "PAYECS_AUTOCLEAN_PAIDPAYCODES_AGE")]
    pub(super) autoclean_paidpaycodes_age: Option<u64>,
    /// How many seconds after its expiry a paycode is deleted that has no invoice. 0, the default:
    /// never.
    #[arg(long, value_name = "N", env = "PAYECS_AUTOCLEAN_EXPIREDPAYCODES_AGE")]
    pub(super) autoclean_expiredpaycodes_age: Option<u64>,
    /// How much of something callers and third parties may use up, e.g. `entities=50000`; may be
    /// given several times. In the file they are a table, `[quotas]`. `docs/OPERATING.md` has all
    /// quotas and their defaults.
    #[arg(long = "quota", value_name = "NAME=N", env = "PAYECS_QUOTA", value_delimiter = ',',
          value_parser = quotas::one)]
    #[serde(default, rename = "quotas", deserialize_with = "quotas::table")]
    pub(super) quota: Vec<(Quota, u64)>,
}

impl Settings {
    /// What is cleaned by itself; what is not said here is as in the file.
    fn autoclean(&self, filed: &Self) -> Autoclean {
        let seconds = |kind| match kind {
            OverKind::PaidInvoices => {
                self.autoclean_paidinvoices_age.or(filed.autoclean_paidinvoices_age)
            }
            OverKind::ExpiredInvoices => {
                self.autoclean_expiredinvoices_age.or(filed.autoclean_expiredinvoices_age)
            }
            OverKind::PaidPaycodes => {
                self.autoclean_paidpaycodes_age.or(filed.autoclean_paidpaycodes_age)
            }
            OverKind::ExpiredPaycodes => {
                self.autoclean_expiredpaycodes_age.or(filed.autoclean_expiredpaycodes_age)
            }
        };
        let ages = OverKind::ALL.map(|kind| Some((kind, Seconds(seconds(kind)?))));
        let cycle = self.autoclean_cycle.or(filed.autoclean_cycle).map(Seconds);
        Autoclean {
            cycle: cycle.unwrap_or(Autoclean::default().cycle),
            ages: ages.into_iter().flatten().collect(),
        }
    }
}

/// Runs the engine until it is stopped, and serves its methods to programs on this machine.
///
/// The engine is the one of `payecs demo`, on the simulated network of the data directory. Who
/// calls needs a token: the cookie in `access/cookie` of the data directory, which is another at
/// each start and may do everything, or one made with `payecs token create`. `payecs call` and the
/// other commands find both by themselves.
///
/// Ctrl-C or SIGTERM stops it: what was called is answered, what is in flight stays in flight, and
/// the next start goes on with it, as it does after a crash.
///
/// Exit codes: 0 stopped; 1 not started, or ended by a fault; 2 for a bad option or setting.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs serve --data-dir D
  payecs serve --data-dir D --listen 127.0.0.1:0 --log info
  payecs call --data-dir D getinfo

A file with the same settings, read where it is there: D/payecs.toml
  listen = \"127.0.0.1:9741\"
  origin = [\"http://localhost:3000\"]
  nodes = 1000
  [quotas]
  entities = 50000")]
pub(crate) struct Args {
    /// Where everything is kept; made where it is missing, for its owner alone.
    #[arg(long, value_name = "DIR", env = "PAYECS_DATA_DIR")]
    pub(super) data_dir: PathBuf,
    /// The file with settings. Default: `payecs.toml` in the data directory, if it is there.
    #[arg(long, value_name = "FILE", env = "PAYECS_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    pub(super) accept: accept::Accepting,
}

/// Settings that are complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) listen: SocketAddr,
    pub(super) origins: Vec<String>,
    pub(super) wanted: Wanted,
    pub(super) speed: Speed,
    pub(super) metrics: bool,
    pub(super) otlp: Option<otlp::Collector>,
    pub(super) policy: Policy,
    pub(super) quotas: Quotas,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    /// The file that was named is not there, or not to be read.
    #[error("{}: {error}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file says what is no setting.
    #[error("{}: {error}", file.display())]
    Misshapen {
        /// Which file.
        file: PathBuf,
        /// Where and what.
        error: Box<toml::de::Error>,
    },
    /// A web page is named as no browser would name it.
    #[error("origin `{origin}`: {why}")]
    Origin {
        /// What was given.
        origin: String,
        /// What is wrong, and what is allowed.
        why: String,
    },
    /// A number is out of its range.
    #[error("{}: `nodes` must be 2 to {NODES_MAX}, got {nodes}", file.display())]
    Nodes {
        /// Which file.
        file: PathBuf,
        /// What it says.
        nodes: u32,
    },
    /// Nobody can answer within that time, or it is longer than anything waits.
    #[error("{}: `approval-timeout` must be 1 to 86400 seconds, got {seconds}", file.display())]
    ApprovalTimeout {
        /// Which file.
        file: PathBuf,
        /// What it says.
        seconds: u64,
    },
    /// It would be looked all the time.
    #[error("{}: `autoclean-cycle` must be 1 second or more, got 0", file.display())]
    AutocleanCycle {
        /// Which file.
        file: PathBuf,
    },
    /// Two networks at once.
    #[error("{}: a network has `nodes` or a `graph`, not both", file.display())]
    TwoNetworks {
        /// Which file.
        file: PathBuf,
    },
}

impl Args {
    /// What options, environment and file come to.
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        let filed = self.filed()?;
        let given = self.given.0.clone();
        let autoclean = given.autoclean(&filed);
        let origins = if given.origin.is_empty() { filed.origin } else { given.origin };
        let origins = origins
            .into_iter()
            .map(|origin| web::origin(&origin).map_err(|why| ConfigError::Origin { origin, why }));
        let origins = origins.collect::<Result<_, _>>()?;
        // Who says how large it is says that it is not another file's, and the other way round.
        let says = given.nodes.is_some() || given.graph.is_some();
        let (nodes, graph) =
            if says { (given.nodes, given.graph) } else { (filed.nodes, filed.graph) };
        let seed = given.seed.or(filed.seed);
        let approval_timeout = given.approval_timeout.or(filed.approval_timeout).map(Seconds);
        let default = Policy::default();
        let balances = given.balances.or(filed.balances);
        let unpaid = given.unpaid_paycodes.or(filed.unpaid_paycodes);
        let held = given.held_htlcs.or(filed.held_htlcs);
        let of_channel = given.held_htlcs_per_channel.or(filed.held_htlcs_per_channel);
        Ok(Config {
            listen: given.listen.or(filed.listen).unwrap_or(LISTEN),
            origins,
            wanted: Wanted { nodes, seed, graph, balances },
            speed: given.speed.or(filed.speed).unwrap_or(Speed::REAL),
            metrics: given.metrics.or(filed.metrics).unwrap_or(false),
            otlp: given.otlp.or(filed.otlp),
            policy: Policy {
                ask_above_msat: given.ask_above.or(filed.ask_above),
                approval_timeout: approval_timeout.unwrap_or(default.approval_timeout),
                unpaid_paycodes_max: unpaid.unwrap_or(default.unpaid_paycodes_max),
                held_htlcs_max: held.unwrap_or(default.held_htlcs_max),
                held_htlcs_per_channel_max: of_channel
                    .unwrap_or(default.held_htlcs_per_channel_max),
                autoclean,
                ..default
            },
            quotas: quotas::all(filed.quota.into_iter().chain(given.quota)),
        })
    }

    fn filed(&self) -> Result<Settings, ConfigError> {
        let (file, must_be) = match &self.config {
            Some(file) => (file.clone(), true),
            None => (self.data_dir.join(FILE), false),
        };
        match fs::read_to_string(&file) {
            Ok(text) => read(&file, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_be => {
                Ok(Settings::default())
            }
            Err(error) => Err(ConfigError::Unreadable { file, error }),
        }
    }
}

fn read(file: &Path, text: &str) -> Result<Settings, ConfigError> {
    let file = file.to_owned();
    let settings: Settings = toml::from_str(text)
        .map_err(|error| ConfigError::Misshapen { file: file.clone(), error: Box::new(error) })?;
    if let Some(seconds) = settings.approval_timeout.filter(|it| !APPROVAL_S.contains(it)) {
        return Err(ConfigError::ApprovalTimeout { file, seconds });
    }
    if settings.autoclean_cycle == Some(0) {
        return Err(ConfigError::AutocleanCycle { file });
    }
    match settings.nodes {
        Some(nodes) if !(2..=NODES_MAX).contains(&nodes) => Err(ConfigError::Nodes { file, nodes }),
        Some(_) if settings.graph.is_some() => Err(ConfigError::TwoNetworks { file }),
        Some(_) | None => Ok(settings),
    }
}

#[cfg(test)]
mod tests;
