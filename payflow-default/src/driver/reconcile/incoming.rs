//! What came in before the backup, and what became of it since.
//!
//! An HTLC that the node does not show was answered since the backup, or is gone. Of a set that was
//! being settled the word is said again, and its end is booked before the channels are compared. A
//! set that waited is given up: what it brought is in the balances. These are asked for once its
//! HTLCs are off their channels: until then what was settled is in no balance. Where one of them
//! was settled, its payer has the preimage, and the rest of the set is settled too.

use crate::driver::{ASK_AGAIN_MS_FIRST, Driver};
use ecs_core::{EntityId, Systems, Write};
use ecs_systems::{
    components::{Htlc, HtlcJoined, Refusing, SetClaimed, SetReceived, SetSettling, Settled},
    effects::SettleHtlcs,
    port::{HtlcId, NodeRequest, Offered, PayeeFailure, ReceiptsBook, Verdict},
    replies,
    units::{Preimage, ShortChannelId},
};
use std::collections::BTreeSet;

/// What is said of an HTLC that nobody had decided on at the backup, and that no longer waits: the
/// answer tells what was decided since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Probe {
    /// Given back: the first word. It changes nothing where another was given.
    GiveBack(EntityId),
    /// Taken: the node has another word on it, or its payer has the preimage.
    Take(EntityId, Preimage),
}

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
        let mut words: BTreeSet<HtlcId> = left.flatten().collect();
        let waited = self.waiting().into_iter();
        let all = waited.flat_map(|it| self.htlcs_of(it).into_iter().map(move |htlc| (htlc, it)));
        let probes: Vec<(HtlcId, EntityId)> =
            all.filter(|(htlc, _)| !shown.contains(htlc)).collect();
        words.extend(probes.iter().map(|(htlc, _)| *htlc));
        if let Some(asked) = &mut self.asked {
            asked.words.clone_from(&words);
            asked.probes = probes.into_iter().map(|(it, of)| (it, Probe::GiveBack(of))).collect();
        }
        self.say_all(words);
        self.ask_on();
    }

    /// An HTLC is off its channel.
    pub(in crate::driver) fn hear_resolved(&mut self, htlc: HtlcId, settled: bool) {
        let Some(asked) = &mut self.asked else { return };
        if !asked.words.remove(&htlc) {
            return;
        }
        asked.resolved.insert(htlc, settled);
        let probe = asked.probes.remove(&htlc).filter(|_| settled);
        if let Some(Probe::GiveBack(set) | Probe::Take(set, _)) = probe {
            self.take_rest_of(set);
        }
        if self.asked.as_ref().is_some_and(|asked| asked.words.is_empty()) {
            self.ask_on();
        }
    }

    /// Takes what is left of a set that was released since the backup.
    fn take_rest_of(&mut self, set: EntityId) {
        let Some(preimage) = self.preimage_of(set) else { return };
        let htlcs = self.htlcs_of(set);
        let Some(asked) = &mut self.asked else { return };
        let left = htlcs.into_iter().filter(|htlc| !asked.resolved.contains_key(htlc));
        let left: Vec<HtlcId> = left.collect();
        for htlc in &left {
            asked.words.insert(*htlc);
            asked.probes.insert(*htlc, Probe::Take(set, preimage));
        }
        self.say_all(left);
    }

    /// What is said of an HTLC while it is probed.
    pub(in crate::driver) fn probe_of(&self, htlc: HtlcId) -> Option<NodeRequest> {
        let failcode = PayeeFailure::DETAILS.code();
        match *self.asked.as_ref()?.probes.get(&htlc)? {
            Probe::GiveBack(_) => Some(NodeRequest::FailHtlc { htlc, failcode }),
            Probe::Take(_, preimage) => Some(NodeRequest::SettleHtlc { htlc, preimage }),
        }
    }

    /// The node refuses to give an HTLC back: it has the other word on it, or doesn't know it any
    /// more. Whether there is another word to be said.
    pub(in crate::driver) fn probe_on(&mut self, htlc: HtlcId) -> bool {
        let probes = self.asked.as_ref().map(|asked| &asked.probes);
        let Some(Probe::GiveBack(set)) = probes.and_then(|it| it.get(&htlc)).copied() else {
            return false;
        };
        let Some(preimage) = self.preimage_of(set) else { return false };
        if let Some(asked) = &mut self.asked {
            asked.probes.insert(htlc, Probe::Take(set, preimage));
        }
        self.say(htlc);
        true
    }

    /// The preimage that a set is settled with, where its receipt has one.
    fn preimage_of(&self, set: EntityId) -> Option<Preimage> {
        let received = self.engine.get::<SetReceived>(set).map(|it| &it.0);
        let first = received.and_then(|it| it.htlcs.first()).map_or(set, |first| first.entity);
        let at = received.map_or(self.now, |received| received.first_at);
        let Htlc(htlc) = self.engine.get(first)?;
        let offered = Offered {
            payment_hash: htlc.payment_hash,
            amount_msat: htlc.total_msat,
            total_msat: htlc.total_msat,
            payment_secret: htlc.payment_secret,
        };
        match self.engine.resource::<ReceiptsBook>()?.0.judge(&offered, at) {
            Verdict::Settle(preimage) => Some(preimage),
            Verdict::Refuse(_) => None,
        }
    }

    /// Books the sets whose HTLCs are all off their channels, and gives up those of which an HTLC
    /// was answered that the books have as waiting.
    pub(super) fn book_incoming(&mut self) {
        let Some(asked) = &self.asked else { return };
        let (shown, resolved) = (asked.shown.clone(), asked.resolved.clone());
        for set in self.settling_sets() {
            let htlcs = self.htlcs_of(set);
            if !htlcs.iter().all(|htlc| resolved.contains_key(htlc)) {
                continue;
            }
            let outstanding = self.engine.outstanding(set).iter();
            let mut claims = outstanding.filter(|it| it.read::<SettleHtlcs>().is_some());
            let Some(effect) = claims.next().map(|effect| effect.id) else { continue };
            let lost = htlcs.into_iter().filter(|htlc| resolved.get(htlc) == Some(&false));
            self.answer(set, effect, &replies::set_claimed(lost.collect()));
        }
        self.begin(self.now);
        for entity in self.waiting() {
            if self.htlcs_of(entity).iter().any(|htlc| !shown.contains(htlc)) {
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
