//! What a failure carries on its way back: the `channel_update` as bytes that a node has signed
//! (BOLT 4, BOLT 7), which our node holds against that node before it believes it.

use crate::{keys::NodeKey, state::State};
use bitcoin::{constants::ChainHash, secp256k1::Secp256k1};
use ecs_systems::port::Failure;
use payecs_gossip::{Chain, SignedUpdate, sign_update, verify_update};
use serde::{Deserialize, Serialize};

/// The chain that updates are about.
fn chain() -> Chain {
    ChainHash::REGTEST.to_bytes()
}

/// A failure with its `channel_update` still to be verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    pub(crate) failure: Failure,
    /// The message, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel_update: Option<String>,
}

impl Told {
    /// A failure that brings no policy along.
    pub(crate) fn plain(failure: Failure) -> Self {
        Self { failure, channel_update: None }
    }

    /// The failure with the policy that its node has signed for the channel that it blames. What
    /// isn't signed so counts as not there.
    pub(crate) fn verified(self) -> Failure {
        let Self { failure, channel_update } = self;
        let update = channel_update.and_then(|update| {
            let (signer, direction) = (failure.erring_node?, failure.erring_channel?);
            let (secp, message) = (Secp256k1::verification_only(), hex::decode(update).ok()?);
            let said = verify_update(&secp, &message, &signer, &chain());
            said.ok().filter(|said| said.direction == direction)
        });
        Failure { update: update.map(|said| said.policy), ..failure }
    }
}

impl State {
    /// The failure as it leaves a node: what it says of a channel, signed with `key`.
    pub(crate) fn signed(&self, mut failure: Failure, key: &NodeKey) -> Told {
        let said = failure.update.take().zip(failure.erring_channel);
        let message = said.and_then(|(policy, direction)| {
            let timestamp_s = u32::try_from(self.now.0 / 1_000).unwrap_or(u32::MAX);
            let said = SignedUpdate { direction, timestamp_s, policy };
            sign_update(&self.secp, &said, &key.secret, &chain())
        });
        Told { failure, channel_update: message.map(hex::encode) }
    }
}
