//! Going on after a crash: the state is back, what was under way outside is asked about.

use super::Driver;
use ecs_core::{Effect, EffectBody, EffectClass, Error, Snapshot, Systems};
use ecs_systems::{
    effects::{OfferPart, SettleHtlcs},
    methods::forget_passing,
    port::NodeRequest,
    units::Timestamp,
};

impl Driver {
    /// Takes a state back and goes on with it.
    ///
    /// # Errors
    /// The state has Components that this engine doesn't know.
    pub fn recover(&mut self, snapshot: &Snapshot, now: Timestamp) -> Result<(), Error> {
        self.engine.restore(snapshot)?;
        self.resume(now);
        Ok(())
    }

    /// Goes on with the state that the engine was brought to: parts are asked about and never
    /// simply resent, plans are made again, questions are asked again, timers run on, and every
    /// Entity is advanced. The books are those of the state; only channels that they don't know are
    /// opened. HTLCs that wait for our word are asked for: those that were judged are answered as
    /// before.
    ///
    /// Where the books are a backup's, the node is asked what happened since before any of that:
    /// see [`Driver::reconciliation`].
    pub fn resume(&mut self, now: Timestamp) {
        self.recall_lessons();
        self.judge_books();
        if self.intake().reconciling {
            return self.begin_reconciling(now);
        }
        self.go_on(now);
    }

    /// Goes on, where the books know what the node knows, or all of it that can be learned now.
    pub(super) fn go_on(&mut self, now: Timestamp) {
        self.begin(now);
        forget_passing(&mut self.engine);
        self.engine.resume_invocations();
        let entities = self.engine.entities();
        let outstanding = entities.iter().map(|entity| self.engine.outstanding(*entity).to_vec());
        let effects: Vec<Effect> = outstanding.flatten().collect();
        self.know_htlcs();
        self.know_late_words();
        self.find_finished();
        for effect in effects {
            // What began in this start, before its record is kept, is done once that is.
            if !self.gate.as_ref().is_some_and(|gate| gate.holds(&effect)) {
                self.take_up(effect);
            }
        }
        self.find_orphans();
        self.list_incoming();
        for entity in self.engine.entities() {
            if self.engine.get::<Systems>(entity).is_some() {
                self.engine.wake(entity);
            }
        }
        self.engine.run();
        self.perform_effects();
    }

    /// An effect that was under way: whether it left is unknown.
    fn take_up(&mut self, effect: Effect) {
        if effect.class == EffectClass::Reply && effect.kind == OfferPart::KIND {
            let Some(OfferPart(part)) = effect.read() else { return };
            self.await_part(part.key, effect.entity, effect.id);
            self.offer(NodeRequest::AskPart(part.key));
        } else if let Some(SettleHtlcs { htlcs }) = effect.read() {
            self.take_up_claim(&effect, &htlcs);
        } else {
            self.perform(effect);
        }
    }
}
