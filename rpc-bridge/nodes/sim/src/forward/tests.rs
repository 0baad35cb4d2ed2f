use crate::{
    Fact, Script, Settings,
    fixture::{Desk, SIZE, chain, place},
    policy,
};
use ecs_systems::{
    port::{FailureCode, PartStatus, SendPart},
    units::{BlockHeight, Blocks, ChannelDirection, Msat, ShortChannelId},
};
use payecs_planner::Policy;

const AMOUNT: Msat = Msat(10_000_000);

/// A part to carol over bob, and bob's direction to carol.
fn over_bob(desk: &mut Desk, amount: Msat) -> (SendPart, ChannelDirection) {
    let part = desk.part("carol", amount);
    let direction = part.route.hops[1].short_channel_id_dir;
    (part, direction)
}

/// Bob really has this policy, without saying so; then a part is sent as gossip would have it.
fn failure_under(real: Policy) -> (FailureCode, Option<u32>) {
    let mut desk = Desk::chain();
    let (part, direction) = over_bob(&mut desk, AMOUNT);
    desk.network.set_policy(direction, real.clone(), false, desk.now).unwrap();
    let failure = desk.failure(&part);
    assert_eq!(failure.erring_node, Some(desk.id("bob")));
    assert_eq!(failure.erring_channel, Some(direction));
    assert_eq!(failure.update, Some(real));
    desk.network.audit().unwrap();
    assert_eq!(desk.network.our_balance()[0].1, Msat(SIZE.0 / 2), "all is back");
    place(&failure)
}

#[test]
fn a_paid_part_moves_every_balance_and_earns_bob_his_fee() {
    let mut desk = Desk::chain();
    let (part, direction) = over_bob(&mut desk, AMOUNT);
    desk.send(&part);
    assert_eq!(desk.network.in_flight(), 1);
    assert_eq!(desk.network.our_balance()[0].1, Msat(SIZE.0 / 2 - part.route.sent().0));
    desk.run_ms(5_000);
    assert!(matches!(desk.told(part.key)[..], [PartStatus::Paid { .. }]));
    let bob = desk.id("bob");
    let fee = Fact::Forwarded {
        node: bob,
        payment_hash: part.key.payment_hash,
        fee_msat: Msat(1_000 + 1_000),
    };
    assert_eq!(desk.network.truth(0).iter().filter(|record| record.fact == fee).count(), 1);
    assert_eq!(desk.network.spendable(direction), Some(Msat(SIZE.0 / 2 - AMOUNT.0)));
    let payment = desk.network.payment(part.key.payment_hash);
    assert_eq!((payment.received_in_all(), payment.held_msat), (AMOUNT, Msat::ZERO));
    assert_eq!((payment.spent(), payment.in_flight()), (Msat(AMOUNT.0 + 2_000), Msat::ZERO));
    desk.network.audit().unwrap();
}

#[test]
fn each_policy_fails_what_breaks_it_with_its_own_code() {
    use FailureCode::{
        AmountBelowMinimum, ChannelDisabled, FeeInsufficient, IncorrectCltvExpiry,
        TemporaryChannelFailure,
    };
    let announced = || policy(1_000, 100);
    for (real, code) in [
        (Policy { enabled: false, ..announced() }, ChannelDisabled),
        (Policy { htlc_minimum_msat: Msat(AMOUNT.0 + 1), ..announced() }, AmountBelowMinimum),
        (Policy { htlc_maximum_msat: Msat(AMOUNT.0 - 1), ..announced() }, TemporaryChannelFailure),
        (policy(1_001, 100), FeeInsufficient),
        (policy(1_000, 101), FeeInsufficient),
        (Policy { cltv_delta: Blocks(41), ..announced() }, IncorrectCltvExpiry),
    ] {
        assert_eq!(failure_under(real), (code, Some(1)));
    }
}

#[test]
fn exactly_what_the_policy_asks_for_passes() {
    let mut desk = Desk::chain();
    let (part, direction) = over_bob(&mut desk, AMOUNT);
    let real = Policy { htlc_minimum_msat: AMOUNT, htlc_maximum_msat: AMOUNT, ..policy(2_000, 0) };
    desk.network.set_policy(direction, real, false, desk.now).unwrap();
    desk.send(&part);
    desk.run_ms(5_000);
    assert!(matches!(desk.told(part.key)[..], [PartStatus::Paid { .. }]));
}

#[test]
fn a_fee_too_low_is_told_before_a_balance_too_low() {
    let mut desk = Desk::chain();
    let (mut part, direction) = over_bob(&mut desk, Msat(400_000_000));
    desk.network.set_policy(direction, policy(1_000, 101), false, desk.now).unwrap();
    part.route.hops[1].amount_msat = Msat(500_000_001);
    part.route.hops[0].amount_msat = Msat(500_000_000);
    part.total_msat = part.route.amount();
    assert_eq!(place(&desk.failure(&part)), (FailureCode::FeeInsufficient, Some(1)));
}

#[test]
fn no_balance_no_slot_and_no_dust_room_are_temporary_channel_failures() {
    let build = |slots, dust| {
        let settings = Settings { dust_exposure_max_msat: dust, ..Settings::default() };
        Desk::new(chain(settings).slots(slots).build().unwrap())
    };
    let little = Msat(100_000);
    for (slots, dust, amount, first) in [
        (483, Msat(1 << 40), Msat(400_000_000), Msat(101_000_000)),
        (1, Msat(1 << 40), AMOUNT, AMOUNT),
        (483, Msat(150_000), little, little),
    ] {
        let mut desk = build(slots, dust);
        let (part, direction) = over_bob(&mut desk, amount);
        let part_of_bob = {
            let carol = desk.id("carol");
            let invoice = desk.invoice("carol", crate::InvoiceRequest::of(first));
            let (bob, now) = (desk.id("bob"), desk.now);
            let until = now.after_ms(60_000);
            let keeps = Script::KeepNext { node: carol, until };
            desk.network.script(keeps, now).unwrap();
            desk.network.pay_invoice(bob, &invoice, 1, now).unwrap()
        };
        assert_eq!(part_of_bob.len(), 1);
        let failure = desk.failure(&part);
        assert_eq!(place(&failure), (FailureCode::TemporaryChannelFailure, Some(1)), "{slots}");
        assert_eq!(failure.erring_channel, Some(direction));
        assert_eq!(failure.update, Some(policy(1_000, 100)));
        desk.run_ms(100_000);
        desk.network.audit().unwrap();
        assert_eq!(desk.network.in_flight(), 0);
    }
}

#[test]
fn an_expiry_too_near_or_too_far_is_refused_by_the_node_that_sees_it() {
    for (blocks, code) in [(2, FailureCode::ExpiryTooSoon), (2_017, FailureCode::ExpiryTooFar)] {
        let mut desk = Desk::chain();
        let (mut part, _) = over_bob(&mut desk, AMOUNT);
        part.route.hops[0].cltv_blocks = Blocks(2_016);
        part.route.hops[1].cltv_blocks = Blocks(blocks);
        if code == FailureCode::ExpiryTooFar {
            part.route.hops[0].cltv_blocks = Blocks(2_057);
            assert_eq!(place(&desk.failure(&part)), (code, Some(0)), "our own node sees it first");
        } else {
            assert_eq!(place(&desk.failure(&part)), (code, Some(1)));
        }
    }
}

#[test]
fn an_unknown_channel_or_peer_is_unknown_and_a_closed_channel_is_gone_for_good() {
    let mut desk = Desk::chain();
    let (part, direction) = over_bob(&mut desk, AMOUNT);
    let (mut unknown, _) = over_bob(&mut desk, AMOUNT);
    unknown.route.hops[1].short_channel_id_dir.scid = ShortChannelId(1);
    assert_eq!(place(&desk.failure(&unknown)), (FailureCode::UnknownNextPeer, Some(1)));
    let (mut other, _) = over_bob(&mut desk, AMOUNT);
    other.route.hops[1].short_channel_id_dir = other.route.hops[0].short_channel_id_dir;
    assert_eq!(place(&desk.failure(&other)), (FailureCode::UnknownNextPeer, Some(1)));
    desk.network.close_channel(direction.scid, desk.now).unwrap();
    let failure = desk.failure(&part);
    assert_eq!(place(&failure), (FailureCode::PermanentChannelFailure, Some(1)));
    assert_eq!(failure.update, None);
}

#[test]
fn what_our_own_node_refuses_never_left() {
    let mut desk = Desk::chain();
    let (part, _) = over_bob(&mut desk, AMOUNT);
    let mut broken = part.clone();
    broken.key.part_id.0 = 2;
    broken.route.hops[1].from = desk.id("carol");
    let mut foreign = part.clone();
    foreign.key.part_id.0 = 3;
    foreign.route.hops[0].from = desk.id("bob");
    let mut large = part.clone();
    large.key.part_id.0 = 4;
    large.route.hops[0].amount_msat = Msat(SIZE.0 / 2 + 1);
    let mut empty = part;
    empty.key.part_id.0 = 5;
    empty.route.hops.clear();
    for (part, code) in [
        (broken, FailureCode::InvalidOnionPayload),
        (foreign, FailureCode::UnknownNextPeer),
        (large, FailureCode::TemporaryChannelFailure),
        (empty, FailureCode::InvalidOnionPayload),
    ] {
        desk.send(&part);
        assert_eq!(desk.network.in_flight(), 0, "{code:?}");
        desk.run_ms(0);
        let [PartStatus::Failed(failure)] = &desk.told(part.key)[..] else { panic!("{code:?}") };
        assert_eq!(place(failure), (code, Some(0)));
    }
}

#[test]
fn blocks_pass_with_time_and_make_expiries_too_soon() {
    let mut desk = Desk::chain();
    let (mut part, _) = over_bob(&mut desk, AMOUNT);
    desk.run_ms(600_000 * 18);
    assert_eq!(desk.network.height(desk.now), BlockHeight(800_018));
    part.height = BlockHeight(800_000);
    assert_eq!(place(&desk.failure(&part)), (FailureCode::ExpiryTooSoon, Some(1)));
}
