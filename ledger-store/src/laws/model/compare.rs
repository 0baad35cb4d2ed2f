//! What the books show, against what they must come to.

use super::{Model, PartPhase, Phase, preimage};
use ecs_systems::{port::Ledger, units::Msat};

impl Model {
    pub(super) fn compare<L: Ledger>(&self, books: &L) {
        assert_eq!(books.available(), Msat(self.available()), "available");
        let shown = books.balance_object();
        assert_eq!(shown.incoming_total_msat, Msat(self.incoming), "incoming");
        assert_eq!(shown.outgoing_total_msat, Msat(self.outgoing), "outgoing");
        assert_eq!(books.is_backup(), self.is_backup, "a backup's");
        let open = self.attempts.iter().filter(|attempt| attempt.phase == Phase::Open);
        let listed = books.open_payments();
        assert_eq!(listed.len(), open.count(), "open payments");
        for payment in listed {
            assert_eq!(books.open_payment(&payment.claim.payment).as_ref(), Some(&payment));
        }
        assert_eq!(shown.fees_paid_msat, Msat(self.fees), "fees");
        assert_eq!(shown.pending_incoming_msat, Msat(self.pending_incoming()), "pending in");
        let held = self.attempts.iter().flat_map(|attempt| attempt.parts.values());
        let held = held.filter(|part| part.phase == PartPhase::Held);
        let under_way = self.set_aside() + held.map(|part| part.amount + part.fee).sum::<u64>();
        let told = shown.pending_outgoing_msat.0 + shown.reserved_fees_msat.0;
        assert_eq!(told, under_way, "pending and reserved");
        let around: i128 = self.attempts.iter().map(|attempt| attempt.around).sum();
        let own = books.trial_balance().into_iter().filter(|(name, _)| is_self(name));
        let own = own.map(|(_, it)| net(it.debits_posted_msat) - net(it.credits_posted_msat));
        assert_eq!(own.sum::<i128>(), around, "on its way around");
        for number in 0..3 {
            let latest = self.latest(number).map(|attempt| &attempt.claim);
            let shown =
                books.claim(&preimage(number).hash()).expect("told").map(|(claim, _)| claim);
            assert!(shown.as_ref() == latest, "the latest claim");
        }
    }
}

fn is_self(account: &str) -> bool {
    account.ends_with(":control:self")
}

fn net(msat: Msat) -> i128 {
    i128::from(msat.0)
}
