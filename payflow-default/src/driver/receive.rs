//! HTLCs that come in. Each is an Entity of its own; our word on it is a Component, and is said
//! until the node confirms it.

use super::{ASK_AGAIN_MS_FIRST, Driver, Question};
use ecs_core::{Effect, EffectClass, EffectId, EntityId, Systems, Write, Writer};
use ecs_systems::{
    components::{
        HeightAwaited, Held, Htlc, HtlcJoined, PaidPreimage, Refused, Refusing, SetReceived,
        SetSettling,
    },
    port::{HtlcId, IncomingHtlc, NodeError, NodeRequest, PayeeFailure},
    receive::settle_set::keeps_margin,
    replies,
    units::Timestamp,
};
use std::collections::BTreeSet;

/// A set whose preimage leaves.
#[derive(Debug)]
pub(super) struct Claiming {
    effect: EffectId,
    /// Its HTLCs that are still in their channels.
    left: BTreeSet<HtlcId>,
    /// Those that are off, and not ours.
    lost: Vec<HtlcId>,
    /// After a crash, and too late to release anything: the HTLCs that the node shows as waiting
    /// for our word, while it lists them.
    shown: Option<BTreeSet<HtlcId>>,
}

impl Claiming {
    pub(super) fn of(effect: EffectId, htlcs: &[HtlcId]) -> Self {
        let left = htlcs.iter().copied().collect();
        Self { effect, left, lost: Vec::new(), shown: None }
    }
}

impl Driver {
    /// An HTLC waits for our word. One that is known is answered as before: it is never judged
    /// again.
    pub(super) fn take_incoming(&mut self, incoming: IncomingHtlc) {
        let htlc = incoming.htlc;
        if self.htlcs.contains_key(&htlc) {
            match self.shown_of(htlc) {
                Some(shown) => _ = shown.insert(htlc),
                None => self.say_once_kept(htlc),
            }
            return;
        }
        self.begin(self.now);
        let id = self.engine.new_entity();
        let list = self.engine.default_list();
        let write = Write::to(id).attach(&Htlc(incoming)).attach(list);
        if let Err(error) = self.engine.set_components(&Writer::Engine, &[write], &[]) {
            // It waits for our word until it expires, or until it is shown again.
            tracing::error!(target: "payflow::driver", ?htlc, %error, "HTLC not taken");
            return;
        }
        self.htlcs.insert(htlc, id);
        self.engine.wake(id);
        self.engine.run();
        self.perform_effects();
    }

    /// Says our word on an HTLC, if there is one, and says it again until the HTLC is off its
    /// channel. The record of the word must be kept.
    pub(super) fn say(&mut self, htlc: HtlcId) {
        if self.word_on(htlc).is_some() {
            self.words.watch(htlc, self.now);
        }
        self.say_again(htlc);
    }

    pub(super) fn say_all(&mut self, htlcs: impl IntoIterator<Item = HtlcId>) {
        for htlc in htlcs {
            self.say(htlc);
        }
    }

    /// The same for a word of which it is not known whether its record is kept: it is said once
    /// all records so far are.
    pub(super) fn say_once_kept(&mut self, htlc: HtlcId) {
        let Some(word) = self.word_on(htlc) else { return };
        match &mut self.gate {
            Some(gate) if !gate.is_synced() => gate.hold_word(htlc, word),
            _ => self.say_kept(htlc, &word),
        }
    }

    /// Says a word whose record is kept, unless there is another one by now: that leaves with what
    /// says it, behind a record of its own.
    pub(super) fn say_kept(&mut self, htlc: HtlcId, word: &NodeRequest) {
        if self.word_on(htlc).as_ref() != Some(word) {
            return;
        }
        if !self.words.is_watched(&htlc) {
            self.words.watch(htlc, self.now);
        }
        self.say_again(htlc);
    }

    /// Nothing is said while the node is asked what it shows.
    fn say_again(&mut self, htlc: HtlcId) {
        if self.shown_of(htlc).is_some() {
            return;
        }
        if let Some(request) = self.word_on(htlc) {
            self.ask(Question::Word(htlc), request);
        }
    }

    /// What the node has shown of the HTLC's set, where that decides whether it is settled.
    fn shown_of(&mut self, htlc: HtlcId) -> Option<&mut BTreeSet<HtlcId>> {
        let set = self.set_of(htlc)?;
        self.claims.get_mut(&set)?.shown.as_mut()
    }

    fn set_of(&self, htlc: HtlcId) -> Option<EntityId> {
        self.engine.get::<HtlcJoined>(*self.htlcs.get(&htlc)?).map(|joined| joined.0)
    }

    /// What its Components say that became of an HTLC.
    fn word_on(&self, htlc: HtlcId) -> Option<NodeRequest> {
        if let Some(probe) = self.probe_of(htlc) {
            return Some(probe);
        }
        if let Some(Refused(failure)) = self.engine.get(*self.htlcs.get(&htlc)?) {
            return Some(NodeRequest::FailHtlc { htlc, failcode: failure.code() });
        }
        let set = self.set_of(htlc)?;
        self.engine.get::<SetSettling>(set)?;
        let PaidPreimage(preimage) = *self.engine.get(set)?;
        Some(NodeRequest::SettleHtlc { htlc, preimage })
    }

    /// The node has heard our word, or not.
    pub(super) fn take_word_heard(&mut self, htlc: HtlcId, reply: Result<(), NodeError>) {
        match reply {
            Ok(()) => {}
            Err(NodeError::Transport { .. }) => self.words.ask_later(htlc, self.now),
            Err(NodeError::Refused { .. }) if self.probe_on(htlc) => {}
            Err(error @ (NodeError::Refused { .. } | NodeError::Unsupported { .. })) => {
                tracing::error!(target: "payflow::driver", ?htlc, %error, "our word was refused");
                self.take_resolved(htlc, false);
            }
        }
    }

    /// An HTLC is off its channel.
    pub(super) fn take_resolved(&mut self, htlc: HtlcId, settled: bool) {
        self.words.forget(&htlc);
        self.note_off(htlc);
        if self.asked.is_some() {
            return self.hear_resolved(htlc, settled);
        }
        let Some(set) = self.set_of(htlc) else { return };
        if let Some(claiming) = self.claims.get_mut(&set) {
            if claiming.left.remove(&htlc) && !settled {
                tracing::error!(target: "payflow::driver", ?htlc, "a preimage left for nothing");
                claiming.lost.push(htlc);
            }
            self.end_claim_if_whole(set);
        } else if !settled && self.is_open(set) {
            self.begin(self.now);
            let refusing = Write::to(set).attach(&Refusing(PayeeFailure::DETAILS));
            if let Err(error) = self.engine.set_components(&Writer::Engine, &[refusing], &[]) {
                tracing::error!(target: "payflow::driver", %set, %error, "own write refused");
            }
            self.engine.wake(set);
            self.engine.run();
            self.perform_effects();
        }
    }

    /// Whether a set still waits, for HTLCs or for a decision.
    fn is_open(&self, set: EntityId) -> bool {
        self.engine.get::<Systems>(set).is_some()
            && self.engine.get::<SetSettling>(set).is_none()
            && self.engine.get::<Refusing>(set).is_none()
    }

    fn end_claim_if_whole(&mut self, set: EntityId) {
        let whole = |claiming: &Claiming| claiming.left.is_empty() && claiming.shown.is_none();
        if !self.claims.get(&set).is_some_and(whole) {
            return;
        }
        if let Some(Claiming { effect, lost, .. }) = self.claims.remove(&set) {
            self.answer(set, effect, &replies::set_claimed(lost));
        }
    }

    /// Asks for the HTLCs that wait for our word.
    pub(super) fn list_incoming(&mut self) {
        self.list_incoming_at = None;
        self.ask(Question::Incoming, NodeRequest::ListIncoming);
    }

    /// Every HTLC that waits for our word has been shown, or the answer was lost.
    pub(super) fn take_incoming_listed(&mut self, listed: bool) {
        if self.asked.is_some() {
            return self.take_shown(listed);
        }
        if !listed {
            self.list_incoming_at = Some(self.now.after_ms(ASK_AGAIN_MS_FIRST));
            return;
        }
        let asked = self.claims.iter().filter(|(_, claiming)| claiming.shown.is_some());
        for set in asked.map(|(set, _)| *set).collect::<Vec<_>>() {
            self.decide_late_claim(set);
        }
    }

    /// It is too late to release a preimage: where the node shows that nothing of the set got it,
    /// the set is refused; else the rest gets it at once, as its payer has it already.
    fn decide_late_claim(&mut self, set: EntityId) {
        let Some(claiming) = self.claims.get_mut(&set) else { return };
        let shown = claiming.shown.take().unwrap_or_default();
        if claiming.lost.is_empty() && shown == claiming.left {
            let effect = claiming.effect;
            self.claims.remove(&set);
            return self.answer(set, effect, &replies::set_withdrawn());
        }
        let left = claiming.left.clone();
        self.say_all(left);
        self.end_claim_if_whole(set);
    }

    /// After a crash: the preimage of a set was to leave. Whether it did is unknown; while every
    /// margin is kept it leaves again.
    pub(super) fn take_up_claim(&mut self, effect: &Effect, htlcs: &[HtlcId]) {
        let height = self.node.view().height;
        let received = self.engine.get::<SetReceived>(effect.entity);
        if received.is_none_or(|received| keeps_margin(&received.0, height)) {
            return self.perform(effect.clone());
        }
        let claiming = Claiming::of(effect.id, htlcs);
        self.claims.insert(effect.entity, Claiming { shown: Some(BTreeSet::new()), ..claiming });
    }

    /// Finds the Entities of all HTLCs that came in.
    pub(super) fn know_htlcs(&mut self) {
        for entity in self.engine.entities() {
            if let Some(Htlc(htlc)) = self.engine.get(entity) {
                self.htlcs.insert(htlc.htlc, entity);
            }
        }
    }

    /// A hold ends at a height; what a payment waits for comes with one, or not in time.
    pub(super) fn wait_for_height(&mut self, timer: &Effect) {
        let (entity, id) = (timer.entity, timer.id);
        if let Some(Held(held)) = self.engine.get(entity) {
            self.heights.insert((held.until_height, entity, id));
        }
        if let Some(HeightAwaited(height)) = self.engine.get(entity) {
            self.heights.insert((*height, entity, id));
        }
        if let EffectClass::Timer { at_ms, .. } = timer.class
            && at_ms < u64::MAX
        {
            self.timers.insert((Timestamp(at_ms), entity, id));
        }
    }

    /// Fires the timers whose height has come.
    pub(super) fn fire_at_height(&mut self) {
        let height = self.node.view().height;
        while let Some((at, entity, effect)) = self.heights.first().copied() {
            if at > height {
                return;
            }
            self.heights.pop_first();
            self.begin(self.now);
            if let Err(error) = self.engine.fire_timer(entity, effect) {
                tracing::error!(target: "payflow::driver", %entity, %error, "own timer refused");
            }
            self.perform_effects();
        }
    }
}
