//! What changes a network from outside, as it is written down: the same inputs at the same moments
//! make the same network.

use crate::{
    channel::Changed,
    error::SimError,
    made::Blueprint,
    remote::{RemotePart, Sale},
    script::Script,
    state::State,
};
use ecs_systems::{
    port::{NodeRequest, PartKey, RequestId, SendPart},
    units::{
        BlockHeight, ChannelDirection, Msat, NodeId, PaymentSecret, ShortChannelId, Timestamp,
    },
};
use payecs_planner::{GraphDelta, Hop, Policy, Route};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A record of the network's log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record<'a> {
    /// The moment it happened at: all that is due by then happened before, in milliseconds.
    pub(crate) now_ms: u64,
    pub(crate) input: Input<'a>,
}

/// What happened.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Input<'a> {
    /// The log begins: what the network was made from.
    Made(Cow<'a, Blueprint>),
    /// The log was opened once more.
    Opened,
    /// Time passed.
    Tick,
    /// So many of the events that were due were taken.
    Took(usize),
    Connect,
    Restart,
    Send {
        id: RequestId,
        part: Sent<'a>,
    },
    Ask {
        id: RequestId,
        request: Cow<'a, NodeRequest>,
    },
    Sold(Cow<'a, Sale>),
    PayUs {
        from: NodeId,
        part: Cow<'a, RemotePart>,
    },
    PayInvoice {
        from: NodeId,
        invoice: Cow<'a, str>,
        parts: u32,
    },
    SendRemote {
        part: Cow<'a, RemotePart>,
        route: Cow<'a, Route>,
    },
    Script(Cow<'a, Script>),
    Policy {
        direction: ChannelDirection,
        policy: Cow<'a, Policy>,
        announce: bool,
    },
    Close(ShortChannelId),
}

/// What of a part counts for the network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sent<'a> {
    key: PartKey,
    hops: Cow<'a, [Hop]>,
    height: BlockHeight,
    total: Msat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<PaymentSecret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Cow<'a, str>>,
}

impl<'a> Input<'a> {
    /// A request of the engine.
    pub(crate) fn of_request(id: RequestId, request: &'a NodeRequest) -> Self {
        let NodeRequest::SendPart(part) = request else {
            return Self::Ask { id, request: Cow::Borrowed(request) };
        };
        let part = Sent {
            key: part.key,
            hops: Cow::Borrowed(&part.route.hops),
            height: part.height,
            total: part.total_msat,
            secret: part.payment_secret,
            metadata: part.payment_metadata.as_deref().map(Cow::Borrowed),
        };
        Self::Send { id, part }
    }
}

impl Record<'_> {
    /// The record as it is stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("keys are text and numbers are finite")
    }
}

impl Sent<'_> {
    fn request(self) -> NodeRequest {
        NodeRequest::SendPart(SendPart {
            key: self.key,
            route: Route { hops: self.hops.into_owned(), probability_ppm: 0 },
            height: self.height,
            total_msat: self.total,
            payment_secret: self.secret,
            payment_metadata: self.metadata.map(Cow::into_owned),
            invoice: None,
        })
    }
}

impl State {
    /// Lets happen once more what was written down. What it was answered then is of no interest
    /// now: an input that was refused is refused again.
    pub(crate) fn replay(&mut self, record: Record<'_>) {
        // The clock begins with the first word of somebody who has one, not with the log.
        let in_time = !matches!(record.input, Input::Made(_) | Input::Opened);
        if in_time {
            self.advance(Timestamp(record.now_ms));
        }
        match record.input {
            Input::Made(_) | Input::Tick => {}
            Input::Opened => self.skip_invoices(),
            Input::Took(count) => drop(self.take_told(count)),
            Input::Connect => drop(self.connect()),
            Input::Restart => self.restart(),
            Input::Send { id, part } => self.serve(id, part.request()),
            Input::Ask { id, request } => self.serve(id, request.into_owned()),
            Input::Sold(sale) => self.note_sale(sale.into_owned()),
            Input::PayUs { from, part } => drop(self.pay_us(from, part.into_owned())),
            Input::PayInvoice { from, invoice, parts } => {
                drop(self.pay_invoice(from, &invoice, parts));
            }
            Input::SendRemote { part, route } => {
                drop(self.send_along(part.into_owned(), route.into_owned()));
            }
            Input::Script(script) => drop(self.script(script.into_owned())),
            Input::Policy { direction, policy, announce } => {
                drop(self.set_policy(direction, policy.into_owned(), announce));
            }
            Input::Close(scid) => drop(self.close_channel(scid)),
        }
        if in_time {
            self.refresh_view();
        }
        self.record += 1;
    }

    /// A node's number.
    pub(crate) fn number(&self, node: NodeId) -> Result<usize, SimError> {
        self.by_id.get(&node).copied().ok_or(SimError::UnknownNode { node })
    }

    pub(crate) fn set_policy(
        &mut self,
        direction: ChannelDirection,
        policy: Policy,
        announce: bool,
    ) -> Result<(), SimError> {
        let scid = direction.scid;
        let index = *self.by_scid.get(&scid).ok_or(SimError::UnknownChannel { scid })?;
        let channel = &mut self.channels[index];
        channel.changed = Changed::Policies;
        self.view_is_old = true;
        let side = &mut channel.sides[crate::channel::side_of(direction.direction)];
        side.policy = policy.clone();
        if announce && channel.announced {
            side.gossip = Some(policy.clone());
            self.gossip(GraphDelta::PolicyChanged { direction, policy });
        }
        Ok(())
    }

    pub(crate) fn close_channel(&mut self, scid: ShortChannelId) -> Result<(), SimError> {
        let unknown = SimError::UnknownChannel { scid };
        let index = *self.by_scid.get(&scid).ok_or(unknown.clone())?;
        let channel = &mut self.channels[index];
        if std::mem::replace(&mut channel.closed, true) {
            return Err(unknown);
        }
        channel.changed = channel.changed.max(Changed::State);
        self.view_is_old = true;
        if channel.announced {
            self.gossip(GraphDelta::ChannelClosed { short_channel_id: scid });
        }
        Ok(())
    }
}
