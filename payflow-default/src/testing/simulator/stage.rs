//! A run of a seed: everything on one virtual clock.

use super::{
    Config, Law, Outcome, Report,
    auditor::{Auditor, Said},
    border::Border,
    clients::{Call, Caller, Ears, Errand, Heard, Order, said},
    host::{Ground, Host, Stop},
    paycodes::{Code, Payer},
    plot::{Death, Plot},
};
use ecs_core::{Caller as Rights, ErrorObject, Json};
use ecs_systems::units::{PaymentHash, Timestamp};
use ledger_store::Issued;
use node_sim::SimNetwork;
use payecs_journal::MemoryDisk;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

/// When every run begins.
const START: Timestamp = Timestamp(1_700_000_000_000);
/// The books open with the first answers of the node.
const OPENS_WITHIN_MS: u64 = 10_000;

/// While somebody waits for an answer, it is listened so often.
const SLICE_MS: u64 = 10_000;

/// A receipt of ours that somebody is to pay.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) amount: ecs_systems::units::Msat,
    /// Another node; `None`: we pay it ourselves.
    pub(super) from: Option<usize>,
    pub(super) parts: u32,
    pub(super) short: bool,
    pub(super) twice: bool,
    pub(super) any: bool,
}

/// Receipts as they were issued, each with the number of its deed.
pub(super) type IssuedBy = Arc<Mutex<Vec<(u32, Issued)>>>;

/// Everything of a run.
pub(super) struct Stage {
    pub(super) config: Config,
    pub(super) plot: Plot,
    pub(super) ground: Ground,
    pub(super) host: Option<Host>,
    pub(super) auditor: Auditor,
    pub(super) report: Report,
    pub(super) now: Timestamp,
    /// What deeds count their time from: later where time was lost.
    pub(super) begin: Timestamp,
    pub(super) orders: BTreeMap<u32, Order>,
    pub(super) hashes: Vec<PaymentHash>,
    pub(super) calls: BTreeMap<u32, Call>,
    pub(super) due: BTreeMap<u32, Due>,
    pub(super) issued: IssuedBy,
    pub(super) codes: BTreeMap<u32, Code>,
    pub(super) payers: Vec<Payer>,
    /// What reading callers heard.
    pub(super) read: Vec<Value>,
    pub(super) death: Option<Death>,
    pub(super) full_until: Option<Timestamp>,
    ears: Ears,
    next_call: u32,
    facts_read: usize,
    trace: Vec<String>,
}

impl Stage {
    pub(super) fn new(config: Config, plot: Plot) -> Self {
        let network = SimNetwork::new(plot.world.network.clone()).expect("sizes are within bounds");
        let auditor = Auditor::new(network.our_balance());
        let mut ground = Ground {
            network,
            disk: MemoryDisk::new(),
            border: Border::default(),
            world: plot.world.clone(),
            around: Arc::clone(&config.around),
            flow: config.flow.clone(),
            starts: 0,
        };
        let (host, _) = ground.start(START, false).expect("an empty disk is opened");
        Self {
            config,
            plot,
            ground,
            host: Some(host),
            auditor,
            report: Report::default(),
            now: START,
            begin: START,
            orders: BTreeMap::new(),
            hashes: Vec::new(),
            calls: BTreeMap::new(),
            due: BTreeMap::new(),
            issued: IssuedBy::default(),
            codes: BTreeMap::new(),
            payers: Vec::new(),
            read: Vec::new(),
            death: None,
            full_until: None,
            ears: Ears::default(),
            next_call: 1,
            facts_read: 0,
            trace: Vec::new(),
        }
    }

    /// Plays everything, and lets it come to rest.
    pub(super) fn play(&mut self) {
        self.run_until(START.after_ms(OPENS_WITHIN_MS));
        self.begin = self.now;
        for deed in std::mem::take(&mut self.plot.deeds) {
            self.run_until(self.begin.after_ms(deed.at_ms));
            if self.host.is_none() {
                return;
            }
            self.note(|| deed.to_string());
            self.perform(&deed);
            self.look();
        }
        self.run_until(self.begin.after_ms(self.plot.load_ms));
        self.come_to_rest();
        self.report.virtual_ms = self.now.0.saturating_sub(START.0);
        self.report.longest_ms = self.auditor.longest_ms;
    }

    /// Whether somebody listens for what comes next.
    fn is_awaited(&self) -> bool {
        self.auditor.waits() || self.ground.border.waits()
    }

    /// What came of it.
    pub(super) fn outcome(self, numbers: Vec<u32>) -> Outcome {
        let breaches = self.auditor.breaches().to_vec();
        Outcome { report: self.report, breaches, trace: self.trace, numbers }
    }

    /// Writes a step down, where steps are written down.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.config.traced {
            self.trace.push(format!("{} {}", self.now, line()));
        }
    }

    /// Runs until that moment, through deaths and restarts.
    pub(super) fn run_until(&mut self, until: Timestamp) {
        let until = until.max(self.now);
        loop {
            let slice = self.is_awaited().then(|| self.now.after_ms(SLICE_MS));
            let stop = self.full_until.into_iter().chain(slice).fold(until, Timestamp::min);
            let Some(host) = &mut self.host else { return };
            let ran = host.run_until(stop, &*self.config.around);
            self.now = self.now.max(host.now);
            self.look();
            match ran {
                Ok(()) => {
                    if self.full_until.is_some_and(|at| at <= self.now) {
                        self.make_room();
                    }
                    if stop == until {
                        return;
                    }
                }
                Err(stop) => self.stopped(stop),
            }
        }
    }

    /// The engine is no more.
    pub(super) fn stopped(&mut self, stop: Stop) {
        match stop {
            Stop::Dead => {
                let how = self.death.take();
                self.die(how.unwrap_or(Death { power: None, away_ms: 0, flip: None }));
            }
            Stop::Disk(error) => {
                self.note(|| format!("the disk refused: {error}"));
                self.report.fault("engine stopped by its disk");
                let goes_on = self.host.as_mut().is_some_and(Host::goes_on);
                if goes_on {
                    let what = format!("after `{error}` the journal takes more");
                    self.auditor.breach(Law::DamageIsNamed, what);
                }
                let power = Some(self.plot.seed ^ self.now.0);
                self.die(Death { power, away_ms: 1_000, flip: None });
            }
            Stop::Broken(what) => {
                self.auditor.breach(Law::KeepsRunning, what);
                self.host = None;
            }
        }
    }

    /// Calls a method, unless the disk is full: then no call is taken. The number of the call.
    pub(super) fn call(
        &mut self,
        errand: Errand,
        method: &'static str,
        params: &Json,
    ) -> Option<u32> {
        let host = self.host.as_mut().filter(|host| !host.is_full)?;
        let call = self.next_call;
        self.next_call += 1;
        let (caller, is_gone) = Caller::new(call, self.ears.clone());
        self.calls.insert(call, Call { method, errand, is_gone });
        let rights = Rights::owner();
        host.driver.call_method(host.now, &rights, (method, Some(params)), Box::new(caller));
        self.note(|| format!("call {call}: {method} {}", params.text()));
        Some(call)
    }

    /// A number for a call that is none of the method table's.
    pub(super) fn line(&mut self, errand: Errand) -> (u32, Ears) {
        let call = self.next_call;
        self.next_call += 1;
        let is_gone = Arc::default();
        self.calls.insert(call, Call { method: "issue", errand, is_gone });
        (call, self.ears.clone())
    }

    /// Has the auditor look at everything that happened.
    pub(super) fn look(&mut self) {
        for (call, heard) in self.ears.take() {
            self.heard(call, heard);
        }
        let crossings = self.ground.border.take();
        for crossing in &crossings {
            self.note(|| format!("border: {:?}", crossing.what));
        }
        self.auditor.sees(crossings);
        let facts = self.ground.network.truth(self.facts_read);
        self.facts_read += facts.len();
        if self.config.traced {
            for fact in &facts {
                self.trace.push(format!("{} network: {:?}", fact.at, fact.fact));
            }
        }
        let around = Arc::clone(&self.config.around);
        self.auditor.reads(facts.into_iter().filter_map(|fact| around.fact(fact)).collect());
        self.auditor.judges_what_was_said();
        if self.host.is_some() {
            let height = self.ground.network.height(self.now);
            self.auditor.looks_at_margins(height);
            self.auditor.looks_at_waiting(self.now, self.ground.border.height());
        }
        for (deed, invoice) in self.ground.border.signed() {
            self.pay_ourselves(deed, &invoice);
        }
    }

    fn heard(&mut self, call: u32, heard: Heard) {
        let Some(Call { method, errand, is_gone }) = self.calls.remove(&call) else { return };
        if is_gone.load(Ordering::Relaxed) {
            return;
        }
        self.note(|| format!("call {call}: {heard:?}"));
        match heard {
            Heard::Answer(answer) => {
                let answer = answer.map(|text| self.config.around.answer(method, text));
                self.mix(call, &answer);
                self.answered(call, errand, said(&answer));
            }
            Heard::CutOff => self.auditor.hung_up(call),
            Heard::Issued => {
                if let Errand::Issue(deed) = errand {
                    self.have_paid(deed);
                }
            }
        }
    }

    fn answered(&mut self, call: u32, errand: Errand, said: Said) {
        match errand {
            Errand::Pay(deed) => {
                self.auditor.hears(call, &said, self.now);
                let code = match said {
                    Said::Well(_) => 0,
                    Said::Ill(code, _) => code,
                };
                *self.report.outcomes.entry(code).or_default() += 1;
                if let Some(order) = self.orders.get_mut(&deed) {
                    order.is_over = true;
                }
            }
            Errand::Look => {
                if let Said::Well(payment) = said {
                    self.auditor.is_told(&payment);
                }
            }
            Errand::Remember(hash) => self.auditor.is_remembered(hash, &said),
            Errand::Read => self.read.push(match said {
                Said::Well(value) => value,
                Said::Ill(code, data) => serde_json::json!({ "code": code, "data": data }),
            }),
            Errand::Code(errand) => self.heard_of_code(call, errand, &said),
            Errand::Cancel | Errand::Issue(_) => {}
        }
    }

    /// Makes what was told part of the fingerprint.
    fn mix(&mut self, call: u32, answer: &Result<String, ErrorObject>) {
        let (code, text) = match answer {
            Ok(text) => (0, text.as_str()),
            Err(error) => (error.code, error.message.as_str()),
        };
        let data = answer.as_ref().err().and_then(|error| error.data.as_ref());
        self.mix_in(&call.to_le_bytes());
        self.mix_in(&code.to_le_bytes());
        self.mix_in(text.as_bytes());
        self.mix_in(data.map_or("", Json::text).as_bytes());
    }

    /// Eight bytes at a time, each place of them told apart.
    fn mix_in(&mut self, bytes: &[u8]) {
        const PRIME: u64 = 0x0100_0000_01b3;
        let mut sum = self.report.fingerprint ^ bytes.len() as u64;
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(PRIME).rotate_left(29);
        }
        self.report.fingerprint = sum;
    }

    /// The receipt that was issued for a deed.
    pub(super) fn receipt_of(&self, deed: u32) -> Option<Issued> {
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        issued.iter().find(|(of, _)| *of == deed).map(|(_, issued)| *issued)
    }
}
