//! The demo as JSON, one object per line.

use super::{
    Args, Pace,
    show::{Act, Closing, Expected, Outcome, Teller},
    story::{Beat, Fired, PartState, Story},
    world::World,
};
use ecs_core::Json;
use ecs_systems::{errors, port::BalanceObject};
use ledger_store::store::Restored;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Writes lines. Amounts are integers in millisatoshi, times milliseconds of the network's time
/// since the act began.
#[derive(Debug)]
pub(crate) struct Lines<W> {
    out: W,
    trace: bool,
}

impl<W: Write> Lines<W> {
    pub(crate) fn new(out: W, trace: bool) -> Self {
        Self { out, trace }
    }

    fn line(&mut self, line: &Value) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    fn fired(&self, at_ms: u64, fired: &Fired) -> Value {
        let mut line = json!({
            "event": "system", "at_ms": at_ms, "entity": fired.entity, "role": fired.role,
            "phase": fired.phase, "system": fired.system, "invocation": fired.invocation,
            "matched": fired.matched.keys().collect::<Vec<_>>(),
        });
        if self.trace {
            line["components"] = value(&Json::of(&fired.matched));
        }
        line
    }
}

impl<W: Write> Teller for Lines<W> {
    fn found(&mut self, found: &Restored, balance: &BalanceObject) -> io::Result<()> {
        self.line(&json!({
            "event": "found",
            "records": found.records,
            "ledger_entries": found.entries,
            "balance": balance,
        }))
    }

    fn opening(
        &mut self,
        world: &World,
        args: &Args,
        pace: Pace,
        balance: &BalanceObject,
    ) -> io::Result<()> {
        let channels = world.our_channels().into_iter().map(|(scid, peer, size)| {
            json!({ "short_channel_id": scid, "peer": peer, "capacity_msat": size })
        });
        let speed = match pace {
            Pace::Virtual => None,
            Pace::Real(speed) => Some(speed.to_string()),
        };
        self.line(&json!({
            "event": "demo", "version": env!("CARGO_PKG_VERSION"), "seed": world.seed,
            "graph": world.file,
            "nodes": world.graph.nodes_count(), "channels": world.graph.channels_count(),
            "amount_msat": args.amount, "speed": speed, "us": world.network.us(),
            "our_channels": channels.collect::<Vec<_>>(), "balance": balance,
        }))
    }

    fn act(&mut self, act: &Act) -> io::Result<()> {
        self.line(&json!({
            "event": "act", "act": act.number, "payee": act.payee.name, "node": act.payee.id,
            "distance": act.payee.distance, "amount_msat": act.amount_msat,
            "capacity_msat": act.payee.capacity_msat, "expected": word(act.expected),
            "invoice": act.invoice,
        }))
    }

    fn beat(&mut self, _world: &World, at_ms: u64, beat: &Beat) -> io::Result<()> {
        let line = match beat {
            Beat::Fired(fired) => self.fired(at_ms, fired),
            Beat::PartStarted { started, route } => {
                with(json!({ "event": "part_start", "at_ms": at_ms, "route": route }), started)
            }
            Beat::PartEnded { part, ended } => {
                let amounts = json!({
                    "event": "part_end", "at_ms": at_ms, "attempt_msat": part.amount_msat,
                    "fee_msat": part.fee_msat,
                });
                with(amounts, ended)
            }
        };
        self.line(&line)
    }

    fn lost(&mut self, count: u64) -> io::Result<()> {
        self.line(&json!({ "event": "lost", "count": count }))
    }

    fn tick(&mut self, _story: &Story) {}

    fn outcome(&mut self, _world: &World, outcome: &Outcome) -> io::Result<()> {
        let report = &outcome.report;
        let channels = outcome.channels.iter().map(|channel| {
            json!({
                "short_channel_id": channel.channel, "peer": channel.peer,
                "before_msat": channel.before_msat, "after_msat": channel.after_msat,
            })
        });
        let advice = report.error.as_ref().map(|error| errors::explained(error.code));
        self.line(&json!({
            "event": "result", "act": outcome.act.number, "entity": report.entity,
            "status": report.status, "as_expected": outcome.as_expected(),
            "took_ms": outcome.took_ms, "amount_msat": report.amount_msat,
            "fee_msat": report.fee_msat, "fee_percent": report.fee_share().to_string(),
            "fee_budget_msat": report.fee_budget_msat, "systems": outcome.story.systems,
            "rounds": outcome.story.rounds, "retried_parts": outcome.retried(),
            "parts": outcome.story.parts.values().collect::<Vec<_>>(),
            "payment_hash": report.payment_hash(),
            "preimage": report.preimage.map(|preimage| preimage.reveal()),
            "error": report.error, "meaning": advice.map(|advice| advice.meaning),
            "next": advice.map(|advice| advice.next), "nothing_moved": outcome.nothing_moved(),
            "postings": report.postings, "channels": channels.collect::<Vec<_>>(),
            "balance": report.balance,
        }))
    }

    fn closing(&mut self, closing: &Closing<'_>) -> io::Result<()> {
        let acts = closing.outcomes.iter().map(|outcome| {
            json!({
                "act": outcome.act.number, "status": outcome.report.status,
                "as_expected": outcome.as_expected(),
                "parts_paid": outcome.story.count(PartState::Paid),
                "parts_failed": outcome.story.count(PartState::Failed),
                "fee_msat": outcome.report.fee_msat,
                "code": outcome.report.error.as_ref().map(|error| error.code),
            })
        });
        let audit = match &closing.audit {
            Ok(agreed) => json!({
                "agrees": true, "channels": agreed.channels, "postings": agreed.postings,
                "received_msat": agreed.received_msat, "fees_msat": agreed.fees_msat,
            }),
            Err(why) => json!({ "agrees": false, "difference": why }),
        };
        let acts: Vec<Value> = acts.collect();
        let good = closing.good;
        self.line(&json!({ "event": "summary", "acts": acts, "audit": audit, "good": good }))?;
        self.out.flush()
    }
}

fn word(expected: Expected) -> &'static str {
    match expected {
        Expected::Paid => "complete",
        Expected::Refused => "failed",
    }
}

/// The line with the fields of a body added.
fn with<T: serde::Serialize>(mut line: Value, body: &T) -> Value {
    let body = serde_json::to_value(body).expect("our bodies have string keys");
    if let (Value::Object(line), Value::Object(body)) = (&mut line, body) {
        line.extend(body);
    }
    line
}

fn value(json: &Json) -> Value {
    json.decode().unwrap_or(Value::Null)
}
