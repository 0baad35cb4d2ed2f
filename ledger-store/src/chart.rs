//! The chart of accounts, and how the ids of postings are derived.

use ecs_systems::port::{EntryId, PaymentRef};
use ecs_systems::units::{PartId, ShortChannelId};
use sha2::{Digest, Sha256};
use std::fmt;

/// An account, by what it is for; it prints as its name without the node's.
///
/// Debits raise assets and expenses, credits raise equity and income. The `control:` accounts hold
/// no money: they sum to zero once nothing is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// `assets:channel:<id>`: our side of a channel. May not be overdrawn.
    Channel(ShortChannelId),
    /// `assets:held:in`: HTLCs that came in and wait for a decision.
    HeldIn,
    /// `liabilities:held`: the other side of those: it is not ours yet.
    Held,
    /// `equity:opening`: where channels come from that were ours before the books began.
    EquityOpening,
    /// `equity:reconciled`: what channels had more or less than a restored backup knew.
    EquityReconciled,
    /// `income:invoice`: what we were paid.
    IncomeInvoice,
    /// `expenses:payment`: what payees got.
    Payment,
    /// `expenses:fee:routing`: what forwarding nodes got of payments.
    RoutingFee,
    /// `expenses:fee:rebalance`: what forwarding nodes got of circular payments.
    RebalanceFee,
    /// `control:reserved`: the debit side of reservations.
    Reserved,
    /// `control:spendable`: the credit side of reservations. Bounded by what the channels have
    /// that no part holds.
    Spendable,
    /// `control:self`: between the outgoing and the incoming half of what we pay ourselves.
    SelfPayment,
}

impl Account {
    /// The account's full name in the books of `node`.
    /// ```
    /// # use ledger_store::Account;
    /// let channel = Account::Channel("1x2x3".parse().expect("a channel"));
    /// assert_eq!(channel.of("sim"), "sim:assets:channel:1x2x3");
    /// ```
    #[must_use]
    pub fn of(self, node: &str) -> String {
        format!("{node}:{self}")
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(channel) => write!(out, "{CHANNELS}{channel}"),
            Self::HeldIn => out.write_str("assets:held:in"),
            Self::Held => out.write_str("liabilities:held"),
            Self::EquityOpening => out.write_str("equity:opening"),
            Self::EquityReconciled => out.write_str("equity:reconciled"),
            Self::IncomeInvoice => out.write_str("income:invoice"),
            Self::Payment => out.write_str("expenses:payment"),
            Self::RoutingFee => out.write_str("expenses:fee:routing"),
            Self::RebalanceFee => out.write_str("expenses:fee:rebalance"),
            Self::Reserved => out.write_str("control:reserved"),
            Self::Spendable => out.write_str("control:spendable"),
            Self::SelfPayment => out.write_str("control:self"),
        }
    }
}

const CHANNELS: &str = "assets:channel:";

/// Whether a full account name is that of a channel of `node`.
pub(crate) fn is_channel(node: &str, account: &str) -> bool {
    account
        .strip_prefix(node)
        .and_then(|rest| rest.strip_prefix(':'))
        .is_some_and(|name| name.starts_with(CHANNELS))
}

/// What tells a posting from all others: its id is a digest of this and of the node's name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdFacts {
    /// What kind of posting.
    pub(crate) kind: &'static str,
    /// Of which payment.
    pub(crate) payment: Option<PaymentRef>,
    /// Of which part.
    pub(crate) part_id: Option<PartId>,
    /// Which of several, counted from 0; for an opening the packed channel id.
    pub(crate) number: u64,
}

/// The id of a posting of `node`: the first 128 bits of the SHA256 of its facts.
pub(crate) fn entry_id(node: &str, facts: &IdFacts) -> EntryId {
    let (hash, group) =
        facts.payment.map_or(([0; 32], 0), |payment| (payment.payment_hash.0, payment.group_id.0));
    let digest = Sha256::new()
        .chain_update(node)
        .chain_update([0])
        .chain_update(facts.kind)
        .chain_update([0])
        .chain_update(hash)
        .chain_update(group.to_be_bytes())
        .chain_update(facts.part_id.unwrap_or_default().0.to_be_bytes())
        .chain_update(facts.number.to_be_bytes())
        .finalize();
    shortened(digest.into())
}

/// The id of the one posting that resolves `pending`.
pub(crate) fn resolution_id(pending: &EntryId) -> EntryId {
    let digest = Sha256::new().chain_update("resolution\0").chain_update(&pending.0).finalize();
    shortened(digest.into())
}

fn shortened(digest: [u8; 32]) -> EntryId {
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    EntryId(format!("{:032x}", u128::from_be_bytes(first)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_systems::units::{GroupId, PaymentHash};

    const FACTS: IdFacts = IdFacts { kind: "part", payment: None, part_id: None, number: 0 };

    #[test]
    fn ids_are_32_hexadecimal_digits_and_differ_with_every_fact() {
        let payment = PaymentRef { payment_hash: PaymentHash([1; 32]), group_id: GroupId(1) };
        let other_group = PaymentRef { group_id: GroupId(2), ..payment };
        let mut ids = vec![
            entry_id("sim", &FACTS),
            entry_id("other", &FACTS),
            entry_id("sim", &IdFacts { kind: "fee", ..FACTS }),
            entry_id("sim", &IdFacts { payment: Some(payment), ..FACTS }),
            entry_id("sim", &IdFacts { payment: Some(other_group), ..FACTS }),
            entry_id("sim", &IdFacts { part_id: Some(PartId(1)), ..FACTS }),
            entry_id("sim", &IdFacts { number: 1, ..FACTS }),
        ];
        ids.push(resolution_id(&ids[0]));
        let count = ids.len();
        assert!(
            ids.iter().all(|id| id.0.len() == 32 && id.0.bytes().all(|b| b.is_ascii_hexdigit()))
        );
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert_eq!(entry_id("sim", &FACTS), entry_id("sim", &FACTS));
    }

    #[test]
    fn only_the_channels_of_the_node_are_its_channels() {
        for (account, expected) in [
            ("sim:assets:channel:1x2x3", true),
            ("other:assets:channel:1x2x3", false),
            ("simassets:channel:1x2x3", false),
            ("sim:assets:held:in", false),
        ] {
            assert_eq!(is_channel("sim", account), expected, "{account}");
        }
    }
}
