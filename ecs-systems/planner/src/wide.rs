//! The widest path: along which most goes in one part.
//!
//! Few parts carry an amount that a flow needs many small ones for, where each takes the way that
//! carries most. What is not known of a direction is counted on in part.

use crate::net::Net;
use crate::path::Load;
use payecs_units::{Blocks, Msat};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// No edge.
const NONE: u32 = u32::MAX;
const MILLION: u128 = 1_000_000;
/// All of what is not known is counted on.
pub(crate) const TRUST_WHOLE: u64 = 64;

/// How wide a path may be, and at what price.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// A narrower one is of no use.
    pub(crate) least: Msat,
    /// A wider one is no better.
    pub(crate) most: Msat,
    /// All its fees for `least`, in millionths of it.
    pub(crate) fee_max_ppm: u64,
    /// How long it may take, the payee's own blocks included.
    pub(crate) delay_max: Blocks,
    /// Of what is not known of a direction so much is counted on, of [`TRUST_WHOLE`].
    pub(crate) trust: u64,
}

/// What is known of the best way on from a node.
#[derive(Clone, Copy, Debug)]
struct Reached {
    width: Msat,
    fee_ppm: u64,
    delay: Blocks,
    hops: u32,
    edge: u32,
    next: u32,
}

const UNREACHED: Reached = Reached {
    width: Msat::ZERO,
    fee_ppm: u64::MAX,
    delay: Blocks(0),
    hops: 0,
    edge: NONE,
    next: NONE,
};

impl Reached {
    fn rank(&self) -> (Msat, Reverse<u64>) {
        (self.width, Reverse(self.fee_ppm))
    }
}

/// The edges of the widest path beside `load`, of equally wide ones the cheapest, and its width.
/// Fees are counted as if they were not carried themselves. `None` where none is as wide as wished.
pub(crate) fn widest(net: &Net<'_>, load: &Load, wish: &Wish) -> Option<(Vec<u32>, Msat)> {
    let mut reached = vec![UNREACHED; net.nodes_count as usize];
    let delay = net.request.final_cltv_blocks;
    let goal = Reached { width: wish.most, fee_ppm: 0, delay, ..UNREACHED };
    reached[net.goal as usize] = goal;
    let mut open = BinaryHeap::from([(goal.rank(), net.goal)]);
    while let Some((rank, node)) = open.pop() {
        let here = reached[node as usize];
        if node == net.start {
            break;
        }
        if rank != here.rank() || here.hops as usize >= net.hops_max() {
            continue;
        }
        let is_home = net.is_home(node);
        // What is open has a policy; what is home is not bound by it.
        let announced = net.tolls_to(node).filter(|(number, toll)| {
            if is_home { net.is_edge(*number) } else { toll.is_open_for(wish.least) }
        });
        let announced = announced.map(|(number, toll)| {
            let fee_ppm =
                toll.fee(wish.least).map_or(u64::MAX, |fee| share_ppm(Msat(fee), wish.least));
            let most = if is_home { here.width } else { toll.most().min(here.width) };
            (number, toll.far, (most, Reverse(here.fee_ppm.saturating_add(fee_ppm))))
        });
        let others = net.more_to(node).map(|(number, from)| (number, from, here.rank()));
        for (number, from, at_best) in announced.chain(others) {
            let known = reached[from as usize].rank();
            if at_best <= known || at_best.1.0 > wish.fee_max_ppm {
                continue;
            }
            let Some(way) = back_over(net, load, wish, number, (node, here)) else { continue };
            if way.rank() > known {
                reached[from as usize] = way;
                open.push((way.rank(), from));
            }
        }
    }
    let width = reached[net.start as usize].width;
    let mut edges = Vec::new();
    let mut node = net.start;
    while node != net.goal {
        let Reached { edge, next, .. } = reached[node as usize];
        if edge == NONE || edges.len() >= net.hops_max() {
            return None;
        }
        edges.push(edge);
        node = next;
    }
    Some((edges, width))
}

/// The way over an edge and on from its far end; `None` where it is too narrow or too dear.
fn back_over(
    net: &Net<'_>,
    load: &Load,
    wish: &Wish,
    number: u32,
    (node, here): (u32, Reached),
) -> Option<Reached> {
    let edge = net.edge(number);
    let width = load.counts_on(&edge, wish.trust).min(here.width);
    if width < wish.least || width < edge.min {
        return None;
    }
    let fee = wish.least.forwarding_fee(edge.fee_base, edge.fee_rate)?;
    let fee_ppm = here.fee_ppm.saturating_add(share_ppm(fee, wish.least));
    let delay = here.delay.checked_add(edge.cltv_delta)?;
    let way = Reached { width, fee_ppm, delay, hops: here.hops + 1, edge: number, next: node };
    (fee_ppm <= wish.fee_max_ppm && delay <= wish.delay_max).then_some(way)
}

/// `fee` in millionths of `amount`, rounded up.
pub(crate) fn share_ppm(fee: Msat, amount: Msat) -> u64 {
    let share = (u128::from(fee.0) * MILLION).div_ceil(u128::from(amount.0.max(1)));
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{graph, local, policy, request};
    use crate::{Graph, Knowledge, PlanRequest, Rng};
    use proptest::prelude::*;

    const WHATEVER: Wish = Wish {
        least: Msat(1),
        most: Msat(100_000),
        fee_max_ppm: u64::MAX,
        delay_max: Blocks(u32::MAX),
        trust: TRUST_WHOLE,
    };

    fn case(seed: u64) -> (Graph, PlanRequest) {
        let mut rng = Rng::new(seed);
        let rows: Vec<_> = (1..14)
            .filter_map(|channel| {
                let [from, to] = [rng.below(5), rng.below(5)];
                let letter = |number| char::from(b'B' + u8::try_from(number).unwrap());
                let terms = policy(rng.below(10), 100, 10);
                (from != to).then(|| (channel, letter(from), letter(to), rng.below(90_000), terms))
            })
            .collect();
        let ours = ('B'..='D').zip(90..);
        let ours = ours.map(|(peer, channel)| local(channel, peer, rng.below(90_000), 0));
        let ours = ours.collect();
        (graph(&rows), request('F', 100_000, ours))
    }

    /// The most that reaches the destination along one path, by relaxing every edge in turn.
    fn relaxed(net: &Net<'_>, wish: &Wish) -> Msat {
        let load = Load::default();
        let mut widths = vec![Msat::ZERO; net.nodes_count as usize];
        widths[net.start as usize] = wish.most;
        for _ in 0..net.nodes_count {
            for (_, edge) in net.edges() {
                let width = load.counts_on(&edge, wish.trust).min(widths[edge.from as usize]);
                let far = &mut widths[edge.to as usize];
                *far = width.max(*far);
            }
        }
        widths[net.goal as usize]
    }

    proptest! {
        #[test]
        fn no_path_is_wider(seed: u64, trust in 0..=TRUST_WHOLE) {
            let (graph, request) = case(seed);
            let knowledge = Knowledge::default();
            let net = Net::new(&graph, &knowledge, &request);
            let wish = Wish { trust, ..WHATEVER };
            let found = widest(&net, &Load::default(), &wish);
            let width = found.as_ref().map_or(Msat::ZERO, |(_, width)| *width);
            prop_assert_eq!(width, relaxed(&net, &wish));
            if let Some((edges, width)) = found {
                let edges: Vec<_> = edges.into_iter().map(|edge| net.edge(edge)).collect();
                prop_assert!(edges.windows(2).all(|two| two[0].to == two[1].from));
                let counted = edges.iter().map(|it| Load::default().counts_on(it, trust)).min();
                prop_assert_eq!(counted.map(|it| it.min(wish.most)), Some(width));
            }
        }
    }

    #[test]
    fn of_equally_wide_paths_the_cheapest_is_taken_and_none_that_is_too_dear_or_slow() {
        let graph = graph(&[
            (1, 'B', 'D', 100_000, policy(0, 500, 10)),
            (2, 'C', 'D', 100_000, policy(0, 400, 10)),
            (3, 'B', 'D', 200_000, policy(0, 3_000, 11)),
        ]);
        let ours = vec![local(10, 'B', 300_000, 0), local(11, 'C', 300_000, 0)];
        let asked = request('D', 300_000, ours);
        let knowledge = Knowledge::default();
        let net = Net::new(&graph, &knowledge, &asked);
        let wide = |wish: &Wish| {
            let (edges, width) = widest(&net, &Load::default(), wish)?;
            Some((net.edge(*edges.last()?).direction.scid.0, width.0))
        };
        let wish = Wish { least: Msat(10_000), most: Msat(300_000), ..WHATEVER };
        assert_eq!(wide(&wish), Some((3, 200_000)));
        assert_eq!(wide(&Wish { fee_max_ppm: 2_999, ..wish }), Some((2, 100_000)));
        assert_eq!(wide(&Wish { most: Msat(90_000), ..wish }), Some((2, 90_000)));
        assert_eq!(wide(&Wish { fee_max_ppm: 399, ..wish }), None);
        assert_eq!(wide(&Wish { delay_max: Blocks(29), ..wish }), Some((3, 200_000)));
        assert_eq!(wide(&Wish { delay_max: Blocks(28), ..wish }), Some((2, 100_000)));
        assert_eq!(wide(&Wish { delay_max: Blocks(27), ..wish }), None);
        assert_eq!(wide(&Wish { trust: TRUST_WHOLE / 2, ..wish }), Some((3, 100_000)));
        assert_eq!(wide(&Wish { least: Msat(200_001), ..wish }), None);
    }
}
