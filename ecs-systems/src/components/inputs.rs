//! What callers say of a payment.

use super::{
    kinds::{amounts, flags, texts, values},
    shape,
};
use ecs_core::{ComponentSpec, EntityId, WhenFrozen};
use payecs_planner::Exclusion;
use payecs_units::{Blocks, MicroPercent, Msat, NodeId, PaymentHash, ShortChannelId};
use std::{borrow::Cow, num::NonZeroU32};

const AMOUNT: &str = "an amount: integer msat, or `\"Nmsat\"`, `\"Nsat\"`, `\"N.DDDsat\"`, \
                      `\"N.Dbtc\"`";
const TEXT: &str = "a string, not empty, at most 1024 bytes";

texts! {
    /// This Entity stands for one whole payment.
    MainPayment = ComponentSpec::input("lightningd:main-payment", "anything but null",
        "This Entity stands for one whole payment; Systems that must run once per payment require \
         it."), check shape::anything;
    /// What to pay.
    Invoice = ComponentSpec::input("lightningd:invoice", "a string of at most 8192 bytes",
        "What to pay. BOLT 11 in any case, with or without `lightning:`, or what \
         the node decodes."), check shape::invoice;
    /// Share of the amount that may go to fees; use [`MaxFeePercent::share`].
    MaxFeePercent = ComponentSpec::input("lightningd:maxfeepercent",
        "a number: percent, at most 6 decimals",
        "Share of the amount that may go to fees, in percent; kept as a decimal, never a binary \
         float. Default 0.5."), check shape::decimal;
    /// No new attempt starts after this long; use [`RetryFor::milliseconds`].
    RetryFor = ComponentSpec::input("lightningd:retry_for", "a number: seconds, at most 86400",
        "No new attempt starts after this many seconds. Default 60."), check shape::seconds;
    /// What locked-up money costs; use [`RiskFactor::share`].
    RiskFactor = ComponentSpec::input("lightningd:riskfactor",
        "a number: percent per year, at most 6 decimals",
        "Turns blocks of delay into a cost: percent per year. Default 10."), check shape::decimal;
    /// What to call the payment.
    Label = ComponentSpec::input("lightningd:label", TEXT,
        "What to call the payment; limits can look at it.").when_frozen(WhenFrozen::Allowed),
        check shape::string;
    /// The caller's name for its request; use [`IdempotencyKey::text`].
    IdempotencyKey = ComponentSpec::input("lightningd:idempotency_key",
        "a string, not empty, at most 128 bytes",
        "The caller's name for its request. From the claim on it belongs for ever to all that the \
         caller gave (docs/ARCHITECTURE.md): the same again waits for the first payment and ends \
         as it did, paid or failed; anything else with it is refused with 201."), check shape::key;
    /// What the invoice's description hash stands for.
    Description = ComponentSpec::input("lightningd:description", "a string of at most 8192 bytes",
        "The text behind `lightningd:invoice:description_hash`; checked against it."),
        check shape::invoice;
    /// 256 random bits; use [`Nonce::seed`].
    Nonce = ComponentSpec::input("lightningd:nonce", "64 hex digits",
        "256 random bits: a seed for routes, never a key."), check shape::hex64;
    /// Free facts for the books.
    Metadata = ComponentSpec::input("lightningd:metadata", "an object of at most 4096 bytes",
        "Free facts; `source`, `task_id`, `agent_id` appear in the ledger's view.")
        .when_frozen(WhenFrozen::Allowed), check shape::object;
}

amounts! {
    /// What the destination gets.
    Amount = ComponentSpec::input("lightningd:amount", AMOUNT,
        "What the destination gets; above zero. Moved here from the invoice if absent."),
        min Msat(1);
    /// The fee budget is never below this.
    ExemptFee = ComponentSpec::input("lightningd:exemptfee", AMOUNT,
        "The fee budget is never below this. Default `\"5000msat\"`."), min Msat::ZERO;
    /// Most that may be spent on routing fees.
    FeeBudget = ComponentSpec::input("lightningd:feebudget", AMOUNT,
        "Most that may be spent on routing fees: max(⌊amount × maxfeepercent⌋, exemptfee). A \
         caller's value is left alone."), min Msat::ZERO;
    /// Pay only this much of the total.
    Partial = ComponentSpec::input("lightningd:partial", AMOUNT,
        "Pay only this much; others pay the rest. Above zero, at most the amount."), min Msat(1);
}

values! {
    /// Longest total CLTV of a path.
    MaxDelay(NonZeroU32) = ComponentSpec::input("lightningd:maxdelay", "a positive integer: blocks",
        "Longest total CLTV of a path, in blocks. Default: the node's limit, 2016.");
    /// Most parts at a time.
    MaxParts(NonZeroU32) = ComponentSpec::input("lightningd:maxparts", "a positive integer",
        "Most parts under way at a time; 1 where the payee takes no multi-part payment. Default \
         16.");
    /// What no route may use.
    Exclude(Vec<Exclusion>) = ComponentSpec::input("lightningd:exclude",
        "an array of node ids and channel directions `BxTxO/D`", "What no route may use.");
    /// Who is paid.
    Destination(NodeId) = ComponentSpec::input("lightningd:destination", "a node id: 66 hex digits",
        "Who is paid. From the invoice; a caller's value must be the same.");
    /// What the HTLCs are locked to.
    PayHash(PaymentHash) = ComponentSpec::input("lightningd:payment_hash", "64 hex digits",
        "What the HTLCs are locked to. From the invoice; a caller's value must be the same.");
    /// Only this channel out.
    FirstHop(ShortChannelId) = ComponentSpec::input("lightningd:first_hop",
        "a short channel id `BxTxO`", "Leave only through this channel of ours.");
    /// Only this node in.
    LastHop(NodeId) = ComponentSpec::input("lightningd:last_hop", "a node id: 66 hex digits",
        "Arrive only from this node.");
    /// Whether an operator lets the payment go on.
    Approval(bool) = ComponentSpec::input("lightningd:approval", "true or false",
        "An operator's word where `lightningd:approval:asked` is attached; needs the scope \
         `approve`, and another token than the one that made the Entity.")
        .when_frozen(WhenFrozen::Allowed);
    /// The Entity this one works for.
    Parent(EntityId) = ComponentSpec::engine("lightningd:parent", "an entity id",
        "The payment that a plan, part or set belongs to.");
}

flags! {
    /// The amount may be above the invoice's.
    Overpay = ComponentSpec::input("lightningd:overpay", "true",
        "The amount may be up to twice the invoice's.");
    /// Pay ourselves through the network.
    Circular = ComponentSpec::input("lightningd:circular", "true",
        "A payment to ourselves leaves through one channel and comes back through another.");
    /// Stop trying.
    Cancel = ComponentSpec::input("lightningd:cancel", "true",
        "No further attempt starts. Parts that are out end as they end; `lightningd:exposure` says \
         what of them can still settle. A payment passes it on to its plan, its parts and the set \
         it pays itself by, while they have a list.")
        .when_frozen(WhenFrozen::Allowed);
}

impl Invoice {
    /// The invoice as it came.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        self.0.as_str().unwrap_or_default()
    }
}

impl Label {
    /// The label.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        self.0.as_str().unwrap_or_default()
    }
}

impl IdempotencyKey {
    /// The key.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        self.0.as_str().unwrap_or_default()
    }
}

impl Description {
    /// The description.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        self.0.as_str().unwrap_or_default()
    }
}

impl MaxFeePercent {
    /// The share.
    #[must_use]
    pub fn share(&self) -> MicroPercent {
        MicroPercent(shape::micros(&self.0).unwrap_or(0))
    }
}

impl RiskFactor {
    /// The share per year.
    #[must_use]
    pub fn share(&self) -> MicroPercent {
        MicroPercent(shape::micros(&self.0).unwrap_or(0))
    }
}

impl RetryFor {
    /// The time in milliseconds, rounded down.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        shape::micros(&self.0).unwrap_or(0) / 1_000
    }
}

impl MaxDelay {
    /// The limit.
    #[must_use]
    pub fn blocks(&self) -> Blocks {
        Blocks(self.0.get())
    }
}

impl Nonce {
    /// The first 64 bits: a seed for breaking ties between routes.
    #[must_use]
    pub fn seed(&self) -> u64 {
        let text = self.0.as_str().unwrap_or_default();
        text.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
    }
}
