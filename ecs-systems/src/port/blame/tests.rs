//! Whom failures blame.

use super::*;
use crate::fixture::{graph, part};
use payecs_units::Msat;

/// What the hub asks for on the way to the payee: the part keeps it exactly.
fn kept() -> Policy {
    let direction = part().route.hops[1].short_channel_id_dir;
    graph().policy(direction).unwrap().clone()
}

fn dearer() -> Policy {
    Policy { fee_base_msat: Msat(kept().fee_base_msat.0 + 1), ..kept() }
}

/// The node at the near end of the hop of that index says so.
fn by(index: u32, failcode: FailureCode, update: Option<Policy>) -> Failure {
    let route = part().route;
    let hop = route.hops.get(index as usize);
    Failure { erring_index: Some(index), update, ..Failure::local(hop, failcode) }
}

#[test]
fn a_failure_blames_who_bolt_4_says() {
    let route = part().route;
    let first = route.hops[0].short_channel_id_dir;
    for (index, code, update, expected) in [
        (1, FailureCode::TemporaryChannelFailure, None, Blame::Liquidity(1)),
        (0, FailureCode::TemporaryChannelFailure, None, Blame::Ours(first)),
        (1, FailureCode::TemporaryChannelFailure, Some(dearer()), Blame::Liquidity(1)),
        (1, FailureCode::InvalidOnionBlinding, None, Blame::Liquidity(1)),
        (1, FailureCode::FeeInsufficient, Some(dearer()), Blame::Terms(1)),
        (1, FailureCode::FeeInsufficient, Some(kept()), Blame::Channel(1)),
        (1, FailureCode::FeeInsufficient, None, Blame::Channel(1)),
        (1, FailureCode::IncorrectCltvExpiry, Some(dearer()), Blame::Terms(1)),
        (1, FailureCode::ChannelDisabled, Some(dearer()), Blame::Channel(1)),
        (1, FailureCode::UnknownNextPeer, None, Blame::Channel(1)),
        (1, FailureCode::PermanentChannelFailure, None, Blame::Channel(1)),
        (1, FailureCode::Other(7), None, Blame::Channel(1)),
        (1, FailureCode::TemporaryNodeFailure, None, Blame::Node(1)),
        (1, FailureCode::InvalidOnionHmac, None, Blame::Node(1)),
        (0, FailureCode::TemporaryNodeFailure, None, Blame::Ours(first)),
        (0, FailureCode::InvalidOnionPayload, None, Blame::Ours(first)),
        (0, FailureCode::UnknownNextPeer, None, Blame::Channel(0)),
        (1, FailureCode::Unreadable, None, Blame::Nobody),
        (2, FailureCode::MppTimeout, None, Blame::Payee),
        (2, FailureCode::TemporaryNodeFailure, None, Blame::Payee),
        (u32::MAX, FailureCode::MppTimeout, None, Blame::Payee),
    ] {
        let failure = by(index, code, update);
        assert_eq!(failure.blame(&route), expected, "{index} {}", code.name());
    }
    let unread = Failure { erring_index: None, ..by(0, FailureCode::Unreadable, None) };
    assert_eq!(unread.blame(&route), Blame::Nobody);
    let nowhere = Failure::local(None, FailureCode::TemporaryNodeFailure);
    assert_eq!(nowhere.blame(&route), Blame::Nothing);
}

#[test]
fn only_terms_that_the_part_did_not_keep_correct_anything() {
    let route = part().route;
    let (least, most) = (Msat(route.amount().0 + 1), Msat(route.amount().0 - 1));
    let slower = Blocks(kept().cltv_delta.0 + 1);
    for (update, corrects) in [
        (kept(), false),
        (Policy { fee_base_msat: Msat::ZERO, ..kept() }, false),
        (dearer(), true),
        (Policy { cltv_delta: slower, ..kept() }, true),
        (Policy { htlc_minimum_msat: least, ..kept() }, true),
        (Policy { htlc_maximum_msat: most, ..kept() }, true),
        (Policy { enabled: false, ..kept() }, true),
    ] {
        let failure = by(1, FailureCode::FeeInsufficient, Some(update.clone()));
        let direction = route.hops[1].short_channel_id_dir;
        let expected = corrects.then_some((direction, &update));
        assert_eq!(failure.correction(&route), expected, "{update:?}");
    }
}

#[test]
fn terms_of_another_channel_correct_nothing() {
    let route = part().route;
    let elsewhere = Some(route.hops[0].short_channel_id_dir);
    let failure = by(1, FailureCode::FeeInsufficient, Some(dearer()));
    for failure in [
        Failure { erring_channel: elsewhere, ..failure.clone() },
        Failure { erring_channel: None, ..failure.clone() },
        Failure { erring_index: Some(2), ..failure.clone() },
        Failure { erring_index: None, ..failure },
    ] {
        assert_eq!(failure.correction(&route), None);
        assert!(!matches!(failure.blame(&route), Blame::Terms(_)));
    }
}

#[test]
fn only_a_payee_that_sees_more_blocks_may_be_tried_again() {
    let built_for = BlockHeight(800_000);
    let details = FailureCode::IncorrectOrUnknownPaymentDetails;
    for (index, code, height, ahead) in [
        (2, details, Some(800_001), true),
        (2, details, Some(800_144), true),
        (2, details, Some(800_145), false),
        (2, details, Some(u32::MAX), false),
        (2, details, Some(800_000), false),
        (2, details, Some(799_999), false),
        (2, details, None, false),
        (1, details, Some(800_001), false),
        (2, FailureCode::MppTimeout, Some(800_001), false),
    ] {
        let height = height.map(BlockHeight);
        let failure = Failure { height, ..by(index, code, None) };
        let expected = height.filter(|_| ahead);
        assert_eq!(failure.height_ahead(2, built_for), expected, "{index} {height:?}");
    }
}
