use crate::{
    InvoiceRequest, RemotePart, Script, SimBuilder,
    fixture::{Desk, place},
    policy,
};
use ecs_systems::{
    port::{FailureCode, NodeEvent, NodeRequest, PartStatus, SendPart},
    units::{BlockHeight, Blocks, Msat, PartId, PaymentSecret, Preimage, Seconds},
};
use payecs_planner::{HintHop, Hop, Route};

const HALF: Msat = Msat(5_000_000);
const WHOLE: Msat = Msat(10_000_000);

/// Two parts of half the amount for one invoice of carol's.
fn halves(desk: &mut Desk) -> [SendPart; 2] {
    let invoice = desk.invoice("carol", InvoiceRequest::of(WHOLE));
    let first = desk.part_for(&invoice, HALF);
    let mut second = first.clone();
    second.key.part_id = PartId(2);
    [first, second]
}

fn paid(desk: &Desk, part: &SendPart) -> bool {
    matches!(desk.told(part.key)[..], [PartStatus::Paid { .. }])
}

#[test]
fn a_set_is_held_until_it_is_complete_and_then_settled_as_one() {
    let mut desk = Desk::chain();
    let [first, second] = halves(&mut desk);
    desk.send(&first);
    desk.run_ms(30_000);
    let hash = first.key.payment_hash;
    assert_eq!(desk.network.payment(hash).held_msat, HALF);
    assert!(desk.told(first.key).is_empty());
    desk.send(&second);
    desk.run_ms(5_000);
    assert!(paid(&desk, &first) && paid(&desk, &second));
    assert_eq!(desk.network.payment(hash).received_in_all(), WHOLE);
    desk.network.audit().unwrap();
}

#[test]
fn an_incomplete_set_times_out_after_a_minute_and_may_be_tried_again() {
    let mut desk = Desk::chain();
    let [first, second] = halves(&mut desk);
    desk.send(&first);
    desk.run_ms(59_000);
    assert!(desk.told(first.key).is_empty());
    desk.run_ms(5_000);
    let [PartStatus::Failed(failure)] = &desk.told(first.key)[..] else { panic!("it failed") };
    assert_eq!(place(failure), (FailureCode::MppTimeout, Some(2)));
    assert!(!failure.is_permanent(2));
    let mut third = second.clone();
    third.key.part_id = PartId(3);
    desk.send(&second);
    desk.send(&third);
    desk.run_ms(5_000);
    assert!(paid(&desk, &second) && paid(&desk, &third));
}

#[test]
fn parts_that_disagree_about_the_total_all_fail() {
    let mut desk = Desk::chain();
    let [first, mut second] = halves(&mut desk);
    second.total_msat = Msat(WHOLE.0 + 1);
    desk.send(&first);
    desk.run_ms(2_000);
    let failure = desk.failure(&second);
    let details = FailureCode::IncorrectOrUnknownPaymentDetails;
    assert_eq!(place(&failure), (details, Some(2)));
    let [PartStatus::Failed(failure)] = &desk.told(first.key)[..] else { panic!("it failed") };
    assert_eq!(place(failure), (details, Some(2)));
}

#[test]
fn whatever_is_wrong_for_the_payee_gets_the_same_answer_with_its_height() {
    type Change = fn(&mut SendPart);
    let changes: [(&str, Change); 7] = [
        ("unknown hash", |part| part.key.payment_hash = Preimage([9; 32]).hash()),
        ("wrong secret", |part| part.payment_secret = Some(PaymentSecret([0; 32]))),
        ("no secret", |part| part.payment_secret = None),
        ("unasked metadata", |part| part.payment_metadata = Some("00".to_owned())),
        ("more than twice", |part| part.total_msat = Msat(WHOLE.0 * 2 + 1)),
        ("too near an expiry", |part| {
            part.route.hops[1].cltv_blocks = Blocks(17);
        }),
        ("too little", |part| {
            for hop in &mut part.route.hops {
                hop.amount_msat = Msat(hop.amount_msat.0 - 10_000);
            }
            part.total_msat = part.route.amount();
        }),
    ];
    for (what, change) in changes {
        let mut desk = Desk::chain();
        let mut part = desk.part("carol", WHOLE);
        change(&mut part);
        let failure = desk.failure(&part);
        let details = FailureCode::IncorrectOrUnknownPaymentDetails;
        assert_eq!(place(&failure), (details, Some(2)), "{what}");
        assert_eq!(failure.height, Some(BlockHeight(800_000)), "{what}");
        assert_eq!(failure.htlc_msat, Some(part.route.amount()), "{what}");
        assert!(failure.is_permanent(2));
    }
}

#[test]
fn an_invoice_is_paid_once_and_not_after_it_expired() {
    let mut desk = Desk::chain();
    let invoice = desk.invoice("carol", InvoiceRequest::of(WHOLE));
    let (first, again) = (desk.part_for(&invoice, WHOLE), desk.part_for(&invoice, WHOLE));
    desk.send(&first);
    desk.run_ms(5_000);
    assert!(paid(&desk, &first));
    let details = (FailureCode::IncorrectOrUnknownPaymentDetails, Some(2));
    assert_eq!(place(&desk.failure(&again)), details);
    let late = InvoiceRequest { expiry: Seconds(60), ..InvoiceRequest::of(WHOLE) };
    let invoice = desk.invoice("carol", late);
    let part = desk.part_for(&invoice, WHOLE);
    desk.run_ms(61_000);
    assert_eq!(place(&desk.failure(&part)), details);
}

#[test]
fn without_basic_mpp_one_part_brings_all_of_it_and_an_open_amount_takes_any() {
    let mut desk = Desk::chain();
    let single = InvoiceRequest { basic_mpp: false, ..InvoiceRequest::of(WHOLE) };
    let invoice = desk.invoice("carol", single);
    let half = desk.part_for(&invoice, HALF);
    let details = (FailureCode::IncorrectOrUnknownPaymentDetails, Some(2));
    assert_eq!(place(&desk.failure(&half)), details);
    let whole = desk.part_for(&invoice, WHOLE);
    let open = desk.invoice("carol", InvoiceRequest::any());
    let any = desk.part_for(&open, Msat(777));
    desk.send(&whole);
    desk.send(&any);
    desk.run_ms(5_000);
    assert!(paid(&desk, &whole) && paid(&desk, &any));
}

#[test]
fn a_hold_invoice_settles_when_its_owner_says_so() {
    let mut desk = Desk::chain();
    let part = desk.part("carol", WHOLE);
    let until = desk.now.after_ms(300_000);
    let script = Script::HoldSet { payment_hash: part.key.payment_hash, until };
    desk.network.script(script, desk.now).unwrap();
    desk.send(&part);
    desk.run_ms(299_000);
    assert!(desk.told(part.key).is_empty());
    desk.run_ms(2_000);
    assert!(paid(&desk, &part));
}

#[test]
fn a_private_channel_and_metadata_travel_in_the_invoice() {
    let (size, half) = (Msat(1_000_000_000), Msat(500_000_000));
    let free = || policy(0, 0);
    let network = SimBuilder::new(3)
        .node("us")
        .node("lsp")
        .node("phone")
        .us("us")
        .channel("us", "lsp", size, half, free(), free())
        .channel("lsp", "phone", size, half, policy(5, 0), free())
        .private()
        .build()
        .unwrap();
    let mut desk = Desk::new(network);
    let channel = desk.network.direction(desk.id("lsp"), desk.id("phone")).unwrap();
    let hint = HintHop {
        pubkey: desk.id("lsp"),
        short_channel_id: channel.scid,
        fee_base_msat: Msat(5),
        fee_proportional_millionths: free().fee_rate,
        cltv_expiry_delta: Blocks(40),
    };
    let request = InvoiceRequest {
        hints: vec![vec![hint]],
        payment_metadata: Some("c0ffee".to_owned()),
        description_hash_only: true,
        ..InvoiceRequest::of(WHOLE)
    };
    let invoice = desk.invoice("phone", request);
    let part = desk.part_for(&invoice, WHOLE);
    assert_eq!(part.payment_metadata.as_deref(), Some("c0ffee"));
    assert_eq!(part.route.hops.last().unwrap().short_channel_id_dir, channel);
    desk.send(&part);
    desk.run_ms(5_000);
    assert!(paid(&desk, &part));
}

#[test]
fn htlcs_to_us_wait_for_our_word_and_go_back_when_they_expire() {
    let mut desk = Desk::chain();
    let preimage = Preimage([3; 32]);
    let first = desk.offer("carol", preimage, HALF, WHOLE);
    let second = desk.offer("bob", preimage, HALF, WHOLE);
    desk.run_ms(2_000);
    let offered = desk.offered();
    assert_eq!(offered.len(), 2);
    assert!(offered.iter().all(|htlc| (htlc.amount_msat, htlc.total_msat) == (HALF, WHOLE)));
    let settle = NodeRequest::SettleHtlc { htlc: offered[0].htlc, preimage };
    desk.submit(settle);
    desk.run_ms(600_000 * 41);
    let resolved = |settled: bool| NodeEvent::HtlcResolved {
        htlc: offered[usize::from(!settled)].htlc,
        settled,
    };
    assert!(desk.heard.contains(&resolved(true)) && desk.heard.contains(&resolved(false)));
    let statuses = [first, second].map(|id| desk.network.remote_status(id).unwrap());
    let paid = statuses.iter().filter(|status| matches!(status, PartStatus::Paid { .. })).count();
    assert_eq!(paid, 1);
    desk.network.audit().unwrap();
}

#[test]
fn what_nobody_can_do_is_an_error_and_moves_nothing() {
    let desk = Desk::chain();
    let part = RemotePart::whole(Preimage([4; 32]).hash(), PaymentSecret([4; 32]), Msat(1 << 50));
    assert!(desk.network.pay_us(desk.id("carol"), part, desk.now).is_err());
    let own = desk.network.invoice(desk.network.us(), InvoiceRequest::any(), desk.now);
    assert_eq!(own, Err(crate::SimError::OurOwnNode));
    assert_eq!(desk.network.in_flight(), 0);
}

#[test]
fn a_circle_pays_ourselves_and_costs_the_fees() {
    let (size, half) = (Msat(1_000_000_000), Msat(500_000_000));
    let network = SimBuilder::new(4)
        .node("us")
        .node("bob")
        .node("carol")
        .us("us")
        .channel("us", "bob", size, half, policy(0, 0), policy(0, 0))
        .channel("bob", "carol", size, half, policy(10, 0), policy(0, 0))
        .channel("carol", "us", size, half, policy(20, 0), policy(0, 0))
        .build()
        .unwrap();
    let mut desk = Desk::new(network);
    let hop = |from: &str, to: &str, amount, blocks| Hop {
        short_channel_id_dir: desk.network.direction(desk.id(from), desk.id(to)).unwrap(),
        from: desk.id(from),
        to: desk.id(to),
        amount_msat: Msat(amount),
        cltv_blocks: Blocks(blocks),
    };
    let hops = vec![
        hop("us", "bob", 1_030, 120),
        hop("bob", "carol", 1_020, 80),
        hop("carol", "us", 1_000, 40),
    ];
    let preimage = Preimage([6; 32]);
    let mut part = desk.part("carol", Msat(1_000));
    part.route = Route { hops, probability_ppm: 1 };
    part.key.payment_hash = preimage.hash();
    desk.send(&part);
    desk.run_ms(5_000);
    let htlc = desk.offered()[0].htlc;
    desk.submit(NodeRequest::SettleHtlc { htlc, preimage });
    desk.run_ms(5_000);
    assert!(paid(&desk, &part));
    let ours: u64 = desk.network.our_balance().iter().map(|channel| channel.1.0).sum();
    assert_eq!(ours, size.0 - 30);
    desk.network.audit().unwrap();
}

#[test]
fn a_part_kept_past_its_expiry_comes_back_by_the_chain_and_takes_its_set_along() {
    let mut desk = Desk::chain();
    let [first, second] = halves(&mut desk);
    let until = desk.now.after_ms(600_000 * 100);
    let script = Script::HoldSet { payment_hash: first.key.payment_hash, until };
    desk.network.script(script, desk.now).unwrap();
    desk.send(&first);
    desk.send(&second);
    desk.run_ms(600_000 * 20 - 1);
    assert!(desk.told(first.key).is_empty());
    desk.run_ms(600_000);
    for part in [&first, &second] {
        let [PartStatus::Failed(failure)] = &desk.told(part.key)[..] else { panic!("it failed") };
        let gone = (FailureCode::PermanentChannelFailure, Some(1));
        let given_up = (FailureCode::IncorrectOrUnknownPaymentDetails, Some(2));
        assert!([gone, given_up].contains(&place(failure)));
    }
    assert_eq!(desk.network.payment(first.key.payment_hash).held_msat, Msat::ZERO);
    desk.run_ms(600_000 * 100);
    assert_eq!(desk.network.payment(first.key.payment_hash).received_in_all(), Msat::ZERO);
    desk.network.audit().unwrap();
}
