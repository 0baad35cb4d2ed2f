//! Which collector of OpenTelemetry spans are sent to, as it is said in options and files.

use super::web;
use serde::{Deserialize, Deserializer, de::Error as _};

/// What an address looks like.
const WANTED: &str = "expected http://ADDRESS:PORT of a collector on this machine, with its path \
                      if it has one, such as http://127.0.0.1:4318";

/// A collector on this machine, which takes spans over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collector {
    /// Where it takes them: with an address, and the path of OTLP.
    pub(crate) url: String,
}

/// Reads `http://127.0.0.1:4318`.
///
/// # Errors
/// It is no such address, or one of another machine; what would do.
pub(crate) fn collector(text: &str) -> Result<Collector, String> {
    let Some(rest) = text.strip_prefix("http://") else {
        let why = if text.starts_with("https://") { "nothing is encrypted there: " } else { "" };
        return Err(format!("{why}{WANTED}"));
    };
    let (at, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = web::listen(at).map_err(|_| WANTED.to_owned())?;
    if !address.ip().is_loopback() {
        return Err(format!("nothing is encrypted on the way to {}: {WANTED}", address.ip()));
    }
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-._~/".contains(char);
    if address.port() == 0 || !path.chars().all(is_plain) {
        return Err(WANTED.to_owned());
    }
    let path = path.trim_end_matches('/');
    let between = if path.is_empty() { "" } else { "/" };
    Ok(Collector { url: format!("http://{address}{between}{path}/v1/traces") })
}

/// Reads a table with `endpoint`.
pub(super) fn table<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Collector>, D::Error> {
    /// As people write it.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        endpoint: String,
    }
    let Table { endpoint } = Table::deserialize(from)?;
    collector(&endpoint).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_address_of_this_machine_with_its_path() {
        for (text, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("http://[::1]:7/a/b/", "http://[::1]:7/a/b/v1/traces"),
        ] {
            assert_eq!(collector(text), Ok(Collector { url: url.to_owned() }), "{text}");
        }
        let local = collector("http://localhost:4318").unwrap();
        assert!(local.url.ends_with(":4318/v1/traces") && !local.url.contains("localhost"));
        for (text, said) in [
            ("https://127.0.0.1:4318", "nothing is encrypted there: expected http://ADDRESS:PORT"),
            ("http://10.0.0.1:4318", "nothing is encrypted on the way to 10.0.0.1"),
            ("http://127.0.0.1", "expected http://"),
            ("http://127.0.0.1:0", "expected http://"),
            ("http://127.0.0.1:4318/?a", "expected http://"),
            ("http://127.0.0.1:4318/ a", "expected http://"),
            ("http://me:you@127.0.0.1:4318", "expected http://"),
            ("http://collector.example:4318", "expected http://"),
            ("127.0.0.1:4318", "expected http://"),
            ("grpc://127.0.0.1:4317", "expected http://"),
            ("", "expected http://"),
        ] {
            let refused = collector(text).unwrap_err();
            assert!(refused.starts_with(said), "{text}: {refused}");
        }
    }

    #[test]
    fn a_table_has_an_endpoint_and_nothing_else() {
        /// A file with that table alone.
        #[derive(Debug, Deserialize)]
        struct File {
            #[serde(deserialize_with = "table")]
            otlp: Option<Collector>,
        }
        let file: File = toml::from_str("[otlp]\nendpoint = \"http://127.0.0.1:7\"").unwrap();
        assert_eq!(file.otlp, collector("http://127.0.0.1:7").ok());
        for (text, said) in [
            ("[otlp]\nendpoint = \"127.0.0.1:7\"", "expected http://ADDRESS:PORT"),
            ("[otlp]\nendpoint = \"http://127.0.0.1:7\"\nheaders = 1", "unknown field `headers`"),
            ("[otlp]", "missing field `endpoint`"),
            ("otlp = true", "invalid type"),
        ] {
            let refused = toml::from_str::<File>(text).unwrap_err().to_string();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
