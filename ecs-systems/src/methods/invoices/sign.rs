//! Having our node sign invoices: what waits for that is written nowhere until it has.

use super::element::element;
use crate::{
    bolt11,
    methods::paycodes::{receipts, refused},
    port::{AddReceiptError, InvoiceDraft, IssuedInvoice, IssuedReceipt, NodeError, NodeView},
    records::{ReceiptLine, receipt_record},
    refusal::LIGHTNINGD,
};
use bevy_ecs::prelude::Resource;
use ecs_core::{Engine, ErrorObject, Fields, INTERNAL, Json, Reply};
use payecs_units::PaymentHash;
use std::sync::{Arc, OnceLock};

/// How long our node may take.
const ANSWER_MS_MAX: u64 = 30_000;

/// Invoices that our node is to sign and was not asked to yet.
#[derive(Resource, Debug, Default)]
struct SigningDesk(Vec<Signing>);

/// What becomes of an invoice once it is signed.
#[derive(Debug)]
pub(super) enum Then {
    /// Its receipt is issued with it.
    Issue {
        /// The receipt, still without it.
        receipt: Box<IssuedReceipt>,
        /// What its issuer calls it.
        label: String,
        /// What for.
        description: String,
        /// What its issuer is told.
        tell: Tell,
    },
    /// It is told, and nothing of it is kept.
    Tell,
}

/// What the issuer of an invoice is told.
#[derive(Debug)]
pub(super) enum Tell {
    /// The invoice with its secret for payers, and what its issuer should know.
    Made {
        /// What it should know.
        warnings: Fields,
    },
    /// The invoice as it is listed.
    Element {
        /// Whether secrets may be told.
        secrets: bool,
    },
}

/// An invoice that our node is to sign.
#[derive(Debug)]
pub struct Signing {
    draft: InvoiceDraft,
    then: Then,
    answer: Arc<OnceLock<Result<Json, ErrorObject>>>,
}

/// What our node is to sign and was not asked to yet, for whoever asks it.
#[must_use]
pub fn take_signings(engine: &mut Engine) -> Vec<Signing> {
    let desk = engine.resource_mut::<SigningDesk>();
    desk.map(|mut desk| std::mem::take(&mut desk.0)).unwrap_or_default()
}

/// Has our node sign `draft`; the answer is what comes of it.
pub(super) fn sign(engine: &mut Engine, draft: InvoiceDraft, then: Then) -> Reply {
    let answer = Arc::default();
    let signing = Signing { draft, then, answer: Arc::clone(&answer) };
    match engine.resource_mut::<SigningDesk>() {
        Some(mut desk) => desk.0.push(signing),
        None => engine.insert_resource(SigningDesk(vec![signing])),
    }
    let late = ErrorObject::new(
        LIGHTNINGD,
        "Our node did not sign the invoice in time: nothing was issued. Try again.",
    );
    let look = move |_: &Engine| {
        let answer: &OnceLock<Result<Json, ErrorObject>> = &answer;
        answer.get().cloned().map(|answer| answer.map(Reply::from))
    };
    Reply::waiting(look, Some(ANSWER_MS_MAX)).or_error_when_late(late)
}

impl Signing {
    /// What it is to say.
    #[must_use]
    pub fn draft(&self) -> &InvoiceDraft {
        &self.draft
    }

    /// Takes what our node answered, within a command. Where nobody waits for it any more, nothing
    /// comes of it.
    pub fn signed(self, engine: &mut Engine, reply: Result<String, NodeError>) {
        if Arc::strong_count(&self.answer) < 2 {
            let payment_hash = self.draft.payment_hash;
            tracing::info!(
                target: "payflow::receive", %payment_hash, "invoice dropped: nobody waits for it"
            );
            return;
        }
        let unsigned = |error: NodeError| {
            ErrorObject::new(LIGHTNINGD, format!("Our node did not sign the invoice: {error}"))
        };
        let Self { draft, then, answer } = self;
        let signed = reply.map_err(unsigned).and_then(|bolt11| {
            must_say(engine, &bolt11, &draft)?;
            let Then::Issue { receipt, label, description, tell } = then else {
                return Ok(Json::object([("bolt11", Json::of(&bolt11))]));
            };
            let invoice = IssuedInvoice { label, description: Some(description), bolt11 };
            let issued = IssuedReceipt { invoice: Some(Arc::new(invoice)), ..*receipt };
            issue(engine, issued, &draft, tell)
        });
        // It is set here alone.
        let _set = answer.set(signed);
    }
}

/// Whether a signed invoice is ours and says what it is to say, as far as money hangs on it.
fn must_say(engine: &Engine, bolt11: &str, draft: &InvoiceDraft) -> Result<(), ErrorObject> {
    let wrong = |what: &str| {
        let what = format!("Our node signed another invoice than it was asked to: {what}");
        ErrorObject::new(LIGHTNINGD, what)
    };
    let said = bolt11::decode(bolt11).map_err(|error| wrong(&error.to_string()))?;
    let ours = engine.resource::<NodeView>().map(|view| view.identity);
    if ours.is_some_and(|ours| ours != said.payee) {
        return Err(wrong("it is not its own"));
    }
    if said.payment_hash != draft.payment_hash || said.payment_secret != draft.payment_secret {
        return Err(wrong("hash or secret differ"));
    }
    if said.amount_msat != draft.amount_msat {
        return Err(wrong("the amount differs"));
    }
    // A payer who leaves fewer blocks, or comes later, would be refused.
    if said.min_final_cltv_expiry != draft.min_final_cltv.0 || said.expiry != draft.expiry.0 {
        return Err(wrong("blocks or expiry differ"));
    }
    Ok(())
}

/// Issues a receipt with its invoice, in one record.
fn issue(
    engine: &mut Engine,
    issued: IssuedReceipt,
    draft: &InvoiceDraft,
    tell: Tell,
) -> Result<Json, ErrorObject> {
    let payment_hash = issued.payment_hash;
    let checked = receipts(engine)?.check(&issued);
    checked.map_err(|error| not_issued(engine, &error))?;
    engine.keep_records(&[receipt_record(&ReceiptLine::Issue(Box::new(issued)))])?;
    tracing::info!(target: "payflow::receive", %payment_hash, "invoice made");
    told(engine, payment_hash, draft, tell)
        .ok_or_else(|| ErrorObject::new(INTERNAL, "an invoice was lost"))
}

fn told(
    engine: &Engine,
    payment_hash: PaymentHash,
    draft: &InvoiceDraft,
    tell: Tell,
) -> Option<Json> {
    let facts = receipts(engine).ok()?.facts(&payment_hash)?;
    let warnings = match tell {
        Tell::Made { warnings } => warnings,
        Tell::Element { secrets } => return element(engine, &facts, secrets),
    };
    let invoice = facts.invoice.as_ref()?;
    let fields = [
        ("payment_hash", Json::of(&payment_hash)),
        ("expires_at", crate::methods::seconds(facts.receipt.expires_at)),
        ("bolt11", Json::of(&invoice.issued.bolt11)),
        ("payment_secret", Json::of(&draft.payment_secret.reveal())),
        ("created_index", Json::of(&invoice.created_index)),
    ];
    let fields = fields.into_iter().map(|(name, json)| (name.to_owned(), json));
    Some(Json::object(fields.chain(warnings).collect::<Fields>()))
}

/// Why an invoice is not issued; with the invoice that has its label, where that is why.
pub(super) fn not_issued(engine: &Engine, error: &AddReceiptError) -> ErrorObject {
    let AddReceiptError::LabelTaken { label } = error else { return refused(error) };
    let facts = super::of_label(engine, label).ok().flatten();
    let there = facts.and_then(|facts| element(engine, &facts, false));
    match there {
        Some(there) => refused(error).with_data(&there),
        None => refused(error),
    }
}
