//! Random networks, invoices and flows, for properties of one's own.

use super::flow::Flow;
use ecs_systems::units::{Msat, Ppm, Seconds, Timestamp};
use node_sim::{
    BalanceModel, Faults, InvoiceRequest, OurChannels, Settings, SimConfig, SimNetwork,
};
use proptest::{collection::vec, prelude::*};

/// A network of 5 to 20 nodes in which most payments arrive, and now and then something fails.
pub fn network() -> impl Strategy<Value = SimConfig> {
    let shape = (any::<u64>(), 5_usize..=20, 2_usize..=6, any::<bool>());
    let ours = (1_usize..=4, 300_000_u32..=1_000_000);
    let faults = (0_u32..100_000, 0_u32..50_000, 0_u32..100_000);
    (shape, ours, faults).prop_map(|(shape, (count, our_share), (trouble, stuck, stale))| {
        let (seed, nodes, channels_per_node, is_bimodal) = shape;
        let faults = Faults {
            temporary_node_failure_ppm: trouble,
            stuck_ppm: stuck,
            stuck_for: Seconds(30),
            stale_gossip_ppm: stale,
            ..Faults::default()
        };
        SimConfig {
            nodes,
            seed,
            channels_per_node,
            balances: if is_bimodal { BalanceModel::Bimodal } else { BalanceModel::Uniform },
            ours: OurChannels { count, our_share: Ppm(our_share), ..SimConfig::default().ours },
            settings: Settings { faults, ..Settings::default() },
            ..SimConfig::default()
        }
    })
}

/// An invoice that somebody may hand out: see [`invoice`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The payee among the other nodes: any number will do.
    pub payee: usize,
    /// What is asked for.
    pub amount: Msat,
    /// Whether several parts are taken.
    pub several_parts: bool,
}

impl Wanted {
    /// Has the payee of a network hand it out.
    ///
    /// # Panics
    /// If the network has no other nodes.
    #[must_use]
    pub fn issue(&self, network: &SimNetwork, now: Timestamp) -> String {
        let others = network.others();
        let payee = others[self.payee % others.len()];
        let request =
            InvoiceRequest { basic_mpp: self.several_parts, ..InvoiceRequest::of(self.amount) };
        network.invoice(payee, request, now).expect("an invoice that can be written")
    }
}

/// An invoice over 1 msat to 17 000 sat: each order of magnitude alike.
pub fn invoice() -> impl Strategy<Value = Wanted> {
    let amount = (0_u32..24, any::<u64>());
    let amount = amount.prop_map(|(bits, draw)| Msat((1 << bits) + draw % (1 << bits)));
    (any::<usize>(), amount, prop::bool::weighted(0.8))
        .prop_map(|(payee, amount, several_parts)| Wanted { payee, amount, several_parts })
}

/// A flow with some of the Systems of another: each of those before the default ones, and each of
/// those after them, is there or not.
pub fn flow(all: &Flow) -> impl Strategy<Value = Flow> + use<> {
    let all = all.clone();
    let count = all.prepend.len() + all.append.len();
    vec(any::<bool>(), count).prop_map(move |taken| {
        let mut taken = taken.into_iter();
        let mut some = |names: &[String]| -> Vec<String> {
            names.iter().filter(|_| taken.next() == Some(true)).cloned().collect()
        };
        let (prepend, append) = (some(&all.prepend), some(&all.append));
        Flow { plugins: all.plugins.clone(), prepend, append }
    })
}
