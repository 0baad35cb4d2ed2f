//! Waiting for a paycode.

use super::{
    element::element,
    receipts,
    standing::{Status, status},
    unknown,
};
use crate::{
    methods::{kinds, now},
    port::{ReceiptFacts, Receipts},
    receive::sets::Sets,
    refusal::{PAYCODE_EXPIRED, PAYCODE_WAIT_TIMED_OUT},
};
use ecs_core::{Args, Engine, ErrorObject, Json, Kind, Method, Reply, Scope, optional, required};
use payecs_units::PaymentHash;
use serde::Deserialize;

pub(in crate::methods) const WAIT_PAYCODE: Method = Method {
    name: "waitpaycode",
    params: &[
        required("payment_hash", kinds::HASH),
        optional("timeout", kinds::WAIT),
        optional("until", UNTIL),
    ],
    scope: Scope::Read,
    errors: &[209, 905, 903, 904, 2340],
    result: r#"{"payment_hash", "status", …} as in listpaycodes"#,
    doc: "Answers with the paycode once it is `paid`, which is what `until` is without it; `held`: \
          once it is held, or paid; `final`: once it is paid, expired or cancelled. Where it has \
          expired or was cancelled, `paid` and `held` fail with 903, and `data` is the paycode; \
          one that has expired while a set for it is there goes on. It fails with 905 where there \
          is none, and as soon as it is deleted; with 904 after `timeout` seconds, at once where \
          that is 0. Without it the answer comes when the paycode is over. Who waits costs nothing \
          while no paycode changes.",
    handle: wait_paycode,
    check: |engine, args| Asked::of(args)?.facts(engine).map(drop),
};

const UNTIL: Kind = Kind {
    shape: "`paid`, `held` or `final`",
    schema: r#"{"enum":["paid","held","final"]}"#,
    fits: |json| json.decode::<Until>().is_ok(),
};

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Until {
    Paid,
    Held,
    Final,
}

/// What a caller waits for.
#[derive(Clone, Copy)]
struct Asked {
    payment_hash: PaymentHash,
    timeout_s: Option<u64>,
    until: Until,
    secrets: bool,
}

impl Asked {
    fn of(args: &Args<'_>) -> Result<Self, ErrorObject> {
        Ok(Self {
            payment_hash: args.need("payment_hash")?,
            timeout_s: args.read("timeout")?,
            until: args.read("until")?.unwrap_or(Until::Paid),
            secrets: args.caller().secrets,
        })
    }

    fn facts(&self, engine: &Engine) -> Result<ReceiptFacts, ErrorObject> {
        receipts(engine)?.facts(&self.payment_hash).ok_or_else(unknown)
    }

    /// The answer, once there is one.
    fn answer(&self, engine: &Engine) -> Option<Result<Reply, ErrorObject>> {
        let facts = match self.facts(engine) {
            Ok(facts) => facts,
            Err(gone) => return Some(Err(gone)),
        };
        let told = || element(engine, &facts, self.secrets);
        match (status(engine, &facts.receipt), self.until) {
            (Status::Paid, _)
            | (Status::Held, Until::Held)
            | (Status::Expired | Status::Cancelled, Until::Final) => Some(Ok(told().into())),
            (Status::Expired, Until::Paid | Until::Held) => Some(Err(over("expired", &told()))),
            (Status::Cancelled, Until::Paid | Until::Held) => {
                Some(Err(over("was cancelled", &told())))
            }
            (Status::Unpaid | Status::Receiving, _)
            | (Status::Held, Until::Paid | Until::Final) => None,
        }
    }
}

fn over(how: &str, told: &Json) -> ErrorObject {
    let what = format!("The paycode {how} before it was paid");
    ErrorObject::new(PAYCODE_EXPIRED, what).with_data(told)
}

fn wait_paycode(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let asked = Asked::of(args)?;
    let expires_at = asked.facts(engine)?.receipt.expires_at;
    let late = ErrorObject::new(PAYCODE_WAIT_TIMED_OUT, "Timed out while waiting for the paycode");
    if asked.timeout_s == Some(0) {
        return asked.answer(engine).unwrap_or(Err(late));
    }
    let mut seen = None;
    let look = move |engine: &Engine| {
        let changes = receipts(engine).ok().map(Receipts::changes);
        let sets = engine.resource::<Sets>().map(Sets::changes);
        let seeing = (changes, sets, now(engine) >= expires_at);
        if seen.replace(seeing) == Some(seeing) {
            return None;
        }
        asked.answer(engine)
    };
    let timeout_ms = asked.timeout_s.map(|seconds| seconds * 1_000);
    Ok(Reply::waiting(look, timeout_ms).looking_at(expires_at.0).or_error_when_late(late))
}
