//! A paycode as it is told.

use super::{
    receipts,
    standing::{Status, live_set, status},
};
use crate::{
    components::{Held, Htlc, ReceivedHtlc, Set, SetReceived, Settled},
    methods::seconds,
    port::ReceiptFacts,
    receive::sets::Sets,
};
use ecs_core::{Engine, EntityId, Fields, Json};
use payecs_units::{Msat, PaymentHash, Timestamp};

/// A paycode, and its preimage where it is paid and `secrets` may be told.
pub(in crate::methods) fn element(engine: &Engine, facts: &ReceiptFacts, secrets: bool) -> Json {
    let receipt = &facts.receipt;
    let hash = &receipt.payment_hash;
    let status = status(engine, receipt);
    let set = match status {
        Status::Receiving | Status::Held => live_set(engine, hash),
        Status::Paid => settled_set(engine, hash),
        Status::Unpaid | Status::Expired | Status::Cancelled => None,
    };
    let received = set.and_then(|set| engine.get::<SetReceived>(set)).map(|set| &set.0);
    let amount_received = facts.paid.map(|paid| paid.0).or_else(|| {
        let without_channel = || Some(engine.get::<Set>(set?)?.0.amount_msat);
        received.map(|received| received.amount_msat).or_else(without_channel)
    });
    let htlcs = received.map_or(&[][..], |received| &received.htlcs);
    let parts = htlcs.iter().map(|htlc| part(engine, htlc, secrets));
    let is_paid = status == Status::Paid;
    let preimage = || receipts(engine).ok()?.proof(hash);
    let preimage = if is_paid && secrets { preimage() } else { None };
    let held = set.filter(|_| status == Status::Held).and_then(|set| engine.get::<Held>(set));
    let msat = |amount: Msat| Json::of(&amount);
    let fields = [
        ("payment_hash", Some(Json::of(hash))),
        ("status", Some(Json::of(&status))),
        ("amount_msat", receipt.amount_msat.map(msat)),
        ("amount_received_msat", amount_received.map(msat)),
        ("expires_at", Some(seconds(receipt.expires_at))),
        ("paid_at", facts.paid.map(|paid| seconds(paid.1))),
        ("payment_preimage", preimage.map(|preimage| Json::of(&preimage.reveal()))),
        ("parts", Some(Json::array(parts))),
        ("held_until_height", held.map(|held| Json::of(&held.0.until_height))),
        ("invoice_label", facts.invoice.as_ref().map(|it| Json::of(&it.issued.label))),
        ("metadata", Some(facts.metadata.clone().unwrap_or_else(Json::nothing))),
        ("prepend", Some(&facts.prepend).filter(|it| !it.is_empty()).map(Json::of)),
        ("created_index", Some(Json::of(&facts.created_index))),
        ("updated_index", Some(Json::of(&facts.updated_index))),
    ];
    let there = fields.into_iter().filter_map(|(name, json)| Some((name.to_owned(), json?)));
    Json::object(there.collect::<Fields>())
}

/// The set that paid a hash, while it is there.
fn settled_set(engine: &Engine, hash: &PaymentHash) -> Option<EntityId> {
    let sets = engine.resource::<Sets>()?.of(hash);
    sets.iter().copied().find(|set| engine.get::<Settled>(*set).is_some())
}

fn part(engine: &Engine, htlc: &ReceivedHtlc, secrets: bool) -> Json {
    let told = engine.get::<Htlc>(htlc.entity).filter(|_| secrets).map(|htlc| &htlc.0);
    let tlvs = told.map(|told| &told.tlvs).filter(|tlvs| !tlvs.is_empty());
    let metadata = told.and_then(|told| told.payment_metadata.as_ref());
    let accepted = engine.born_ms(htlc.entity).map(|at| seconds(Timestamp(at)));
    let fields = [
        ("short_channel_id", Some(Json::of(&htlc.htlc.short_channel_id))),
        ("htlc_id", Some(Json::of(&htlc.htlc.id))),
        ("amount_msat", Some(Json::of(&htlc.amount_msat))),
        ("cltv_expiry", Some(Json::of(&htlc.cltv_expiry))),
        ("accepted_at", accepted),
        ("payment_metadata", metadata.map(Json::of)),
        ("tlvs", tlvs.map(Json::of)),
    ];
    let there = fields.into_iter().filter_map(|(name, json)| Some((name.to_owned(), json?)));
    Json::object(there.collect::<Fields>())
}
