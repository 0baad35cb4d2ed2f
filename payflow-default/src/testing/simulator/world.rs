//! The world of a seed: a network, and how the engine is kept in it.

use super::plot::index;
use ecs_systems::{
    planner::Rng,
    units::{Msat, Ppm, Seconds},
};
use node_sim::{BalanceModel, Faults, OurChannels, Settings, SimConfig};
use std::collections::BTreeSet;

/// The chances of the network, in the order of [`World::chances`], have the numbers from this on.
pub(super) const FIRST_CHANCE: u32 = 1;

/// The world of a seed.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) network: SimConfig,
    /// How long what is over stays.
    pub(super) retention_s: u64,
    /// How many payments that are over the books keep in memory.
    pub(super) hot_payments: usize,
    /// When a segment of the journal is full.
    pub(super) segment_bytes: u64,
    /// What is set aside for a full disk.
    pub(super) reserve_bytes: u64,
}

impl World {
    pub(super) fn draw(rng: &mut Rng, without: &BTreeSet<u32>) -> Self {
        let nodes = 5 + index(rng, 26);
        let smaller = if rng.chance(300_000) { 10 } else { 1 };
        let usual = SimConfig::default();
        let size = |usual: Msat| Msat(usual.0 / smaller);
        let faults = draw_faults(rng, without);
        let answer_ms = if rng.chance(500_000) { 0 } else { rng.below(2_000) };
        let latency_ms = 20 + rng.below(300);
        let settings = Settings { answer_ms, latency_ms, faults, ..Settings::default() };
        let bimodal = rng.chance(300_000);
        let ours = OurChannels {
            count: 1 + index(rng, 6),
            capacity_msat: size(usual.ours.capacity_msat),
            our_share: Ppm(u32::try_from(200_000 + rng.below(800_000)).expect("it is small")),
            ..usual.ours
        };
        let network = SimConfig {
            nodes,
            seed: rng.next_u64(),
            channels_per_node: 2 + index(rng, 5),
            capacity_min_msat: size(usual.capacity_min_msat),
            capacity_max_msat: size(usual.capacity_max_msat),
            balances: if bimodal { BalanceModel::Bimodal } else { BalanceModel::Uniform },
            ours,
            settings,
        };
        Self {
            network,
            retention_s: [1, 30, 3_600][index(rng, 3)],
            hot_payments: [0, 3, 1_000][index(rng, 3)],
            segment_bytes: [20_000, 200_000, 64 << 20][index(rng, 3)],
            reserve_bytes: [0, 65_536][index(rng, 2)],
        }
    }

    /// Most of what our channels have is their peers': others can pay us.
    pub(super) fn is_poor(&mut self) {
        let ours = &mut self.network.ours;
        ours.our_share = Ppm(ours.our_share.0 / 3);
    }

    pub(super) fn chances(&self) -> [u32; 16] {
        let faults = self.network.settings.faults;
        [
            faults.temporary_node_failure_ppm,
            faults.stuck_ppm,
            faults.lost_outcome_ppm,
            faults.duplicate_event_ppm,
            faults.unreadable_ppm,
            faults.stale_gossip_ppm,
            faults.offline_ppm,
            faults.late_ppm,
            faults.lying_update_ppm,
            faults.reprice_ppm,
            faults.disable_ppm,
            faults.close_ppm,
            faults.restart_ppm,
            faults.reorder_event_ppm,
            faults.lost_reply_ppm,
            faults.our_restart_ppm,
        ]
    }
}

fn draw_faults(rng: &mut Rng, without: &BTreeSet<u32>) -> Faults {
    let mut number = FIRST_CHANCE;
    let mut chance = |most: u64| {
        let drawn = if rng.chance(600_000) { 0 } else { rng.below(most) };
        let is_out = without.contains(&number);
        number += 1;
        u32::try_from(if is_out { 0 } else { drawn }).expect("it is small")
    };
    let mut faults = Faults {
        temporary_node_failure_ppm: chance(200_000),
        stuck_ppm: chance(150_000),
        lost_outcome_ppm: chance(300_000),
        duplicate_event_ppm: chance(300_000),
        unreadable_ppm: chance(200_000),
        stale_gossip_ppm: chance(200_000),
        offline_ppm: chance(100_000),
        late_ppm: chance(200_000),
        lying_update_ppm: chance(300_000),
        reprice_ppm: chance(100_000),
        disable_ppm: chance(100_000),
        close_ppm: chance(20_000),
        restart_ppm: chance(50_000),
        reorder_event_ppm: chance(300_000),
        lost_reply_ppm: chance(200_000),
        our_restart_ppm: chance(50_000),
        ..Faults::default()
    };
    faults.stuck_for = Seconds(1 + rng.below(240));
    faults.late_ms = 1 + rng.below(20_000);
    faults.disabled_for = Seconds(1 + rng.below(1_200));
    faults.gossip_after = Seconds(rng.below(120));
    faults.restart_for = Seconds(1 + rng.below(300));
    faults
}
