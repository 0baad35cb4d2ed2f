//! Deleting an invoice.

use super::{
    element::{InvoiceStatus, element, status},
    label, of_label,
};
use crate::{
    methods::paycodes,
    port::ReceiptFacts,
    records::{ReceiptLine, receipt_record},
    refusal::{INVOICE_NO_DESCRIPTION, PAYCODE_NOT_FOUND, PAYCODE_STATUS_UNEXPECTED},
};
use ecs_core::{Args, Engine, ErrorObject, INTERNAL, Json, Kind, Method, Reply, Scope};
use ecs_core::{optional, required};

pub(in crate::methods) const DEL_INVOICE: Method = Method {
    name: "delinvoice",
    params: &[
        required("label", label::LABEL),
        required("status", STATUS),
        optional("desconly", Kind::FLAG),
    ],
    scope: Scope::Receive,
    errors: &[209, 905, 906, 908],
    result: r#"{"label", "status", …} as in listinvoices"#,
    doc: "Deletes an invoice that has this `status`, with its paycode, and answers what it was. \
          Where it has another one, the code is 906, with `data.current_status` and \
          `data.expected_status`; so it is while HTLCs for it are here: let them be booked, or \
          cancel its paycode first. Who waits for it is told −1. Its label is free again, and its \
          preimage where it was not paid. With `desconly` only its description is deleted, which \
          its text still has; the code is 908 where that is done. The ledger keeps what it has.",
    handle: del_invoice,
    check: |engine, args| judged(engine, args).map(drop),
};

const STATUS: Kind = Kind {
    shape: "`unpaid`, `paid` or `expired`",
    schema: r#"{"enum":["unpaid","paid","expired"]}"#,
    fits: |json| json.decode::<InvoiceStatus>().is_ok(),
};

fn del_invoice(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let (facts, is_description) = judged(engine, args)?;
    let payment_hash = facts.receipt.payment_hash;
    let secrets = args.caller().secrets;
    let told = |engine: &Engine, facts: &ReceiptFacts| {
        let lost = || ErrorObject::new(INTERNAL, "an invoice was lost");
        element(engine, facts, secrets).ok_or_else(lost)
    };
    if is_description {
        engine.keep_records(&[receipt_record(&ReceiptLine::Undescribe { payment_hash })])?;
        let facts = of_label(engine, &label::needed(args)?)?.unwrap_or(facts);
        return told(engine, &facts).map(Reply::from);
    }
    let was = told(engine, &facts)?;
    let line = ReceiptLine::Delete { payment_hash, keep_tombstone: false };
    engine.keep_records(&[receipt_record(&line)])?;
    tracing::info!(target: "payflow::receive", %payment_hash, "invoice deleted");
    Ok(was.into())
}

/// What may be deleted, and whether it is the description alone.
fn judged(engine: &Engine, args: &Args<'_>) -> Result<(ReceiptFacts, bool), ErrorObject> {
    let expected: InvoiceStatus = args.need("status")?;
    let unknown = || ErrorObject::new(PAYCODE_NOT_FOUND, "Unknown invoice");
    let facts = of_label(engine, &label::needed(args)?)?.ok_or_else(unknown)?;
    let current = status(engine, &facts);
    if current != expected {
        return Err(unexpected(Json::of(&current), expected));
    }
    if args.read("desconly")?.unwrap_or(false) {
        let is_there = facts.invoice.as_ref().is_some_and(|it| it.issued.description.is_some());
        let what = "Invoice description already removed";
        let error = || ErrorObject::new(INVOICE_NO_DESCRIPTION, what);
        return is_there.then_some((facts, true)).ok_or_else(error);
    }
    match paycodes::status(engine, &facts.receipt) {
        under_way @ (paycodes::Status::Receiving | paycodes::Status::Held) => {
            Err(unexpected(Json::of(&under_way), expected))
        }
        paycodes::Status::Unpaid
        | paycodes::Status::Paid
        | paycodes::Status::Expired
        | paycodes::Status::Cancelled => Ok((facts, false)),
    }
}

/// An invoice does not stand where the caller thinks it does.
fn unexpected(current: Json, expected: InvoiceStatus) -> ErrorObject {
    let what = format!("Invoice status is {}", current.as_str().unwrap_or_default());
    let fields = [("current_status", current.clone()), ("expected_status", Json::of(&expected))];
    ErrorObject::new(PAYCODE_STATUS_UNEXPECTED, what).with_data(&Json::object(fields))
}
