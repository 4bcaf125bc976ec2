//! One HTTP exchange: connections kept and shared by all threads, redirects followed, nothing told to strangers.

use crate::{
    failure::{Failure, Retry},
    host::{self, Origin},
    tls,
};
use ctr_core::Result;
use std::{
    io::{self, Read},
    path::PathBuf,
    sync::OnceLock,
    time::Duration,
};
use ureq::{
    Agent, Body, RequestExt,
    config::RedirectAuthHeaders,
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header},
    tls::TlsConfig,
};

const CONNECT: Duration = Duration::from_secs(30);
/// Longest time without a single byte; there is no limit on the whole of a transfer.
const STALL: Duration = Duration::from_mins(1);
const REDIRECTS: usize = 5;
const MAX_REDIRECT_BODY: u64 = 64 << 10;
/// What a connection reads at once, bytes.
const BUFFER: usize = 256 << 10;
/// Idle connections kept a host: as many as pulls run side by side.
const IDLE: usize = 8;

/// The agents; the one for TLS is made when it is first needed, for reading the roots takes milliseconds.
pub(crate) struct Transport {
    plain: Agent,
    secure: OnceLock<Agent>,
    certs_dir: Option<PathBuf>,
    cacert: Option<PathBuf>,
}

/// A response and who gave it.
pub(crate) struct Answer {
    pub response: Response<Body>,
    /// The last host of a chain of redirects.
    pub origin: Origin,
}

impl Transport {
    pub fn new(certs_dir: Option<PathBuf>, cacert: Option<PathBuf>) -> Self {
        Self { plain: agent(TlsConfig::default()), secure: OnceLock::new(), certs_dir, cacert }
    }

    fn agent(&self, tls: bool) -> Result<&Agent> {
        if !tls {
            return Ok(&self.plain);
        }
        if self.secure.get().is_none() {
            let config = tls::config(self.certs_dir.as_deref(), self.cacert.as_deref())?;
            let _ = self.secure.set(agent(config)); // another thread may have been faster
        }
        self.secure.get().map_or_else(|| Ok(&self.plain), Ok)
    }

    /// Asks for `uri` by GET or HEAD and follows redirects. `authorization` goes to the origin of `uri` and to no other.
    pub fn get(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Failure> {
        let bad = |uri: &Uri| Failure::network(format!("{uri} is not an http or https URL"), Retry::Never);
        let home = Origin::of(uri).ok_or_else(|| bad(uri))?;
        let mut uri = uri.clone();
        for _ in 0..=REDIRECTS {
            let origin = Origin::of(&uri).ok_or_else(|| bad(&uri))?;
            let mut request = Request::new(());
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
            if let Some(authorization) = authorization.filter(|_| origin == home) {
                request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
            }
            let response = self.exchange(&origin, request)?;
            if !is_redirect(response.status()) {
                return Ok(Answer { response, origin });
            }
            uri = target(&uri, &origin, &response)?;
            // Read to its end, its connection serves the next request.
            let _ = io::copy(&mut response.into_body().into_reader().take(MAX_REDIRECT_BODY), &mut io::sink());
        }
        Err(Failure::network(format!("{} redirects more than {REDIRECTS} times", home.authority()), Retry::Never))
    }

    /// Sends a form (OAuth 2 wants POST). A redirect is an answer like any other: a body is not shown twice.
    pub fn post_form(&self, uri: &Uri, form: String) -> Result<Answer, Failure> {
        let origin = Origin::of(uri)
            .ok_or_else(|| Failure::network(format!("{uri} is not an http or https URL"), Retry::Never))?;
        let mut request = Request::new(form);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(Answer { response: self.exchange(&origin, request)?, origin })
    }

    fn exchange<S: ureq::AsSendBody + 'static>(
        &self,
        origin: &Origin,
        request: Request<S>,
    ) -> Result<Response<Body>, Failure> {
        let agent = self.agent(origin.tls)?;
        let mut host = origin.authority();
        // The proxy that the environment names, for hosts that it does not except.
        let result = match agent.config().proxy().filter(|proxy| !proxy.is_no_proxy(request.uri())) {
            // It could not reach our loopback.
            Some(_) if origin.is_loopback() => request.with_agent(agent).configure().proxy(None).build().run(),
            Some(proxy) => {
                host = format!("{host} by proxy {}:{}", proxy.host(), proxy.port());
                agent.run(request)
            }
            None => agent.run(request),
        };
        result.map_err(|e| Failure::transport(&host, e))
    }
}

fn agent(tls: TlsConfig) -> Agent {
    Agent::config_builder()
        .tls_config(tls)
        .user_agent(concat!("ctr/", env!("CARGO_PKG_VERSION")))
        // Bytes must come as they are hashed: no proxy may compress them.
        .accept_encoding("identity")
        .http_status_as_error(false)
        // Redirects are followed here, where it is known what may be shown to whom.
        .max_redirects(0)
        .redirect_auth_headers(RedirectAuthHeaders::Never)
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(STALL))
        .timeout_per_write(Some(STALL))
        .input_buffer_size(BUFFER)
        .max_idle_connections(2 * IDLE)
        .max_idle_connections_per_host(IDLE)
        .build()
        .new_agent()
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn target(from: &Uri, origin: &Origin, response: &Response<Body>) -> Result<Uri, Failure> {
    let host = origin.authority();
    let location = response.headers().get(header::LOCATION).and_then(|l| l.to_str().ok()).unwrap_or_default();
    let uri = Some(location).filter(|l| !l.is_empty()).and_then(|l| host::resolve(from, l));
    let to = uri.as_ref().and_then(Origin::of);
    match (uri, to) {
        (Some(uri), Some(to)) if to.tls || !origin.tls => Ok(uri),
        (Some(_), Some(to)) => {
            Err(Failure::network(format!("{host} redirects to {} without TLS: refused", to.authority()), Retry::Never))
        }
        _ => Err(Failure::network(format!("{host} redirects to nowhere"), Retry::Never)),
    }
}
