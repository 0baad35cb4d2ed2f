//! Paying an invoice.

mod outcome;

use super::kinds;
use crate::{
    components::{
        Amount, Exclude, FeeBudget, IdempotencyKey, Invoice, Label, MaxDelay, Metadata, Overpay,
        Partial, RetryFor,
    },
    pay::start_payment,
};
use ecs_core::{
    Args, Engine, ErrorObject, Kind, Method, Reply, Scope, WireComponent, Write, optional, required,
};
use outcome::Until;

pub(super) const PAY: Method = Method {
    name: "pay",
    params: &[
        required("invstring", kinds::INVOICE),
        optional("amount_msat", kinds::AMOUNT),
        optional("maxfee", kinds::MSAT),
        optional("layers", kinds::NOT_SUPPORTED),
        optional("retry_for", kinds::SECONDS),
        optional("partial_msat", kinds::AMOUNT),
        optional("maxdelay", kinds::BLOCKS),
        optional("payer_note", kinds::NOT_SUPPORTED),
        optional("label", kinds::LABEL),
        optional("localinvreqid", kinds::NOT_SUPPORTED),
        optional("idempotency_key", kinds::KEY),
        optional("overpay", Kind::FLAG),
        optional("exclude", kinds::EXCLUDED),
        optional("metadata", kinds::METADATA),
        optional("wait", WAIT),
    ],
    scope: Scope::Pay,
    errors: &[
        2208, 207, 201, 200, 2321, 2322, 2330, 213, 2310, 203, 215, 210, 209, 206, 216, 220, 205,
        2201, 2202, 2203, 2320, 2331,
    ],
    result: r#"{"payment_preimage", "payment_hash", "status": "complete", "amount_msat",
        "amount_sent_msat", "fee_msat", "successful_parts", "failed_parts", "created_at",
        "entity": id, "replayed": true}"#,
    doc: "Pays an invoice by the default list, and answers when that is over; whoever goes away \
          meanwhile changes nothing. Params and answer are those of Core Lightning's `xpay`, then \
          ours. `maxfee` is the whole fee budget; without it: 0.5 % of the amount, 5000 msat at \
          least. `overpay` lets `amount_msat` be up to twice the invoice's. `exclude`: nodes and \
          channel directions that no route may use. `metadata` goes to the books. `wait` is \
          `first` or `all`: whether to answer with the first preimage, as `xpay` does, when parts \
          that are still out count as successful, or once no part is out. \
          `layers`, `payer_note` and `localinvreqid` are not supported and are refused. \
          An invoice that is paid is answered again, for ever, as `replayed`. While it is being \
          paid, a second call with the same `idempotency_key` and params waits for the same end; \
          without a key it fails with 200. \
          A failure has the payment's code, message and data; `data.entity` is the payment, with \
          200 the one under way, and `data.final` says whether nothing of this one can be paid any \
          more.",
    handle: pay,
    check: |_, args| asked(args).map(drop),
};

const WAIT: Kind = Kind {
    shape: "`first` or `all`",
    schema: r#"{"enum":["first","all"]}"#,
    fits: |json| json.decode::<Until>().is_ok(),
};

fn pay(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let (components, until) = asked(args)?;
    let id = start_payment(engine, components)?;
    Ok(Reply::later(move |engine| outcome::of(engine, id, until), None))
}

/// What the payment is made of, and when to answer.
fn asked(args: &Args<'_>) -> Result<(Write, Until), ErrorObject> {
    for name in ["layers", "payer_note", "localinvreqid"] {
        if args.given(name).is_some() {
            return Err(ErrorObject::invalid(format!("`{name}` is not supported")));
        }
    }
    let overpay = args.read::<bool>("overpay")?.is_some_and(|overpay| overpay).then_some(Overpay);
    let write = Write::here()
        .attach_some(given::<Invoice>(args, "invstring")?.as_ref())
        .attach_some(given::<Amount>(args, "amount_msat")?.as_ref())
        .attach_some(given::<FeeBudget>(args, "maxfee")?.as_ref())
        .attach_some(given::<RetryFor>(args, "retry_for")?.as_ref())
        .attach_some(given::<Partial>(args, "partial_msat")?.as_ref())
        .attach_some(given::<MaxDelay>(args, "maxdelay")?.as_ref())
        .attach_some(given::<Label>(args, "label")?.as_ref())
        .attach_some(given::<IdempotencyKey>(args, "idempotency_key")?.as_ref())
        .attach_some(overpay.as_ref())
        .attach_some(given::<Exclude>(args, "exclude")?.as_ref())
        .attach_some(given::<Metadata>(args, "metadata")?.as_ref());
    Ok((write, args.read("wait")?.unwrap_or(Until::First)))
}

/// A param as the Component that it becomes.
fn given<C: WireComponent>(args: &Args<'_>, name: &str) -> Result<Option<C>, ErrorObject> {
    let value = args.given(name).map(C::from_json).transpose();
    value.map_err(|_| args.misshapen(name))
}
