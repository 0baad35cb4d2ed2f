//! A payment's part on its way: one HTLC after the other along its route.

use crate::{channel::side_of, told::Told};
use ecs_systems::{
    port::{CustomTlv, Failure, FailureCode, PartKey},
    units::{BlockHeight, Msat, NodeId, PaymentHash, PaymentSecret, Preimage},
};
use payecs_planner::{Hop, Policy};
use serde::{Deserialize, Serialize};

/// Names a part in the network, ours or another's.
pub(crate) type FlightId = u64;

/// Names a part that another node sends: see [`crate::SimNetwork::pay_us`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RemoteId(pub u64);

/// Who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    Us(PartKey),
    Remote(RemoteId),
}

/// What the payer says to the payee, and what the HTLCs are locked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Onion {
    pub(crate) hash: PaymentHash,
    pub(crate) total: Msat,
    pub(crate) secret: Option<PaymentSecret>,
    pub(crate) metadata: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tlvs: Vec<CustomTlv>,
}

/// An HTLC of a flight that is in a channel.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Locked {
    pub(crate) channel: usize,
    pub(crate) side: usize,
    pub(crate) htlc: u64,
}

/// Where a flight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// On its way to the payee.
    Outward,
    /// The payee has it in hand.
    Delivered,
    /// On its way back, from the payee or from before.
    Returning { from_payee: bool },
}

/// A part between its payer's first channel and its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Flight {
    pub(crate) origin: Origin,
    pub(crate) onion: Onion,
    pub(crate) hops: Vec<Hop>,
    /// What the hops' expiries count from.
    pub(crate) height: BlockHeight,
    /// The HTLCs so far, in travelling order. On the way back the last ones are resolved already:
    /// see `open`.
    pub(crate) locked: Vec<Locked>,
    /// How many of `locked` are unresolved.
    pub(crate) open: usize,
    pub(crate) stage: Stage,
}

impl Flight {
    /// When the HTLC on hop `index` expires; the end of the chain where that overflows.
    pub(crate) fn expiry(&self, index: usize) -> BlockHeight {
        let hop = &self.hops[index];
        self.height.checked_add(hop.cltv_blocks).unwrap_or(BlockHeight(u32::MAX))
    }

    /// Turns it round; false if it is on its way back already.
    pub(crate) fn turn(&mut self) -> bool {
        match self.stage {
            Stage::Outward => self.stage = Stage::Returning { from_payee: false },
            Stage::Delivered => self.stage = Stage::Returning { from_payee: true },
            Stage::Returning { .. } => return false,
        }
        true
    }

    /// Whether the newest HTLC is the last.
    pub(crate) fn has_arrived(&self) -> bool {
        self.locked.len() == self.hops.len()
    }

    /// Why a node of the route refuses it; node 0 is the payer.
    pub(crate) fn failure(&self, index: usize, node: NodeId, refusal: Refusal) -> Failure {
        let hop = self.hops.get(index).filter(|_| !refusal.of_node);
        Failure {
            erring_index: u32::try_from(index).ok(),
            erring_node: Some(node),
            erring_channel: hop.map(|hop| hop.short_channel_id_dir),
            failcode: refusal.failcode,
            height: refusal.height,
            update: refusal.update,
            htlc_msat: refusal.htlc_msat,
        }
    }
}

/// How a part comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Back {
    Settled(Preimage),
    Failed(Box<Told>),
}

/// A node's no, without the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) failcode: FailureCode,
    /// It is the node that is in trouble, and no channel of it.
    pub(crate) of_node: bool,
    pub(crate) height: Option<BlockHeight>,
    pub(crate) update: Option<Policy>,
    pub(crate) htlc_msat: Option<Msat>,
}

impl Refusal {
    /// One that only names its cause.
    pub(crate) fn new(failcode: FailureCode) -> Self {
        Self { failcode, of_node: false, height: None, update: None, htlc_msat: None }
    }

    /// The trouble is with the node.
    pub(crate) fn of_node(failcode: FailureCode) -> Self {
        Self { of_node: true, ..Self::new(failcode) }
    }

    /// One that brings the policy of the channel along, as failures with the UPDATE bit do.
    pub(crate) fn update(failcode: FailureCode, policy: &Policy) -> Self {
        Self { update: Some(policy.clone()), ..Self::new(failcode) }
    }

    /// One that names the amount it is about.
    pub(crate) fn about(self, amount: Msat) -> Self {
        Self { htlc_msat: Some(amount), ..self }
    }
}

/// The side of its channel that a hop leaves from.
pub(crate) fn side_of_hop(hop: &Hop) -> usize {
    side_of(hop.short_channel_id_dir.direction)
}
