//! What callers are told of paycodes: it must be true, and stay so.

use super::{
    Auditor, Law, Said, Terms,
    words::{hash_in, msat, proves, secret_in},
};
use ecs_systems::units::{PaymentHash, PaymentSecret};
use serde_json::Value;
use std::collections::BTreeSet;

/// Codes of calls about paycodes.
const EXPIRED: i32 = 903;
const TIMED_OUT: i32 = 904;
const UNKNOWN: i32 = 905;
/// What else may refuse that a paycode is made.
const TAKEN: i32 = 901;
const INVALID: i32 = -32_602;
const CLOSED: i32 = 2_330;

/// How a paycode was asked for, after the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::testing::simulator) enum Asked {
    /// With the same request and key: it must be found.
    Again,
    /// With the same request without a key.
    ByHash,
    /// With another request and the same key.
    Otherwise,
}

/// A paycode that was acknowledged.
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that was asked or told")]
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) terms: Terms,
    pub(super) secret: [u8; 32],
    /// A caller has asked for what is held to be settled, or released.
    pub(super) decided: bool,
    /// A caller has asked for it to be cancelled or deleted.
    pub(super) given_up: bool,
    /// It was told to be settled.
    settled: bool,
    /// It was told to be deleted.
    gone: bool,
    view: CodeView,
}

/// A paycode, as it was told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CodeView {
    status: String,
    received_msat: Option<u64>,
    paid_at: Option<u64>,
}

impl Code {
    /// Whether it was told to be over, and unpaid.
    pub(super) fn is_over(&self) -> bool {
        ["expired", "cancelled"].contains(&self.view.status.as_str())
    }
}

impl Auditor {
    /// A paycode was asked for, at some moments, and this is the answer: what payers learn.
    pub(in crate::testing::simulator) fn made(
        &mut self,
        before: Option<(PaymentHash, PaymentSecret)>,
        terms: &[Terms],
        (said, asked): (&Said, Asked),
    ) -> Option<(PaymentHash, PaymentSecret)> {
        let answer = match said {
            Said::Well(answer) => answer,
            Said::Ill(code, data) => {
                let may_be = match asked {
                    Asked::Again => before.is_none_or(|(hash, _)| self.is_given_up(&hash)),
                    Asked::ByHash => [TAKEN, CLOSED].contains(code) || before.is_none(),
                    Asked::Otherwise => [TAKEN, CLOSED, INVALID].contains(code),
                };
                self.holds(Law::ToldTheTruth, may_be, || {
                    format!("a paycode was refused with {code}: {data}")
                });
                return None;
            }
        };
        let expires = answer.get("expires_at").and_then(Value::as_u64);
        let terms = terms.iter().find(|it| Some(it.expires_at.0 / 1_000) == expires);
        let (hash, secret) = (hash_in(answer), secret_in(answer));
        let (Some(hash), Some(secret), Some(terms)) = (hash, secret, terms) else {
            self.breach(Law::ToldTheTruth, format!("a paycode is said to be made: {answer}"));
            return None;
        };
        if before == Some((hash, PaymentSecret(secret))) && asked != Asked::Otherwise {
            return before;
        }
        // A key is free once its paycode is deleted.
        let was_deleted = before.is_none_or(|(hash, _)| self.is_given_up(&hash));
        self.holds(Law::Durable, was_deleted, || {
            format!("{before:?} was asked for again, and is another one: {answer}")
        });
        let (decided, settled, gone) = (false, false, false);
        // Some of what came for it may have come for the one that was deleted.
        let given_up = self.codes.get(&hash).is_some_and(|code| code.given_up);
        let view = CodeView::default();
        let code = Code { terms: *terms, secret, decided, given_up, settled, gone, view };
        self.codes.insert(hash, code);
        Some((hash, PaymentSecret(secret)))
    }

    fn is_given_up(&self, hash: &PaymentHash) -> bool {
        self.codes.get(hash).is_none_or(|code| code.given_up)
    }

    /// A caller asks for what is held to be settled or released.
    pub(in crate::testing::simulator) fn decides(&mut self, hash: PaymentHash) {
        if let Some(code) = self.codes.get_mut(&hash) {
            code.decided = true;
        }
    }

    /// A caller asks for a paycode to be cancelled or deleted.
    pub(in crate::testing::simulator) fn gives_up(&mut self, hash: PaymentHash) {
        if let Some(code) = self.codes.get_mut(&hash) {
            code.given_up = true;
        }
    }

    /// A caller waits for a paycode.
    pub(in crate::testing::simulator) fn awaits(&mut self, call: u32, hash: PaymentHash) {
        self.waiters.insert(call, hash);
    }

    /// A caller who waited is answered.
    pub(in crate::testing::simulator) fn waited(
        &mut self,
        call: u32,
        hash: PaymentHash,
        (until, timed): (&'static str, bool),
        said: &Said,
    ) {
        self.waiters.remove(&call);
        let status = |told: &Value| {
            told.get("status").and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let fits = match said {
            Said::Well(told) => match (until, status(told).as_str()) {
                (_, "paid") | ("held", "held") => true,
                ("final", status) => ["expired", "cancelled"].contains(&status),
                _ => false,
            },
            Said::Ill(EXPIRED, told) => ["expired", "cancelled"].contains(&status(told).as_str()),
            Said::Ill(TIMED_OUT, _) => timed,
            Said::Ill(UNKNOWN, _) => self.is_given_up(&hash),
            Said::Ill(..) => false,
        };
        self.holds(Law::ToldTheTruth, fits, || format!("{hash} until {until}: {said:?}"));
        match said {
            Said::Well(told) | Said::Ill(EXPIRED, told) => self.is_shown(told),
            Said::Ill(..) => {}
        }
    }

    /// `settlepaycode` is answered.
    pub(in crate::testing::simulator) fn settled_code(&mut self, hash: PaymentHash, said: &Said) {
        let Said::Well(told) = said else { return };
        self.is_shown(told);
        let status = told.get("status").and_then(Value::as_str).unwrap_or_default();
        if let Some(code) = self.codes.get_mut(&hash) {
            code.settled |= ["receiving", "paid"].contains(&status);
        }
    }

    /// `cancelpaycode` is answered.
    pub(in crate::testing::simulator) fn cancelled_code(&mut self, hash: PaymentHash, said: &Said) {
        let Said::Well(told) = said else { return };
        let is_so = told.get("status").and_then(Value::as_str) == Some("cancelled");
        self.holds(Law::ToldTheTruth, is_so, || format!("{hash} is said to be cancelled: {told}"));
        self.is_shown(told);
    }

    /// `delpaycode` is answered.
    pub(in crate::testing::simulator) fn deleted_code(&mut self, hash: PaymentHash, said: &Said) {
        let Said::Well(told) = said else { return };
        self.is_shown(told);
        if let Some(code) = self.codes.get_mut(&hash) {
            code.gone = true;
        }
    }

    /// Paycodes are listed.
    pub(in crate::testing::simulator) fn is_shown_codes(&mut self, said: &Said) {
        let Said::Well(answer) = said else { return };
        for told in answer.get("paycodes").and_then(Value::as_array).into_iter().flatten() {
            self.is_shown(told);
        }
    }

    /// After a crash: what is listed of a paycode that was known before.
    pub(in crate::testing::simulator) fn is_remembered_code(
        &mut self,
        hash: PaymentHash,
        said: &Said,
    ) {
        let Said::Well(answer) = said else { return };
        let listed = answer.get("paycodes").and_then(Value::as_array).map_or(0, Vec::len);
        let may_be = listed == 1 || self.is_given_up(&hash);
        self.holds(Law::Durable, may_be, || {
            format!("{hash} was made, and after a crash there is {answer}")
        });
        self.is_shown_codes(said);
    }

    /// A caller is told of a paycode.
    fn is_shown(&mut self, told: &Value) {
        let Some(hash) = hash_in(told) else { return };
        let Some(code) = self.codes.get(&hash).cloned() else { return };
        let status = told.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_paid = status == "paid";
        let view = CodeView {
            status,
            received_msat: msat(told, "amount_received_msat").filter(|_| is_paid),
            paid_at: told.get("paid_at").and_then(Value::as_u64).filter(|_| is_paid),
        };
        self.holds(Law::Durable, !code.gone, || format!("{hash} was deleted, and is {told}"));
        let before = &code.view;
        let may_be = match before.status.as_str() {
            "paid" | "cancelled" => *before == view,
            "expired" => ["expired", "cancelled"].contains(&view.status.as_str()),
            _ => true,
        };
        self.holds(Law::TheEndIsFinal, may_be, || {
            format!("{hash} is said to be {view:?}, and was {before:?}")
        });
        let terms = &code.terms;
        let as_asked = msat(told, "amount_msat") == terms.amount_msat
            && told.get("expires_at").and_then(Value::as_u64) == Some(terms.expires_at.0 / 1_000)
            && (view.status != "held" || terms.holds);
        self.holds(Law::ToldTheTruth, as_asked, || format!("{terms:?} was asked for: {told}"));
        self.judges_parts_shown(hash, told);
        if is_paid {
            self.said_paid.push((hash, told.clone()));
        }
        if let Some(code) = self.codes.get_mut(&hash) {
            code.view = view;
        }
    }

    /// The HTLCs that a paycode is said to have are those that came, and sum to what it says.
    fn judges_parts_shown(&mut self, hash: PaymentHash, told: &Value) {
        let parts = told.get("parts").and_then(Value::as_array).cloned().unwrap_or_default();
        let of_part = |part: &Value| {
            let channel = part.get("short_channel_id")?.as_str()?.parse().ok()?;
            let id = part.get("htlc_id")?.as_u64()?;
            let htlc = ecs_systems::port::HtlcId { short_channel_id: channel, id };
            Some((htlc, msat(part, "amount_msat")?))
        };
        let shown: Vec<_> = parts.iter().filter_map(of_part).collect();
        let sum: u64 = shown.iter().map(|(_, amount)| amount).sum();
        self.shown_parts.extend(shown.iter().map(|(htlc, amount)| (hash, *htlc, *amount)));
        let says = msat(told, "amount_received_msat");
        let agrees = shown.len() == parts.len() && (parts.is_empty() || says == Some(sum));
        self.holds(Law::ToldTheTruth, agrees, || format!("{hash}: its parts sum to {sum}: {told}"));
    }

    /// Once the network's log is read as far as it goes: what was said of paycodes meanwhile.
    pub(in crate::testing::simulator) fn judges_what_was_said(&mut self) {
        self.judges_other_words();
        for (hash, htlc, amount) in std::mem::take(&mut self.shown_parts) {
            let really = self.arrivals.get(&htlc);
            let fits = really
                .is_some_and(|it| it.hash == hash && it.flaw.is_none() && it.amount_msat == amount);
            self.holds(Law::ToldTheTruth, fits, || {
                format!("{hash} is said to have {amount} msat in {htlc:?}")
            });
        }
        for (hash, told) in std::mem::take(&mut self.said_paid) {
            let got = self.settled_msat(&hash);
            let says = msat(&told, "amount_received_msat").map(u128::from);
            let agrees = got > 0 && says == Some(got) && proves(&told, &hash);
            self.holds(Law::ToldTheTruth, agrees, || format!("{got} msat really came: {told}"));
        }
    }

    /// What came in for a hash, and is ours.
    fn settled_msat(&self, hash: &PaymentHash) -> u128 {
        let taken = self.incoming.values().filter(|it| it.hash == *hash && it.end == Some(true));
        taken.map(|it| u128::from(it.amount_msat)).sum()
    }

    /// At rest: paycodes as they are listed, each against what really came.
    pub(in crate::testing::simulator) fn reads_codes(&mut self, listed: &[Value]) {
        for told in listed {
            self.is_shown(told);
        }
        self.judges_what_was_said();
        let listed: BTreeSet<_> = listed.iter().filter_map(hash_in).collect();
        let codes: Vec<_> = self.codes.iter().map(|(hash, code)| (*hash, code.clone())).collect();
        for (hash, code) in codes {
            self.judge_code(hash, &code, listed.contains(&hash));
        }
        self.judges_arrivals();
    }

    fn judge_code(&mut self, hash: PaymentHash, code: &Code, is_listed: bool) {
        self.holds(Law::Durable, is_listed || code.given_up, || {
            format!("{hash} is listed no more, and was {:?}", code.view)
        });
        let got = self.settled_msat(&hash);
        let status = code.view.status.as_str();
        if is_listed {
            let is_over = ["paid", "expired", "cancelled"].contains(&status);
            self.holds(Law::EndsInTime, is_over, || format!("{hash} is still {status}"));
            let agrees = (status == "paid") == (got > 0);
            self.holds(Law::ToldTheTruth, agrees, || {
                format!("{got} msat really came for {hash}, which is {:?}", code.view)
            });
        }
        self.holds(Law::Durable, !code.settled || got > 0, || {
            format!("{hash} was told to be settled, and nothing came")
        });
        let taken = self.arrivals.values().filter(|it| it.hash == hash);
        let taken: Vec<_> = taken.filter(|it| it.word.is_some_and(|word| word.released)).collect();
        let Some(first) = taken.first() else { return };
        let (total, is_one) =
            (first.total_msat, taken.iter().all(|it| it.total_msat == first.total_msat));
        let sum: u128 = taken.iter().map(|it| u128::from(it.amount_msat)).sum();
        let largest = taken.iter().map(|it| u128::from(it.amount_msat)).max().unwrap_or_default();
        let needs_all = sum - largest < u128::from(total);
        self.holds(Law::SettledOnce, is_one && needs_all && sum == got, || {
            format!("{hash}: {got} msat came of {sum} that were taken, for {total}")
        });
    }
}
