//! What clients, others and faults do.

use super::{
    auditor::{Intent, Receipt},
    clients::{Errand, Heard, Order},
    faults::{FAULTS, RECEIVING, Strike},
    host,
    plot::{Deed, Kind, What, Wish},
    stage::{Due, Stage},
};
use ecs_core::{Json, Systems, Write};
use ecs_systems::{
    components::{Amount, FeeBudget, Invoice, Overpay, RetryFor},
    planner::Rng,
    port::{InvoiceDescription, InvoiceDraft},
    units::{Blocks, Msat, Seconds},
};
use ledger_store::{Issuer, ReceiptRequest};
use node_sim::{InvoiceRequest, RemotePart};
use std::sync::{Arc, PoisonError, atomic::Ordering};

/// How long our receipts hold.
const HOLDS: Seconds = Seconds(3_600);
/// Fees that are always allowed, unless a client says otherwise.
const FEE_EXEMPT_MSAT: u64 = 5_000;

impl Stage {
    pub(super) fn perform(&mut self, deed: &Deed) {
        match &deed.what {
            What::Pay(wish) => self.wish(deed.number, wish),
            What::Again { of, same } => self.pay_again(deed.number, *of, *same),
            What::Cancel { of } => self.about(*of, Errand::Cancel, "cancelpay"),
            What::Look { of } => self.about(*of, Errand::Look, "paystatus"),
            What::Leave { of } => self.leave(*of),
            What::List => {
                let limit = [("index", Json::of("updated")), ("limit", Json::of(&10))];
                self.call(Errand::Cancel, "listpays", &Json::object(limit));
            }
            What::Ourselves { amount } => {
                let (amount, from, parts) = (*amount, None, 0);
                let due = Due { amount, from, parts, short: false, twice: false, any: false };
                self.issue(deed.number, due);
            }
            What::Receive { amount, from, parts, short, twice, any } => {
                let (amount, from, parts) = (*amount, Some(*from), *parts);
                let (short, twice, any) = (*short, *twice, *any);
                self.issue(deed.number, Due { amount, from, parts, short, twice, any });
            }
            What::Fault { row, seed } => self.strike(*row, *seed),
            What::Die { steps, how } => self.doom(*steps, *how),
            What::Snapshot => self.snapshot(),
            What::Full { for_ms } => self.fill(*for_ms),
            What::SyncFails { after } => self.break_sync(*after),
            What::Jump { by_ms } => self.jump(*by_ms),
            What::Back { by_ms } => self.go_back(*by_ms),
            What::Restart => {
                self.ground.network.restart(self.now);
                self.report.fault("node restarted");
                self.auditor.loses(0);
            }
            What::Receiving(what) => self.receive(deed.number, what),
        }
    }

    fn wish(&mut self, deed: u32, wish: &Wish) {
        let others = self.ground.network.others();
        let payee = others[wish.payee % others.len()];
        let request = match wish.kind {
            Kind::Clients => InvoiceRequest::any(),
            Kind::Invoices | Kind::Overpaid(_) => InvoiceRequest::of(wish.amount),
        };
        let request = InvoiceRequest { basic_mpp: wish.several_parts, ..request };
        let sold = self.ground.network.sell(payee, request, self.now);
        let (invoice, hash) = sold.expect("an invoice that can be written");
        let (given, amount_msat) = match wish.kind {
            Kind::Invoices => (None, wish.amount.0),
            Kind::Clients => (Some(wish.amount.0), wish.amount.0),
            Kind::Overpaid(percent) => {
                let more = (wish.amount.0 / 100).saturating_mul(percent).max(1);
                let amount = wish.amount.0.saturating_add(more);
                (Some(amount), amount)
            }
        };
        let fee_budget_msat = match wish.fee_budget {
            Some(budget) => budget.0,
            None => (amount_msat / 200).max(FEE_EXEMPT_MSAT),
        };
        let overpays = matches!(wish.kind, Kind::Overpaid(_));
        let mut params = vec![
            ("invstring", Json::of(&invoice)),
            ("retry_for", Json::of(&wish.retry_for_s)),
            ("wait", Json::of(if wish.waits_for_all { "all" } else { "first" })),
        ];
        params.extend(given.map(|amount| ("amount_msat", Json::of(&amount))));
        params.extend(overpays.then(|| ("overpay", Json::yes())));
        params.extend(wish.fee_budget.map(|budget| ("maxfee", Json::of(&budget.0))));
        let key = wish.key.then(|| format!("key {deed}"));
        params.extend(key.map(|key| ("idempotency_key", Json::of(&key))));
        let params = Json::object(params);
        let intent = Intent { hash, amount_msat, fee_budget_msat, to_ourselves: false };
        self.hashes.push(hash);
        self.report.payments += 1;
        if let Some((rogue, before)) = wish.rogue {
            let write = Write::here()
                .attach(&Invoice(Json::of(&invoice)))
                .attach(&RetryFor(Json::of(&wish.retry_for_s)))
                .attach_some(given.map(|amount| Amount(Msat(amount))).as_ref())
                .attach_some(overpays.then_some(Overpay).as_ref())
                .attach_some(wish.fee_budget.map(FeeBudget).as_ref());
            return self.pay_beside(rogue, before, intent, write);
        }
        let order = Order { hash, intent, params, call: None, is_over: false };
        self.orders.insert(deed, order);
        self.ask_to_pay(deed);
    }

    /// A payment in whose list a System stands that means no good.
    fn pay_beside(&mut self, rogue: &str, before: usize, intent: Intent, write: Write) {
        let mut names = self.config.flow.list();
        names.insert(before % names.len(), rogue);
        let write = write.attach(&Systems::listing(names));
        self.auditor.wants(intent);
        let is_outside = rogue.starts_with("stranger:");
        let kind = if is_outside { "external System" } else { "System of this process" };
        self.report.fault(kind);
        let Some(host) = self.host.as_mut().filter(|host| !host.is_full) else { return };
        // Where it is refused, there is no payment.
        let _refused = host.driver.start_payment(host.now, write);
    }

    /// Calls `pay` for the order of a deed.
    pub(super) fn ask_to_pay(&mut self, deed: u32) {
        let Some(order) = self.orders.get(&deed) else { return };
        let (intent, params) = (order.intent, order.params.clone());
        let call = self.call(Errand::Pay(deed), "pay", &params);
        if let Some(call) = call {
            self.auditor.intends(call, intent, self.now);
        }
        if let Some(order) = self.orders.get_mut(&deed) {
            order.call = call;
        }
    }

    fn pay_again(&mut self, deed: u32, of: u32, same: bool) {
        let Some(order) = self.orders.get(&of).cloned() else { return };
        let mut order = Order { call: None, is_over: false, ..order };
        if !same {
            // Another request: it asks for less patience.
            let fields = order.params.entries().unwrap_or_default().into_iter();
            let kept = fields.filter(|(name, _)| name != "retry_for");
            order.params = Json::object(kept.chain([("retry_for".to_owned(), Json::of(&3))]));
        }
        self.report.payments += 1;
        self.orders.insert(deed, order);
        self.ask_to_pay(deed);
    }

    fn about(&mut self, of: u32, errand: Errand, method: &'static str) {
        let Some(order) = self.orders.get(&of) else { return };
        let params = Json::object([("payment_hash", Json::of(&order.hash))]);
        self.call(errand, method, &params);
    }

    fn leave(&mut self, of: u32) {
        let Some(call) = self.orders.get(&of).and_then(|order| order.call) else { return };
        if let Some(line) = self.calls.get(&call) {
            line.is_gone.store(true, Ordering::Relaxed);
            self.auditor.hung_up(call);
        }
    }

    /// Has a receipt issued; it counts once that is acknowledged.
    fn issue(&mut self, deed: u32, due: Due) {
        if self.host.as_ref().is_none_or(|host| host.is_full) {
            return;
        }
        let asked = (!due.any).then_some(due.amount);
        let request = ReceiptRequest::of(asked, self.now.after(HOLDS));
        self.due.insert(deed, due);
        let (call, ears) = self.line(Errand::Issue(deed));
        let kept = Arc::clone(&self.issued);
        let Some(host) = &mut self.host else { return };
        let issue = |engine: &mut _| Issuer::new(host::seed()).issue(engine, &request);
        if let Ok(issued) = host.driver.command(host.now, issue) {
            host.driver.answer_once_kept(Box::new(move || {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push((deed, issued));
                ears.hear(call, Heard::Issued);
            }));
        }
    }

    /// The receipt of that deed was issued: somebody pays it.
    pub(super) fn have_paid(&mut self, deed: u32) {
        let (Some(due), Some(issued)) = (self.due.get(&deed).cloned(), self.receipt_of(deed))
        else {
            return;
        };
        let hash = issued.payment_hash;
        self.auditor.issued(hash, Receipt { said_msat: due.amount.0 });
        let Some(payment_secret) = issued.payment_secret else { return };
        let Some(from) = due.from else {
            let draft = InvoiceDraft {
                payment_hash: hash,
                payment_secret,
                amount_msat: Some(due.amount),
                description: InvoiceDescription::Text("to ourselves".to_owned()),
                fallbacks: Vec::new(),
                created_at: self.now,
                expiry: HOLDS,
                min_final_cltv: Blocks(18),
                hints: Vec::new(),
                payment_metadata: None,
            };
            return self.ground.border.sign(deed, draft);
        };
        let others = self.ground.network.others();
        let from = others[from % others.len()];
        let whole = RemotePart::whole(hash, payment_secret, due.amount);
        let share = Msat((due.amount.0 / u64::from(due.parts)).max(1));
        let times = if due.twice { 2 * due.parts } else { due.parts };
        for number in 0..times.saturating_sub(u32::from(due.short)) {
            let paid = share.0.saturating_mul(u64::from(due.parts) - 1);
            let is_last = (number + 1) % due.parts == 0;
            let rest = Msat(due.amount.0.saturating_sub(paid).max(1));
            let part = whole.clone().of_it(if is_last { rest } else { share });
            // Where there is no way, nobody pays.
            let _no_way = self.ground.network.pay_us(from, part, self.now);
        }
        self.report.received += 1;
    }

    /// Our node has signed an invoice of our own.
    pub(super) fn pay_ourselves(&mut self, deed: u32, invoice: &str) {
        let (Some(due), Some(issued)) = (self.due.get(&deed), self.receipt_of(deed)) else {
            return;
        };
        let (amount_msat, hash) = (due.amount.0, issued.payment_hash);
        let fee_budget_msat = (amount_msat / 200).max(FEE_EXEMPT_MSAT);
        let intent = Intent { hash, amount_msat, fee_budget_msat, to_ourselves: true };
        let params = Json::object([("invstring", Json::of(invoice))]);
        self.report.payments += 1;
        self.orders.insert(deed, Order { hash, intent, params, call: None, is_over: false });
        self.ask_to_pay(deed);
    }

    fn strike(&mut self, row: usize, seed: u64) {
        let mut rows = FAULTS.iter().chain(RECEIVING);
        let Some((name, fault)) = rows.nth(row) else { return };
        let (network, hashes) = (&self.ground.network, self.hashes.as_slice());
        let mut strike = Strike { network, rng: Rng::new(seed), now: self.now, hashes };
        if fault(&mut strike).is_some() {
            self.report.fault(name);
        }
    }
}
