//! What an operator says of liquidity.

use super::graph;
use crate::{
    lessons::tell,
    methods::{kinds, now},
    refusal::{IMPOSSIBLE_REPORT, UNKNOWN_CHANNEL},
};
use ecs_core::{
    Args, Engine, ErrorObject, Fields, Json, Kind, Method, Reply, Scope, optional, required,
};
use payecs_planner::LiquidityReport;
use payecs_units::{ChannelDirection, Msat, Timestamp};
use serde::de::DeserializeOwned;

/// Most reports of one call.
const REPORTS_MAX: usize = 1_000;
/// How far another clock may be ahead of ours, in seconds.
const AHEAD_S_MAX: u64 = 60;
/// So many letters are shown of a name that is none.
const SHOWN_MAX: usize = 40;

const REPORTS: Kind = Kind {
    shape: "an array of at most 1000 objects `{short_channel_id_dir, [minimum_msat], \
            [maximum_msat], [time], [age_seconds]}`",
    schema: r#"{"type":"array","maxItems":1000,"items":{"type":"object"}}"#,
    fits: |json| json.items().is_some_and(|items| items.len() <= REPORTS_MAX),
};

pub(in crate::methods) const IMPORT_KNOWLEDGE: Method = Method {
    name: "payecs_importknowledge",
    params: &[required("reports", REPORTS), optional("skip_unknown", Kind::FLAG)],
    scope: Scope::Admin,
    errors: &[209, UNKNOWN_CHANNEL, IMPOSSIBLE_REPORT],
    result: r#"{"imported": count, "skipped": count}"#,
    doc: "Tells the engine what was seen of liquidity, for all payments: at `time`, in seconds \
          since 1970, or `age_seconds` ago, else now, a direction could pass `minimum_msat` and no \
          more than `maximum_msat`. A report has one of these bounds, or both. Each counts as if \
          the engine had learned it at that moment, and decays from then on: a minimum loses half \
          in each half-life, a maximum holds for one and goes back to the capacity then. Where two \
          bounds can't both be, the younger holds; of two minimums that which has more left; of \
          two maximums less than a half-life apart the smaller, as of the younger moment, else the \
          younger. The same again changes nothing. What is older than 24 half-lives counts for \
          nothing, and beyond 100000 directions the oldest goes; of this node's own channels the \
          engine knows better. All of it is judged before any of it is taken. With `skip_unknown` \
          reports of channels that the graph hasn't are left out, and counted. What is imported is \
          kept as what payments teach is, in the journal and in snapshots.",
    handle: |engine, args| {
        let Judged { taken, skipped } = judged(engine, args)?;
        let imported = taken.len();
        if imported > 0 {
            tell(engine, taken);
        }
        let fields = [("imported", Json::of(&imported)), ("skipped", Json::of(&skipped))];
        Ok(Reply::Now(Json::object(fields)))
    },
    check: |engine, args| judged(engine, args).map(drop),
};

/// What is taken of reports, and how many are not.
struct Judged {
    taken: Vec<LiquidityReport>,
    skipped: usize,
}

fn judged(engine: &Engine, args: &Args<'_>) -> Result<Judged, ErrorObject> {
    let (graph, now) = (graph(engine)?, now(engine));
    let skips = args.read("skip_unknown")?.unwrap_or(false);
    let mut judged = Judged { taken: Vec::new(), skipped: 0 };
    for (index, fields) in args.objects("reports")?.into_iter().enumerate() {
        let report = Row { index, fields }.report(now)?;
        match graph.capacity(report.short_channel_id_dir.scid) {
            Some(capacity) => judged.taken.push(possible(index, report, capacity, now)?),
            None if skips => judged.skipped += 1,
            None => {
                let scid = report.short_channel_id_dir.scid;
                let what = format!("`reports[{index}]`: the graph has no channel {scid}");
                return Err(ErrorObject::new(UNKNOWN_CHANNEL, what)
                    .with_data(&Json::object(at(index, &report))));
            }
        }
    }
    Ok(judged)
}

/// A report that can be, at a moment that has come.
fn possible(
    index: usize,
    report: LiquidityReport,
    capacity: Msat,
    now: Timestamp,
) -> Result<LiquidityReport, ErrorObject> {
    let LiquidityReport { minimum_msat, maximum_msat, .. } = report;
    let most = minimum_msat.max(maximum_msat);
    let ahead_s = report.at.0.saturating_sub(now.0) / 1_000;
    let (why, what) = if minimum_msat.is_some_and(|lo| maximum_msat.is_some_and(|hi| hi < lo)) {
        ("minimum_above_maximum", "its minimum is above its maximum".to_owned())
    } else if most > Some(capacity) {
        ("above_capacity", format!("the channel has a capacity of {capacity}"))
    } else if ahead_s > AHEAD_S_MAX {
        ("time_ahead", format!("its time is {ahead_s} seconds ahead"))
    } else {
        return Ok(LiquidityReport { at: report.at.min(now), ..report });
    };
    let mut data = at(index, &report);
    data.push(("why", Json::of(why)));
    data.extend(minimum_msat.map(|msat| ("minimum_msat", Json::of(&msat))));
    data.extend(maximum_msat.map(|msat| ("maximum_msat", Json::of(&msat))));
    data.push(("capacity_msat", Json::of(&capacity)));
    let what = format!("`reports[{index}]`: {what}");
    Err(ErrorObject::new(IMPOSSIBLE_REPORT, what).with_data(&Json::object(data)))
}

/// Which report it is.
fn at(index: usize, report: &LiquidityReport) -> Vec<(&'static str, Json)> {
    let direction = Json::of(&report.short_channel_id_dir);
    vec![("index", Json::of(&index)), ("short_channel_id_dir", direction)]
}

/// A report as it came.
struct Row {
    index: usize,
    fields: Fields,
}

impl Row {
    fn report(&self, now: Timestamp) -> Result<LiquidityReport, ErrorObject> {
        const KNOWN: [&str; 5] =
            ["short_channel_id_dir", "minimum_msat", "maximum_msat", "time", "age_seconds"];
        let mut names = self.fields.iter().map(|(name, _)| name.as_str());
        if let Some(other) = names.find(|name| !KNOWN.contains(name)) {
            let shown: String = other.chars().take(SHOWN_MAX).collect();
            return Err(self.misfit(&format!("a report has no `{}`", shown.escape_debug())));
        }
        let direction: Option<ChannelDirection> =
            self.read("short_channel_id_dir", super::DIRECTION.shape)?;
        let none = || self.misfit("`short_channel_id_dir` is missing");
        let short_channel_id_dir = direction.ok_or_else(none)?;
        let minimum_msat = self.read("minimum_msat", kinds::MSAT.shape)?;
        let maximum_msat = self.read("maximum_msat", kinds::MSAT.shape)?;
        if minimum_msat.is_none() && maximum_msat.is_none() {
            return Err(self.misfit("it has neither `minimum_msat` nor `maximum_msat`"));
        }
        let time = self.read::<u64>("time", "seconds since 1970: an integer from 0")?;
        let age = self.read::<u64>("age_seconds", "seconds: an integer from 0")?;
        let at_ms = match (time, age) {
            (Some(_), Some(_)) => {
                return Err(self.misfit("it has both `time` and `age_seconds`"));
            }
            (Some(time), None) => time.saturating_mul(1_000),
            (None, age) => now.0.saturating_sub(age.unwrap_or(0).saturating_mul(1_000)),
        };
        let at = Timestamp(at_ms);
        Ok(LiquidityReport { short_channel_id_dir, minimum_msat, maximum_msat, at })
    }

    /// A field, if it is given; `null` is not.
    fn read<T: DeserializeOwned>(&self, name: &str, shape: &str) -> Result<Option<T>, ErrorObject> {
        let Some((_, value)) = self.fields.iter().find(|(known, _)| known == name) else {
            return Ok(None);
        };
        let misfit = |_| self.misfit(&format!("`{name}`: expected {shape}"));
        value.decode::<Option<T>>().map_err(misfit)
    }

    fn misfit(&self, what: &str) -> ErrorObject {
        ErrorObject::invalid(format!("`reports[{}]`: {what}", self.index))
            .with_data(&Json::object([("index", Json::of(&self.index))]))
    }
}
