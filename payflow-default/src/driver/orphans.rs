//! Parts without an Entity of their own: those of payments that a backup did not know, or that it
//! had under way. The books follow them.

use super::{
    Driver,
    reconcile::{held_parts, payment_of},
};
use ecs_core::{Failing, Refusal, Systems, Write};
use ecs_systems::{
    components::{Claimed, PaidParts, PaidPreimage, Part, PartsOpen, PartsPaid},
    pay::settle::{finish_error::FINISH_ERROR, settle::SETTLE},
    port::{
        Books, HoldState, LedgerEntry, NodeRequest, OpenPayment, PartKey, PartStatus, PaymentRef,
        PostingState,
    },
    records::ledger_record,
    refusal::RESTORED,
    units::{Msat, PaymentHash, Preimage},
};
use std::collections::{BTreeMap, BTreeSet};

/// What is followed.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    parts: BTreeSet<PartKey>,
    /// The proofs of payments that have not ended and have a part that arrived.
    proofs: BTreeMap<PaymentHash, Preimage>,
}

impl Driver {
    /// Asks about every part of an open payment that no Entity waits for.
    pub(super) fn find_orphans(&mut self) {
        let entities = self.engine.entities();
        let own: BTreeSet<PartKey> = entities
            .iter()
            .filter_map(|id| self.engine.get::<Part>(*id))
            .map(|it| it.0.key)
            .collect();
        for payment in self.open_payments() {
            let held = held_parts(&payment).filter(|key| !own.contains(key));
            let orphans: Vec<PartKey> = held.collect();
            for key in orphans {
                self.orphans.parts.insert(key);
                self.asking.watch(key, self.now);
                self.offer(NodeRequest::AskPart(key));
            }
            if !self.intake().reconciling {
                self.end_if_over(&payment.claim.payment);
            }
        }
    }

    /// Whether nobody but the books follows a payment: it has no Entity, or its Systems were taken
    /// away from it.
    fn is_taken_over(&self, payment: &OpenPayment) -> bool {
        let entity = payment.claim.entity;
        let list = self.engine.get::<Systems>(entity);
        let is_empty = list.is_some_and(|list| list.names().is_some_and(<[_]>::is_empty));
        self.engine.get::<Claimed>(entity).is_none() || is_empty
    }

    /// A word on a part that no Entity waits for; whether it is one that is followed.
    pub(super) fn take_orphan(&mut self, key: PartKey, status: &PartStatus) -> bool {
        if !self.orphans.parts.contains(&key) {
            return false;
        }
        match status {
            PartStatus::InFlight => {}
            PartStatus::Unknown => self.asking.ask_later(key, self.now),
            PartStatus::Paid { .. } | PartStatus::Failed(_) | PartStatus::NeverArrived => {
                self.begin(self.now);
                self.book_status(key, status);
                if !self.is_held(&key) {
                    self.orphans.parts.remove(&key);
                    self.asking.forget(&key);
                }
                self.end_if_over(&payment_of(&key));
                self.perform_effects();
            }
        }
        if *status != PartStatus::Unknown {
            self.note_known(&key);
        }
        true
    }

    /// Books what became of a part, if it is open in the books; whether it was.
    pub(super) fn book_status(&mut self, key: PartKey, status: &PartStatus) -> bool {
        let payment = payment_of(&key);
        let proof = match status {
            PartStatus::Paid { preimage, .. } => Some(*preimage),
            PartStatus::Failed(_)
            | PartStatus::InFlight
            | PartStatus::NeverArrived
            | PartStatus::Unknown => None,
        };
        let proof = proof.filter(|proof| proof.hash() == key.payment_hash);
        if let Some(proof) = proof
            && self.open_payment(&payment).is_some()
        {
            self.orphans.proofs.insert(key.payment_hash, proof);
        }
        let Some(lines) = self.lines_of(key, payment, status, proof.is_some()) else {
            return false;
        };
        if self.keep_lines(&lines).is_err() {
            return false;
        }
        self.orphans.parts.remove(&key);
        self.asking.forget(&key);
        true
    }

    /// What a status of an open part comes to in the books.
    fn lines_of(
        &self,
        key: PartKey,
        payment: PaymentRef,
        status: &PartStatus,
        is_proven: bool,
    ) -> Option<Vec<LedgerEntry>> {
        let Books(books) = self.engine.resource()?;
        if books.part(&payment, key.part_id).ok()? != Some(HoldState::Held) {
            return None;
        }
        let hold = books.part_hold(&payment, key.part_id).ok()??;
        let (claim, _) = books.claim(&key.payment_hash).ok()??;
        // What we send to ourselves goes around.
        let circular = claim.destination == self.node.view().identity;
        let part_id = key.part_id;
        match status {
            PartStatus::Paid { spent_msat, .. } if is_proven => {
                let fee = spent_msat.saturating_sub(hold.amount_msat);
                let fee_msat = fee.min(hold.fee_msat);
                let post = LedgerEntry::PostPart { payment, part_id, fee_msat, circular };
                let amount_msat = fee.saturating_sub(fee_msat);
                let over = LedgerEntry::Overspend { payment, part_id, amount_msat, circular };
                let both = vec![post.clone(), over];
                let fits = amount_msat > Msat::ZERO && books.check(&both, None, self.now).is_ok();
                Some(if fits { both } else { vec![post] })
            }
            PartStatus::Failed(_) | PartStatus::NeverArrived => {
                Some(vec![LedgerEntry::VoidPart { payment, part_id }])
            }
            PartStatus::Paid { .. } | PartStatus::InFlight | PartStatus::Unknown => None,
        }
    }

    /// Keeps lines on nobody's behalf.
    pub(super) fn keep_lines(&mut self, lines: &[LedgerEntry]) -> Result<(), String> {
        let records: Vec<_> = lines.iter().map(ledger_record).collect();
        self.engine.keep_records(&records).map_err(|error| {
            tracing::error!(target: "payflow::reconcile", %error, "not booked");
            error.to_string()
        })
    }

    /// Ends a payment that nothing of is out any more: as paid, if a part of it arrived.
    pub(super) fn end_if_over(&mut self, payment: &PaymentRef) {
        let over = |it: &OpenPayment| held_parts(it).next().is_none() && self.is_taken_over(it);
        let Some(open) = self.open_payment(payment).filter(over) else { return };
        let count = |wanted| {
            let parts = open.parts.iter().filter(|(_, state)| *state == wanted);
            u32::try_from(parts.count()).unwrap_or(u32::MAX)
        };
        let (paid, failed) = (count(HoldState::Paid), count(HoldState::Void));
        if paid == 0 {
            // What was forgotten may be of this one.
            if !self.has_forgotten() {
                self.end_failed(&open);
            }
            return;
        }
        let hash = payment.payment_hash;
        if let Some(preimage) = self.orphans.proofs.remove(&hash) {
            return self.end_paid(&open, preimage, (paid, failed));
        }
        // The node that paid a part has its proof.
        let paid = open.parts.iter().find(|(_, state)| *state == HoldState::Paid);
        let Some((hold, _)) = paid else { return };
        let PaymentRef { payment_hash, group_id } = *payment;
        let key = PartKey { payment_hash, group_id, part_id: hold.part_id };
        self.orphans.parts.insert(key);
        self.asking.watch(key, self.now);
        self.offer(NodeRequest::AskPart(key));
    }

    fn end_failed(&mut self, open: &OpenPayment) {
        let (payment, entity) = (open.claim.payment, open.claim.entity);
        if self.engine.get::<Claimed>(entity).is_none() {
            let _told = self.keep_lines(&[LedgerEntry::Fail { payment, answer: None }]);
            return;
        }
        let why = "It was under way when the backup was made that the engine was restored from: \
                   nothing of it is paid, and it is not tried again";
        let write = Write::to(entity)
            .detach::<PartsOpen>()
            .attach(&Failing(Refusal::new(RESTORED, why)))
            .attach(&Systems::listing([FINISH_ERROR.name]));
        self.write(&[write]);
        self.engine.wake(entity);
        self.engine.run();
    }

    fn end_paid(&mut self, open: &OpenPayment, preimage: Preimage, parts: (u32, u32)) {
        let (payment, entity) = (open.claim.payment, open.claim.entity);
        let (successful_parts, failed_parts) = parts;
        let fee_msat = self.fees_of(&payment);
        let arrived = open.parts.iter().filter(|(_, state)| *state == HoldState::Paid);
        let amount_msat = Msat::sum(arrived.map(|(hold, _)| hold.amount_msat));
        let amount_msat = amount_msat.unwrap_or(open.claim.amount_msat);
        if self.engine.get::<Claimed>(entity).is_none() {
            let complete = LedgerEntry::Complete {
                payment,
                preimage,
                fee_msat,
                successful_parts,
                failed_parts,
                amount_msat: Some(amount_msat),
            };
            let _told = self.keep_lines(&[complete]);
            return;
        }
        let count = successful_parts;
        let paid = PaidParts { count, amount_msat, fee_msat, ..PaidParts::default() };
        let write = Write::to(entity)
            .detach::<PartsOpen>()
            .detach::<Failing>()
            .attach(&PartsPaid(paid))
            .attach(&PaidPreimage(preimage))
            .attach(&Systems::listing([SETTLE.name, FINISH_ERROR.name]));
        self.write(&[write]);
        self.engine.wake(entity);
        self.engine.run();
    }

    /// What forwarding nodes got of a payment.
    fn fees_of(&self, payment: &PaymentRef) -> Msat {
        let Some(Books(books)) = self.engine.resource() else { return Msat::ZERO };
        let postings = books.postings_of(payment).unwrap_or_default();
        let fees = postings.iter().filter(|posting| {
            posting.state == PostingState::Posted
                && posting.debit_account.contains(":expenses:fee:")
        });
        Msat::sum(fees.map(|posting| posting.amount_msat)).unwrap_or_default()
    }
}
