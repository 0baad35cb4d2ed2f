//! What layers are told of liquidity.

use super::{Changed, DIRECTION, NAME, biases::with_layer, kinds, named, reserve, timestamp};
use crate::components::{InformedChannel, Said};
use ecs_core::{Args, Engine, ErrorObject, Json, Kind, Method, Scope, required};
use payecs_units::{ChannelDirection, Msat};

const INFORM: Kind = Kind {
    shape: "`constrained`, `unconstrained` or `succeeded`",
    schema: r#"{"type":"string","enum":["constrained","unconstrained","succeeded"]}"#,
    fits: |json| {
        let known = ["constrained", "unconstrained", "succeeded"];
        json.as_str().is_some_and(|text| known.contains(&&*text))
    },
};

pub(super) const INFORM_CHANNEL: Method = Method {
    name: "askrene-inform-channel",
    params: &[
        required("layer", NAME),
        required("short_channel_id_dir", DIRECTION),
        required("amount_msat", kinds::MSAT),
        required("inform", INFORM),
    ],
    scope: Scope::Pay,
    errors: &[],
    result: r#"{"constraints": [{"layer", "short_channel_id_dir", "timestamp", "minimum_msat",
        "maximum_msat"}], "impressions": [{"layer", "short_channel_id_dir", "timestamp",
        "amount_msat"}]}"#,
    doc: "Tells a layer what became of an amount on a direction. `unconstrained`: it can pass. \
          `constrained`: it can't, on top of what is reserved there. `succeeded`: it passed, and \
          is at the other end now. It narrows what the engine knows, and holds in its place where \
          both can't be; of this node's own channels the engine knows better.",
    handle: |engine, args| informed(engine, args)?.done(engine),
    check: |engine, args| informed(engine, args).map(drop),
};

fn informed(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (id, mut facts) = named(engine, args)?;
    let short_channel_id_dir: ChannelDirection = args.need("short_channel_id_dir")?;
    let (amount, inform): (Msat, String) = (args.need("amount_msat")?, args.need("inform")?);
    let said = match &*inform {
        "constrained" => {
            let reserved = reserve::on(engine, short_channel_id_dir, &facts.layer);
            let refused = reserved.and_then(|reserved| reserved.checked_add(amount));
            let too_much = || ErrorObject::invalid("`amount_msat`: too much with what is reserved");
            Said::Maximum(refused.ok_or_else(too_much)?.saturating_sub(Msat(1)))
        }
        "unconstrained" => Said::Minimum(amount),
        _ => Said::Succeeded(amount),
    };
    let fact = InformedChannel { short_channel_id_dir, timestamp: timestamp(engine), said };
    facts.informed.push(fact);
    let told = Json::array([with_layer(&facts.layer, Json::of(&fact))]);
    let none = Json::array([]);
    let (constraints, impressions) = match said {
        Said::Minimum(_) | Said::Maximum(_) => (told, none),
        Said::Succeeded(_) => (none, told),
    };
    let answer = Json::object([("constraints", constraints), ("impressions", impressions)]);
    Changed::layer(id, facts, answer)
}
