//! Doing what Systems ask for.

use super::{
    Driver, Job, JobId, Question,
    gate::{Gate, Held},
    log::log_notice,
    receive::Claiming,
};
use ecs_core::{Effect, EffectBody, EffectClass, EffectId, EntityId, Invoke, Write};
use ecs_systems::{
    effects::{
        AskSigner, ChooseRoutes, DecodeByNode, HEIGHT_TIMER, HOLD_TIMER, OfferPart, RefuseHtlcs,
        SettleHtlcs,
    },
    methods::take_signings,
    planner::{LocalChannel, NoPlan, Plan, PlanRequest},
    port::{Books, Ends, NodeRequest, NodeView, PartKey, RequestId},
    replies,
    units::Timestamp,
};

impl Driver {
    /// Does everything the engine has asked for, in order; where a journal is kept, once it has the
    /// record.
    pub(super) fn perform_effects(&mut self) {
        self.note_finished();
        self.ask_for_signatures();
        let effects = self.engine.take_effects();
        let mut delta = self.engine.take_delta();
        let effects = self.learn_of(effects, delta.as_mut());
        let (ended, deliveries) = (self.ends(), self.engine.take_deliveries());
        let dismissed = self.engine.take_dismissed();
        let Some(gate) = &mut self.gate else {
            for effect in effects {
                self.perform(effect);
            }
            self.deliver(deliveries);
            self.dismiss(dismissed);
            self.ended = ended;
            return;
        };
        gate.add(&self.engine, delta, effects);
        gate.hold_deliveries(deliveries);
        gate.hold_dismissed(dismissed);
        gate.hold_ends(ended);
        self.perform_kept();
    }

    /// The cursor of the last event that may be told of: each up to it is kept, and can
    /// be read from the ledger.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.ended
    }

    /// The cursor of the last event that is in the books.
    pub(super) fn ends(&self) -> u64 {
        let entries = self.engine.resource::<Books>().map_or(0, |books| books.0.entries());
        self.engine.resource::<Ends>().copied().unwrap_or_default().cursor(entries)
    }

    /// Does what waited for its record, as far as records are kept.
    pub(super) fn perform_kept(&mut self) {
        while let Some(held) = self.gate.as_mut().and_then(Gate::next) {
            match held {
                Held::Effects(effects) => {
                    for effect in effects {
                        self.perform(effect);
                    }
                }
                Held::Deliveries(deliveries) => self.deliver(deliveries),
                Held::Dismissed(dismissed) => self.dismiss(dismissed),
                Held::Word(htlc, word) => self.say_kept(htlc, &word),
                Held::Answer(answer) => answer(),
                Held::Ended(cursor) => self.ended = cursor,
            }
        }
    }

    pub(super) fn perform(&mut self, effect: Effect) {
        let (entity, id) = (effect.entity, effect.id);
        if [HOLD_TIMER, HEIGHT_TIMER].contains(&effect.kind.as_str()) {
            self.wait_for_height(&effect);
        } else if let EffectClass::Timer { at_ms, .. } = effect.class {
            self.timers.insert((Timestamp(at_ms), entity, id));
        } else if let Some(DecodeByNode { invoice }) = effect.read() {
            self.ask(Question::Decode { entity, effect: id }, NodeRequest::Decode(invoice));
        } else if let Some(AskSigner(question)) = effect.read() {
            let request = NodeRequest::Preapprove(question);
            self.ask(Question::Preapprove { entity, effect: id }, request);
        } else if let Some(ChooseRoutes(request)) = effect.read() {
            let local = self.local_channels();
            let run = self.planner.prepare(PlanRequest { local, ..request });
            self.jobs.push(Job { id: JobId { entity, effect: id }, run });
        } else if let Some(OfferPart(part)) = effect.read() {
            self.await_part(part.key, entity, id);
            self.offer(NodeRequest::SendPart(part));
        } else if let Some(SettleHtlcs { htlcs }) = effect.read() {
            self.claims.insert(entity, Claiming::of(id, &htlcs));
            self.say_all(htlcs);
        } else if let Some(RefuseHtlcs { htlcs }) = effect.read() {
            self.say_all(htlcs);
        } else if effect.kind == Invoke::KIND
            && let Some(announce) = &mut self.announcer
        {
            announce(effect.body);
        } else {
            debug_assert!(is_notice(&effect), "nobody does `{}`", effect.kind);
            log_notice(&effect);
            self.notices.push_back((effect, self.ended));
        }
    }

    /// From now on the part's outcome is waited for, and asked for if nothing is heard of it.
    pub(super) fn await_part(&mut self, key: PartKey, entity: EntityId, effect: EffectId) {
        self.parts.insert(key, (entity, effect));
        self.asking.watch(key, self.now);
    }

    /// Takes what came of a job.
    pub fn finish_plan(&mut self, now: Timestamp, job: JobId, plan: Result<Plan, NoPlan>) {
        let made = plan.as_ref().ok().cloned();
        self.reply_plan(now, job, made.as_ref(), &replies::planned(plan));
    }

    /// The same, of which another thread has made the reply. A plan that lessons have overtaken is
    /// made again.
    pub(crate) fn reply_plan(
        &mut self,
        now: Timestamp,
        job: JobId,
        made: Option<&Plan>,
        reply: &[Write],
    ) {
        if made.is_some_and(|plan| self.planner.is_overtaken(plan, now.max(self.now))) {
            let entity = job.entity;
            let mut asked = self.engine.outstanding(entity).iter();
            if let Some(question) = asked.find(|effect| effect.id == job.effect).cloned() {
                tracing::debug!(target: "payflow::plan", %entity, "plan overtaken");
                self.perform(question);
            }
            return;
        }
        self.begin(now);
        self.reply(job.entity, job.effect, reply);
    }

    /// Our channels as plans may use them now.
    fn local_channels(&self) -> Vec<LocalChannel> {
        let books = self.engine.resource::<Books>().expect("an engine with a flow has books");
        let view = self.engine.resource::<NodeView>().expect("the driver puts it there");
        view.channels_in(books, |_| true)
    }

    /// Has the node sign invoices. Nothing of them is kept before they are signed.
    fn ask_for_signatures(&mut self) {
        for signing in take_signings(&mut self.engine) {
            let request = NodeRequest::SignInvoice(signing.draft().clone());
            self.signings.insert(RequestId(self.next_request), signing);
            self.offer(request);
        }
    }

    pub(super) fn fire_timers(&mut self) {
        while let Some((at, entity, effect)) = self.timers.first().copied() {
            if at > self.now {
                return;
            }
            self.timers.pop_first();
            self.begin(self.now);
            if let Err(error) = self.engine.fire_timer(entity, effect) {
                tracing::error!(target: "payflow::driver", %entity, %error, "own timer refused");
            }
            self.perform_effects();
        }
    }

    /// Submits a request under the next number.
    pub(super) fn offer(&mut self, request: NodeRequest) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.node.submit(id, request, self.now);
    }
}

fn is_notice(effect: &Effect) -> bool {
    effect.class == EffectClass::Notice && effect.kind != RefuseHtlcs::KIND
}
