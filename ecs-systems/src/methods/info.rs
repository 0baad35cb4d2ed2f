//! What this engine and its node are.

use crate::{
    policy::Intake,
    port::{Books, NodeView},
};
use ecs_core::{
    Args, Engine, ErrorObject, Fields, Json, Method, Reply, Scope, method::CHECK_KINDS,
};
use payecs_units::Msat;

pub(super) const GET_INFO: Method = Method {
    name: "getinfo",
    params: &[],
    scope: Scope::Read,
    errors: &[],
    result: r#"{"version", "id", "network", "blockheight", "height_at", "synced": bool,
        "num_active_channels", "num_inactive_channels", "spendable_msat", "receivable_msat",
        "balance": {"spendable_msat", "pending_outgoing_msat", "reserved_fees_msat",
        "pending_incoming_msat"}, "intake": {"open": bool, "reconciling": bool, "disk_low":
        bool}}"#,
    doc: "What this engine and its node are: `id`, `network` and the last block that the node has \
          seen, and when; whether it is `synced`, without which nothing is planned. \
          `spendable_msat` and `receivable_msat` are what the channels that can be used could \
          carry, as the node says; `balance` is what the books say. `intake` says whether new \
          payments are taken on. What is not known before the node is connected is left out.",
    handle: get_info,
    check: CHECK_KINDS,
};

fn get_info(engine: &mut Engine, _: &Args<'_>) -> Result<Reply, ErrorObject> {
    let mut fields: Fields = vec![("version".to_owned(), Json::of(env!("CARGO_PKG_VERSION")))];
    let mut add = |name: &str, json: Json| fields.push((name.to_owned(), json));
    if let Some(node) = engine.resource::<NodeView>() {
        let usable = || node.channels.iter().filter(|channel| channel.usable);
        let sum = |msat: Option<Msat>| Json::of(&msat.unwrap_or(Msat(u64::MAX)));
        add("id", Json::of(&node.identity));
        add("network", Json::of(&node.network));
        add("blockheight", Json::of(&node.height));
        add("height_at", Json::of(&node.height_at));
        add("synced", Json::of(&node.synced));
        add("num_active_channels", Json::of(&usable().count()));
        let unusable = node.channels.iter().filter(|channel| !channel.usable).count();
        add("num_inactive_channels", Json::of(&unusable));
        add("spendable_msat", sum(Msat::sum(usable().map(|channel| channel.spendable_msat))));
        add("receivable_msat", sum(Msat::sum(usable().map(|channel| channel.receivable_msat))));
    }
    if let Some(books) = engine.resource::<Books>() {
        let balance = books.0.balance_object();
        let balance = Json::object([
            ("spendable_msat", Json::of(&balance.spendable_msat)),
            ("pending_outgoing_msat", Json::of(&balance.pending_outgoing_msat)),
            ("reserved_fees_msat", Json::of(&balance.reserved_fees_msat)),
            ("pending_incoming_msat", Json::of(&balance.pending_incoming_msat)),
        ]);
        add("balance", balance);
    }
    let intake = engine.resource::<Intake>().copied().unwrap_or_default();
    let intake = Json::object([
        ("open", Json::of(&intake.check().is_ok())),
        ("reconciling", Json::of(&intake.reconciling)),
        ("disk_low", Json::of(&intake.disk_low)),
    ]);
    add("intake", intake);
    Ok(Json::object(fields).into())
}
