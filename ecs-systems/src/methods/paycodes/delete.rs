//! Deleting a paycode.

use super::{
    element::element,
    list::STATUS,
    receipts,
    standing::{Status, status},
    unexpected, unknown,
};
use crate::{
    methods::kinds,
    port::ReceiptFacts,
    records::{ReceiptLine, receipt_record},
};
use ecs_core::{Args, Engine, ErrorObject, Kind, Method, Reply, Scope, optional, required};
use payecs_units::PaymentHash;

pub(in crate::methods) const DEL_PAYCODE: Method = Method {
    name: "delpaycode",
    params: &[
        required("payment_hash", kinds::HASH),
        required("status", STATUS),
        optional("keep_tombstone", Kind::FLAG),
    ],
    scope: Scope::Receive,
    errors: &[209, 905, 906],
    result: r#"{"payment_hash", "status", …} as in listpaycodes"#,
    doc: "Deletes a paycode that has this `status`, and answers what it was. Where it has another \
          one, the code is 906, with `data.current_status` and `data.expected_status`; so it is \
          where it is being received for, or held, whatever `status` says: cancel it first. Who \
          waits for it is told 905. Its hash stays refused (901), unless `keep_tombstone` is \
          false; that of a paid one always does, as others know its preimage. Its idempotency key \
          is free again. The ledger keeps what it has.",
    handle: del_paycode,
    check: |engine, args| judged(engine, args).map(drop),
};

fn del_paycode(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let facts = judged(engine, args)?;
    let payment_hash = facts.receipt.payment_hash;
    let keep_tombstone = args.read("keep_tombstone")?.unwrap_or(true);
    let told = element(engine, &facts, args.caller().secrets);
    let line = ReceiptLine::Delete { payment_hash, keep_tombstone };
    engine.keep_records(&[receipt_record(&line)])?;
    tracing::info!(target: "payflow::receive", %payment_hash, keep_tombstone, "paycode deleted");
    Ok(told.into())
}

/// What may be deleted.
fn judged(engine: &Engine, args: &Args<'_>) -> Result<ReceiptFacts, ErrorObject> {
    let payment_hash: PaymentHash = args.need("payment_hash")?;
    let expected: Status = args.need("status")?;
    let facts = receipts(engine)?.facts(&payment_hash).ok_or_else(unknown)?;
    let current = status(engine, &facts.receipt);
    let is_under_way = matches!(current, Status::Receiving | Status::Held);
    if is_under_way || current != expected {
        return Err(unexpected(current, expected));
    }
    Ok(facts)
}
