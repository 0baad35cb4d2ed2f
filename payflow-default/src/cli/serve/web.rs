//! Addresses and web pages as people write them.

use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _};

/// The one name that is an address here.
const LOCALHOST: &str = "localhost";
/// What a page may be called by.
const ALLOWED: &str = "allowed are http://HOST and https://HOST, with :PORT where it is another \
                       than 80 or 443, and nothing behind it";

/// Where is served: an address with its port, or `localhost` with one, if that is this machine.
///
/// # Errors
/// Why not, and what would do.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let wanted = "expected ADDRESS:PORT, such as 127.0.0.1:9741 or localhost:9741";
    let Some((name, port)) = text.split_once(':').filter(|(name, _)| is_localhost(name)) else {
        return text.parse().map_err(|_| wanted.to_owned());
    };
    let port: u16 = port.parse().map_err(|_| wanted.to_owned())?;
    let found = (name, port).to_socket_addrs();
    let found = found.map_err(|error| format!("`{name}` is no name here: {error}"))?;
    local(found.collect())
}

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case(LOCALHOST)
}

/// The first of the addresses of a name, IPv4 before IPv6, if all of them are of this machine.
fn local(mut found: Vec<SocketAddr>) -> Result<SocketAddr, String> {
    if let Some(other) = found.iter().find(|address| !address.ip().is_loopback()) {
        return Err(format!(
            "`localhost` is {} here, which is not this machine alone: use 127.0.0.1 or [::1]",
            other.ip()
        ));
    }
    found.sort_by_key(SocketAddr::is_ipv6);
    let nowhere = || "`localhost` has no address here: use 127.0.0.1 or [::1]".to_owned();
    found.first().copied().ok_or_else(nowhere)
}

/// A web page as browsers call it, in lower case.
///
/// # Errors
/// Why no browser would call it so, and what would do.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    let Some((scheme, page)) = lower.split_once("://") else { return Err(ALLOWED.to_owned()) };
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(ALLOWED.to_owned()),
    };
    // The colons of an IPv6 address stand in brackets.
    let (host, port) = match page.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, Some(port)),
        None => (page, None),
    };
    if !is_host(host) {
        return Err(ALLOWED.to_owned());
    }
    match port.map(str::parse::<u16>) {
        Some(Ok(port)) if port == default => {
            Err(format!("browsers leave out `:{port}` there: {scheme}://{host}"))
        }
        Some(Err(_)) => Err(ALLOWED.to_owned()),
        Some(Ok(_)) | None => Ok(lower),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok();
    }
    let is_part = |char: char| char.is_ascii_alphanumeric() || "-._".contains(char);
    !host.is_empty() && host.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_called_as_browsers_call_it() {
        for (text, called) in [
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("HTTPS://Shop.Example", Some("https://shop.example")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("http://[::1]", Some("http://[::1]")),
            ("http://127.0.0.1:443", Some("http://127.0.0.1:443")),
            ("ftp://a", None),
            ("a", None),
            ("null", None),
            ("*", None),
            ("http://*", None),
            ("http://", None),
            ("http://a/", None),
            ("http://a/page", None),
            ("http://me@a", None),
            ("http://a:80", None),
            ("https://a:443", None),
            ("http://a:", None),
            ("http://a:65536", None),
            ("http://[::1", None),
            ("http://a b", None),
        ] {
            assert_eq!(origin(text).ok().as_deref(), called, "{text}");
        }
    }

    #[test]
    fn a_name_is_this_machine_only_if_all_its_addresses_are() {
        let found = |all: &[&str]| all.iter().map(|text| text.parse().unwrap()).collect();
        for (all, taken) in [
            (vec!["[::1]:7", "127.0.0.1:7"], Some("127.0.0.1:7")),
            (vec!["[::1]:7"], Some("[::1]:7")),
            (vec!["127.0.0.1:7", "10.0.0.1:7"], None),
            (vec!["[fe80::1]:7"], None),
            (vec![], None),
        ] {
            let taken = taken.map(|text| text.parse().unwrap());
            assert_eq!(local(found(&all)).ok(), taken, "{all:?}");
        }
        for (text, is_one) in [
            ("127.0.0.1:1", true),
            ("LocalHost:0", true),
            ("localhost", false),
            ("localhost:x", false),
            ("example.com:1", false),
            ("localhost.:1", false),
        ] {
            assert_eq!(listen(text).is_ok(), is_one, "{text}");
        }
    }
}
