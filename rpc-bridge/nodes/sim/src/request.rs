//! What our node answers to each request.

use crate::{invoice, ours::OurPart, settings::Signer, state::State};
use ecs_systems::{
    port::{
        FailureCode, InvoiceDraft, NodeError, NodeEvent, NodeReply, NodeRequest, PartRecord,
        PartStatus, Preapproval, RequestId,
    },
    units::{Msat, ShortChannelId},
};

/// Core Lightning's code for a payment that the signer vetoes.
const VETOED: i32 = 302;
/// Core Lightning's code for a request that makes no sense.
const INVALID: i32 = -32_602;

impl State {
    /// Does what is asked; the answer is an event.
    pub(crate) fn serve(&mut self, id: RequestId, request: NodeRequest) {
        let done = |result: Result<(), NodeError>| result.map(|()| NodeReply::Done);
        let reply = match request {
            NodeRequest::SendPart(part) => {
                if let Err(refused) = self.send_part(part) {
                    let reply = self.maybe_lost(Err(refused));
                    self.tell(NodeEvent::Reply { id, reply });
                }
                return;
            }
            NodeRequest::AskPart(key) => {
                let status = self.status_of(key);
                return self.tell(NodeEvent::Part { key, status });
            }
            NodeRequest::ListIncoming => {
                self.replay_incoming();
                Ok(NodeReply::Done)
            }
            NodeRequest::ListParts { after, limit } => {
                Ok(NodeReply::Parts(self.parts_after(after, limit)))
            }
            NodeRequest::SettleHtlc { htlc, preimage } => done(self.answer(htlc, Ok(preimage))),
            NodeRequest::FailHtlc { htlc, failcode } => done(self.answer(htlc, Err(failcode))),
            NodeRequest::ContinueHtlc(htlc) => {
                let unknown = FailureCode::IncorrectOrUnknownPaymentDetails;
                done(self.answer(htlc, Err(unknown)))
            }
            NodeRequest::SignInvoice(draft) => self.sign(&draft).map(NodeReply::Invoice),
            NodeRequest::Decode(text) => self.decode(&text),
            NodeRequest::Preapprove(wish) => self.preapprove(&wish),
            NodeRequest::Balances => {
                self.tell_all_held();
                let (height, _) = self.seen_height();
                Ok(NodeReply::Balances { height, channels: self.our_balances() })
            }
        };
        let reply = self.maybe_lost(reply);
        self.tell(NodeEvent::Reply { id, reply });
    }

    fn parts_after(&self, after: u64, limit: u32) -> Vec<PartRecord> {
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = self.ours.order.range(after.saturating_add(1)..).map(|(_, key)| key).take(take);
        page.map(|key| {
            let OurPart { record, .. } = &self.ours.parts[key];
            let is_unknown = self.ours.unknown_answers.get(key).is_some_and(|times| *times > 0);
            let status = if is_unknown { PartStatus::Unknown } else { record.status.clone() };
            PartRecord { status, ..record.clone() }
        })
        .collect()
    }

    fn sign(&self, draft: &InvoiceDraft) -> Result<String, NodeError> {
        let secret = &self.peers[self.ours.node].key.secret;
        invoice::sign(draft, true, self.settings.network, &self.secp, secret)
            .map_err(|why| NodeError::Refused { code: INVALID, message: why.to_string() })
    }

    fn decode(&self, text: &str) -> Result<NodeReply, NodeError> {
        if self.settings.decodes.is_empty() {
            return Err(NodeError::Unsupported { what: "decode".to_owned() });
        }
        let fields = self.settings.decodes.get(text).cloned().map(NodeReply::Decoded);
        let message = "nothing that the node can decode".to_owned();
        fields.ok_or(NodeError::Refused { code: INVALID, message })
    }

    fn preapprove(&self, wish: &Preapproval) -> Result<NodeReply, NodeError> {
        match self.settings.signer {
            Signer::None => Err(NodeError::Unsupported { what: "preapprove".to_owned() }),
            Signer::UpTo(most) if wish.amount_msat <= most => Ok(NodeReply::Preapproved),
            Signer::UpTo(most) => {
                let message = format!("the signer approves of {most} at most");
                Err(NodeError::Refused { code: VETOED, message })
            }
        }
    }

    /// What is ours in each of our channels, HTLCs not counted.
    pub(crate) fn our_balances(&self) -> Vec<(ShortChannelId, Msat)> {
        let ours = self.peers[self.ours.node].channels.iter().map(|index| &self.channels[*index]);
        ours.map(|channel| {
            let side = usize::from(channel.sides[1].node == self.ours.node);
            (channel.scid, channel.sides[side].balance)
        })
        .collect()
    }
}
