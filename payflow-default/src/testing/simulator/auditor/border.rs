//! What crossed our border, and when.

use super::{Auditor, Incoming, Law};
use crate::testing::simulator::border::{Crossed, Crossing};
use ecs_systems::{
    port::HtlcId,
    units::{BlockHeight, PaymentHash},
};

/// The longest that a part may lock money: what a client gets who asks for nothing else.
const LOCKED_BLOCKS_MAX: u32 = 2_016;
/// Blocks that the last HTLC must have left: what the invoices here ask for, and two for blocks
/// that are found meanwhile.
const LAST_BLOCKS_MIN: u32 = 20;
/// No preimage leaves with fewer blocks left.
const MARGIN_BLOCKS: u32 = 12;

impl Auditor {
    /// Takes what crossed.
    pub(in crate::testing::simulator) fn sees(&mut self, crossings: Vec<Crossing>) {
        for crossing in crossings {
            self.see(&crossing);
        }
    }

    fn see(&mut self, crossing: &Crossing) {
        let height = crossing.height;
        self.height = self.height.max(height);
        self.holds(Law::RecordedFirst, crossing.is_recorded, || {
            format!("{:?} left at {}, and the disk did not have it", crossing.what, crossing.at)
        });
        match &crossing.what {
            Crossed::Sent { key, expires, last_expires } => {
                let locked = expires.0.saturating_sub(height.0);
                let last = last_expires.0.saturating_sub(height.0);
                let fits = locked <= LOCKED_BLOCKS_MAX && last >= LAST_BLOCKS_MIN;
                self.holds(Law::OutgoingMargin, fits, || {
                    format!("{key:?} locks money for {locked} blocks, its last HTLC {last}")
                });
            }
            Crossed::Offered(htlc) => {
                self.arrives(htlc, crossing.at, height);
                let incoming = self.incoming.entry(htlc.htlc).or_insert(Incoming {
                    hash: htlc.payment_hash,
                    amount_msat: 0,
                    expires: None,
                    word: false,
                    end: None,
                });
                incoming.expires = Some(htlc.cltv_expiry);
            }
            Crossed::Released { htlc, .. } => {
                self.releases(*htlc, crossing.at);
                if let Some(hash) = self.spoken(*htlc) {
                    self.first_release(hash, height);
                }
            }
            Crossed::GivenBack { htlc, why } => {
                self.gives_back(*htlc, *why, crossing.at);
                self.spoken(*htlc);
            }
        }
    }

    /// Our word on an HTLC was given: what it is locked to.
    fn spoken(&mut self, htlc: HtlcId) -> Option<PaymentHash> {
        let incoming = self.incoming.get_mut(&htlc)?;
        incoming.word = true;
        Some(incoming.hash)
    }

    /// Where it is the first preimage of its hash, every HTLC of the hash must have its margin.
    fn first_release(&mut self, hash: PaymentHash, height: BlockHeight) {
        if !self.released.insert(hash) {
            return;
        }
        let open = self.incoming.iter().filter(|(_, it)| it.hash == hash && it.end.is_none());
        let taken = open.filter(|(htlc, _)| self.may_be_taken(htlc));
        let first = taken.filter_map(|(_, it)| it.expires).min();
        let least = height.0.saturating_add(MARGIN_BLOCKS);
        let keeps = first.is_none_or(|first| first.0 >= least);
        self.holds(Law::IncomingMargin, keeps, || {
            format!("the preimage of {hash} left at {height:?}, an HTLC expires at {first:?}")
        });
    }

    /// Whether HTLCs wait for our word past their expiry.
    pub(in crate::testing::simulator) fn looks_at_margins(&mut self, height: BlockHeight) {
        self.height = self.height.max(height);
        let height = self.height;
        let late = self.incoming.iter().find(|(_, it)| {
            !it.word && it.end.is_none() && it.expires.is_some_and(|expires| expires < height)
        });
        let late = late.map(|(htlc, it)| (*htlc, *it));
        self.holds(Law::IncomingMargin, late.is_none(), || {
            format!("at {height:?} there is no word yet on {late:?}")
        });
    }
}
