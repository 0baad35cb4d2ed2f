//! Signing an invoice that somebody else has written, and taking it on.

use super::{
    label::{self, LABEL},
    sign::{Tell, Then, not_issued, sign},
};
use crate::{
    bolt11::Bolt11Error,
    methods::{
        decode, kinds, now,
        paycodes::{drafted, receipts},
    },
    port::{
        AddReceiptError, Chosen, GivenSecrets, InvoiceDescription, InvoiceDraft, IssuedReceipt,
        NodeView, ReceiptRequest, Terms,
    },
};
use ecs_core::{Args, Engine, ErrorObject, Method, Reply, Scope, required};
use payecs_units::Preimage;

pub(in crate::methods) const SIGN_INVOICE: Method = Method {
    name: "signinvoice",
    params: &[required("invstring", kinds::INVOICE)],
    scope: Scope::Receive,
    errors: &[209, -1, 2340],
    result: r#"{"bolt11"}"#,
    doc: "Has our node sign a BOLT 11 invoice, whoever signed it before and whether or not that \
          signature holds, and stores nothing. What our node doesn't write is refused: fields and \
          features that BOLT 11 doesn't have, or another network.",
    handle: sign_invoice,
    check: |engine, args| draft(engine, args).map(drop),
};

pub(in crate::methods) const CREATE_INVOICE: Method = Method {
    name: "createinvoice",
    params: &[
        required("invstring", kinds::INVOICE),
        required("label", LABEL),
        required("preimage", kinds::PREIMAGE),
    ],
    scope: Scope::Receive,
    errors: &[209, 2330, 2208, 900, 901, -1, 2340],
    result: r#"{"label", "status", …} as in listinvoices"#,
    doc: "Has our node sign a BOLT 11 invoice as `signinvoice` does, and takes it on under a \
          `label`: from then on it is one that `invoice` made. `preimage` is that of its hash. It \
          must have a description, at least 18 blocks of `min_final_cltv_expiry` and a time to \
          expire that is not over.",
    handle: create_invoice,
    check: |engine, args| {
        let draft = draft(engine, args)?;
        taken_on(engine, args, &draft).map(drop)
    },
};

/// What the invoice says, as far as our node writes it.
fn draft(engine: &Engine, args: &Args<'_>) -> Result<InvoiceDraft, ErrorObject> {
    let said = decode::read(&args.need::<String>("invstring")?)?;
    let unfit = |what: &str| ErrorObject::invalid(format!("`invstring`: {what}"));
    let is_other = |fault: &&Bolt11Error| **fault != Bolt11Error::Signature;
    if let Some(fault) = said.faults().iter().find(is_other) {
        return Err(unfit(&fault.to_string()));
    }
    let network = engine.resource::<NodeView>().map(|view| view.network);
    if network.is_some_and(|network| network.currency() != said.currency()) {
        return Err(unfit("it is for another network"));
    }
    said.draft().map_err(unfit)
}

fn sign_invoice(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let draft = draft(engine, args)?;
    Ok(sign(engine, draft, Then::Tell))
}

/// The receipt of the invoice, still without it, and what it is for.
fn taken_on(
    engine: &Engine,
    args: &Args<'_>,
    draft: &InvoiceDraft,
) -> Result<(IssuedReceipt, String), ErrorObject> {
    let preimage = args.need::<Preimage>("preimage")?;
    if preimage.hash() != draft.payment_hash {
        return Err(ErrorObject::invalid("Incorrect preimage"));
    }
    let InvoiceDescription::Text(description) = &draft.description else {
        return Err(ErrorObject::invalid("Missing description in invoice"));
    };
    let (expires_at, now) = (draft.created_at.after(draft.expiry), now(engine));
    if expires_at <= now {
        return Err(ErrorObject::invalid("`invstring`: it has expired"));
    }
    let receipts = receipts(engine)?;
    let label = label::needed(args)?;
    if receipts.of_label(&label).is_some() {
        return Err(not_issued(engine, &AddReceiptError::LabelTaken { label }));
    }
    let given = GivenSecrets { preimage, payment_secret: Some(draft.payment_secret) };
    let wanted = ReceiptRequest {
        terms: Terms { cltv: draft.min_final_cltv, ..Terms::default() },
        chosen: Chosen::Secrets(given),
        ..ReceiptRequest::of(draft.amount_msat, expires_at)
    };
    Ok((drafted(engine, receipts, &wanted)?, description.clone()))
}

fn create_invoice(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let draft = draft(engine, args)?;
    let (receipt, description) = taken_on(engine, args, &draft)?;
    let (label, tell) = (label::needed(args)?, Tell::Element { secrets: args.caller().secrets });
    let then = Then::Issue { receipt: Box::new(receipt), label, description, tell };
    Ok(sign(engine, draft, then))
}
