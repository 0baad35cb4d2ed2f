//! What the flow wants done outside: the effects of its Systems.

use crate::components::is_nothing;
use crate::port::{Failure, HtlcId, Lesson, PartKey, Preapproval, SendPart};
use ecs_core::{EffectBody, EntityId, ErrorObject};
use payecs_planner::PlanRequest;
use payecs_units::{Msat, PaymentHash};
use serde::{Deserialize, Serialize};

/// Names the kind of each body.
macro_rules! kinds {
    ($($body:ty = $kind:literal;)*) => {$(
        impl EffectBody for $body {
            const KIND: &'static str = $kind;
        }
    )*};
}

/// Decode an invoice that is not BOLT 11. Reply: `replies::decoded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodeByNode {
    /// The invoice.
    pub invoice: String,
}

/// Ask the node's signer. Reply: `replies::preapproved`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskSigner(pub Preapproval);

/// Choose routes, on a worker, over our channels as they are then: the request has none. Reply:
/// `replies::planned`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChooseRoutes(pub PlanRequest);

/// Offer an HTLC. Reply, once it is final: `replies::part_ended`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferPart(pub SendPart);

/// Tell the planner. No reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learn(pub Lesson);

/// Release the preimage of a set for all its HTLCs. Reply, once every HTLC is off its channel:
/// `replies::set_claimed`; `replies::set_withdrawn` where it turns out that nothing has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleHtlcs {
    /// The HTLCs; the preimage is a Component of the set.
    pub htlcs: Vec<HtlcId>,
}

/// Give HTLCs back; what their payers are told is a Component of each. No reply: it is said until
/// the node confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefuseHtlcs {
    /// The HTLCs.
    pub htlcs: Vec<HtlcId>,
}

/// A part has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartStarted {
    /// The payment.
    pub entity: EntityId,
    /// The part.
    #[serde(flatten)]
    pub key: PartKey,
    /// What the payee is to get over all parts.
    pub total_payment_msat: Msat,
    /// What the payee gets of this one.
    pub attempt_msat: Msat,
    /// What its route keeps.
    pub fee_msat: Msat,
    /// Channels on its way.
    pub hops: u32,
}

/// A part has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartEnded {
    /// The payment.
    pub entity: EntityId,
    /// The part.
    #[serde(flatten)]
    pub key: PartKey,
    /// `success` or `failure`.
    pub status: String,
    /// Why, if it failed.
    pub failure: Option<Failure>,
}

/// In what the node contradicts the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradicts {
    /// It took more for a part than was held.
    Overspent,
    /// It said that a part had failed, and then that it is paid.
    PaidAfterFailed,
}

/// The node contradicts the books: somebody should look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// The payment.
    pub entity: EntityId,
    /// The part.
    #[serde(flatten)]
    pub key: PartKey,
    /// In what.
    pub what: Contradicts,
    /// What left us, as the node says, that the books did not expect.
    pub amount_msat: Msat,
    /// Why the books could not take it (2320); absent: they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbooked: Option<ErrorObject>,
}

/// A payment is complete. Carries no preimage: those who may see it read the Component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaySuccess {
    /// The payment.
    pub entity: EntityId,
    /// What was paid.
    pub payment_hash: PaymentHash,
    /// The invoice, if there was one.
    pub bolt11: Option<String>,
    /// What the payee got of us.
    pub amount_msat: Msat,
    /// What it cost on top.
    pub fee_msat: Msat,
    /// What the node says it took beyond what was held; absent: nothing.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub overspent_msat: Msat,
    /// What left us, as the node says, and the books could not take; absent: nothing.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub unbooked_msat: Msat,
    /// Parts that arrived.
    pub successful_parts: u32,
    /// Parts that failed.
    pub failed_parts: u32,
}

/// A payment has failed; nothing was paid and nothing is out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayFailure {
    /// The payment.
    pub entity: EntityId,
    /// What was to be paid, if that was known.
    pub payment_hash: Option<PaymentHash>,
    /// The invoice, if there was one.
    pub bolt11: Option<String>,
    /// Why.
    pub error: ErrorObject,
}

kinds! {
    DecodeByNode = "node:decode";
    AskSigner = "node:preapprove";
    ChooseRoutes = "planner:plan";
    OfferPart = "node:send_part";
    Learn = "planner:learn";
    SettleHtlcs = "node:settle_htlcs";
    RefuseHtlcs = "node:refuse_htlcs";
    PartStarted = "pay_part_start";
    PartEnded = "pay_part_end";
    Contradiction = "node_contradiction";
    PaySuccess = "pay_success";
    PayFailure = "pay_failure";
}

/// The timer of a question to an operator.
pub const APPROVAL_TIMER: &str = "timer:approval";
/// The timer of a set that is not complete yet.
pub const SET_TIMER: &str = "timer:set";
/// The timer of a set that is held. It has no moment: it fires at the height that
/// `lightningd:held` says.
pub const HOLD_TIMER: &str = "timer:hold";
/// The timer of a payment that waits for a height (`lightningd:height:awaited`): it fires at that
/// height, or at its moment, whichever comes first.
pub const HEIGHT_TIMER: &str = "timer:height";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{PREIMAGE, part};
    use std::collections::BTreeSet;

    #[test]
    fn every_effect_has_a_kind_of_its_own() {
        let kinds = [
            DecodeByNode::KIND,
            AskSigner::KIND,
            ChooseRoutes::KIND,
            OfferPart::KIND,
            Learn::KIND,
            PartStarted::KIND,
            PartEnded::KIND,
            Contradiction::KIND,
            PaySuccess::KIND,
            PayFailure::KIND,
            SettleHtlcs::KIND,
            RefuseHtlcs::KIND,
            APPROVAL_TIMER,
            SET_TIMER,
            HOLD_TIMER,
            HEIGHT_TIMER,
        ];
        assert_eq!(BTreeSet::from(kinds).len(), kinds.len());
    }

    #[test]
    fn what_is_told_of_a_part_has_its_key_beside_it() {
        let ended = PartEnded {
            entity: EntityId::FIRST,
            key: part().key,
            status: "success".to_owned(),
            failure: None,
        };
        let text = serde_json::to_string(&ended).unwrap();
        for field in ["\"entity\":1", "\"payment_hash\":", "\"groupid\":9", "\"partid\":1"] {
            assert!(text.contains(field), "{text}");
        }
        assert!(!text.contains(&PREIMAGE.reveal()));
        assert_eq!(serde_json::from_str::<PartEnded>(&text).unwrap(), ended);
    }
}
