//! A set of HTLCs that pay a receipt of ours: held, settled, taken or given back.

use super::{Writer, above_64_bits, named};
use crate::chart::{Account, PostingKey};
use crate::journal::{Resolution, Transfer, broken};
use ecs_systems::port::{
    ClaimState, HtlcId, LedgerError, PaidReceipt, PaymentRef, SetRef, SetShare,
};
use ecs_systems::units::{GroupId, Msat};
use std::collections::BTreeSet;

/// Most HTLCs in a set. Reached: [`LedgerError::Invariant`], nothing is written.
pub const HTLCS_PER_SET_MAX: usize = 1_000;

/// What the books have of a set.
#[derive(Clone, Debug)]
pub(crate) enum SetState {
    /// What it is worth is pending on both sides.
    Held(Vec<PostingKey>),
    /// What each HTLC brings is pending.
    Settling { shares: Vec<(HtlcId, Vec<PostingKey>)>, payer: Option<PaymentRef> },
    /// Nothing of it is pending any more.
    Over,
}

impl SetState {
    /// Whether nothing of it is pending any more.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Held(_) | Self::Settling { .. } => false,
            Self::Over => true,
        }
    }

    /// The postings that are pending.
    pub(crate) fn pending(&self) -> Vec<PostingKey> {
        match self {
            Self::Held(keys) => keys.clone(),
            Self::Settling { shares, .. } => {
                shares.iter().flat_map(|(_, keys)| keys).copied().collect()
            }
            Self::Over => Vec::new(),
        }
    }
}

impl Writer<'_> {
    /// Pending `assets:held:in` ← `liabilities:held`, one for each HTLC.
    pub(super) fn hold_set(&mut self, set: &SetRef, htlcs: &[SetShare]) -> Result<(), LedgerError> {
        check_shares(set, htlcs)?;
        if self.set(set).is_some() {
            return Err(broken(format!("{} is known already", set_named(set))));
        }
        let mut held = Vec::with_capacity(htlcs.len());
        for (number, share) in numbered(set, htlcs) {
            held.push(self.batch.transfer(&Transfer {
                amount: share.amount_msat,
                ..transfer(set, "held", Account::HeldIn, Account::Held, number)
            })?);
        }
        self.written.sets.insert(*set, SetState::Held(held));
        Ok(())
    }

    /// Voids what was held; pending `assets:channel:<id>` ← `income:invoice`, and ← `control:self`
    /// for what is a part of ours that came back, in one transaction with what left for it. Linked.
    pub(super) fn settle_set(
        &mut self,
        set: &SetRef,
        htlcs: &[SetShare],
        payer: Option<PaymentRef>,
    ) -> Result<(), LedgerError> {
        check_shares(set, htlcs)?;
        let own = Msat::sum(htlcs.iter().map(|share| share.own_msat)).ok_or_else(above_64_bits)?;
        if (own > Msat::ZERO) != payer.is_some() {
            return Err(broken(format!("{}: {own} of our own, paid by {payer:?}", set_named(set))));
        }
        if payer.is_some_and(|payer| payer.payment_hash != set.payment_hash) {
            return Err(broken(format!("{}: its payer pays another hash", set_named(set))));
        }
        match self.set(set).cloned() {
            None => {}
            Some(SetState::Held(held)) => self.void_all(&held)?,
            Some(SetState::Settling { .. } | SetState::Over) => {
                return Err(broken(format!("{} is settled already", set_named(set))));
            }
        }
        let began = payer.and_then(|payer| self.payment(&payer)).map(|paying| paying.began);
        if let Some(payer) = payer {
            self.count_settling(&payer, |sets| sets.checked_add(1))?;
        }
        let mut shares = Vec::with_capacity(htlcs.len());
        for (number, share) in numbered(set, htlcs) {
            let channel = Account::Channel(share.htlc.short_channel_id);
            let others = share.amount_msat.checked_sub(share.own_msat);
            let others = others.ok_or_else(|| broken("a share of our own above its HTLC"))?;
            let income = transfer(set, "receive", channel, Account::IncomeInvoice, number);
            let back = transfer(set, "rebalance_in", channel, Account::SelfPayment, number);
            let mut of_share = Vec::new();
            for (wanted, amount) in
                [(income, others), (Transfer { payment: payer, began, ..back }, share.own_msat)]
            {
                if amount > Msat::ZERO {
                    of_share.push(self.batch.transfer(&Transfer { amount, ..wanted })?);
                }
            }
            shares.push((share.htlc, of_share));
        }
        self.written.sets.insert(*set, SetState::Settling { shares, payer });
        Ok(())
    }

    /// Posts what each HTLC brought, and voids what of them is not ours after all.
    pub(super) fn claim_set(
        &mut self,
        set: &SetRef,
        lost: &[HtlcId],
        paid: Option<&PaidReceipt>,
    ) -> Result<(), LedgerError> {
        let Some(SetState::Settling { shares, payer }) = self.set(set).cloned() else {
            return Err(broken(format!("{} is not being settled", set_named(set))));
        };
        if let Some(unknown) = lost.iter().find(|htlc| shares.iter().all(|it| it.0 != **htlc)) {
            return Err(broken(format!("{} has no {unknown:?}", set_named(set))));
        }
        let mut came = Msat::ZERO;
        for (htlc, pending) in &shares {
            if lost.contains(htlc) {
                self.void_all(pending)?;
                continue;
            }
            for key in pending {
                let amount = self.batch.amount(key)?;
                self.resolve(key, Resolution::Post(amount))?;
                came = came.checked_add(amount).ok_or_else(above_64_bits)?;
            }
        }
        if paid.is_some_and(|paid| paid.amount_msat != came) {
            return Err(broken(format!("{}: told as {paid:?}, posted {came}", set_named(set))));
        }
        self.end_set(set, payer)?;
        Ok(())
    }

    /// Voids whatever of a set is pending.
    pub(super) fn void_set(&mut self, set: &SetRef) -> Result<(), LedgerError> {
        let state = self.set(set).cloned();
        let payer = match &state {
            Some(SetState::Held(_)) => None,
            Some(SetState::Settling { payer, .. }) => *payer,
            Some(SetState::Over) | None => {
                return Err(broken(format!("{} has nothing pending", set_named(set))));
            }
        };
        let pending: Vec<PostingKey> = state.iter().flat_map(SetState::pending).collect();
        self.void_all(&pending)?;
        self.end_set(set, payer)?;
        Ok(())
    }

    fn set(&self, set: &SetRef) -> Option<&SetState> {
        let before = || self.dossier(&set.payment_hash)?.sets.get(set);
        self.written.sets.get(set).or_else(before)
    }

    fn end_set(&mut self, set: &SetRef, payer: Option<PaymentRef>) -> Result<(), LedgerError> {
        if let Some(payer) = payer {
            self.count_settling(&payer, |sets| sets.checked_sub(1))?;
        }
        self.written.sets.insert(*set, SetState::Over);
        Ok(())
    }

    fn void_all(&mut self, pending: &[PostingKey]) -> Result<(), LedgerError> {
        pending.iter().try_for_each(|key| self.resolve(key, Resolution::Void))
    }

    /// Changes how many sets a payment of ours waits for. The set, not the payment, writes this.
    fn count_settling(
        &mut self,
        payment: &PaymentRef,
        change: impl FnOnce(u32) -> Option<u32>,
    ) -> Result<(), LedgerError> {
        let open = self.payment(payment).filter(|paying| paying.state == ClaimState::Open);
        let mut paying =
            open.ok_or_else(|| broken(format!("{} is not open", named(payment))))?.clone();
        let sets = change(paying.sets_settling);
        paying.sets_settling = sets.ok_or_else(|| broken("no number of sets"))?;
        self.put(paying);
        Ok(())
    }
}

/// A pending transfer of nothing yet.
fn transfer(
    set: &SetRef,
    code: &'static str,
    debit: Account,
    credit: Account,
    number: u64,
) -> Transfer {
    let payment = Some(PaymentRef { payment_hash: set.payment_hash, group_id: GroupId(0) });
    let (amount, part_id, began) = (Msat::ZERO, None, None);
    Transfer { code, debit, credit, amount, pending: true, payment, part_id, began, number }
}

/// The HTLCs with what tells their postings apart: the set, and the place in it.
fn numbered<'s>(
    set: &SetRef,
    htlcs: &'s [SetShare],
) -> impl Iterator<Item = (u64, &'s SetShare)> + use<'s> {
    let first = u64::from(set.set.get()) << 32;
    (first..).zip(htlcs)
}

fn check_shares(set: &SetRef, htlcs: &[SetShare]) -> Result<(), LedgerError> {
    let name = || set_named(set);
    if htlcs.is_empty() || htlcs.len() > HTLCS_PER_SET_MAX {
        let what = format!("{}: {} HTLCs, 1 to {HTLCS_PER_SET_MAX} allowed", name(), htlcs.len());
        return Err(broken(what));
    }
    let different: BTreeSet<HtlcId> = htlcs.iter().map(|share| share.htlc).collect();
    if different.len() < htlcs.len() {
        return Err(broken(format!("{}: an HTLC is there twice", name())));
    }
    if htlcs.iter().any(|share| share.amount_msat == Msat::ZERO) {
        return Err(broken(format!("{}: an HTLC is worth nothing", name())));
    }
    Ok(())
}

/// What to call a set in an error.
pub(super) fn set_named(set: &SetRef) -> String {
    format!("set {} of {}", set.set, set.payment_hash)
}
