//! `payecs token`: who else may call.

use super::home::Reach;
use ecs_core::{Caller, Scope, did_you_mean};
use ecs_systems::{policy::Policy, units::Timestamp};
use ledger_store::{MemoryLedger, MemoryReceipts};
use node_sim::OUR_NAME;
use payflow_default::{
    app::{Parts, bundled, engine},
    service::SIM_INVOICE,
};
use rpc_bridge::{Grant, NewToken, TokenError, TokenInfo, Tokens, subscription_ends};
use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};
use tabled::{builder::Builder, settings::Style};

/// Makes, lists and revokes the tokens of a data directory.
///
/// Whoever calls over HTTP or WebSocket sends one in the header `Authorization: Bearer …`. A token
/// may do what its scopes say: `read` looks, `receive` makes what others pay to, `pay` pays, `flow`
/// writes Components and adds Systems (who may do this can also pay), `approve` answers what was
/// held for approval, `admin` looks after the engine. A running daemon takes changes in at once.
///
/// Exit codes: 0 done; 1 not done; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs token create shop --data-dir D --scope read --scope receive
  payecs token create bot --data-dir D --scope pay --method pay --method decode --days 30
  payecs token create erp --data-dir D --scope read --scope flow --component erp:
  payecs token create tip --data-dir D --scope read --scope flow --writes tip:
  payecs token list --data-dir D
  payecs token revoke bot --data-dir D")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes a token and prints it: it is shown this once, and kept only as its hash.
    Create(Create),
    /// Lists the tokens, without what proves them.
    List(Dir),
    /// Revokes a token: the next call that comes with it is refused.
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Dir {
    /// The data directory that `payecs serve` keeps.
    #[arg(long, value_name = "DIR", env = "PAYECS_DATA_DIR")]
    data_dir: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Its name: letters, digits, `.`, `_` or `-`.
    name: String,
    #[command(flatten)]
    dir: Dir,
    /// What it may do; may be given several times.
    #[arg(long = "scope", value_enum, required = true)]
    scopes: Vec<ScopeName>,
    /// A method that it may call; may be given several times. Default: all that its scopes allow.
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// What the names of Components begin with that it may read and write, and those of the
    /// Systems that it may register; may be given several times. Methods that don't keep to that,
    /// such as `pay`, are refused then. Default: all.
    #[arg(long = "component", value_name = "PREFIX")]
    components: Vec<String>,
    /// What the names of the Components begin with that it may write, besides what is documented
    /// for callers, and those of the Systems that it may register; may be given several times.
    /// Default: all.
    #[arg(long = "writes", value_name = "PREFIX")]
    writes: Vec<String>,
    /// It may read Components that are never shown, such as preimages.
    #[arg(long)]
    secrets: bool,
    /// After so many days it counts no more. Default: never.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// Its name.
    name: String,
    #[command(flatten)]
    dir: Dir,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ScopeName {
    Read,
    Receive,
    Pay,
    Flow,
    Approve,
    Admin,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Read => Self::Read,
            ScopeName::Receive => Self::Receive,
            ScopeName::Pay => Self::Pay,
            ScopeName::Flow => Self::Flow,
            ScopeName::Approve => Self::Approve,
            ScopeName::Admin => Self::Admin,
        }
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let done = match &args.command {
        Command::Create(create) => {
            if let Some(unknown) = create.methods.iter().find_map(|name| unknown(name)) {
                eprintln!("error: --method {unknown}");
                return ExitCode::from(2);
            }
            make(create)
        }
        Command::List(dir) => list(dir),
        Command::Revoke(revoke) => tokens(&revoke.dir).and_then(|all| all.revoke(&revoke.name)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why a method can't be called by that name. `None`: it can.
fn unknown(name: &str) -> Option<String> {
    let engine = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new(OUR_NAME)),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: bundled(),
    });
    let engine = engine.expect("our plugins have names of their own");
    let own = engine.methods().map(|method| method.name);
    let known: Vec<&str> = own.chain([SIM_INVOICE.name]).chain(subscription_ends()).collect();
    if known.contains(&name) {
        return None;
    }
    let hint = did_you_mean(known.into_iter(), name);
    Some(format!("{name}: there is no such method{hint}; docs/RPC.md has all"))
}

fn tokens(dir: &Dir) -> Result<Tokens, TokenError> {
    Tokens::open(Reach::of(&dir.data_dir).dir())
}

fn make(create: &Create) -> Result<(), TokenError> {
    let scopes = create.scopes.iter().map(|scope| Scope::from(*scope));
    let (secrets, components) = (create.secrets, some(&create.components));
    let writes = some(&create.writes);
    let caller = Caller { secrets, components, writes, ..Caller::with(scopes) };
    let grant = Grant { name: create.name.as_str().into(), caller, methods: some(&create.methods) };
    let expires_ms = create.days.map(|days| now_ms() + u64::from(days) * 86_400_000);
    let secret = tokens(&create.dir)?.create(&NewToken { grant, expires_ms })?;
    writeln!(io::stdout().lock(), "{}", secret.reveal())?;
    Ok(())
}

/// Those that were given; `None`: none was.
fn some(given: &[String]) -> Option<BTreeSet<String>> {
    (!given.is_empty()).then(|| given.iter().cloned().collect())
}

fn list(dir: &Dir) -> Result<(), TokenError> {
    let mut table = Builder::default();
    table.push_record([
        "name",
        "scopes",
        "methods",
        "components",
        "writes",
        "secrets",
        "made",
        "until",
    ]);
    for token in tokens(dir)?.list()? {
        table.push_record(row(&token));
    }
    writeln!(io::stdout().lock(), "{}", table.build().with(Style::blank()))?;
    Ok(())
}

fn row(token: &TokenInfo) -> [String; 8] {
    let TokenInfo { grant, created_ms, expires_ms } = token;
    let scopes: Vec<String> =
        grant.caller.scopes.iter().map(|scope| format!("{scope:?}").to_lowercase()).collect();
    let told = |some: &Option<BTreeSet<String>>, all: &str| match some {
        Some(some) => some.iter().cloned().collect::<Vec<_>>().join(" "),
        None => all.to_owned(),
    };
    let methods = told(&grant.methods, "all of these");
    let components = told(&grant.caller.components, "all");
    let writes = told(&grant.caller.writes, "all of these");
    let until = expires_ms.map_or_else(|| "for ever".to_owned(), |at| Timestamp(at).to_string());
    let secrets = if grant.caller.secrets { "yes" } else { "no" };
    let made = Timestamp(*created_ms).to_string();
    let (name, scopes, secrets) = (grant.name.to_string(), scopes.join(" "), secrets.to_owned());
    [name, scopes, methods, components, writes, secrets, made, until]
}

#[expect(clippy::disallowed_methods, reason = "the edge: when a token ends")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_methods_that_there_are() {
        for name in ["pay", "payecs_advance", "rpc.discover", "sim_invoice", "payecs_unobserve"] {
            assert_eq!(unknown(name), None, "{name}");
        }
        let said = unknown("listpay").unwrap();
        assert_eq!(said, "listpay: there is no such method; `listpays`?; docs/RPC.md has all");
        assert_eq!(
            unknown("nosuch").unwrap(),
            "nosuch: there is no such method; docs/RPC.md has all"
        );
    }
}
