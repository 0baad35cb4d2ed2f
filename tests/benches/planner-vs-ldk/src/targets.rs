//! What the figures must come to.

use payecs_delivery::{DeliveryCell, PlanCell, RATIO_MAX, TIMES, figure, mean, ppm, ratio};
use std::fmt;

/// The ratio of CPU times that a plan of so many satoshi may have to LDK's.
fn ratio_max(set: &str, satoshi: u64) -> Option<f64> {
    match (satoshi, set) {
        (1_000, _) => Some(1.0 / 20.0),
        (100_000, _) => Some(1.0 / 10.0),
        (1_000_000, _) => Some(1.0 / 15.0),
        (10_000_000, "uniform") => Some(1.0 / 6.0),
        (10_000_000, _) => Some(1.0 / 12.0),
        (_, _) => None,
    }
}

/// Up to this amount nearly every payment arrives that can.
const ALL_ARRIVE_SATOSHI_MAX: u64 = 1_000_000;
/// A set with fewer that can arrive may lack two.
const FEW: usize = 40;
/// Standard errors on each side of a mean that hold 95 %.
const TWO_SIDED_95: f64 = 1.96;

/// Each target, with the figure it was held against.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    lines: Vec<(bool, String)>,
}

impl Targets {
    fn judge(&mut self, met: bool, what: String) {
        self.lines.push((met, what));
    }

    /// Each cell is quick enough, and plans no fewer pairs.
    pub(crate) fn plans(&mut self, cells: &[PlanCell]) {
        for cell in cells {
            let name = format!("plan {} {} sat", cell.set, cell.satoshi);
            let bounds = ratio(cell, 0).zip(ratio_max(&cell.set, cell.satoshi));
            if let Some((ratio, most)) = bounds {
                let what =
                    format!("{name}: CPU {:.1} times less, {:.0} due", 1.0 / ratio, 1.0 / most);
                self.judge(ratio <= most, what);
            }
            let sound =
                |place: usize| cell.planned[place].iter().filter(|it| it.is_sound()).count();
            let (ours, theirs) = (sound(0), sound(1));
            self.judge(ours >= theirs, format!("{name}: {ours} planned, LDK {theirs}"));
        }
    }

    /// A plan on a larger graph takes so many times the CPU time, where there were any to measure.
    pub(crate) fn size(&mut self, ratio: Option<f64>) {
        if let Some(ratio) = ratio {
            let what = format!("{TIMES} times the nodes: CPU {ratio:.1} times, {RATIO_MAX:.0} due");
            self.judge(ratio <= RATIO_MAX, what);
        }
    }

    /// Enough arrive; nowhere is LDK better in everything; over the pairs both deliver, fees and
    /// HTLCs are not above LDK's.
    pub(crate) fn deliveries(&mut self, cells: &[DeliveryCell]) {
        for cell in cells {
            let name = format!("{} {} {} sat", cell.model, cell.set, cell.satoshi);
            let of = |which: &[bool]| {
                let counted = cell.outcomes[0].iter().zip(which).filter(|(_, counts)| **counts);
                let (mut all, mut done) = (0, 0);
                for (outcome, _) in counted {
                    all += 1;
                    done += usize::from(outcome.delivered);
                }
                (done, all)
            };
            if cell.satoshi <= ALL_ARRIVE_SATOSHI_MAX {
                let (done, all) = of(&cell.narrow);
                let due = if all < FEW { all.saturating_sub(2) } else { (all * 95).div_ceil(100) };
                self.judge(done >= due, format!("{name}: {done} of {all} delivered, {due} due"));
            } else if cell.set == "mid" {
                let (done, all) = of(&cell.feasible);
                let due = (all * 60).div_ceil(66);
                self.judge(done >= due, format!("{name}: {done} of {all} delivered, {due} due"));
            }
            self.beside(&name, cell);
        }
        self.over_both("fee ppm", cells, |cell, outcome| ppm(outcome.fee_msat, cell.satoshi));
        self.over_both("HTLCs", cells, |_, outcome| f64::from(outcome.htlcs));
    }

    fn beside(&mut self, name: &str, cell: &DeliveryCell) {
        let of = |place: usize| {
            let all = &cell.outcomes[place];
            let done = all.iter().filter(|it| it.delivered);
            let count = done.clone().count();
            let htlcs = mean(all.iter().map(|it| f64::from(it.htlcs)));
            (count, htlcs, mean(done.map(|it| ppm(it.fee_msat, cell.satoshi))))
        };
        let (ours, theirs) = (of(0), of(1));
        let worse = theirs.0 > ours.0 && theirs.1 < ours.1 && theirs.2 < ours.2;
        let what = format!(
            "{name}: delivered {}, LDK {}; HTLCs {:.2}, {:.2}; fee ppm {:.0}, {:.0}",
            ours.0, theirs.0, ours.1, theirs.1, ours.2, theirs.2
        );
        self.judge(!worse, what);
    }

    /// The mean difference over pairs that both deliver is not surely above 0.
    fn over_both(
        &mut self,
        what: &str,
        cells: &[DeliveryCell],
        of: impl Fn(&DeliveryCell, &payecs_delivery::Delivery) -> f64,
    ) {
        let mut differences = Vec::new();
        for cell in cells {
            for (ours, theirs) in cell.outcomes[0].iter().zip(&cell.outcomes[1]) {
                if ours.delivered && theirs.delivered {
                    differences.push(of(cell, ours) - of(cell, theirs));
                }
            }
        }
        let count = figure(differences.len() as u64);
        let middle = mean(differences.iter().copied());
        let variance = mean(differences.iter().map(|it| (it - middle).powi(2)));
        let error = TWO_SIDED_95 * (variance / count.max(1.0)).sqrt();
        let met = middle - error <= 0.0;
        let text = format!("{what}, over {count} pairs both deliver: {middle:+.2} ± {error:.2}");
        self.judge(met, text);
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (met, what) in &self.lines {
            writeln!(out, "{} {what}", if *met { "met   " } else { "MISSED" })?;
        }
        let met = self.lines.iter().filter(|(met, _)| *met).count();
        writeln!(out, "targets: {met} of {} met", self.lines.len())
    }
}
