//! What is logged, as lightningd's log takes it.

use crate::cli::{
    log::{Sending, SpansError, sending},
    serve::Collector,
};
use ecs_core::Json;
use rpc_bridge::Out;
use std::io;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    fmt::{self, MakeWriter},
};

/// The notification that lightningd logs.
const LOG: &str = "log";

/// Logs a line. lightningd knows `debug`, `info`, `unusual` and `broken`.
pub(super) fn log(out: &Out, level: Level, message: &str) {
    let fields = [("level", Json::of(named(level))), ("message", Json::of(message))];
    out.tell(LOG, Json::object(fields));
    out.flush();
}

const fn named(level: Level) -> &'static str {
    match level {
        Level::ERROR => "broken",
        Level::WARN => "unusual",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// From now on what the engine logs goes to lightningd's log; and if there is a collector, it is
/// sent the spans of payments until [`Sending::finish`].
///
/// # Errors
/// Spans can't be sent. Nothing is logged then.
pub(super) fn install(
    out: &Out,
    filter: EnvFilter,
    collector: Option<&Collector>,
) -> Result<Option<Sending>, SpansError> {
    let lines = Lines(out.clone());
    if let Some(collector) = collector {
        let log = fmt::layer().without_time().with_level(false).with_writer(lines);
        return sending(log.with_filter(filter), collector).map(Some);
    }
    let log = tracing_subscriber::fmt().without_time().with_level(false).with_writer(lines);
    // In tests there is one already.
    let _there = log.with_env_filter(filter).try_init();
    Ok(None)
}

struct Lines(Out);

impl Lines {
    fn line(&self, level: Level) -> Line {
        Line { out: self.0.clone(), level, text: Vec::new() }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        self.line(Level::INFO)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        self.line(*meta.level())
    }
}

/// One line, which is logged when it is dropped.
struct Line {
    out: Out,
    level: Level,
    text: Vec<u8>,
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        if !text.trim_end().is_empty() {
            log(&self.out, self.level, text.trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_core::ErrorObject;
    use io::Write as _;

    #[test]
    fn a_line_is_one_notification_with_a_level_that_lightningd_knows() {
        let out = Out::new(ErrorObject::new(-5, "gone"));
        let lines = Lines(out.clone());
        for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
            let mut line = lines.line(level);
            line.write_all(b"payflow::x: \"a\" b").unwrap();
            line.write_all(b"=1\n").unwrap();
        }
        out.close();
        let mut written = vec![];
        out.write_all(&mut written, &rpc_bridge::Limits::default()).unwrap();
        let wanted = ["broken", "unusual", "info", "debug", "debug"].map(|level| {
            let message = r#""payflow::x: \"a\" b=1""#;
            let params = format!(r#"{{"level":"{level}","message":{message}}}"#);
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":{params}}}\n\n")
        });
        assert_eq!(String::from_utf8(written).unwrap(), wanted.concat());
    }
}
