//! Our side of the counter: the driver on its virtual clock, and others who pay.

use super::told::{Told, value};
use crate::cli::demo::{
    audit,
    audit::{Agreement, Spent},
    report::booked,
    tables::{self, ChannelChange},
    words::{counted, sat},
    world::World,
};
use ecs_core::{ErrorObject, Json};
use ecs_systems::{
    port::{Books, Posting},
    units::{Msat, PaymentHash, PaymentSecret, Timestamp},
};
use node_sim::RemotePart;
use payflow_default::{Call, Driver};
use serde_json::{Value, json};
use std::{io, ops::Range};

/// How long something may take, in the network's time: a day.
const ENDS_WITHIN_MS: u64 = 86_400_000;
/// How long is waited at the end for what is still on its way.
const SETTLES_MS: u64 = 120_000;

/// The engine, the network and who hears of it.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    pub(super) world: World,
    pub(super) driver: Driver,
    pub(super) told: Told<'a>,
    began: Timestamp,
    /// What was paid around, and at what fee.
    around: Vec<(PaymentHash, Msat)>,
    act: u8,
}

/// An answer, or why there is none.
pub(super) type Answer = Result<Value, ErrorObject>;

impl<'a> Desk<'a> {
    pub(super) fn new(world: World, driver: Driver, told: Told<'a>) -> Self {
        let began = driver.now();
        Self { world, driver, told, began, around: Vec::new(), act: 0 }
    }

    /// Tells where we are.
    pub(super) fn open(&mut self, amount: Msat) -> io::Result<()> {
        let (nodes, channels) = (self.world.graph.nodes_count(), self.world.graph.channels_count());
        let facts = json!({
            "version": env!("CARGO_PKG_VERSION"), "seed": self.world.seed, "nodes": nodes,
            "channels": channels, "amount_msat": amount, "us": self.world.network.us(),
        });
        let ours = self.world.our_channels().len();
        let text = format!(
            "A simulated network of {nodes} nodes and {channels} channels, {ours} of them ours, \
             from seed {}.",
            self.world.seed
        );
        self.told.event(0, "demo", &facts, &text)
    }

    pub(super) fn begin_act(&mut self, title: &str) -> io::Result<()> {
        self.act = self.act.saturating_add(1);
        self.told.heading(&format!("Act {}. {title}", self.act))
    }

    /// Milliseconds since the demo began.
    fn at_ms(&self) -> u64 {
        self.driver.now().0.saturating_sub(self.began.0)
    }

    pub(super) fn event(&mut self, name: &str, facts: &Value, text: &str) -> io::Result<()> {
        let mut facts = facts.clone();
        facts["act"] = json!(self.act);
        let at_ms = self.at_ms();
        self.told.event(at_ms, name, &facts, text)
    }

    /// Makes a call, and waits for nothing.
    pub(super) fn begin(&mut self, method: &str, params: &Value) -> Call {
        let now = self.driver.now();
        self.driver.begin_call(now, method, &Json::of(params))
    }

    /// Lets the world go on until a call is answered.
    pub(super) fn finish(&mut self, method: &str, call: &Call) -> Answer {
        let until = self.driver.now().after_ms(ENDS_WITHIN_MS);
        let silent = || ErrorObject::new(ecs_core::INTERNAL, format!("{method} has no answer"));
        let answer = self.driver.finish_call(call, until).unwrap_or_else(|| Err(silent()))?;
        Ok(value(&answer))
    }

    pub(super) fn call(&mut self, method: &str, params: &Value) -> Answer {
        let call = self.begin(method, params);
        self.finish(method, &call)
    }

    /// Remembers a payment around, for the end.
    pub(super) fn note(&mut self, made: &Value, fee: Msat) {
        self.around.extend(payment_hash(made).map(|hash| (hash, fee)));
    }

    /// Holds the books against the network.
    ///
    /// # Errors
    /// The first thing that differs, as a sentence.
    pub(super) fn audit(&self) -> Result<Agreement, String> {
        let mut agreement = audit::audit(&self.world, &self.driver, &[], Spent::default())?;
        for (hash, fee) in &self.around {
            let truth = self.world.truth(*hash).map_err(|why| why.to_string())?;
            let kept = truth.spent().saturating_sub(truth.received_in_all());
            if kept != *fee {
                return Err(format!(
                    "the rebalance cost {fee} by the books, {kept} by the network"
                ));
            }
            agreement.fees_msat = agreement.fees_msat.checked_add(kept).unwrap_or(kept);
        }
        Ok(agreement)
    }

    /// Has `count` other nodes each pay an equal share of a paycode or invoice, whoever has a way
    /// to us; those that aren't our peers first. Their names.
    pub(super) fn have_paid(&mut self, made: &Value, total: Msat, count: u64) -> Vec<String> {
        let secret = made["payment_secret"].as_str().and_then(|text| text.parse().ok());
        let Some((hash, secret)) = payment_hash(made).zip::<PaymentSecret>(secret) else {
            return Vec::new();
        };
        let peers: Vec<_> = self.world.our_channels().into_iter().map(|it| it.1).collect();
        let mut others = self.world.network.others();
        others.sort_by_key(|node| peers.contains(&self.world.name(*node)));
        let mut names = Vec::new();
        let share = Msat(total.0 / count);
        for node in others {
            let left = count - names.len() as u64;
            // The last one brings what the division left over.
            let part = if left == 1 { Msat(total.0 - share.0 * (count - 1)) } else { share };
            let part = RemotePart::whole(hash, secret, total).of_it(part);
            if self.world.network.pay_us(node, part, self.driver.now()).is_err() {
                continue;
            }
            names.push(self.world.name(node));
            if left == 1 {
                return names;
            }
        }
        Vec::new()
    }

    /// What is ours in each channel, by the books.
    pub(super) fn ours(&self) -> Vec<ChannelChange> {
        let of = |(channel, peer, _): (_, _, Msat)| {
            let amount = booked(&self.driver, channel).unwrap_or_default();
            ChannelChange { channel, peer, before_msat: amount, after_msat: amount }
        };
        self.world.our_channels().into_iter().map(of).collect()
    }

    /// Shows what has changed in our channels since.
    pub(super) fn show_changes(&mut self, before: Vec<ChannelChange>) -> io::Result<()> {
        let now = self.ours();
        let both = before.into_iter().zip(now);
        let changed = both.filter(|(before, now)| before.before_msat != now.before_msat);
        let rows: Vec<_> = changed
            .map(|(before, now)| ChannelChange { after_msat: now.before_msat, ..before })
            .collect();
        self.told.say(&tables::channels(&rows))
    }

    /// What the books have of a hash.
    pub(super) fn postings(&self, hash: &Value) -> Vec<Posting> {
        let hash = hash.as_str().and_then(|text| text.parse::<PaymentHash>().ok());
        let Some(books) = self.driver.engine().resource::<Books>() else { return Vec::new() };
        let entries: Range<u64> = 0..books.0.entries();
        let all = entries.step_by(1_000).flat_map(|from| books.0.postings(from, 1_000));
        all.filter(|it| it.payment.map(|payment| payment.payment_hash) == hash).collect()
    }

    /// Lets what is still on its way arrive.
    pub(super) fn settle_down(&mut self) {
        let until = self.driver.now().after_ms(SETTLES_MS);
        self.driver.run_until(until);
        self.driver.poll(until);
    }

    /// Tells how it ended.
    pub(super) fn close(
        &mut self,
        acts: &[bool],
        audit: &Result<Agreement, String>,
    ) -> io::Result<()> {
        self.told.heading("The books")?;
        let good = audit.is_ok() && acts.iter().all(|good| *good);
        let text = match audit {
            Ok(agreement) => format!(
                "Books and network agree on {}, and on what was spent: {} in fees.",
                counted(agreement.channels, "channel"),
                sat(agreement.fees_msat)
            ),
            Err(why) => format!("The books and the network disagree: {why}."),
        };
        self.told.verdict(audit.is_ok(), &text)?;
        let facts = json!({
            "acts": acts, "agree": audit.is_ok(), "disagreement": audit.as_ref().err(),
            "good": good,
        });
        let at_ms = self.at_ms();
        let of = acts.iter().filter(|good| **good).count();
        let text = format!("{of} of {} came as it should.", counted(acts.len(), "act"));
        self.told.event(at_ms, "summary", &facts, &text)
    }
}

fn payment_hash(made: &Value) -> Option<PaymentHash> {
    made["payment_hash"].as_str()?.parse().ok()
}
