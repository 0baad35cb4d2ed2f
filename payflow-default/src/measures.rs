//! What is measured, for Prometheus.
//!
//! Counters and histograms are told by whoever knows, as things happen; what is true at the moment
//! is asked of the engine when somebody looks. Nothing is measured, and nothing of it costs, before
//! [`Measures::install`]. Amounts are floating-point numbers there: exact up to 2^53 msat.

mod systems;

use crate::Driver;
use ecs_core::{Effect, Engine, Entities, EntityId, ErrorObject};
use ecs_systems::{
    components::Replayed,
    effects::{PayFailure, PaySuccess},
    port::{Books, NodeView},
    units::Msat,
};
use metrics::{Label, Unit, counter, gauge, histogram};
pub use metrics_exporter_prometheus::BuildError as MeasureError;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use systems::Systems;
use tokio::time::Instant;

const CALLS: &str = "payecs_calls_total";
const CALL_DURATION: &str = "payecs_call_duration_seconds";
const PAYMENTS: &str = "payecs_payments_total";
const PAID: &str = "payecs_paid_msat_total";
const FEES: &str = "payecs_fees_msat_total";
const RECORDS: &str = "payecs_journal_records_total";
const SYNC_DURATION: &str = "payecs_journal_sync_duration_seconds";
#[cfg(feature = "otlp")]
const SPANS_ENDED: &str = "payecs_spans_ended_total";
#[cfg(feature = "otlp")]
const SPANS_SENT: &str = "payecs_spans_sent_total";
const UP: &str = "payecs_up";
const ENTITIES: &str = "payecs_entities";
const PARTS: &str = "payecs_parts_in_flight";
const WAITERS: &str = "payecs_callers_waiting";
const KEPT: &str = "payecs_payments_kept";
const INTAKE: &str = "payecs_intake_open";
const BALANCE: &str = "payecs_balance_msat";
const CHANNELS: &str = "payecs_channels";
const HEIGHT: &str = "payecs_block_height";
const SYNCED: &str = "payecs_synced";

/// Upper bounds of the classes that durations are counted in, in seconds.
const DURATIONS_S: [f64; 12] =
    [0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0, 60.0, 600.0];

/// Whether anything is measured in this process.
static MEASURED: AtomicBool = AtomicBool::new(false);

/// What is measured in this process. Clones are the same.
#[derive(Clone, Debug)]
pub struct Measures(PrometheusHandle);

impl Measures {
    /// Has everything measured from now on, for the rest of the process.
    ///
    /// # Errors
    /// Something in this process measures already.
    pub fn install() -> Result<Self, MeasureError> {
        let builder = PrometheusBuilder::new();
        let durations = Matcher::Suffix("_duration_seconds".to_owned());
        let handle = builder.set_buckets_for_metric(durations, &DURATIONS_S)?.install_recorder()?;
        describe();
        MEASURED.store(true, Ordering::Relaxed);
        Ok(Self(handle))
    }

    /// Everything, in the text format of Prometheus, with what is true of an engine now, or that
    /// there is none that answers.
    pub(crate) fn text(&self, standing: Option<&Standing>) -> String {
        look(standing);
        let mut text = self.0.render();
        if let Some(standing) = standing {
            standing.systems.write(&mut text);
        }
        text
    }

    /// Adds up what was told since the last time. Call it every few seconds: it is kept one by one
    /// until then.
    pub fn add_up(&self) {
        self.0.run_upkeep();
    }
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram};
    counter!(CALLS, "Calls that were answered, by method and code; code 0: no error.");
    describe_histogram!(CALL_DURATION, Unit::Seconds, "From a call to its answer, by method.");
    counter!(PAYMENTS, "Payments that ended since the start, by code; code 0: paid.");
    counter!(PAID, "What payees got of us since the start, in msat.");
    counter!(FEES, "What paying them cost on top, in msat.");
    counter!(RECORDS, "Records appended to the journal since the start.");
    describe_histogram!(
        SYNC_DURATION,
        Unit::Seconds,
        "How long each fdatasync of the journal took."
    );
    #[cfg(feature = "otlp")]
    {
        counter!(SPANS_ENDED, "Spans that ended, to be sent to a collector.");
        counter!(
            SPANS_SENT,
            "Spans that the collector took; what it has not after a while is lost."
        );
    }
    gauge!(UP, "Whether the engine answered when this was asked.");
    gauge!(ENTITIES, "Entities in the engine.");
    gauge!(PARTS, "Parts offered to the node whose outcome is awaited.");
    gauge!(WAITERS, "Callers that wait for something to come.");
    gauge!(KEPT, "Payments that are over, and not collected yet.");
    gauge!(INTAKE, "Whether new payments are taken on.");
    gauge!(BALANCE, "What the books say, in msat, by account.");
    gauge!(CHANNELS, "Our channels, by whether they can be used.");
    gauge!(HEIGHT, "The last block that the node has seen.");
    gauge!(SYNCED, "Whether the node is in step with the chain.");
}

/// Whether anything is measured in this process.
pub(crate) fn is_measured() -> bool {
    MEASURED.load(Ordering::Relaxed)
}

/// A call that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    method: &'static str,
    since: Instant,
}

/// A call begins, of a method of the table or of none; `None` where nothing is measured.
pub(crate) fn call_begins(method: impl FnOnce() -> Option<&'static str>) -> Option<Call> {
    let call = || Call { method: method().unwrap_or("unknown"), since: Instant::now() };
    is_measured().then(call)
}

/// It was answered.
pub(crate) fn call_ended<T>(call: Option<Call>, outcome: &Result<T, ErrorObject>) {
    let Some(Call { method, since }) = call else { return };
    let code = outcome.as_ref().err().map_or(0, |error| error.code);
    counter!(CALLS, "method" => method, "code" => code.to_string()).increment(1);
    histogram!(CALL_DURATION, "method" => method).record(since.elapsed());
}

/// Something is announced; of the ends of payments is taken down how they ended. What is answered
/// again for an earlier payment is no new end.
pub(crate) fn announced(engine: &Engine, effect: &Effect) {
    if !is_measured() {
        return;
    }
    let is_new = |entity: EntityId| engine.get::<Replayed>(entity).is_none();
    let paid = effect.read::<PaySuccess>().filter(|paid| is_new(paid.entity));
    if let Some(paid) = &paid {
        counter!(PAID).increment(paid.amount_msat.0);
        counter!(FEES).increment(paid.fee_msat.0);
    }
    let failed = effect.read::<PayFailure>().filter(|failed| is_new(failed.entity));
    if let Some(code) = paid.map(|_| 0).or(failed.map(|failed| failed.error.code)) {
        counter!(PAYMENTS, "code" => code.to_string()).increment(1);
    }
}

/// Records were appended to the journal.
pub(crate) fn appended(records: u64) {
    if is_measured() {
        counter!(RECORDS).increment(records);
    }
}

/// The journal was synced.
pub(crate) fn synced(took: Duration) {
    if is_measured() {
        histogram!(SYNC_DURATION).record(took);
    }
}

/// A span ended that is to be sent.
#[cfg(feature = "otlp")]
pub(crate) fn span_ended() {
    if is_measured() {
        counter!(SPANS_ENDED).increment(1);
    }
}

/// A collector took spans.
#[cfg(feature = "otlp")]
pub(crate) fn spans_sent(count: u64) {
    if is_measured() {
        counter!(SPANS_SENT).increment(count);
    }
}

/// Takes down what is true of an engine now, or that there is none that answers.
fn look(standing: Option<&Standing>) {
    gauge!(UP).set(f64::from(standing.is_some()));
    for (name, labels, value) in standing.into_iter().flat_map(|standing| &standing.gauges) {
        gauge!(*name, labels.iter()).set(*value);
    }
}

/// What is true of an engine at a moment.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Names, labels and values.
    gauges: Vec<(&'static str, Vec<Label>, f64)>,
    systems: Systems,
}

impl Standing {
    /// What is true of this one.
    pub(crate) fn of(driver: &Driver) -> Self {
        let engine = driver.engine();
        let mut standing = Self { systems: Systems::of(engine), ..Self::default() };
        standing.count(ENTITIES, engine.resource::<Entities>().map_or(0, Entities::count));
        standing.count(PARTS, driver.parts_in_flight());
        standing.count(WAITERS, driver.waiters());
        standing.count(KEPT, driver.payments_kept());
        standing.add(INTAKE, None, f64::from(driver.intake().check().is_ok()));
        if let Some(books) = engine.resource::<Books>() {
            let balance = books.0.balance_object();
            for (account, amount) in [
                ("spendable", balance.spendable_msat),
                ("pending_outgoing", balance.pending_outgoing_msat),
                ("reserved_fees", balance.reserved_fees_msat),
                ("pending_incoming", balance.pending_incoming_msat),
            ] {
                standing.add(BALANCE, Some(("account", account)), shown(amount));
            }
        }
        if let Some(node) = engine.resource::<NodeView>() {
            let usable = node.channels.iter().filter(|channel| channel.usable).count();
            let unusable = node.channels.len() - usable;
            standing.add(CHANNELS, Some(("usable", "true")), count(usable));
            standing.add(CHANNELS, Some(("usable", "false")), count(unusable));
            standing.add(HEIGHT, None, f64::from(node.height.0));
            standing.add(SYNCED, None, f64::from(node.synced));
        }
        standing
    }

    fn count(&mut self, name: &'static str, number: usize) {
        self.add(name, None, count(number));
    }

    fn add(&mut self, name: &'static str, label: Option<(&'static str, &'static str)>, value: f64) {
        let labels = label.map(|(key, value)| Label::from_static_parts(key, value));
        self.gauges.push((name, labels.into_iter().collect(), value));
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
fn shown(amount: Msat) -> f64 {
    amount.0 as f64
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
fn count(number: usize) -> f64 {
    number as f64
}
