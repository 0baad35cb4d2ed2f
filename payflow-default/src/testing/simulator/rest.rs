//! The end: faults stop, everything comes to rest, and all accounts are read.

use super::{Law, clients::Errand, stage::Stage};
use ecs_core::Json;
use ecs_systems::port::PartStatus;
use node_sim::Script;
use payecs_journal::Faults;
use serde_json::Value;

/// How long any payment may take, in virtual time: hops that each keep it as long as they can, the
/// longest that a payee keeps a set, and the longest wait for an outcome that nobody told.
const ENDS_WITHIN_MS: u64 = 6 * 3_600 * 1_000;
/// What no longer concerns our payments, as others' parts, is over then.
const AFTERWARDS_MS: u64 = 3 * 3_600 * 1_000;
/// Time for an answer.
const ANSWERS_WITHIN_MS: u64 = 1_000;
/// Most pages that are read.
const PAGES_MAX: u32 = 1_000;

impl Stage {
    /// Faults stop, and everything ends; then all accounts are compared.
    pub(super) fn come_to_rest(&mut self) {
        self.ground.disk.plan(Faults::default());
        (self.full_until, self.death) = (None, None);
        if let Some(host) = &mut self.host {
            host.fuel = None;
        }
        for node in self.ground.network.others() {
            // Whoever is there already stays there.
            let _known = self.ground.network.script(Script::Online { node }, self.now);
        }
        self.note(|| "faults stop".to_owned());
        self.run_until(self.now.after_ms(ENDS_WITHIN_MS));
        self.auditor.finds_callers_answered();
        self.run_until(self.now.after_ms(AFTERWARDS_MS));
        self.auditor.finds_rest(self.ground.network.in_flight());
        self.compare();
    }

    fn compare(&mut self) {
        let pays = self.pages("listpays", "pays", &[("index", Json::of("created"))]);
        let limit = ("limit", Json::of(&1_000));
        let created = ("index", Json::of("created"));
        let codes = self.pages("listpaycodes", "paycodes", &[created]);
        let entries = self.pages("ledger-list", "entries", &[limit]);
        let balance = self.ask("ledger-balance", &Json::object::<&str>([]));
        let ours = self.ground.network.our_balance();
        if let Err(what) = self.ground.network.audit() {
            self.auditor.breach(Law::MoneyIsWhole, what);
        }
        self.auditor.counts(&ours);
        self.auditor.judges_receipts();
        self.auditor.reads_list(&pays);
        self.auditor.reads_codes(&codes);
        if self.config.receive {
            let status = |code: &Value| Some(code.get("status")?.as_str()?.to_owned());
            for status in codes.iter().filter_map(status) {
                *self.report.ends.entry(status).or_default() += 1;
            }
        }
        self.hear_payers();
        self.auditor.reads_books(&entries, &balance, &ours);
        self.report.parts = self.auditor.parts();
    }

    /// What those who paid us know.
    fn hear_payers(&mut self) {
        let (network, us) = (&self.ground.network, self.ground.network.us());
        for payer in &self.payers {
            let status = network.remote_status(payer.id);
            *self.report.payers.entry(status_name(status.as_ref())).or_default() += 1;
            self.auditor.hears_payer(payer.hash, status.as_ref(), us);
        }
    }

    /// All pages of what a method lists.
    fn pages(
        &mut self,
        method: &'static str,
        name: &str,
        params: &[(&'static str, Json)],
    ) -> Vec<Value> {
        let (mut listed, mut start) = (Vec::new(), 1_u64);
        for _ in 0..PAGES_MAX {
            let start_at = [("start", Json::of(&start))];
            let params = Json::object(params.iter().cloned().chain(start_at));
            let mut page = self.ask(method, &params);
            let Some(items) = page.get_mut(name).and_then(Value::as_array_mut) else {
                self.auditor.breach(Law::EndsInTime, format!("{method} answers {page}"));
                break;
            };
            listed.append(items);
            match page.get("next").and_then(Value::as_u64) {
                Some(next) => start = next,
                None => break,
            }
        }
        listed
    }

    /// Asks, and waits for the answer.
    fn ask(&mut self, method: &'static str, params: &Json) -> Value {
        self.read.clear();
        self.call(Errand::Read, method, params);
        self.run_until(self.now.after_ms(ANSWERS_WITHIN_MS));
        self.read.pop().unwrap_or(Value::Null)
    }
}

/// How a part of another node ended.
fn status_name(status: Option<&PartStatus>) -> &'static str {
    match status {
        Some(PartStatus::Paid { .. }) => "paid",
        Some(PartStatus::Failed(failure)) => failure.failcode.name(),
        Some(PartStatus::InFlight | PartStatus::NeverArrived | PartStatus::Unknown) | None => {
            "not ended"
        }
    }
}
