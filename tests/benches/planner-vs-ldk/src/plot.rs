//! What arrives, and what it costs, against the amount: a picture of the delivery table.

use payecs_delivery::{Delivery, DeliveryCell, figure, mean, ppm};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;

const PANEL_PX: (u32, u32) = (420, 280);
const COLOURS: [RGBColor; 2] = [RGBColor(0, 90, 181), RGBColor(220, 50, 32)];
const TITLE: (&str, u32) = ("sans-serif", 15);
const LABEL: (&str, u32) = ("sans-serif", 12);

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("--svg: {0}")]
pub(crate) struct PlotError(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for PlotError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One panel's curves: of each planner the points, amount in satoshi and figure.
type Curves = [Vec<(f64, f64)>; 2];

/// Draws a column for each set, and for each model of balances a row of what arrives of what can,
/// and a row of fees over the pairs that both deliver.
///
/// # Errors
/// [`PlotError`]: the file can't be written.
pub(crate) fn draw(path: &Path, names: [&str; 2], cells: &[DeliveryCell]) -> Result<(), PlotError> {
    let (mut sets, mut models) = (Vec::new(), Vec::new());
    for cell in cells {
        if !sets.contains(&cell.set) {
            sets.push(cell.set.clone());
        }
        if !models.contains(&cell.model) {
            models.push(cell.model);
        }
    }
    let (columns, rows) = (sets.len().max(1), models.len().max(1) * 2);
    let across = |panel: u32, count: usize| panel * u32::try_from(count).unwrap_or(1);
    let size = (across(PANEL_PX.0, columns), across(PANEL_PX.1, rows));
    let whole = SVGBackend::new(path, size).into_drawing_area();
    whole.fill(&WHITE)?;
    let panels = whole.split_evenly((rows, columns));
    for (row, model) in models.iter().enumerate() {
        for (column, set) in sets.iter().enumerate() {
            let mine = || cells.iter().filter(|it| it.model == *model && it.set == *set);
            let title = format!("{set}, {model} balances: delivered, % of feasible");
            let curves = [0, 1].map(|planner| {
                mine().filter_map(|cell| arrived(cell, planner)).collect::<Vec<_>>()
            });
            panel(&panels[2 * row * columns + column], &title, names, &curves, 0.0..100.0)?;
            let curves = [0, 1]
                .map(|planner| mine().filter_map(|cell| costs(cell, planner)).collect::<Vec<_>>());
            let title = format!("{set}, {model} balances: fee, ppm");
            let most = curves.iter().flatten().map(|point| point.1).fold(1.0, f64::max);
            let range = 0.0..most * 1.1;
            panel(&panels[(2 * row + 1) * columns + column], &title, names, &curves, range)?;
        }
    }
    whole.present()?;
    Ok(())
}

/// Of what the balances let through so many percent arrived.
fn arrived(cell: &DeliveryCell, planner: usize) -> Option<(f64, f64)> {
    let feasible = cell.feasible.iter().zip(&cell.outcomes[planner]).filter(|(it, _)| **it);
    let all: Vec<f64> = feasible.map(|(_, it)| if it.delivered { 100.0 } else { 0.0 }).collect();
    (!all.is_empty()).then(|| (figure(cell.satoshi), mean(all.into_iter())))
}

/// The mean fee over the pairs that both deliver.
fn costs(cell: &DeliveryCell, planner: usize) -> Option<(f64, f64)> {
    let both = cell.outcomes[0].iter().zip(&cell.outcomes[1]);
    let both: Vec<[&Delivery; 2]> =
        both.filter(|(a, b)| a.delivered && b.delivered).map(|(a, b)| [a, b]).collect();
    let fees = both.iter().map(|pair| ppm(pair[planner].fee_msat, cell.satoshi));
    (!both.is_empty()).then(|| (figure(cell.satoshi), mean(fees)))
}

fn panel(
    area: &Area<'_>,
    title: &str,
    names: [&str; 2],
    curves: &Curves,
    range: Range<f64>,
) -> Result<(), PlotError> {
    let amounts = || curves.iter().flatten().map(|point| point.0);
    let (least, most) = (amounts().fold(f64::MAX, f64::min), amounts().fold(1.0, f64::max));
    if amounts().next().is_none() {
        return Ok(());
    }
    let width = (least * 0.8..most * 1.25).log_scale();
    let mut chart = ChartBuilder::on(area)
        .caption(title, TITLE)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(width, range)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("satoshi")
        .x_label_formatter(&|it| short(*it))
        .label_style(LABEL)
        .max_light_lines(0);
    mesh.draw()?;
    for ((points, name), colour) in curves.iter().zip(names).zip(COLOURS) {
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(4);
        let key = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2));
        chart.draw_series(line)?.label(name).legend(key);
    }
    let mut legend = chart.configure_series_labels();
    legend.position(SeriesLabelPosition::LowerLeft).label_font(LABEL).draw()?;
    Ok(())
}

/// 1000 as 1k, a million as 1M.
fn short(amount: f64) -> String {
    if amount >= 1e6 {
        format!("{}M", amount / 1e6)
    } else if amount >= 1e3 {
        format!("{}k", amount / 1e3)
    } else {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payecs_delivery::Model;

    fn delivery(fee_msat: Option<u64>) -> Delivery {
        Delivery {
            delivered: fee_msat.is_some(),
            rounds: 1,
            htlcs: 1,
            parts: 1,
            fee_msat: fee_msat.unwrap_or(0),
            cpu_ns: 1,
            reason: None,
            flaw: None,
        }
    }

    #[test]
    fn success_is_of_what_can_arrive_and_fees_are_over_what_both_deliver() {
        let row = |fees: [Option<u64>; 3]| fees.into_iter().map(delivery).collect();
        let cell = DeliveryCell {
            model: Model::Uniform,
            set: "mid".to_owned(),
            satoshi: 1_000,
            feasible: vec![true, true, false],
            narrow: vec![true, true, false],
            outcomes: vec![row([Some(10), Some(30), None]), row([Some(20), None, None])],
        };
        assert_eq!([0, 1].map(|it| arrived(&cell, it)), [Some((1e3, 100.0)), Some((1e3, 50.0))]);
        assert_eq!([0, 1].map(|it| costs(&cell, it)), [Some((1e3, 10.0)), Some((1e3, 20.0))]);
        let nothing = DeliveryCell { feasible: vec![false; 3], ..cell.clone() };
        assert_eq!(arrived(&nothing, 0), None);

        let path = std::env::temp_dir().join(format!("planner-vs-ldk-{}.svg", std::process::id()));
        let larger = DeliveryCell { satoshi: 100_000, ..cell.clone() };
        draw(&path, ["payecs", "LDK"], &[cell.clone(), larger]).unwrap();
        let picture = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for word in ["mid, uniform balances: delivered", "fee, ppm", "payecs", "LDK", "100k"] {
            assert!(picture.contains(word), "{word} in {picture}");
        }
        let nowhere = path.join("below.svg");
        let refused = draw(&nowhere, ["payecs", "LDK"], &[cell]).unwrap_err().to_string();
        assert!(refused.starts_with("--svg: "), "{refused}");
    }
}
