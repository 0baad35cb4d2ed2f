//! What is held at the moment, and how much of it may be.

use crate::{
    components::{Held, ReceivedFacts, ReceivedHtlc, SetReceived, SetSettling},
    policy::Policy,
};
use bevy_ecs::prelude::{Query, With, Without};
use ecs_core::Systems;
use std::collections::BTreeMap;

/// Sets that wait for a decision.
pub(crate) type HeldSets<'w, 's> =
    Query<'w, 's, &'static SetReceived, (With<Held>, With<Systems>, Without<SetSettling>)>;

/// Why no more is held, in words for our log. An HTLC that is held takes one of the places that its
/// channel has (BOLT 2: 483 at most), for hours: who fills them stops the channel.
pub(crate) fn too_many(
    set: &ReceivedFacts,
    held: &HeldSets<'_, '_>,
    policy: &Policy,
) -> Option<&'static str> {
    let (mut total, mut of_channel) = (0_u64, BTreeMap::<_, u64>::new());
    let sets = held.iter().map(|SetReceived(received)| received).chain([set]);
    for ReceivedHtlc { htlc, .. } in sets.flat_map(|received| &received.htlcs) {
        total = total.saturating_add(1);
        let count = of_channel.entry(htlc.short_channel_id).or_default();
        *count = count.saturating_add(1);
    }
    if total > policy.held_htlcs_max {
        return Some("as many HTLCs are held as may be");
    }
    let mut own = set.htlcs.iter().map(|it| of_channel.get(&it.htlc.short_channel_id));
    let is_full = own.any(|count| count.is_some_and(|it| *it > policy.held_htlcs_per_channel_max));
    is_full.then_some("as many HTLCs of a channel of it are held as may be")
}
