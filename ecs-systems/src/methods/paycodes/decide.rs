//! Deciding about a paycode: what is held is settled, or it is given up.

use super::{
    element::element,
    receipts,
    standing::{Status, live_set, status},
    unexpected, unknown,
};
use crate::{
    components::{Hold, Refusing, SecretKnown},
    methods::kinds,
    port::{PayeeFailure, ReceiptFacts, ReceiptState},
    records::{ReceiptLine, receipt_record},
};
use ecs_core::{
    Args, Engine, ErrorObject, INTERNAL, Method, Reply, Scope, Write, Writer, optional, required,
};
use payecs_units::{PaymentHash, Preimage};

pub(in crate::methods) const SETTLE_PAYCODE: Method = Method {
    name: "settlepaycode",
    params: &[optional("preimage", kinds::PREIMAGE), optional("payment_hash", kinds::HASH)],
    scope: Scope::Receive,
    errors: &[209, 905, 906],
    result: r#"{"payment_hash", "status", …} as in listpaycodes"#,
    doc: "Takes what is held for the paycode of this `preimage`, or of this `payment_hash` where \
          the engine has the preimage: one of the two is given. It answers once that is decided \
          for good, with the paycode: `receiving` until the node has confirmed every HTLC, then \
          `paid`, which `waitpaycode` waits for. Again is no error. Where nothing is held the \
          code is 906, with `data.current_status`, and the preimage is not kept. A set of which \
          an HTLC has no more than 12 blocks left is given back all the same: the answer says \
          `unpaid` then.",
    handle: settle_paycode,
    check: |engine, args| settled(engine, args).map(drop),
};

pub(in crate::methods) const CANCEL_PAYCODE: Method = Method {
    name: "cancelpaycode",
    params: &[required("payment_hash", kinds::HASH)],
    scope: Scope::Receive,
    errors: &[209, 905, 906],
    result: r#"{"payment_hash", "status": "cancelled", …} as in listpaycodes"#,
    doc: "Gives a paycode up, for good: what is held or gathered for it goes back to its payers, \
          and whoever pays it from now on is refused. Again is no error. Where it is paid, or \
          being settled, the code is 906, with `data.current_status`.",
    handle: cancel_paycode,
    check: |engine, args| cancelled(engine, args).map(drop),
};

/// What is to be settled, and whether it is not yet.
fn settled(engine: &Engine, args: &Args<'_>) -> Result<(ReceiptFacts, bool), ErrorObject> {
    let preimage = args.read::<Preimage>("preimage")?;
    let hash = match (preimage, args.read::<PaymentHash>("payment_hash")?) {
        (Some(preimage), None) => preimage.hash(),
        (None, Some(hash)) => hash,
        (Some(_), Some(_)) | (None, None) => {
            return Err(ErrorObject::invalid("give exactly one of `preimage` and `payment_hash`"));
        }
    };
    let facts = receipts(engine)?.facts(&hash).ok_or_else(unknown)?;
    if matches!(facts.receipt.state, ReceiptState::Settling | ReceiptState::Paid) {
        return Ok((facts, false));
    }
    let current = status(engine, &facts.receipt);
    if current != Status::Held {
        return Err(unexpected(current, Status::Held));
    }
    if preimage.is_none() && !facts.receipt.preimage_known {
        let what = "`payment_hash`: its preimage is not here: give `preimage`";
        return Err(ErrorObject::invalid(what));
    }
    Ok((facts, true))
}

fn settle_paycode(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let (facts, is_new) = settled(engine, args)?;
    let payment_hash = facts.receipt.payment_hash;
    if let Some(set) = live_set(engine, &payment_hash).filter(|_| is_new) {
        if !facts.receipt.preimage_known {
            let sealed = receipts(engine)?.seal(&args.need("preimage")?);
            let missing = || ErrorObject::new(INTERNAL, "there is no seed to seal it with");
            let preimage = sealed.ok_or_else(missing)?;
            let line = ReceiptLine::Reveal { payment_hash, preimage };
            engine.keep_records(&[receipt_record(&line)])?;
        }
        let write = Write::to(set).detach::<Hold>().attach(&SecretKnown);
        engine.set_components(&Writer::Engine, &[write], &[])?;
        engine.wake(set);
        engine.run();
        tracing::info!(target: "payflow::receive", %payment_hash, "paycode settled");
    }
    told(engine, args, &payment_hash)
}

/// What is to be cancelled, and whether it is not yet.
fn cancelled(engine: &Engine, args: &Args<'_>) -> Result<(PaymentHash, bool), ErrorObject> {
    let payment_hash: PaymentHash = args.need("payment_hash")?;
    let facts = receipts(engine)?.facts(&payment_hash).ok_or_else(unknown)?;
    match facts.receipt.state {
        ReceiptState::Unpaid => Ok((payment_hash, true)),
        ReceiptState::Cancelled => Ok((payment_hash, false)),
        ReceiptState::Settling | ReceiptState::Paid => {
            Err(unexpected(status(engine, &facts.receipt), Status::Held))
        }
    }
}

fn cancel_paycode(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let (payment_hash, is_new) = cancelled(engine, args)?;
    if is_new {
        engine.keep_records(&[receipt_record(&ReceiptLine::Withdraw { payment_hash })])?;
        if let Some(set) = live_set(engine, &payment_hash) {
            let told = engine.get::<Refusing>(set).cloned();
            let refusing = told.unwrap_or(Refusing(PayeeFailure::DETAILS));
            let write = Write::to(set).attach(&refusing);
            engine.set_components(&Writer::Engine, &[write], &[])?;
            engine.wake(set);
            engine.run();
        }
        tracing::info!(target: "payflow::receive", %payment_hash, "paycode cancelled");
    }
    told(engine, args, &payment_hash)
}

fn told(engine: &Engine, args: &Args<'_>, hash: &PaymentHash) -> Result<Reply, ErrorObject> {
    let facts = receipts(engine)?.facts(hash).ok_or_else(unknown)?;
    Ok(element(engine, &facts, args.caller().secrets).into())
}
