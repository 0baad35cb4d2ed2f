//! Graphs in JSON, item by item: the file is never in memory as values.

mod fields;
mod listchannels;
mod describegraph;

use crate::import::{Format, ImportError, Imported};
use crate::read::End;
use fields::Item;
use payecs_planner::{Graph, GraphBuilder};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// What a file lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Directions of channels: Core Lightning's.
    Channels,
    /// Channels: LND's.
    Edges,
}

impl Kind {
    fn of(key: &str) -> Option<Self> {
        match key {
            "channels" => Some(Self::Channels),
            "edges" => Some(Self::Edges),
            _ => None,
        }
    }

    fn expected(only: Option<Self>) -> &'static str {
        match only {
            Some(Self::Channels) => "an array `channels`, as `listchannels` answers",
            Some(Self::Edges) => "an array `edges`, as `describegraph` answers",
            None => "an array `channels` or `edges`",
        }
    }
}

/// A graph in the making.
#[derive(Default)]
struct Making {
    channels: listchannels::Channels,
    edges: GraphBuilder,
    left_out: BTreeMap<&'static str, usize>,
    found: Option<Kind>,
    /// Why it went no further; the parser knows no such errors.
    failed: Option<ImportError>,
}

impl Making {
    fn leave_out(&mut self, why: &'static str) {
        *self.left_out.entry(why).or_default() += 1;
    }

    fn take(&mut self, kind: Kind, at: usize, item: Map<String, Value>) -> Result<(), ImportError> {
        let item = Item::new(kind, at, item);
        match kind {
            Kind::Channels => listchannels::take(self, &item),
            Kind::Edges => describegraph::take(self, &item),
        }
    }
}

/// Reads a graph; of this kind alone, or of the first that is there.
pub(crate) fn read(bytes: &[u8], only: Option<Kind>) -> Result<Imported, ImportError> {
    let mut making = Making::default();
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let top = Top { making: &mut making, only };
    let parsed = parser.deserialize_map(top).and_then(|()| parser.end());
    if let Some(failed) = making.failed {
        return Err(failed);
    }
    parsed.map_err(|error| ImportError::Json {
        line: error.line(),
        column: error.column(),
        what: without_place(&error),
    })?;
    let none = || ImportError::NoGraph { expected: Kind::expected(only) };
    let kind = making.found.ok_or_else(none)?;
    let (format, graph): (Format, Graph) = match kind {
        Kind::Channels => (Format::ListChannels, making.channels.into_graph()),
        Kind::Edges => (Format::DescribeGraph, making.edges.build()),
    };
    Ok(Imported { format, graph, left_out: making.left_out, end: End::Whole })
}

/// What the parser says, without the place, which it adds at the end.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map_or_else(|| text.clone(), ToOwned::to_owned)
}

/// The object at the top.
struct Top<'a> {
    making: &'a mut Making,
    only: Option<Kind>,
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "an object with {}", Kind::expected(self.only))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<(), M::Error> {
        let Self { making, only } = self;
        while let Some(key) = fields.next_key::<String>()? {
            let wanted = only.or(making.found);
            let kind = Kind::of(&key).filter(|kind| wanted.is_none_or(|wanted| wanted == *kind));
            if let Some(kind) = kind {
                making.found = Some(kind);
                fields.next_value_seed(Items { making, kind })?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The array of channels.
struct Items<'a> {
    making: &'a mut Making,
    kind: Kind,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of objects")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        let mut at = 0_usize;
        while let Some(item) = items.next_element::<Map<String, Value>>()? {
            at += 1;
            if let Err(error) = self.making.take(self.kind, at, item) {
                self.making.failed = Some(error);
                return Err(S::Error::custom("a channel is wrong"));
            }
        }
        Ok(())
    }
}
