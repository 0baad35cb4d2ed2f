//! The acts.

use super::desk::{Answer, Desk};
use crate::cli::demo::{
    DemoError, tables,
    words::{counted, grouped, sat},
};
use ecs_core::ErrorObject;
use ecs_systems::{
    port::{Posting, PostingState},
    units::Msat,
};
use ledger_store::Account;
use node_sim::OUR_NAME;
use serde_json::{Value, json};

/// An act, for that much. `true`: it came as it should.
type Act = fn(&mut Desk<'_>, Msat) -> Result<bool, DemoError>;

/// All of them, in order.
pub(super) const ACTS: &[Act] = &[three_parts, an_invoice, holds, rebalance];

/// How many nodes pay the first paycode.
const PAYERS: u64 = 3;

fn three_parts(desk: &mut Desk<'_>, amount: Msat) -> Result<bool, DemoError> {
    desk.begin_act("A paycode, paid in three parts by three nodes")?;
    let made = match desk.call("paycode", &json!({ "amount_msat": amount })) {
        Ok(made) => made,
        Err(error) => return failed(desk, "paycode", &error),
    };
    told_made(desk, &made, amount)?;
    let before = desk.ours();
    let waiting = desk.begin("waitpaycode", &json!({ "payment_hash": made["payment_hash"] }));
    if !paid_by(desk, &made, amount, PAYERS)? {
        return Ok(false);
    }
    let paid = match desk.finish("waitpaycode", &waiting) {
        Ok(paid) => paid,
        Err(error) => return failed(desk, "waitpaycode", &error),
    };
    let parts = paid["parts"].as_array().cloned().unwrap_or_default();
    let received = paid["amount_received_msat"] == json!(amount);
    let text = format!(
        "waitpaycode answers: paid, {} in {}. They were one set: no preimage left before it was \
         complete.",
        sat(amount),
        counted(parts.len(), "part")
    );
    desk.event("paid", &paid, &text)?;
    let rows = parts.iter().map(|part| {
        vec![
            part["short_channel_id"].as_str().unwrap_or_default().to_owned(),
            part["htlc_id"].to_string(),
            grouped(msat(&part["amount_msat"]).0),
            part["cltv_expiry"].to_string(),
        ]
    });
    desk.told.table(&["channel", "HTLC", "amount (msat)", "expires at height"], rows.collect())?;
    desk.show_changes(before)?;
    let good = received && parts.len() as u64 == PAYERS;
    desk.told.verdict(good, "Three payers, three HTLCs, one receipt in the books.")?;
    Ok(good)
}

fn an_invoice(desk: &mut Desk<'_>, amount: Msat) -> Result<bool, DemoError> {
    desk.begin_act("An invoice is seen by waitanyinvoice; a paycode isn't")?;
    // The shop asks before anything happens, and once more behind what it has seen.
    let waiting = desk.begin("waitanyinvoice", &json!({ "lastpay_index": 0 }));
    let paycode = desk.call("paycode", &json!({ "amount_msat": "any" }));
    let invoice = desk.call(
        "invoice",
        &json!({ "amount_msat": amount, "label": "order-17", "description": "two teas" }),
    );
    let (paycode, invoice) = match paycode.and_then(|paycode| Ok((paycode, invoice?))) {
        Ok(both) => both,
        Err(error) => return failed(desk, "invoice", &error),
    };
    let bolt11 = invoice["bolt11"].as_str().unwrap_or_default();
    let text = format!("An invoice `order-17` for {}: {bolt11}", sat(amount));
    desk.event("invoice", &invoice, &text)?;
    let first = desk.begin("waitpaycode", &json!({ "payment_hash": paycode["payment_hash"] }));
    if !paid_by(desk, &paycode, amount, 1)? {
        return Ok(false);
    }
    if let Err(error) = desk.finish("waitpaycode", &first) {
        return failed(desk, "waitpaycode", &error);
    }
    let silent = waiting.answered().is_none();
    let text = "A bare paycode is paid first, and whoever waits for invoices hears nothing of it.";
    desk.event("paycode_paid", &json!({ "waitanyinvoice_answered": !silent }), text)?;
    if !paid_by(desk, &invoice, amount, 1)? {
        return Ok(false);
    }
    let seen = match desk.finish("waitanyinvoice", &waiting) {
        Ok(seen) => seen,
        Err(error) => return failed(desk, "waitanyinvoice", &error),
    };
    let text = format!(
        "waitanyinvoice answers: `{}` is {}, pay_index {}.",
        seen["label"].as_str().unwrap_or_default(),
        seen["status"].as_str().unwrap_or_default(),
        seen["pay_index"]
    );
    desk.event("invoice_paid", &seen, &text)?;
    let listed = desk.call("listinvoices", &json!({}));
    let count = listed.as_ref().ok().and_then(|it| it["invoices"].as_array()).map(Vec::len);
    let good = silent && seen["label"] == "order-17" && count == Some(1);
    desk.told.verdict(good, "The feed of invoices has the invoice alone.")?;
    Ok(good)
}

fn holds(desk: &mut Desk<'_>, amount: Msat) -> Result<bool, DemoError> {
    desk.begin_act("What comes in is held: once taken, once given back")?;
    let mut good = true;
    for (decision, status) in [("settlepaycode", "paid"), ("cancelpaycode", "cancelled")] {
        let ended = match hold(desk, amount, decision)? {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => return failed(desk, decision, &error),
            None => return Ok(false),
        };
        let text = match status {
            "paid" => "settlepaycode takes it: the preimage leaves, and it is ours.",
            _ => "cancelpaycode gives it back to its payer; the books have nothing of it.",
        };
        desk.event(decision, &ended, text)?;
        good &= ended["status"] == status;
    }
    desk.told.verdict(good, "Held is neither ours nor theirs until somebody decides.")?;
    Ok(good)
}

/// Makes a paycode that is held, has it paid, decides about it and waits for its end. `None`:
/// nobody has a way to us.
fn hold(desk: &mut Desk<'_>, amount: Msat, decision: &str) -> Result<Option<Answer>, DemoError> {
    let made = match desk.call("paycode", &json!({ "amount_msat": amount, "hold": true })) {
        Ok(made) => made,
        Err(error) => return Ok(Some(Err(error))),
    };
    told_made(desk, &made, amount)?;
    let named = json!({ "payment_hash": made["payment_hash"] });
    let until = |until: &str| json!({ "payment_hash": made["payment_hash"], "until": until });
    let waiting = desk.begin("waitpaycode", &until("held"));
    if !paid_by(desk, &made, amount, 1)? {
        return Ok(None);
    }
    let held = match desk.finish("waitpaycode", &waiting) {
        Ok(held) => held,
        Err(error) => return Ok(Some(Err(error))),
    };
    let text = format!(
        "It is here, and held: unless somebody decides, it goes back at height {}.",
        held["held_until_height"]
    );
    desk.event("held", &held, &text)?;
    if let Err(error) = desk.call(decision, &named) {
        return Ok(Some(Err(error)));
    }
    Ok(Some(desk.call("waitpaycode", &until("final"))))
}

fn rebalance(desk: &mut Desk<'_>, _: Msat) -> Result<bool, DemoError> {
    desk.begin_act("A channel is rebalanced")?;
    let before = desk.ours();
    let mut moved = Err(ErrorObject::new(-1, "we have no channel"));
    for channel in most_uneven(desk) {
        moved = desk.call("rebalance", &json!({ "short_channel_id": channel }));
        match &moved {
            Ok(answer) if answer["status"] == "moved" => break,
            Ok(_) => {}
            Err(error) => {
                let text = format!("{channel} stays as it is: {} ({})", error.message, error.code);
                let facts = json!({ "short_channel_id": channel, "code": error.code });
                desk.event("rebalance_failed", &facts, &text)?;
            }
        }
    }
    let answer = match moved {
        Ok(answer) => answer,
        Err(error) => return failed(desk, "rebalance", &error),
    };
    if answer["status"] != "moved" {
        desk.told.verdict(false, "Every channel is level: another --seed has more to show.")?;
        return Ok(false);
    }
    let (amount, fee) = (msat(&answer["amount_msat"]), msat(&answer["fee_msat"]));
    desk.note(&answer, fee);
    let text = format!(
        "rebalance {}: {} went {} over it and came back over another, for {}.",
        answer["short_channel_id"].as_str().unwrap_or_default(),
        sat(amount),
        answer["direction"].as_str().unwrap_or_default(),
        sat(fee)
    );
    desk.event("rebalanced", &answer, &text)?;
    desk.show_changes(before)?;
    let all = desk.postings(&answer["payment_hash"]);
    let settled = all.iter().filter(|it| it.state == PostingState::Posted);
    let first = |it: &Posting| it.pending_id.clone().unwrap_or_else(|| it.entry_id.clone());
    let settled: Vec<_> = settled.map(first).collect();
    let stands = |it: &Posting| settled.contains(&first(it));
    let (posted, others): (Vec<Posting>, Vec<Posting>) = all.into_iter().partition(stands);
    let number = posted.first().map_or(0, |it| it.tx_id);
    let text = format!(
        "In the books it is one transaction, number {number}: what left and what came back meet in \
         `control:self`, and the fee is all that is left. Nothing was earned, nothing was spent. \
         {} of what was set aside meanwhile, and of parts that came back, are void.",
        counted(others.len(), "posting")
    );
    desk.told.paragraph(&text)?;
    desk.told.say(&tables::postings(&posted))?;
    let own = [Account::IncomeInvoice, Account::Payment].map(|account| account.of(OUR_NAME));
    let is_own = |it: &Posting| own.contains(&it.debit_account) || own.contains(&it.credit_account);
    let costs = posted.iter().filter(|it| it.debit_account == Account::RebalanceFee.of(OUR_NAME));
    let cost = Msat::sum(costs.map(|it| it.amount_msat));
    let is_one = posted.iter().all(|it| it.tx_id == number);
    let good = is_one && !posted.iter().any(is_own) && cost == Some(fee);
    desk.told.verdict(good, "It is one transaction, and the fee is its only cost.")?;
    Ok(good)
}

/// Our channels, the one that is furthest from half first.
fn most_uneven(desk: &Desk<'_>) -> Vec<String> {
    let mut channels = desk.world.our_channels();
    let ours = desk.ours();
    channels.sort_by_key(|(channel, _, size)| {
        let has = ours.iter().find(|it| it.channel == *channel).map_or(0, |it| it.before_msat.0);
        std::cmp::Reverse(has.abs_diff(size.0 / 2))
    });
    channels.into_iter().map(|(channel, ..)| channel.to_string()).collect()
}

fn told_made(desk: &mut Desk<'_>, made: &Value, amount: Msat) -> Result<(), DemoError> {
    let hash = made["payment_hash"].as_str().unwrap_or_default();
    let text = format!("A paycode for {}: hash {hash}", sat(amount));
    let facts = json!({ "payment_hash": made["payment_hash"], "status": made["status"] });
    Ok(desk.event("paycode", &facts, &text)?)
}

/// Has others pay it. `false`: they have no way to us, which is told.
fn paid_by(desk: &mut Desk<'_>, made: &Value, amount: Msat, count: u64) -> Result<bool, DemoError> {
    let names = desk.have_paid(made, amount, count);
    if names.is_empty() {
        let text = format!(
            "No way to us has room for {} in {count}: try a smaller --amount or another --seed.",
            sat(amount)
        );
        desk.event("no_way", &json!({}), &text)?;
        return Ok(false);
    }
    let text = match names.as_slice() {
        [name] => format!("{name} pays it."),
        names => format!("{} pay it: {}.", counted(names.len(), "node"), names.join(", ")),
    };
    desk.event("paying", &json!({ "payers": names }), &text)?;
    Ok(true)
}

fn failed(desk: &mut Desk<'_>, method: &str, error: &ErrorObject) -> Result<bool, DemoError> {
    let text = format!("{method} failed with code {}: {}", error.code, error.message);
    let facts = json!({ "method": method, "code": error.code, "message": error.message });
    desk.event("failed", &facts, &text)?;
    desk.told.verdict(false, "This act ends here.")?;
    Ok(false)
}

fn msat(value: &Value) -> Msat {
    serde_json::from_value(value.clone()).unwrap_or_default()
}
