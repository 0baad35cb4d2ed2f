//! Transfers that are written together or not at all.

use super::{Journal, broken};
use crate::chart::{Account, IdFacts, entry_id, is_channel, resolution_id};
use crate::dossier::Dossier;
use ecs_core::EntityId;
use ecs_systems::port::{Balance, EntryId, LedgerError, PaymentRef, Posting, PostingState};
use ecs_systems::units::{Msat, PartId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A transfer as it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) code: &'static str,
    pub(crate) debit: Account,
    pub(crate) credit: Account,
    pub(crate) amount: Msat,
    /// Set aside; otherwise it counts at once.
    pub(crate) pending: bool,
    pub(crate) payment: Option<PaymentRef>,
    pub(crate) part_id: Option<PartId>,
    /// Which of several with the same code, payment and part.
    pub(crate) number: u64,
}

/// How a pending transfer ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolution {
    /// So much of it counts; the remainder returns.
    Post(Msat),
    /// All of it returns.
    Void,
}

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) entity: Option<EntityId>,
    pub(crate) at: Timestamp,
}

/// What a batch came to, free of the journal it was computed on.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(super) accounts: BTreeMap<String, Balance>,
    pub(crate) postings: Vec<Posting>,
    pub(super) unheld_msat: Msat,
}

/// A batch under way: the journal as it would be, of which only what changes is copied.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    journal: &'a Journal,
    /// What is known of the hash that is written of.
    dossier: Arc<Dossier>,
    circumstances: Circumstances,
    tx_id: u64,
    /// It was taken before: what accounts have is not asked again.
    again: bool,
    accounts: BTreeMap<String, Balance>,
    postings: Vec<Posting>,
    places: BTreeMap<EntryId, usize>,
    unheld_msat: Msat,
}

impl<'a> Batch<'a> {
    /// A batch that has written nothing.
    pub(crate) fn new(journal: &'a Journal, circumstances: Circumstances) -> Self {
        Self {
            journal,
            dossier: Arc::default(),
            circumstances,
            tx_id: journal.batches.saturating_add(1),
            again: false,
            accounts: BTreeMap::new(),
            postings: Vec::new(),
            places: BTreeMap::new(),
            unheld_msat: journal.unheld_msat,
        }
    }

    /// The batch of the entry at that place, which was taken before.
    pub(crate) fn again(journal: &'a Journal, index: u64, circumstances: Circumstances) -> Self {
        let tx_id = index.saturating_add(1);
        Self { tx_id, again: true, ..Self::new(journal, circumstances) }
    }

    /// Its number: its place among all batches, counted from 1.
    pub(crate) fn tx_id(&self) -> u64 {
        self.tx_id
    }

    /// Whether it was taken before.
    pub(crate) fn is_again(&self) -> bool {
        self.again
    }

    /// From here on the hash of that dossier is written of.
    pub(crate) fn turn_to(&mut self, dossier: Arc<Dossier>) {
        self.dossier = dossier;
    }

    /// What the batch came to.
    pub(crate) fn into_changes(self) -> Changes {
        let Self { accounts, postings, unheld_msat, .. } = self;
        Changes { accounts, postings, unheld_msat }
    }

    /// Who writes, and when.
    pub(crate) fn circumstances(&self) -> Circumstances {
        self.circumstances
    }

    /// An account's sums, this batch included.
    pub(crate) fn balance(&self, account: Account) -> Balance {
        self.balance_of(&account.of(&self.journal.node))
    }

    /// What the debits of an account that were posted for a payment exceed the credits by, in msat,
    /// this batch included.
    pub(crate) fn net_of(&self, payment: &PaymentRef, account: Account) -> i128 {
        let name = account.of(&self.journal.node);
        let before = self.dossier.postings().iter().map(|posting| &**posting);
        let posted = self.postings.iter().chain(before).filter(|posting| {
            posting.payment == Some(*payment) && posting.state == PostingState::Posted
        });
        posted.fold(0_i128, |net, posting| {
            let amount = i128::from(posting.amount_msat.0);
            match (posting.debit_account == name, posting.credit_account == name) {
                (true, _) => net.saturating_add(amount),
                (false, true) => net.saturating_sub(amount),
                (false, false) => net,
            }
        })
    }

    /// What a posting is worth.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn amount(&self, id: &EntryId) -> Result<Msat, LedgerError> {
        let posting = self.posting(id).ok_or_else(|| broken(format!("no posting {}", id.0)))?;
        Ok(posting.amount_msat)
    }

    /// What is neither spent, nor held by a part, nor reserved, this batch included.
    pub(crate) fn available(&self) -> Msat {
        let set_aside = self.balance(Account::Spendable).credits_pending_msat;
        self.unheld_msat.saturating_sub(set_aside)
    }

    /// Writes a transfer, or finds the one that exists.
    ///
    /// # Errors
    /// Another one has its id; nothing is transferred, or from an account to itself; a counter
    /// would pass 2⁶⁴−1 msat; an account would be overdrawn.
    pub(crate) fn transfer(&mut self, wanted: &Transfer) -> Result<EntryId, LedgerError> {
        let Transfer { code, amount, payment, part_id, number, .. } = *wanted;
        let node = &self.journal.node;
        let state = if wanted.pending { PostingState::Pending } else { PostingState::Posted };
        self.write(
            Posting {
                entry_id: entry_id(node, &IdFacts { kind: code, payment, part_id, number }),
                tx_id: self.tx_id,
                debit_account: wanted.debit.of(node),
                credit_account: wanted.credit.of(node),
                amount_msat: amount,
                code: code.to_owned(),
                state,
                pending_id: None,
                entity: self.circumstances.entity,
                payment,
                part_id,
                recorded_at: self.circumstances.at,
            },
            Msat::ZERO,
        )
    }

    /// Ends a pending transfer, or finds the resolution that exists.
    ///
    /// # Errors
    /// There is no such pending transfer; more than its amount would be posted; it was resolved
    /// otherwise; and what refuses a transfer.
    pub(crate) fn resolve(
        &mut self,
        pending_id: &EntryId,
        resolution: Resolution,
    ) -> Result<EntryId, LedgerError> {
        let pending = self
            .posting(pending_id)
            .filter(|posting| posting.state == PostingState::Pending)
            .ok_or_else(|| broken(format!("no pending posting {}", pending_id.0)))?
            .clone();
        let held = pending.amount_msat;
        let (amount_msat, state, code) = match resolution {
            Resolution::Post(amount) => (amount, PostingState::Posted, pending.code.clone()),
            Resolution::Void => (held, PostingState::Voided, "void".to_owned()),
        };
        if amount_msat > held {
            let id = &pending_id.0;
            return Err(broken(format!("{amount_msat} posted of {held} pending in {id}")));
        }
        let posting = Posting {
            entry_id: resolution_id(pending_id),
            tx_id: self.tx_id,
            amount_msat,
            code,
            state,
            pending_id: Some(pending_id.clone()),
            entity: self.circumstances.entity,
            recorded_at: self.circumstances.at,
            ..pending
        };
        self.write(posting, held)
    }

    fn posting(&self, id: &EntryId) -> Option<&Posting> {
        let here = self.places.get(id).and_then(|place| self.postings.get(*place));
        here.or_else(|| self.dossier.posting(id))
    }

    fn balance_of(&self, account: &str) -> Balance {
        self.accounts.get(account).copied().unwrap_or_else(|| self.journal.balance(account))
    }

    /// Writes a posting that takes `returned` off the pending counters.
    fn write(&mut self, posting: Posting, returned: Msat) -> Result<EntryId, LedgerError> {
        let id = posting.entry_id.clone();
        if let Some(existing) = self.posting(&id) {
            return same(existing, &posting).map(|()| id);
        }
        if posting.amount_msat == Msat::ZERO || posting.debit_account == posting.credit_account {
            let Posting { amount_msat, debit_account, credit_account, .. } = posting;
            let what = format!("a transfer of {amount_msat}: {debit_account} ← {credit_account}");
            return Err(broken(what));
        }
        if !self.again {
            let moved = Moved::by(&posting, returned);
            for (account, side) in
                [(&posting.debit_account, Side::Debit), (&posting.credit_account, Side::Credit)]
            {
                self.book(account, side, moved)?;
            }
            self.check_cover()?;
        }
        self.places.insert(id.clone(), self.postings.len());
        self.postings.push(posting);
        Ok(id)
    }

    /// Changes one side of one account.
    fn book(&mut self, account: &str, side: Side, moved: Moved) -> Result<(), LedgerError> {
        let before = self.balance_of(account);
        let after = side
            .after(before, moved)
            .ok_or_else(|| broken(format!("{account}: a counter left 0 to 2^64-1 msat")))?;
        if is_channel(&self.journal.node, account) {
            let overdrawn = || broken(format!("{account} is overdrawn"));
            let (was, is) = (unheld(before), unheld(after).ok_or_else(overdrawn)?);
            self.unheld_msat = self
                .unheld_msat
                .checked_sub(was.unwrap_or_default())
                .and_then(|others| others.checked_add(is))
                .ok_or_else(|| broken("the channels sum to more than 2^64-1 msat"))?;
        }
        self.accounts.insert(account.to_owned(), after);
        Ok(())
    }

    /// What is reserved must be there.
    fn check_cover(&self) -> Result<(), LedgerError> {
        let reserved = self.balance(Account::Spendable).credits_pending_msat;
        if reserved <= self.unheld_msat {
            return Ok(());
        }
        let (account, there) = (Account::Spendable.of(&self.journal.node), self.unheld_msat);
        Err(broken(format!("{account} is overdrawn: {reserved} reserved of {there}")))
    }
}

/// What a channel with these counters has that is neither spent nor held; `None`: overdrawn.
pub(crate) fn unheld(channel: Balance) -> Option<Msat> {
    channel
        .debits_posted_msat
        .checked_sub(channel.credits_posted_msat)?
        .checked_sub(channel.credits_pending_msat)
}

/// What a posting changes on either of its accounts.
#[derive(Clone, Copy, Debug)]
struct Moved {
    returned: Msat,
    set_aside: Msat,
    posted: Msat,
}

impl Moved {
    fn by(posting: &Posting, returned: Msat) -> Self {
        let (set_aside, posted) = match posting.state {
            PostingState::Pending => (posting.amount_msat, Msat::ZERO),
            PostingState::Posted => (Msat::ZERO, posting.amount_msat),
            PostingState::Voided => (Msat::ZERO, Msat::ZERO),
        };
        Self { returned, set_aside, posted }
    }
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Debit,
    Credit,
}

impl Side {
    /// The counters after `moved`; `None` where one would leave 0 to 2⁶⁴−1 msat.
    fn after(self, mut balance: Balance, moved: Moved) -> Option<Balance> {
        let (pending, posted) = match self {
            Self::Debit => (&mut balance.debits_pending_msat, &mut balance.debits_posted_msat),
            Self::Credit => (&mut balance.credits_pending_msat, &mut balance.credits_posted_msat),
        };
        *pending = pending.checked_sub(moved.returned)?.checked_add(moved.set_aside)?;
        *posted = posted.checked_add(moved.posted)?;
        Some(balance)
    }
}

/// Whether two postings of one id say the same; who wrote them and when may differ.
///
/// # Errors
/// `exists_with_different_<field>` for the first field that differs.
fn same(existing: &Posting, wanted: &Posting) -> Result<(), LedgerError> {
    let fields = [
        ("debit_account", existing.debit_account == wanted.debit_account),
        ("credit_account", existing.credit_account == wanted.credit_account),
        ("state", existing.state == wanted.state),
        ("amount_msat", existing.amount_msat == wanted.amount_msat),
        ("code", existing.code == wanted.code),
        ("pending_id", existing.pending_id == wanted.pending_id),
        ("payment", existing.payment == wanted.payment),
        ("partid", existing.part_id == wanted.part_id),
    ];
    match fields.iter().find(|(_, equal)| !equal) {
        None => Ok(()),
        Some((field, _)) => {
            Err(broken(format!("posting {}: exists_with_different_{field}", existing.entry_id.0)))
        }
    }
}
