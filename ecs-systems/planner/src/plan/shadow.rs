//! Routes that expire later than they must: as if the way went on behind the payee, so that what is
//! left of the expiry doesn't tell a node that the next one is the payee.

#[cfg(test)]
mod tests;

use crate::rng::scramble;
use crate::{Graph, PlanRequest, Rng, Route};
use payecs_units::Blocks;

/// Most channels that the way seems to go on: Core Lightning's.
const CHANNELS_MAX: usize = 3;
/// A channel that asks for more isn't gone over: what is locked stays locked for so long where it
/// comes to the worst.
const DELTA_BLOCKS_MAX: u32 = 144;
/// Drawn apart from what breaks ties.
const SALT: u64 = 0x7368_6164_6f77;

/// Lets each route expire later, as far as it may take that long.
pub(super) fn cast(graph: &Graph, request: &PlanRequest, routes: &mut [Route]) {
    let Some(last) = routes.first().and_then(|route| route.hops.last()) else { return };
    let ends = [request.destination, last.from];
    let Some(end) = ends.iter().find_map(|node| graph.node_index(node)) else { return };
    let deltas = walk(graph, end, request.seed);
    for route in routes {
        let room = Blocks(request.delay_max_blocks.0.saturating_sub(route.delay().0));
        let more = longest(&deltas, room);
        for hop in &mut route.hops {
            hop.cltv_blocks = Blocks(hop.cltv_blocks.0.saturating_add(more.0));
        }
    }
}

/// What the channels of a walk ask for that begins at `node`: one for each coin that says so.
fn walk(graph: &Graph, mut node: u32, seed: u64) -> Vec<Blocks> {
    let mut rng = Rng::new(scramble(seed ^ SALT));
    let mut deltas = Vec::new();
    for _ in 0..CHANNELS_MAX {
        if rng.chance(500_000) {
            continue;
        }
        let open = || {
            let arcs = graph.arcs_out(node).map(|(_, toll)| toll);
            arcs.filter(|toll| toll.is_announced() && toll.cltv_delta().0 <= DELTA_BLOCKS_MAX)
        };
        let count = open().count();
        let drawn = rng.below(u64::try_from(count).unwrap_or(u64::MAX));
        let Some(toll) = open().nth(usize::try_from(drawn).unwrap_or(usize::MAX)) else { break };
        deltas.push(toll.cltv_delta());
        node = toll.far;
    }
    deltas
}

/// What the first of them come to, so many as there is room for.
fn longest(deltas: &[Blocks], room: Blocks) -> Blocks {
    let mut sum = Blocks(0);
    for delta in deltas {
        match sum.checked_add(*delta) {
            Some(more) if more <= room => sum = more,
            Some(_) | None => break,
        }
    }
    sum
}
