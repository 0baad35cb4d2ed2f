//! HTLCs that come in: each is a part of a circular payment of ours that has gone around.
//!
//! What is said of such a part follows from its HTLC: it is paid once the preimage has left, and
//! fails as the HTLC was refused. Until it has come in, it may fail on its way.

use crate::{
    act::{Command, must},
    choice::{Choice, PartAnswer},
    machine::{Breach, Env, Fate, Machine, Pending},
    received,
    taken::came_back,
};
use ecs_core::{EffectBody, EntityId, Systems, Write};
use ecs_systems::{
    components::{
        Circular, HeightAwaited, Held, HtlcJoined, Refused, Refusing, Set, SetReceived, SetSettling,
    },
    effects::{OfferPart, SettleHtlcs},
    port::{HtlcId, IncomingHtlc, PartKey, PayeeFailure, ReceiptState, Receipts, SendPart},
    receive::settle_set::keeps_margin,
    replies,
    units::BlockHeight,
};

/// Blocks that are found at once: what was offered before is within the margin of expiring.
pub(crate) const BLOCKS_RISEN: u32 = 9;

/// What became of an HTLC, as the node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Came {
    /// It waits for our word.
    Waits,
    /// The preimage has left for it, and it is still in its channel.
    Released,
    /// It was taken.
    Ours,
    /// It was not, although the preimage had left.
    Lost,
    Refused,
    /// Refused, with `mpp_timeout`.
    TimedOut,
    /// It is off its channel without a word of ours.
    Gone,
}

/// An HTLC that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Incoming {
    pub(crate) entity: EntityId,
    pub(crate) htlc: HtlcId,
    /// The part of ours that it is, if it is one.
    pub(crate) part: Option<PartKey>,
    pub(crate) amount_msat: u64,
    /// It is right, alone or with others.
    pub(crate) fits: bool,
    pub(crate) came: Came,
}

impl Incoming {
    /// Whether the preimage has left for it.
    fn was_released(&self) -> bool {
        matches!(self.came, Came::Released | Came::Ours | Came::Lost)
    }
}

impl Env {
    fn came(&self, part: &PartKey) -> Option<Came> {
        self.htlcs.iter().find(|it| it.part == Some(*part)).map(|it| it.came)
    }

    /// Whether an HTLC may become too old to be taken while it waits.
    pub(crate) fn may_grow_old(&self) -> bool {
        self.blocks == 0 && self.htlcs.iter().any(|it| it.came == Came::Waits)
    }

    /// The last part that is out and has not come in anywhere.
    pub(crate) fn last_on_its_way(&self) -> Option<PartKey> {
        let on_its_way = self
            .offers
            .iter()
            .rfind(|(key, offer)| offer.fate == Fate::Open && self.came(key).is_none());
        on_its_way.map(|(key, _)| *key)
    }
}

/// What the node may say of a part that goes around.
pub(crate) fn around(machine: &Machine, key: &PartKey, of: usize, number: u64) -> Vec<Choice> {
    let mut choices = Vec::new();
    let said: &[PartAnswer] = match machine.env.came(key) {
        None => {
            choices.push(Choice::Arrive(of, number));
            &[PartAnswer::Temporary, PartAnswer::NeverArrived]
        }
        Some(Came::Waits) => &[],
        Some(Came::Released | Came::Ours) => &[PartAnswer::AsItCame, PartAnswer::Overspent],
        Some(Came::Lost) => &[PartAnswer::AsItCame, PartAnswer::Temporary],
        Some(Came::Refused | Came::TimedOut | Came::Gone) => &[PartAnswer::AsItCame],
    };
    let never_false = [PartAnswer::Unknown, PartAnswer::InFlight, PartAnswer::WrongPreimage];
    let said = said.iter().copied().chain(never_false);
    choices.extend(said.map(|answer| Choice::Part(of, number, answer)));
    choices
}

/// What may become of the HTLCs that came in.
pub(crate) fn choices(machine: &Machine) -> Vec<Choice> {
    let mut choices = Vec::new();
    for (number, htlc) in machine.env.htlcs.iter().enumerate() {
        match htlc.came {
            Came::Waits => choices.push(Choice::Resolved(number, false)),
            Came::Released => {
                choices.extend([true, false].map(|settled| Choice::Resolved(number, settled)));
            }
            Came::Ours | Came::Lost | Came::Refused | Came::TimedOut | Came::Gone => {}
        }
    }
    let circular = |payment: &EntityId| machine.app.get::<Circular>(*payment).is_some();
    if machine.env.blocks == 0 && machine.env.payments.iter().any(circular) {
        choices.push(Choice::Blocks);
    }
    let awaits = |payment: &EntityId| {
        let awaited = machine.app.get::<HeightAwaited>(*payment);
        awaited.is_some_and(|awaited| machine.height() < awaited.0)
    };
    if machine.env.payments.iter().any(awaits) {
        choices.push(Choice::Height);
    }
    choices
}

impl Machine {
    pub(crate) fn height(&self) -> BlockHeight {
        BlockHeight(self.situation.view.height.0 + self.env.blocks)
    }

    /// Whether an Entity waits for a height that has come.
    pub(crate) fn has_come(&self, entity: EntityId) -> bool {
        let awaited = self.app.get::<HeightAwaited>(entity);
        let held = self.app.get::<Held>(entity).map(|held| held.0.until_height);
        let at = awaited.map(|awaited| awaited.0).or(held);
        at.is_some_and(|at| at <= self.height())
    }

    /// Whether a part is one of a circular payment.
    pub(crate) fn goes_around(&self, pending: &Pending) -> bool {
        let payment = pending.payment.map(|payment| self.env.payments[payment]);
        payment.is_some_and(|payment| self.app.get::<Circular>(payment).is_some())
    }

    /// What our word on the HTLC of a part means to the part.
    pub(crate) fn as_it_came(&self, key: &PartKey, answer: PartAnswer) -> PartAnswer {
        if answer != PartAnswer::AsItCame {
            return answer;
        }
        match self.env.came(key) {
            None | Some(Came::Waits) => PartAnswer::Unknown,
            Some(Came::Released | Came::Ours | Came::Lost) => PartAnswer::Paid,
            Some(Came::Refused) => PartAnswer::Permanent,
            Some(Came::TimedOut) => PartAnswer::MppTimeout,
            Some(Came::Gone) => PartAnswer::Temporary,
        }
    }

    /// A part comes in: it gets an Entity, as the Driver makes it.
    pub(crate) fn arrive(&mut self, of: usize, part: u64) -> Command {
        let Some(pending) = self.pending_at(OfferPart::KIND, of, Some(part)) else {
            return Command::Nothing;
        };
        let OfferPart(offer) = pending.effect.read().expect("its kind says so");
        let Some(incoming) = incoming(&offer, self.env.htlcs.len()) else {
            return Command::Nothing;
        };
        self.take_in(incoming, Some(offer.key), true)
    }

    /// An HTLC is off its channel. Its set hears of it once no HTLC of the set is left; one that
    /// still gathered is refused, and so is an HTLC that is in no set yet.
    pub(crate) fn resolved(&mut self, number: usize, settled: bool) -> Command {
        let it = &mut self.env.htlcs[number];
        it.came = match (it.came, settled) {
            (Came::Released, true) => Came::Ours,
            (Came::Released, false) => Came::Lost,
            (Came::Waits, false) => Came::Gone,
            (other, _) => other,
        };
        let (came, entity) = (it.came, it.entity);
        let joined = self.app.get::<HtlcJoined>(entity).map(|joined| joined.0);
        if came == Came::Gone {
            let (app, entity) = (&self.app, joined.unwrap_or(entity));
            let open = app.get::<Systems>(entity).is_some()
                && app.get::<SetSettling>(entity).is_none()
                && app.get::<Refusing>(entity).is_none();
            let writes = vec![Write::to(entity).attach(&Refusing(PayeeFailure::DETAILS))];
            return if open { Command::Tell { entity, writes } } else { Command::Nothing };
        }
        joined.map_or(Command::Nothing, |set| self.claimed(set))
    }

    /// What the Driver replies once every HTLC of a set is off its channel.
    fn claimed(&self, set: EntityId) -> Command {
        let asked = self.pending().into_iter().find(|it| it.entity == set);
        let Some((effect, SettleHtlcs { htlcs })) =
            asked.and_then(|it| Some((it.effect.id, it.effect.read()?)))
        else {
            return Command::Nothing;
        };
        let mut of_set = self.env.htlcs.iter().filter(|it| htlcs.contains(&it.htlc));
        if of_set.clone().any(|it| it.came == Came::Released) {
            return Command::Nothing;
        }
        let lost = of_set.by_ref().filter(|it| it.came == Came::Lost).map(|it| it.htlc).collect();
        Command::Reply { entity: set, effect, writes: replies::set_claimed(lost) }
    }

    /// The preimage leaves for the HTLCs of a set.
    pub(crate) fn release(&mut self, set: EntityId, htlcs: &[HtlcId]) -> Result<(), Breach> {
        let Some(Set(facts)) = self.app.get::<Set>(set).cloned() else { return Ok(()) };
        let receipt = self.receipts.lock().find(&facts.payment_hash);
        let recorded = receipt.as_ref().is_some_and(|it| it.state == ReceiptState::Settling)
            && self.app.get::<SetSettling>(set).is_some();
        must(recorded, "nothing is released before its record", || format!("set {set}"))?;
        let again = self.env.htlcs.iter().any(|it| htlcs.contains(&it.htlc) && it.was_released());
        let received = self.app.get::<SetReceived>(set).map(|received| &received.0);
        let in_time = received.is_some_and(|received| keeps_margin(received, self.height()));
        must(again || in_time, "nothing is released too late", || format!("set {set}"))?;
        if self.situation.payers.is_some() && !again {
            received::may_be_released(self, set, htlcs)?;
        }
        let asked = receipt.and_then(|it| it.amount_msat).map_or(1, |amount| amount.0);
        let mut sum = 0;
        for it in &mut self.env.htlcs {
            let mine = htlcs.contains(&it.htlc);
            let released = it.was_released();
            let once = mine || !released;
            must(once, "a receipt is taken once", || format!("by set {set}, and {it:?}"))?;
            if mine {
                let first = released || it.came == Came::Waits;
                must(first, "an HTLC is judged once", || format!("released: {it:?}"))?;
                sum += it.amount_msat;
                it.came = if released { it.came } else { Came::Released };
            }
        }
        let what = || format!("{sum} of {asked} msat");
        must(sum >= asked, "only what is complete is taken", what)
    }

    /// HTLCs are given back, with the words on their Entities.
    pub(crate) fn give_back(&mut self, htlcs: &[HtlcId]) -> Result<(), Breach> {
        for it in self.env.htlcs.iter_mut().filter(|it| htlcs.contains(&it.htlc)) {
            let Some(Refused(word)) = self.app.get::<Refused>(it.entity).cloned() else {
                let what = format!("{it:?} is given back, and no word says why");
                return Err(Breach { law: "nothing is refused before its record", what });
            };
            let says = if word == PayeeFailure::TIMEOUT { Came::TimedOut } else { Came::Refused };
            it.came = match it.came {
                Came::Waits => says,
                Came::Gone => Came::Gone,
                Came::Refused | Came::TimedOut if it.came == says => says,
                Came::Refused | Came::TimedOut | Came::Released | Came::Ours | Came::Lost => {
                    let what = format!("given back as {says:?}: {it:?}");
                    return Err(Breach { law: "an HTLC is judged once", what });
                }
            };
        }
        Ok(())
    }

    /// After a crash: a preimage was to leave. Too late, it does only if it has left already.
    pub(crate) fn take_up_claim(&mut self, pending: &Pending) -> Result<(), Breach> {
        let Some(SettleHtlcs { htlcs }) = pending.effect.read() else { return Ok(()) };
        let (entity, effect, height) = (pending.entity, pending.effect.id, self.height());
        let received = self.app.get::<SetReceived>(entity);
        let in_time = received.is_none_or(|received| keeps_margin(&received.0, height));
        let mut of_set = self.env.htlcs.iter().filter(|it| htlcs.contains(&it.htlc));
        if in_time || of_set.any(|it| it.came != Came::Waits) {
            return self.release(entity, &htlcs);
        }
        self.execute(Command::Reply { entity, effect, writes: replies::set_withdrawn() })?;
        self.perform_all()
    }

    /// After a crash the node shows every HTLC again that waits: each is known, and is answered as
    /// before.
    pub(crate) fn show_again(&mut self) -> Result<(), Breach> {
        let waits = |number: &usize| self.env.htlcs[*number].came == Came::Waits;
        let waiting: Vec<usize> = (0..self.env.htlcs.len()).filter(waits).collect();
        waiting.into_iter().try_for_each(|number| self.again(number))
    }

    /// The node shows an HTLC again. It is known by its Entity, and gets the same word again.
    pub(crate) fn again(&mut self, number: usize) -> Result<(), Breach> {
        let shown = self.env.htlcs[number];
        came_back(self, &shown)?;
        let refused = self.app.get::<Refused>(shown.entity).is_some();
        if refused { self.give_back(&[shown.htlc]) } else { Ok(()) }
    }
}

/// The HTLC that a part is when it comes in.
fn incoming(offer: &SendPart, number: usize) -> Option<IncomingHtlc> {
    let last = offer.route.hops.last()?;
    let id = u64::try_from(number).ok()?;
    Some(IncomingHtlc {
        htlc: HtlcId { short_channel_id: last.short_channel_id_dir.scid, id },
        payment_hash: offer.key.payment_hash,
        amount_msat: last.amount_msat,
        cltv_expiry: BlockHeight(offer.height.0 + last.cltv_blocks.0),
        total_msat: offer.total_msat,
        payment_secret: offer.payment_secret,
        payment_metadata: offer.payment_metadata.clone(),
        tlvs: Vec::new(),
        replayed: false,
    })
}
