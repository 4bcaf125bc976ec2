//! What went wrong with a request: the error as the user reads it, and whether to try again.

use ctr_core::{Code, Error, Value, trace};
use std::{io, io::Read, time::Duration};
use ureq::{
    Body,
    http::{HeaderMap, Response, StatusCode},
};

/// Most bytes of an error's body that are read.
const MAX_BODY: u64 = 64 << 10;
/// Most characters of a registry's own words that are shown.
const MAX_DETAIL: usize = 200;

/// Whether another try may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It will fail again.
    Never,
    /// Only if the host has answered us before: else nobody is there.
    IfKnown,
    /// After a while.
    Soon,
    /// Not before this long, as the server asked.
    After(Duration),
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub error: Error,
    pub retry: Retry,
    /// The status of the answer, where one came.
    pub status: Option<StatusCode>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, retry: Retry::Never, status: None }
    }
}

impl Failure {
    pub fn network(message: String, retry: Retry) -> Self {
        Self { error: Error::new(Code::Network, message), retry, status: None }
    }

    /// No answer came, or it broke off.
    pub fn transport(host: &str, error: ureq::Error) -> Self {
        let broken = |why: String| Self::network(format!("connection to {host} broke: {why}"), Retry::Soon);
        match error {
            ureq::Error::Io(e) => Self::io(host, &e),
            ureq::Error::Rustls(e) => Self::tls(host, &e),
            ureq::Error::HostNotFound => Self::network(format!("cannot reach {host}: no such host"), Retry::IfKnown),
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                Self::network(format!("cannot reach {host}: no answer"), Retry::IfKnown)
            }
            ureq::Error::Timeout(_) => broken("nothing came for too long".to_owned()),
            other => broken(trace::clean(&other.to_string(), MAX_DETAIL)),
        }
    }

    fn io(host: &str, e: &io::Error) -> Self {
        if let Some(tls) = e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::tls(host, tls);
        }
        // A resolver's failure comes as an error without errno and with this text.
        let text = e.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        match e.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => {
                Self::network(format!("cannot reach {host}: {}", text.to_lowercase()), Retry::IfKnown)
            }
            _ if text.contains("lookup address") => {
                Self::network(format!("cannot reach {host}: no such host"), Retry::IfKnown)
            }
            _ => Self::network(format!("connection to {host} broke: {}", text.to_lowercase()), Retry::Soon),
        }
    }

    fn tls(host: &str, e: &rustls::Error) -> Self {
        let mut error = Error::new(Code::Network, format!("cannot speak TLS with {host}: {e}"));
        match e {
            rustls::Error::InvalidCertificate(_) => {
                error = error.hint(format!("a CA of its own goes to --cacert or /etc/docker/certs.d/{host}/ca.crt"));
            }
            rustls::Error::InvalidMessage(_) => {
                error = error.hint("a registry without TLS wants --plain-http");
            }
            _ => {}
        }
        error.into()
    }

    /// The server answered with a status that is no success; `what` names the thing asked for.
    pub fn status(what: &str, host: &str, mut response: Response<Body>) -> Self {
        let status = response.status();
        let wait = retry_after(response.headers());
        let mut said = detail(response.body_mut());
        if !said.is_empty() {
            said = format!(": {said}");
        }
        let failure = match status {
            StatusCode::NOT_FOUND => Error::new(Code::NotFound, format!("{what} is not at {host}{said}")).into(),
            // The registry does not tell a private image from one that is not there.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Error::new(Code::Unauthorized, format!("{what}: {host} refuses access{said}"))
                    .hint("it does not exist there, or wants (other) credentials in ~/.docker/config.json")
                    .into()
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let error = Error::new(Code::Limit, format!("{what}: {host} takes no more requests for now{said}"));
                Self { retry: wait.map_or(Retry::Soon, Retry::After), ..error.into() }
            }
            _ => {
                let retry = match wait {
                    _ if !status.is_server_error() && status != StatusCode::REQUEST_TIMEOUT => Retry::Never,
                    Some(wait) => Retry::After(wait),
                    None => Retry::Soon,
                };
                Self::network(format!("{what}: {host} answers {status}{said}"), retry)
            }
        };
        Self { status: Some(status), ..failure }
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    let wait = then.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// The registry's own words (distribution-spec, Error Codes): `CODE: message` of each error.
fn detail(body: &mut Body) -> String {
    let mut bytes = Vec::new();
    let _ = body.as_reader().take(MAX_BODY).read_to_end(&mut bytes);
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { return String::new() };
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let errors = value.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut words: Vec<String> = errors
        .iter()
        .map(|e| match (text(e, "code"), text(e, "message")) {
            (code, message) if message.is_empty() => code,
            (code, message) if code.is_empty() => message,
            (code, message) => format!("{code}: {message}"),
        })
        .collect();
    if words.is_empty() {
        // Token servers answer in other forms.
        words.extend(
            ["details", "error_description", "message", "error"]
                .iter()
                .map(|key| text(&value, key))
                .find(|t| !t.is_empty()),
        );
    }
    trace::clean(&words.join("; "), MAX_DETAIL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Body::builder().data(body)).unwrap();
        Failure::status("r.io/a:t", "r.io", response)
    }

    #[test]
    fn statuses_become_codes_of_the_closed_set() {
        for (status, code, retry) in [
            (404, Code::NotFound, Retry::Never),
            (401, Code::Unauthorized, Retry::Never),
            (403, Code::Unauthorized, Retry::Never),
            (429, Code::Limit, Retry::Soon),
            (500, Code::Network, Retry::Soon),
            (503, Code::Network, Retry::Soon),
            (400, Code::Network, Retry::Never),
        ] {
            let failure = answer(status, &[], "");
            assert_eq!((failure.error.code, failure.retry), (code, retry), "{status}");
            assert!(failure.error.message.contains("r.io/a:t"));
        }
    }

    #[test]
    fn the_registrys_words_are_shown_cleaned_and_bounded() {
        let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no \u001b[31mmanifest"},{"message":"x"}]}"#;
        let message = answer(404, &[], body).error.message;
        assert_eq!(message, "r.io/a:t is not at r.io: MANIFEST_UNKNOWN: no  [31mmanifest; x");
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "y".repeat(9999));
        assert!(answer(500, &[], &long).error.message.len() < 300);
        assert_eq!(answer(404, &[], "<html>").error.message, "r.io/a:t is not at r.io");
        assert!(
            answer(401, &[], r#"{"details":"incorrect password"}"#).error.message.ends_with(": incorrect password")
        );
    }

    #[test]
    fn retry_after_by_seconds_and_by_date() {
        assert_eq!(answer(429, &[("retry-after", "7")], "").retry, Retry::After(Duration::from_secs(7)));
        assert_eq!(
            answer(503, &[("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")], "").retry,
            Retry::After(Duration::ZERO)
        );
        assert_eq!(answer(503, &[("Retry-After", "soon")], "").retry, Retry::Soon);
    }
}
