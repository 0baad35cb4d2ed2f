//! Taking what the node tells.

use super::{ASK_AGAIN_MS_FIRST, Driver, Question};
use ecs_core::{EffectId, EntityId, Json, Write};
use ecs_systems::{
    components::{Part, PartFailure},
    effects::OfferPart,
    pay::send::send_part::may_still_leave,
    policy::GraphView,
    port::{
        Books, Failure, LedgerEntry, NodeError, NodeEvent, NodeReply, NodeRequest, PartKey,
        PartStatus, RequestId,
    },
    records::ledger_record,
    replies::{self, PartReply},
    units::{Msat, ShortChannelId},
};

impl Driver {
    pub(super) fn take_event(&mut self, event: NodeEvent) {
        let Some(event) = self.hear_while_asking(event) else { return };
        match event {
            NodeEvent::Reply { id, reply } => self.take_reply(id, reply),
            NodeEvent::Part { key, status } => self.take_part(key, status),
            NodeEvent::Incoming(htlc) => self.take_incoming(htlc),
            NodeEvent::HtlcResolved { htlc, settled } => self.take_resolved(htlc, settled),
            NodeEvent::ViewChanged => {
                self.refresh_view();
                self.ask_for_new_channels();
            }
            NodeEvent::GraphChanged(deltas) => {
                // Where nobody else has the graph, the planner need not copy it.
                self.engine.insert_resource(GraphView::default());
                self.planner.patch(&deltas);
                self.refresh_graph();
            }
        }
    }

    fn take_reply(&mut self, id: RequestId, reply: Result<NodeReply, NodeError>) {
        if let Some(signing) = self.signings.remove(&id) {
            // An invoice that nobody waits for any more is not issued.
            self.forget_who_is_gone();
            let signed = reply.and_then(as_invoice);
            return self.command(self.now, |engine| signing.signed(engine, signed));
        }
        match self.questions.remove(&id) {
            Some(Question::Decode { entity, effect }) => {
                self.answer(entity, effect, &replies::decoded(reply.and_then(as_fields)));
            }
            Some(Question::Preapprove { entity, effect }) => {
                self.answer(entity, effect, &replies::preapproved(reply.map(|_| ())));
            }
            Some(Question::Parts) => self.take_parts_listed(reply),
            Some(Question::BalancesNow) => self.take_balances_now(reply),
            // The books of a backup are opened once what happened since is known.
            Some(Question::Balances) if self.asked.is_some() => {}
            Some(Question::Balances) => match reply {
                Ok(NodeReply::Balances { channels, .. }) => self.open_channels(&channels),
                other => {
                    tracing::error!(target: "payflow::driver", ?other, "no balances: asked again");
                    self.open_books_at = Some(self.now.after_ms(ASK_AGAIN_MS_FIRST));
                }
            },
            Some(Question::Incoming) => self.take_incoming_listed(reply.is_ok()),
            Some(Question::Word(htlc)) => self.take_word_heard(htlc, reply.map(|_| ())),
            None => {}
        }
    }

    pub(super) fn answer(&mut self, entity: EntityId, effect: EffectId, writes: &[Write]) {
        self.begin(self.now);
        self.reply(entity, effect, writes);
    }

    pub(super) fn is_booked(&self, channel: ShortChannelId) -> bool {
        self.engine.resource::<Books>().is_some_and(|books| books.0.has_channel(channel))
    }

    /// Asks for the balances where our node has a channel that the books don't know, unless that is
    /// under way.
    fn ask_for_new_channels(&mut self) {
        let mut channels = self.node.view().channels.iter();
        let asked = self.open_books_at.is_some()
            || self.questions.values().any(|it| *it == Question::Balances);
        if !asked && channels.any(|it| !self.is_booked(it.short_channel_id)) {
            self.ask(Question::Balances, NodeRequest::Balances);
        }
    }

    /// Opens the channels that the books don't know with what is ours in each. Until then nothing
    /// is sent over them, so that what is ours there is what the node says.
    fn open_channels(&mut self, channels: &[(ShortChannelId, Msat)]) {
        self.begin(self.now);
        for (short_channel_id, amount_msat) in channels.iter().copied() {
            if self.is_booked(short_channel_id) {
                continue;
            }
            let entry = LedgerEntry::Opening { short_channel_id, amount_msat };
            if let Err(error) = self.engine.keep_records(&[ledger_record(&entry)]) {
                tracing::error!(
                    target: "payflow::ledger", %short_channel_id, %error, "channel not opened"
                );
            }
        }
        self.perform_effects();
    }

    fn take_part(&mut self, key: PartKey, status: PartStatus) {
        let Some((entity, effect)) = self.parts.get(&key).copied() else {
            if self.take_orphan(key, &status) {
                return;
            }
            return self.take_late(key, &status);
        };
        let Some(part) = self.engine.get::<Part>(entity).cloned() else { return };
        let is_known = status != PartStatus::Unknown;
        match replies::part_status(&part, status) {
            PartReply::Final(writes) => {
                self.parts.remove(&key);
                self.asking.forget(&key);
                self.answer(entity, effect, &writes);
            }
            PartReply::Wait => {}
            PartReply::AskAgain => self.asking.ask_later(key, self.now),
            PartReply::OfferAgain => self.offer_again(key, entity, effect, &part),
        }
        if is_known {
            self.note_known(&key);
        }
    }

    /// The node never had the part. Where the same part twice is one HTLC and its payment still
    /// goes on, it is offered again; elsewhere it counts as failed, and its amount remains to be
    /// paid.
    fn offer_again(&mut self, key: PartKey, entity: EntityId, effect: EffectId, part: &Part) {
        let outstanding = self.engine.outstanding(entity).iter();
        let offer = outstanding.filter(|other| other.id == effect).find_map(ecs_core::Effect::read);
        match offer {
            Some(OfferPart(offer))
                if self.node.view().capabilities.idempotent_parts
                    && may_still_leave(&self.engine, entity, self.now.0) =>
            {
                self.offer(NodeRequest::SendPart(offer));
            }
            _ => {
                self.parts.remove(&key);
                self.asking.forget(&key);
                let failure = Failure::never_arrived(&part.0.route);
                self.answer(entity, effect, &[Write::here().attach(&PartFailure(failure))]);
            }
        }
    }

    pub(super) fn ask_again(&mut self) {
        self.ask_on_if_due();
        if self.open_books_at.is_some_and(|at| at <= self.now) {
            self.open_books_at = None;
            self.ask(Question::Balances, NodeRequest::Balances);
        }
        if self.list_incoming_at.is_some_and(|at| at <= self.now) {
            self.list_incoming();
        }
        self.judge_words_again();
        for htlc in self.words.take_due(self.now) {
            self.say_once_kept(htlc);
        }
        for part in self.asking.take_due(self.now) {
            self.offer(NodeRequest::AskPart(part));
        }
    }
}

/// The invoice that the node has signed.
fn as_invoice(reply: NodeReply) -> Result<String, NodeError> {
    match reply {
        NodeReply::Invoice(invoice) => Ok(invoice),
        NodeReply::Done
        | NodeReply::Parts(_)
        | NodeReply::Decoded(_)
        | NodeReply::Preapproved
        | NodeReply::Balances { .. } => Err(bad("the answer belongs to another question")),
    }
}

fn bad(what: &str) -> NodeError {
    NodeError::Transport { message: what.to_owned() }
}

/// The fields of the node's `decode`.
fn as_fields(reply: NodeReply) -> Result<Json, NodeError> {
    match reply {
        NodeReply::Decoded(text) => Json::parse(&text).map_err(|error| bad(&error.to_string())),
        NodeReply::Done
        | NodeReply::Parts(_)
        | NodeReply::Invoice(_)
        | NodeReply::Preapproved
        | NodeReply::Balances { .. } => Err(bad("the answer belongs to another question")),
    }
}
