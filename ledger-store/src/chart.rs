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

    /// The account with that full name in the books of `node`; `None`: there is none.
    /// ```
    /// # use ledger_store::Account;
    /// assert_eq!(Account::named("sim", "sim:assets:held:in"), Some(Account::HeldIn));
    /// assert_eq!(Account::named("sim", "other:assets:held:in"), None);
    /// ```
    #[must_use]
    pub fn named(node: &str, name: &str) -> Option<Self> {
        let name = name.strip_prefix(node)?.strip_prefix(':')?;
        let channel = || name.strip_prefix(CHANNELS)?.parse().ok().map(Self::Channel);
        let all = Self::WITHOUT_CHANNELS.into_iter().chain(channel());
        all.into_iter().find(|account| account.to_string() == name)
    }

    /// Whether it is a channel.
    pub(crate) fn is_channel(self) -> bool {
        matches!(self, Self::Channel(_))
    }

    const WITHOUT_CHANNELS: [Self; 11] = [
        Self::HeldIn,
        Self::Held,
        Self::EquityOpening,
        Self::EquityReconciled,
        Self::IncomeInvoice,
        Self::Payment,
        Self::RoutingFee,
        Self::RebalanceFee,
        Self::Reserved,
        Self::Spendable,
        Self::SelfPayment,
    ];
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

/// What tells a posting from all others. Its id is a digest of this and of the node's name, which
/// is made only when somebody looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PostingKey {
    /// What kind of posting.
    pub(crate) kind: &'static str,
    /// Which of several, counted from 0; for an opening the packed channel id.
    pub(crate) number: u64,
    /// Of which part.
    pub(crate) part_id: Option<PartId>,
    /// It is the one posting that resolves the pending one of which the rest is said.
    pub(crate) resolves: bool,
    /// Of which payment.
    pub(crate) payment: Option<PaymentRef>,
}

impl PostingKey {
    /// What resolves it.
    pub(crate) fn resolution(self) -> Self {
        Self { resolves: true, ..self }
    }

    /// The id in the books of `node`: the first 128 bits of a SHA256.
    pub(crate) fn id(&self, node: &str) -> EntryId {
        if self.resolves {
            let pending = Self { resolves: false, ..*self }.id(node);
            let digest =
                Sha256::new().chain_update("resolution\0").chain_update(&pending.0).finalize();
            return shortened(digest.into());
        }
        let (hash, group) =
            self.payment.map_or(([0; 32], 0), |it| (it.payment_hash.0, it.group_id.0));
        let digest = Sha256::new()
            .chain_update(node)
            .chain_update([0])
            .chain_update(self.kind)
            .chain_update([0])
            .chain_update(hash)
            .chain_update(group.to_be_bytes())
            .chain_update(self.part_id.unwrap_or_default().0.to_be_bytes())
            .chain_update(self.number.to_be_bytes())
            .finalize();
        shortened(digest.into())
    }
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

    const KEY: PostingKey =
        PostingKey { kind: "part", number: 0, part_id: None, resolves: false, payment: None };

    #[test]
    fn ids_are_32_hexadecimal_digits_and_differ_with_every_fact() {
        let payment = PaymentRef { payment_hash: PaymentHash([1; 32]), group_id: GroupId(1) };
        let other_group = PaymentRef { group_id: GroupId(2), ..payment };
        let mut ids = vec![
            KEY.id("sim"),
            KEY.id("other"),
            PostingKey { kind: "fee", ..KEY }.id("sim"),
            PostingKey { payment: Some(payment), ..KEY }.id("sim"),
            PostingKey { payment: Some(other_group), ..KEY }.id("sim"),
            PostingKey { part_id: Some(PartId(1)), ..KEY }.id("sim"),
            PostingKey { number: 1, ..KEY }.id("sim"),
            KEY.resolution().id("sim"),
        ];
        let count = ids.len();
        assert!(
            ids.iter().all(|id| id.0.len() == 32 && id.0.bytes().all(|b| b.is_ascii_hexdigit()))
        );
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    #[test]
    fn ids_stay_what_they_are() {
        let payment = PaymentRef { payment_hash: PaymentHash([1; 32]), group_id: GroupId(1) };
        let key = PostingKey { payment: Some(payment), part_id: Some(PartId(2)), number: 3, ..KEY };
        assert_eq!(key.id("sim").0, "ebf679bd04c11660f0acde2b48c5d23e");
        assert_eq!(key.resolution().id("sim").0, "ea2983da7c497ef4eb177d8a89e9757e");
    }

    #[test]
    fn every_account_is_found_by_its_name() {
        let channel = Account::Channel("1x2x3".parse().unwrap());
        for account in Account::WITHOUT_CHANNELS.into_iter().chain([channel]) {
            assert_eq!(Account::named("sim", &account.of("sim")), Some(account));
        }
        for name in ["sim:assets:channel:1x2", "sim:assets:channel:01x2x3", "sim:x", "sim", ""] {
            assert_eq!(Account::named("sim", name), None, "{name}");
        }
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
