//! A graph of the shape that the public network has.

use super::made_up;
use super::tables::{
    CAPACITY_SAT, CHANNELS_OFF_PER_MILLION, CLTV_DELTA_BLOCKS, DEGREE, FEE_BASE_MSAT, FEE_RATE_PPM,
    HTLC_MAXIMUM_PER_MILLION, HTLC_MINIMUM_MSAT, ONE_WAY_PER_MILLION, Table, quantile,
};
use crate::graph::number;
use crate::{Graph, GraphBuilder, Policy, Rng};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId};

/// Most nodes: beyond it there could be more channels than a graph holds.
const NODES_MAX: u32 = 1 << 24;
/// How often another partner is looked for, for an end that has met itself.
const TRIES_MAX: u32 = 64;
/// Channels of one block, and the first block.
const CHANNELS_PER_BLOCK: u64 = 2_000;
const FIRST_BLOCK: u64 = 500_000;
const MSAT_PER_SATOSHI: u64 = 1_000;
const MILLION: u64 = 1_000_000;
/// A standard deviation of [`noise`].
const SIGMA: i64 = 37_837;
/// How much of the noise counts, in percent of [`SIGMA`], beside the logarithm of the channels
/// that the lesser end has: for the capacity, and for whether a channel is disabled. In the public
/// network the capacity's logarithm correlates by 0.63 with that.
const CAPACITY_NOISE: i64 = 190;
const DISABLED_NOISE: i64 = 196;
/// How much the node that sets a policy counts in it, and how much the channel, in percent: within
/// a node, fee rates vary by 40 % of their variance.
const NODE_SHARE: [i64; 2] = [77, 63];

/// A graph whose degrees, capacities, fees, deltas, limits and share of disabled directions are
/// distributed as in the public network of 2026-02-03, of any size: 17 324 nodes have about 51 000
/// channels. As there, some nodes are connected with nothing but each other. Large channels are
/// between nodes with many, and a node sets similar policies.
///
/// Fewer than two nodes have no channel. The same arguments give the same graph on any machine.
///
/// # Panics
/// Above 2²⁴ nodes.
/// ```
/// # use payecs_planner::generate_public;
/// let graph = generate_public(1_000, 7);
/// assert!((2_500..3_500).contains(&graph.channels_count()));
/// ```
#[must_use]
pub fn generate_public(nodes: u32, seed: u64) -> Graph {
    assert!(nodes <= NODES_MAX, "too many nodes: {nodes}");
    let mut rng = Rng::new(seed);
    let count = nodes as usize;
    let most = u64::from(nodes.saturating_sub(1));
    let degrees: Vec<u64> =
        (0..count).map(|rank| quantile(DEGREE, rank, count).min(most)).collect();
    let mut ends = paired(&mut rng, &degrees);
    ends.retain(|[a, b]| a != b);
    let lesser: Vec<i64> = ends
        .iter()
        .map(|[a, b]| scaled_ln(degrees[*a as usize].min(degrees[*b as usize])))
        .collect();
    let mut beside = |noise_percent: i64| -> Vec<i64> {
        lesser.iter().map(|it| it + noise(&mut rng) * noise_percent / 100).collect()
    };
    let capacities = spread(&beside(CAPACITY_NOISE), CAPACITY_SAT);
    let off = lowest(&beside(DISABLED_NOISE), CHANNELS_OFF_PER_MILLION);
    let ids: Vec<NodeId> = (0..nodes).map(|index| made_up(seed, u64::from(index))).collect();
    let mut policies = policies(&mut rng, count, &ends, &capacities, &off).into_iter();
    let mut builder = GraphBuilder::new();
    for (at, ([a, b], capacity)) in (0..).zip(ends.iter().zip(&capacities)) {
        let block = FIRST_BLOCK + at / CHANNELS_PER_BLOCK;
        let scid = ShortChannelId(block << 40 | (at % CHANNELS_PER_BLOCK) << 16);
        let (a, b) = (ids[*a as usize], ids[*b as usize]);
        let capacity = Msat(capacity * MSAT_PER_SATOSHI);
        builder.add_channel(scid, a, b, capacity).expect("a new id between two nodes");
        for direction in [Direction::between(&a, &b), Direction::between(&b, &a)] {
            let policy = policies.next().expect("there are two for each channel");
            let way = ChannelDirection { scid, direction };
            builder.set_policy(way, policy).expect("the channel was just added");
        }
    }
    builder.build()
}

/// Pairs of nodes, each in so many as its degree; one end is left over where their sum is odd.
/// Where a node has met itself another partner is looked for, mostly with success.
fn paired(rng: &mut Rng, degrees: &[u64]) -> Vec<[u32; 2]> {
    let each = degrees.iter().enumerate();
    let mut ends: Vec<u32> =
        each.flat_map(|(node, degree)| (0..*degree).map(move |_| number(node))).collect();
    for last in (1..ends.len()).rev() {
        ends.swap(last, draw(rng, last + 1));
    }
    let mut pairs: Vec<[u32; 2]> = ends.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
    for at in 0..pairs.len() {
        for _ in 0..TRIES_MAX {
            let [a, b] = pairs[at];
            if a != b {
                break;
            }
            let other = draw(rng, pairs.len());
            let [c, d] = pairs[other];
            if a != c && b != d {
                (pairs[at], pairs[other]) = ([a, c], [b, d]);
            }
        }
    }
    pairs
}

/// Two for each channel, of its first and its second end. A direction that is disabled has nothing
/// but a capacity as its largest HTLC.
fn policies(
    rng: &mut Rng,
    nodes: usize,
    ends: &[[u32; 2]],
    capacities: &[u64],
    off: &[bool],
) -> Vec<Policy> {
    let mut ways = Vec::new();
    for (channel, [a, b]) in ends.iter().enumerate() {
        let one_way = rng.chance(ONE_WAY_PER_MILLION);
        let first = rng.chance(500_000);
        let enabled = |is_first: bool| !off[channel] && (!one_way || first == is_first);
        ways.extend([(channel, *a, enabled(true)), (channel, *b, enabled(false))]);
    }
    let setters: Vec<u32> = ways.iter().filter(|way| way.2).map(|way| way.1).collect();
    let mut drawn = |table: Table| {
        let own: Vec<i64> = (0..nodes).map(|_| noise(rng)).collect();
        let [node, channel] = NODE_SHARE;
        let score = |setter: &u32| own[*setter as usize] * node + noise(rng) * channel;
        spread(&setters.iter().map(score).collect::<Vec<_>>(), table).into_iter()
    };
    let mut bases = drawn(FEE_BASE_MSAT);
    let mut rates = drawn(FEE_RATE_PPM);
    let mut deltas = drawn(CLTV_DELTA_BLOCKS);
    let mut minima = drawn(HTLC_MINIMUM_MSAT);
    let mut maxima = drawn(HTLC_MAXIMUM_PER_MILLION);
    let policy = |(channel, _, enabled): (usize, u32, bool)| {
        let capacity = capacities[channel] * MSAT_PER_SATOSHI;
        let next = |from: &mut std::vec::IntoIter<u64>| {
            if enabled { from.next().expect("one for each that is enabled") } else { 0 }
        };
        let narrow = |value: u64| u32::try_from(value).expect("the tables have no more");
        let share = if enabled { next(&mut maxima) } else { MILLION };
        let maximum = u128::from(capacity) * u128::from(share) / u128::from(MILLION);
        Policy {
            enabled,
            fee_base_msat: Msat(next(&mut bases)),
            fee_rate: Ppm(narrow(next(&mut rates))),
            cltv_delta: Blocks(narrow(next(&mut deltas))),
            htlc_minimum_msat: Msat(next(&mut minima)),
            htlc_maximum_msat: Msat(u64::try_from(maximum).expect("no more than the capacity")),
        }
    };
    ways.into_iter().map(policy).collect()
}

/// Values distributed as in the table, the greater the score the greater the value.
fn spread(scores: &[i64], table: Table) -> Vec<u64> {
    let mut values = vec![0; scores.len()];
    for (rank, at) in by_score(scores).into_iter().enumerate() {
        values[at as usize] = quantile(table, rank, scores.len());
    }
    values
}

/// Which have the lowest scores, so many of a million.
fn lowest(scores: &[i64], per_million: u32) -> Vec<bool> {
    let mut is_low = vec![false; scores.len()];
    let count = scores.len() as u64 * u64::from(per_million) / MILLION;
    for (_, at) in (0..count).zip(by_score(scores)) {
        is_low[at as usize] = true;
    }
    is_low
}

/// The places of scores, from the lowest up; equal ones in their order.
fn by_score(scores: &[i64]) -> Vec<u32> {
    let mut order: Vec<(i64, u32)> =
        scores.iter().enumerate().map(|(at, score)| (*score, number(at))).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, at)| at).collect()
}

/// About normal around 0, with a deviation of [`SIGMA`]: the sum of four even draws.
fn noise(rng: &mut Rng) -> i64 {
    let word = rng.next_u64().to_be_bytes();
    let draws = word.chunks_exact(2).map(|two| i64::from(two[0]) << 8 | i64::from(two[1]));
    draws.sum::<i64>() - 2 * i64::from(u16::MAX)
}

/// The natural logarithm in units of [`SIGMA`]; of no channel as of one.
fn scaled_ln(channels: u64) -> i64 {
    let channels = u32::try_from(channels.max(1)).expect("a degree is below the number of nodes");
    let sigma = f64::from(i32::try_from(SIGMA).expect("it is below a million"));
    // 21 e-foldings are more than any degree has.
    #[expect(clippy::cast_possible_truncation, reason = "below 22 × 37 837")]
    let scaled = libm::round(libm::log(f64::from(channels)) * sigma) as i64;
    scaled
}

fn draw(rng: &mut Rng, below: usize) -> usize {
    let drawn = rng.below(u64::try_from(below).expect("lengths have 64 bits"));
    usize::try_from(drawn).expect("it is below a length")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the sorted values lie as in the table, to one percent of the rank.
    fn assert_as(table: Table, mut values: Vec<u64>, name: &str) {
        values.sort_unstable();
        for percent in 1..=98 {
            let expected = quantile(table, percent * 10, 1_000);
            let at = |percent: usize| values[values.len() * percent / 100];
            let seen = at(percent - 1)..=at(percent + 1);
            assert!(seen.contains(&expected), "{name}, {percent} %: {seen:?}, not {expected}");
        }
    }

    fn enabled(graph: &Graph) -> Vec<(Msat, &Policy)> {
        let ways = graph.channels().flat_map(|channel| {
            let scid = channel.short_channel_id;
            [Direction::Zero, Direction::One]
                .map(|direction| (channel.capacity, ChannelDirection { scid, direction }))
        });
        let policies = ways.filter_map(|(capacity, way)| Some((capacity, graph.policy(way)?)));
        policies.filter(|(_, policy)| policy.enabled).collect()
    }

    #[test]
    fn every_distribution_is_that_of_its_table() {
        let graph = generate_public(5_000, 3);
        let degree = |node| graph.outgoing(node).count() as u64;
        assert_as(DEGREE, graph.nodes().iter().map(degree).collect(), "degree");
        let satoshi = graph.channels().map(|channel| channel.capacity.0 / 1_000);
        assert_as(CAPACITY_SAT, satoshi.collect(), "capacity");
        let enabled = enabled(&graph);
        let of = |get: fn(&(Msat, &Policy)) -> u64| enabled.iter().map(get).collect::<Vec<_>>();
        assert_as(FEE_BASE_MSAT, of(|it| it.1.fee_base_msat.0), "base");
        assert_as(FEE_RATE_PPM, of(|it| it.1.fee_rate.0.into()), "rate");
        assert_as(CLTV_DELTA_BLOCKS, of(|it| it.1.cltv_delta.0.into()), "delta");
        assert_as(HTLC_MINIMUM_MSAT, of(|it| it.1.htlc_minimum_msat.0), "minimum");
        let share: fn(&(Msat, &Policy)) -> u64 =
            |it| (it.1.htlc_maximum_msat.0 * MILLION).div_ceil(it.0.0);
        assert_as(HTLC_MAXIMUM_PER_MILLION, of(share), "maximum");
        let all = graph.channels_count() * 2;
        let percent = enabled.len() * 100 / all;
        assert!((63..=66).contains(&percent), "{percent} % of directions are enabled");
    }

    #[test]
    fn the_same_seed_gives_the_same_graph_and_few_nodes_are_enough() {
        assert_eq!(generate_public(300, 1), generate_public(300, 1));
        assert_ne!(generate_public(300, 1), generate_public(300, 2));
        assert_eq!(generate_public(0, 1).channels_count(), 0);
        assert_eq!(generate_public(1, 1).channels_count(), 0);
        assert_eq!(generate_public(2, 1).channels_count(), 1);
    }
}
