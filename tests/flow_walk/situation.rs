//! How walks begin: what is to be paid, by which list, under which policy.

use crate::{
    choice::Budget,
    closed::Cause,
    others,
    payers::Payers,
    receiving,
    third::Third,
    world::{AMOUNT_MSAT, World, draft, preimage, signed},
};
use ecs_core::{Json, WireComponent, Write};
use ecs_systems::{
    components::{
        Amount, Circular, Description, Destination, ExemptFee, Invoice, MaxFeePercent, Overpay,
        Partial, PayHash,
    },
    policy::Policy,
    port::{InvoiceDescription, InvoiceDraft, Network, NodeView, SpendLimit},
    units::{Msat, Seconds, Timestamp},
};

/// When the second payment may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Any time.
    Begin,
    /// Once the first has ended.
    End,
}

/// What there is to know of a receipt of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    Nothing,
    /// It waits for a decision.
    Hold,
    /// Somebody else may pay it.
    PaidInBetween,
}

#[derive(Clone, Debug)]
pub(crate) struct Second {
    pub(crate) after: After,
    pub(crate) components: Write,
}

#[derive(Clone, Debug)]
pub(crate) struct Situation {
    pub(crate) name: &'static str,
    pub(crate) components: Write,
    pub(crate) second: Option<Second>,
    pub(crate) third: Vec<Third>,
    pub(crate) view: NodeView,
    pub(crate) policy: Policy,
    /// What the books have in each of our two channels.
    pub(crate) opening_msat: [u64; 2],
    /// A receipt of ours for the walk's hash.
    pub(crate) receipt: bool,
    pub(crate) more: More,
    /// Others pay that receipt; nobody here pays.
    pub(crate) payers: Option<Payers>,
    /// Why the intake may close.
    pub(crate) closes: &'static [Cause],
    /// A System that the list lacks.
    pub(crate) lacks: Option<&'static str>,
    /// Most parts over all rounds.
    pub(crate) parts_max: u32,
    /// Plans of one route, no second round, no time that passes.
    pub(crate) narrow: bool,
    pub(crate) budget: Budget,
    /// The codes it may fail with; 0 stands for being paid.
    pub(crate) ends: &'static [i32],
}

/// Everything that is rare, one of it on a path.
const FULL: Budget = Budget { crashes: 1, oddities: 1, cancels: 1, calls: 1, writes: 0, total: 1 };
/// No crash, and no call that changes nothing.
const LIGHT: Budget = Budget { crashes: 0, calls: 0, ..FULL };
/// Only what is ordinary.
const QUIET: Budget = Budget { crashes: 0, oddities: 0, cancels: 0, calls: 0, writes: 0, total: 0 };

impl Situation {
    pub(crate) fn new(name: &'static str, components: Write, ends: &'static [i32]) -> Self {
        Self {
            name,
            components,
            second: None,
            third: Vec::new(),
            view: World::get().view.clone(),
            policy: Policy { rounds_max: 2, ..Policy::default() },
            opening_msat: [10_000_000; 2],
            receipt: false,
            more: More::Nothing,
            payers: None,
            closes: &[],
            lacks: None,
            parts_max: 3,
            narrow: false,
            budget: LIGHT,
            ends,
        }
    }

    pub(crate) fn full(self) -> Self {
        Self { budget: FULL, ..self }
    }

    /// As far as time allows.
    pub(crate) fn deep(self) -> Self {
        if self.budget.writes > 0 {
            return self;
        }
        let policy = Policy { rounds_max: 2, ..self.policy };
        let circular =
            self.components.components.iter().any(|(name, _)| name == Circular::SPEC.name);
        let (total, parts_max) = if circular { (1, self.parts_max) } else { (2, 3) };
        let budget = Budget { total, ..FULL };
        Self { budget, policy, parts_max, narrow: self.second.is_some(), ..self }
    }

    pub(crate) fn narrow(self) -> Self {
        let policy = Policy { rounds_max: 1, ..self.policy };
        Self { narrow: true, policy, ..self }
    }

    /// Callers write whatever they may, once.
    pub(crate) fn written(self) -> Self {
        Self { budget: Budget { writes: 1, total: 1, ..QUIET }, ..self }
    }

    /// Odd answers, and a cancel.
    pub(crate) fn odd(self) -> Self {
        Self { budget: LIGHT, ..self }
    }

    /// Two of what is rare on a path, a crash once.
    pub(crate) fn two_rare(self) -> Self {
        Self { budget: Budget { oddities: 2, total: 2, ..FULL }, ..self }
    }

    pub(crate) fn quiet(self) -> Self {
        Self { budget: QUIET, ..self }
    }
}

/// What every payment that comes to sending may end with.
pub(crate) const SENT: &[i32] = &[0, 203, 205, 209, 210];
/// The same where time runs out by the invoice.
const SENT_OR_EXPIRED: &[i32] = &[0, 203, 205, 207, 209, 210];
const INVALID: &[i32] = &[-32602];

pub(crate) fn pay(invoice: &str) -> Write {
    Write::here().attach(&Invoice(Json::of(invoice)))
}

pub(crate) fn of(draft: InvoiceDraft) -> Write {
    pay(&signed("carol", Network::Regtest, draft))
}

pub(crate) fn fixed() -> Write {
    of(draft(1))
}

pub(crate) fn any_amount() -> Write {
    of(InvoiceDraft { amount_msat: None, ..draft(1) })
}

pub(crate) fn to_us() -> Write {
    pay(&signed("alice", Network::Regtest, draft(1)))
}

pub(crate) fn amount(msat: u64) -> Amount {
    Amount(Msat(msat))
}

fn without_invoice() -> Write {
    Write::here()
        .attach(&PayHash(preimage(1).hash()))
        .attach(&Destination(World::get().carol))
        .attach(&amount(AMOUNT_MSAT))
}

/// The situations of payments to others.
pub(crate) fn sending() -> Vec<Situation> {
    let new = Situation::new;
    let hour_ago = Timestamp(draft(1).created_at.0 - 4_000_000);
    let hashed = InvoiceDraft { description: InvoiceDescription::hash_of("a walk"), ..draft(1) };
    let described = |text: &str| of(hashed.clone()).attach(&Description(Json::of(text)));
    let tight = Write::here().attach(&MaxFeePercent(Json::of(&0))).attach(&ExemptFee(Msat(2_000)));
    let with = |mut write: Write, more: Write| {
        write.components.extend(more.components);
        write
    };
    vec![
        Situation { parts_max: 2, ..new("fixed amount", fixed(), SENT).full() },
        new("amount chosen", any_amount().attach(&amount(AMOUNT_MSAT)), SENT).quiet(),
        new("no amount at all", any_amount(), INVALID),
        new("both amounts", fixed().attach(&amount(AMOUNT_MSAT)), INVALID),
        new(
            "both amounts, overpaid",
            fixed().attach(&amount(AMOUNT_MSAT + 500)).attach(&Overpay),
            SENT,
        )
        .narrow(),
        new("overpaid too much", fixed().attach(&amount(3_000_000)).attach(&Overpay), INVALID),
        new("partial", fixed().attach(&Partial(Msat(400_000))), SENT).quiet(),
        new("partial above the whole", fixed().attach(&Partial(Msat(2_000_000))), INVALID),
        new("expired", of(InvoiceDraft { created_at: hour_ago, ..draft(1) }), &[207]),
        new(
            "expires under way",
            of(InvoiceDraft { expiry: Seconds(40), ..draft(1) }),
            SENT_OR_EXPIRED,
        )
        .quiet(),
        new("wrong network", pay(&signed("carol", Network::Testnet, draft(1))), INVALID),
        new("no invoice's text", pay("lnbc1qqqqqq"), INVALID),
        new("description right", described("a walk"), SENT).narrow(),
        new("description wrong", described("a talk"), INVALID),
        new("no invoice", without_invoice(), SENT).quiet(),
        new("fee budget for one part", with(fixed(), tight), SENT).quiet(),
        Situation {
            view: NodeView { synced: false, ..World::get().view.clone() },
            ..new("node not synced", fixed(), &[209])
        },
        Situation {
            view: restless(|view| view.capabilities.idempotent_parts = false),
            ..new("node not idempotent", fixed(), SENT).narrow().full()
        },
        Situation {
            view: restless(|view| view.capabilities.mpp = false),
            ..new("one part only", fixed(), SENT).quiet()
        },
    ]
}

pub(crate) fn restless(change: impl FnOnce(&mut NodeView)) -> NodeView {
    let mut view = World::get().view.clone();
    change(&mut view);
    view
}

/// The situations in which somebody else has a word, or the payee is this node.
pub(crate) fn deciding() -> Vec<Situation> {
    let new = Situation::new;
    let limit = SpendLimit {
        name: "daily".to_owned(),
        label: None,
        window: Seconds(86_400),
        max_msat: Msat(500_000),
    };
    let asking = Policy { rounds_max: 2, ask_above_msat: Some(Msat(500_000)), ..Policy::default() };
    let limited = Policy { rounds_max: 2, limits: vec![limit], ..Policy::default() };
    let small =
        Policy { rounds_max: 2, payment_max_msat: Some(Msat(500_000)), ..Policy::default() };
    let signer = restless(|view| view.capabilities.preapprove = true);
    let decodes = restless(|view| view.capabilities.decode = true);
    let own = Situation { receipt: true, ..new("to self", to_us(), &[0]).full() };
    vec![
        Situation {
            policy: asking.clone(),
            ..new("approval", fixed(), &[0, 203, 205, 209, 210, 2310]).narrow().full()
        },
        Situation { policy: limited, ..new("limit reached", fixed(), &[2310]) },
        Situation { policy: small, ..new("payment too large", fixed(), &[2310]) },
        Situation {
            view: signer,
            ..new("signer", fixed(), &[0, 203, 205, 209, 210, 213]).narrow()
        },
        Situation { opening_msat: [500_000, 0], ..new("insufficient funds", fixed(), &[215]) },
        Situation {
            opening_msat: [900_000, 900_000],
            ..new("one channel too small", fixed(), &[0, 203, 205, 209, 210]).quiet()
        },
        Situation {
            view: decodes,
            ..new("decoded by the node", pay("lni1walk"), &[0, -32602, 203, 205, 209, 210]).narrow()
        },
        new("decoded by nobody", pay("lni1walk"), INVALID),
        own.clone(),
        Situation { receipt: false, name: "to self, unknown", ends: &[203], ..own.clone() },
        Situation {
            policy: asking,
            more: More::PaidInBetween,
            name: "to self, paid in between",
            ends: &[0, 203, 210, 2310],
            ..own.clone()
        },
        Situation {
            components: to_us().attach(&Partial(Msat(400_000))),
            name: "to self, partial",
            ends: &[203],
            ..own
        },
        Situation {
            lacks: Some("lightningd:settle"),
            ..new("list lacks a money row", fixed(), INVALID)
        },
    ]
}

/// A few situations that together come by most Systems.
pub(crate) fn typical() -> Vec<Situation> {
    let ours =
        ["fixed amount", "both amounts, overpaid", "partial", "approval", "to self", "circular"];
    let theirs = ["received", "received, held", "rejects received lightningd:set:complete"];
    let names = [&ours[..], &theirs].concat();
    let all = sending().into_iter().chain(deciding()).chain(others::circles());
    let all = all.chain(receiving::situations());
    all.filter(|situation| names.contains(&situation.name)).collect()
}
