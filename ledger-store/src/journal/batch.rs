//! Transfers that are written together or not at all.

use super::{Journal, broken};
use crate::chart::{Account, PostingKey};
use crate::dossier::Dossier;
use ecs_core::EntityId;
use ecs_systems::port::{Balance, LedgerError, PaymentRef, Posting, PostingState};
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
    /// The batch that began the transaction it belongs to; `None`: this one.
    pub(crate) began: Option<u64>,
    /// Which of several with the same code, payment and part.
    pub(crate) number: u64,
}

/// A posting as the books keep it: its names are made when somebody looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Booked {
    pub(crate) key: PostingKey,
    /// The number of the batch that it is in.
    pub(crate) batch: u64,
    /// The batch that began its transaction, where that is another one.
    pub(crate) began: Option<u64>,
    pub(crate) debit: Account,
    pub(crate) credit: Account,
    pub(crate) amount: Msat,
    pub(crate) code: &'static str,
    pub(crate) state: PostingState,
    /// The pending posting that this one resolves.
    pub(crate) pending: Option<PostingKey>,
    pub(crate) circumstances: Circumstances,
}

impl Booked {
    /// The payment; of what others pay us, the hash with group 0.
    pub(crate) fn payment(&self) -> Option<PaymentRef> {
        self.key.payment
    }

    /// The same as others see it in the books of `node`.
    pub(crate) fn posting(&self, node: &str) -> Posting {
        Posting {
            entry_id: self.key.id(node),
            tx_id: self.began.unwrap_or(self.batch),
            debit_account: self.debit.of(node),
            credit_account: self.credit.of(node),
            amount_msat: self.amount,
            code: self.code.to_owned(),
            state: self.state,
            pending_id: self.pending.map(|pending| pending.id(node)),
            entity: self.circumstances.entity,
            payment: self.key.payment,
            part_id: self.key.part_id,
            recorded_at: self.circumstances.at,
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Circumstances {
    pub(crate) entity: Option<EntityId>,
    pub(crate) at: Timestamp,
}

/// What a batch came to, free of the journal it was computed on.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(super) accounts: BTreeMap<Account, Balance>,
    pub(crate) postings: Vec<Booked>,
    pub(super) unheld_msat: Msat,
}

/// A batch under way: the journal as it would be, of which only what changes is copied.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    journal: &'a Journal,
    /// What is known of the hash that is written of.
    dossier: Arc<Dossier>,
    circumstances: Circumstances,
    number: u64,
    /// It was taken before: what accounts have is not asked again.
    again: bool,
    accounts: BTreeMap<Account, Balance>,
    postings: Vec<Booked>,
    places: BTreeMap<PostingKey, usize>,
    unheld_msat: Msat,
}

impl<'a> Batch<'a> {
    /// A batch that has written nothing.
    pub(crate) fn new(journal: &'a Journal, circumstances: Circumstances) -> Self {
        Self {
            journal,
            dossier: Arc::default(),
            circumstances,
            number: journal.batches.saturating_add(1),
            again: false,
            accounts: BTreeMap::new(),
            postings: Vec::new(),
            places: BTreeMap::new(),
            unheld_msat: journal.unheld_msat,
        }
    }

    /// The batch of the entry at that place, which was taken before.
    pub(crate) fn again(journal: &'a Journal, index: u64, circumstances: Circumstances) -> Self {
        let number = index.saturating_add(1);
        Self { number, again: true, ..Self::new(journal, circumstances) }
    }

    /// Its number: its place among all batches, counted from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
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
        self.accounts.get(&account).copied().unwrap_or_else(|| self.journal.balance(account))
    }

    /// What the debits of an account that were posted for a payment exceed the credits by, in msat,
    /// this batch included.
    pub(crate) fn net_of(&self, payment: &PaymentRef, account: Account) -> i128 {
        let before = self.dossier.postings().iter().map(|posting| &**posting);
        let posted = self.postings.iter().chain(before).filter(|posting| {
            posting.payment() == Some(*payment) && posting.state == PostingState::Posted
        });
        posted.fold(0_i128, |net, posting| {
            let amount = i128::from(posting.amount.0);
            match (posting.debit == account, posting.credit == account) {
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
    pub(crate) fn amount(&self, key: &PostingKey) -> Result<Msat, LedgerError> {
        let unknown = || broken(format!("no posting {}", self.id(key)));
        Ok(self.posting(key).ok_or_else(unknown)?.amount)
    }

    /// What others call a posting.
    fn id(&self, key: &PostingKey) -> String {
        key.id(&self.journal.node).0
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
    pub(crate) fn transfer(&mut self, wanted: &Transfer) -> Result<PostingKey, LedgerError> {
        let Transfer { code, amount, payment, part_id, began, number, .. } = *wanted;
        let state = if wanted.pending { PostingState::Pending } else { PostingState::Posted };
        self.write(
            Booked {
                key: PostingKey { kind: code, number, part_id, resolves: false, payment },
                batch: self.number,
                began,
                debit: wanted.debit,
                credit: wanted.credit,
                amount,
                code,
                state,
                pending: None,
                circumstances: self.circumstances,
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
        key: &PostingKey,
        resolution: Resolution,
    ) -> Result<PostingKey, LedgerError> {
        let pending = self
            .posting(key)
            .filter(|posting| posting.state == PostingState::Pending)
            .ok_or_else(|| broken(format!("no pending posting {}", self.id(key))))?;
        let held = pending.amount;
        let (amount, state, code) = match resolution {
            Resolution::Post(amount) => (amount, PostingState::Posted, pending.code),
            Resolution::Void => (held, PostingState::Voided, "void"),
        };
        if amount > held {
            let id = self.id(key);
            return Err(broken(format!("{amount} posted of {held} pending in {id}")));
        }
        let posting = Booked {
            key: key.resolution(),
            batch: self.number,
            amount,
            code,
            state,
            pending: Some(*key),
            circumstances: self.circumstances,
            ..*pending
        };
        self.write(posting, held)
    }

    fn posting(&self, key: &PostingKey) -> Option<&Booked> {
        let here = self.places.get(key).and_then(|place| self.postings.get(*place));
        here.or_else(|| self.dossier.posting(key))
    }

    /// Writes a posting that takes `returned` off the pending counters.
    fn write(&mut self, posting: Booked, returned: Msat) -> Result<PostingKey, LedgerError> {
        let key = posting.key;
        if let Some(existing) = self.posting(&key) {
            return match difference(existing, &posting) {
                None => Ok(key),
                Some(field) => {
                    let id = self.id(&key);
                    Err(broken(format!("posting {id}: exists_with_different_{field}")))
                }
            };
        }
        let Booked { debit, credit, amount, .. } = posting;
        if amount == Msat::ZERO || debit == credit {
            let [debit, credit] = [debit, credit].map(|it| it.of(&self.journal.node));
            return Err(broken(format!("a transfer of {amount}: {debit} ← {credit}")));
        }
        if !self.again {
            let moved = Moved::by(&posting, returned);
            for (account, side) in [(debit, Side::Debit), (credit, Side::Credit)] {
                self.book(account, side, moved)?;
            }
            self.check_cover()?;
        }
        self.places.insert(key, self.postings.len());
        self.postings.push(posting);
        Ok(key)
    }

    /// Changes one side of one account.
    fn book(&mut self, account: Account, side: Side, moved: Moved) -> Result<(), LedgerError> {
        let name = || account.of(&self.journal.node);
        let before = self.balance(account);
        let after = side
            .after(before, moved)
            .ok_or_else(|| broken(format!("{}: a counter left 0 to 2^64-1 msat", name())))?;
        if account.is_channel() {
            let overdrawn = || broken(format!("{} is overdrawn", name()));
            let (was, is) = (unheld(before), unheld(after).ok_or_else(overdrawn)?);
            self.unheld_msat = self
                .unheld_msat
                .checked_sub(was.unwrap_or_default())
                .and_then(|others| others.checked_add(is))
                .ok_or_else(|| broken("the channels sum to more than 2^64-1 msat"))?;
        }
        self.accounts.insert(account, after);
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
    fn by(posting: &Booked, returned: Msat) -> Self {
        let (set_aside, posted) = match posting.state {
            PostingState::Pending => (posting.amount, Msat::ZERO),
            PostingState::Posted => (Msat::ZERO, posting.amount),
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

/// The first field in which two postings of one id differ; who wrote them and when may.
fn difference(existing: &Booked, wanted: &Booked) -> Option<&'static str> {
    let fields = [
        ("debit_account", existing.debit == wanted.debit),
        ("credit_account", existing.credit == wanted.credit),
        ("state", existing.state == wanted.state),
        ("amount_msat", existing.amount == wanted.amount),
        ("code", existing.code == wanted.code),
    ];
    fields.iter().find(|(_, equal)| !equal).map(|(field, _)| *field)
}
