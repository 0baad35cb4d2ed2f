//! What was measured, in rows.

use std::fmt;

/// The one table that the bench prints.
#[derive(Debug)]
pub(crate) struct Table {
    lines: Vec<[String; 5]>,
}

impl Table {
    pub(crate) fn new() -> Self {
        let heads = ["row", "what", "figure", "unit", "note"];
        Self { lines: vec![heads.map(str::to_owned)] }
    }

    /// Adds a figure, and says it at once: some rows take minutes.
    pub(crate) fn add(&mut self, row: &str, what: &str, figure: f64, unit: &str, note: &str) {
        let places = if figure >= 100.0 { 0 } else { 2 };
        let figure = format!("{figure:.places$}");
        eprintln!("{row}: {what}: {figure} {unit} {note}");
        self.lines.push([row, what, &figure, unit, note].map(str::to_owned));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = |column: usize| {
            let widths = self.lines.iter().map(|line| line[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let [row, what, figure, unit] = [wide(0), wide(1), wide(2), wide(3)];
        for [a, b, c, d, e] in &self.lines {
            let line = format!("{a:row$}  {b:what$}  {c:>figure$} {d:unit$}  {e}");
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
