//! What the model holds, as the JSON that is sent and answered.

use super::{Change, Flaw, List, ListChange, SYSTEMS, Wanted};
use ecs_core::Json;
use std::{collections::BTreeMap, fmt::Write as _};

impl List {
    pub(super) fn json(&self) -> Json {
        let names = self.systems.as_ref().map(|systems| {
            let names: Vec<&str> = systems.iter().map(|system| SYSTEMS[*system]).collect();
            ("systems", Json::of(&names))
        });
        let current = self.current.map(|current| ("current", Json::of(&current)));
        let error = self.error.map(|(code, message)| {
            let error = [("code", Json::of(&code)), ("message", Json::of(message))];
            ("error", Json::object(error))
        });
        Json::object(names.into_iter().chain(current).chain(error))
    }
}

/// One of the texts of a number, all of one meaning.
fn number(value: Option<u64>, variant: usize) -> String {
    match (value, variant) {
        (None, _) => "null".to_owned(),
        (Some(value), 0) => format!("{value}.0"),
        (Some(value), 1) => format!("{}e-1", value * 10),
        (Some(value), 2) => format!(" {value}E+0 "),
        (Some(value), _) => value.to_string(),
    }
}

fn fields(values: &BTreeMap<&'static str, Option<u64>>, variant: usize) -> String {
    let mut text = String::new();
    for (name, value) in values {
        write!(text, ",\"{name}\":{}", number(*value, variant)).expect("text takes text");
    }
    text
}

impl Change {
    /// Whether it takes everything away and gives nothing.
    pub(super) fn is_clear(&self) -> bool {
        self.exact && self.names_nothing()
    }

    pub(super) fn is_nothing(&self) -> bool {
        !self.exact && self.names_nothing()
    }

    fn names_nothing(&self) -> bool {
        self.values.is_empty() && matches!(self.list, ListChange::Keep)
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{{\"exact\":{},\"entity\":\"{}\"", self.exact, self.entity);
        text += &fields(&self.values, 3);
        match &self.list {
            ListChange::Keep => {}
            ListChange::Detach => text += ",\"lightningd:systems\":null",
            ListChange::Attach(systems) => {
                let list = List { systems: Some(systems.clone()), ..List::default() };
                write!(text, ",\"lightningd:systems\":{}", list.json()).expect("text takes text");
            }
        }
        text += match self.flaw {
            Flaw::None => "",
            Flaw::Name => ",\"lightningd:unheard\":1",
            Flaw::Engine => ",\"lightningd:claim\":true",
            Flaw::Shape => ",\"lightningd:label\":[]",
        };
        text + "}"
    }
}

impl Wanted {
    pub(super) fn text(&self) -> String {
        let fields = fields(&self.values, self.variant);
        format!("{{\"entity\":{},\"exact\":{}{fields}}}", self.entity, self.exact)
    }
}
