//! What lightningd is told of us in its configuration, and hands on in `init`.

use super::autoclean;
use crate::{
    cli::{
        demo::{
            wanted::{Balances, NODES_MAX, Wanted},
            world::Accepts,
        },
        serve::{APPROVAL_S, Collector, collector, quotas},
    },
    shell::Speed,
};
use clap::ValueEnum as _;
use ecs_core::{Json, Quotas};
use ecs_systems::{
    policy::Policy,
    port::{Decision, OverKind},
    units::Seconds,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use tracing_subscriber::EnvFilter;

/// An option of lightningd.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// `string`, `int` or `flag`, as lightningd has them.
    pub(super) kind: &'static str,
    pub(super) default: Option<&'static str>,
    pub(super) description: &'static str,
    /// Whether lightningd's `setconfig` may change it while we run.
    pub(super) dynamic: bool,
}

const fn string(
    name: &'static str,
    default: Option<&'static str>,
    description: &'static str,
) -> Known {
    Known { name, kind: "string", default, description, dynamic: false }
}

const fn int(name: &'static str, description: &'static str) -> Known {
    Known { name, kind: "int", default: None, description, dynamic: false }
}

const fn dynamic_int(name: &'static str, description: &'static str) -> Known {
    Known { name, kind: "int", default: None, description, dynamic: true }
}

/// All of them.
pub(super) const ALL: &[Known] = &[
    string(
        "payecs-dir",
        Some("payecs"),
        "Where the engine keeps everything: a directory, below lightningd's own unless it begins \
         with a slash; made where it is missing, for its owner alone",
    ),
    int(
        "payecs-nodes",
        "How many nodes the simulated network has, when it is made: 2 to 250000 (default 100)",
    ),
    string(
        "payecs-graph",
        None,
        "A gossip store, packed with zstd or not: the simulated network has its channels, when it \
         is made",
    ),
    string(
        "payecs-balances",
        None,
        "How hidden balances are spread, when the network is made: uniform or bimodal",
    ),
    int("payecs-seed", "What the simulated network comes from, when it is made (default 2)"),
    string(
        "payecs-speed",
        Some("1"),
        "How many times faster than real time the simulated network lives",
    ),
    string(
        "payecs-announce",
        Some("all"),
        "Which Systems payecs_system_invoke tells of: all, or external ones alone",
    ),
    string(
        "payecs-log",
        Some("warn"),
        "What goes to lightningd's log: off, warn, info, payflow::send=debug, …",
    ),
    string(
        "payecs-otlp",
        None,
        "Sends the spans of payments to a collector of OpenTelemetry on this machine: \
         http://127.0.0.1:4318 (in a program that is built for it)",
    ),
    Known {
        name: "payecs-accept-unknown",
        kind: "flag",
        default: None,
        description: "After a backup was restored: take on new payments though the node can't say \
                      what became of some parts",
        dynamic: false,
    },
    string(
        "payecs-accept-forgotten",
        None,
        "After a backup was restored: take on new payments though the node's list of parts has a \
         gap, and why",
    ),
    string("payecs-operator", None, "Who decides that"),
    string(
        "payecs-quotas",
        None,
        "How much callers and third parties may use up, such as entities=50000,names=1000",
    ),
    string(
        "payecs-ask-above",
        None,
        "A payment that could spend more than this, its fee budget included, waits until somebody \
         attaches lightningd:approval: 5sat, or msat (default: none does)",
    ),
    int(
        "payecs-approval-timeout",
        "How many seconds there are for that answer: 1 to 86400 (default 600)",
    ),
    int(
        "payecs-unpaid-paycodes",
        "Most paycodes that wait unpaid, expired ones included (default 100000)",
    ),
    int("payecs-held-htlcs", "Most HTLCs that are held at a time (default 300)"),
    int(
        "payecs-held-htlcs-per-channel",
        "Most HTLCs of one channel that are held at a time (default 20)",
    ),
    dynamic_int(
        autoclean::CYCLE,
        "How often it is looked what is to be cleaned, in seconds (default 3600)",
    ),
    dynamic_int(
        autoclean::age(OverKind::PaidInvoices),
        "How many seconds after its payment an invoice is deleted (default 0: never)",
    ),
    dynamic_int(
        autoclean::age(OverKind::ExpiredInvoices),
        "How many seconds after its expiry an invoice is deleted (default 0: never)",
    ),
    dynamic_int(
        autoclean::age(OverKind::PaidPaycodes),
        "How many seconds after its payment a paycode without an invoice is deleted (default 0: \
         never)",
    ),
    dynamic_int(
        autoclean::age(OverKind::ExpiredPaycodes),
        "How many seconds after its expiry a paycode without an invoice is deleted (default 0: \
         never)",
    ),
];

/// Settings that are complete.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) data_dir: PathBuf,
    pub(super) wanted: Wanted,
    pub(super) speed: Speed,
    /// Whether Systems of the flow are announced too.
    pub(super) announce_all: bool,
    pub(super) log: EnvFilter,
    /// Who takes the spans of payments.
    pub(super) otlp: Option<Collector>,
    pub(super) accepts: Accepts,
    pub(super) quotas: Quotas,
    pub(super) policy: Policy,
}

/// Why an option does not do: its name, and what would.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub(super) struct Wrong {
    pub(super) name: &'static str,
    pub(super) why: String,
}

impl Options {
    /// What `init` says: `options` by name, and `lightning-dir` of its configuration. What
    /// lightningd leaves out is as by default; options of others are not looked at.
    ///
    /// # Errors
    /// An option has a value that it can't have.
    pub(super) fn of(given: &Json, lightning_dir: Option<&Path>) -> Result<Self, Wrong> {
        let given = Given(given.fields().unwrap_or_default());
        let nodes = given.int("payecs-nodes")?;
        let graph = given.text("payecs-graph")?.map(PathBuf::from);
        if nodes.is_some() && graph.is_some() {
            let why = "a network has `payecs-nodes` or a `payecs-graph`, not both".to_owned();
            return Err(Wrong { name: "payecs-graph", why });
        }
        let nodes = nodes.map(|nodes| {
            let fits = u32::try_from(nodes).ok().filter(|it| (2..=NODES_MAX).contains(it));
            let why = || format!("expected 2 to {NODES_MAX}, got {nodes}");
            fits.ok_or_else(|| Wrong { name: "payecs-nodes", why: why() })
        });
        let wanted = Wanted {
            nodes: nodes.transpose()?,
            graph,
            seed: given.int("payecs-seed")?,
            balances: given.read("payecs-balances", |text| Balances::from_str(text, true))?,
        };
        let why = given.filled("payecs-accept-forgotten")?;
        let who = given.filled("payecs-operator")?;
        let forgotten = match (why, who) {
            (Some(why), Some(who)) => Some(Decision { who, why }),
            (None, None) => None,
            (Some(_), None) => {
                let why = "say who decides that, with `payecs-operator`".to_owned();
                return Err(Wrong { name: "payecs-accept-forgotten", why });
            }
            (None, Some(_)) => {
                let why = "say what is decided, with `payecs-accept-forgotten`".to_owned();
                return Err(Wrong { name: "payecs-operator", why });
            }
        };
        let unknown = given.flag("payecs-accept-unknown")?;
        let data_dir = PathBuf::from(given.need("payecs-dir")?);
        Ok(Self {
            // What is absolute replaces the directory that it is joined to.
            data_dir: lightning_dir.map_or(data_dir.clone(), |dir| dir.join(data_dir)),
            wanted,
            speed: given.read_or_default("payecs-speed", str::parse)?,
            announce_all: given.read_or_default("payecs-announce", announced)?,
            log: given.read_or_default("payecs-log", |text| EnvFilter::try_new(text))?,
            otlp: given.read("payecs-otlp", collector)?,
            accepts: Accepts { unknown, forgotten },
            quotas: given.read("payecs-quotas", quotas::several)?.unwrap_or_default(),
            policy: policy(&given)?,
        })
    }
}

fn policy(given: &Given) -> Result<Policy, Wrong> {
    let default = Policy::default();
    let (first, last) = (APPROVAL_S.start(), APPROVAL_S.end());
    let timeout = given.read("payecs-approval-timeout", |text| {
        let seconds = text.parse().ok().filter(|seconds| APPROVAL_S.contains(seconds));
        seconds.ok_or_else(|| format!("expected {first} to {last}, got `{text}`"))
    })?;
    Ok(Policy {
        ask_above_msat: given.read("payecs-ask-above", str::parse)?,
        approval_timeout: timeout.map_or(default.approval_timeout, Seconds),
        unpaid_paycodes_max: given
            .int("payecs-unpaid-paycodes")?
            .unwrap_or(default.unpaid_paycodes_max),
        held_htlcs_max: given.int("payecs-held-htlcs")?.unwrap_or(default.held_htlcs_max),
        held_htlcs_per_channel_max: given
            .int("payecs-held-htlcs-per-channel")?
            .unwrap_or(default.held_htlcs_per_channel_max),
        autoclean: autoclean::of(given)?,
        ..default
    })
}

fn announced(text: &str) -> Result<bool, String> {
    match text {
        "all" => Ok(true),
        "external" => Ok(false),
        other => Err(format!("expected `all` or `external`, got `{other}`")),
    }
}

/// What was given, by name.
#[derive(Debug)]
pub(super) struct Given(pub(super) BTreeMap<String, Json>);

impl Given {
    fn value(&self, name: &str) -> Option<&Json> {
        debug_assert!(ALL.iter().any(|known| known.name == name), "{name} is in the table");
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, Wrong> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_str() {
            Some(text) => Ok(Some(text.into_owned())),
            // A number or a word, as some write it.
            None if !value.text().starts_with(['{', '[']) => Ok(Some(value.text().to_owned())),
            None => Err(Wrong { name, why: format!("expected a string, got {value}") }),
        }
    }

    /// A text that says something.
    fn filled(&self, name: &'static str) -> Result<Option<String>, Wrong> {
        match self.text(name)? {
            Some(text) if text.trim().is_empty() => {
                Err(Wrong { name, why: "it says nothing".to_owned() })
            }
            text => Ok(text),
        }
    }

    fn need(&self, name: &'static str) -> Result<String, Wrong> {
        let default = ALL.iter().find(|known| known.name == name).and_then(|known| known.default);
        Ok(self.filled(name)?.unwrap_or_else(|| default.unwrap_or_default().to_owned()))
    }

    pub(super) fn int(&self, name: &'static str) -> Result<Option<u64>, Wrong> {
        self.read(name, |text| {
            text.parse().map_err(|_| format!("expected an integer from 0, got `{text}`"))
        })
    }

    fn flag(&self, name: &'static str) -> Result<bool, Wrong> {
        let wrong = |text: &str| format!("expected true or false, got `{text}`");
        let read = self.read(name, |text| text.parse().map_err(|_| wrong(text)))?;
        Ok(read.unwrap_or(false))
    }

    fn read<T, E: ToString>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Wrong> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        read(&text).map(Some).map_err(|why| Wrong { name, why: why.to_string() })
    }

    fn read_or_default<T, E: ToString>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Wrong> {
        read(&self.need(name)?).map_err(|why| Wrong { name, why: why.to_string() })
    }
}

#[cfg(test)]
mod tests;
