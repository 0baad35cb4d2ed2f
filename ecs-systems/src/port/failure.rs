//! Why a part failed, in BOLT 4's terms.

use payecs_planner::{Hop, Route};
use payecs_units::{BlockHeight, ChannelDirection, Msat, NodeId};
use serde::{Deserialize, Serialize};

/// A failure message of BOLT 4, or what stands in for one.
///
/// In JSON it is the 16 bit number that travels in the onion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u16", into = "u16")]
#[non_exhaustive]
pub enum FailureCode {
    /// The node is in trouble for a moment.
    TemporaryNodeFailure,
    /// The node will not forward any more.
    PermanentNodeFailure,
    /// The node wants a feature that the onion doesn't have.
    RequiredNodeFeatureMissing,
    /// The onion could not be parsed.
    InvalidOnionHmac,
    /// Not enough liquidity in the channel, or it is busy.
    TemporaryChannelFailure,
    /// The channel is gone.
    PermanentChannelFailure,
    /// The channel wants a feature that the onion doesn't have.
    RequiredChannelFeatureMissing,
    /// No such peer to forward to.
    UnknownNextPeer,
    /// Below `htlc_minimum_msat`.
    AmountBelowMinimum,
    /// The fee is below the channel's policy.
    FeeInsufficient,
    /// The expiry leaves less than the channel's `cltv_expiry_delta`.
    IncorrectCltvExpiry,
    /// The expiry is too near.
    ExpiryTooSoon,
    /// The payee does not know the hash, or wants another amount, secret or expiry.
    IncorrectOrUnknownPaymentDetails,
    /// The last expiry is not what the onion says.
    FinalIncorrectCltvExpiry,
    /// The last amount is not what the onion says.
    FinalIncorrectHtlcAmount,
    /// The channel is disabled.
    ChannelDisabled,
    /// The expiry is too far away.
    ExpiryTooFar,
    /// The payee did not understand the onion's payload.
    InvalidOnionPayload,
    /// The other parts did not come in time.
    MppTimeout,
    /// An error inside a blinded path.
    InvalidOnionBlinding,
    /// The error could not be decrypted: any node of the route may have sent it.
    Unreadable,
    /// Another number.
    Other(u16),
}

/// The number and name of each failure, as BOLT 4 lists them.
const TABLE: &[(FailureCode, u16, &str)] = &[
    (FailureCode::TemporaryNodeFailure, 0x2002, "temporary_node_failure"),
    (FailureCode::PermanentNodeFailure, 0x6002, "permanent_node_failure"),
    (FailureCode::RequiredNodeFeatureMissing, 0x6003, "required_node_feature_missing"),
    (FailureCode::InvalidOnionHmac, 0xc005, "invalid_onion_hmac"),
    (FailureCode::TemporaryChannelFailure, 0x1007, "temporary_channel_failure"),
    (FailureCode::PermanentChannelFailure, 0x4008, "permanent_channel_failure"),
    (FailureCode::RequiredChannelFeatureMissing, 0x4009, "required_channel_feature_missing"),
    (FailureCode::UnknownNextPeer, 0x400a, "unknown_next_peer"),
    (FailureCode::AmountBelowMinimum, 0x100b, "amount_below_minimum"),
    (FailureCode::FeeInsufficient, 0x100c, "fee_insufficient"),
    (FailureCode::IncorrectCltvExpiry, 0x100d, "incorrect_cltv_expiry"),
    (FailureCode::ExpiryTooSoon, 0x100e, "expiry_too_soon"),
    (FailureCode::IncorrectOrUnknownPaymentDetails, 0x400f, "incorrect_or_unknown_payment_details"),
    (FailureCode::FinalIncorrectCltvExpiry, 0x0012, "final_incorrect_cltv_expiry"),
    (FailureCode::FinalIncorrectHtlcAmount, 0x0013, "final_incorrect_htlc_amount"),
    (FailureCode::ChannelDisabled, 0x1014, "channel_disabled"),
    (FailureCode::ExpiryTooFar, 0x0015, "expiry_too_far"),
    (FailureCode::InvalidOnionPayload, 0x4016, "invalid_onion_payload"),
    (FailureCode::MppTimeout, 0x0017, "mpp_timeout"),
    (FailureCode::InvalidOnionBlinding, 0xc018, "invalid_onion_blinding"),
    (FailureCode::Unreadable, 0x0000, "unreadable"),
];

impl FailureCode {
    /// The number in the onion; 0 where the error was unreadable.
    #[must_use]
    pub fn number(self) -> u16 {
        if let Self::Other(number) = self {
            return number;
        }
        TABLE.iter().find(|row| row.0 == self).map_or(0, |row| row.1)
    }

    /// The name BOLT 4 gives it; `unknown` for numbers it doesn't list.
    /// ```
    /// # use ecs_systems::port::FailureCode;
    /// assert_eq!(FailureCode::from(0x1007).name(), "temporary_channel_failure");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.0 == self).map_or("unknown", |row| row.2)
    }
}

/// What the last node of a route may say of a payment (BOLT 4): nothing about a channel.
const OF_A_PAYEE: [FailureCode; 5] = [
    FailureCode::TemporaryNodeFailure,
    FailureCode::PermanentNodeFailure,
    FailureCode::RequiredNodeFeatureMissing,
    FailureCode::IncorrectOrUnknownPaymentDetails,
    FailureCode::MppTimeout,
];

/// What a payee says when it refuses; in JSON the name that BOLT 4 gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PayeeFailure(FailureCode);

impl PayeeFailure {
    /// `incorrect_or_unknown_payment_details`: what a payer is told of whatever is wrong.
    pub const DETAILS: Self = Self(FailureCode::IncorrectOrUnknownPaymentDetails);
    /// `mpp_timeout`: other parts did not come in time.
    pub const TIMEOUT: Self = Self(FailureCode::MppTimeout);

    /// The failure message.
    #[must_use]
    pub fn code(self) -> FailureCode {
        self.0
    }
}

impl From<PayeeFailure> for String {
    fn from(failure: PayeeFailure) -> Self {
        failure.0.name().to_owned()
    }
}

/// A text that names nothing a payee may say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing that a payee may say")]
pub struct NotOfAPayee(String);

impl TryFrom<String> for PayeeFailure {
    type Error = NotOfAPayee;

    fn try_from(name: String) -> Result<Self, NotOfAPayee> {
        let known = OF_A_PAYEE.into_iter().find(|code| code.name() == name);
        known.map(Self).ok_or(NotOfAPayee(name))
    }
}

impl From<u16> for FailureCode {
    fn from(number: u16) -> Self {
        TABLE.iter().find(|row| row.1 == number).map_or(Self::Other(number), |row| row.0)
    }
}

impl From<FailureCode> for u16 {
    fn from(code: FailureCode) -> Self {
        code.number()
    }
}

/// The routing failure object: who failed a part, where, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which node of the route erred: 0 is us, the number of hops is the payee. `None`: unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erring_index: Option<u32>,
    /// That node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erring_node: Option<NodeId>,
    /// The channel it would not forward over. Where our own node erred as a whole: the first one
    /// of the route, unless the part never got that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erring_channel: Option<ChannelDirection>,
    /// The cause.
    pub failcode: FailureCode,
    /// With [`FailureCode::IncorrectOrUnknownPaymentDetails`]: the height the payee sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<BlockHeight>,
    /// The policy from the `channel_update` in the error, if it came with one that is about that
    /// channel and signed by that node: whoever stands behind the port has verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<payecs_planner::Policy>,
    /// The `htlc_msat` the node complained about, if it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub htlc_msat: Option<Msat>,
}

impl Failure {
    /// A failure on our own side: the part never left, or our first channel refused it.
    #[must_use]
    pub fn local(hop: Option<&Hop>, failcode: FailureCode) -> Self {
        Self {
            erring_index: Some(0),
            erring_node: hop.map(|hop| hop.from),
            erring_channel: hop.map(|hop| hop.short_channel_id_dir),
            failcode,
            height: None,
            update: None,
            htlc_msat: None,
        }
    }

    /// Our node never had a part on that route: no channel is to blame.
    #[must_use]
    pub fn never_arrived(route: &Route) -> Self {
        let local = Self::local(route.hops.first(), FailureCode::TemporaryNodeFailure);
        Self { erring_channel: None, ..local }
    }

    /// Whether the payee (after `hops` hops) said no in a way that another try cannot change.
    ///
    /// `mpp_timeout` is not: the other parts may come this time. Source: BOLT 4, and xpay, which
    /// takes every other answer of the final node as final, but for what [`Failure::height_ahead`]
    /// tells.
    #[must_use]
    pub fn is_permanent(&self, hops: usize) -> bool {
        let by_payee = self.erring_index.is_some_and(|index| index as usize == hops);
        by_payee && self.failcode != FailureCode::MppTimeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_number_is_read_back_as_it_was_written() {
        for number in 0..=u16::MAX {
            assert_eq!(u16::from(FailureCode::from(number)), number);
        }
    }

    #[test]
    fn only_the_payee_fails_for_good_and_not_by_mpp_timeout() {
        let at =
            |index, failcode| Failure { erring_index: index, ..Failure::local(None, failcode) };
        let details = FailureCode::IncorrectOrUnknownPaymentDetails;
        assert!(at(Some(2), details).is_permanent(2));
        assert!(!at(Some(1), details).is_permanent(2));
        assert!(!at(Some(2), FailureCode::MppTimeout).is_permanent(2));
        assert!(!at(None, FailureCode::Unreadable).is_permanent(2));
    }

    #[test]
    fn a_payee_says_only_what_it_may() {
        for (_, _, name) in TABLE {
            let read = serde_json::from_value::<PayeeFailure>(serde_json::json!(name));
            let expected = OF_A_PAYEE.into_iter().find(|code| code.name() == *name);
            assert_eq!(read.as_ref().ok().map(|failure| failure.code()), expected, "{name}");
            if let Ok(failure) = read {
                assert_eq!(serde_json::json!(failure), *name);
                assert_eq!(failure.code().number() & 0x1000, 0, "no channel update");
            }
        }
    }

    #[test]
    fn every_failure_of_the_table_has_a_number_and_name_of_its_own() {
        for (place, (code, number, name)) in TABLE.iter().enumerate() {
            assert_eq!((code.number(), code.name()), (*number, *name));
            assert_eq!(FailureCode::from(*number), *code);
            let later = &TABLE[place + 1..];
            assert!(later.iter().all(|row| row.1 != *number && row.2 != *name), "{name}");
        }
        let other = FailureCode::Other(0x7777);
        assert_eq!((other.number(), other.name()), (0x7777, "unknown"));
    }

    #[test]
    fn a_failure_of_our_own_blames_our_first_channel() {
        let part = crate::fixture::part();
        let failure = Failure::local(part.route.hops.first(), FailureCode::TemporaryChannelFailure);
        assert_eq!(failure.erring_index, Some(0));
        assert_eq!(failure.erring_node, Some(crate::fixture::US));
        assert_eq!(failure.erring_channel, Some(part.route.hops[0].short_channel_id_dir));
        assert!(!failure.is_permanent(part.route.hops.len()));
        let text = serde_json::to_string(&failure).unwrap();
        assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), failure);
        assert!(text.contains("\"failcode\":4103") && !text.contains("null"), "{text}");
    }
}
