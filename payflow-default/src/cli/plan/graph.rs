//! Plans on a graph, without a daemon.

use super::{Args, Question};
use crate::cli::client::CallError;
use ecs_core::{ErrorObject, Json};
use ecs_systems::{
    methods::{DELAY_BLOCKS_MAX, PARTS_DEFAULT, RISK, routes_answer},
    planner::{
        Graph, HOPS_MAX, Knowledge, Layer, Plan, PlanRequest, generate_public, plan as routes,
    },
    refusal::{PAY_UNREACHABLE, PAY_UNSPECIFIED_ERROR, from_no_plan},
    units::{Blocks, NodeId, Timestamp},
};
use std::{
    cmp::Reverse,
    path::Path,
    time::{Duration, Instant},
};

/// Most nodes that an error lists.
const LISTED_MAX: usize = 4;

/// Where the graph comes from.
pub(super) enum Source<'a> {
    File(&'a Path),
    /// Generated: of so many nodes, from a seed.
    Made(u32, u64),
}

/// What `getroutes` of a daemon would answer, with what it comes to, and how long it took.
pub(super) fn plan(
    from: &Source<'_>,
    source: &str,
    args: &Args,
    question: &Question<'_>,
) -> Result<Json, CallError> {
    let begun = now();
    let graph = load(from)?;
    let loaded = begun.elapsed();
    let source = node(&graph, source).map_err(|why| why.refused("SRC", ErrorObject::invalid))?;
    let unreachable = |why| ErrorObject::new(PAY_UNREACHABLE, why);
    let destination =
        node(&graph, question.destination).map_err(|why| why.refused("DST", unreachable))?;
    let request = PlanRequest {
        source,
        destination,
        amount_msat: question.amount,
        fee_budget_msat: question.fee_max,
        delay_max_blocks: Blocks(DELAY_BLOCKS_MAX),
        final_cltv_blocks: Blocks(args.final_cltv),
        parts_max: args.maxparts.unwrap_or(PARTS_DEFAULT),
        hops_max: HOPS_MAX,
        risk_factor_micro_percent: RISK,
        exclude: Vec::new(),
        hints: Vec::new(),
        policies: Vec::new(),
        layer: Layer::default(),
        shadow: false,
        local: Vec::new(),
        announced_first_hops: true,
        first_hop: None,
        last_hop: None,
        now: Timestamp(0),
        seed: 0,
    };
    let begun = now();
    let plan = routes(&graph, &Knowledge::default(), &request);
    let planned = begun.elapsed();
    let plan = plan.map_err(|no_plan| CallError::Refused(from_no_plan(&no_plan)))?;
    Ok(told(&graph, &plan, loaded, planned))
}

fn load(from: &Source<'_>) -> Result<Graph, CallError> {
    match from {
        Source::Made(nodes, seed) => Ok(generate_public(*nodes, *seed)),
        Source::File(path) => match payecs_gossip::load(path) {
            Ok(loaded) => Ok(loaded.graph),
            Err(error) => {
                let why = format!("{}: {error}", path.display());
                Err(CallError::Refused(ErrorObject::new(PAY_UNSPECIFIED_ERROR, why)))
            }
        },
    }
}

#[expect(clippy::disallowed_methods, reason = "how long planning takes is what is asked")]
fn now() -> Instant {
    Instant::now()
}

fn told(graph: &Graph, plan: &Plan, loaded: Duration, planned: Duration) -> Json {
    let micros = |took: Duration| Json::of(&u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    let mut fields = routes_answer(plan).entries().unwrap_or_default();
    let delay = plan.routes.iter().map(ecs_systems::planner::Route::delay).max();
    fields.extend(
        [
            ("fee_msat", Json::of(&plan.fee())),
            ("delay_blocks", Json::of(&delay)),
            ("nodes", Json::of(&graph.nodes_count())),
            ("channels", Json::of(&graph.channels_count())),
            ("load_us", micros(loaded)),
            ("plan_us", micros(planned)),
        ]
        .map(|(name, json)| (name.to_owned(), json)),
    );
    Json::object(fields.iter().map(|(name, json)| (name.as_str(), json.clone())))
}

/// Why a word is no node of the graph.
#[derive(Debug, PartialEq, Eq)]
enum NoNode {
    /// It can't be one.
    Nonsense(String),
    /// None is called so.
    Unknown(String),
}

impl NoNode {
    fn refused(self, whose: &str, unknown: impl Fn(String) -> ErrorObject) -> CallError {
        CallError::Refused(match self {
            Self::Nonsense(why) => ErrorObject::invalid(format!("{whose}: {why}")),
            Self::Unknown(why) => unknown(format!("{whose}: {why}")),
        })
    }
}

/// The node that is meant: by its id, by the first digits of it, or by its place among those with
/// most channels.
fn node(graph: &Graph, word: &str) -> Result<NodeId, NoNode> {
    if let Some(place) = word.strip_prefix('@') {
        let mut nodes: Vec<NodeId> = graph.nodes().to_vec();
        nodes.sort_by_cached_key(|node| (Reverse(graph.outgoing(node).count()), *node));
        let place = place.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
        let count = nodes.len();
        let known = place.and_then(|place| nodes.get(place)).copied();
        return known.ok_or_else(|| NoNode::Unknown(format!("`{word}`: there are @1 to @{count}")));
    }
    let is_hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex(word) || word.is_empty() || word.len() > 66 {
        let word = word.escape_debug();
        return Err(NoNode::Nonsense(format!(
            "`{word}`: expected a node's 66 hexadecimal digits, the first of them, or @N"
        )));
    }
    let word = word.to_ascii_lowercase();
    // Nodes are in the order of their digits: those that begin so follow each other.
    let from = graph.nodes().partition_point(|node| *node.to_string() < *word);
    let begins = |node: &&NodeId| node.to_string().starts_with(&word);
    let found: Vec<&NodeId> = graph.nodes()[from..].iter().take_while(begins).collect();
    match found.as_slice() {
        [only] => Ok(**only),
        [] => Err(NoNode::Unknown(format!("no node of the graph begins with `{word}`"))),
        [..] => {
            let first = found.iter().take(LISTED_MAX).map(ToString::to_string);
            let first: Vec<String> = first.collect();
            let more = if found.len() > LISTED_MAX { ", …" } else { "" };
            Err(NoNode::Nonsense(format!(
                "{} nodes begin with `{word}`: {}{more}",
                found.len(),
                first.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_found_by_its_id_its_first_digits_or_its_place_and_never_guessed() {
        let graph = generate_public(300, 1);
        let some = graph.nodes()[7];
        let id = some.to_string();
        assert_eq!(node(&graph, &id), Ok(some));
        assert_eq!(node(&graph, &id[..20].to_uppercase()), Ok(some));
        let most = graph.nodes().iter().map(|node| graph.outgoing(node).count()).max();
        let first = node(&graph, "@1").unwrap();
        assert_eq!(Some(graph.outgoing(&first).count()), most);
        let count = graph.nodes_count();
        for (word, is_unknown, expected) in [
            ("0", false, format!("{count} nodes begin with `0`: {}", graph.nodes()[0])),
            ("02zz", false, "expected a node's 66".to_owned()),
            ("", false, "expected a node's 66".to_owned()),
            (&format!("{id}00"), false, "expected a node's 66".to_owned()),
            ("04", true, "no node of the graph begins with `04`".to_owned()),
            ("@0", true, format!("there are @1 to @{count}")),
            ("@301", true, format!("there are @1 to @{count}")),
            ("@x", true, format!("there are @1 to @{count}")),
        ] {
            let (unknown, why) = match node(&graph, word).unwrap_err() {
                NoNode::Nonsense(why) => (false, why),
                NoNode::Unknown(why) => (true, why),
            };
            assert_eq!(unknown, is_unknown, "{word}: {why}");
            assert!(why.contains(&expected), "{word}: {why}");
        }
    }
}
