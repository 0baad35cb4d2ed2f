//! How often each System ran and how long it took, in the text format of Prometheus.
//!
//! The engine counts; here it is only written. So what is told follows what is registered: a System
//! that is removed is told of no more, and no name stays for ever.

use ecs_core::{Engine, Owner, trace::Took};
use std::fmt::Write as _;

/// Most Systems of third parties that are told of by name, in the order of their registration; the
/// others are added up under [`OTHERS`].
const OTHERS_MAX: usize = 100;
/// What Systems are called that are not told of by name. No System has that name.
const OTHERS: &str = "";

const RUNS: &str = "payecs_system_runs_total";
const DURATION: &str = "payecs_system_duration_seconds";
const ANSWER: &str = "payecs_system_answer_seconds";

/// What is told of one System.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    system: String,
    runs: u64,
    took: Took,
    /// Of one that is external: how many answers, and how long they took together.
    answers: Option<(u64, u64)>,
}

/// What is told of all Systems that ran.
#[derive(Debug, Default)]
pub(super) struct Systems(Vec<Row>);

impl Systems {
    pub(super) fn of(engine: &Engine) -> Self {
        let rows = engine.system_counts().filter(|(.., counts)| counts.runs > 0);
        let rows = rows.map(|(system, owner, counts)| {
            let is_external = *owner == Owner::External;
            let answers = is_external.then_some((counts.answers, counts.answers_ms));
            let (runs, took) = (counts.runs, counts.took);
            (*owner == Owner::BuiltIn, Row { system: system.to_owned(), runs, took, answers })
        });
        let (ours, theirs): (Vec<_>, Vec<_>) = rows.partition(|(is_ours, _)| *is_ours);
        let mut rows: Vec<Row> = ours.into_iter().map(|(_, row)| row).collect();
        let mut theirs = theirs.into_iter().map(|(_, row)| row);
        rows.extend(theirs.by_ref().take(OTHERS_MAX));
        rows.extend(theirs.reduce(|sum, row| sum.and(&row)));
        Self(rows)
    }

    /// The text behind all else that is measured.
    pub(super) fn write(&self, out: &mut String) {
        head(out, RUNS, "counter", "How often each System was run or announced.");
        for row in &self.0 {
            let _ = writeln!(out, "{RUNS}{{system=\"{}\"}} {}", row.system, row.runs);
        }
        head(out, DURATION, "histogram", "How long the engine was at a run of each System.");
        for row in &self.0 {
            row.write_duration(out);
        }
        head(out, ANSWER, "summary", "After how long each external System answered.");
        for row in &self.0 {
            if let Some((count, ms)) = row.answers {
                let (name, seconds) = (&row.system, seconds(ms, 1_000));
                let _ = writeln!(out, "{ANSWER}_sum{{system=\"{name}\"}} {seconds}");
                let _ = writeln!(out, "{ANSWER}_count{{system=\"{name}\"}} {count}");
            }
        }
    }
}

impl Row {
    /// Both as one.
    fn and(self, other: &Self) -> Self {
        let mut took = self.took;
        took.count += other.took.count;
        took.sum_ns = took.sum_ns.saturating_add(other.took.sum_ns);
        for (class, more) in took.classes.iter_mut().zip(other.took.classes) {
            *class += more;
        }
        let (count, ms) = self.answers.unwrap_or_default();
        let (more, later_ms) = other.answers.unwrap_or_default();
        let answers = Some((count + more, ms.saturating_add(later_ms)));
        Self { system: OTHERS.to_owned(), runs: self.runs + other.runs, took, answers }
    }

    fn write_duration(&self, out: &mut String) {
        let Self { system, took, .. } = self;
        if took.count == 0 {
            return;
        }
        let mut count = 0;
        for (bound, class) in Took::BOUNDS_NS.iter().zip(took.classes) {
            count += class;
            let le = seconds(*bound, NS);
            let _ = writeln!(out, "{DURATION}_bucket{{system=\"{system}\",le=\"{le}\"}} {count}");
        }
        let _ =
            writeln!(out, "{DURATION}_bucket{{system=\"{system}\",le=\"+Inf\"}} {}", took.count);
        let _ = writeln!(out, "{DURATION}_sum{{system=\"{system}\"}} {}", seconds(took.sum_ns, NS));
        let _ = writeln!(out, "{DURATION}_count{{system=\"{system}\"}} {}", took.count);
    }
}

/// Nanoseconds in a second.
const NS: u64 = 1_000_000_000;

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A number of parts of a second as a decimal number of seconds.
fn seconds(number: u64, parts: u64) -> String {
    let digits = parts.ilog10() as usize;
    let text = format!("{}.{:0digits$}", number / parts, number % parts);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_core::{Json, On, Step, Write, Writer, system};
    use std::sync::atomic::{AtomicU64, Ordering};

    /// An engine whose Systems take a microsecond each, on which `acme:0`, `acme:1`, … ran once.
    fn ran(count: usize) -> Engine {
        static NOW_NS: AtomicU64 = AtomicU64::new(0);
        let mut app = Engine::new();
        app.set_stopwatch(|| NOW_NS.fetch_add(1_000, Ordering::Relaxed));
        app.measure_runs(true);
        let names: Vec<String> = (0..count).map(|number| format!("acme:{number}")).collect();
        for name in &names {
            let mut def = system(name);
            def.required = vec!["acme:go".into()];
            def.disallowed = vec![name.clone().into()];
            let flag = name.clone();
            let run = move |_: On| Ok(Step::advance().attach_json(flag.clone(), Json::yes()));
            app.add_payment_system(def, run).unwrap();
        }
        let write = Write::to(app.new_entity()).attach(&ecs_core::Systems::listing(&names));
        let write = write.attach_json("acme:go", Json::yes());
        let entity = write.entity.unwrap();
        app.set_components(&Writer::Caller, &[write], &[]).unwrap();
        app.advance(entity, None).unwrap();
        app
    }

    #[test]
    fn each_system_that_ran_is_told_with_its_runs_and_durations() {
        let mut app = ran(1);
        app.add_external_system(system("acme:never").requires(["acme:x"])).unwrap();
        let mut text = String::new();
        Systems::of(&app).write(&mut text);
        for line in [
            "# TYPE payecs_system_duration_seconds histogram",
            "payecs_system_runs_total{system=\"acme:0\"} 1",
            "payecs_system_duration_seconds_bucket{system=\"acme:0\",le=\"0.000001\"} 1",
            "payecs_system_duration_seconds_bucket{system=\"acme:0\",le=\"0.1\"} 1",
            "payecs_system_duration_seconds_bucket{system=\"acme:0\",le=\"+Inf\"} 1",
            "payecs_system_duration_seconds_sum{system=\"acme:0\"} 0.000001",
            "payecs_system_duration_seconds_count{system=\"acme:0\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}:\n{text}");
        }
        assert!(!text.contains("never") && !text.contains("answer_seconds_sum"), "{text}");
    }

    #[test]
    fn there_are_never_more_names_than_the_bound_and_nothing_is_left_out_of_the_sum() {
        let count = OTHERS_MAX + 20;
        let Systems(rows) = Systems::of(&ran(count));
        assert_eq!((rows.len(), rows[OTHERS_MAX].runs), (OTHERS_MAX + 1, 20));
        assert_eq!(rows[OTHERS_MAX].system, OTHERS);
        assert_eq!(rows.iter().map(|row| row.took.count).sum::<u64>(), count as u64);
    }

    #[test]
    fn seconds_are_decimal_and_exact() {
        for (number, parts, text) in [
            (0, 1_000, "0"),
            (1_000, 1_000, "1"),
            (250, 1_000, "0.25"),
            (1, NS, "0.000000001"),
            (u64::MAX, NS, "18446744073.709551615"),
        ] {
            assert_eq!(seconds(number, parts), text);
        }
    }
}
