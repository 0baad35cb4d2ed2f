//! What the engine notes of HTLCs that come in, and what third parties say of them.

use super::kinds::{flags, values};
use crate::{
    port::{HtlcId, IncomingHtlc, PayeeFailure, PaymentRef, Receipt, SetRef},
    receive::sets,
};
use ecs_core::{ComponentSpec, EntityId, WhenFrozen};
use payecs_units::{BlockHeight, GroupId, Msat, PaymentHash, Timestamp};
use serde::{Deserialize, Serialize};

/// A set of HTLCs that pay one receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetFacts {
    /// What they are locked to.
    pub payment_hash: PaymentHash,
    /// The payer's attempt where the set crosses no channel and the payer is this node; else 0.
    #[serde(rename = "groupid")]
    pub group_id: GroupId,
    /// What they are worth. Over channels what they must come to: see `lightningd:set:received`.
    pub amount_msat: Msat,
    /// What all parts are said to sum to.
    pub total_msat: Msat,
}

/// What a set over channels has received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedFacts {
    /// When its first HTLC came: the moment the set is judged by.
    pub first_at: Timestamp,
    /// What its HTLCs sum to.
    pub amount_msat: Msat,
    /// Its HTLCs, in the order in which they came.
    pub htlcs: Vec<ReceivedHtlc>,
}

/// An HTLC of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedHtlc {
    /// Its Entity.
    pub entity: EntityId,
    /// Which one.
    #[serde(flatten)]
    pub htlc: HtlcId,
    /// What it is worth.
    pub amount_msat: Msat,
    /// The height it expires at.
    pub cltv_expiry: BlockHeight,
}

/// How long a set is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldFacts {
    /// What is held.
    pub amount_msat: Msat,
    /// At this height it is refused, if nobody has decided.
    pub until_height: BlockHeight,
}

flags! {
    /// Row R1.
    HtlcMatched = ComponentSpec::engine("lightningd:htlc:matched", "true",
        "The HTLC is for a receipt of ours that can be paid.");
    /// Row R2.
    CheckSecretRan = ComponentSpec::engine("lightningd:check_secret:ran", "true",
        "The HTLC shows the receipt's secret.");
    /// Row R2.
    CheckAmountsRan = ComponentSpec::engine("lightningd:check_amounts:ran", "true",
        "The HTLC says a total that the receipt takes, the same as others of its set.");
    /// Row R2.
    CheckCltvRan = ComponentSpec::engine("lightningd:check_cltv:ran", "true",
        "The HTLC had blocks enough left.");
    /// Row R4.
    SetTimedOut = ComponentSpec::engine("lightningd:set:timed-out", "true",
        "The set's time to become complete is up.");
    /// Row R3.
    SetEnough = ComponentSpec::engine("lightningd:set:enough", "true",
        "The HTLCs of the set sum to its total.");
    /// Row R7.
    #[component(on_insert = sets::note_change)]
    SetHeld = ComponentSpec::engine("lightningd:set:held", "true", "The set is booked as held.");
    /// Row R5.
    SetComplete = ComponentSpec::engine("lightningd:set:complete", "true",
        "All parts of the set are here.");
    /// The preimage of a set is at hand.
    SecretKnown = ComponentSpec::engine("lightningd:secret-known", "true",
        "The preimage of the set's hash is at hand.");
    /// Row R8.
    SetSettling = ComponentSpec::engine("lightningd:set:settling", "true",
        "The set is being settled: it can no longer be refused.");
    /// Row R8b.
    SetClaimed = ComponentSpec::engine("lightningd:set:claimed", "true",
        "Every HTLC of the set is off its channel.");
    /// Row R8b.
    Settled = ComponentSpec::engine("lightningd:settled", "true", "The set is settled and booked.");
    /// Rows R7 and R8.
    Hold = ComponentSpec::input("lightningd:hold", "true",
        "A complete set waits while this is attached; it ends at the latest 18 blocks before an \
         HTLC of it expires.").when_frozen(WhenFrozen::Allowed);
}

values! {
    /// Row 26.
    #[component(on_insert = sets::note_set, on_remove = sets::forget_set)]
    Set(SetFacts) = ComponentSpec::engine("lightningd:set", "an object",
        "HTLCs that together pay one receipt of ours.").freezing();
    /// Row R1.
    Htlc(IncomingHtlc) = ComponentSpec::engine("lightningd:htlc", "an object",
        "One HTLC that came in.").freezing().secret();
    /// Row R3.
    HtlcJoined(EntityId) = ComponentSpec::engine("lightningd:htlc:joined", "an entity id",
        "The set that the HTLC is part of: what becomes of the set becomes of the HTLC.");
    /// Row R3.
    SetReceived(ReceivedFacts) = ComponentSpec::engine("lightningd:set:received", "an object",
        "The HTLCs of a set over channels, and what they sum to.");
    /// Row R3.
    Paycode(Receipt) = ComponentSpec::engine("lightningd:paycode", "an object",
        "What a set pays, as it was when the set was opened.");
    /// Row R8b.
    SetLost(Vec<HtlcId>) = ComponentSpec::engine("lightningd:set:lost", "an array of objects",
        "HTLCs whose preimage left and that the node did not get.");
    /// Row R7.
    Held(HeldFacts) = ComponentSpec::engine("lightningd:held", "an object",
        "What is held, and the height at which the set is refused if nobody has decided.");
    /// Row R6.
    Reject(PayeeFailure) = ComponentSpec::input("lightningd:reject",
        "the name of a failure that a payee may say (BOLT 4)",
        "A third party refuses a complete set: `incorrect_or_unknown_payment_details`, \
         `mpp_timeout`, `temporary_node_failure`, …").when_frozen(WhenFrozen::Allowed);
    /// Rows R1 to R10.
    Refusing(PayeeFailure) = ComponentSpec::engine("lightningd:refusing",
        "the name of a failure (BOLT 4)",
        "The HTLC or set is being refused, with what its payers are told.");
    /// Rows R9a and R9b.
    #[component(on_insert = sets::note_change)]
    Refused(PayeeFailure) = ComponentSpec::engine("lightningd:refused",
        "the name of a failure (BOLT 4)",
        "The HTLC or set was refused: its payers are told this, however often the node asks.");
}

impl Set {
    /// The books' name for the payment of ours that this set receives, where it crosses no channel.
    #[must_use]
    pub fn payment(&self) -> PaymentRef {
        PaymentRef { payment_hash: self.0.payment_hash, group_id: self.0.group_id }
    }

    /// The books' name for the set, whose Entity is `set`.
    #[must_use]
    pub fn reference(&self, set: EntityId) -> SetRef {
        SetRef { payment_hash: self.0.payment_hash, set }
    }
}
