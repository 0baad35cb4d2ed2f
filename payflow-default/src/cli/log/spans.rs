//! Spans of payments, sent to a collector: in batches, by a thread of their own. The engine never
//! waits for it: spans that the thread can't take are lost, and counted.

use super::SpansError;
use async_trait::async_trait;
use opentelemetry::{Context, KeyValue, trace::TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter,
        SpanProcessor,
    },
};
use payflow_default::measures;
use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::runtime::Runtime;
use tracing::Level;
use tracing_subscriber::{
    Layer, Registry, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// The target of the spans that are sent.
const TARGET: &str = "payecs::span";
/// Most spans that wait to be sent; what ends beyond them is lost.
const WAITING_MAX: usize = 16_384;
/// Most spans of one request.
const BATCH_MAX: usize = 512;
/// How often what has ended is sent, where it is less than a batch.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// How long a batch is tried, all tries together; then its spans are lost.
const BATCH_TIME_MAX: Duration = Duration::from_secs(5);
/// How long what is left is sent at the end.
const FINISH_TIME_MAX: Duration = Duration::from_secs(5);

/// Spans that are sent from now on.
#[derive(Debug)]
pub(crate) struct Sending(SdkTracerProvider);

impl Sending {
    /// Logs as `log` does, and sends spans to a collector, which need not be there yet.
    pub(super) fn begin(
        log: impl Layer<Registry> + Send + Sync,
        url: &str,
    ) -> Result<Self, SpansError> {
        let client = Client::new(url)?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(url)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(BATCH_TIME_MAX)
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let batches =
            BatchSpanProcessor::builder(Sent(exporter)).with_batch_config(batches).build();
        let resource = Resource::builder()
            .with_service_name("payecs")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_span_processor(Ended(batches))
            .build();
        let spans = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("payecs"))
            .with_context_activation(false)
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TARGET, Level::INFO));
        tracing_subscriber::registry().with(log).with(spans).init();
        Ok(Self(provider))
    }

    /// Sends what has ended, for five seconds at most; the rest is lost.
    pub(crate) fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(FINISH_TIME_MAX) {
            tracing::warn!(target: "payflow::spans", %error, "spans were lost at the end");
        }
    }
}

/// Counts spans that ended.
#[derive(Debug)]
struct Ended(BatchSpanProcessor);

impl SpanProcessor for Ended {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        measures::span_ended();
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Counts spans that a collector took.
#[derive(Debug)]
struct Sent(opentelemetry_otlp::SpanExporter);

impl SpanExporter for Sent {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        self.0.export(batch).await?;
        measures::spans_sent(count);
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Sends requests on the thread of the batches, and says when the collector goes and comes back.
#[derive(Debug)]
struct Client {
    url: String,
    inner: HyperClient,
    /// That thread belongs to no runtime.
    runtime: Runtime,
    /// Whether the last request failed.
    fails: AtomicBool,
}

impl Client {
    fn new(url: &str) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let inner = HyperClient::with_default_connector(BATCH_TIME_MAX, None);
        Ok(Self { url: url.to_owned(), inner, runtime, fails: AtomicBool::new(false) })
    }

    /// Once for each time that it goes, and each time that it is back.
    fn tell(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let why = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            Err(error) => Some(causes(error.as_ref())),
        };
        let failed = self.fails.swap(why.is_some(), Ordering::Relaxed);
        let collector = self.url.as_str();
        match why {
            Some(why) if !failed => {
                tracing::warn!(target: "payflow::spans", collector, why, "collector took no spans");
            }
            None if failed => {
                tracing::info!(target: "payflow::spans", collector, "collector took spans again");
            }
            Some(_) | None => (),
        }
    }
}

/// What an error says, with what is behind it.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Only the thread of the batches asks this, and has nothing else to do meanwhile.
        let answer = self.runtime.block_on(self.inner.send_bytes(request));
        self.tell(&answer);
        answer
    }
}
