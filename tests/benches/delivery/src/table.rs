//! What the cells come to.

use crate::{
    pay::Delivery,
    plans::Planned,
    run::{DeliveryCell, PlanCell},
};
use std::collections::BTreeMap;
use tabled::{builder::Builder, settings::Style};

/// The mean of what there is; 0 of nothing.
pub fn mean(of: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = of.fold((0.0, 0_u32), |(sum, count), it| (sum + it, count + 1));
    sum / f64::from(count.max(1))
}

/// A whole number as a figure: 53 bits are plenty for one.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "figures are told to three digits")]
pub fn figure(value: u64) -> f64 {
    value as f64
}

/// What a fee is of an amount, in parts per million.
#[must_use]
pub fn ppm(fee_msat: u64, satoshi: u64) -> f64 {
    figure(fee_msat) * 1e3 / figure(satoshi.max(1))
}

fn ms(cpu_ns: u64) -> f64 {
    figure(cpu_ns) / 1e6
}

/// Mean, and the middle and the ninth tenth.
fn spread(mut cpu_ns: Vec<u64>) -> String {
    if cpu_ns.is_empty() {
        return "–".to_owned();
    }
    cpu_ns.sort_unstable();
    let at = |percent: usize| ms(cpu_ns[(cpu_ns.len() * percent / 100).min(cpu_ns.len() - 1)]);
    let mean = mean(cpu_ns.iter().map(|it| ms(*it)));
    format!("{mean:.2} ({:.2}/{:.2})", at(50), at(90))
}

/// The plans, a row for each contender; ratios are to the last of them, over pairs both planned.
#[must_use]
pub fn plan_table(names: &[&'static str], cells: &[PlanCell]) -> String {
    let mut table = Builder::default();
    table.push_record([
        "set",
        "sat",
        "planner",
        "of",
        "planned",
        "CPU ms (p50/p90)",
        "failing, CPU ms",
        "parts",
        "fee ppm",
        "CPU ratio",
        "flaws",
    ]);
    for cell in cells {
        for (place, name) in names.iter().enumerate() {
            let planned = &cell.planned[place];
            let sound = || planned.iter().filter(|it| it.is_sound());
            table.push_record([
                cell.set.clone(),
                cell.satoshi.to_string(),
                (*name).to_owned(),
                planned.len().to_string(),
                sound().count().to_string(),
                spread(sound().map(|it| it.cpu_ns).collect()),
                spread(failed(planned)),
                format!("{:.2}", mean(sound().map(|it| figure(it.parts)))),
                format!("{:.0}", mean(sound().map(|it| ppm(it.fee_msat, cell.satoshi)))),
                ratio(cell, place).map_or_else(String::new, |it| format!("1/{:.1}", 1.0 / it)),
                planned.iter().filter(|it| it.flaw.is_some()).count().to_string(),
            ]);
        }
    }
    table.build().with(Style::markdown()).to_string()
}

fn failed(planned: &[Planned]) -> Vec<u64> {
    planned.iter().filter(|it| !it.is_sound()).map(|it| it.cpu_ns).collect()
}

/// Mean CPU time of a contender over that of the last one, over the pairs both planned; `None` of
/// the last one, and where there are none.
#[must_use]
pub fn ratio(cell: &PlanCell, place: usize) -> Option<f64> {
    let last = cell.planned.len() - 1;
    let pairs = cell.planned[place].iter().zip(&cell.planned[last]);
    let both = pairs.filter(|(ours, theirs)| ours.is_sound() && theirs.is_sound());
    let (ours, theirs) = both.fold((0, 0), |sums, (a, b)| (sums.0 + a.cpu_ns, sums.1 + b.cpu_ns));
    (place != last && theirs > 0).then(|| figure(ours) / figure(theirs))
}

/// The deliveries, a row for each contender. Means are over payments, those of parts and fees over
/// the ones delivered; CPU is of the planner, all rounds.
#[must_use]
pub fn delivery_table(names: &[&'static str], cells: &[DeliveryCell]) -> String {
    let mut table = Builder::default();
    table.push_record([
        "balances",
        "set",
        "sat",
        "planner",
        "of",
        "feasible",
        "narrow",
        "delivered",
        "round 1",
        "HTLCs",
        "rounds",
        "parts",
        "CPU ms (p50/p90)",
        "fee ppm",
        "flaws",
        "feasible, not delivered",
    ]);
    for cell in cells {
        for (place, name) in names.iter().enumerate() {
            table.push_record(delivery_row(cell, name, &cell.outcomes[place]));
        }
    }
    table.build().with(Style::markdown()).to_string()
}

fn delivery_row(cell: &DeliveryCell, name: &str, all: &[Delivery]) -> [String; 16] {
    let done = || all.iter().filter(|it| it.delivered);
    let count = |which: &[bool]| which.iter().filter(|it| **it).count().to_string();
    [
        cell.model.to_string(),
        cell.set.clone(),
        cell.satoshi.to_string(),
        name.to_owned(),
        all.len().to_string(),
        count(&cell.feasible),
        count(&cell.narrow),
        done().count().to_string(),
        done().filter(|it| it.rounds == 1).count().to_string(),
        format!("{:.2}", mean(all.iter().map(|it| f64::from(it.htlcs)))),
        format!("{:.2}", mean(all.iter().map(|it| f64::from(it.rounds)))),
        format!("{:.2}", mean(done().map(|it| f64::from(it.parts)))),
        spread(all.iter().map(|it| it.cpu_ns).collect()),
        format!("{:.0}", mean(done().map(|it| ppm(it.fee_msat, cell.satoshi)))),
        all.iter().filter(|it| it.flaw.is_some()).count().to_string(),
        reasons(cell, all),
    ]
}

fn reasons(cell: &DeliveryCell, all: &[Delivery]) -> String {
    let mut counts = BTreeMap::<_, usize>::new();
    let lost = all.iter().zip(&cell.feasible).filter(|(it, feasible)| **feasible && !it.delivered);
    for reason in lost.filter_map(|(it, _)| it.reason) {
        *counts.entry(reason).or_default() += 1;
    }
    let words: Vec<String> =
        counts.iter().map(|(reason, times)| format!("{reason} {times}")).collect();
    words.join(", ")
}
