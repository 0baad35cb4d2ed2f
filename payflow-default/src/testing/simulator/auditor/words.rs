//! What clients were told: it must be true, and stay so.

use super::{Auditor, Intent, Law, View};
use ecs_systems::units::{PaymentHash, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// An answer.
#[derive(Clone, Debug)]
pub(in crate::testing::simulator) enum Said {
    /// It was done, and this is what there is to say.
    Well(Value),
    /// It was not: code, and what was said with it.
    Ill(i32, Value),
}

/// What a caller was told of a payment that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::testing::simulator) struct Told {
    pub(super) fee_msat: u64,
    pub(super) sent_msat: u64,
}

/// The code of a payment that is not known.
const UNKNOWN: i32 = 208;
/// Codes of a call that is about another payment of the hash.
const ANOTHERS: [i32; 2] = [200, 201];

/// An amount as answers have it.
pub(super) fn msat(value: &Value, name: &str) -> Option<u64> {
    let value = value.get(name)?;
    let text = || value.as_str()?.trim_end_matches("msat").parse().ok();
    value.as_u64().or_else(text)
}

/// A number as answers have it: as one, or as text.
pub(super) fn number(value: &Value, name: &str) -> u64 {
    let value = value.get(name);
    let text = || value?.as_str()?.parse().ok();
    value.and_then(Value::as_u64).or_else(text).unwrap_or_default()
}

/// A hash as answers have it.
pub(super) fn hash_in(value: &Value) -> Option<PaymentHash> {
    bytes(value.get("payment_hash")?.as_str()?).map(PaymentHash)
}

/// The payment secret that is told.
pub(super) fn secret_in(value: &Value) -> Option<[u8; 32]> {
    bytes(value.get("payment_secret")?.as_str()?)
}

/// Whether the preimage that is told is that of the hash.
pub(super) fn proves(value: &Value, hash: &PaymentHash) -> bool {
    let preimage = value.get("payment_preimage").and_then(|it| bytes(it.as_str()?));
    preimage.is_some_and(|it| <[u8; 32]>::from(Sha256::digest(it)) == hash.0)
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

impl Auditor {
    /// A caller who pays is answered.
    pub(in crate::testing::simulator) fn hears(&mut self, call: u32, said: &Said, at: Timestamp) {
        let Some((intent, since)) = self.calls.remove(&call) else { return };
        self.longest_ms = self.longest_ms.max(at.0.saturating_sub(since.0));
        match said {
            Said::Well(answer) => self.told_paid(&intent, answer),
            Said::Ill(code, data) => {
                let is_final = data.get("final") == Some(&Value::Bool(true));
                if is_final && !ANOTHERS.contains(code) {
                    *self.failed.entry(intent.hash).or_default() += 1;
                }
            }
        }
    }

    fn told_paid(&mut self, intent: &Intent, answer: &Value) {
        let hash = intent.hash;
        let proves = proves(answer, &hash);
        let sums = (|| {
            let (amount, fee) = (msat(answer, "amount_msat")?, msat(answer, "fee_msat")?);
            let sent = msat(answer, "amount_sent_msat")?;
            (amount.checked_add(fee)? == sent).then_some(Told { fee_msat: fee, sent_msat: sent })
        })();
        let (true, Some(told)) = (proves, sums) else {
            return self.breach(Law::ToldTheTruth, format!("{hash} is said to be paid: {answer}"));
        };
        let (got, wanted) = (told.sent_msat - told.fee_msat, intent.amount_msat);
        self.holds(Law::PaidInFull, got >= wanted, || {
            format!("{hash} is said to be paid, and its payee got {got} msat of {wanted}")
        });
        let before = self.paid.insert(hash, told).filter(|before| *before != told);
        self.holds(Law::TheEndIsFinal, before.is_none(), || {
            format!("{hash} is said to be paid with {told:?}, and was with {before:?}")
        });
    }

    /// A caller is told how the payment of a hash stands, or how payments stand.
    pub(in crate::testing::simulator) fn is_told(&mut self, payment: &Value) {
        let entity = number(payment, "entity");
        let Some(hash) = hash_in(payment) else { return };
        let status = payment.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_paid = status == "complete";
        let view = View {
            status,
            fee_msat: msat(payment, "fee_msat").filter(|_| is_paid),
            sent_msat: msat(payment, "amount_sent_msat").filter(|_| is_paid),
        };
        let before = self.views.insert((hash, entity), view.clone());
        let changed = before.filter(|before| before.status != "pending" && *before != view);
        self.holds(Law::TheEndIsFinal, changed.is_none(), || {
            format!("{hash} is said to be {view:?}, and was {changed:?}")
        });
    }

    /// Hashes of which a caller was told that the engine knows them.
    pub(in crate::testing::simulator) fn known(&self) -> Vec<PaymentHash> {
        let paid = self.paid.keys().copied();
        let mut known: Vec<_> = self.views.keys().map(|(hash, _)| *hash).chain(paid).collect();
        known.sort_unstable();
        known.dedup();
        known
    }

    /// After a crash: what is known of a hash that was known before.
    pub(in crate::testing::simulator) fn is_remembered(&mut self, hash: PaymentHash, said: &Said) {
        match said {
            Said::Well(payment) => {
                // Who waits for the first preimage alone is answered while parts are still out.
                let is_proven = payment.get("payment_preimage").is_some();
                let forgets = self.paid.contains_key(&hash) && !is_proven;
                self.holds(Law::Durable, !forgets, || {
                    format!("{hash} was told to be paid, and after a crash it is {payment}")
                });
                self.is_told(payment);
            }
            Said::Ill(code, data) => self.holds(Law::Durable, *code != UNKNOWN, || {
                format!("{hash} was known, and after a crash it is not: {data}")
            }),
        }
    }
}
