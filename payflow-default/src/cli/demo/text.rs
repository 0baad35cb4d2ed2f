//! The demo as text for people.

use super::{
    Args, Pace,
    show::{Act, Closing, Expected, Outcome, Teller},
    story::{Beat, Fired, PartState, Phase, Role, Story},
    tables,
    words::{counted, failure, grouped, sat, way, wrapped},
    world::World,
};
use crate::cli::spinner::spinner;
use anstyle::{AnsiColor, Style};
use ecs_systems::{
    errors,
    planner::{Binding, NoPlan},
    port::BalanceObject,
};
use indicatif::ProgressBar;
use ledger_store::store::Restored;
use std::io::{self, Write};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
/// Longest value of a Component that `--trace` shows, in characters.
const VALUE_CHARS_MAX: usize = 96;
/// Most channels that are named as the reason why there is no plan.
const CUT_MAX: usize = 4;

/// Writes text with colours; the writer strips them where they aren't wanted.
#[derive(Debug)]
pub(crate) struct Text<W> {
    out: W,
    trace: bool,
    spinner: ProgressBar,
}

fn lines(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{} entries", grouped(count)) }
}

impl<W: Write> Text<W> {
    pub(crate) fn new(out: W, trace: bool, spins: bool) -> Self {
        let spinner = if spins { spinner() } else { ProgressBar::hidden() };
        Self { out, trace, spinner }
    }

    /// One or more lines.
    fn say(&mut self, text: &str) -> io::Result<()> {
        let out = &mut self.out;
        self.spinner.suspend(|| writeln!(out, "{text}"))
    }

    fn heading(&mut self, text: &str) -> io::Result<()> {
        self.say(&format!("\n{BOLD}{text}{BOLD:#}"))
    }

    fn fired(&mut self, at_ms: u64, fired: &Fired) -> io::Result<()> {
        let style = colour(fired.phase);
        let entity = match fired.role {
            Role::Payment => format!("payment {}", fired.entity),
            Role::Plan => format!("  plan {}", fired.entity),
            Role::Part => format!("  part {}", fired.entity),
            Role::Set => format!("  set {}", fired.entity),
        };
        let number = fired.invocation.map_or_else(String::new, |it| format!(" (invocation {it})"));
        self.say(&format!(
            "{DIM}{}{DIM:#}  {style}{:<7}{style:#}  {entity:<12}  {}{number}",
            clock(at_ms),
            fired.phase.name(),
            fired.system
        ))?;
        if !self.trace {
            return Ok(());
        }
        for (name, json) in &fired.matched {
            let value = shortened(json.text());
            self.say(&format!("{DIM}{:36}{name} = {value}{DIM:#}", ""))?;
        }
        Ok(())
    }

    fn aside(&mut self, style: Style, text: &str) -> io::Result<()> {
        self.say(&format!("{:36}{style}{text}{style:#}", ""))
    }

    fn paid(&mut self, world: &World, outcome: &Outcome) -> io::Result<()> {
        let (report, story) = (&outcome.report, &outcome.story);
        self.say(&format!(
            "\n  {GOOD}Paid.{GOOD:#} {} to {}, in {} and {} of the network's time.",
            sat(report.amount_msat),
            outcome.act.payee.name,
            counted(story.count(PartState::Paid), "part"),
            seconds(outcome.took_ms),
        ))?;
        let budget = report.fee_budget_msat.unwrap_or_default();
        self.say(&format!(
            "  Fee: {} msat, {} % of the amount; {} msat were allowed.",
            grouped(report.fee_msat.0),
            report.fee_share(),
            grouped(budget.0)
        ))?;
        match (outcome.retried(), story.rounds) {
            (0, _) => {
                self.say("  No part failed: with this seed and amount no retry was needed.")?;
            }
            (failed, rounds) => self.say(&format!(
                "  {} failed on the way; the rest was planned again around the trouble: {} in all.",
                counted(failed, "part"),
                counted(rounds as usize, "plan"),
            ))?,
        }
        if let Some(preimage) = report.preimage {
            self.say(&format!("  Preimage, the proof of payment: {}", preimage.reveal()))?;
        }
        self.heading("  The ways it went")?;
        self.say(&tables::routes(world, story))
    }

    fn point(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.say(&format!("  {name:<14}  {}", wrapped(text, 82, 18)))
    }

    fn failed(&mut self, world: &World, outcome: &Outcome) -> io::Result<()> {
        let Some(error) = &outcome.report.error else {
            return self.say(&format!("\n  {BAD}It has no end.{BAD:#}"));
        };
        let advice = errors::explained(error.code);
        self.say(&format!(
            "\n  {BAD}Failed{BAD:#} with code {}: {}.",
            error.code,
            error.message.trim_end_matches('.')
        ))?;
        self.point("What it means:", advice.meaning)?;
        if let Some(NoPlan { cut, .. }) = outcome.report.no_plan() {
            let more = if cut.len() > CUT_MAX { ", …" } else { "" };
            let binds = cut.iter().take(CUT_MAX).map(|it| binding(world, it));
            self.point("What binds:", &(binds.collect::<Vec<_>>().join(", ") + more))?;
        }
        self.point("What to do:", advice.next)?;
        if !outcome.nothing_moved() {
            let failed = counted(outcome.story.count(PartState::Failed), "part");
            return self.point("What moved:", &format!("{failed} left and came back."));
        }
        self.point(
            "What moved:",
            if outcome.report.postings.is_empty() {
                "Nothing. Nothing was set aside, and the network has seen no part of it."
            } else {
                "Nothing. Money was set aside while ways were looked for, and is free again. The \
             network has seen no part of it."
            },
        )
    }
}

impl<W: Write> Teller for Text<W> {
    fn found(&mut self, found: &Restored, balance: &BalanceObject) -> io::Result<()> {
        if found.entries == 0 {
            return self.say("The data directory is new.\n");
        }
        self.say(&format!(
            "The books of the data directory: {} in the ledger, {} msat paid and {} msat in \
             fees so far, {} can be spent.\n",
            lines(found.entries),
            grouped(balance.outgoing_total_msat.0),
            grouped(balance.fees_paid_msat.0),
            sat(balance.spendable_msat),
        ))
    }

    fn opening(
        &mut self,
        world: &World,
        _: &Args,
        pace: Pace,
        balance: &BalanceObject,
    ) -> io::Result<()> {
        let (nodes, channels) = (world.graph.nodes_count(), world.graph.channels_count());
        let file = world.file.as_deref().map(|file| format!(" of {file}")).unwrap_or_default();
        let pace = match pace {
            Pace::Virtual => "on a virtual clock".to_owned(),
            Pace::Real(speed) => format!("at {speed} × real time"),
        };
        self.say(&format!(
            "{BOLD}payecs {}{BOLD:#}: a simulated network of {nodes} nodes and {channels} \
             channels{file}, seed {}, {pace}.",
            env!("CARGO_PKG_VERSION"),
            world.seed
        ))?;
        let ours = world.our_channels();
        let peers: Vec<String> =
            ours.iter().map(|(_, peer, size)| format!("{peer} ({})", sat(*size))).collect();
        self.say(&format!(
            "We are `us`, can spend {}, and have {}:",
            sat(balance.spendable_msat),
            counted(ours.len(), "channel"),
        ))?;
        self.say(&format!("{}.", peers.join(", ")))
    }

    fn act(&mut self, act: &Act) -> io::Result<()> {
        let payee = &act.payee;
        let title = match act.expected {
            Expected::Paid if act.needs_parts() => "more than any one channel of ours has",
            Expected::Paid => "a payment",
            Expected::Refused => "more than the payee can receive",
        };
        self.heading(&format!("Act {}: {title}", act.number))?;
        let away = if payee.distance == u32::MAX {
            "out of reach".to_owned()
        } else {
            format!("{} away", counted(payee.distance as usize, "channel"))
        };
        self.say(&format!("{}, {away}, wants {}:", payee.name, sat(act.amount_msat)))?;
        self.say(&format!("{DIM}{}{DIM:#}", act.invoice))?;
        match act.expected {
            Expected::Paid => self.say("")?,
            Expected::Refused => self.say(&format!(
                "All of its channels together can hold {}.\n",
                sat(payee.capacity_msat)
            ))?,
        }
        self.spinner.reset();
        Ok(())
    }

    fn beat(&mut self, world: &World, at_ms: u64, beat: &Beat) -> io::Result<()> {
        match beat {
            Beat::Fired(fired) => self.fired(at_ms, fired),
            Beat::PartStarted { started, route } => {
                let (amount, fee) = (sat(started.attempt_msat), grouped(started.fee_msat.0));
                let way = way(world, route);
                let part = started.key.part_id;
                self.aside(DIM, &format!("↗ no. {part} leaves: {amount}, fee {fee} msat, {way}"))
            }
            Beat::PartEnded { part, .. } => match &part.failure {
                None => self
                    .aside(GOOD, &format!("✓ no. {} arrived: {}", part.id, sat(part.amount_msat))),
                Some(why) => {
                    let why = failure(world, &part.route, why);
                    self.aside(BAD, &format!("✗ no. {} came back: {why}", part.id))
                }
            },
        }
    }

    fn lost(&mut self, count: u64) -> io::Result<()> {
        self.aside(DIM, &format!("({count} notices went by too quickly to be shown)"))
    }

    fn tick(&mut self, story: &Story) {
        let in_flight = story.count(PartState::InFlight);
        if in_flight == 0 {
            self.spinner.set_message("thinking");
        } else {
            let fees = grouped(story.fees().0);
            let parts = counted(in_flight, "part");
            self.spinner.set_message(format!("{parts} in flight, fees so far {fees} msat"));
        }
        self.spinner.tick();
    }

    fn outcome(&mut self, world: &World, outcome: &Outcome) -> io::Result<()> {
        self.spinner.finish_and_clear();
        if outcome.report.is_paid() {
            self.paid(world, outcome)?;
        } else {
            self.failed(world, outcome)?;
        }
        if !outcome.report.postings.is_empty() {
            self.heading("  What the books say of it: each posting, and how it ended")?;
            self.say(&tables::postings(&outcome.report.postings))?;
        }
        self.heading("  What is ours")?;
        self.say(&tables::channels(&outcome.channels))?;
        self.say(&tables::balance(&outcome.report.balance))
    }

    fn closing(&mut self, closing: &Closing<'_>) -> io::Result<()> {
        for outcome in closing.outcomes.iter().filter(|outcome| !outcome.as_expected()) {
            let should = match outcome.act.expected {
                Expected::Paid => "should have been paid and was not",
                Expected::Refused => "should have failed before anything left, and did not",
            };
            self.say(&format!("\n{BAD}Act {} {should}.{BAD:#}", outcome.act.number))?;
        }
        match &closing.audit {
            Ok(agreed) => self.say(&format!(
                "\n{GOOD}Audit:{GOOD:#} books and network agree to the millisatoshi: {}, {}, {} \
                 received by\npayees, {} msat kept by forwarding nodes, nothing in flight, nothing \
                 set aside.",
                counted(agreed.channels, "channel"),
                counted(agreed.postings, "posting"),
                sat(agreed.received_msat),
                grouped(agreed.fees_msat.0),
            ))?,
            Err(why) => {
                self.say(&format!("\n{BAD}Audit: books and network differ:{BAD:#} {why}"))?;
            }
        }
        self.out.flush()
    }
}

/// A direction that limits the payment, and to what.
fn binding(world: &World, binding: &Binding) -> String {
    let direction = binding.short_channel_id_dir;
    let allows = format!("allows {} msat", grouped(binding.allows_msat.0));
    match world.graph.ends(direction) {
        Some((from, to)) => {
            format!("{} → {} ({}) {allows}", world.name(from), world.name(to), direction.scid)
        }
        None => format!("{direction} {allows}"),
    }
}

fn colour(phase: Phase) -> Style {
    match phase {
        Phase::Decode => AnsiColor::Cyan.on_default(),
        Phase::Limit => AnsiColor::Yellow.on_default(),
        Phase::Plan => AnsiColor::Magenta.on_default(),
        Phase::Send => AnsiColor::Blue.on_default(),
        Phase::Ledger => AnsiColor::BrightBlack.on_default(),
        Phase::Settle | Phase::Receive => AnsiColor::Green.on_default(),
        Phase::Other => Style::new(),
    }
}

fn clock(at_ms: u64) -> String {
    format!("{:>8} s", format!("+{}.{:03}", at_ms / 1_000, at_ms % 1_000))
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(VALUE_CHARS_MAX).chain(['…']).collect()
}
