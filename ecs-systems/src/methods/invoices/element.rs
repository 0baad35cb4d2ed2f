//! An invoice as it is told.

use crate::{
    methods::{
        paycodes::{self, receipts},
        seconds,
    },
    port::ReceiptFacts,
};
use ecs_core::{Engine, Fields, Json};
use payecs_units::Msat;
use serde::{Deserialize, Serialize};

/// Where an invoice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum InvoiceStatus {
    /// It waits, or HTLCs for it are there that are not booked yet.
    Unpaid,
    /// Paid; never again.
    Paid,
    /// Its time is over, or it was withdrawn.
    Expired,
}

/// Where the invoice of a receipt stands.
pub(super) fn status(engine: &Engine, facts: &ReceiptFacts) -> InvoiceStatus {
    match paycodes::status(engine, &facts.receipt) {
        paycodes::Status::Unpaid | paycodes::Status::Receiving | paycodes::Status::Held => {
            InvoiceStatus::Unpaid
        }
        paycodes::Status::Paid => InvoiceStatus::Paid,
        paycodes::Status::Expired | paycodes::Status::Cancelled => InvoiceStatus::Expired,
    }
}

/// An invoice, and its preimage where it is paid and `secrets` may be told; `None`: it is a bare
/// paycode.
pub(in crate::methods) fn element(
    engine: &Engine,
    facts: &ReceiptFacts,
    secrets: bool,
) -> Option<Json> {
    let (receipt, invoice) = (&facts.receipt, facts.invoice.as_ref()?);
    let status = status(engine, facts);
    let preimage = || receipts(engine).ok()?.proof(&receipt.payment_hash);
    let preimage = if status == InvoiceStatus::Paid && secrets { preimage() } else { None };
    let msat = |amount: Msat| Json::of(&amount);
    let fields = [
        ("label", Some(Json::of(&invoice.issued.label))),
        ("bolt11", Some(Json::of(&invoice.issued.bolt11))),
        ("payment_hash", Some(Json::of(&receipt.payment_hash))),
        ("amount_msat", receipt.amount_msat.map(msat)),
        ("status", Some(Json::of(&status))),
        ("pay_index", invoice.pay_index.map(|index| Json::of(&index))),
        ("amount_received_msat", facts.paid.map(|paid| msat(paid.0))),
        ("paid_at", facts.paid.map(|paid| seconds(paid.1))),
        ("payment_preimage", preimage.map(|preimage| Json::of(&preimage.reveal()))),
        ("metadata", facts.metadata.clone()),
        ("description", invoice.issued.description.as_ref().map(Json::of)),
        ("expires_at", Some(seconds(receipt.expires_at))),
        ("created_index", Some(Json::of(&invoice.created_index))),
        ("updated_index", Some(Json::of(&invoice.updated_index))),
    ];
    let there = fields.into_iter().filter_map(|(name, json)| Some((name.to_owned(), json?)));
    Some(Json::object(there.collect::<Fields>()))
}
