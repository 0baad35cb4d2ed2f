//! Which exclusions are in the way.

use super::ask_of;
use crate::net::Net;
use crate::path::Path;
use crate::split::solve;
use crate::weights::Weights;
use crate::{Exclusion, Graph, Knowledge, PlanRequest, Route};

/// What of a refused request's exclusions has to be allowed: those that the routes cross which
/// there are without any, where the others alone leave a plan; else all, where that does. Empty:
/// nothing is excluded, or there is no plan without exclusions either.
pub(super) fn in_the_way(
    graph: &Graph,
    knowledge: &Knowledge,
    request: &PlanRequest,
) -> Vec<Exclusion> {
    if request.exclude.is_empty() {
        return Vec::new();
    }
    let routes = |exclude: Vec<Exclusion>| -> Option<Vec<Route>> {
        let request = PlanRequest { exclude, ..request.clone() };
        let net = Net::new(graph, knowledge, &request);
        let paths = solve(&net, ask_of(&request), Weights::of(&net))?;
        Some(paths.iter().map(|path: &Path| path.to_route(&net)).collect())
    };
    let Some(free) = routes(Vec::new()) else { return Vec::new() };
    let is_crossed = |exclusion: &Exclusion| free.iter().any(|route| crosses(route, *exclusion));
    let (crossed, others): (Vec<_>, Vec<_>) = request.exclude.iter().copied().partition(is_crossed);
    if crossed.is_empty() || routes(others).is_none() { request.exclude.clone() } else { crossed }
}

/// Whether a route does what is excluded. Payer and payee are on every route.
fn crosses(route: &Route, exclusion: Exclusion) -> bool {
    match exclusion {
        Exclusion::Channel(way) => route.hops.iter().any(|hop| hop.short_channel_id_dir == way),
        Exclusion::Node(node) => route.hops.iter().skip(1).any(|hop| hop.from == node),
    }
}
