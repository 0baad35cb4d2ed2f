//! What is told, as text for people or as JSON for programs.

use crate::cli::demo::{tables, words};
use anstyle::{AnsiColor, Style};
use ecs_core::Json;
use serde_json::{Map, Value, json};
use std::{
    fmt,
    io::{self, Write},
};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
/// Longest line of text, in characters.
const CHARS_MAX: usize = 98;

/// Where it is told.
pub(super) struct Told<'a> {
    out: Box<dyn Write + 'a>,
    lines: bool,
}

impl fmt::Debug for Told<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Told").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl<'a> Told<'a> {
    pub(super) fn text(out: Box<dyn Write + 'a>) -> Self {
        Self { out, lines: false }
    }

    /// JSON, one object per line. Amounts are in millisatoshi, times in milliseconds of the
    /// network's time since the demo began.
    pub(super) fn lines(out: Box<dyn Write + 'a>) -> Self {
        Self { out, lines: true }
    }

    /// What is told to people alone.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        if self.lines { Ok(()) } else { writeln!(self.out, "{text}") }
    }

    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.say(&format!("\n{BOLD}{text}{BOLD:#}"))
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: &str) -> io::Result<()> {
        self.say(&format!("  {}", words::wrapped(text, CHARS_MAX, 2)))
    }

    pub(super) fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        self.say(&tables::table(head, rows, &(1..head.len()).collect::<Vec<_>>()))
    }

    /// Something that happened: to people in words, to programs as an object.
    pub(super) fn event(
        &mut self,
        at_ms: u64,
        name: &str,
        facts: &Value,
        text: &str,
    ) -> io::Result<()> {
        if !self.lines {
            let at = format!("{:>6}.{:03} s", at_ms / 1_000, at_ms % 1_000);
            let text = words::wrapped(text, CHARS_MAX - 15, 15);
            return writeln!(self.out, "  {DIM}{at}{DIM:#}  {text}");
        }
        let mut line =
            Map::from_iter([("event".to_owned(), json!(name)), ("at_ms".to_owned(), json!(at_ms))]);
        if let Value::Object(facts) = facts {
            line.extend(facts.clone());
        }
        writeln!(self.out, "{}", Value::Object(line))
    }

    /// Whether something came as it should.
    pub(super) fn verdict(&mut self, good: bool, text: &str) -> io::Result<()> {
        let (style, word) = if good { (GOOD, "As it should be.") } else { (BAD, "Not so.") };
        let text = words::wrapped(text, CHARS_MAX - 19, 2);
        self.say(&format!("  {style}{word}{style:#} {text}"))
    }
}

/// An answer as a value of `serde_json`.
pub(super) fn value(json: &Json) -> Value {
    json.decode().unwrap_or(Value::Null)
}
