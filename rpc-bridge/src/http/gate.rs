//! Who gets in: judged by the head of a request, before its body is read.

use crate::Grant;
use crate::tokens::{Pass, Throttle, Tokens};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use jsonrpsee::server::{HttpBody, HttpResponse};
use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};
use tokio::time::Instant;

/// Whoever was let in.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) pass: Pass,
    pub(super) grant: Arc<Grant>,
}

/// What is asked of the head of a request.
pub(super) struct Gate {
    pub(super) tokens: Arc<Tokens>,
    pub(super) throttle: Throttle,
    /// The port that is served.
    pub(super) port: u16,
    /// Web pages that may call, as their browser names them: `http://localhost:3000`.
    pub(super) origins: Vec<String>,
}

impl Gate {
    /// Lets a request in.
    ///
    /// # Errors
    /// The answer to whom it doesn't.
    pub(super) fn enter<B>(
        &self,
        request: &Request<B>,
        peer: IpAddr,
    ) -> Result<Session, Box<HttpResponse>> {
        let headers = request.headers();
        let authority = request.uri().authority().map(hyper::http::uri::Authority::as_str);
        let host = only(headers, &header::HOST);
        let host_fits = host.is_some_and(|host| is_ours(host, self.port))
            && authority.is_none_or(|authority| is_ours(authority, self.port));
        if !host_fits {
            let why = format!(
                "`Host` must be localhost or a loopback address, with port {}.\n",
                self.port
            );
            return Err(Box::new(plain(StatusCode::FORBIDDEN, why)));
        }
        if !self.origin_fits(headers) {
            let why = "This `Origin` may not call. Web pages must be allowed by name.\n";
            return Err(Box::new(plain(StatusCode::FORBIDDEN, why)));
        }
        if request.method() == Method::OPTIONS && headers.contains_key(header::ORIGIN) {
            return Err(Box::new(asked_first()));
        }
        let token = only(headers, &header::AUTHORIZATION).and_then(bearer);
        let found = token.and_then(|token| self.tokens.check(token));
        match found {
            Some((pass, grant)) => Ok(Session { pass, grant }),
            None => Err(Box::new(self.wrong(token.is_some(), peer))),
        }
    }

    /// Tells the browser of a web page that may call that it may hear the answer.
    pub(super) fn tell_origin(&self, origin: Option<HeaderValue>, answer: &mut HttpResponse) {
        let allowed = |origin: &HeaderValue| {
            self.origins.iter().any(|allowed| origin.as_bytes() == allowed.as_bytes())
        };
        if let Some(origin) = origin.filter(allowed) {
            answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
        }
    }

    fn origin_fits(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| {
            self.origins.iter().any(|allowed| origin.as_bytes() == allowed.as_bytes())
        })
    }

    /// The answer to a token that is missing or wrong. Who sends none guesses nothing.
    fn wrong(&self, given: bool, peer: IpAddr) -> HttpResponse {
        let judged = if given { self.throttle.wrong(peer, Instant::now()) } else { Ok(()) };
        if let Err(wait) = judged {
            let seconds = wait.as_millis().div_ceil(1_000);
            let why = format!("Too many wrong tokens: wait {seconds} s.\n");
            let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, why);
            let seconds = HeaderValue::from_str(&seconds.to_string()).expect("digits");
            answer.headers_mut().insert(header::RETRY_AFTER, seconds);
            return answer;
        }
        let what = if given { "This token doesn't count (any more)" } else { "A token is missing" };
        let why = format!(
            "{what}. Send `Authorization: Bearer TOKEN`, where TOKEN is in the file `cookie` of \
             the server's data directory, or was made for you by its owner.\n"
        );
        let mut answer = plain(StatusCode::UNAUTHORIZED, why);
        let scheme = HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        answer
    }
}

/// The answer to a browser that asks whether a web page may call.
fn asked_first() -> HttpResponse {
    let mut answer = plain(StatusCode::NO_CONTENT, "");
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// An answer in words. The connection ends with it where the body was not read.
pub(super) fn plain(status: StatusCode, why: impl Into<String>) -> HttpResponse {
    typed(status, "text/plain; charset=utf-8", why.into())
}

/// An answer in JSON.
pub(super) fn json(status: StatusCode, text: String) -> HttpResponse {
    typed(status, "application/json; charset=utf-8", text)
}

pub(super) fn typed(status: StatusCode, kind: &'static str, text: String) -> HttpResponse {
    let mut answer = Response::new(HttpBody::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// The value of a header that is given once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

/// Whether that is a name or address of this machine alone, with our port.
fn is_ours(host: &str, port: u16) -> bool {
    let Some((name, given)) = host.rsplit_once(':') else { return false };
    if given.parse() != Ok(port) || given.starts_with('+') {
        return false;
    }
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => {
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_hosts() {
        for (host, expected) in [
            ("127.0.0.1:9735", true),
            ("localhost:9735", true),
            ("LocalHost:9735", true),
            ("127.9.9.9:9735", true),
            ("[::1]:9735", true),
            ("", false),
            ("localhost", false),
            ("localhost:", false),
            ("localhost:9736", false),
            ("localhost:+9735", false),
            ("localhost.:9735", false),
            ("evil.example:9735", false),
            ("localhost.evil.example:9735", false),
            ("127.0.0.1.evil.example:9735", false),
            ("evil.example@127.0.0.1:9735", false),
            ("10.0.0.1:9735", false),
            ("0.0.0.0:9735", false),
            ("[::2]:9735", false),
            ("[::1:9735", false),
        ] {
            assert_eq!(is_ours(host, 9_735), expected, "{host}");
        }
    }

    #[test]
    fn only_bearers_have_tokens() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("abc", None),
        ] {
            assert_eq!(bearer(value), expected, "{value}");
        }
    }
}
