//! Which HTLCs of a set are parts of a circular payment of ours that came back.

use crate::{
    components::{Circular, Part, PartsOpen, ReceivedHtlc},
    port::{Books, ClaimState, PaymentRef, SetShare},
};
use bevy_ecs::prelude::{Query, With};
use ecs_core::{Entities, EntityId};
use payecs_units::{Msat, PaymentHash, ShortChannelId};

/// Circular payments, and their parts.
pub(crate) type Circulars<'w, 's, 'q> =
    (Query<'w, 's, &'q PartsOpen, With<Circular>>, Query<'w, 's, &'q Part>);

/// A circular payment of ours that is out: its Entity, its name in the books, and what each part
/// brings back over which channel.
pub(crate) struct OwnParts {
    pub(crate) entity: EntityId,
    pub(crate) payment: PaymentRef,
    parts: Vec<(ShortChannelId, Msat)>,
}

/// The circular payment of that hash, if one is out.
pub(crate) fn own_parts(
    hash: &PaymentHash,
    (payments, parts): &Circulars<'_, '_, '_>,
    (books, entities): (&Books, &Entities),
) -> Option<OwnParts> {
    // A claim that is open is known, whatever the history says.
    let (claim, state) = books.0.claim(hash).ok()??;
    if state != ClaimState::Open {
        return None;
    }
    let PartsOpen(open) = payments.get(entities.get(claim.entity)?).ok()?;
    let last_hop = |part: EntityId| {
        let Part(facts) = parts.get(entities.get(part)?).ok()?;
        let last = facts.route.hops.last()?;
        Some((last.short_channel_id_dir.scid, last.amount_msat))
    };
    let parts = open.iter().filter_map(|part| last_hop(part.entity)).collect();
    Some(OwnParts { entity: claim.entity, payment: claim.payment, parts })
}

/// The shares of a set: an HTLC that came over the channel of a part of ours, with at least what
/// the part brings, is that part, each part once; what it brings above that is no part of ours.
pub(crate) fn shares(htlcs: &[ReceivedHtlc], own: Option<&OwnParts>) -> Vec<SetShare> {
    let mut left: Vec<(ShortChannelId, Msat)> = own.map_or_else(Vec::new, |own| own.parts.clone());
    // The largest first, so that a large HTLC is not spent on a small part.
    left.sort_by_key(|(_, msat)| std::cmp::Reverse(*msat));
    let share = |htlc: &ReceivedHtlc| {
        let fits = |(channel, msat): &(ShortChannelId, Msat)| {
            *channel == htlc.htlc.short_channel_id && *msat <= htlc.amount_msat
        };
        let part = left.iter().position(fits).map(|at| left.remove(at));
        let own_msat = part.map_or(Msat::ZERO, |(_, msat)| msat);
        SetShare { htlc: htlc.htlc, amount_msat: htlc.amount_msat, own_msat }
    };
    htlcs.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixture::claim, port::HtlcId};
    use payecs_units::BlockHeight;

    fn channel(number: u64) -> ShortChannelId {
        ShortChannelId(number)
    }

    #[test]
    fn each_part_of_ours_is_one_htlc_of_its_channel_and_surplus_is_none() {
        let own = |parts: &[(u64, u64)]| OwnParts {
            entity: EntityId::FIRST,
            payment: claim().claim.payment,
            parts: parts.iter().map(|(at, msat)| (channel(*at), Msat(*msat))).collect(),
        };
        let htlcs = |htlcs: &[(u64, u64)]| -> Vec<ReceivedHtlc> {
            let one = |(id, (at, msat)): (u64, &(u64, u64))| ReceivedHtlc {
                entity: EntityId::FIRST,
                htlc: HtlcId { short_channel_id: channel(*at), id },
                amount_msat: Msat(*msat),
                cltv_expiry: BlockHeight(1),
            };
            (0..).zip(htlcs).map(one).collect()
        };
        for (parts, came, expected) in [
            (vec![(1, 50)], vec![(1, 50)], vec![50]),
            (vec![(1, 50)], vec![(2, 50)], vec![0]),
            (vec![(1, 50)], vec![(1, 49)], vec![0]),
            (vec![(1, 50)], vec![(1, 51)], vec![50]),
            (vec![(1, 50)], vec![(1, 50), (1, 50)], vec![50, 0]),
            (vec![(1, 20), (1, 50)], vec![(1, 50), (1, 20)], vec![50, 20]),
            (vec![(1, 20), (2, 30)], vec![(2, 30), (3, 9), (1, 20)], vec![30, 0, 20]),
        ] {
            let shares = shares(&htlcs(&came), Some(&own(&parts)));
            let found: Vec<u64> = shares.iter().map(|share| share.own_msat.0).collect();
            assert_eq!(found, expected, "{parts:?} {came:?}");
        }
        assert_eq!(shares(&htlcs(&[(1, 50)]), None)[0].own_msat, Msat::ZERO);
    }
}
