//! What callers have on its way.

use super::{Changed, FACTS_MAX, all, find, manage::free, unknown};
use crate::{
    components::{Reservations, Reserved},
    methods::now,
};
use ecs_core::{
    Args, Engine, EntityId, ErrorObject, Fields, Json, Kind, Method, Scope, Write, required,
};
use payecs_units::{ChannelDirection, Msat};
use serde::Deserialize;

const PATH: Kind = Kind::OBJECTS.saying(
    "an array of objects `{short_channel_id_dir, amount_msat, [layer]}`; other fields count for \
     nothing",
);

pub(super) const RESERVE: Method = Method {
    name: "askrene-reserve",
    params: &[required("path", PATH)],
    scope: Scope::Pay,
    errors: &[],
    result: "{}",
    doc: "Says that a path is being tried, as `getroutes` gave it: no other `getroutes` counts on \
          what it takes, whatever layers it names; with `layer`, only those that name that one. \
          It holds until `askrene-unreserve`, or a restart. What this engine itself has on its way \
          counts anyway. At most 1000 hops are reserved at a time.",
    handle: |engine, args| reserved(engine, args)?.done(engine),
    check: |engine, args| reserved(engine, args).map(drop),
};

pub(super) const UNRESERVE: Method = Method {
    name: "askrene-unreserve",
    params: &[required("path", PATH)],
    scope: Scope::Pay,
    errors: &[],
    result: "{}",
    doc: "Takes back what `askrene-reserve` said of a path: all of it, or nothing where a hop of \
          it isn't reserved.",
    handle: |engine, args| freed(engine, args)?.done(engine),
    check: |engine, args| freed(engine, args).map(drop),
};

pub(super) const LIST_RESERVATIONS: Method = Method {
    name: "askrene-listreservations",
    params: &[],
    scope: Scope::Read,
    errors: &[],
    result: r#"{"reservations": [{"short_channel_id_dir", "amount_msat", "age_in_seconds",
        "layer"}]}"#,
    doc: "What is reserved, the oldest first.",
    handle: |engine, _| Ok(listed(engine).into()),
    check: |_, _| Ok(()),
};

/// A hop of a path.
#[derive(Deserialize, PartialEq, Eq)]
struct Hop {
    short_channel_id_dir: ChannelDirection,
    amount_msat: Msat,
    #[serde(default)]
    layer: Option<String>,
}

impl Hop {
    fn is(&self, reserved: &Reserved) -> bool {
        let Reserved { short_channel_id_dir, amount_msat, layer, .. } = reserved;
        let of = (*short_channel_id_dir, *amount_msat, layer);
        (self.short_channel_id_dir, self.amount_msat, &self.layer) == of
    }
}

/// The hops of the param `path`, whose layers there are.
fn hops(engine: &Engine, args: &Args<'_>) -> Result<Vec<Hop>, ErrorObject> {
    let each = args.objects("path")?.into_iter().map(|fields: Fields| {
        let hop = Json::object(fields).decode::<Hop>().map_err(|_| args.misshapen("path"))?;
        let missing = hop.layer.as_ref().filter(|name| find(engine, name).is_none());
        missing.map_or(Ok(()), |name| Err(unknown(name)))?;
        Ok(hop)
    });
    each.collect()
}

/// The Entity of what is reserved, and all of it.
fn kept(engine: &Engine) -> Option<(EntityId, &[Reserved])> {
    all::<Reservations>(engine).next().map(|(id, reserved)| (id, reserved.0.as_slice()))
}

/// Everything that is reserved.
pub(super) fn reservations(engine: &Engine) -> &[Reserved] {
    kept(engine).map_or(&[], |(_, all)| all)
}

/// What is reserved on a direction with one layer; `None` where that is too much for 64 bits.
pub(super) fn on(engine: &Engine, direction: ChannelDirection, layer: &str) -> Option<Msat> {
    let counts = |it: &&Reserved| {
        it.short_channel_id_dir == direction && it.layer.as_ref().is_none_or(|only| only == layer)
    };
    Msat::sum(reservations(engine).iter().filter(counts).map(|it| it.amount_msat))
}

fn reserved(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let since = now(engine);
    let mut all = reservations(engine).to_vec();
    all.extend(hops(engine, args)?.into_iter().map(|hop| {
        let Hop { short_channel_id_dir, amount_msat, layer } = hop;
        Reserved { short_channel_id_dir, amount_msat, layer, since }
    }));
    if all.len() > FACTS_MAX {
        let what = format!("`path`: at most {FACTS_MAX} hops are reserved at a time");
        return Err(ErrorObject::invalid(what));
    }
    Ok(changed(engine, all))
}

fn freed(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let mut all = reservations(engine).to_vec();
    for hop in hops(engine, args)? {
        let Some(place) = all.iter().position(|reserved| hop.is(reserved)) else {
            let Hop { short_channel_id_dir, amount_msat, .. } = hop;
            let what = format!("`path`: {amount_msat} on {short_channel_id_dir} is not reserved");
            return Err(ErrorObject::invalid(what));
        };
        all.remove(place);
    }
    Ok(changed(engine, all))
}

/// All that is reserved is this.
fn changed(engine: &Engine, all: Vec<Reserved>) -> Changed {
    let known = kept(engine).map(|(id, _)| id);
    let write = match (all.is_empty(), known) {
        (true, known) => known.map(Write::end),
        (false, known) => {
            let id = known.unwrap_or_else(|| free(engine));
            Some(Write::to(id).attach(&Reservations(all)))
        }
    };
    Changed { writes: write.into_iter().collect(), answer: Json::nothing() }
}

fn listed(engine: &Engine) -> Json {
    let now = now(engine);
    let all = reservations(engine).iter().map(|it| {
        let age_seconds = now.0.saturating_sub(it.since.0) / 1_000;
        let mut fields = vec![
            ("short_channel_id_dir".to_owned(), Json::of(&it.short_channel_id_dir)),
            ("amount_msat".to_owned(), Json::of(&it.amount_msat)),
            ("age_in_seconds".to_owned(), Json::of(&age_seconds)),
        ];
        fields.extend(it.layer.as_ref().map(|layer| ("layer".to_owned(), Json::of(layer))));
        Json::object(fields)
    });
    Json::object([("reservations", Json::array(all))])
}
