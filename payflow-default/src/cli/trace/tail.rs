//! What was heard of a payment and its children, and what is new.

use super::{Change, Step, Trace};
use crate::cli::look::short;
use ecs_core::Json;
use std::{collections::BTreeMap, fmt::Write as _};

/// Most children that are followed at a time; later ones are passed over.
const CHILDREN_MAX: usize = 1_000;
/// The System that makes plans.
const PLAN: &str = "lightningd:plan";
/// The Component without which nothing runs on an Entity any more.
const LIST: &str = "lightningd:systems";

/// An Entity that is followed, or is none of ours.
#[derive(Debug)]
enum Known {
    /// Named in a step, and not looked at yet; whether the step made it as a plan.
    Named { as_plan: bool },
    /// It is followed: what it is called, the last step that was heard, and how many were or are
    /// gone.
    Followed { label: String, after: u64, heard: u64, over: bool },
    /// It belongs to another payment, or is the parent itself.
    Stranger,
}

/// What is new, in the order in which it ran.
#[derive(Debug)]
pub(super) struct Tail {
    known: BTreeMap<u32, Known>,
    new: Vec<(u32, Step, Json)>,
    /// Steps that were gone before they were heard.
    lost: u64,
}

impl Tail {
    /// Of that Entity.
    pub(super) fn of(entity: u32) -> Self {
        let first = Known::Followed { label: String::new(), after: 0, heard: 0, over: false };
        Self { known: [(entity, first)].into(), new: Vec::new(), lost: 0 }
    }

    /// Those that are followed, each with the step behind which something may be new.
    pub(super) fn wanted(&self) -> Vec<(u32, u64)> {
        let wanted = self.known.iter().filter_map(|(entity, known)| match known {
            Known::Followed { after, over: false, .. } => Some((*entity, *after)),
            Known::Followed { .. } | Known::Named { .. } | Known::Stranger => None,
        });
        wanted.collect()
    }

    /// Those that were named, and may be children.
    pub(super) fn unknown(&self) -> Vec<u32> {
        let named = self.known.iter().filter(|(_, known)| matches!(known, Known::Named { .. }));
        named.map(|(entity, _)| *entity).collect()
    }

    /// Takes what ran on an Entity.
    pub(super) fn take(&mut self, entity: u32, answer: &Json) {
        let texts = answer.fields().and_then(|mut fields| fields.remove("trace")?.items());
        let (Some(texts), Ok(trace)) = (texts, answer.decode::<Trace>()) else { return };
        for (step, text) in trace.steps.into_iter().zip(texts) {
            for other in &step.others {
                if self.known.len() <= CHILDREN_MAX {
                    let as_plan = step.system == PLAN;
                    self.known.entry(*other).or_insert(Known::Named { as_plan });
                }
            }
            if let Some(Known::Followed { after, heard, over, label }) = self.known.get_mut(&entity)
            {
                self.lost += trace.gone.saturating_sub(*heard);
                *heard = (*heard).max(trace.gone) + 1;
                *after = step.number;
                let gone = |it: &Change| it.component == LIST && it.kind == "detached";
                // The first one is over when its daemon says so.
                *over = !label.is_empty() && step.changes.iter().any(gone);
            }
            self.new.push((entity, step, text));
        }
    }

    /// Takes what was read of an Entity that was named: a child of one that is followed is followed
    /// too.
    pub(super) fn learn(&mut self, entity: u32, components: &Json) {
        let fields = components.fields().unwrap_or_default();
        let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
        let parent = given("lightningd:parent").and_then(|parent| parent.decode::<u32>().ok());
        let ours = |parent| matches!(self.known.get(&parent), Some(Known::Followed { .. }));
        let kind = match (given("lightningd:part"), given("lightningd:set")) {
            (Some(_), _) => "part",
            (None, Some(_)) => "set",
            (None, None) => "plan",
        };
        let label = format!("{kind} {entity}");
        // A plan is gone as soon as it was handed over.
        let as_plan = matches!(self.known.get(&entity), Some(Known::Named { as_plan: true }));
        let known = if parent.map_or(as_plan, ours) {
            Known::Followed { label, after: 0, heard: 0, over: false }
        } else {
            Known::Stranger
        };
        self.known.insert(entity, known);
    }

    fn take_new(&mut self) -> Vec<(u32, Step, Json)> {
        self.new.sort_by_key(|(_, step, _)| step.number);
        std::mem::take(&mut self.new)
    }

    /// A line for each step that is new.
    pub(super) fn lines(&mut self) -> String {
        let mut text = String::new();
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            let _ = writeln!(text, "… {lost} steps are not kept any more");
        }
        for (entity, step, _) in self.take_new() {
            let label = match self.known.get(&entity) {
                Some(Known::Followed { label, .. }) => label.as_str(),
                Some(Known::Named { .. } | Known::Stranger) | None => "",
            };
            // The date is the same on nearly every line.
            let time = step.time.split_once('T').map_or(step.time.as_str(), |(_, time)| time);
            let changes: Vec<String> = step.changes.iter().map(Change::told).collect();
            let took = step.took().map(|took| format!(" ({took})")).unwrap_or_default();
            let (system, changes) = (short(&step.system), changes.join(" "));
            let line = format!("{time}  {label:<9} {system:<24} {changes}{took}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// The same as JSON: each step with the Entity that it ran on, as it was answered.
    pub(super) fn json_lines(&mut self) -> String {
        let mut text = String::new();
        for (_, _, step) in self.take_new() {
            let _ = writeln!(text, "{step}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(entity: u32, steps: &[(u64, &str, &str)]) -> Json {
        let step = |(number, time, rest): &(u64, &str, &str)| {
            format!(
                r#"{{"time":"2026-01-01T{time}Z","system":"lightningd:plan","entity":
                {{"entity":{entity}}},"step":{number},{rest}}}"#
            )
        };
        let steps: Vec<String> = steps.iter().map(step).collect();
        let text = format!(r#"{{"entity":{entity},"trace":[{}],"gone":0}}"#, steps.join(","));
        Json::parse(&text).expect("the test writes JSON")
    }

    #[test]
    fn children_are_followed_strangers_are_not_and_lines_are_in_order() {
        let mut tail = Tail::of(7);
        assert_eq!(tail.wanted(), [(7, 0)]);
        tail.take(7, &answer(7, &[(2, "00:00:02.000", r#""changes":[],"others":[8,9,10]"#)]));
        assert_eq!((tail.unknown(), tail.wanted()), (vec![8, 9, 10], vec![(7, 2)]));
        tail.learn(8, &Json::parse(r#"{"lightningd:parent":7,"lightningd:part":{}}"#).unwrap());
        tail.learn(9, &Json::parse(r#"{"lightningd:parent":70}"#).unwrap());
        tail.learn(10, &Json::parse(r#"{"lightningd:parent":null}"#).unwrap());
        assert_eq!(tail.unknown(), [0_u32; 0]);
        assert_eq!(tail.wanted(), [(7, 2), (8, 0), (10, 0)], "the last is a plan that is gone");
        let change = r#"{"component":"lightningd:systems","change":"detached"}"#;
        let last = format!(r#""changes":[{change}],"others":[7],"duration_us":5"#);
        tail.take(8, &answer(8, &[(1, "00:00:02.000", &last)]));
        assert_eq!(tail.wanted(), [(7, 2), (10, 0)], "the part is over");
        assert_eq!(
            tail.lines().lines().collect::<Vec<_>>(),
            [
                "00:00:02.000Z  part 8    plan                     -systems (5 us)",
                "00:00:02.000Z            plan",
            ]
        );
        assert_eq!(tail.lines(), "");
    }

    #[test]
    fn steps_that_are_gone_are_counted_once_and_json_is_as_it_was_answered() {
        let mut tail = Tail::of(7);
        let gone = |gone: u32, step| {
            let text = answer(7, &[(step, "00:00:02.000", r#""changes":[]"#)]).to_string();
            Json::parse(&text.replace(r#""gone":0"#, &format!(r#""gone":{gone}"#))).unwrap()
        };
        tail.take(7, &gone(3, 4));
        assert!(tail.lines().starts_with("… 3 steps are not kept any more\n"));
        tail.take(7, &gone(4, 5));
        assert!(!tail.lines().contains("not kept"), "that one was heard");
        tail.take(7, &gone(7, 9));
        let line = tail.json_lines();
        let read = Json::parse(line.trim_end()).unwrap().fields().unwrap();
        assert_eq!(read["step"], Json::of(&9));
        assert_eq!(read["entity"].text(), r#"{"entity":7}"#);
        assert!(tail.lines().starts_with("… 2 steps"), "one of the three was heard");
    }
}
