//! Where the log goes, and where spans go, if anywhere.

#[cfg(feature = "otlp")]
mod spans;

use super::serve::Collector;
#[cfg(feature = "otlp")]
pub(crate) use spans::Sending;
use std::io;
use tracing_subscriber::{EnvFilter, Layer, Registry, filter::ParseError, fmt};

/// Why no spans are sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpansError {
    /// The program can't.
    #[cfg(not(feature = "otlp"))]
    #[error(
        "no spans can be sent to {url}: this program was built without it. Leave out `otlp`, or \
         build with `cargo build --profile dist -p payflow-default --features otlp`"
    )]
    NotBuilt {
        /// Where they were to be sent.
        url: String,
    },
    /// What the environment says of the exporter can't be done.
    #[cfg(feature = "otlp")]
    #[error("no spans can be sent: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// No runtime for its connection.
    #[cfg(feature = "otlp")]
    #[error("no spans can be sent: {0}")]
    Io(#[from] io::Error),
}

/// Reads what `--log` says.
pub(super) fn filter(text: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(text)
}

/// What passes the filter is logged to stderr from now on.
pub(super) fn to_stderr(filter: EnvFilter) {
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
}

/// The same; and if there is a collector, it is sent the spans of payments until
/// [`Sending::finish`].
///
/// # Errors
/// Spans can't be sent. Nothing is logged then.
pub(super) fn with_spans(
    filter: EnvFilter,
    collector: Option<&Collector>,
) -> Result<Option<Sending>, SpansError> {
    if let Some(collector) = collector {
        let log = fmt::layer().with_writer(io::stderr).with_filter(filter);
        return sending(log, collector).map(Some);
    }
    to_stderr(filter);
    Ok(None)
}

/// Logs as `log` does from now on, and sends the spans of payments to a collector, which need not
/// be there yet, until [`Sending::finish`].
///
/// # Errors
/// Spans can't be sent. Nothing is logged then.
pub(crate) fn sending(
    log: impl Layer<Registry> + Send + Sync,
    Collector { url }: &Collector,
) -> Result<Sending, SpansError> {
    Sending::begin(log, url)
}

/// Spans that are sent: never in a program that can't.
#[cfg(not(feature = "otlp"))]
#[derive(Debug)]
pub(crate) enum Sending {}

#[cfg(not(feature = "otlp"))]
impl Sending {
    fn begin(_: impl Layer<Registry>, url: &str) -> Result<Self, SpansError> {
        Err(SpansError::NotBuilt { url: url.to_owned() })
    }

    /// There are none.
    pub(crate) fn finish(self) {
        match self {}
    }
}
