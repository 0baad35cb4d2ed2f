//! What whoever makes an invoice should know: whether it can be paid at all.

use crate::port::NodeView;
use ecs_core::{Fields, Json};
use payecs_planner::{Graph, LocalChannel, RouteHint};
use payecs_units::Msat;

/// Why a channel may not count, in the order of Core Lightning's warnings.
const REASONS: [(&str, &str); 4] = [
    ("warning_capacity", "All our channels together can't receive so much: they have room for"),
    ("warning_offline", "Some of our channels aren't in use now; those that are have room for"),
    (
        "warning_deadends",
        "Some of our peers have no other channel, so that only they can pay over ours; the others \
         have room for",
    ),
    (
        "warning_private_unused",
        "The invoice doesn't tell of channels that aren't announced; those that payers see have \
         room for",
    ),
];

/// Warnings of an invoice over `amount` that tells of `hints`, by the names of Core Lightning. Only
/// the first that holds is told. Without a graph no peer is known to be a dead end.
pub(super) fn warnings(
    view: &NodeView,
    graph: Option<&Graph>,
    hints: &[RouteHint],
    amount: Option<Msat>,
) -> Fields {
    let amount = amount.unwrap_or(Msat(1));
    let leads_on = |channel: &LocalChannel| {
        let others = |graph: &Graph| graph.outgoing(&channel.peer).any(|it| it.1 != view.identity);
        graph.is_none_or(others)
    };
    let is_seen = |channel: &LocalChannel| {
        let mut hidden = view.ways_in.iter().map(|hop| hop.short_channel_id);
        let mut told = hints.iter().flatten().map(|hop| hop.short_channel_id);
        hidden.all(|scid| scid != channel.short_channel_id)
            || told.any(|scid| scid == channel.short_channel_id)
    };
    let conditions: [&dyn Fn(&LocalChannel) -> bool; 4] =
        [&|_| true, &|channel| channel.usable, &leads_on, &is_seen];
    let mut left: Vec<&LocalChannel> = view.channels.iter().collect();
    let mut warning = None;
    for (holds, (name, what)) in conditions.into_iter().zip(REASONS) {
        left.retain(|channel| holds(channel));
        let room = left.iter().fold(0_u64, |all, it| all.saturating_add(it.receivable_msat.0));
        if room < amount.0 {
            warning = Some((name, format!("{what} {}", Msat(room))));
            break;
        }
    }
    if warning.is_none() && left.iter().all(|channel| channel.receivable_msat < amount) {
        let what = "No single channel can receive so much: payers have to send several parts";
        warning = Some(("warning_mpp", what.to_owned()));
    }
    warning.into_iter().map(|(name, text)| (name.to_owned(), Json::of(&text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::node;
    use payecs_planner::{GraphBuilder, HintHop};
    use payecs_units::{Blocks, NodeId, Ppm, ShortChannelId};

    const STRANGER: NodeId = NodeId([9; 33]);

    /// Channels, the dead ends and the hidden ones of them, an amount, and what is told.
    type Case = (Vec<LocalChannel>, Vec<u8>, Vec<u8>, Option<u64>, Option<&'static str>);

    /// A channel of that number, with a peer of that number, that can receive so much.
    fn channel(number: u8, receivable: u64) -> LocalChannel {
        LocalChannel {
            short_channel_id: ShortChannelId(u64::from(number)),
            peer: NodeId([number; 33]),
            receivable_msat: Msat(receivable),
            usable: true,
            ..node().channels[0].clone()
        }
    }

    fn offline(channel: LocalChannel) -> LocalChannel {
        LocalChannel { usable: false, ..channel }
    }

    fn way_in(number: u8) -> HintHop {
        HintHop {
            pubkey: NodeId([number; 33]),
            short_channel_id: ShortChannelId(u64::from(number)),
            fee_base_msat: Msat(0),
            fee_proportional_millionths: Ppm(0),
            cltv_expiry_delta: Blocks(0),
        }
    }

    /// Everybody's peers but those of these numbers know somebody else.
    fn graph(channels: &[LocalChannel], dead_ends: &[u8]) -> Graph {
        let mut builder = GraphBuilder::new();
        let mut scid = 100;
        let mut add = |a: NodeId, b: NodeId| {
            scid += 1;
            builder.add_channel(ShortChannelId(scid), a, b, Msat(1_000)).unwrap();
        };
        for channel in channels {
            add(channel.peer, node().identity);
            if dead_ends.iter().all(|number| channel.peer != NodeId([*number; 33])) {
                add(channel.peer, STRANGER);
            }
        }
        builder.build()
    }

    #[test]
    fn what_cannot_be_paid_is_told_with_the_first_reason() {
        let (one, two) = (|| channel(1, 60), || channel(2, 40));
        let cases: [Case; 12] = [
            (vec![], vec![], vec![], None, Some("warning_capacity")),
            (vec![one()], vec![], vec![], Some(61), Some("warning_capacity")),
            (vec![one()], vec![], vec![], Some(60), None),
            (vec![offline(one())], vec![], vec![], Some(60), Some("warning_offline")),
            (vec![one(), two()], vec![], vec![], Some(100), Some("warning_mpp")),
            (vec![one(), offline(two())], vec![], vec![], Some(100), Some("warning_offline")),
            (vec![one(), two()], vec![2], vec![], Some(100), Some("warning_deadends")),
            (vec![one(), two()], vec![2], vec![], Some(60), None),
            (vec![offline(one()), two()], vec![2], vec![], Some(50), Some("warning_offline")),
            (vec![one(), two()], vec![], vec![2], Some(100), Some("warning_private_unused")),
            (vec![one(), two()], vec![2], vec![2], Some(100), Some("warning_deadends")),
            (vec![channel(1, 1)], vec![], vec![], None, None),
        ];
        for (channels, dead_ends, hidden, amount, warning) in cases {
            let graph = graph(&channels, &dead_ends);
            let ways_in: Vec<HintHop> = hidden.iter().map(|it| way_in(*it)).collect();
            let view = NodeView { channels, ways_in: ways_in.clone(), ..node() };
            let names = |hints: &[RouteHint], graph| {
                let told = warnings(&view, graph, hints, amount.map(Msat));
                told.into_iter().map(|(name, _)| name).collect::<Vec<String>>()
            };
            assert_eq!(names(&[], Some(&graph)), Vec::from_iter(warning), "{amount:?}");
            if warning == Some("warning_private_unused") {
                let all: Vec<RouteHint> = ways_in.iter().map(|hop| vec![*hop]).collect();
                assert_eq!(names(&all, Some(&graph)), ["warning_mpp"], "now it tells of them");
            }
            if warning == Some("warning_deadends") {
                assert_ne!(names(&[], None), ["warning_deadends"], "there is no graph");
            }
        }
    }
}
