//! What a plan takes on a larger graph.

use crate::{
    options::{Options, OptionsError},
    ours::Ours,
    plans::Planned,
    replay::Strictness,
    run::{Judged, PlanCell, Runner},
    table::{figure, mean},
};
use tabled::{builder::Builder, settings::Style};

/// How many times as large the larger graph is.
pub const TIMES: u32 = 10;
/// Most that a plan may take there, in times of what it takes on the smaller one.
pub const RATIO_MAX: f64 = 20.0;

/// Our plans on a generated graph of so many times the nodes that `options` say, for pairs that
/// are drawn from it; says on standard error how far it is.
///
/// # Errors
/// [`OptionsError`].
pub fn sized(options: &Options, times: u32) -> Result<Vec<PlanCell>, OptionsError> {
    let graph = options.made(times);
    eprintln!("{times}x: {} nodes, {} channels", graph.nodes_count(), graph.channels_count());
    let ours = Judged(Ours::new(&graph, None), Strictness::Exact);
    Runner::drawn(options, &graph)?.plans(&[&ours], |cell| {
        eprintln!("planned {} of {} sat, {times}x", cell.set, cell.satoshi);
    })
}

/// Mean CPU time over all sound plans on the larger graph, in times of that on the smaller one.
#[must_use]
pub fn size_ratio(small: &[PlanCell], large: &[PlanCell]) -> Option<f64> {
    let all = |cells: &[PlanCell]| cpu_ms(&cells.iter().flat_map(ours).collect::<Vec<_>>());
    all(small).zip(all(large)).map(|(before, after)| after / before)
}

fn ours(cell: &PlanCell) -> Vec<Planned> {
    cell.planned.first().cloned().unwrap_or_default()
}

/// Mean CPU time of sound plans on both graphs, a row for each cell and one for all; by the pairs
/// of each graph, which are others.
#[must_use]
pub fn size_table(small: &[PlanCell], large: &[PlanCell]) -> String {
    let mut table = Builder::default();
    let times = format!("CPU ms at {TIMES}x");
    let target = format!("target {RATIO_MAX}");
    table.push_record(["set", "sat", "planned", "CPU ms at 1x", &times, "ratio", &target]);
    let rows = small.iter().zip(large);
    let rows =
        rows.map(|(one, ten)| (one.set.clone(), one.satoshi.to_string(), ours(one), ours(ten)));
    let all = |cells: &[PlanCell]| cells.iter().flat_map(ours).collect::<Vec<_>>();
    let sum = ("all".to_owned(), String::new(), all(small), all(large));
    for (set, satoshi, one, ten) in rows.chain([sum]) {
        let (before, after) = (cpu_ms(&one), cpu_ms(&ten));
        let ratio = before.zip(after).map(|(before, after)| after / before);
        let told = |of: Option<f64>| of.map_or_else(|| "–".to_owned(), |of| format!("{of:.2}"));
        let word = match ratio {
            Some(ratio) if ratio <= RATIO_MAX => "kept",
            Some(_) => "missed",
            None => "–",
        };
        let planned = format!("{} and {}", sound(&one).count(), sound(&ten).count());
        let row = [set, satoshi, planned, told(before), told(after), told(ratio), word.to_owned()];
        table.push_record(row);
    }
    table.build().with(Style::markdown()).to_string()
}

fn sound(planned: &[Planned]) -> impl Iterator<Item = &Planned> {
    planned.iter().filter(|it| it.is_sound())
}

/// The mean of sound plans; `None` where there are none, or they took no time that can be measured.
fn cpu_ms(planned: &[Planned]) -> Option<f64> {
    let mean = mean(sound(planned).map(|it| figure(it.cpu_ns) / 1e6));
    (mean > 0.0).then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(set: &str, cpu_ms: &[u64]) -> PlanCell {
        let planned = cpu_ms.iter().map(|ms| Planned {
            cpu_ns: ms * 1_000_000,
            parts: 1,
            fee_msat: 0,
            reason: None,
            flaw: (*ms == 99).then(|| "a flaw".to_owned()),
        });
        PlanCell { set: set.to_owned(), satoshi: 7, planned: vec![planned.collect()] }
    }

    #[test]
    fn each_cell_and_all_together_have_their_ratio_and_what_is_flawed_does_not_count() {
        let small = [cell("mid", &[1, 3, 99]), cell("hubs", &[2])];
        let large = [cell("mid", &[20, 60]), cell("hubs", &[50, 99])];
        let text = size_table(&small, &large);
        let words = |line: &str| line.split('|').map(str::trim).collect::<Vec<_>>().join(";");
        let rows: Vec<String> = text.lines().map(words).skip(2).collect();
        let wanted = [
            ";mid;7;2 and 2;2.00;40.00;20.00;kept;",
            ";hubs;7;1 and 1;2.00;50.00;25.00;missed;",
            ";all;;3 and 3;2.00;43.33;21.67;missed;",
        ];
        assert_eq!(rows, wanted);
        let ratio = size_ratio(&small, &large).expect("both have sound plans");
        assert!((ratio - 130.0 / 6.0).abs() < 1e-9, "{ratio}");
        let none = size_table(&[cell("mid", &[])], &[cell("mid", &[1])]);
        assert!(none.contains("\u{2013}"), "{none}");
    }
}
