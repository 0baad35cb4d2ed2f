//! The order of the demo.

use super::{
    Args, DemoError, Pace, audit,
    audit::{Agreement, Spent},
    json::Lines,
    report::{Report, booked},
    stage::{Heard, Stage},
    story::{Beat, PartState, Story},
    tables::ChannelChange,
    text::Text,
    world::{Opening, Payee, World, build},
};
use ecs_core::{Json, Write};
use ecs_systems::{components::Invoice, port::BalanceObject, units::Msat};
use ledger_store::store::Restored;
use node_sim::{InvoiceRequest, PaymentTruth};
use std::io;

/// What the second act asks for beyond what the payee's channels can hold, in percent of it.
const BEYOND_PERCENT: u64 = 10;

/// One act: who is to be paid what, and what should come of it.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) number: u8,
    pub(crate) payee: Payee,
    pub(crate) amount_msat: Msat,
    pub(crate) expected: Expected,
    pub(crate) invoice: String,
    /// What is ours in each channel, by the books.
    pub(crate) channels: Vec<ChannelChange>,
}

impl Act {
    /// Whether no channel of ours alone has that much.
    pub(crate) fn needs_parts(&self) -> bool {
        self.channels.iter().all(|channel| channel.before_msat < self.amount_msat)
    }
}

/// What should come of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Paid,
    Refused,
}

/// What came of an act.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) act: Act,
    pub(crate) story: Story,
    pub(crate) report: Report,
    pub(crate) channels: Vec<ChannelChange>,
    pub(crate) balance_before: BalanceObject,
    /// By the network's own log.
    pub(crate) truth: PaymentTruth,
    pub(crate) took_ms: u64,
}

impl Outcome {
    /// Whether it came as it should.
    pub(crate) fn as_expected(&self) -> bool {
        match self.act.expected {
            Expected::Paid => {
                let preimage = self.report.preimage.map(|preimage| preimage.hash());
                self.report.is_paid() && preimage == self.report.payment_hash()
            }
            Expected::Refused => self.report.error.is_some() && self.nothing_moved(),
        }
    }

    /// Whether no part left, by our account and the network's, and nothing is set aside.
    pub(crate) fn nothing_moved(&self) -> bool {
        let balance = &self.report.balance;
        self.story.parts.is_empty()
            && self.truth.parts.is_empty()
            && self.channels.iter().all(|channel| channel.before_msat == channel.after_msat)
            && balance.pending_outgoing_msat == Msat::ZERO
            && balance.reserved_fees_msat == Msat::ZERO
            && balance.spendable_msat == self.balance_before.spendable_msat
    }

    /// Parts that failed in a payment that arrived: what they carried went another way.
    pub(crate) fn retried(&self) -> usize {
        if self.report.is_paid() { self.story.count(PartState::Failed) } else { 0 }
    }
}

/// The end of the demo.
#[derive(Debug)]
pub(crate) struct Closing<'a> {
    pub(crate) outcomes: &'a [Outcome],
    pub(crate) audit: Result<Agreement, String>,
    pub(crate) good: bool,
}

/// Who tells it.
pub(crate) trait Teller {
    /// What the data directory had.
    fn found(&mut self, found: &Restored, balance: &BalanceObject) -> io::Result<()>;
    fn opening(
        &mut self,
        world: &World,
        args: &Args,
        pace: Pace,
        balance: &BalanceObject,
    ) -> io::Result<()>;
    fn act(&mut self, act: &Act) -> io::Result<()>;
    fn beat(&mut self, world: &World, at_ms: u64, beat: &Beat) -> io::Result<()>;
    fn lost(&mut self, count: u64) -> io::Result<()>;
    /// Time passes while HTLCs fly.
    fn tick(&mut self, story: &Story);
    fn outcome(&mut self, world: &World, outcome: &Outcome) -> io::Result<()>;
    fn closing(&mut self, closing: &Closing<'_>) -> io::Result<()>;
}

/// Shows the demo. `true`: everything came as it should.
pub(crate) fn show(args: &Args) -> Result<bool, DemoError> {
    let pace = args.pace();
    if args.json {
        tell(args, pace, &mut Lines::new(io::stdout().lock(), args.trace))
    } else {
        let out = anstream::stdout().lock();
        tell(args, pace, &mut Text::new(out, args.trace, pace != Pace::Virtual))
    }
}

pub(crate) fn tell(args: &Args, pace: Pace, teller: &mut dyn Teller) -> Result<bool, DemoError> {
    let Opening { world, driver, kept } = build(&args.start())?;
    let found = kept.as_ref().map(|kept| kept.restored.clone());
    let mut stage = Stage::open(driver, kept, pace)?;
    stage.wait_for_books()?;
    let spent_before = stage.with(|driver, _| Spent::of(driver))?;
    if let Some(found) = found {
        teller.found(&found, &balance(&mut stage)?)?;
    }
    let payee = world.distant_payee(args.amount);
    teller.opening(&world, args, pace, &balance(&mut stage)?)?;
    let first = play(&world, &mut stage, teller, 1, payee, args.amount)?;
    let payee = world.small_payee(first.act.payee.id);
    let amount = beyond(payee.capacity_msat);
    let second = play(&world, &mut stage, teller, 2, payee, amount)?;
    let driver = stage.close()?;
    let outcomes = [first, second];
    let hashes: Vec<_> =
        outcomes.iter().filter_map(|outcome| outcome.report.payment_hash()).collect();
    let audit = audit::audit(&world, &driver, &hashes, spent_before);
    let good = audit.is_ok() && outcomes.iter().all(Outcome::as_expected);
    teller.closing(&Closing { outcomes: &outcomes, audit, good })?;
    Ok(good)
}

/// More than a payee with that capacity can ever hold.
fn beyond(capacity: Msat) -> Msat {
    let more = (capacity.0 / 100).saturating_mul(BEYOND_PERCENT).max(1_000);
    Msat(capacity.0.saturating_add(more))
}

fn play(
    world: &World,
    stage: &mut Stage,
    teller: &mut dyn Teller,
    number: u8,
    payee: Payee,
    amount_msat: Msat,
) -> Result<Outcome, DemoError> {
    let expected = if number == 1 { Expected::Paid } else { Expected::Refused };
    let began = stage.with(|_, now| now)?;
    let request =
        InvoiceRequest { description: format!("act {number}"), ..InvoiceRequest::of(amount_msat) };
    let invoice = world.network.invoice(payee.id, request, began)?;
    // What is shown is known to the network after a crash, too.
    world.network.sync()?;
    let mut channels = ours(world, stage)?;
    let act = Act { number, payee, amount_msat, expected, invoice, channels: channels.clone() };
    teller.act(&act)?;
    let balance_before = balance(stage)?;
    let components = Write::here().attach(&Invoice(Json::of(&act.invoice)));
    let entity = stage.with(move |driver, now| driver.start_payment(now, components))??;
    let mut story = Story::new(began, entity);
    let mut ended = began;
    stage.watch(entity, &mut |heard| {
        match heard {
            Heard::Notice(notice) => {
                ended = notice.at;
                if let Some(beat) = story.hear(notice) {
                    teller.beat(world, story.at_ms(notice.at), &beat)?;
                }
                teller.tick(&story);
            }
            Heard::Lost(count) => teller.lost(count)?,
            Heard::Tick => teller.tick(&story),
        }
        Ok(())
    })?;
    let report = stage.with(move |driver, _| Report::of(driver, entity))?;
    let truth = report.payment_hash().map(|hash| world.truth(hash)).transpose()?;
    let truth = truth.unwrap_or_default();
    for (change, now) in channels.iter_mut().zip(ours(world, stage)?) {
        change.after_msat = now.after_msat;
    }
    let took_ms = story.at_ms(ended);
    let outcome = Outcome { act, story, report, channels, balance_before, truth, took_ms };
    teller.outcome(world, &outcome)?;
    Ok(outcome)
}

/// What is ours in each channel, by the books.
fn ours(world: &World, stage: &mut Stage) -> Result<Vec<ChannelChange>, DemoError> {
    let mut changes = Vec::new();
    for (channel, peer, _) in world.our_channels() {
        let amount = stage.with(move |driver, _| booked(driver, channel).unwrap_or_default())?;
        let (before_msat, after_msat) = (amount, amount);
        changes.push(ChannelChange { channel, peer, before_msat, after_msat });
    }
    Ok(changes)
}

fn balance(stage: &mut Stage) -> Result<BalanceObject, DemoError> {
    stage.with(|driver, _| {
        let books = driver.engine().resource::<ecs_systems::port::Books>();
        books.map(|books| books.0.balance_object()).unwrap_or_default()
    })
}
