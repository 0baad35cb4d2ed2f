//! How each kind of [`LedgerEntry`] is booked, and what refuses it.

mod claim;
mod dispatch;
mod end;
mod late;
mod opening;
mod part;
mod reconcile;
mod repeat;
mod reserve;
mod self_pay;
mod set;

pub use set::HTLCS_PER_SET_MAX;

pub(crate) use repeat::{Applied, EntryKey};
pub(crate) use set::SetState;

use crate::chart::{Account, PostingKey};
use crate::dossier::Dossier;
use crate::journal::{Batch, Changes, Circumstances, Journal, Resolution, Transfer, broken};
use crate::limit::Spend;
use crate::payment::{Payment, Rest};
use crate::state::State;
use ecs_systems::port::{ClaimState, LedgerEntry, LedgerError, PaymentRef, SetRef};
use ecs_systems::units::{Msat, PartId, PaymentHash};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most entries in one batch. Reached: [`LedgerError::Invariant`], nothing is written.
pub const ENTRIES_PER_BATCH_MAX: usize = 10_000;

/// Most parts in one dispatch. Reached: [`LedgerError::Invariant`], nothing is written.
pub const PARTS_PER_DISPATCH_MAX: usize = 1_000;

/// A batch under way over the books as they are; dropped, it has changed nothing.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    /// The books; `None`: a dossier is written again apart from them.
    state: Option<&'a State>,
    batch: Batch<'a>,
    written: Written,
}

/// What a batch adds to or replaces in the books, besides postings.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The dossiers it reads, as they were.
    pub(crate) loaded: BTreeMap<PaymentHash, Arc<Dossier>>,
    /// The lines that changed something, by the hash they are about.
    pub(crate) booked: BTreeMap<PaymentHash, Vec<LedgerEntry>>,
    pub(crate) payments: BTreeMap<PaymentRef, Payment>,
    pub(crate) latest: BTreeMap<PaymentHash, PaymentRef>,
    pub(crate) keys: BTreeMap<String, PaymentRef>,
    pub(crate) applied: BTreeMap<EntryKey, Applied>,
    pub(crate) spends: Vec<Spend>,
    pub(crate) sets: BTreeMap<SetRef, SetState>,
    /// Whether the books are now a backup's that is not reconciled.
    pub(crate) is_backup: Option<bool>,
}

impl<'a> Writer<'a> {
    /// A batch that has written nothing.
    pub(crate) fn new(state: &'a State, circumstances: Circumstances) -> Self {
        let batch = Batch::new(&state.journal, circumstances);
        Self { state: Some(state), batch, written: Written::default() }
    }

    /// The lines of one hash in an entry that was taken before, over its dossier till then.
    pub(crate) fn again(
        journal: &'a Journal,
        (hash, dossier): (PaymentHash, Arc<Dossier>),
        index: u64,
        circumstances: Circumstances,
    ) -> Self {
        let loaded = BTreeMap::from([(hash, dossier)]);
        let batch = Batch::again(journal, index, circumstances);
        Self { state: None, batch, written: Written { loaded, ..Written::default() } }
    }

    /// Everything the batch came to.
    pub(crate) fn into_changes(self) -> (Changes, Written) {
        (self.batch.into_changes(), self.written)
    }

    /// Books one entry, or finds that it was booked before.
    ///
    /// # Errors
    /// What refuses the entry; then the batch must be dropped.
    pub(crate) fn write(&mut self, entry: &LedgerEntry) -> Result<(), LedgerError> {
        let hash = entry.payment_hash();
        if let Some(hash) = hash {
            let dossier = self.load(hash)?;
            self.batch.turn_to(dossier);
        }
        let key = EntryKey::of(entry)?;
        if let Some(before) = key.as_ref().and_then(|key| self.applied(key)) {
            return before.repeated(entry);
        }
        self.book(entry)?;
        if let Some(key) = key {
            self.written.applied.insert(key, Applied { entry: entry.clone() });
        }
        if let Some(hash) = hash {
            let lines = self.written.booked.entry(hash).or_default();
            if lines.is_empty() {
                // Most batches have one line for a hash, and it is kept as long as the hash.
                lines.reserve_exact(1);
            }
            lines.push(entry.clone());
        }
        Ok(())
    }

    /// What is known of a hash, thawed if need be.
    fn load(&mut self, hash: PaymentHash) -> Result<Arc<Dossier>, LedgerError> {
        if let Some(loaded) = self.written.loaded.get(&hash) {
            return Ok(Arc::clone(loaded));
        }
        let dossier = self.state.map_or(Ok(Arc::default()), |state| state.dossier(&hash))?;
        self.written.loaded.insert(hash, Arc::clone(&dossier));
        Ok(dossier)
    }

    /// What was known of a hash before this batch, if it was loaded.
    fn dossier(&self, hash: &PaymentHash) -> Option<&Dossier> {
        self.written.loaded.get(hash).map(|dossier| &**dossier)
    }

    fn applied(&self, key: &EntryKey) -> Option<&Applied> {
        let before = || match (key.channel(), key.hash()) {
            (Some(channel), _) => self.state?.openings.get(&channel),
            (None, hash) => self.dossier(&hash?)?.applied.get(key),
        };
        self.written.applied.get(key).or_else(before)
    }

    /// The claim that counts on a hash, this batch included.
    fn counting(&self, hash: &PaymentHash) -> Option<&Payment> {
        let before = || {
            let group_id = self.dossier(hash)?.latest?;
            Some(PaymentRef { payment_hash: *hash, group_id })
        };
        self.payment(&self.written.latest.get(hash).copied().or_else(before)?)
    }

    fn book(&mut self, entry: &LedgerEntry) -> Result<(), LedgerError> {
        match entry {
            LedgerEntry::Opening { short_channel_id, amount_msat } => {
                self.opening(*short_channel_id, *amount_msat)
            }
            LedgerEntry::Adjust { short_channel_id, amount_msat, more } => {
                self.adjust(*short_channel_id, *amount_msat, *more)
            }
            LedgerEntry::Backup | LedgerEntry::Reconciled { .. } => {
                self.written.is_backup = Some(*entry == LedgerEntry::Backup);
                Ok(())
            }
            LedgerEntry::Claim(claim) => self.claim(claim),
            LedgerEntry::Reserve { payment, amount_msat, fee_budget_msat, label, limits } => self
                .reserve(
                    payment,
                    &reserve::Request {
                        amount: *amount_msat,
                        fee_budget: *fee_budget_msat,
                        label: label.as_deref(),
                        limits,
                    },
                ),
            LedgerEntry::Dispatch { payment, parts } => self.dispatch(payment, parts),
            LedgerEntry::PostPart { payment, part_id, fee_msat, circular } => {
                self.post_part(payment, *part_id, *fee_msat, *circular)
            }
            LedgerEntry::VoidPart { payment, part_id } => self.void_part(payment, *part_id),
            LedgerEntry::Overspend { payment, part_id, amount_msat, circular } => {
                self.overspend(payment, *part_id, *amount_msat, *circular)
            }
            LedgerEntry::LatePart { payment, part_id, fee_msat, circular } => {
                self.late_part(payment, *part_id, *fee_msat, *circular)
            }
            LedgerEntry::Prove { payment, preimage } => self.prove(payment, preimage),
            LedgerEntry::SelfPay { payment, amount_msat, paid } => {
                self.self_pay(payment, *amount_msat, paid.as_ref())
            }
            LedgerEntry::Complete { payment, preimage, fee_msat, .. } => {
                self.complete(payment, preimage, *fee_msat)
            }
            LedgerEntry::Fail { payment, .. } => self.fail(payment),
            LedgerEntry::FailDraft { .. } => Ok(()),
            LedgerEntry::HoldSet { set, htlcs } => self.hold_set(set, htlcs),
            LedgerEntry::SettleSet { set, htlcs, payer } => self.settle_set(set, htlcs, *payer),
            LedgerEntry::ClaimSet { set, lost, paid } => self.claim_set(set, lost, paid.as_ref()),
            LedgerEntry::VoidSet { set } => self.void_set(set),
        }
    }

    fn payment(&self, payment: &PaymentRef) -> Option<&Payment> {
        let before = || self.dossier(&payment.payment_hash)?.payments.get(&payment.group_id);
        self.written.payments.get(payment).or_else(before)
    }

    /// A payment of the Entity that writes.
    fn own_payment(&self, payment: &PaymentRef) -> Result<&Payment, LedgerError> {
        let known = self.payment(payment);
        let known = known.ok_or_else(|| broken(format!("{} is unknown", named(payment))))?;
        let owner = known.claim.entity;
        if let Some(writer) = self.batch.circumstances().entity.filter(|writer| *writer != owner) {
            let what = format!("{} is entity {owner}'s, not entity {writer}'s", named(payment));
            return Err(broken(what));
        }
        Ok(known)
    }

    /// A copy of a payment that may still change, to be changed and given to [`Self::put`].
    fn open_payment(&self, payment: &PaymentRef) -> Result<Payment, LedgerError> {
        let known = self.own_payment(payment)?;
        match known.state {
            ClaimState::Open => Ok(known.clone()),
            ClaimState::Complete { .. } => {
                Err(broken(format!("{} is complete already", named(payment))))
            }
            ClaimState::Failed => Err(broken(format!("{} has failed already", named(payment)))),
        }
    }

    fn put(&mut self, payment: Payment) {
        self.written.payments.insert(payment.claim.payment, payment);
    }

    /// Writes those that transfer something.
    fn transfer_all(&mut self, wanted: &[Transfer]) -> Result<(), LedgerError> {
        for wanted in wanted.iter().filter(|wanted| wanted.amount > Msat::ZERO) {
            self.batch.transfer(wanted)?;
        }
        Ok(())
    }

    /// Counts money that left us towards the limits.
    fn note_spend(&mut self, paying: &Payment, msat: Msat) {
        let label = paying.reservation.as_ref().and_then(|reserved| reserved.label.clone());
        let at = self.batch.circumstances().at;
        self.written.spends.push(Spend { at, msat, label });
    }

    fn resolve(&mut self, pending: &PostingKey, resolution: Resolution) -> Result<(), LedgerError> {
        self.batch.resolve(pending, resolution).map(|_| ())
    }

    /// Gives the rest of a reservation back.
    fn void_rest(&mut self, payment: &mut Payment) -> Result<(), LedgerError> {
        match payment.rest.take() {
            Some(rest) => self.resolve(&rest.key, Resolution::Void),
            None => Ok(()),
        }
    }

    /// Sets a rest aside, unless it is nothing.
    fn set_rest(&mut self, payment: &mut Payment, amount: Msat) -> Result<(), LedgerError> {
        if amount == Msat::ZERO {
            return Ok(());
        }
        let key = self.batch.transfer(&Transfer {
            code: "reserve",
            debit: Account::Reserved,
            credit: Account::Spendable,
            amount,
            pending: true,
            payment: Some(payment.claim.payment),
            part_id: None,
            began: None,
            number: payment.rests,
        })?;
        payment.rest = Some(Rest { key, amount });
        payment.rests = payment.rests.saturating_add(1);
        Ok(())
    }

    /// Puts `returned` back to the rest.
    fn return_to_rest(&mut self, payment: &mut Payment, returned: Msat) -> Result<(), LedgerError> {
        if returned == Msat::ZERO {
            return Ok(());
        }
        let rest = payment.rest_amount().checked_add(returned).ok_or_else(above_64_bits)?;
        self.void_rest(payment)?;
        self.set_rest(payment, rest)
    }
}

/// A transfer that concerns a part or the whole of a payment, posted at once.
fn posted(code: &'static str, debit: Account, credit: Account, amount: Msat) -> Transfer {
    let (payment, part_id, began) = (None, None, None);
    Transfer { code, debit, credit, amount, pending: false, payment, part_id, began, number: 0 }
}

fn above_64_bits() -> LedgerError {
    broken("a sum is above 2^64-1 msat")
}

fn named(payment: &PaymentRef) -> String {
    format!("payment {} of group {}", payment.payment_hash, payment.group_id)
}

fn part_named(payment: &PaymentRef, part_id: PartId) -> String {
    format!("part {part_id} of {}", named(payment))
}
