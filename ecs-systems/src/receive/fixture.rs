//! HTLCs, a set and a receipt for the tests of this part of the flow.

use crate::{
    components::{Htlc, ReceivedFacts, ReceivedHtlc, Set, SetFacts, SetReceived},
    fixture::{AMOUNT, NOW_MS, PREIMAGE, child, here, htlc as sample_htlc, payment},
    port::{OverpayRule, Receipt, ReceiptState},
};
use ecs_core::{EntityId, Systems, Write};
use payecs_units::{Blocks, GroupId, Msat, Timestamp};

/// The set's Entity; that of the HTLC is [`payment`].
pub(crate) fn set_entity() -> EntityId {
    child()
}

/// An HTLC over the whole amount, with 100 blocks left.
pub(crate) fn htlc() -> Htlc {
    Htlc(sample_htlc())
}

/// What it pays, of any amount between once and twice.
pub(crate) fn receipt() -> Receipt {
    Receipt {
        payment_hash: PREIMAGE.hash(),
        amount_msat: Some(AMOUNT),
        overpay: OverpayRule::Bolt,
        cltv: Blocks(18),
        expires_at: Timestamp(NOW_MS + 1),
        hold: false,
        preimage_known: true,
        state: ReceiptState::Unpaid,
    }
}

pub(crate) fn set() -> Set {
    let (payment_hash, amount) = (PREIMAGE.hash(), Msat(AMOUNT.0));
    Set(SetFacts { payment_hash, group_id: GroupId(0), amount_msat: amount, total_msat: amount })
}

/// A set.
pub(crate) fn bare_set() -> Write {
    here().attach(&set())
}

/// A set that has a list of its own.
pub(crate) fn live_set() -> Write {
    bare_set().attach(&Systems::listing(["acme:none"]))
}

/// What a set has received: one HTLC, a minute ago.
pub(crate) fn received(msat: u64) -> SetReceived {
    let Htlc(one) = htlc();
    let amount_msat = Msat(msat);
    let (entity, htlc, cltv_expiry) = (payment(), one.htlc, one.cltv_expiry);
    let first_at = Timestamp(NOW_MS - 60_000);
    let htlcs = vec![ReceivedHtlc { entity, htlc, amount_msat, cltv_expiry }];
    SetReceived(ReceivedFacts { first_at, amount_msat, htlcs })
}
