//! What came in before the backup, and what became of it since.
//!
//! An HTLC that the node does not show was answered since the backup, or is gone. Of a set that was
//! being settled the word is said again, and its end is booked before the channels are compared. A
//! set that waited is given up: what it brought is in the balances.

use crate::driver::{ASK_AGAIN_MS_FIRST, Driver};
use ecs_core::{EntityId, Systems, Write};
use ecs_systems::{
    components::{Htlc, HtlcJoined, Refusing, SetClaimed, SetReceived, SetSettling, Settled},
    effects::SettleHtlcs,
    port::{HtlcId, PayeeFailure},
    replies,
    units::ShortChannelId,
};
use std::collections::BTreeSet;

impl Driver {
    /// Every HTLC that waits for our word has been shown, or the answer was lost. Sets of which
    /// something is not shown have let their preimage go: the rest gets it, too.
    pub(in crate::driver) fn take_shown(&mut self, listed: bool) {
        let now = self.now;
        let Some(asked) = &mut self.asked else { return };
        if !listed {
            asked.again_at = Some(now.after_ms(ASK_AGAIN_MS_FIRST));
            return;
        }
        asked.incoming_listed = true;
        let shown = asked.shown.clone();
        let settling = self.settling_sets().into_iter().map(|set| self.htlcs_of(set));
        let left = settling.filter(|htlcs| htlcs.iter().any(|htlc| !shown.contains(htlc)));
        let words: BTreeSet<HtlcId> = left.flatten().collect();
        if let Some(asked) = &mut self.asked {
            asked.words.clone_from(&words);
        }
        self.say_all(words);
        self.ask_on();
    }

    /// An HTLC is off its channel.
    pub(in crate::driver) fn hear_resolved(&mut self, htlc: HtlcId, settled: bool) {
        let Some(asked) = &mut self.asked else { return };
        if asked.words.remove(&htlc) {
            asked.resolved.insert(htlc, settled);
            if asked.words.is_empty() {
                self.ask_on();
            }
        }
    }

    /// Books the sets whose HTLCs are all off their channels, and gives up those of which an HTLC
    /// was answered that the books have as waiting.
    pub(super) fn book_incoming(&mut self, asked: &super::Asked) {
        for set in self.settling_sets() {
            let htlcs = self.htlcs_of(set);
            if !htlcs.iter().all(|htlc| asked.resolved.contains_key(htlc)) {
                continue;
            }
            let outstanding = self.engine.outstanding(set).iter();
            let mut claims = outstanding.filter(|it| it.read::<SettleHtlcs>().is_some());
            let Some(effect) = claims.next().map(|effect| effect.id) else { continue };
            let lost = htlcs.into_iter().filter(|htlc| asked.resolved.get(htlc) == Some(&false));
            self.answer(set, effect, &replies::set_claimed(lost.collect()));
        }
        self.begin(self.now);
        for entity in self.waiting() {
            if self.htlcs_of(entity).iter().any(|htlc| !asked.shown.contains(htlc)) {
                self.write(&[Write::to(entity).attach(&Refusing(PayeeFailure::DETAILS))]);
                self.engine.wake(entity);
            }
        }
        self.engine.run();
        self.perform_effects();
    }

    /// The channels on which something is being settled.
    pub(super) fn settling_in(&self) -> BTreeSet<ShortChannelId> {
        let htlcs = self.settling_sets().into_iter().flat_map(|set| self.htlcs_of(set));
        htlcs.map(|htlc| htlc.short_channel_id).collect()
    }

    /// The sets over channels whose preimage leaves.
    fn settling_sets(&self) -> Vec<EntityId> {
        let engine = &self.engine;
        let settles = |id: &EntityId| {
            engine.get::<SetSettling>(*id).is_some()
                && engine.get::<SetClaimed>(*id).is_none()
                && engine.get::<Settled>(*id).is_none()
        };
        engine.entities().into_iter().filter(settles).collect()
    }

    /// The sets that wait, for HTLCs or for a decision, and the HTLCs that are in no set.
    fn waiting(&self) -> Vec<EntityId> {
        let engine = &self.engine;
        let waits = |id: &EntityId| {
            engine.get::<Systems>(*id).is_some()
                && engine.get::<SetSettling>(*id).is_none()
                && engine.get::<Refusing>(*id).is_none()
                && engine.get::<HtlcJoined>(*id).is_none()
        };
        engine.entities().into_iter().filter(waits).collect()
    }

    /// The HTLCs of a set over channels, or the one that an Entity is.
    fn htlcs_of(&self, entity: EntityId) -> Vec<HtlcId> {
        let set = self.engine.get::<SetReceived>(entity).map(|it| it.0.htlcs.iter());
        let of_set = set.into_iter().flatten().map(|htlc| htlc.htlc);
        of_set.chain(self.engine.get::<Htlc>(entity).map(|htlc| htlc.0.htlc)).collect()
    }
}
