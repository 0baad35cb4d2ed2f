//! Routes, without paying.

use super::{
    books, kinds,
    layers::{Applied, apply},
    now,
};
use crate::{
    port::{NodeView, PlanSlot, PlansAsked},
    refusal::{PAY_UNSPECIFIED_ERROR, from_no_plan},
};
use ecs_core::{
    Args, Engine, ErrorObject, Fields, Inputs, Json, Kind, Method, Reply, Scope, optional, required,
};
use payecs_planner::{HOPS_MAX, Plan, PlanRequest, Route};
use payecs_units::{Blocks, MicroPercent, Msat, NodeId};

/// Longest delay of a route, and the default: Core Lightning's.
pub const DELAY_BLOCKS_MAX: u32 = 2_016;
/// Most routes where none are asked for: Core Lightning's.
pub const PARTS_DEFAULT: u32 = 100;
/// What locked-up money costs where nobody says: 10 % a year, as for a payment.
pub const RISK: MicroPercent = MicroPercent(10_000_000);

pub(super) const GET_ROUTES: Method = Method {
    name: "getroutes",
    params: &[
        required("source", kinds::NODE),
        required("destination", kinds::NODE),
        required("amount_msat", kinds::AMOUNT),
        required("layers", Kind::TEXTS.saying("an array of names of layers, or one name")),
        required("maxfee_msat", kinds::MSAT),
        required("final_cltv", kinds::COUNT_32),
        optional("maxdelay", DELAY),
        optional("maxparts", kinds::LIMIT),
    ],
    scope: Scope::Read,
    errors: &[209, 216, 215, 220, 205, 206],
    result: r#"{"probability_ppm", "routes": [{"probability_ppm", "amount_msat", "final_cltv",
        "path": [{"short_channel_id_dir", "node_id_in", "node_id_out", "amount_in_msat",
        "amount_out_msat", "cltv_in", "cltv_out", "next_node_id", "amount_msat", "delay"}, …]},
        …]}"#,
    doc: "Chooses routes as a payment would now, and sends nothing: for `amount_msat` at the \
          destination, at most `maxfee_msat` in fees. Of this node as `source`, its channels count \
          as they are now; of another, those it announces, as unknown as any. `layers` are names \
          of layers (`askrene-create-layer`): what they say of channels and nodes counts, all \
          together. Of Core Lightning's own, `auto.localchans` and `auto.sourcefree` are what is \
          done anyway, the first hop is free; `auto.no_mpp_support` asks for one route; \
          `auto.include_fees` is refused. What is reserved (`askrene-reserve`) is not counted on. \
          In: what reaches the node before the channel; out: what crosses it. Both count blocks \
          from now on; `next_node_id`, `amount_msat` and `delay` are Core Lightning's older names \
          of the node behind the channel and of what goes in. The answer comes when the planner \
          has it. Where there are no routes, the code is a payment's, and the data say what binds.",
    handle: get_routes,
    check: |engine, args| question(engine, args).map(drop),
};

const DELAY: Kind = Kind {
    shape: "a number of blocks: an integer from 1 to 2016",
    schema: r#"{"type":"integer","minimum":1,"maximum":2016}"#,
    fits: |json| json.decode::<u32>().is_ok_and(|blocks| (1..=DELAY_BLOCKS_MAX).contains(&blocks)),
};

fn get_routes(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let question = question(engine, args)?;
    let asked = engine.resource::<PlansAsked>().ok_or_else(not_connected)?;
    let slot: PlanSlot = asked.ask(question);
    Ok(Reply::waiting(
        move |_| {
            let job = slot.take()?;
            Some(Ok(Reply::Elsewhere(Box::new(move || {
                job().map(|plan| routes_answer(&plan)).map_err(|no_plan| from_no_plan(&no_plan))
            }))))
        },
        None,
    ))
}

fn not_connected() -> ErrorObject {
    ErrorObject::new(PAY_UNSPECIFIED_ERROR, "The node is not connected yet")
}

fn question(engine: &Engine, args: &Args<'_>) -> Result<PlanRequest, ErrorObject> {
    let Applied { layer, exclude, is_one_part } = apply(engine, &args.strings("layers")?)?;
    let node = engine.resource::<NodeView>().ok_or_else(not_connected)?;
    let books = books(engine)?;
    let source = args.need::<NodeId>("source")?;
    let is_us = source == node.identity;
    let inputs = engine.resource::<Inputs>().copied().unwrap_or_default();
    let seed = inputs.entropy.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    Ok(PlanRequest {
        source,
        destination: args.need("destination")?,
        amount_msat: args.need("amount_msat")?,
        fee_budget_msat: args.need("maxfee_msat")?,
        delay_max_blocks: Blocks(args.read("maxdelay")?.unwrap_or(DELAY_BLOCKS_MAX)),
        final_cltv_blocks: args.need("final_cltv")?,
        parts_max: if is_one_part { 1 } else { args.read("maxparts")?.unwrap_or(PARTS_DEFAULT) },
        hops_max: HOPS_MAX,
        risk_factor_micro_percent: RISK,
        exclude,
        hints: Vec::new(),
        policies: Vec::new(),
        layer,
        shadow: false,
        local: if is_us { node.channels_in(books, |_| true) } else { Vec::new() },
        announced_first_hops: !is_us,
        first_hop: None,
        last_hop: None,
        now: now(engine),
        seed,
    })
}

/// What `getroutes` answers with a plan.
#[must_use]
pub fn routes_answer(plan: &Plan) -> Json {
    Json::object([
        ("probability_ppm", Json::of(&plan.probability_ppm)),
        ("routes", Json::array(plan.routes.iter().map(route))),
    ])
}

fn route(route: &Route) -> Json {
    // What reaches us costs nothing.
    let mut before: (Msat, Blocks) = (route.sent(), route.delay());
    let mut path = Vec::new();
    for hop in &route.hops {
        let (amount_in, cltv_in) = before;
        let (amount_out, cltv_out) = (hop.amount_msat, hop.cltv_blocks);
        before = (amount_out, cltv_out);
        let fields: Fields = [
            ("short_channel_id_dir", Json::of(&hop.short_channel_id_dir)),
            ("node_id_in", Json::of(&hop.from)),
            ("node_id_out", Json::of(&hop.to)),
            ("amount_in_msat", Json::of(&amount_in)),
            ("amount_out_msat", Json::of(&amount_out)),
            ("cltv_in", Json::of(&cltv_in)),
            ("cltv_out", Json::of(&cltv_out)),
            ("next_node_id", Json::of(&hop.to)),
            ("amount_msat", Json::of(&amount_in)),
            ("delay", Json::of(&cltv_in)),
        ]
        .map(|(name, json)| (name.to_owned(), json))
        .into();
        path.push(Json::object(fields));
    }
    Json::object([
        ("probability_ppm", Json::of(&route.probability_ppm)),
        ("amount_msat", Json::of(&route.amount())),
        ("final_cltv", Json::of(&before.1)),
        ("path", Json::array(path)),
    ])
}
