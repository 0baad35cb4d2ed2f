//! Asking to be paid.

use super::{
    prepend::{PREPEND, prepended},
    receipts,
    standing::status,
};
use crate::{
    methods::{kinds, now, seconds},
    policy::{Intake, Policy},
    port::{
        AddReceiptError, CLTV_BLOCKS_MIN, Chosen, IssuedReceipt, OverpayRule, ReceiptKey,
        ReceiptRequest, Receipts, Terms,
    },
    records::{ReceiptLine, receipt_id, receipt_record},
    refusal::{INTAKE_CLOSED, INVOICE_LABEL_ALREADY_EXISTS, PREIMAGE_ALREADY_EXISTS, capitalised},
};
use ecs_core::{
    Args, Engine, ErrorObject, INTERNAL, Inputs, Json, Kind, Method, NOT_PERMITTED, QUOTA_REACHED,
    Reply, Scope, optional, required,
};
use payecs_units::{Blocks, Msat, PaymentHash, Preimage, RequestHash, Seconds, Timestamp};
use serde_json::json;
use std::sync::Arc;

/// How long a paycode can be paid where nothing is said: a week.
pub(in crate::methods) const TIMEOUT_S: u64 = 604_800;
/// Blocks that its HTLCs must have left where nothing is said.
const CLTV_BLOCKS: Blocks = Blocks(24);
/// Most of them: what payers allow a whole route.
const CLTV_BLOCKS_MAX: Blocks = Blocks(2_016);

pub(in crate::methods) const PAYCODE: Method = Method {
    name: "paycode",
    params: &[
        required("amount_msat", AMOUNT_OR_ANY),
        optional("timeout", TIMEOUT),
        optional("preimage", kinds::PREIMAGE),
        optional("payment_hash", kinds::HASH),
        optional("cltv", CLTV),
        optional("hold", Kind::FLAG),
        optional("overpay", OVERPAY),
        optional("metadata", kinds::METADATA),
        optional("idempotency_key", kinds::KEY),
        optional("prepend", PREPEND),
    ],
    scope: Scope::Receive,
    errors: &[NOT_PERMITTED, 209, 2330, 2208, 901],
    result: r#"{"payment_hash", "payment_secret", "expires_at", "created_index", "status":
        "unpaid", "receiving", "held", "paid", "expired" or "cancelled"}"#,
    doc: "Makes a paycode: a hash that others can pay once, with the secret that they must show, \
          for `amount_msat` or `any` amount above zero, within `timeout` seconds, a week without \
          it. Without `preimage` and `payment_hash` the engine draws the preimage, as it should. \
          With `payment_hash` somebody else has it, and what comes in is held until \
          `settlepaycode` brings it; with `hold`, too. A hold ends 18 blocks before its first \
          HTLC expires. Each HTLC must have `cltv` blocks left when it comes, 24 without it. \
          `overpay`: `bolt` takes up to twice the amount, as BOLT 4 has it and as without it, \
          `exact` the amount alone, `any` the amount or more. `metadata` is told with the paycode \
          and goes to the ledger, where it stays. `prepend`: Systems that its sets have before \
          all others, in this order, for callers with the scope `flow`: where one is gone when \
          the money comes, it is given back. The same request with the same `idempotency_key` is \
          answered by the same paycode while that is known, and where it stands now; another \
          request with that key is refused, and `data.payment_hash` is whose key it is. A \
          preimage is used once: a hash that is known, or was paid, is refused with 901. Where as \
          many wait unpaid as may, the code is 2208. `payment_secret` is for payers: who may make \
          paycodes is told it. It is in no list.",
    handle: paycode,
    check: |engine, args| judged(engine, &Asked::of(engine, args)?).map(drop),
};

pub(in crate::methods) const AMOUNT_OR_ANY: Kind = Kind {
    shape: "`any`, or an amount above zero: integer msat, or a string `N`, `Nmsat`, `Nsat`, \
            `N.DDDsat` or `N.Dbtc`",
    schema: r#"{"oneOf":[{"type":"integer","minimum":1,"maximum":18446744073709551615},
        {"type":"string","pattern":"^any$|^[0-9]+(\\.[0-9]{1,11})?(msat|sat|btc)?$"}]}"#,
    fits: |json| is_any(json) || (kinds::AMOUNT.fits)(json),
};

const TIMEOUT: Kind = Kind {
    shape: "how long it can be paid, in seconds: an integer from 1 to 4294967295",
    schema: r#"{"type":"integer","minimum":1,"maximum":4294967295}"#,
    fits: kinds::LIMIT.fits,
};

pub(in crate::methods) const CLTV: Kind = Kind {
    shape: "a number of blocks: an integer from 18 to 2016",
    schema: r#"{"type":"integer","minimum":18,"maximum":2016}"#,
    fits: |json| {
        json.decode::<Blocks>().is_ok_and(|it| (CLTV_BLOCKS_MIN..=CLTV_BLOCKS_MAX).contains(&it))
    },
};

pub(in crate::methods) const OVERPAY: Kind = Kind {
    shape: "`bolt`, `exact` or `any`",
    schema: r#"{"enum":["bolt","exact","any"]}"#,
    fits: |json| json.decode::<OverpayRule>().is_ok(),
};

pub(in crate::methods) fn is_any(json: &Json) -> bool {
    json.as_str().is_some_and(|text| text == "any")
}

/// Whose preimage a caller wants to be paid for.
pub(in crate::methods) fn chosen(args: &Args<'_>) -> Result<Chosen, ErrorObject> {
    match (args.read::<Preimage>("preimage")?, args.read("payment_hash")?) {
        (None, None) => Ok(Chosen::Nothing),
        (Some(preimage), None) => Ok(Chosen::Preimage(preimage)),
        (None, Some(payment_hash)) => Ok(Chosen::Hash(payment_hash)),
        (Some(_), Some(_)) => {
            Err(ErrorObject::invalid("give `preimage` or `payment_hash`, not both"))
        }
    }
}

/// On which terms a caller wants to be paid.
pub(in crate::methods) fn terms(args: &Args<'_>) -> Result<Terms, ErrorObject> {
    Ok(Terms {
        overpay: args.read("overpay")?.unwrap_or_default(),
        cltv: args.read("cltv")?.unwrap_or(CLTV_BLOCKS),
        hold: args.read("hold")?.unwrap_or(false),
    })
}

/// What a caller asks for.
struct Asked {
    amount_msat: Option<Msat>,
    timeout: Seconds,
    terms: Terms,
    chosen: Chosen,
    metadata: Option<Json>,
    key: Option<ReceiptKey>,
    prepend: Vec<Arc<str>>,
}

impl Asked {
    fn of(engine: &Engine, args: &Args<'_>) -> Result<Self, ErrorObject> {
        let is_any = args.given("amount_msat").is_some_and(is_any);
        let mut asked = Self {
            amount_msat: if is_any { None } else { args.read("amount_msat")? },
            timeout: Seconds(args.read("timeout")?.unwrap_or(TIMEOUT_S)),
            terms: terms(args)?,
            chosen: chosen(args)?,
            metadata: args.given("metadata").cloned(),
            key: None,
            prepend: prepended(engine, args)?,
        };
        asked.key = args
            .read::<String>("idempotency_key")?
            .map(|idempotency_key| ReceiptKey { idempotency_key, request: asked.request() });
        Ok(asked)
    }

    /// The hash of all that is asked for, with what is not given as it is without; of a preimage
    /// its hash, so that nothing secret is in it.
    fn request(&self) -> RequestHash {
        let (way, hash) = match self.chosen {
            Chosen::Nothing => ("drawn", None),
            Chosen::Secrets(secrets) => ("secrets", Some(secrets.preimage.hash())),
            Chosen::Preimage(preimage) => ("preimage", Some(preimage.hash())),
            Chosen::Hash(hash) => ("hash", Some(hash)),
        };
        let mut all = vec![
            ("amount_msat", Json::of(&self.amount_msat)),
            ("timeout", Json::of(&self.timeout)),
            ("overpay", Json::of(&self.terms.overpay)),
            ("cltv", Json::of(&self.terms.cltv)),
            ("hold", Json::of(&self.terms.hold)),
            ("preimage", Json::of(way)),
            ("payment_hash", Json::of(&hash)),
            ("metadata", self.metadata.clone().unwrap_or_else(Json::null)),
        ];
        if !self.prepend.is_empty() {
            all.push(("prepend", Json::of(&self.prepend)));
        }
        RequestHash::of(&Json::object(all).canonical())
    }

    fn wanted(&self, now: Timestamp) -> ReceiptRequest {
        ReceiptRequest {
            amount_msat: self.amount_msat,
            expires_at: now.after(self.timeout),
            terms: self.terms,
            chosen: self.chosen,
            metadata: self.metadata.clone(),
            key: self.key.clone(),
            prepend: self.prepend.clone(),
        }
    }
}

/// What a request comes to.
enum Judged {
    /// It was made before.
    There(PaymentHash),
    /// It is new.
    New(Box<IssuedReceipt>),
}

fn paycode(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let payment_hash = match judged(engine, &Asked::of(engine, args)?)? {
        Judged::There(payment_hash) => payment_hash,
        Judged::New(issued) => keep(engine, issued)?,
    };
    told(engine, &payment_hash)
}

fn judged(engine: &Engine, asked: &Asked) -> Result<Judged, ErrorObject> {
    let receipts = receipts(engine)?;
    if let Some(there) = made_before(receipts, asked)? {
        return Ok(Judged::There(there));
    }
    drafted(engine, receipts, &asked.wanted(now(engine))).map(Box::new).map(Judged::New)
}

/// The receipt that a request comes to; nothing is kept yet.
///
/// # Errors
/// 2330, 2208, and what the receipts don't take.
pub(in crate::methods) fn drafted(
    engine: &Engine,
    receipts: &dyn Receipts,
    wanted: &ReceiptRequest,
) -> Result<IssuedReceipt, ErrorObject> {
    may_issue(engine, receipts)?;
    let inputs = engine.resource::<Inputs>().copied().unwrap_or_default();
    receipts
        .draft(wanted, receipt_id(&inputs.entropy, 0))
        .and_then(|issued| receipts.check(&issued).map(|()| issued))
        .map_err(|error| refused(&error))
}

/// Makes a paycode, as part of a command that makes no other: what `paycode` does, for methods of
/// third parties. Its payment secret is `ReceiptsBook`'s to tell.
///
/// # Errors
/// As `paycode` has them: 2330, 2208, 901, and −32602 for terms that can't be. Nothing is kept
/// then.
pub fn make_paycode(
    engine: &mut Engine,
    wanted: &ReceiptRequest,
) -> Result<PaymentHash, ErrorObject> {
    let issued = drafted(engine, receipts(engine)?, wanted)?;
    keep(engine, Box::new(issued))
}

fn keep(engine: &mut Engine, issued: Box<IssuedReceipt>) -> Result<PaymentHash, ErrorObject> {
    let payment_hash = issued.payment_hash;
    engine.keep_records(&[receipt_record(&ReceiptLine::Issue(issued))])?;
    tracing::info!(target: "payflow::receive", %payment_hash, "paycode made");
    Ok(payment_hash)
}

/// Whether there is room for one more.
///
/// # Errors
/// 2330: nothing is taken in now; 2208: as many wait unpaid as may.
fn may_issue(engine: &Engine, receipts: &dyn Receipts) -> Result<(), ErrorObject> {
    engine.resource::<Intake>().copied().unwrap_or_default().check()?;
    let max = engine.resource::<Policy>().map(|policy| policy.unpaid_paycodes_max);
    match max.filter(|max| receipts.unpaid() >= *max) {
        Some(max) => Err(too_many(max)),
        None => Ok(()),
    }
}

/// The paycode of the same request; another request with its key is refused.
fn made_before(receipts: &dyn Receipts, asked: &Asked) -> Result<Option<PaymentHash>, ErrorObject> {
    let Some(key) = &asked.key else { return Ok(None) };
    let Some((payment_hash, request)) = receipts.of_key(&key.idempotency_key) else {
        return Ok(None);
    };
    if request == key.request {
        return Ok(Some(payment_hash));
    }
    let what = "`idempotency_key`: it was used for another request";
    let facts = json!({ "idempotency_key": key.idempotency_key, "payment_hash": payment_hash });
    Err(ErrorObject::invalid(what).with_data(&facts))
}

fn too_many(max: u64) -> ErrorObject {
    let what = format!(
        "Quota `unpaid-paycodes` is reached: {max} paycodes that wait unpaid or have expired. \
         Cancel some, clean away what has expired (autoclean-once), or have the quota raised."
    );
    let facts = json!({ "quota": "unpaid-paycodes", "max": max });
    ErrorObject::new(QUOTA_REACHED, what).with_data(&facts)
}

/// Why a receipt is not issued, as callers are told.
pub(in crate::methods) fn refused(error: &AddReceiptError) -> ErrorObject {
    let what = capitalised(&error.to_string());
    match error {
        AddReceiptError::HashTaken { payment_hash }
        | AddReceiptError::WasPaid { payment_hash }
        | AddReceiptError::WasDeleted { payment_hash } => {
            let facts = json!({ "payment_hash": payment_hash });
            ErrorObject::new(PREIMAGE_ALREADY_EXISTS, what).with_data(&facts)
        }
        AddReceiptError::NoSeed => {
            let facts = json!({ "cause": "seed", "retryable": false });
            ErrorObject::new(INTAKE_CLOSED, what).with_data(&facts)
        }
        AddReceiptError::LabelTaken { label } => {
            let facts = json!({ "label": label });
            ErrorObject::new(INVOICE_LABEL_ALREADY_EXISTS, what).with_data(&facts)
        }
        AddReceiptError::ZeroAmount
        | AddReceiptError::CltvTooShort { .. }
        | AddReceiptError::OtherSeed { .. }
        | AddReceiptError::KeyTaken { .. }
        | AddReceiptError::Kept => ErrorObject::invalid(what),
    }
}

fn told(engine: &Engine, payment_hash: &PaymentHash) -> Result<Reply, ErrorObject> {
    let receipts = receipts(engine)?;
    let facts = receipts.facts(payment_hash);
    let facts = facts.ok_or_else(|| ErrorObject::new(INTERNAL, "a paycode was lost"))?;
    let secret = receipts.payment_secret(payment_hash);
    let mut fields = vec![("payment_hash", Json::of(payment_hash))];
    fields.extend(secret.map(|secret| ("payment_secret", Json::of(&secret.reveal()))));
    fields.extend([
        ("expires_at", seconds(facts.receipt.expires_at)),
        ("created_index", Json::of(&facts.created_index)),
        ("status", Json::of(&status(engine, &facts.receipt))),
    ]);
    Ok(Json::object(fields).into())
}
