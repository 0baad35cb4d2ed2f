//! Books against Components against what really happened.

use crate::{
    books::{Audited, SharedBooks},
    harness::{Outcome, Payer},
    invoices::hash_of,
};
use ecs_core::EntityId;
use ecs_systems::{
    components::{Claimed, FeeBudget, PartsPaid},
    port::{ClaimState, Ledger, Posting, PostingState},
    units::{GroupId, Msat, PartId, PaymentHash},
};
use ledger_store::Account;
use node_sim::{PartState, PaymentTruth};
use std::collections::{BTreeMap, BTreeSet};

/// What a part cost, by the books: amount and fee.
type Parts = BTreeMap<PartId, (Msat, Msat)>;

impl Payer {
    /// Three accounts of everything that happened so far, and they agree; nothing is under way any
    /// more.
    pub(crate) fn assert_books_agree(&self) {
        self.assert_channels_agree();
        let hashes: BTreeSet<PaymentHash> = self
            .started
            .iter()
            .filter_map(|it| Some(self.reference(it.id)?.payment_hash))
            .collect();
        for hash in hashes {
            self.assert_parts_agree(hash);
        }
        for started in &self.started {
            self.assert_outcome_agrees(started.id);
        }
    }

    /// The books have what the node has in each channel; nothing is under way any more.
    pub(crate) fn assert_channels_agree(&self) {
        self.assert_money_is_whole();
        assert_eq!(self.pending(), BTreeMap::new(), "pending after the end");
        assert_eq!(self.network.in_flight(), 0, "parts in flight after the end");
        for (channel, ours) in self.network.our_balance() {
            let booked = self.books.posted(Account::Channel(channel));
            assert_eq!(booked, i128::from(ours.0), "balance of {channel}");
        }
        assert_eq!(self.books.posted(Account::SelfPayment), 0, "control:self");
    }

    /// What holds at any moment: the books add up, and no money was made or lost.
    pub(crate) fn assert_money_is_whole(&self) {
        self.network.audit().expect("the network's money is whole");
        self.books.lock().verify().expect("the books add up");
    }

    /// The paid parts of a hash, in the books and in the network.
    fn assert_parts_agree(&self, hash: PaymentHash) {
        let truth = self.network.payment(hash);
        let paid = truth.parts.iter().filter(|(_, part)| part.state == PartState::Paid);
        let real: Parts = paid.map(|(key, it)| (key.part_id, (it.amount_msat, it.fee()))).collect();
        let booked = booked_parts(&self.books, hash);
        assert_eq!(booked, real, "parts of {hash}");
        let groups: BTreeSet<GroupId> = paid_groups(&truth);
        assert!(groups.len() <= 1, "{hash} was paid by {} attempts", groups.len());
    }

    /// A payment's Components against the books and the network.
    fn assert_outcome_agrees(&self, id: EntityId) {
        let outcome = self.outcome(id);
        let Some(Claimed(facts)) = self.driver.engine().get::<Claimed>(id) else { return };
        let payment = facts.claim.payment;
        let truth = self.network.payment(payment.payment_hash);
        let mine = truth.parts.iter().filter(|(key, part)| {
            key.group_id == payment.group_id && part.state == PartState::Paid
        });
        let (delivered, spent) = mine.fold((0, 0), |(delivered, spent), (_, part)| {
            (delivered + part.amount_msat.0, spent + part.sent_msat.0)
        });
        let FeeBudget(budget) = *self.driver.engine().get(id).expect("a claimed payment has it");
        let amount = facts.claim.amount_msat;
        let most = [amount, budget, self.overspent].map(|it| u128::from(it.0)).iter().sum();
        assert!(u128::from(spent) <= most, "{spent} spent of {amount} and {budget}");
        match outcome.status.as_str() {
            "complete" if self.is_to_self(id) => assert_eq!((delivered, spent), (0, 0)),
            "complete" => {
                // With a part of another's the payee may have enough before all of ours is there.
                let enough = self.shared.contains(&payment.payment_hash) && delivered < amount.0;
                assert!(
                    enough || delivered == amount.0,
                    "{delivered} of {amount}\n{}",
                    self.story(id)
                );
                assert!(delivered > 0, "nothing was paid\n{}", self.story(id));
                assert_eq!(outcome.fee, Some(Msat(spent - delivered)));
                let preimage = outcome.preimage.expect("who paid has the proof");
                assert_eq!(preimage.hash(), payment.payment_hash);
                let (_, state) = self.books.known(&payment.payment_hash);
                assert!(matches!(state, ClaimState::Complete { .. }));
            }
            "failed" if self.late.contains(&id) => {
                assert_eq!(delivered, amount.0, "delivered\n{}", self.story(id));
                let preimage = outcome.preimage.expect("who paid has the proof");
                let fee_msat = Msat(spent - delivered);
                let (claim, state) = self.books.known(&payment.payment_hash);
                assert_eq!(claim.payment, payment);
                assert_eq!(state, ClaimState::Complete { preimage, fee_msat });
            }
            _ => assert_eq!((spent, outcome.preimage), (0, None), "of what failed"),
        }
    }

    /// Whether a payment is complete of which the payee got less than it was claimed for.
    pub(crate) fn settled_with_less(&self) -> bool {
        self.started.iter().any(|started| {
            let engine = self.driver.engine();
            let claimed = engine.get::<Claimed>(started.id).map(|it| it.0.claim.amount_msat);
            let arrived = engine.get::<PartsPaid>(started.id).map(|it| it.0.amount_msat);
            self.outcome(started.id).status == "complete" && arrived.is_some() && arrived < claimed
        })
    }

    fn is_to_self(&self, id: EntityId) -> bool {
        self.driver.engine().get::<ecs_systems::components::ToSelf>(id).is_some()
    }

    /// It failed with that code, and nothing was sent, booked or set aside for it.
    pub(crate) fn assert_refused(&mut self, invoice: &str, more: ecs_core::Write, code: i32) {
        let (postings, sent) = (self.books.all().len(), self.submitted_in_all());
        let outcome = self.pay(invoice, more);
        assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", code), "{outcome:?}");
        assert_eq!(outcome.fact("final"), "true", "{outcome:?}");
        assert_eq!(self.submitted_in_all(), sent, "nothing is sent");
        let posted: Vec<Posting> = self.books.all().split_off(postings);
        let kept = posted.iter().filter(|posting| posting.state == PostingState::Posted).count();
        assert_eq!(kept, 0, "nothing is posted");
        self.assert_books_agree();
    }

    /// Everything about a hash in the network.
    pub(crate) fn truth_of(&self, invoice: &str) -> PaymentTruth {
        self.network.payment(hash_of(invoice))
    }

    /// It is complete, cost that fee, and all accounts of it agree.
    pub(crate) fn assert_paid(&self, outcome: &Outcome, fee: Msat) {
        assert_eq!((outcome.status.as_str(), outcome.fee), ("complete", Some(fee)), "{outcome:?}");
        self.assert_books_agree();
    }
}

/// The attempts that paid something.
fn paid_groups(truth: &PaymentTruth) -> BTreeSet<GroupId> {
    let paid = truth.parts.iter().filter(|(_, part)| part.state == PartState::Paid);
    paid.map(|(key, _)| key.group_id).collect()
}

/// What was posted for each part of a hash, by the posted half of the double entry alone.
fn booked_parts(books: &SharedBooks, hash: PaymentHash) -> Parts {
    let mut parts = Parts::new();
    for posting in books.all() {
        let of_hash = posting.payment.is_some_and(|payment| payment.payment_hash == hash);
        let Some(part_id) = posting.part_id.filter(|_| of_hash) else { continue };
        if posting.state != PostingState::Posted {
            continue;
        }
        let (amount, fee) = parts.entry(part_id).or_default();
        let kind = posting.debit_account.trim_start_matches(crate::books::NODE);
        let side = if kind.starts_with(":expenses:fee:") { fee } else { amount };
        *side = Msat(side.0 + posting.amount_msat.0);
    }
    parts
}
