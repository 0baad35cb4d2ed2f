//! A word on a part that is over. Only one counts: that a part is paid which the books have as
//! failed.

use super::Driver;
use ecs_core::{EntityId, Systems, Write, Writer};
use ecs_systems::{
    components::{LateWordFacts, PaidPreimage, Part, PartSpent},
    effects::{Contradiction, Contradicts},
    pay::send::late::{PART_LATE, lines_for},
    port::{
        Books, Claim, ClaimState, HoldState, LedgerEntry, LedgerError, PartHold, PartKey,
        PartStatus, PaymentRef,
    },
    records::ledger_record,
    refusal::from_ledger,
    units::{Msat, Preimage},
};

impl Driver {
    /// The books know every part, so none is remembered here; where they can't tell yet, the word
    /// is.
    pub(super) fn take_late(&mut self, key: PartKey, status: &PartStatus) {
        if let PartStatus::Paid { preimage, spent_msat } = *status
            && preimage.hash() == key.payment_hash
        {
            self.take_late_word(LateWordFacts { key, preimage, spent_msat });
        }
    }

    pub(super) fn take_late_word(&mut self, word: LateWordFacts) {
        match self.judge_late(&word) {
            Ok(()) => self.forget_word(&word.key),
            Err(error) => self.keep_word(word, &error),
        }
    }

    /// Takes such a word.
    ///
    /// # Errors
    /// The books can't tell what they know of the part: nothing is done.
    fn judge_late(&mut self, word: &LateWordFacts) -> Result<(), LedgerError> {
        let LateWordFacts { key, preimage, spent_msat } = *word;
        let payment = PaymentRef { payment_hash: key.payment_hash, group_id: key.group_id };
        let Some(Books(books)) = self.engine.resource() else { return Ok(()) };
        if books.part(&payment, key.part_id)? != Some(HoldState::Void) {
            return Ok(());
        }
        let is_it = |id: &EntityId| self.engine.get::<Part>(*id).is_some_and(|it| it.0.key == key);
        let Some(part) = self.engine.entities().into_iter().find(is_it) else {
            let hold = books.part_hold(&payment, key.part_id)?;
            let claim = books.claim(&key.payment_hash)?;
            if let Some(hold) = hold {
                self.book_late((key, payment), hold, claim, (preimage, spent_msat));
            }
            return Ok(());
        };
        if self.engine.get::<PaidPreimage>(part).is_some() {
            return Ok(());
        }
        let write = Write::to(part)
            .attach(&PartSpent(spent_msat))
            .attach(&PaidPreimage(preimage))
            .attach(&Systems::listing([PART_LATE.name]));
        self.begin(self.now);
        let written = self.engine.set_components(&Writer::Engine, &[write], &[]);
        if let Err(error) = written.and_then(|()| self.engine.advance(part, None)) {
            tracing::error!(target: "payflow::driver", %part, %error, "late part refused");
        }
        self.perform_effects();
        Ok(())
    }

    /// The part's Entity was collected: what it comes to is booked without it, and another payment
    /// of the same hash that runs is given the preimage.
    fn book_late(
        &mut self,
        (key, payment): (PartKey, PaymentRef),
        hold: PartHold,
        claim: Option<(Claim, ClaimState)>,
        (preimage, spent_msat): (Preimage, Msat),
    ) {
        self.begin(self.now);
        let Some(Books(books)) = self.engine.resource() else { return };
        let left_us = spent_msat.max(hold.amount_msat);
        let fee_msat = left_us.saturating_sub(hold.amount_msat);
        // What we send to ourselves goes around.
        let circular =
            claim.as_ref().is_some_and(|(claim, _)| claim.destination == self.node.view().identity);
        let late = LedgerEntry::LatePart { payment, part_id: key.part_id, fee_msat, circular };
        let prove = LedgerEntry::Prove { payment, preimage };
        let (lines, refused) =
            lines_for(late, Some(prove), |batch| books.check(batch, None, self.now).err());
        tracing::error!(
            target: "payflow::send", ?key, amount_msat = left_us.0,
            unbooked = refused.as_ref().map(tracing::field::display), "a collected part is paid"
        );
        let records: Vec<_> = lines.iter().map(ledger_record).collect();
        if let Err(error) = self.engine.keep_records(&records) {
            tracing::error!(target: "payflow::driver", ?key, %error, "late part not booked");
        }
        if let Some((other, state)) = claim {
            let unbooked = refused.as_ref().map(from_ledger);
            let (what, amount_msat) = (Contradicts::PaidAfterFailed, left_us);
            let told = Contradiction { entity: other.entity, key, what, amount_msat, unbooked };
            self.engine.announce_notice(other.entity, &told);
            if state == ClaimState::Open && self.engine.get::<Systems>(other.entity).is_some() {
                let proof = Write::to(other.entity).attach(&PaidPreimage(preimage));
                if let Err(error) = self.engine.set_components(&Writer::Engine, &[proof], &[]) {
                    tracing::error!(target: "payflow::driver", ?key, %error, "own write refused");
                }
                self.engine.wake(other.entity);
                self.engine.run();
            }
        }
        self.perform_effects();
    }
}
