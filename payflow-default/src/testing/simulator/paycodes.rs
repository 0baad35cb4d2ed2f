//! Other nodes pay us: what our clients ask for, what payers send, and what is decided.

use super::{
    auditor::{Asked, Said, Terms},
    clients::Errand,
    offers::{Chosen, Decision, Offer, Overpay, Receiving, Share, Shown},
    stage::Stage,
};
use ecs_core::Json;
use ecs_systems::units::{PaymentHash, PaymentSecret, Seconds};
use node_sim::{RemoteId, RemotePart};
use serde_json::Value;

/// So many paycodes are asked for after each restart.
const REMEMBERED: usize = 5;
/// What another request with the same key asks for.
const OTHER_TIMEOUT: Seconds = Seconds(7_200);
/// The hash of a part that is none of ours, beside our own.
const ELSEWHERE: u8 = 0xff;

/// A paycode that a client asked for.
#[derive(Clone, Debug)]
pub(super) struct Code {
    offer: Offer,
    params: Json,
    /// What of it the payers know, once it was told.
    made: Option<(PaymentHash, PaymentSecret)>,
    /// The call that asked last.
    call: Option<u32>,
    /// What counts for it, where the first call was heard, the second, and so on.
    terms: Vec<Terms>,
}

/// Why somebody calls about a paycode.
#[derive(Clone, Copy, Debug)]
pub(super) enum CodeErrand {
    /// To have it made.
    Make(u32),
    /// The same with another request.
    MakeOther(u32),
    /// To hear how it stands.
    Look,
    /// The same after a crash: it must be known.
    Remember(PaymentHash),
    /// To hear of its end.
    Wait { hash: PaymentHash, until: &'static str, timed: bool },
    /// To have it settled.
    Settle(PaymentHash),
    /// To have it cancelled.
    Cancel(PaymentHash),
    /// To have it deleted.
    Delete(PaymentHash),
    /// To find the set that is held for it, and to release that.
    Find(PaymentHash),
    /// To release it.
    Release,
}

/// A part of another node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payer {
    pub(super) id: RemoteId,
    pub(super) hash: PaymentHash,
}

impl Stage {
    pub(super) fn receive(&mut self, deed: u32, what: &Receiving) {
        match what {
            Receiving::Ask(offer) => {
                let params = params(deed, offer);
                let (offer, made) = (offer.clone(), None);
                self.codes
                    .insert(deed, Code { offer, params, made, call: None, terms: Vec::new() });
                self.report.paycodes += 1;
                self.ask_for(deed);
            }
            Receiving::Pay { of, part } => self.send_to_us(*of, part),
            Receiving::Decide { of, how } => self.decide(*of, *how),
            Receiving::Delete { of, status, keep_tombstone } => {
                let tombstone = ("keep_tombstone", Json::of(keep_tombstone));
                let more = [("status", Json::of(status)), tombstone];
                let Some(hash) = self.hash_of(*of) else { return };
                self.auditor.gives_up(hash);
                self.about_code(hash, CodeErrand::Delete(hash), "delpaycode", more);
            }
            Receiving::Look { of } => {
                let Some(hash) = self.hash_of(*of) else { return };
                self.about_code(hash, CodeErrand::Look, "listpaycodes", []);
            }
            Receiving::Wait { of, until, timeout_s } => {
                let Some(hash) = self.hash_of(*of) else { return };
                let mut more = vec![("until", Json::of(until))];
                more.extend(timeout_s.map(|timeout| ("timeout", Json::of(&timeout))));
                let timed = timeout_s.is_some();
                let errand = CodeErrand::Wait { hash, until, timed };
                if let Some(call) = self.about_code(hash, errand, "waitpaycode", more) {
                    self.auditor.awaits(call, hash);
                }
            }
            Receiving::AskAgain { of, same: true } => {
                let is_its_own = |code: &Code| code.offer.key || code.offer.preimage().is_some();
                // Without either it is another paycode.
                if self.codes.get(of).is_some_and(is_its_own) {
                    self.ask_for(*of);
                }
            }
            Receiving::AskAgain { of, same: false } => {
                if self.codes.get(of).is_some_and(|code| code.offer.key) {
                    self.ask_for_other(*of);
                }
            }
        }
    }

    /// Asks with the key of a paycode for another one, that holds for longer.
    fn ask_for_other(&mut self, deed: u32) {
        let Some(terms) = self.terms_of(deed, OTHER_TIMEOUT) else { return };
        let Some(code) = self.codes.get_mut(&deed) else { return };
        let fields = code.params.entries().unwrap_or_default().into_iter();
        let kept = fields.filter(|(name, _)| name != "timeout");
        let timeout = ("timeout".to_owned(), Json::of(&OTHER_TIMEOUT));
        let params = Json::object(kept.chain([timeout]));
        code.terms.push(terms);
        self.call(Errand::Code(CodeErrand::MakeOther(deed)), "paycode", &params);
    }

    /// What counts for the paycode of a deed, where it is asked for now.
    fn terms_of(&self, deed: u32, timeout: Seconds) -> Option<Terms> {
        let (offer, host) = (&self.codes.get(&deed)?.offer, self.host.as_ref()?);
        Some(Terms {
            amount_msat: offer.asked.map(|asked| asked.0),
            overpay: offer.overpay,
            cltv: offer.cltv,
            holds: offer.holds(),
            expires_at: host.now.after(timeout),
        })
    }

    /// Asks for the paycode of a deed, for the first time or again.
    fn ask_for(&mut self, deed: u32) {
        let timeout = self.codes.get(&deed).map(|code| Seconds(code.offer.timeout_s));
        let terms = timeout.and_then(|timeout| self.terms_of(deed, timeout));
        let (Some(terms), Some(code)) = (terms, self.codes.get_mut(&deed)) else { return };
        let params = code.params.clone();
        code.terms.push(terms);
        let call = self.call(Errand::Code(CodeErrand::Make(deed)), "paycode", &params);
        if let Some(code) = self.codes.get_mut(&deed) {
            code.call = call.or(code.call);
        }
    }

    fn hash_of(&self, deed: u32) -> Option<PaymentHash> {
        self.codes.get(&deed)?.made.map(|(hash, _)| hash)
    }

    fn about_code(
        &mut self,
        hash: PaymentHash,
        errand: CodeErrand,
        method: &'static str,
        more: impl IntoIterator<Item = (&'static str, Json)>,
    ) -> Option<u32> {
        let params = [("payment_hash", Json::of(&hash))].into_iter().chain(more);
        self.call(Errand::Code(errand), method, &Json::object(params))
    }

    /// A node sends a part; where it was not told of a paycode, or there is no way, none.
    fn send_to_us(&mut self, of: u32, part: &Share) {
        let Some((mut hash, mut secret)) = self.codes.get(&of).and_then(|code| code.made) else {
            return;
        };
        if part.elsewhere {
            hash.0[0] ^= ELSEWHERE;
        }
        if matches!(part.shown, Shown::Wrong) {
            secret.0[31] ^= 1;
        }
        let others = self.ground.network.others();
        let from = others[part.from % others.len()];
        let sent = RemotePart {
            payment_hash: hash,
            amount_msat: part.amount,
            total_msat: part.total,
            payment_secret: (!matches!(part.shown, Shown::Nothing)).then_some(secret),
            payment_metadata: None,
            tlvs: Vec::new(),
            final_cltv: part.cltv,
        };
        if let Ok(id) = self.ground.network.pay_us(from, sent, self.now) {
            self.payers.push(Payer { id, hash });
        }
    }

    fn decide(&mut self, of: u32, how: Decision) {
        let Some(hash) = self.hash_of(of) else { return };
        let preimage = self.codes.get(&of).and_then(|code| code.offer.preimage());
        match (how, preimage) {
            (Decision::Settle, Some(preimage)) => {
                let params = Json::object([("preimage", Json::of(&preimage.reveal()))]);
                self.auditor.decides(hash);
                self.call(Errand::Code(CodeErrand::Settle(hash)), "settlepaycode", &params);
            }
            (Decision::Settle, None) => {}
            (Decision::Release, _) => {
                let names = |names: &[&str]| Json::array(names.iter().map(Json::of));
                let params = Json::object([
                    ("required", names(&["lightningd:set:held", "lightningd:hold"])),
                    ("components", names(&["lightningd:set"])),
                ]);
                let errand = Errand::Code(CodeErrand::Find(hash));
                self.call(errand, "payecs_listentities", &params);
            }
            (Decision::Cancel, _) => {
                self.auditor.gives_up(hash);
                self.about_code(hash, CodeErrand::Cancel(hash), "cancelpaycode", []);
            }
        }
    }

    /// What is held was listed: what is held for that hash is released.
    fn release(&mut self, hash: PaymentHash, listed: &Value) {
        let is_its = |entity: &&Value| {
            let of = entity.pointer("/lightningd:set/payment_hash").and_then(Value::as_str);
            of == Some(hash.to_string().as_str())
        };
        let entities = listed.get("entities").and_then(Value::as_array);
        let found = entities.into_iter().flatten().find(is_its);
        let Some(entity) = found.and_then(|entity| entity.get("entity")?.as_u64()) else { return };
        self.auditor.decides(hash);
        let write =
            Json::object([("entity", Json::of(&entity)), ("lightningd:hold", Json::null())]);
        let params = [("entity", Json::of(&entity)), ("writes", Json::array([write]))];
        let errand = Errand::Code(CodeErrand::Release);
        self.call(errand, "payecs_advance", &Json::object(params));
    }

    /// A call about a paycode was answered.
    pub(super) fn heard_of_code(&mut self, call: u32, errand: CodeErrand, said: &Said) {
        match errand {
            CodeErrand::Make(deed) | CodeErrand::MakeOther(deed) => {
                let Some(code) = self.codes.get_mut(&deed) else { return };
                let asked = if matches!(errand, CodeErrand::MakeOther(_)) {
                    Asked::Otherwise
                } else if code.offer.key {
                    Asked::Again
                } else {
                    Asked::ByHash
                };
                let Some(made) = self.auditor.made(code.made, &code.terms, (said, asked)) else {
                    return;
                };
                code.made = Some(made);
            }
            CodeErrand::Look => self.auditor.is_shown_codes(said),
            CodeErrand::Remember(hash) => self.auditor.is_remembered_code(hash, said),
            CodeErrand::Wait { hash, until, timed } => {
                self.auditor.waited(call, hash, (until, timed), said);
            }
            CodeErrand::Settle(hash) => self.auditor.settled_code(hash, said),
            CodeErrand::Cancel(hash) => self.auditor.cancelled_code(hash, said),
            CodeErrand::Delete(hash) => self.auditor.deleted_code(hash, said),
            CodeErrand::Find(hash) => {
                if let Said::Well(listed) = said {
                    self.release(hash, listed);
                }
            }
            // Where it was decided already, it is refused.
            CodeErrand::Release => {}
        }
    }

    /// After a crash: who was cut off asks again, and some ask for what was made.
    pub(super) fn ask_for_codes_again(&mut self) {
        let cut_off = self.codes.iter().filter(|(_, code)| {
            code.made.is_none() && code.call.is_some_and(|call| !self.calls.contains_key(&call))
        });
        for deed in cut_off.map(|(deed, _)| *deed).collect::<Vec<_>>() {
            self.ask_for(deed);
        }
        let known: Vec<_> = self.codes.values().filter_map(|code| code.made).collect();
        let step = (known.len() / REMEMBERED).max(1);
        for (hash, _) in known.into_iter().rev().step_by(step).take(REMEMBERED) {
            self.about_code(hash, CodeErrand::Remember(hash), "listpaycodes", []);
        }
    }
}

fn params(deed: u32, offer: &Offer) -> Json {
    let overpay = match offer.overpay {
        Overpay::Bolt => "bolt",
        Overpay::Exact => "exact",
        Overpay::Any => "any",
    };
    let mut params = vec![
        ("amount_msat", offer.asked.map_or_else(|| Json::of("any"), |asked| Json::of(&asked.0))),
        ("timeout", Json::of(&offer.timeout_s)),
        ("cltv", Json::of(&offer.cltv)),
        ("hold", Json::of(&offer.hold)),
        ("overpay", Json::of(overpay)),
    ];
    match offer.chosen {
        Chosen::Drawn => {}
        Chosen::Preimage(preimage) => params.push(("preimage", Json::of(&preimage.reveal()))),
        Chosen::Hash(preimage) => params.push(("payment_hash", Json::of(&preimage.hash()))),
    }
    params.extend(offer.key.then(|| ("idempotency_key", Json::of(&format!("paycode {deed}")))));
    Json::object(params)
}
