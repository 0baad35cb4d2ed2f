//! What can happen next: every answer the world may give, and every call that may come.

use crate::{
    closed::Cause,
    incoming,
    machine::{Machine, Pending},
    payers::{self, Decision, Shown},
    situation::{After, More},
};
use ecs_core::{EffectBody, Failed, Failing, Systems};
use ecs_systems::{
    components::{ApprovalAsked, Cancel, Part},
    effects::{AskSigner, ChooseRoutes, DecodeByNode, OfferPart, SettleHtlcs},
    planner::PlanRequest,
};

/// One thing that happens. Payments are counted from 0 in the order in which they began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Plan(usize, PlanAnswer),
    Part(usize, u64, PartAnswer),
    Decode(usize, DecodeAnswer),
    Signer(usize, bool),
    Approve(usize, bool),
    /// Time passes to the next moment at which anything changes; timers that are due fire.
    Tick,
    Cancel(usize),
    /// Somebody calls `payecs_advance` on that Entity of those that there are.
    Advance(usize),
    /// The payment of that number begins.
    Start(usize),
    /// The part of that number comes in at our node, as an HTLC.
    Arrive(usize, u64),
    /// The HTLC of that number is off its channel; whether it is ours.
    Resolved(usize, bool),
    /// An HTLC of another payer comes in.
    Comes(Shown),
    /// The node shows the HTLC of that number again.
    Again(usize),
    /// Somebody decides about our receipt.
    Decide(Decision),
    /// Blocks are found: what came in before is too old to be taken.
    Blocks,
    /// A block is found that a payment waits for.
    Height,
    /// Nothing new is taken on from now on.
    Close(Cause),
    /// Somebody else pays our receipt.
    ReceiptPaid,
    External(usize, ExternalAnswer),
    /// Somebody writes to that Entity of those that there are.
    Write(usize, Written),
    Nothing,
    /// The first choice, with a crash after so many records.
    Crash(Box<Choice>, usize, Outage),
}

/// What a crash comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// What was asked for has left.
    Kept,
    /// What was asked for since never left, and the last offer never arrived.
    Lost,
    /// The same, and blocks are found before we are back.
    Long,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanAnswer {
    One,
    Two,
    None,
    TooLittle,
    TooMuch,
    TooDear,
    OverNothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartAnswer {
    Paid,
    Overspent,
    Temporary,
    Permanent,
    MppTimeout,
    /// The payee refuses, and sees a block that our node doesn't.
    Ahead,
    /// Nobody can say.
    Unknown,
    /// It is out.
    InFlight,
    /// Paid, with a preimage of another hash.
    WrongPreimage,
    /// The node says that it never had it.
    NeverArrived,
    /// What our own word on its HTLC comes to, where it came in.
    AsItCame,
}

/// What callers may write at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Label,
    Cancel,
    Approval,
    Error,
    /// They detach the list.
    NoList,
    Reject,
    Hold,
    /// They detach `lightningd:hold`.
    NoHold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeAnswer {
    Valid,
    Invalid,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExternalAnswer {
    /// It attaches its flag and advances.
    Done,
    /// The same, and it attaches `lightningd:reject`.
    Rejects,
    /// The same, and it attaches `lightningd:hold`.
    Holds,
    /// It advances without a change.
    Idle,
    /// It attaches `lightningd:error`.
    Fails,
    /// The same, and it detaches the list, as clients of the older
    /// protocol do.
    Ends,
    /// It answers an invocation that is over.
    Stale,
}

/// How much of what is rare one path may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) crashes: u8,
    pub(crate) oddities: u8,
    pub(crate) cancels: u8,
    pub(crate) calls: u8,
    pub(crate) writes: u8,
    /// Over all of these.
    pub(crate) total: u8,
}

impl Budget {
    /// Whether whoever has this can do all that one with `other` can.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.crashes >= other.crashes
            && self.oddities >= other.oddities
            && self.cancels >= other.cancels
            && self.calls >= other.calls
            && self.writes >= other.writes
            && self.total >= other.total
    }

    /// The bound on choices of that kind; `None`: it is ordinary.
    fn bound_on(&mut self, choice: &Choice) -> Option<&mut u8> {
        let odd = match choice {
            Choice::Crash(..) => return Some(&mut self.crashes),
            Choice::Cancel(_) | Choice::Decide(Decision::Cancel) => {
                return Some(&mut self.cancels);
            }
            Choice::Advance(_) | Choice::Again(_) => return Some(&mut self.calls),
            Choice::Write(..) => return Some(&mut self.writes),
            Choice::Plan(_, answer) => !answer.is_ordinary(),
            Choice::Part(_, _, answer) => !answer.is_ordinary(),
            Choice::External(_, answer) => !answer.is_ordinary(),
            Choice::Comes(shown) => !shown.is_ordinary(),
            Choice::Resolved(_, settled) => !settled,
            Choice::Blocks | Choice::Close(_) => true,
            Choice::Decode(..)
            | Choice::Arrive(..)
            | Choice::Signer(..)
            | Choice::Approve(..)
            | Choice::Tick
            | Choice::Height
            | Choice::Decide(Decision::Settle)
            | Choice::Start(_)
            | Choice::ReceiptPaid
            | Choice::Nothing => false,
        };
        odd.then_some(&mut self.oddities)
    }

    /// What is left after `choice`; `None`: it cannot be afforded.
    pub(crate) fn after(self, choice: &Choice) -> Option<Self> {
        let mut left = self;
        if let Choice::Crash(inner, _, _) = choice {
            left = self.after(inner)?;
        }
        let Some(of) = left.bound_on(choice) else { return Some(left) };
        *of = of.checked_sub(1)?;
        left.total = left.total.checked_sub(1)?;
        Some(left)
    }
}

impl PlanAnswer {
    fn is_ordinary(self) -> bool {
        matches!(self, Self::One | Self::Two | Self::None)
    }
}

impl PartAnswer {
    fn is_ordinary(self) -> bool {
        matches!(self, Self::Paid | Self::Temporary | Self::Permanent | Self::AsItCame)
    }
}

impl ExternalAnswer {
    fn is_ordinary(self) -> bool {
        matches!(self, Self::Done | Self::Rejects | Self::Holds)
    }
}

impl Choice {
    /// Whether it answers something the engine waits for: these alone must bring every payment to
    /// its end.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Plan(..)
                | Self::Part(
                    _,
                    _,
                    PartAnswer::Paid
                        | PartAnswer::Temporary
                        | PartAnswer::Permanent
                        | PartAnswer::AsItCame
                )
                | Self::Decode(..)
                | Self::Signer(..)
                | Self::Approve(..)
                | Self::Start(_)
                | Self::Arrive(..)
                | Self::Resolved(_, true)
                | Self::Tick
                | Self::External(_, ExternalAnswer::Done)
        )
    }
}

/// Everything that can happen now and that the budget affords.
pub(crate) fn choices(machine: &Machine) -> Vec<Choice> {
    let mut all = Vec::new();
    if machine.env.closed.is_none() {
        all.extend(machine.situation.closes.iter().copied().map(Choice::Close));
    }
    if let Some(payers) = machine.situation.payers {
        all.extend(payers::choices(machine, payers));
    } else if machine.env.payments.is_empty() {
        all.push(Choice::Start(0));
        return all;
    }
    for pending in machine.pending() {
        answers(machine, &pending, &mut all);
    }
    all.extend(incoming::choices(machine));
    for (number, payment) in machine.env.payments.iter().copied().enumerate() {
        let app = &machine.app;
        if app.get::<Systems>(payment).is_none() {
            continue;
        }
        if app.get::<ApprovalAsked>(payment).is_some() {
            all.extend([true, false].map(|word| Choice::Approve(number, word)));
        }
        if app.get::<Cancel>(payment).is_none() {
            all.push(Choice::Cancel(number));
        }
    }
    for (number, entity) in machine.app.entities().into_iter().enumerate() {
        if machine.app.get::<Systems>(entity).is_some() {
            all.push(Choice::Advance(number));
        }
        if machine.app.invocation(entity).is_some() {
            let answers = [
                ExternalAnswer::Done,
                ExternalAnswer::Idle,
                ExternalAnswer::Fails,
                ExternalAnswer::Ends,
                ExternalAnswer::Stale,
            ];
            let of_sets = [ExternalAnswer::Rejects, ExternalAnswer::Holds];
            let of_sets = of_sets.into_iter().filter(|_| payers::is_set(machine, entity));
            let answers = answers.into_iter().chain(of_sets);
            all.extend(answers.map(|answer| Choice::External(number, answer)));
        }
    }
    if machine.env.left.writes > 0 {
        writes(machine, &mut all);
    }
    let timed = machine.timers().len();
    if machine.next_moment().is_some() && (!machine.situation.narrow || timed > 0) {
        all.push(Choice::Tick);
    }
    if let Some(second) = &machine.situation.second
        && machine.env.payments.len() == 1
        && (second.after == After::Begin || machine.has_ended(machine.env.payments[0]))
    {
        all.push(Choice::Start(1));
    }
    if machine.situation.more == More::PaidInBetween && !machine.env.receipt_paid {
        all.push(Choice::ReceiptPaid);
    }
    all.retain(|choice| machine.env.left.after(choice).is_some());
    all
}

/// What callers may write now. What they may not is tried in every state, by the laws.
fn writes(machine: &Machine, all: &mut Vec<Choice>) {
    let app = &machine.app;
    for (number, entity) in app.entities().into_iter().enumerate() {
        let mut write = |written| all.push(Choice::Write(number, written));
        let runs = app.get::<Systems>(entity).is_some();
        [Written::Label, Written::Cancel].into_iter().for_each(&mut write);
        if app.get::<ApprovalAsked>(entity).is_none() {
            write(Written::Approval);
        }
        let fails = app.get::<Failing>(entity).is_some() || app.get::<Failed>(entity).is_some();
        if runs && !fails {
            write(Written::Error);
        }
        if runs && !app.is_frozen(entity) {
            write(Written::NoList);
        }
        if payers::is_set(machine, entity) {
            [Written::Reject, Written::Hold, Written::NoHold].into_iter().for_each(&mut write);
        }
    }
}

fn answers(machine: &Machine, pending: &Pending, all: &mut Vec<Choice>) {
    let Some(of) = pending.payment else { return };
    match pending.effect.kind.as_str() {
        ChooseRoutes::KIND => {
            let ChooseRoutes(asked) = pending.effect.read().expect("its kind says so");
            all.extend(plans(machine, &asked).into_iter().map(|plan| Choice::Plan(of, plan)));
        }
        OfferPart::KIND => {
            let Some(Part(part)) = machine.app.get::<Part>(pending.entity) else { return };
            let number = part.key.part_id.0;
            if machine.goes_around(pending) {
                return all.extend(incoming::around(machine, &part.key, of, number));
            }
            let answers = [
                PartAnswer::Paid,
                PartAnswer::Temporary,
                PartAnswer::Permanent,
                PartAnswer::MppTimeout,
                PartAnswer::Overspent,
                PartAnswer::Unknown,
                PartAnswer::InFlight,
                PartAnswer::WrongPreimage,
                PartAnswer::NeverArrived,
            ];
            // Where it leads is seen well enough by one payment alone.
            let alone = machine.situation.second.is_none() && !machine.situation.narrow;
            let answers = answers.into_iter().chain(alone.then_some(PartAnswer::Ahead));
            all.extend(answers.map(|answer| Choice::Part(of, number, answer)));
        }
        DecodeByNode::KIND => {
            let answers = [DecodeAnswer::Valid, DecodeAnswer::Invalid, DecodeAnswer::Error];
            all.extend(answers.map(|answer| Choice::Decode(of, answer)));
        }
        AskSigner::KIND => all.extend([true, false].map(|word| Choice::Signer(of, word))),
        SettleHtlcs::KIND => {}
        other => unreachable!("nobody answers `{other}`"),
    }
}

fn plans(machine: &Machine, asked: &PlanRequest) -> Vec<PlanAnswer> {
    let mut plans = Vec::new();
    let fits = |plan: ecs_systems::planner::Plan| plan.fee() <= Some(asked.fee_budget_msat);
    if fits(machine.world.one_route(asked)) {
        plans.push(PlanAnswer::One);
    }
    let parts_before = u32::try_from(machine.env.offers.len()).unwrap_or(u32::MAX);
    let room = parts_before + 2 <= machine.situation.parts_max;
    let room = room && !machine.situation.narrow;
    if asked.parts_max >= 2 && room && fits(machine.world.two_routes(asked)) {
        plans.push(PlanAnswer::Two);
    }
    plans.push(PlanAnswer::None);
    plans.extend([PlanAnswer::TooLittle, PlanAnswer::TooMuch]);
    plans.extend([PlanAnswer::TooDear, PlanAnswer::OverNothing]);
    plans
}
