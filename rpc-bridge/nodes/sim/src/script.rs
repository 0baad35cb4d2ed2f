//! Faults on demand: each is written down in advance and strikes at the same place every time.

use crate::{
    error::SimError,
    fault::Tricks,
    state::{Event, State},
};
use ecs_systems::{
    port::{FailureCode, PartKey},
    units::{Blocks, ChannelDirection, Msat, NodeId, PaymentHash, ShortChannelId, Timestamp},
};
use payecs_planner::Policy;
use serde::{Deserialize, Serialize};

/// A fault to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Script {
    /// The node is offline from now on: who would forward to it answers with `failcode`
    /// (`unknown_next_peer` as Core Lightning does, or `temporary_channel_failure`); what is on its
    /// way to it, answers included, waits.
    Offline {
        /// The node.
        node: NodeId,
        /// When it is back; absent: not before [`Script::Online`].
        until: Option<Timestamp>,
        /// What its peers say meanwhile.
        failcode: FailureCode,
    },
    /// The node is back.
    Online {
        /// The node.
        node: NodeId,
    },
    /// The node restarts. Until it is back it is offline, and its peers say
    /// `temporary_channel_failure`. HTLCs that it kept, and the timers of sets that it waits to
    /// complete, it forgets: it takes them up anew when it is back, or gives them back.
    RestartNode {
        /// The node.
        node: NodeId,
        /// When it is back.
        until: Timestamp,
        /// Whether it gives them back: `temporary_node_failure`, and `mpp_timeout` for sets.
        fails: bool,
    },
    /// Each message of the node to its neighbours takes so much longer from now on.
    Slow {
        /// The node.
        node: NodeId,
        /// How much longer; 0 for no longer.
        by_ms: u64,
    },
    /// The node fails the next HTLC that it would forward; ours the next part that it would send.
    FailNext {
        /// The node.
        node: NodeId,
        /// What it says.
        failcode: FailureCode,
    },
    /// The node keeps the next HTLC that reaches it until then.
    KeepNext {
        /// The node.
        node: NodeId,
        /// When it goes on.
        until: Timestamp,
    },
    /// The next failure that the node causes arrives unreadable.
    GarbleNext {
        /// The node.
        node: NodeId,
    },
    /// The next failure of the node that brings a policy along brings another one.
    LieNext {
        /// The node.
        node: NodeId,
        /// What it brings.
        lie: Lie,
    },
    /// A node changes a policy now, and gossip has it later: HTLCs on their way meet it first.
    Reprice {
        /// The direction, of whichever node.
        direction: ChannelDirection,
        /// What holds from now on.
        policy: Policy,
        /// When gossip has it.
        gossip_at: Timestamp,
    },
    /// A node disables a direction and says so at once: it takes no HTLC any more, those in it are
    /// still resolved.
    Disable {
        /// The direction, of whichever node.
        direction: ChannelDirection,
        /// When it enables it again, and says so.
        until: Timestamp,
    },
    /// A channel closes: see [`crate::SimNetwork::close_channel`].
    Close {
        /// The channel.
        scid: ShortChannelId,
    },
    /// The payee of this hash keeps the complete set until then (a hold invoice).
    HoldSet {
        /// The hash.
        payment_hash: PaymentHash,
        /// When it releases the preimage.
        until: Timestamp,
    },
    /// Nobody says what became of this part until it is asked for or our node restarts.
    LoseOutcome {
        /// The part.
        key: PartKey,
    },
    /// Our node answers the next `times` questions about this part with `Unknown`.
    AnswerUnknown {
        /// The part.
        key: PartKey,
        /// How often.
        times: u32,
    },
    /// Once this part is paid, our node takes so much more for it out of its first channel, or all
    /// that is left there, and says so.
    Overspend {
        /// The part.
        key: PartKey,
        /// How much more.
        excess_msat: Msat,
    },
    /// Our node says that this part failed when it is paid, and the truth not before then.
    FailThenPay {
        /// The part.
        key: PartKey,
        /// When it says that the part is paid.
        until: Timestamp,
    },
    /// The next event of our node about a part's end or an HTLC comes only then: others overtake
    /// it. One that an answer to `Balances` counts comes before that.
    TellLate {
        /// When it comes.
        until: Timestamp,
    },
    /// The next answers of our node to requests are lost: what was asked for is done, and the
    /// answer is `NodeError::Transport`.
    LoseReplies {
        /// How many.
        times: u32,
    },
    /// So many blocks are found now, and our node sees them only then: until then what it sees is
    /// that much lower than the chain.
    SeeLate {
        /// How many.
        blocks: Blocks,
        /// When our node sees them.
        until: Timestamp,
    },
    /// Our node restarts then: see [`crate::SimNetwork::restart`].
    RestartUs {
        /// When.
        at: Timestamp,
    },
}

/// What a failure brings along in place of the policy that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lie {
    /// Nothing.
    Missing,
    /// What gossip says, though something else may hold.
    Old,
    /// The policy of another channel of the node; nothing where it has no other.
    OtherChannel,
    /// The policy that holds, but free of charge.
    Free,
    /// The same, signed by another node.
    Forged,
}

impl State {
    /// Takes a script.
    ///
    /// # Errors
    /// [`SimError::UnknownNode`], [`SimError::OurOwnNode`], [`SimError::UnknownChannel`].
    pub(crate) fn script(&mut self, script: Script) -> Result<(), SimError> {
        match script {
            Script::Offline { node, until, failcode } => {
                let node = self.other(node)?;
                self.go_offline(node, until, failcode);
            }
            Script::Online { node } => {
                let node = self.other(node)?;
                self.come_online(node);
            }
            Script::RestartNode { node, until, fails } => {
                let node = self.other(node)?;
                self.restart_node(node, until, fails);
            }
            Script::Slow { node, by_ms } => self.tricks(node)?.slow_ms = by_ms,
            Script::FailNext { node, failcode } => {
                let node = self.number(node)?;
                self.peers[node].tricks.fail_next.push_back(failcode);
            }
            Script::KeepNext { node, until } => self.tricks(node)?.keep_next.push_back(until),
            Script::GarbleNext { node } => self.tricks(node)?.garble_next += 1,
            Script::LieNext { node, lie } => self.tricks(node)?.lie_next.push_back(lie),
            Script::Reprice { direction, policy, gossip_at } => {
                self.set_policy(direction, policy, false)?;
                self.schedule(gossip_at, Event::Announce { direction });
            }
            Script::Disable { direction, until } => {
                let disabled = Policy { enabled: false, ..self.policy(direction)?.clone() };
                self.set_policy(direction, disabled, true)?;
                self.schedule(until, Event::Enable { direction });
            }
            Script::Close { scid } => self.close_channel(scid)?,
            Script::HoldSet { payment_hash, until } => {
                self.holds.insert(payment_hash, until);
            }
            Script::LoseOutcome { key } => {
                self.ours.lost.insert(key);
            }
            Script::AnswerUnknown { key, times } => {
                self.ours.unknown_answers.insert(key, times);
            }
            Script::Overspend { key, excess_msat } => {
                self.ours.overspends.insert(key, excess_msat);
            }
            Script::FailThenPay { key, until } => {
                self.ours.denials.insert(key, until);
            }
            Script::TellLate { until } => self.ours.late.next.push_back(until),
            Script::LoseReplies { times } => self.ours.late.lost_replies += times,
            Script::SeeLate { blocks, until } => self.find_unseen(blocks, until),
            Script::RestartUs { at } => self.schedule(at, Event::RestartUs),
        }
        Ok(())
    }

    /// The number of a node that is not ours.
    fn other(&self, node: NodeId) -> Result<usize, SimError> {
        let node = self.number(node)?;
        if node == self.ours.node { Err(SimError::OurOwnNode) } else { Ok(node) }
    }

    fn tricks(&mut self, node: NodeId) -> Result<&mut Tricks, SimError> {
        let node = self.other(node)?;
        Ok(&mut self.peers[node].tricks)
    }
}

#[cfg(test)]
mod tests;
