//! Bearer tokens (distribution's token specification; RFC 6750): asked for at the realm that a challenge names.

use crate::{
    Challenge, Credentials, Secret,
    failure::{Failure, Retry},
    host::Origin,
    transport::{Answer, Transport},
};
use ctr_core::Value;
use std::{
    fmt::Write,
    io::Read,
    time::{Duration, Instant},
};
use ureq::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

/// Largest answer of a token server that is read, bytes.
const MAX_ANSWER: u64 = 1 << 20;
/// How long a token lasts of which nothing is said.
const LIFETIME: u64 = 60;
/// By OAuth 2 a client has an id.
const CLIENT: &str = "ctr";

/// Where tokens for a registry come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Realm {
    uri: Uri,
    service: Option<String>,
}

/// A token, as the header that shows it.
pub(crate) struct Token {
    pub header: HeaderValue,
    expires: Instant,
}

impl Token {
    pub fn is_fresh(&self) -> bool {
        Instant::now() < self.expires
    }
}

impl Realm {
    /// The realm of a challenge by `registry`.
    ///
    /// # Errors
    /// `network` where a registry with TLS names a token server without: credentials would go in the clear.
    pub fn of(challenge: &Challenge, registry: &Origin) -> Result<Self, Failure> {
        let named = challenge.param("realm").unwrap_or_default();
        let uri: Option<Uri> = named.parse().ok();
        let Some((uri, origin)) = uri.and_then(|uri| Origin::of(&uri).map(|origin| (uri, origin))) else {
            let host = registry.authority();
            return Err(Failure::network(format!("{host} names no token server that is a URL"), Retry::Never));
        };
        if registry.tls && !origin.tls && !origin.is_loopback() {
            let (host, server) = (registry.authority(), origin.authority());
            return Err(Failure::network(
                format!("{host} sends to token server {server} without TLS: refused"),
                Retry::Never,
            ));
        }
        Ok(Self { uri, service: challenge.param("service").map(str::to_owned) })
    }

    /// Asks for a token for `scope`, as the holder of `credentials` or as a stranger.
    pub fn fetch(
        &self,
        transport: &Transport,
        registry: &str,
        scope: Option<&str>,
        credentials: Option<&Credentials>,
    ) -> Result<Token, Failure> {
        let asked = Instant::now();
        let mut query = self.query(scope);
        let answer = if let Some(Credentials { secret: Secret::IdentityToken(token), .. }) = credentials {
            for (key, value) in [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", token)] {
                push(&mut query, key, value);
            }
            transport.post_form(&self.uri, query)?
        } else {
            if let Some(c) = credentials {
                push(&mut query, "account", &c.username);
            }
            let uri = with_query(&self.uri, &query)
                .ok_or_else(|| Failure::network(format!("{} cannot be asked for a token", self.uri), Retry::Never))?;
            let basic = credentials.and_then(Credentials::basic).and_then(|b| secret(&b));
            transport.get(&Method::GET, &uri, &HeaderMap::new(), basic.as_ref())?
        };
        read(answer, registry, asked)
    }

    fn query(&self, scope: Option<&str>) -> String {
        let mut query = String::new();
        for (key, value) in [("service", self.service.as_deref()), ("scope", scope)] {
            if let Some(value) = value {
                push(&mut query, key, value);
            }
        }
        query
    }
}

fn read(answer: Answer, registry: &str, asked: Instant) -> Result<Token, Failure> {
    let host = answer.origin.authority();
    if answer.response.status() != StatusCode::OK {
        return Err(Failure::status(&format!("token for {registry}"), &host, answer.response));
    }
    let mut bytes = Vec::new();
    let reader = answer.response.into_body().into_reader();
    reader.take(MAX_ANSWER).read_to_end(&mut bytes).map_err(|e| Failure::transport(&host, e.into()))?;
    let none = || Failure::network(format!("token server {host} gives no token for {registry}"), Retry::Never);
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| none())?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let token = text("token").or_else(|| text("access_token")).ok_or_else(none)?;
    let header = secret(&format!("Bearer {token}")).ok_or_else(none)?;
    let lifetime = value.get("expires_in").and_then(Value::as_u64).filter(|s| *s > 0).unwrap_or(LIFETIME);
    // A tenth early: it must still be good when it arrives. A year is as good as for ever.
    let lasts = Duration::from_secs(lifetime.min(365 * 24 * 3600)).mul_f32(0.9);
    Ok(Token { header, expires: asked + lasts })
}

/// A header's value that no log prints.
pub(crate) fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn with_query(uri: &Uri, query: &str) -> Option<Uri> {
    if query.is_empty() {
        return Some(uri.clone());
    }
    let glue = if uri.query().is_some() { '&' } else { '?' };
    format!("{uri}{glue}{query}").parse().ok()
}

/// Adds `key=value`, percent-encoded (RFC 3986, 2.3).
fn push(query: &mut String, key: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(key);
    query.push('=');
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            let _ = write!(query, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm(header: &str, registry: &str) -> Result<Realm, Failure> {
        Realm::of(&Challenge::parse(header)[0], &Origin::of(&registry.parse().unwrap()).unwrap())
    }

    #[test]
    fn asks_with_service_and_scope_encoded() {
        let realm = realm(r#"Bearer realm="https://a.io/token?x=1",service="my registry""#, "https://r.io").unwrap();
        let query = realm.query(Some("repository:a/b:pull"));
        assert_eq!(query, "service=my%20registry&scope=repository%3Aa%2Fb%3Apull");
        let uri = with_query(&realm.uri, &query).unwrap();
        assert!(uri.to_string().starts_with("https://a.io/token?x=1&service="));
    }

    #[test]
    fn a_token_server_in_the_clear_is_refused() {
        assert!(realm(r#"Bearer realm="http://a.io/token""#, "https://r.io").is_err());
        assert!(realm(r#"Bearer realm="http://a.io/token""#, "http://r.io").is_ok());
        assert!(realm(r#"Bearer realm="http://127.0.0.1:1/token""#, "https://r.io").is_ok());
        for none in ["Bearer", r#"Bearer realm="/token""#, r#"Bearer realm="file:///etc/passwd""#] {
            assert!(realm(none, "https://r.io").is_err(), "{none}");
        }
    }
}
