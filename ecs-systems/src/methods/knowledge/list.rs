//! What is known, page by page.

use super::{DIRECTION, graph};
use crate::{
    methods::{kinds, now, seconds},
    port::KnowledgeDesk,
    refusal::PAY_UNSPECIFIED_ERROR,
};
use ecs_core::{Args, Engine, ErrorObject, Fields, Json, Kind, Method, Reply, Scope, optional};
use payecs_planner::{Graph, Knowledge, LiquidityReport};
use payecs_units::{ChannelDirection, Msat, NodeId, Timestamp};
use std::sync::Arc;

/// Most directions of one answer.
const LISTED_MAX: usize = 1_000;

pub(in crate::methods) const LIST_KNOWLEDGE: Method = Method {
    name: "payecs_listknowledge",
    params: &[
        optional("short_channel_id_dir", DIRECTION),
        optional("node", kinds::NODE),
        optional("after", AFTER),
        optional("limit", kinds::LIMIT),
    ],
    scope: Scope::Read,
    errors: &[209],
    result: r#"{"knowledge": [{"short_channel_id_dir", "source", "destination", "capacity_msat",
        "minimum_msat", "maximum_msat", "in_flight_msat", "avoided_until",
        "reports": [{"minimum_msat", "maximum_msat", "time"}, …]}, …],
        "next": short_channel_id_dir}"#,
    doc: "What the engine believes of liquidity, in the order of channels and directions: of one \
          direction, of those that start from or end at a `node`, or of all. `minimum_msat` and \
          `maximum_msat` are the bounds that plans count with now, what is known of the other \
          direction and has decayed since included; HTLCs of this engine, `in_flight_msat`, count \
          as if they were not there. `reports` are what was learned of the direction itself: \
          bounds as they were at `time`, in seconds since 1970, as `payecs_importknowledge` takes \
          them. Until `avoided_until` no payment uses it. Of a channel that the graph hasn't only \
          that is told which needs no graph. What has decayed for 24 half-lives is left out. At \
          most `limit`, and 1000; `next`, where there are more, is the `after` of the next page.",
    handle: listed,
    check: |engine, args| Asked::of(engine, args).map(drop),
};

const AFTER: Kind =
    DIRECTION.saying("a direction of a channel, `BxTxO/D`: those behind it are listed, and not it");

/// What a caller wants to see.
struct Asked {
    graph: Arc<Graph>,
    direction: Option<ChannelDirection>,
    node: Option<NodeId>,
    after: Option<ChannelDirection>,
    limit: usize,
    now: Timestamp,
}

impl Asked {
    fn of(engine: &Engine, args: &Args<'_>) -> Result<Self, ErrorObject> {
        let limit = args.read::<u32>("limit")?.map_or(LISTED_MAX, |limit| limit as usize);
        Ok(Self {
            graph: Arc::clone(graph(engine)?),
            direction: args.read("short_channel_id_dir")?,
            node: args.read("node")?,
            after: args.read("after")?,
            limit: limit.min(LISTED_MAX),
            now: now(engine),
        })
    }

    fn answer(&self, knowledge: &Knowledge) -> Json {
        let wanted = |direction: &ChannelDirection| {
            let is_at = |node: &NodeId| {
                let ends = self.graph.ends(*direction);
                ends.is_some_and(|(source, destination)| [source, destination].contains(node))
            };
            self.direction.is_none_or(|it| it == *direction)
                && self.after.is_none_or(|after| after < *direction)
                && self.node.as_ref().is_none_or(is_at)
        };
        let mut directions: Vec<ChannelDirection> = knowledge.directions().filter(wanted).collect();
        directions.sort_unstable();
        let (mut told, mut last, mut next) = (Vec::new(), None, None);
        for direction in directions {
            let Some(element) = self.element(knowledge, direction) else { continue };
            if told.len() == self.limit {
                next = last;
                break;
            }
            last = Some(direction);
            told.push(element);
        }
        let mut fields: Fields = vec![("knowledge".to_owned(), Json::array(told))];
        fields.extend(next.map(|next| ("next".to_owned(), Json::of(&next))));
        Json::object(fields)
    }

    /// A direction; `None`: nothing is left of what was known.
    fn element(&self, knowledge: &Knowledge, direction: ChannelDirection) -> Option<Json> {
        let reports: Vec<Json> = knowledge.reports(direction, self.now).map(report).collect();
        let in_flight = Some(knowledge.in_flight(direction)).filter(|it| *it > Msat::ZERO);
        let until = knowledge.disabled_until(direction, self.now);
        if reports.is_empty() && in_flight.is_none() && until.is_none() {
            return None;
        }
        let mut fields = vec![("short_channel_id_dir", Json::of(&direction))];
        let ends = self.graph.ends(direction);
        if let Some((capacity, (source, destination))) =
            self.graph.capacity(direction.scid).zip(ends)
        {
            let bounds = knowledge.bounds(direction, capacity, self.now);
            fields.extend([
                ("source", Json::of(&source)),
                ("destination", Json::of(&destination)),
                ("capacity_msat", Json::of(&capacity)),
                ("minimum_msat", Json::of(&bounds.lo)),
                ("maximum_msat", Json::of(&bounds.hi)),
            ]);
        }
        fields.extend(in_flight.map(|msat| ("in_flight_msat", Json::of(&msat))));
        fields.extend(until.map(|until| ("avoided_until", seconds(until))));
        fields.push(("reports", Json::array(reports)));
        Some(Json::object(fields))
    }
}

fn report(report: LiquidityReport) -> Json {
    let mut fields = Vec::new();
    fields.extend(report.minimum_msat.map(|msat| ("minimum_msat", Json::of(&msat))));
    fields.extend(report.maximum_msat.map(|msat| ("maximum_msat", Json::of(&msat))));
    fields.push(("time", seconds(report.at)));
    Json::object(fields)
}

fn listed(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let mut asked = Some(Asked::of(engine, args)?);
    let mut desk = engine.resource_mut::<KnowledgeDesk>().expect("it is there with the methods");
    let slot = desk.ask();
    Ok(Reply::waiting(
        move |_| {
            let Some(knowledge) = slot.get()?.cloned() else {
                let what = "The planner doesn't say what it knows";
                return Some(Err(ErrorObject::new(PAY_UNSPECIFIED_ERROR, what)));
            };
            let asked = asked.take()?;
            Some(Ok(Reply::Elsewhere(Box::new(move || Ok(asked.answer(&knowledge))))))
        },
        None,
    ))
}
