//! What the engine notes of a payment under way.

use super::kinds::{amounts, texts, values};
use super::shape;
use crate::port::{Claim, Decision, EntryId, Failure, PartKey};
use ecs_core::{ComponentSpec, EntityId};
use payecs_planner::{Policy, Route};
use payecs_units::{
    BlockHeight, Blocks, ChannelDirection, GroupId, Msat, PartId, PaymentHash, PaymentSecret,
    Preimage, Timestamp,
};
use serde::{Deserialize, Serialize};

/// What was claimed: nothing of it changes afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimFacts {
    /// As the books have it.
    #[serde(flatten)]
    pub claim: Claim,
    /// What the payee recognises us by.
    pub payment_secret: Option<PaymentSecret>,
}

impl ClaimFacts {
    /// The hash.
    #[must_use]
    pub fn payment_hash(&self) -> PaymentHash {
        self.claim.payment.payment_hash
    }

    /// The attempt.
    #[must_use]
    pub fn group_id(&self) -> GroupId {
        self.claim.payment.group_id
    }
}

/// What is set aside for a payment, and what was used of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationFacts {
    /// What the payee is to get.
    pub amount_msat: Msat,
    /// What fees may take.
    pub fee_budget_msat: Msat,
    /// Rounds of planning used.
    pub rounds: u32,
    /// The next part's number.
    pub next_part: PartId,
    /// Parts that failed so far.
    pub parts_failed: u32,
}

/// One attempt at planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFacts {
    /// Its number, from 1.
    pub n: u32,
    /// What fees may still take.
    pub fee_left_msat: Msat,
    /// How long a path may take.
    pub delay_left_blocks: Blocks,
    /// How many parts may still be opened.
    pub parts_left: u32,
}

/// A part as its Entity has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFacts {
    /// What the node knows it by.
    #[serde(flatten)]
    pub key: PartKey,
    /// Its way; expiries count from `height`.
    pub route: Route,
    /// The height it was planned at.
    pub height: BlockHeight,
    /// What the payee is to get over all parts.
    pub total_msat: Msat,
}

/// A part that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPart {
    /// Its Entity.
    pub entity: EntityId,
    /// Its number.
    #[serde(rename = "partid")]
    pub part_id: PartId,
    /// What the payee gets of it.
    pub amount_msat: Msat,
    /// What its route keeps.
    pub fee_msat: Msat,
}

/// A part that failed, not yet learned from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedPart {
    /// Its number.
    #[serde(rename = "partid")]
    pub part_id: PartId,
    /// What goes back to `remaining`.
    pub amount_msat: Msat,
    /// Whether another try is useless.
    pub permanent: bool,
    /// The height at which another try may do: the payee sees it, and the part was built for a
    /// lesser one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits_height: Option<BlockHeight>,
    /// Why.
    pub failure: Failure,
}

/// What failed parts told of directions, for their payment alone: at most one entry in each list
/// for each part that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldFacts {
    /// What directions ask for, in place of what is announced or hinted.
    pub policies: Vec<ToldPolicy>,
    /// What no further part goes over.
    pub avoided: Vec<ChannelDirection>,
}

/// What the node of a direction said that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldPolicy {
    /// The direction.
    pub short_channel_id_dir: ChannelDirection,
    /// What it asks for.
    pub policy: Policy,
    /// How often it said something new in this payment.
    pub times: u32,
}

/// A word of the node: a part is paid that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateWordFacts {
    /// Which part.
    #[serde(flatten)]
    pub key: PartKey,
    /// The proof.
    pub preimage: Preimage,
    /// What left us, fees included.
    pub spent_msat: Msat,
}

/// How far the books of a backup follow the node's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedFacts {
    /// The books know every part up to this place of the list.
    pub booked_to: u64,
    /// The last place that the list had.
    pub listed_to: u64,
    /// Who accepts that the list has a gap, and why. Absent: it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<Decision>,
}

/// What of a payment can still settle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureFacts {
    /// How many of its HTLCs.
    pub htlcs: u32,
    /// What the payee would get by them.
    pub amount_msat: Msat,
    /// What would leave us: that and the fees.
    pub sent_msat: Msat,
    /// The height at which the last of them expires: then all have failed, or are settled on the
    /// chain. Absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_height: Option<BlockHeight>,
}

/// All parts that arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidParts {
    /// How many.
    pub count: u32,
    /// What the payee got.
    pub amount_msat: Msat,
    /// What it cost on top, as it is booked.
    pub fee_msat: Msat,
    /// What the node says it took beyond what was held; absent: nothing.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub overspent_msat: Msat,
    /// What left us, as the node says, and the books could not take; absent: nothing.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub unbooked_msat: Msat,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives the signature")]
pub(crate) fn is_nothing(amount: &Msat) -> bool {
    *amount == Msat::ZERO
}

/// Why an operator is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What would be spent at most.
    pub requested_msat: Msat,
    /// Above this an operator is asked.
    pub above_msat: Msat,
    /// Until when.
    pub until: Timestamp,
}

values! {
    /// Row 22.
    Claimed(ClaimFacts) = ComponentSpec::engine("lightningd:claim", "an object",
        "Hash, destination, amount, secret and group id as they were claimed. Freezes the payment.")
        .freezing().secret();
    /// Row 24.
    ApprovalAsked(Question) = ComponentSpec::engine("lightningd:approval:asked", "an object",
        "Policy asks an operator; answer with `lightningd:approval`.");
    /// Row 22.
    SameAs(EntityId) = ComponentSpec::engine("lightningd:same-as", "an entity id",
        "The payment that runs with the same idempotency key: this one waits for it, and ends as \
         it does.");
    /// Row 26.
    SelfAsked(EntityId) = ComponentSpec::engine("lightningd:self:asked", "an entity id",
        "The set that this payment to ourselves waits for.");
    /// Row 27.
    Reservation(ReservationFacts) = ComponentSpec::engine("lightningd:reservation", "an object",
        "What is set aside for the payment, and how many rounds and parts it has used.");
    /// Row 27.
    Deadline(Timestamp) = ComponentSpec::engine("lightningd:deadline", "RFC 3339 time",
        "No attempt starts after this moment.");
    /// Row 29.
    Attempt(AttemptFacts) = ComponentSpec::engine("lightningd:attempt", "an object",
        "The attempt under way: number, and what is left of fee, delay and parts.");
    /// Row 30.
    PlanningEntity(EntityId) = ComponentSpec::engine("lightningd:planning-entity", "an entity id",
        "The plan Entity that this payment waits for.");
    /// Row 31.
    Part(PartFacts) = ComponentSpec::engine("lightningd:part", "an object",
        "One part: its key, route, and what all parts sum to.").freezing();
    /// Row S3.
    PartFailure(Failure) = ComponentSpec::engine("lightningd:part:failure", "an object",
        "Who failed the part, where and why (BOLT 4).");
    /// Row 31.
    PartsOpen(Vec<OpenPart>) = ComponentSpec::engine("lightningd:parts:open", "an array of objects",
        "The parts that are out; absent where none is.");
    /// Rows 28b, S2 and S3.
    Exposure(ExposureFacts) = ComponentSpec::engine("lightningd:exposure", "an object",
        "From the cancel on: how many HTLCs of the payment can still settle (`htlcs`), what they \
         bring and cost (`amount_msat`, `sent_msat`), and the height until which (`until_height`, \
         absent where none can). Follows each part that ends.");
    /// Row S3.
    PartsFailed(Vec<FailedPart>) = ComponentSpec::engine("lightningd:parts:failed",
        "an array of objects", "Parts that failed and were not learned from yet.");
    /// Row S3.
    Told(ToldFacts) = ComponentSpec::engine("lightningd:told", "an object",
        "What nodes said when they failed parts, for this payment alone: what directions ask for \
         (`policies`), in place of what is announced or hinted, and directions that it goes over \
         no more (`avoided`).");
    /// Row 32.
    HeightAwaited(BlockHeight) = ComponentSpec::engine("lightningd:height:awaited",
        "a block height",
        "The payee sees this height, and refused what was built for a lesser one: no attempt \
         starts before our node sees it too.");
    /// Rows S2 and S3.
    LateWord(LateWordFacts) = ComponentSpec::engine("lightningd:part:late", "an object",
        "The node says that a part is paid which is over, and the books can't tell yet what they \
         know of it. It stands alone on an Entity until they can.").freezing().secret();
    /// Written with what is booked after a restored backup.
    Followed(FollowedFacts) = ComponentSpec::engine("lightningd:reconcile:followed", "an object",
        "While the books of a backup are reconciled: the place of the node's list up to which they \
         know every part (`booked_to`), and the last place that it had (`listed_to`). It stands \
         alone on an Entity until they are reconciled.");
    /// Row S2.
    PartsPaid(PaidParts) = ComponentSpec::engine("lightningd:parts:paid", "an object",
        "How many parts arrived, and what they came to; what the node took beyond what was held, \
         and what of it the books could not take.");
    /// The proof.
    PaidPreimage(Preimage) = ComponentSpec::engine("lightningd:preimage", "64 hex digits",
        "What the payee released: the proof of payment.").secret();
    /// Row 33.
    LedgerRef(EntryId) = ComponentSpec::engine("lightningd:ledger", "an entry id",
        "Where the books have this payment.");
}

amounts! {
    /// Rows 27 to 32.
    Remaining = ComponentSpec::engine("lightningd:remaining", "an amount",
        "What is neither paid nor in a part that is out."), min Msat(1);
    /// Row 14.
    Total = ComponentSpec::engine("lightningd:total", "an amount",
        "What the payee gets from all payers, where this payment is only a part of it."),
        min Msat(1);
    /// Row 33.
    FeePaid = ComponentSpec::engine("lightningd:fee", "an amount",
        "What was paid in routing fees."),
        min Msat::ZERO;
    /// Row S2.
    PartSpent = ComponentSpec::engine("lightningd:part:spent", "an amount",
        "What left us for this part, fees included."), min Msat::ZERO;
}

texts! {
    /// How far the payment is.
    Status = ComponentSpec::engine("lightningd:status", "a string",
        "`deciding`, `planning`, `sending`, `complete` or `failed`."), check shape::string;
}

impl Status {
    /// The hash is claimed; policy and funds are being looked at.
    #[must_use]
    pub fn deciding() -> Self {
        Self(ecs_core::Json::of("deciding"))
    }

    /// Routes are being chosen.
    #[must_use]
    pub fn planning() -> Self {
        Self(ecs_core::Json::of("planning"))
    }

    /// Parts are out.
    #[must_use]
    pub fn sending() -> Self {
        Self(ecs_core::Json::of("sending"))
    }

    /// Paid.
    #[must_use]
    pub fn complete() -> Self {
        Self(ecs_core::Json::of("complete"))
    }

    /// Not paid, and nothing is out.
    #[must_use]
    pub fn failed() -> Self {
        Self(ecs_core::Json::of("failed"))
    }
}

impl PartsOpen {
    /// The fees of all open parts; `None` above 2⁶⁴−1 msat.
    #[must_use]
    pub fn fees(&self) -> Option<Msat> {
        Msat::sum(self.0.iter().map(|part| part.fee_msat))
    }
}
