//! A session with one registry: requests that authorize themselves, on the scheme that it speaks.

use crate::{
    Credentials,
    auth::Auth,
    failure::{Failure, Retry},
    host::Origin,
    retry, tls,
    transport::{Answer, Transport},
};
use ctr_core::{Code, Error, Result};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

/// Is told, in one line, of a failure that will be tried again.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// How to reach a registry.
#[derive(Clone, Default)]
pub struct Options {
    /// Without TLS, wherever the registry is.
    pub plain_http: bool,
    /// A PEM file with certificate authorities to trust besides the system's.
    pub cacert: Option<PathBuf>,
    /// Credentials that count more than those on file.
    pub credentials: Option<Credentials>,
    /// Where retries are told; nowhere by default.
    pub notice: Option<Notice>,
}

/// What a request wants to do: the scope of its token (distribution's token specification).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The repository; empty for the registry itself.
    pub repository: String,
    /// `pull` or `pull,push`.
    pub actions: &'static str,
}

impl Access {
    /// To read from `repository`.
    pub fn pull(repository: &str) -> Self {
        Self { repository: repository.to_owned(), actions: "pull" }
    }

    /// To prove who we are, and no more.
    fn login() -> Self {
        Self { repository: String::new(), actions: "" }
    }

    pub(crate) fn scope(&self) -> String {
        if self.repository.is_empty() {
            return String::new();
        }
        format!("repository:{}:{}", self.repository, self.actions)
    }
}

/// One request.
pub(crate) struct Call<'a> {
    /// The thing asked for, as errors name it.
    pub what: &'a str,
    pub method: Method,
    /// The path on the registry.
    pub path: String,
    pub access: Access,
    pub headers: &'a [(HeaderName, String)],
}

/// Speaks to one registry. All threads of a pull share one: its connections, its tokens.
pub struct Session {
    origin: Origin,
    transport: Transport,
    auth: Auth,
    answered: AtomicBool,
    notice: Notice,
}

impl Session {
    /// A session with `registry`, as references name it (`docker.io`, `localhost:5000`).
    ///
    /// A registry elsewhere is not spoken to yet; one on this machine is asked whether it speaks TLS.
    ///
    /// # Errors
    /// `network` where a registry on this machine does not answer; those of reading certificates.
    pub fn open(registry: &str, options: Options) -> Result<Self> {
        let certs_dir = tls::certs_dir(registry);
        let says_tls = options.cacert.is_some() || certs_dir.is_some();
        let origin = Origin::of_registry(registry, !options.plain_http)
            .ok_or_else(|| Error::new(Code::Invalid, format!("{registry} is not a host with an optional port")))?;
        let notice = options.notice.unwrap_or_else(|| Arc::new(|_| {}));
        let mut session = Self {
            transport: Transport::new(certs_dir, options.cacert),
            auth: Auth::new(registry, options.credentials),
            answered: AtomicBool::new(false),
            notice,
            origin,
        };
        if session.origin.tls && session.origin.is_loopback() && !says_tls {
            let plain = Origin::of_registry(registry, false)
                .ok_or_else(|| Error::new(Code::Invalid, format!("{registry} is not a host with an optional port")))?;
            if session.speaks_plain(&plain)? {
                session.origin = plain;
            }
        }
        Ok(session)
    }

    /// Whether a registry on this machine answers HTTP without TLS. A server that speaks TLS answers a plain request
    /// at once, by 400, by sending us to https or by hanging up, so either kind is found without a delay; nothing
    /// secret is shown.
    fn speaks_plain(&self, plain: &Origin) -> Result<bool> {
        let uri: Uri = ping_url(plain)?;
        match self.transport.get(&Method::GET, &uri, &HeaderMap::new(), None) {
            Ok(answer) => Ok(answer.origin == *plain && answer.response.status() != StatusCode::BAD_REQUEST),
            Err(failure) if failure.retry == Retry::IfKnown => Err(failure.error),
            Err(_) => Ok(false),
        }
    }

    /// Asks whether this is a registry that accepts us (distribution-spec, end-1): what `login` wants to know.
    ///
    /// # Errors
    /// `unauthorized` where it refuses, `not-found` where it is no registry, `network`.
    pub fn ping(&self) -> Result<()> {
        let what = self.host();
        let call =
            Call { what: &what, method: Method::GET, path: "/v2/".to_owned(), access: Access::login(), headers: &[] };
        self.retrying(|| self.send(&call).map(drop))
    }

    /// Host and port, as errors name them.
    pub fn host(&self) -> String {
        self.origin.authority()
    }

    pub(crate) fn notice(&self) -> &(dyn Fn(&str) + Send + Sync) {
        &*self.notice
    }

    /// Runs a request until it succeeds or no further try is due.
    pub(crate) fn retrying<T>(&self, f: impl FnMut() -> Result<T, Failure>) -> Result<T> {
        retry::retrying(self.notice(), f)
    }

    /// Sends a request once, and once more after a refusal that says what to show. Gives answers of success only.
    pub(crate) fn send(&self, call: &Call) -> Result<Answer, Failure> {
        self.try_send(call).map_err(|mut failure| {
            if failure.retry == Retry::IfKnown {
                let known = self.answered.load(Ordering::Relaxed);
                failure.retry = if known { Retry::Soon } else { Retry::Never };
            }
            failure
        })
    }

    fn try_send(&self, call: &Call) -> Result<Answer, Failure> {
        let uri: Uri = format!("{}{}", self.origin.url(), call.path)
            .parse()
            .map_err(|_| Error::new(Code::Invalid, format!("{}: no URL can be made of it", call.what)))?;
        let mut headers = HeaderMap::new();
        for (name, value) in call.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| Error::new(Code::Internal, format!("{}: bad header {name}", call.what)))?;
            headers.append(name, value);
        }
        let mut shown = self.auth.header(&self.transport, &call.access)?;
        let mut again = true;
        loop {
            let answer = self.transport.get(&call.method, &uri, &headers, shown.as_ref())?;
            self.answered.store(true, Ordering::Relaxed);
            let status = answer.response.status();
            if status.is_success() {
                return Ok(answer);
            }
            let ours = answer.origin == self.origin;
            if status == StatusCode::UNAUTHORIZED && ours && again {
                again = false;
                let refusal = answer.response.headers();
                let next =
                    self.auth.challenged(&self.transport, &self.origin, &call.access, refusal, shown.as_ref())?;
                if next.is_some() {
                    shown = next;
                    continue;
                }
            }
            let mut failure = Failure::status(call.what, &answer.origin.authority(), answer.response);
            if !ours && status.is_client_error() {
                // A store behind the registry refuses a link that has expired, say: the registry gives a new one.
                failure = Failure::network(failure.error.message, Retry::Soon);
            }
            return Err(failure);
        }
    }
}

fn ping_url(origin: &Origin) -> Result<Uri> {
    let url = format!("{}/v2/", origin.url());
    url.parse().map_err(|_| Error::new(Code::Invalid, format!("{url} is no URL")))
}
