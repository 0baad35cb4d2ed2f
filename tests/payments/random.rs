//! Random worlds, payments, faults and crashes: what never happens in any of them.

use crate::scenario::{Act, Kind, Wish, World, play};
use ecs_systems::units::{Msat, Ppm, Seconds};
use node_sim::Faults;
use proptest::{collection::vec, option, prelude::*, test_runner::Config};

/// That many cases, unless `PROPTEST_CASES` says otherwise.
pub(crate) fn cases(default: u32) -> Config {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config {
        cases: wanted.unwrap_or(default),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    }
}

fn faults() -> impl Strategy<Value = Faults> {
    let now_and_then = || prop_oneof![2 => Just(0_u32), 1 => 0_u32..300_000];
    let rates = [now_and_then(), now_and_then(), now_and_then(), now_and_then(), now_and_then()];
    (rates, 0_u32..200_000, 0_u32..100_000, 1_u64..240).prop_map(
        |([trouble, stuck, lost, twice, unreadable], stale, offline, stuck_for)| Faults {
            temporary_node_failure_ppm: trouble,
            stuck_ppm: stuck,
            stuck_for: Seconds(stuck_for),
            lost_outcome_ppm: lost,
            duplicate_event_ppm: twice,
            unreadable_ppm: unreadable,
            stale_gossip_ppm: stale,
            offline_ppm: offline,
            ..Faults::default()
        },
    )
}

fn worlds() -> impl Strategy<Value = World> {
    let shape = (any::<u64>(), 5_usize..=30, 2_usize..=6, any::<bool>(), any::<bool>());
    let ours = (1_usize..=6, 100_000_u32..=1_000_000);
    let answers = prop_oneof![Just(0_u64), 0_u64..3_000];
    (shape, ours, answers, faults()).prop_map(|(shape, ours, answer_ms, faults)| {
        let (seed, nodes, channels_per_node, bimodal, small) = shape;
        let (our_channels, our_ppm) = ours;
        World {
            seed,
            nodes,
            channels_per_node,
            bimodal,
            small,
            our_channels,
            our_share: Ppm(our_ppm),
            answer_ms,
            faults,
        }
    })
}

/// From 1 msat to more than all we have: each order of magnitude alike, the large ones more often.
fn amounts() -> impl Strategy<Value = Msat> {
    (prop_oneof![0_u32..34, 27_u32..32], any::<u64>())
        .prop_map(|(bits, draw)| Msat((1 << bits) + draw % (1 << bits)))
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::Invoices),
        2 => Just(Kind::Callers),
        1 => (0_u64..=110).prop_map(Kind::Overpaid),
        1 => (1_u64..=100, option::of(any::<usize>()))
            .prop_map(|(share, other)| Kind::Partial(share, other)),
    ]
}

fn wishes() -> impl Strategy<Value = Wish> {
    let fee = option::of((0_u64..2_000_000).prop_map(Msat));
    let parts = option::of(1_u32..20);
    let retry = (0_u64..120).prop_map(Seconds);
    (any::<usize>(), amounts(), kinds(), prop::bool::weighted(0.8), fee, parts, retry).prop_map(
        |(payee, amount, kind, several_parts, fee_budget, parts_max, retry_for)| Wish {
            payee,
            amount,
            kind,
            several_parts,
            fee_budget,
            parts_max,
            retry_for,
        },
    )
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => wishes().prop_map(Act::Pay),
        1 => any::<usize>().prop_map(Act::Again),
        1 => any::<usize>().prop_map(Act::Cancel),
        3 => (1_u64..2_000).prop_map(Act::Pass),
        1 => (2_000_u64..100_000).prop_map(Act::Pass),
        2 => Just(Act::Crash),
        1 => Just(Act::Restart),
    ]
}

proptest! {
    #![proptest_config(cases(48))]

    /// Spent is at most amount and budget, a hash is settled at most once, the books are the
    /// network's truth, money is conserved, and every payment ends.
    #[test]
    fn whatever_happens_no_money_is_lost_or_paid_twice_and_every_payment_ends(
        world in worlds(),
        acts in vec(acts(), 1..16),
    ) {
        play(&world, &acts);
    }
}

/// Another node paid most of an invoice, and we begin to pay all of it: the payee has enough with
/// the first of our parts. Found at random.
#[test]
fn a_payee_with_enough_of_others_settles_before_all_of_ours_is_there() {
    let world = World {
        seed: 13_943_040_834_478_299_224,
        nodes: 7,
        channels_per_node: 5,
        bimodal: true,
        small: true,
        our_channels: 4,
        our_share: Ppm(153_388),
        answer_ms: 0,
        faults: Faults { stuck_for: Seconds(1), ..Faults::default() },
    };
    let pay = |payee, amount, fee_budget: Option<u64>, parts_max, retry_for| Wish {
        payee,
        amount: Msat(amount),
        kind: Kind::Invoices,
        several_parts: true,
        fee_budget: fee_budget.map(Msat),
        parts_max,
        retry_for: Seconds(retry_for),
    };
    let shared = pay(6_379_507_986_440_725_040, 215_078_056, Some(194_228), Some(15), 75);
    let kind = Kind::Partial(18, Some(17_633_058_264_742_615_289));
    let whole = pay(7_008_315_179_747_603_489, 910_841_459, Some(1_957_164), None, 82);
    let acts = [
        Act::Pay(pay(11_819_400_460_693_007_158, 5_878_873_415, Some(1_628_309), None, 83)),
        Act::Pay(pay(13_110_183_451_535_700_617, 2_345_188_289, Some(116), None, 96)),
        Act::Pay(Wish { kind, ..shared }),
        Act::Cancel(1_883_910_997_151_535_707),
        Act::Pay(Wish { several_parts: false, ..whole }),
        Act::Pay(pay(4_136_910_163_147_086_025, 3_286_000_783, None, None, 105)),
        Act::Pass(1_638),
        Act::Again(5_948_176_092_737_445_552),
        Act::Pay(pay(5_606_325_129_820_529_757, 1_272_958, Some(1_769_554), None, 110)),
        Act::Pay(pay(11_140_113_958_229_742_543, 282_485_175, None, Some(5), 25)),
    ];
    let payer = play(&world, &acts);
    assert!(payer.settled_with_less(), "the payee did not settle early");
}
