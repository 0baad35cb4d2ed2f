//! What the books say, as anybody may read it, against what really happened.

use super::{
    Auditor, Law,
    words::{hash_in, msat, number},
};
use ecs_systems::units::{Msat, PaymentHash, ShortChannelId};
use serde_json::Value;
use std::collections::BTreeMap;

/// The name that our node has in its books, as it begins the names of accounts.
const CHANNELS: &str = "sim:assets:channel:";
const PAYEES: &str = "sim:expenses:payment";
const FEES: &str = "sim:expenses:fee:";
const INCOME: &str = "sim:income:invoice";
/// Accounts that have nothing where nothing is under way.
const LEVEL: [&str; 3] = ["sim:control:", "sim:assets:held:", "sim:liabilities:held"];

/// What was posted for a part: to its payee, and in fees.
type Parts = BTreeMap<(PaymentHash, u64, u64), (u64, u64)>;

/// What the entries of the ledger come to.
#[derive(Debug, Default)]
struct Sums {
    /// Debits less credits that were posted, by account.
    accounts: BTreeMap<String, i128>,
    parts: Parts,
    income: BTreeMap<PaymentHash, u64>,
    /// What was paid to ourselves, without a part.
    ourselves: BTreeMap<PaymentHash, u64>,
}

impl Sums {
    fn of(entries: &[Value]) -> Self {
        let mut sums = Self::default();
        let postings = entries.iter().filter_map(|entry| entry.get("postings")?.as_array());
        for posting in postings.flatten() {
            if posting.get("state").and_then(Value::as_str) == Some("posted") {
                sums.add(posting);
            }
        }
        sums
    }

    fn add(&mut self, posting: &Value) {
        let text = |name| posting.get(name).and_then(Value::as_str).unwrap_or_default();
        let amount = msat(posting, "amount_msat").unwrap_or_default();
        let (debit, credit) = (text("debit_account"), text("credit_account"));
        *self.accounts.entry(debit.to_owned()).or_default() += i128::from(amount);
        *self.accounts.entry(credit.to_owned()).or_default() -= i128::from(amount);
        let Some(hash) = hash_in(posting) else { return };
        if credit == INCOME {
            *self.income.entry(hash).or_default() += amount;
        }
        let group = number(posting, "groupid");
        if posting.get("partid").is_some() {
            let part = self.parts.entry((hash, group, number(posting, "partid"))).or_default();
            if debit == PAYEES {
                part.0 += amount;
            } else if debit.starts_with(FEES) {
                part.1 += amount;
            }
        } else if debit == PAYEES {
            *self.ourselves.entry(hash).or_default() += amount;
        }
    }
}

impl Auditor {
    /// At rest: the entries of the ledger, and what the accounts are said to come to.
    pub(in crate::testing::simulator) fn reads_books(
        &mut self,
        entries: &[Value],
        balance: &Value,
        ours: &[(ShortChannelId, Msat)],
    ) {
        let sums = Sums::of(entries);
        let accounts = balance.get("accounts").and_then(Value::as_array);
        let pending = |account: &&Value| {
            let pending = ["debits_pending_msat", "credits_pending_msat"];
            pending.into_iter().any(|name| msat(account, name) != Some(0))
        };
        let pends = accounts.into_iter().flatten().find(pending).map(Value::to_string);
        self.holds(Law::BooksOfChannels, pends.is_none(), || format!("pending at rest: {pends:?}"));
        for account in accounts.into_iter().flatten() {
            let name = account.get("account").and_then(Value::as_str).unwrap_or_default();
            let side = |side| i128::from(msat(account, side).unwrap_or_default());
            let said = side("debits_posted_msat") - side("credits_posted_msat");
            let summed = sums.accounts.get(name).copied().unwrap_or_default();
            let is_level = said == 0 || !LEVEL.iter().any(|level| name.starts_with(level));
            self.holds(Law::BooksOfChannels, is_level, || {
                format!("{name} has {said} msat at rest")
            });
            self.holds(Law::BooksOfChannels, said == summed, || {
                format!("{name} is said to have {said} msat, its entries sum to {summed}")
            });
        }
        for (channel, really) in ours {
            let name = format!("{CHANNELS}{channel}");
            let booked = sums.accounts.get(&name).copied().unwrap_or_default();
            self.holds(Law::BooksOfChannels, booked == i128::from(really.0), || {
                format!("{channel} has {really}, and {booked} msat in the books")
            });
        }
        self.judge_parts(&sums.parts);
        self.judge_income(&sums);
    }

    /// Each part that was paid is booked with what it cost, and no other.
    fn judge_parts(&mut self, booked: &Parts) {
        let paid = self.parts.iter().filter(|(_, part)| part.end == Some(true));
        let real: Parts = paid
            .map(|(key, part)| {
                let fee = part.sent_msat.saturating_sub(part.amount_msat);
                let key = (key.payment_hash, key.group_id.0, key.part_id.0);
                (key, (part.amount_msat, fee))
            })
            .collect();
        let booked = booked.iter().filter(|(_, sums)| **sums != (0, 0));
        let booked: Parts = booked.map(|(key, sums)| (*key, *sums)).collect();
        let all = real.keys().chain(booked.keys());
        let wrong = all.copied().find(|key| real.get(key) != booked.get(key));
        self.holds(Law::BooksOfPayments, wrong.is_none(), || {
            let key = wrong.unwrap_or((PaymentHash([0; 32]), 0, 0));
            let (real, booked) = (real.get(&key), booked.get(&key));
            format!("part {} of {}: really {real:?}, booked {booked:?}", key.2, key.0)
        });
    }

    /// What came in is income, but for what we paid ourselves.
    fn judge_income(&mut self, sums: &Sums) {
        let mut really: BTreeMap<PaymentHash, u64> = sums.ourselves.clone();
        for incoming in self.incoming.values().filter(|it| it.end == Some(true)) {
            *really.entry(incoming.hash).or_default() += incoming.amount_msat;
        }
        let strangers = sums.ourselves.keys().find(|hash| {
            !self.intents.get(hash).is_some_and(|all| all.iter().any(|it| it.to_ourselves))
        });
        let strangers = strangers.copied();
        self.holds(Law::BooksOfPayments, strangers.is_none(), || {
            format!("{strangers:?} is booked as paid to ourselves")
        });
        self.holds(Law::BooksOfPayments, really == sums.income, || {
            let all = really.keys().chain(sums.income.keys());
            let wrong = all.copied().find(|hash| really.get(hash) != sums.income.get(hash));
            let of = |all: &BTreeMap<_, u64>| wrong.and_then(|hash| all.get(&hash).copied());
            format!("{wrong:?} brought {:?} msat, booked {:?}", of(&really), of(&sums.income))
        });
    }
}
