//! Making a choice come true: at once, or record by record up to a crash.

use crate::{
    callers::call,
    choice::{Choice, Outage, PartAnswer, PlanAnswer},
    guards::Guards,
    incoming::BLOCKS_RISEN,
    machine::{Breach, Fate, Machine, Pending, State, first_channel},
    said::{OVERSPENT_MSAT, decoded, status},
    world::{self, AMOUNT_MSAT},
};
use ecs_core::{
    Caller, EffectBody, EffectId, EntityId, Error, Inputs, Json, Systems, Write, Writer,
};
use ecs_systems::{
    components::{Approval, Cancel, Part, PartFailure},
    effects::{AskSigner, ChooseRoutes, DecodeByNode, OfferPart},
    port::{Failure, NodeError, Receipts},
    replies::{self, PartReply},
    units::{Msat, Timestamp},
};

/// A choice as what the engine is told.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Reply {
        entity: EntityId,
        effect: EffectId,
        writes: Vec<Write>,
    },
    /// Writes of a caller, then an advance.
    Call {
        entity: EntityId,
        writes: Vec<Write>,
    },
    /// Writes of an external System that answers, and whether its invocation is over.
    Answer {
        entity: EntityId,
        writes: Vec<Write>,
        stale: bool,
    },
    /// Writes of the engine's own, on what the node tells.
    Tell {
        entity: EntityId,
        writes: Vec<Write>,
    },
    /// The node says that it never had that part.
    NeverArrived(Pending),
    Timers,
    /// The node shows that HTLC again.
    Shown(usize),
    /// A caller calls a method.
    Method {
        name: &'static str,
        params: Json,
    },
    Nothing,
}

impl Machine {
    /// Makes a choice in a state, and answers the breach of a law that shows at once.
    pub(crate) fn choose(&mut self, state: &State, choice: &Choice) -> Result<(), Breach> {
        self.load(state);
        self.pay_for(choice);
        if let Choice::Crash(inner, records, outage) = choice {
            let mut mids = self.step_through(state, inner)?;
            if *records < mids.len() {
                let (mut mid, _) = mids.swap_remove(*records);
                mid.env.left = state.env.left.after(choice).unwrap_or(state.env.left);
                return self.crash(&mid, *outage);
            }
            return self.choose(state, inner);
        }
        let command = self.command_of(choice);
        self.execute(command)?;
        self.perform_all()
    }

    pub(crate) fn pay_for(&mut self, choice: &Choice) {
        if let Some(left) = self.env.left.after(choice) {
            self.env.left = left;
        }
    }

    pub(crate) fn execute(&mut self, command: Command) -> Result<(), Breach> {
        self.begin();
        match command {
            Command::Reply { entity, effect, writes } => {
                let replied = self.app.reply(entity, effect, &writes);
                must(replied == Ok(true), "replies are taken", || format!("{replied:?}"))
            }
            Command::Call { entity, writes } => {
                let written = self.app.set_components(&Writer::Caller, &writes, &[]);
                must(written.is_ok(), "callers may write it", || format!("{written:?}"))?;
                if self.app.get::<Systems>(entity).is_some() {
                    let _error_is_recorded = self.app.advance(entity, None);
                }
                Ok(())
            }
            Command::Answer { entity, writes, stale } => {
                let number = self.app.invocation(entity).and_then(|invoke| invoke.invocation);
                let number = number.map(|number| if stale { number + 7 } else { number });
                let answered = self.app.advance_with(entity, number, &writes, &[]);
                let refused = matches!(answered, Err(Error::StaleInvocation(_)));
                if self.app.get::<Systems>(entity).is_none() {
                    return Ok(());
                }
                must(refused == stale, "an invocation is answered once", || format!("{answered:?}"))
            }
            Command::Tell { entity, writes } => {
                let written = self.app.set_components(&Writer::Engine, &writes, &[]);
                must(written.is_ok(), "what the node tells fits", || format!("{written:?}"))?;
                self.app.wake(entity);
                self.app.run();
                Ok(())
            }
            Command::NeverArrived(pending) => {
                if let Some(OfferPart(part)) = pending.effect.read()
                    && let Some(known) = self.env.offers.get_mut(&part.key)
                {
                    known.fate = Fate::NeverArrived;
                }
                self.tell_after_crash(&pending)
            }
            Command::Timers => {
                for (at_ms, entity, effect) in self.timers() {
                    if at_ms <= self.env.now_ms || self.has_come(entity) {
                        let fired = self.app.fire_timer(entity, effect);
                        must(fired.is_ok(), "timers fire", || format!("{fired:?}"))?;
                    }
                }
                Ok(())
            }
            Command::Shown(number) => self.again(number),
            Command::Method { name, params } => {
                let inputs = Inputs { now_ms: self.env.now_ms, entropy: [7; 32] };
                let called = self.app.call(&Caller::owner(), inputs, name, Some(&params));
                must(called.is_ok(), "callers may decide", || format!("{name}: {called:?}"))
            }
            Command::Nothing => Ok(()),
        }
    }

    /// Makes a choice record by record: the states after each, the last of which rests, and the
    /// guards that were met on the way.
    pub(crate) fn step_through(
        &mut self,
        state: &State,
        choice: &Choice,
    ) -> Result<Vec<(State, Guards)>, Breach> {
        self.load(state);
        let (entity, writes, by) = match self.command_of(choice) {
            Command::Reply { entity, effect, writes } => {
                let mut snapshot = state.snapshot.clone();
                for kept in &mut snapshot.entities {
                    kept.outstanding.retain(|it| it.id != effect || kept.entity != entity);
                }
                self.app.restore(&snapshot).expect("it was taken from this engine");
                (entity, writes, Writer::Engine)
            }
            Command::Call { entity, writes } => (entity, writes, Writer::Caller),
            Command::Tell { entity, writes } => (entity, writes, Writer::Engine),
            Command::Nothing => return Ok(vec![(self.keep(), Guards::default())]),
            method @ Command::Method { .. } => {
                self.execute(method)?;
                let (asked, met) = (self.app.take_effects(), self.take_met());
                return Ok(vec![(State { asked, ..self.keep() }, met)]);
            }
            Command::Answer { .. }
            | Command::NeverArrived(_)
            | Command::Timers
            | Command::Shown(_) => {
                return Ok(Vec::new());
            }
        };
        self.begin();
        let named =
            |write: &Write| Write { entity: write.entity.or(Some(entity)), ..write.clone() };
        let writes: Vec<Write> = writes.iter().map(named).collect();
        let written = self.app.set_components(&by, &writes, &[]);
        must(written.is_ok(), "what replies write fits", || format!("{written:?}"))?;
        if !self.app.is_busy(entity) && self.app.invocation(entity).is_none() {
            self.app.wake(entity);
        }
        let mut met = Guards::default();
        let mut states = vec![(self.keep(), met)];
        let mut asked = Vec::new();
        while self.app.run_one().is_some() {
            asked.extend(self.app.take_effects());
            met = met.and(self.take_met());
            states.push((State { asked: asked.clone(), ..self.keep() }, met));
        }
        Ok(states)
    }

    /// The process dies between two records and comes back: the queue is lost, and what was asked
    /// for since, as `outage` says; parts are asked about, all is woken.
    pub(crate) fn crash(&mut self, mid: &State, outage: Outage) -> Result<(), Breach> {
        self.load(mid);
        if outage == Outage::Long {
            self.env.blocks += BLOCKS_RISEN;
            self.begin();
        }
        let lost = outage != Outage::Kept;
        self.app.begin(Inputs { now_ms: self.env.now_ms, entropy: [0; 32] });
        self.perform(&mid.asked, !lost)?;
        for entity in self.app.entities() {
            if self.app.get::<Systems>(entity).is_some() {
                self.app.wake(entity);
            }
        }
        let asked = self.pending();
        self.app.run();
        self.perform_all()?;
        if lost && let Some(key) = self.env.last_on_its_way() {
            self.env.offers.entry(key).and_modify(|open| open.fate = Fate::NeverArrived);
        }
        for pending in asked {
            self.tell_after_crash(&pending)?;
            self.take_up_claim(&pending)?;
        }
        self.show_again()?;
        if self.situation.payers.is_some() {
            self.execute(Command::Timers)?;
            self.perform_all()?;
        }
        Ok(())
    }

    /// What the node says of a part that was under way when we crashed.
    fn tell_after_crash(&mut self, pending: &Pending) -> Result<(), Breach> {
        let Some(OfferPart(part)) = pending.effect.read() else { return Ok(()) };
        let fate = self.env.offers.get(&part.key).map_or(Fate::NeverArrived, |offer| offer.fate);
        if fate != Fate::NeverArrived {
            return Ok(());
        }
        if self.situation.view.capabilities.idempotent_parts {
            let offer = crate::machine::Offer {
                amount_msat: part.route.amount().0,
                fee_msat: part.route.fee().0,
                over_msat: 0,
                channel: first_channel(&part.route),
                fate: Fate::Open,
            };
            return self.offer(part.key, offer);
        }
        let failure = Failure::never_arrived(&part.route);
        let writes = vec![Write::here().attach(&PartFailure(failure))];
        let (entity, effect) = (pending.entity, pending.effect.id);
        self.execute(Command::Reply { entity, effect, writes })?;
        self.perform_all()
    }

    fn command_of(&mut self, choice: &Choice) -> Command {
        let payment = |number: usize| self.env.payments[number];
        match choice {
            Choice::Plan(of, answer) => {
                self.reply_to(ChooseRoutes::KIND, *of, |machine, it| machine.planned(it, *answer))
            }
            Choice::Part(of, part, answer) => {
                let Some(pending) = self.pending_at(OfferPart::KIND, *of, Some(*part)) else {
                    return Command::Nothing;
                };
                match self.part_said(&pending, *answer) {
                    PartReply::Final(writes) => {
                        Command::Reply { entity: pending.entity, effect: pending.effect.id, writes }
                    }
                    PartReply::Wait | PartReply::AskAgain => Command::Nothing,
                    PartReply::OfferAgain => Command::NeverArrived(pending),
                }
            }
            Choice::Decode(of, answer) => {
                self.reply_to(DecodeByNode::KIND, *of, |_, _| decoded(*answer))
            }
            Choice::Signer(of, word) => self.reply_to(AskSigner::KIND, *of, |_, _| {
                let message = || "not this one".to_owned();
                let no = || NodeError::Refused { code: 1, message: message() };
                replies::preapproved(if *word { Ok(()) } else { Err(no()) })
            }),
            Choice::Approve(of, word) => call(payment(*of), |it| it.attach(&Approval(*word))),
            Choice::Cancel(of) => call(payment(*of), |it| it.attach(&Cancel)),
            Choice::Advance(number) => {
                Command::Call { entity: self.app.entities()[*number], writes: Vec::new() }
            }
            Choice::Arrive(of, part) => self.arrive(*of, *part),
            Choice::Resolved(number, settled) => self.resolved(*number, *settled),
            Choice::Close(cause) => self.close(*cause),
            Choice::Blocks => {
                self.env.blocks += BLOCKS_RISEN;
                let others = self.situation.payers.is_some();
                if others { Command::Timers } else { Command::Nothing }
            }
            Choice::Comes(shown) => self.comes(*shown),
            Choice::Again(number) => Command::Shown(*number),
            Choice::Decide(decision) => self.decide(*decision),
            Choice::Height => {
                self.env.blocks += 1;
                Command::Timers
            }
            Choice::Tick => {
                self.env.now_ms = self.next_moment().unwrap_or(self.env.now_ms);
                Command::Timers
            }
            Choice::Start(number) => {
                let second = self.situation.second.as_ref().filter(|_| *number > 0);
                let components = second.map_or(&self.situation.components, |it| &it.components);
                let components = components.clone();
                Command::Call { entity: self.create(&components), writes: Vec::new() }
            }
            Choice::ReceiptPaid => {
                self.env.receipt_paid = true;
                let hash = world::preimage(1).hash();
                let at = Timestamp(self.env.now_ms);
                let _paid_before = self.receipts.settle(&hash, Msat(AMOUNT_MSAT), at);
                Command::Nothing
            }
            Choice::Write(number, written) => self.written(*number, *written),
            Choice::Nothing => Command::Nothing,
            Choice::External(number, answer) => self.external(*number, *answer),
            Choice::Crash(..) => unreachable!("a crash comes within another choice"),
        }
    }

    pub(crate) fn pending_at(
        &self,
        kind: &str,
        payment: usize,
        part: Option<u64>,
    ) -> Option<Pending> {
        let named = |it: &Pending| {
            let offered = || it.effect.read::<OfferPart>().map(|offer| offer.0.key.part_id.0);
            it.payment == Some(payment)
                && it.effect.kind == kind
                && (part.is_none() || offered() == part)
        };
        self.pending().into_iter().find(named)
    }

    fn reply_to(
        &mut self,
        kind: &str,
        payment: usize,
        reply: impl FnOnce(&mut Self, &Pending) -> Vec<Write>,
    ) -> Command {
        let Some(pending) = self.pending_at(kind, payment, None) else { return Command::Nothing };
        let writes = reply(self, &pending);
        Command::Reply { entity: pending.entity, effect: pending.effect.id, writes }
    }

    fn planned(&self, pending: &Pending, answer: PlanAnswer) -> Vec<Write> {
        let ChooseRoutes(asked) = pending.effect.read().expect("its kind says so");
        let world = self.world;
        replies::planned(match answer {
            PlanAnswer::One => Ok(world.one_route(&asked)),
            PlanAnswer::Two => Ok(world.two_routes(&asked)),
            PlanAnswer::None => Err(world::no_route()),
            PlanAnswer::TooLittle => Ok(world.too_little(&asked)),
            PlanAnswer::TooMuch => Ok(world.too_much(&asked)),
            PlanAnswer::TooDear => Ok(world.too_dear(&asked)),
            PlanAnswer::OverNothing => Ok(world.over_nothing(&asked)),
        })
    }

    /// What the node's word on a part means. What says nothing for sure ends no part.
    fn part_said(&mut self, pending: &Pending, answer: PartAnswer) -> PartReply {
        let OfferPart(offer) = pending.effect.read().expect("its kind says so");
        let answer = self.as_it_came(&offer.key, answer);
        let fate = match answer {
            PartAnswer::Paid | PartAnswer::Overspent => Some(Fate::Paid),
            PartAnswer::Temporary
            | PartAnswer::Permanent
            | PartAnswer::MppTimeout
            | PartAnswer::Ahead => Some(Fate::Failed),
            PartAnswer::Unknown
            | PartAnswer::InFlight
            | PartAnswer::WrongPreimage
            | PartAnswer::AsItCame
            | PartAnswer::NeverArrived => None,
        };
        let part = self.app.get::<Part>(pending.entity).expect("only parts are offered").clone();
        let reply = replies::part_status(&part, status(answer, &offer.route, &part));
        assert_eq!(matches!(reply, PartReply::Final(_)), fate.is_some(), "{answer:?}: {reply:?}");
        if let (Some(fate), Some(known)) = (fate, self.env.offers.get_mut(&offer.key)) {
            known.fate = fate;
            known.over_msat = if answer == PartAnswer::Overspent { OVERSPENT_MSAT } else { 0 };
        }
        reply
    }
}

pub(crate) fn must(
    holds: bool,
    law: &'static str,
    what: impl FnOnce() -> String,
) -> Result<(), Breach> {
    if holds { Ok(()) } else { Err(Breach { law, what: what() }) }
}
