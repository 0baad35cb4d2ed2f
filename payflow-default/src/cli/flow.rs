//! `payecs flow`: a list of Systems as a table or a drawing, and what looks wrong with it.

use super::{
    client::{CallError, Client, block_on},
    demo::words::{counted, wrapped},
};
use ecs_core::Json;
use payflow_default::outline::{Known, Listed, Outline, Writes, short};
use serde::Deserialize;
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};
use tabled::{builder::Builder, settings::Style};

/// Longest line of a cell, in characters.
const CELL_CHARS_MAX: usize = 30;
/// What most Systems of the default flow disallow, besides what tells them apart.
const ENDS: [&str; 2] = ["lightningd:failing", "lightningd:preimage"];

/// Shows the ordered list of Systems: what each requires, disallows, attaches and detaches, and
/// what looks wrong with the list.
///
/// Without a data directory: the default list as this program has it. With one: the default list of
/// its daemon, and what else is registered there; with --entity the list of that Entity.
///
/// Exit codes: 0 shown; 1 there is no such list, or nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs flow
  payecs flow --format mermaid > flow.mmd
  payecs flow --data-dir D --entity 17
  payecs flow --data-dir D --format dot | dot -Tsvg > flow.svg")]
pub(crate) struct Args {
    /// The data directory of a daemon, which `payecs serve` keeps.
    #[arg(long, value_name = "DIR", env = "PAYECS_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The default list of this program, also where a data directory is given.
    #[arg(long)]
    builtin: bool,
    /// The list of this Entity; of one that is over, its last.
    #[arg(long, value_name = "ENTITY", conflicts_with = "builtin")]
    entity: Option<u32>,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table, with warnings.
    Text,
    /// One line of JSON, with warnings.
    Json,
    /// A graph for Graphviz.
    Dot,
    /// A Mermaid flowchart.
    Mermaid,
}

/// Why no list is shown.
#[derive(Debug, thiserror::Error)]
enum FlowError {
    #[error("{0}")]
    Call(#[from] CallError),
    #[error("--entity {0} needs the --data-dir of a daemon")]
    NoDaemon(u32),
    #[error("Entity {0} has no list of Systems: there is no such Entity, or it was collected")]
    NoList(u32),
    #[error("the daemon answered {0} in a way this program doesn't know")]
    Answer(&'static str),
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let outline = match outline(args) {
        Ok(outline) => outline,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(if matches!(error, FlowError::NoDaemon(_)) { 2 } else { 1 });
        }
    };
    let text = match args.format {
        Format::Text => text(&outline),
        Format::Json => format!("{}\n", json(&outline)),
        Format::Dot => outline.dot(),
        Format::Mermaid => outline.mermaid(),
    };
    if args.format == Format::Dot || args.format == Format::Mermaid {
        // What draws it takes the other stream.
        for warning in outline.warnings() {
            eprintln!("warning: {warning}");
        }
    }
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn outline(args: &Args) -> Result<Outline, FlowError> {
    match (&args.data_dir, args.entity) {
        (Some(data_dir), entity) if !args.builtin => {
            let client = Client::of(data_dir)?;
            block_on(async { Ok(asked(&client, entity).await) })?
        }
        (None, Some(entity)) => Err(FlowError::NoDaemon(entity)),
        (Some(_) | None, _) => Ok(Outline::default_flow()),
    }
}

/// The list of a daemon, or of one of its Entities.
async fn asked(client: &Client, entity: Option<u32>) -> Result<Outline, FlowError> {
    let (listing, defaults) = ("payecs_listsystems", "payecs_getdefaultsystems");
    let registered = client.call(listing, Json::array([])).await?;
    let registered = Known::all(&registered).ok_or(FlowError::Answer(listing))?;
    let Some(entity) = entity else {
        let list = client.call(defaults, Json::array([])).await?;
        let List { systems, .. } = list.decode().map_err(|_| FlowError::Answer(defaults))?;
        return Ok(Outline::of(systems, &registered));
    };
    let list = list_of(client, entity).await?;
    let mut outline = Outline::of(list.systems, &registered);
    outline.current = list.current.filter(|place| *place < outline.systems.len());
    let explain = "payecs_explain";
    let explained = client.call(explain, Json::of(&[entity])).await?;
    let explained: Explained = explained.decode().map_err(|_| FlowError::Answer(explain))?;
    for judged in &explained.systems {
        let system = outline.systems.iter().find(|listed| listed.name == judged.system);
        let required = system.and_then(|it| it.known.as_ref()).map(|known| &known.required);
        let attached = required.into_iter().flatten().filter(|it| !judged.missing.contains(it));
        let attached: Vec<String> = attached.cloned().collect();
        outline.attached.extend(attached);
    }
    Ok(outline)
}

#[derive(Deserialize)]
struct List {
    systems: Vec<String>,
    #[serde(default)]
    current: Option<usize>,
}

#[derive(Deserialize)]
struct Explained {
    systems: Vec<Judged>,
}

#[derive(Deserialize)]
struct Judged {
    system: String,
    missing: Vec<String>,
}

/// The list of an Entity, or its last.
async fn list_of(client: &Client, entity: u32) -> Result<List, FlowError> {
    let names = ["lightningd:systems", "lightningd:systems:final"];
    let read = client.call("payecs_getcomponents", Json::of(&(entity, names))).await?;
    let mut fields = read.fields().ok_or(FlowError::Answer("payecs_getcomponents"))?;
    let lists = names.into_iter().filter_map(|name| fields.remove(name));
    let mut lists = lists.filter_map(|list| list.decode().ok());
    lists.next().ok_or(FlowError::NoList(entity))
}

fn text(outline: &Outline) -> String {
    let mut out = String::new();
    let known = || outline.systems.iter().filter_map(|system| system.known.as_ref());
    let owners = known().any(|known| known.owner != "payecs");
    for (phase, places) in outline.phases() {
        let mut rows = Builder::default();
        rows.push_record(["", "", "System", "requires", "disallows", "writes", "owner"]);
        for place in places {
            rows.push_record(row(outline, place));
        }
        if !owners {
            rows.remove_column(6);
        }
        let mut table = rows.build();
        table.with(Style::blank());
        let _ = writeln!(out, "{}\n{}\n", phase.name(), trimmed(&table.to_string()));
    }
    out.push_str("* also disallows failing and preimage; + attaches, - detaches, ± one of both\n");
    if outline.current.is_some() {
        out.push_str("> ran last\n");
    }
    if !outline.others.is_empty() {
        let names: Vec<&str> = outline.others.keys().map(|name| short(name)).collect();
        let _ = writeln!(out, "\nRegistered, and not in this list: {}", names.join(", "));
    }
    let warnings = outline.warnings();
    if warnings.is_empty() {
        out.push_str("\nNothing looks wrong with this list.\n");
    } else {
        let _ = writeln!(out, "\n{}:", counted(warnings.len(), "warning"));
    }
    for warning in warnings {
        let _ = writeln!(out, "  {warning}");
    }
    out
}

/// Without what stands at the ends of lines and is not seen.
fn trimmed(table: &str) -> String {
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    lines.join("\n")
}

fn row(outline: &Outline, place: usize) -> [String; 7] {
    let system = &outline.systems[place];
    let current = if outline.current == Some(place) { ">" } else { "" };
    let (number, name) = ((place + 1).to_string(), short(&system.name).to_owned());
    let Some(known) = &system.known else {
        let unknown = "not registered".to_owned();
        let nothing = String::new;
        return [current.to_owned(), number, name, unknown, nothing(), nothing(), nothing()];
    };
    let star = ENDS.iter().all(|end| known.disallowed.iter().any(|name| name == end));
    let disallowed = known.disallowed.iter().filter(|it| !(star && ENDS.contains(&it.as_str())));
    [
        current.to_owned(),
        number,
        if star { name + " *" } else { name },
        cell(known.required.iter().map(|name| short(name).to_owned())),
        cell(disallowed.map(|name| short(name).to_owned())),
        writes(known),
        known.owner.clone(),
    ]
}

fn writes(known: &Known) -> String {
    let with = |sign: char, names: &[String]| -> Vec<String> {
        names.iter().map(|name| format!("{sign}{}", short(name))).collect()
    };
    match &known.writes {
        Writes::Told { attaches, detaches, .. } => {
            cell([with('+', attaches), with('-', detaches)].concat().into_iter())
        }
        Writes::Declared(names) => cell(with('±', names).into_iter()),
        Writes::Unknown => "it doesn't say".to_owned(),
    }
}

fn cell(names: impl Iterator<Item = String>) -> String {
    wrapped(&names.collect::<Vec<_>>().join(", "), CELL_CHARS_MAX, 0)
}

fn json(outline: &Outline) -> Json {
    let systems = outline.systems.iter().map(system_object);
    let warnings: Vec<String> = outline.warnings().iter().map(ToString::to_string).collect();
    Json::object([
        ("systems", Json::array(systems)),
        ("current", Json::of(&outline.current)),
        ("others", Json::of(&outline.others.keys().collect::<Vec<_>>())),
        ("warnings", Json::of(&warnings)),
    ])
}

fn system_object(system: &Listed) -> Json {
    let mut fields = vec![
        ("system", Json::of(&system.name)),
        ("phase", Json::of(&system.phase.name().to_lowercase())),
        ("registered", Json::of(&system.known.is_some())),
    ];
    if let Some(known) = &system.known {
        fields.extend([
            ("required", Json::of(&known.required)),
            ("disallowed", Json::of(&known.disallowed)),
            ("owner", Json::of(&known.owner)),
        ]);
        match &known.writes {
            Writes::Told { attaches, detaches, .. } => {
                let names = [("attaches", Json::of(attaches)), ("detaches", Json::of(detaches))];
                fields.extend(names);
            }
            Writes::Declared(names) => fields.push(("writes", Json::of(names))),
            Writes::Unknown => {}
        }
    }
    Json::object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_flow_is_a_table_in_phases() {
        let shown = text(&Outline::default_flow());
        let words: Vec<String> = shown
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for line in [
            "Decode",
            "1 generate_nonce systems nonce +nonce",
            "11 invoice_amount_msat * invoice:amount_msat amount +amount, -invoice:amount_msat",
            "Receive",
            "Nothing looks wrong with this list.",
        ] {
            assert!(words.iter().any(|it| it == line), "{line}:\n{shown}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= 140), "{shown}");
    }

    #[test]
    fn json_says_what_is_known_of_each_system_and_no_more() {
        let outline = Outline::of(["acme:x".to_owned()], &std::collections::BTreeMap::new());
        let shown = json(&outline).to_string();
        let expected = r#"{"systems":[{"system":"acme:x","phase":"decode","registered":false}],"#;
        assert!(shown.starts_with(expected), "{shown}");
        assert!(shown.ends_with(r#""warnings":["`acme:x` is not registered"]}"#), "{shown}");
    }
}
