//! A random world, and what is done in it: data, so that a case that was found is written down.

use crate::{harness::Payer, invoices::hash_of};
use ecs_core::{EntityId, Write};
use ecs_systems::{
    bolt11,
    components::{Amount, Cancel, FeeBudget, MaxParts, Overpay, Partial, RetryFor},
    units::{Blocks, Msat, Ppm, Seconds},
};
use node_sim::{
    BalanceModel, Faults, InvoiceRequest, OurChannels, RemotePart, Settings, SimConfig, SimNetwork,
};
use std::num::NonZeroU32;

/// How long any payment may take, in virtual time: 20 hops that each keep it as long as they can,
/// `mpp_timeout`, and the longest wait for an outcome that nobody told.
const ENDS_WITHIN_MS: u64 = 6 * 3_600 * 1_000;
/// What no longer concerns our payments, as others' parts, is over then.
const AFTERWARDS_MS: u64 = 3 * 3_600 * 1_000;

/// A network to be generated.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) channels_per_node: usize,
    pub(crate) bimodal: bool,
    /// Channels of a tenth of the usual size, so that more takes several parts.
    pub(crate) small: bool,
    pub(crate) our_channels: usize,
    pub(crate) our_share: Ppm,
    pub(crate) answer_ms: u64,
    pub(crate) faults: Faults,
}

/// What a payment is to be.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) payee: usize,
    pub(crate) amount: Msat,
    pub(crate) kind: Kind,
    pub(crate) several_parts: bool,
    pub(crate) fee_budget: Option<Msat>,
    pub(crate) parts_max: Option<u32>,
    pub(crate) retry_for: Seconds,
}

/// Whose amount it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Invoices,
    Callers,
    /// The invoice's and so many percent of it more.
    Overpaid(u64),
    /// Only so many percent of the invoice's; the rest is paid by the node with that number, or not
    /// at all.
    Partial(u64, Option<usize>),
}

/// Something that is done.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Pay(Wish),
    /// Pays an invoice that was paid, or tried, before.
    Again(usize),
    Cancel(usize),
    Pass(u64),
    /// The engine dies and comes back.
    Crash,
    /// The node restarts.
    Restart,
}

impl World {
    fn network(&self) -> SimNetwork {
        let settings =
            Settings { answer_ms: self.answer_ms, faults: self.faults, ..Settings::default() };
        let balances = if self.bimodal { BalanceModel::Bimodal } else { BalanceModel::Uniform };
        let usual = SimConfig::default();
        let smaller = if self.small { 10 } else { 1 };
        let size = |usual: Msat| Msat(usual.0 / smaller);
        let config = SimConfig {
            nodes: self.nodes,
            seed: self.seed,
            channels_per_node: self.channels_per_node,
            capacity_min_msat: size(usual.capacity_min_msat),
            capacity_max_msat: size(usual.capacity_max_msat),
            balances,
            ours: OurChannels {
                count: self.our_channels,
                capacity_msat: size(usual.ours.capacity_msat),
                our_share: self.our_share,
                ..usual.ours
            },
            settings,
        };
        SimNetwork::new(config).expect("a network of that size")
    }
}

/// Does everything, waits for the end, and checks what must hold whatever happens.
pub(crate) fn play(world: &World, acts: &[Act]) -> Payer {
    let mut payer = Payer::new(&world.network());
    payer.run_for(20_000);
    for act in acts {
        payer.act(act);
        payer.assert_money_is_whole();
    }
    let ids: Vec<EntityId> = payer.started.iter().map(|started| started.id).collect();
    payer.run_until_over(&ids, ENDS_WITHIN_MS);
    for id in ids {
        assert!(payer.outcome(id).is_final(), "not over in time\n{}", payer.story(id));
    }
    payer.run_for(AFTERWARDS_MS);
    payer.assert_books_agree();
    payer
}

impl Payer {
    fn act(&mut self, act: &Act) {
        match act {
            Act::Pay(wish) => self.wish(wish),
            Act::Again(which) => {
                if let Some(started) = pick(&self.started, *which).cloned() {
                    let more =
                        Write::here().attach(&Overpay).attach(&Amount(asked(&started.invoice)));
                    self.start(&started.invoice, more);
                }
            }
            Act::Cancel(which) => {
                if let Some(started) = pick(&self.started, *which).cloned() {
                    self.tell(started.id, Write::here().attach(&Cancel));
                }
            }
            Act::Pass(milliseconds) => self.run_for(*milliseconds),
            Act::Crash => self.crash(),
            Act::Restart => self.network.restart(self.now),
        }
    }

    fn wish(&mut self, wish: &Wish) {
        let request = match wish.kind {
            Kind::Callers => InvoiceRequest::any(),
            Kind::Invoices | Kind::Overpaid(_) | Kind::Partial(..) => {
                InvoiceRequest::of(wish.amount)
            }
        };
        let request = InvoiceRequest { basic_mpp: wish.several_parts, ..request };
        let invoice = self.invoice_of(wish.payee, request);
        let percent = |percent: u64| Msat((wish.amount.0 / 100 * percent).max(1));
        let more = Write::here()
            .attach(&RetryFor(ecs_core::Json::of(&wish.retry_for)))
            .attach_some(wish.fee_budget.map(FeeBudget).as_ref())
            .attach_some(wish.parts_max.and_then(NonZeroU32::new).map(MaxParts).as_ref());
        let more = match wish.kind {
            Kind::Invoices => more,
            Kind::Callers => more.attach(&Amount(wish.amount)),
            Kind::Overpaid(extra) => {
                more.attach(&Overpay).attach(&Amount(Msat(wish.amount.0 + percent(extra).0)))
            }
            Kind::Partial(share, _) => more.attach(&Partial(percent(share))),
        };
        self.start(&invoice, more);
        if let Kind::Partial(share, Some(other)) = wish.kind {
            self.let_another_pay(&invoice, wish.amount.saturating_sub(percent(share)), other);
        }
    }

    /// Another node pays that much of an invoice, if it finds a way.
    fn let_another_pay(&mut self, invoice: &str, amount: Msat, other: usize) {
        let fields = bolt11::decode(invoice).expect("a valid invoice");
        let others = self.network.others();
        let from = others[other % others.len()];
        let last = Blocks(fields.min_final_cltv_expiry + 2);
        let route = self.network.route(from, fields.payee, amount, last, self.now);
        let Some(route) = route.filter(|_| amount > Msat::ZERO) else { return };
        let total = fields.amount_msat.expect("partial payments are of invoices with an amount");
        let whole = RemotePart::whole(hash_of(invoice), fields.payment_secret, total);
        let part = whole.of_it(amount);
        self.shared.insert(hash_of(invoice));
        let sent = self.network.send_remote(part, route, self.now);
        sent.expect("a route that begins at another node");
    }
}

fn pick<T>(all: &[T], which: usize) -> Option<&T> {
    all.get(which % all.len().max(1))
}

/// What an invoice asks for, or something where it asks for any amount.
fn asked(invoice: &str) -> Msat {
    bolt11::decode(invoice).expect("a valid invoice").amount_msat.unwrap_or(Msat(10_000))
}
