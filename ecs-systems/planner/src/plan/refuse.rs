//! Why there is no plan.

use crate::net::{Edge, Net};
use crate::path::{Load, Path};
use crate::split::{Ask, as_much_as_goes, solve_cheaply};
use crate::{Binding, Limit, NoPlan, NoPlanReason};
use payecs_units::{Blocks, Msat};

/// Most directions in an answer.
const CUT_MAX: usize = 8;
/// Most amounts tried to find the largest that could go.
const LARGEST_STEPS: u32 = 6;
/// Most numbers of parts tried, each twice the one before, and the most parts tried: each try takes
/// longer the more there are, and nobody allows more (Core Lightning's default is 100).
const PARTS_STEPS: usize = 3;
const PARTS_MAX: usize = 100;
/// The fee and delay limits lifted: far above any real one, far from overflow.
const FEE_UNLIMITED: Msat = Msat(u64::MAX >> 2);
const DELAY_UNLIMITED: Blocks = Blocks(u32::MAX >> 1);

/// The answer to a request for nothing.
pub(super) fn empty() -> NoPlan {
    NoPlan {
        reason: NoPlanReason::NoRoute,
        largest_msat: None,
        fee_needed_msat: None,
        delay_needed_blocks: None,
        parts_needed: None,
        allow: Vec::new(),
        cut: Vec::new(),
    }
}

/// The first cause that applies to an ask without a solution.
pub(super) fn explain(net: &Net<'_>, ask: Ask) -> NoPlan {
    if !net.knows_destination() {
        return NoPlan { reason: NoPlanReason::Unreachable, ..empty() };
    }
    let (largest_msat, load) = largest(net, ask);
    let refused = |reason, cut| NoPlan { reason, largest_msat, cut, ..empty() };
    let parts_max = u64::try_from(ask.parts_max).unwrap_or(u64::MAX);
    let ours = || net.edges().map(|(_, edge)| edge).filter(|edge| edge.from == net.start);
    let theirs = || net.edges_to(net.goal).map(|edge| net.edge(edge));
    if carried_at_most(ours(), parts_max) < ask.amount {
        let allowed =
            |edge| if net.is_left_out(&edge) { Edge { blocked: None, ..edge } } else { edge };
        let has_enough = carried_at_most(ours().map(allowed), parts_max) >= ask.amount;
        let reason =
            if has_enough { NoPlanReason::Excluded } else { NoPlanReason::InsufficientFunds };
        return refused(reason, binding(ours(), &Load::default()));
    }
    if carried_at_most(theirs(), parts_max) < ask.amount {
        return refused(NoPlanReason::DestinationCapacity, binding(theirs(), &Load::default()));
    }
    if let Some(dear) = too_expensive(net, ask) {
        return NoPlan { largest_msat, ..dear };
    }
    let more = Ask { parts_max: usize::MAX, ..ask };
    if let Some(paths) = solve_cheaply(net, more) {
        let ways = paths.iter().map(|path| net.edge(path.edges[0]));
        let cut = binding(ways, &Load::default());
        let parts = |binding: Binding| Binding { limit: Limit::Parts, ..binding };
        let cut = cut.into_iter().map(parts).collect();
        let parts_needed = parts_needed(net, ask, paths.len());
        return NoPlan { parts_needed, ..refused(NoPlanReason::NoRoute, cut) };
    }
    refused(NoPlanReason::NoRoute, bottleneck(net, &load))
}

/// What the limits on fee and delay would have to be: of the fee alone, else of the delay alone,
/// else of both. `None` where they are not what is in the way.
fn too_expensive(net: &Net<'_>, ask: Ask) -> Option<NoPlan> {
    let dearer = Ask { fee_max: FEE_UNLIMITED, ..ask };
    let slower = Ask { delay_max: DELAY_UNLIMITED, ..ask };
    let delay_of = |paths: &[Path]| paths.iter().map(Path::delay).max();
    let fee_of = |paths: &[Path]| Msat::sum(paths.iter().map(Path::fee));
    let mut paths = solve_cheaply(net, Ask { delay_max: DELAY_UNLIMITED, ..dearer })?;
    if delay_of(&paths).is_none_or(|delay| delay > ask.delay_max) {
        let is_cheap = fee_of(&paths).is_some_and(|fee| fee <= ask.fee_max);
        let slow = || if is_cheap { None } else { solve_cheaply(net, slower) };
        paths = solve_cheaply(net, dearer).or_else(slow).unwrap_or(paths);
    }
    let (fee, delay) = (fee_of(&paths), delay_of(&paths));
    let needed = fee.zip(delay).filter(|(fee, delay)| {
        let (fee_max, delay_max) = (ask.fee_max.max(*fee), ask.delay_max.max(*delay));
        solve_cheaply(net, Ask { fee_max, delay_max, ..ask }).is_some()
    });
    let is_dear = fee.is_none_or(|fee| fee > ask.fee_max);
    Some(NoPlan {
        reason: NoPlanReason::TooExpensive,
        fee_needed_msat: needed.map(|(fee, _)| fee),
        delay_needed_blocks: needed.map(|(_, delay)| delay),
        cut: dearest(net, &paths, is_dear),
        ..empty()
    })
}

/// How many parts do where so many were found without a limit. `None` where that is unknown, or too
/// many.
fn parts_needed(net: &Net<'_>, ask: Ask, found: usize) -> Option<u32> {
    let doubled = std::iter::successors(Some(found), |parts| parts.checked_mul(2));
    let mut counts = doubled.take(PARTS_STEPS).take_while(|parts| *parts <= PARTS_MAX);
    let parts = counts.find(|parts| solve_cheaply(net, Ask { parts_max: *parts, ..ask }).is_some());
    parts.and_then(|parts| u32::try_from(parts).ok())
}

/// The most that was found to go under the same limits, and what it loads.
fn largest(net: &Net<'_>, ask: Ask) -> (Option<Msat>, Load) {
    let placed = as_much_as_goes(net, ask);
    let (mut low, mut high) = (0, placed.amount().0);
    let mut amount = high;
    for _ in 0..LARGEST_STEPS {
        if amount == low {
            break;
        }
        let less = Ask { amount: Msat(amount), ..ask };
        if solve_cheaply(net, less).is_some() {
            low = amount;
        } else {
            high = amount;
        }
        if low == high {
            break;
        }
        amount = low + (high - low) / 2;
    }
    ((low > 0).then_some(Msat(low)), placed.load)
}

/// What edges could carry together if nothing else were in the way and nothing were learned.
fn carried_at_most(edges: impl Iterator<Item = Edge>, parts_max: u64) -> Msat {
    let each = edges.filter(|edge| edge.blocked.is_none()).map(|edge| {
        let htlcs = u64::from(edge.slots).min(parts_max);
        edge.capacity.min(Msat(edge.max.0.saturating_mul(htlcs)))
    });
    Msat::sum(each).unwrap_or(Msat(u64::MAX))
}

/// Edges as an answer: first those that allow least.
fn binding(edges: impl Iterator<Item = Edge>, load: &Load) -> Vec<Binding> {
    let mut cut: Vec<Binding> = edges
        .map(|edge| {
            let (allows_msat, limit) = load.allows(&edge);
            Binding { short_channel_id_dir: edge.direction, allows_msat, limit }
        })
        .collect();
    cut.sort_by_key(|binding| (binding.allows_msat, binding.short_channel_id_dir));
    cut.dedup_by_key(|binding| binding.short_channel_id_dir);
    cut.truncate(CUT_MAX);
    cut
}

/// The hops that cost most fee (where that is too much) or delay.
fn dearest(net: &Net<'_>, paths: &[Path], dear: bool) -> Vec<Binding> {
    let hops = paths.iter().flat_map(|path| path.edges.iter().zip(&path.htlcs));
    let mut hops: Vec<(u64, Binding)> = hops
        .map(|(edge, htlc)| {
            let edge = net.edge(*edge);
            let fee = htlc.amount.forwarding_fee(edge.fee_base, edge.fee_rate);
            let delay = u64::from(edge.cltv_delta.0);
            let asks = if dear { fee.map_or(u64::MAX, |fee| fee.0) } else { delay };
            let limit = if dear { Limit::FeeBudget } else { Limit::Delay };
            let allows_msat = Load::default().allows(&edge).0;
            (asks, Binding { short_channel_id_dir: edge.direction, allows_msat, limit })
        })
        .filter(|(asks, _)| *asks > 0)
        .collect();
    hops.sort_by_key(|(asks, hop)| (std::cmp::Reverse(*asks), hop.short_channel_id_dir));
    hops.dedup_by_key(|(_, hop)| hop.short_channel_id_dir);
    hops.truncate(CUT_MAX);
    hops.into_iter().map(|(_, hop)| hop).collect()
}

/// The edges out of what we can reach beside `load`: with more on one of them, more might go. First
/// those into what reaches the destination.
fn bottleneck(net: &Net<'_>, load: &Load) -> Vec<Binding> {
    let open = |edge: &Edge| {
        let (allows, _) = load.allows(edge);
        allows > Msat::ZERO && allows >= edge.min
    };
    let edges: Vec<Edge> = net.edges().map(|(_, edge)| edge).collect();
    let count = net.nodes_count as usize;
    let ours = spread(&edges, count, net.start, |edge| open(edge).then_some((edge.from, edge.to)));
    let theirs = spread(&edges, count, net.goal, |edge| open(edge).then_some((edge.to, edge.from)));
    let out = |edge: &Edge| ours[edge.from as usize] && !ours[edge.to as usize];
    let (near, far): (Vec<Edge>, Vec<Edge>) =
        edges.into_iter().filter(out).partition(|edge| theirs[edge.to as usize]);
    let mut cut = binding(near.into_iter(), load);
    cut.extend(binding(far.into_iter(), load));
    cut.truncate(CUT_MAX);
    cut
}

/// The nodes that steps reach from `start`. Each round visits every edge; there are at most as many
/// rounds as hops in a route.
fn spread(
    edges: &[Edge],
    nodes_count: usize,
    start: u32,
    step: impl Fn(&Edge) -> Option<(u32, u32)>,
) -> Vec<bool> {
    let mut reached = vec![false; nodes_count];
    reached[start as usize] = true;
    for _ in 0..crate::HOPS_MAX {
        let mut grew = false;
        for (from, to) in edges.iter().filter_map(&step) {
            if reached[from as usize] && !reached[to as usize] {
                (reached[to as usize], grew) = (true, true);
            }
        }
        if !grew {
            break;
        }
    }
    reached
}
