//! Routes as people read them.

use crate::cli::demo::words::{counted, grouped};
use ecs_core::Json;
use serde::Deserialize;
use tabled::{
    builder::Builder,
    settings::{Alignment, Style, object::Columns},
};

/// What `getroutes` answers, and what is added to it on a graph.
#[derive(Deserialize)]
struct Answer {
    probability_ppm: u32,
    routes: Vec<Route>,
    #[serde(flatten)]
    made: Option<Made>,
}

#[derive(Deserialize)]
struct Made {
    nodes: u64,
    channels: u64,
    load_us: u64,
    plan_us: u64,
}

#[derive(Deserialize)]
struct Route {
    probability_ppm: u32,
    amount_msat: u64,
    path: Vec<Hop>,
}

#[derive(Deserialize)]
struct Hop {
    short_channel_id_dir: String,
    node_id_out: String,
    amount_in_msat: u64,
    amount_out_msat: u64,
    cltv_in: u32,
    cltv_out: u32,
}

impl Route {
    fn sent_msat(&self) -> u64 {
        self.path.first().map_or(self.amount_msat, |hop| hop.amount_in_msat)
    }

    fn delay_blocks(&self) -> u32 {
        self.path.first().map_or(0, |hop| hop.cltv_in)
    }
}

/// Each route with its hops, then what they come to. `None` where it is no such answer.
pub(super) fn told(answer: &Json) -> Option<String> {
    let it: Answer = answer.decode().ok()?;
    let mut lines = Vec::new();
    for (at, route) in (1..).zip(&it.routes) {
        lines.push(format!(
            "Route {at}: {} msat, {}, {} blocks, {} % likely\n{}\n",
            grouped(route.amount_msat),
            fee(route.sent_msat().saturating_sub(route.amount_msat), route.amount_msat),
            route.delay_blocks(),
            percent(route.probability_ppm),
            hops(route),
        ));
    }
    let amount = it.routes.iter().fold(0_u64, |sum, it| sum.saturating_add(it.amount_msat));
    let sent = it.routes.iter().fold(0_u64, |sum, it| sum.saturating_add(it.sent_msat()));
    lines.push(format!(
        "{}: {} msat arrive, {}; {} blocks at most, {} % likely as a whole",
        counted(it.routes.len(), "route"),
        grouped(amount),
        fee(sent.saturating_sub(amount), amount),
        it.routes.iter().map(Route::delay_blocks).max().unwrap_or_default(),
        percent(it.probability_ppm),
    ));
    if let Some(made) = it.made {
        lines.push(format!(
            "{} nodes and {} channels, there after {} ms; planned in {} ms",
            grouped(made.nodes),
            grouped(made.channels),
            millis(made.load_us),
            millis(made.plan_us),
        ));
    }
    Some(lines.join("\n"))
}

fn hops(route: &Route) -> String {
    let mut rows = Builder::default();
    rows.push_record(["channel", "to node", "HTLC (msat)", "fee (msat)", "delay (blocks)"]);
    for hop in &route.path {
        let fee = hop.amount_in_msat.saturating_sub(hop.amount_out_msat);
        rows.push_record([
            hop.short_channel_id_dir.clone(),
            hop.node_id_out.clone(),
            grouped(hop.amount_out_msat),
            grouped(fee),
            hop.cltv_out.to_string(),
        ]);
    }
    let mut table = rows.build();
    table.with(Style::blank()).modify(Columns::new(2..), Alignment::right());
    let lines: Vec<String> = table.to_string().lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

fn fee(fee_msat: u64, amount_msat: u64) -> String {
    let ppm = u128::from(fee_msat) * 1_000_000 / u128::from(amount_msat.max(1));
    format!("fee {} msat ({ppm} ppm)", grouped(fee_msat))
}

/// A millionth as percent with one decimal, rounded down: what is not sure is not 100.
fn percent(ppm: u32) -> String {
    format!("{}.{}", ppm / 10_000, ppm / 1_000 % 10)
}

fn millis(micros: u64) -> String {
    format!("{}.{}", micros / 1_000, micros / 100 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_told_with_hops_and_sums_and_what_is_no_answer_is_not() {
        let hop = |scid: &str, amounts: [u64; 2], delays: [u32; 2]| {
            format!(
                r#"{{"short_channel_id_dir":"{scid}","node_id_in":"02","node_id_out":"03ff",
                "amount_in_msat":{},"amount_out_msat":{},"cltv_in":{},"cltv_out":{}}}"#,
                amounts[0], amounts[1], delays[0], delays[1]
            )
        };
        let first = hop("1x2x3/0", [1_000_250, 1_000_250], [58, 58]);
        let last = hop("4x5x6/1", [1_000_250, 1_000_000], [58, 18]);
        let route = format!(
            r#"{{"probability_ppm":999999,"amount_msat":1000000,"final_cltv":18,
            "path":[{first},{last}]}}"#
        );
        let answer = format!(r#"{{"probability_ppm":501000,"routes":[{route},{route}]}}"#);
        let text = told(&Json::parse(&answer).unwrap()).unwrap();
        for expected in [
            "Route 1: 1 000 000 msat, fee 250 msat (250 ppm), 58 blocks, 99.9 % likely\n",
            "1x2x3/0",
            "1 000 250",
            "2 routes: 2 000 000 msat arrive, fee 500 msat (250 ppm); 58 blocks at most, 50.1 %",
        ] {
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
        let timed = answer.replacen(
            '{',
            r#"{"nodes":17000,"channels":50000,"load_us":210440,"plan_us":3250,"#,
            1,
        );
        let text = told(&Json::parse(&timed).unwrap()).unwrap();
        let end = "17 000 nodes and 50 000 channels, there after 210.4 ms; planned in 3.2 ms";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(told(&Json::of("else")), None);
    }
}
