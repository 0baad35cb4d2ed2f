//! Routes by one who knows everything: hidden balances, real policies, private channels.

use crate::{channel::Channel, state::State};
use ecs_systems::units::{Blocks, Msat};
use payecs_planner::{Hop, Route};
use std::{cmp::Reverse, collections::BinaryHeap};

/// How a node gets `amount` to the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Label {
    /// What has to reach the node.
    amount: Msat,
    hops: u32,
    delay: Blocks,
    /// The channel it goes on by, and the side it offers from; itself for the destination.
    by: Option<(usize, usize)>,
}

/// Most hops of a route: what an onion has room for.
const HOPS_MAX: u32 = 20;

impl State {
    /// The cheapest route that would work now, by node numbers; among equals the shortest.
    pub(crate) fn path(&self, from: usize, to: usize, amount: Msat, last: Blocks) -> Option<Route> {
        let mut best: Vec<Option<Label>> = vec![None; self.peers.len()];
        let mut heap = BinaryHeap::new();
        let end = Label { amount, hops: 0, delay: last, by: None };
        best[to] = Some(end);
        heap.push(Reverse((end, to)));
        while let Some(Reverse((label, node))) = heap.pop() {
            if best[node] != Some(label) {
                continue;
            }
            if node == from {
                return self.route_along(&best, from, to);
            }
            if node == self.ours.node && node != to || label.hops == HOPS_MAX {
                continue;
            }
            for (peer, next) in self.steps_into(node, &label, from) {
                if best[peer].is_none_or(|known| next < known) {
                    best[peer] = Some(next);
                    heap.push(Reverse((next, peer)));
                }
            }
        }
        None
    }

    /// The peers that could offer `node` what `label` says, and what that takes of them.
    fn steps_into(&self, node: usize, label: &Label, from: usize) -> Vec<(usize, Label)> {
        let usable = |index: &usize| {
            let channel = &self.channels[*index];
            let side = usize::from(channel.sides[0].node == node);
            let peer = channel.sides[side].node;
            if !self.carries(channel, side, label.amount) {
                return None;
            }
            let policy = &channel.sides[side].policy;
            let by = Some((*index, side));
            if peer == from {
                return Some((peer, Label { hops: label.hops + 1, by, ..*label }));
            }
            let fee = label.amount.forwarding_fee(policy.fee_base_msat, policy.fee_rate)?;
            let amount = label.amount.checked_add(fee)?;
            let delay = label.delay.checked_add(policy.cltv_delta)?;
            Some((peer, Label { amount, hops: label.hops + 1, delay, by }))
        };
        self.peers[node].channels.iter().filter_map(usable).collect()
    }

    fn carries(&self, channel: &Channel, side: usize, amount: Msat) -> bool {
        let policy = &channel.sides[side].policy;
        let online =
            [0, 1].map(|side: usize| self.peers[channel.sides[side].node].tricks.offline.is_none());
        let limits = policy.htlc_minimum_msat..=policy.htlc_maximum_msat;
        !channel.closed
            && policy.enabled
            && online == [true, true]
            && limits.contains(&amount)
            && channel.spendable(side) >= amount
            && channel.free_slots(side) > 0
    }

    fn route_along(&self, best: &[Option<Label>], from: usize, to: usize) -> Option<Route> {
        let mut hops = Vec::new();
        let mut node = from;
        while node != to {
            let (channel, side) = best[node]?.by?;
            let channel = &self.channels[channel];
            let next = channel.sides[1 - side].node;
            let arriving = best[next]?;
            hops.push(Hop {
                short_channel_id_dir: channel.direction(side),
                from: self.peers[node].key.id,
                to: self.peers[next].key.id,
                amount_msat: arriving.amount,
                cltv_blocks: arriving.delay,
            });
            node = next;
        }
        (!hops.is_empty()).then_some(Route { hops, probability_ppm: 1_000_000 })
    }
}
