//! Books as simple as can be, to hold an implementation's against.

#![expect(clippy::arithmetic_side_effects, reason = "amounts here are small; a panic is a finding")]

mod compare;
mod draw;
mod sets;

pub(super) use draw::Draw;

use super::fixture::preimage;
use ecs_systems::port::{Claim, Ledger, LedgerEntry, PartHold, PaymentRef, SetRef};
use ecs_systems::units::{Msat, PartId, ShortChannelId, Timestamp};
use sets::ModelSet;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Over { failed: bool },
}

#[derive(Debug)]
struct Attempt {
    claim: Claim,
    phase: Phase,
    reserved: bool,
    rest: u64,
    parts: BTreeMap<PartId, ModelPart>,
    self_paid: bool,
    /// Sets that wait for the node, with parts of this payment among their HTLCs.
    settling: u32,
    /// What left for ourselves, less what came back.
    around: i128,
}

#[derive(Debug)]
struct ModelPart {
    channel: ShortChannelId,
    amount: u64,
    fee: u64,
    phase: PartPhase,
    overspent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartPhase {
    Held,
    Arrived,
    Failed,
}

/// What the books must come to, in msat.
#[derive(Debug, Default)]
struct Model {
    /// What each channel has that is neither spent nor held.
    channels: BTreeMap<ShortChannelId, u64>,
    opened: BTreeSet<ShortChannelId>,
    attempts: Vec<Attempt>,
    sets: BTreeMap<SetRef, ModelSet>,
    incoming: u64,
    is_backup: bool,
    outgoing: u64,
    fees: u64,
    /// The greatest part id so far.
    parts: u64,
    accepted: Vec<LedgerEntry>,
}

/// Writes the entries that `choices` stand for, and checks after each that it was accepted or
/// refused as the model says, that a refused or repeated one wrote nothing, that debits equal
/// credits, that `verify` finds nothing, and that the balances are the model's.
pub fn follow<L: Ledger>(books: &mut L, choices: &[u64]) {
    let mut model = Model::default();
    for (step, choice) in choices.iter().enumerate() {
        let mut draw = Draw::new(*choice);
        let entry = model.draw_entry(&mut draw);
        let repeated = model.is_repeated(&entry);
        let expected = repeated || model.allows(&entry);
        let before = books.postings(0, u32::MAX).len();
        let result = books.commit(std::slice::from_ref(&entry), None, Timestamp(*choice >> 24));
        let name = entry.system();
        assert_eq!(result.is_ok(), expected, "step {step}, {name}: {:?}", result.err());
        if expected && !repeated {
            model.apply(&entry);
            model.accepted.push(entry);
        } else {
            let now = books.postings(0, u32::MAX).len();
            assert_eq!(now, before, "step {step}: {name} wrote postings");
        }
        sums_are_balanced(books);
        model.compare(books);
    }
}

/// Debits equal credits, pending and posted, and `verify` finds nothing.
pub(super) fn sums_are_balanced<L: Ledger>(books: &L) {
    let mut pending = (0_u128, 0_u128);
    let mut posted = (0_u128, 0_u128);
    for (_, balance) in books.trial_balance() {
        pending.0 += u128::from(balance.debits_pending_msat.0);
        pending.1 += u128::from(balance.credits_pending_msat.0);
        posted.0 += u128::from(balance.debits_posted_msat.0);
        posted.1 += u128::from(balance.credits_posted_msat.0);
    }
    assert_eq!(pending.0, pending.1, "pending debits and credits");
    assert_eq!(posted.0, posted.1, "posted debits and credits");
    books.verify().unwrap_or_else(|error| panic!("{error}"));
}

impl Model {
    fn latest(&self, number: u8) -> Option<&Attempt> {
        let hash = preimage(number).hash();
        let of_hash = |it: &&Attempt| it.claim.payment.payment_hash == hash;
        let latest = self.attempts.iter().rfind(of_hash)?;
        let complete = |it: &&Attempt| of_hash(it) && it.phase == Phase::Over { failed: false };
        let failed = latest.phase == Phase::Over { failed: true };
        self.attempts.iter().find(complete).filter(|_| failed).or(Some(latest))
    }

    fn attempt(&self, payment: &PaymentRef) -> Option<&Attempt> {
        self.attempts.iter().find(|it| it.claim.payment == *payment)
    }

    fn open(&self, payment: &PaymentRef) -> Option<&Attempt> {
        self.attempt(payment).filter(|it| it.phase == Phase::Open)
    }

    /// Whether the entry was accepted before. Claims are compared with the state instead, and what
    /// follows a backup happens anew each time.
    fn is_repeated(&self, entry: &LedgerEntry) -> bool {
        let anew = matches!(
            entry,
            LedgerEntry::Claim(_)
                | LedgerEntry::Adjust { .. }
                | LedgerEntry::Backup
                | LedgerEntry::Reconciled { .. }
                | LedgerEntry::FailDraft { .. }
        );
        !anew && self.accepted.contains(entry)
    }

    /// What an adjustment may take out of a channel.
    fn there(&self, channel: ShortChannelId) -> u64 {
        self.channels.get(&channel).copied().unwrap_or_default().min(self.available())
    }

    fn set_aside(&self) -> u64 {
        self.attempts.iter().map(|attempt| attempt.rest).sum()
    }

    fn available(&self) -> u64 {
        self.channels.values().sum::<u64>() - self.set_aside()
    }

    /// Whether the entry is to be accepted, if it is not one of those accepted before.
    fn allows(&self, entry: &LedgerEntry) -> bool {
        match entry {
            LedgerEntry::Opening { short_channel_id, .. } => {
                !self.opened.contains(short_channel_id)
            }
            LedgerEntry::Adjust { short_channel_id, amount_msat, more } => {
                let fits = *more || amount_msat.0 <= self.there(*short_channel_id);
                amount_msat.0 > 0 && self.opened.contains(short_channel_id) && fits
            }
            LedgerEntry::Backup
            | LedgerEntry::Reconciled { .. }
            | LedgerEntry::FailDraft { .. } => true,
            LedgerEntry::Claim(claim) => {
                let hash = claim.payment.payment_hash;
                let number = (0..3).find(|number| preimage(*number).hash() == hash);
                let fresh = self.attempt(&claim.payment).is_none();
                match number.and_then(|number| self.latest(number)) {
                    None => true,
                    Some(it) if it.phase == Phase::Open => it.claim == *claim,
                    Some(it) => it.phase == Phase::Over { failed: true } && fresh,
                }
            }
            LedgerEntry::Reserve { payment, amount_msat, fee_budget_msat, .. } => {
                let requested = amount_msat.0 + fee_budget_msat.0;
                self.open(payment).is_some_and(|it| {
                    !it.reserved && amount_msat.0 <= 900 && requested <= self.available()
                })
            }
            LedgerEntry::Dispatch { payment, parts } => {
                self.allows_dispatch(self.open(payment).map_or(0, |it| it.rest), parts)
            }
            LedgerEntry::PostPart { payment, part_id, fee_msat, .. } => {
                self.held(payment, *part_id).is_some_and(|part| fee_msat.0 <= part.fee)
            }
            LedgerEntry::VoidPart { payment, part_id } => self.held(payment, *part_id).is_some(),
            LedgerEntry::Overspend { payment, part_id, amount_msat, .. } => {
                let open = self.open(payment);
                let part = open.and_then(|it| it.parts.get(part_id));
                let part = part.filter(|it| it.phase == PartPhase::Arrived && !it.overspent);
                amount_msat.0 > 0 && part.is_some_and(|it| self.has(payment, it, amount_msat.0))
            }
            LedgerEntry::LatePart { payment, part_id, fee_msat, .. } => {
                let known = self.attempt(payment);
                let known = known.filter(|it| it.phase != Phase::Over { failed: true });
                let part = known.and_then(|it| it.parts.get(part_id));
                let part = part.filter(|it| it.phase == PartPhase::Failed);
                part.is_some_and(|it| self.has(payment, it, it.amount + fee_msat.0))
            }
            LedgerEntry::Prove { payment, .. } => {
                self.attempt(payment).is_some_and(|it| it.phase != Phase::Open)
            }
            LedgerEntry::SelfPay { payment, amount_msat, .. } => {
                amount_msat.0 > 0 && self.open(payment).is_some_and(|it| !it.self_paid)
            }
            LedgerEntry::Complete { payment, .. } => self
                .open(payment)
                .filter(|it| it.settling == 0)
                .is_some_and(|it| it.parts.values().all(|part| part.phase != PartPhase::Held)),
            LedgerEntry::Fail { payment, .. } => self.open(payment).is_some_and(|it| {
                let free = !it.self_paid && it.settling == 0;
                free && it.parts.values().all(|part| part.phase == PartPhase::Failed)
            }),
            LedgerEntry::HoldSet { set, htlcs } => self.allows_set(set, None, Some(htlcs)),
            LedgerEntry::SettleSet { set, htlcs, payer } => {
                self.allows_set(set, Some((htlcs, *payer)), None)
            }
            LedgerEntry::ClaimSet { set, .. } => self.allows_set(set, None, None),
            LedgerEntry::VoidSet { set } => self.has_pending(set),
        }
    }

    /// Whether each of the parts fits into its channel, and all into what is left.
    fn allows_dispatch(&self, mut rest: u64, parts: &[PartHold]) -> bool {
        let mut channels = self.channels.clone();
        parts.iter().all(|hold| {
            let wanted = hold.amount_msat.0 + hold.fee_msat.0;
            let Some(unheld) = channels.get_mut(&hold.short_channel_id) else { return false };
            let fits = hold.amount_msat.0 > 0 && wanted <= rest && wanted <= *unheld;
            rest = rest.saturating_sub(wanted);
            *unheld = unheld.saturating_sub(wanted);
            fits
        })
    }

    /// Whether a part's channel has that much, and others' reservations leave it.
    fn has(&self, payment: &PaymentRef, part: &ModelPart, msat: u64) -> bool {
        let rest = self.attempt(payment).map_or(0, |it| it.rest);
        msat <= self.channels[&part.channel] && msat <= self.available() + rest
    }

    fn held(&self, payment: &PaymentRef, part_id: PartId) -> Option<&ModelPart> {
        let part = self.open(payment)?.parts.get(&part_id)?;
        (part.phase == PartPhase::Held).then_some(part)
    }
}

impl Model {
    fn apply(&mut self, entry: &LedgerEntry) {
        match entry {
            LedgerEntry::Opening { short_channel_id, amount_msat } => {
                self.opened.insert(*short_channel_id);
                *self.channels.entry(*short_channel_id).or_default() += amount_msat.0;
            }
            LedgerEntry::Adjust { short_channel_id, amount_msat: Msat(msat), more } => {
                let with = |unheld: u64| if *more { unheld + msat } else { unheld - msat };
                self.unheld(*short_channel_id, with);
            }
            LedgerEntry::Backup => self.is_backup = true,
            LedgerEntry::Reconciled { .. } => self.is_backup = false,
            LedgerEntry::Claim(claim) => self.apply_claim(claim),
            LedgerEntry::Reserve { payment, amount_msat, fee_budget_msat, .. } => {
                let attempt = self.attempt_mut(payment);
                attempt.reserved = true;
                attempt.rest = amount_msat.0 + fee_budget_msat.0;
            }
            LedgerEntry::Dispatch { payment, parts } => self.apply_dispatch(payment, parts),
            LedgerEntry::PostPart { payment, part_id, fee_msat, circular } => {
                let (channel, amount, fee) = self.end_part(payment, *part_id, PartPhase::Arrived);
                let returned = fee - fee_msat.0;
                self.attempt_mut(payment).rest += returned;
                self.unheld(channel, |unheld| unheld + returned);
                self.fees += fee_msat.0;
                self.outgoing += if *circular { 0 } else { amount };
                if *circular {
                    self.attempt_mut(payment).around += i128::from(amount);
                }
            }
            LedgerEntry::VoidPart { payment, part_id } => {
                let (channel, amount, fee) = self.end_part(payment, *part_id, PartPhase::Failed);
                self.attempt_mut(payment).rest += amount + fee;
                self.unheld(channel, |unheld| unheld + amount + fee);
            }
            LedgerEntry::Overspend { payment, part_id, amount_msat, .. } => {
                let channel = self.part_mut(payment, *part_id).channel;
                self.part_mut(payment, *part_id).overspent = true;
                self.fees += amount_msat.0;
                self.take(payment, channel, amount_msat.0);
            }
            LedgerEntry::LatePart { payment, part_id, fee_msat, circular } => {
                let (channel, amount, _) = self.end_part(payment, *part_id, PartPhase::Arrived);
                self.fees += fee_msat.0;
                let attempt = self.attempt_mut(payment);
                if *circular && attempt.phase == Phase::Open {
                    attempt.around += i128::from(amount);
                } else {
                    self.outgoing += amount;
                }
                self.take(payment, channel, amount + fee_msat.0);
            }
            LedgerEntry::SelfPay { payment, amount_msat, .. } => {
                self.attempt_mut(payment).self_paid = true;
                self.outgoing += amount_msat.0;
                self.incoming += amount_msat.0;
            }
            LedgerEntry::Complete { payment, .. } | LedgerEntry::Prove { payment, .. } => {
                self.end(payment, false);
            }
            LedgerEntry::Fail { payment, .. } => self.end(payment, true),
            LedgerEntry::FailDraft { .. } => {}
            LedgerEntry::HoldSet { set, htlcs } => {
                self.sets.insert(*set, ModelSet::Held(htlcs.clone()));
            }
            LedgerEntry::SettleSet { set, htlcs, payer } => self.settle_set(*set, htlcs, *payer),
            LedgerEntry::ClaimSet { set, lost, .. } => self.end_set(*set, true, lost),
            LedgerEntry::VoidSet { set } => self.end_set(*set, false, &[]),
        }
    }

    fn apply_dispatch(&mut self, payment: &PaymentRef, parts: &[PartHold]) {
        for hold in parts {
            let (channel, amount, fee) =
                (hold.short_channel_id, hold.amount_msat.0, hold.fee_msat.0);
            self.unheld(channel, |unheld| unheld - amount - fee);
            let phase = PartPhase::Held;
            let part = ModelPart { channel, amount, fee, phase, overspent: false };
            let attempt = self.attempt_mut(payment);
            attempt.rest -= amount + fee;
            attempt.parts.insert(hold.part_id, part);
            self.parts = self.parts.max(hold.part_id.0);
        }
    }

    fn apply_claim(&mut self, claim: &Claim) {
        if self.attempt(&claim.payment).is_some() {
            return;
        }
        self.attempts.push(Attempt {
            claim: claim.clone(),
            phase: Phase::Open,
            reserved: false,
            rest: 0,
            parts: BTreeMap::new(),
            self_paid: false,
            settling: 0,
            around: 0,
        });
    }

    fn attempt_mut(&mut self, payment: &PaymentRef) -> &mut Attempt {
        let found = self.attempts.iter_mut().find(|it| it.claim.payment == *payment);
        found.expect("the model allowed it")
    }

    fn part_mut(&mut self, payment: &PaymentRef, part_id: PartId) -> &mut ModelPart {
        self.attempt_mut(payment).parts.get_mut(&part_id).expect("the model allowed it")
    }

    /// Money leaves a channel that nothing was held for.
    fn take(&mut self, payment: &PaymentRef, channel: ShortChannelId, msat: u64) {
        let attempt = self.attempt_mut(payment);
        attempt.rest = attempt.rest.saturating_sub(msat);
        self.unheld(channel, |unheld| unheld - msat);
    }

    fn unheld(&mut self, channel: ShortChannelId, change: impl FnOnce(u64) -> u64) {
        let unheld = self.channels.get_mut(&channel).expect("the model allowed it");
        *unheld = change(*unheld);
    }

    fn end_part(
        &mut self,
        payment: &PaymentRef,
        part_id: PartId,
        phase: PartPhase,
    ) -> (ShortChannelId, u64, u64) {
        let part = self.part_mut(payment, part_id);
        part.phase = phase;
        (part.channel, part.amount, part.fee)
    }
}
