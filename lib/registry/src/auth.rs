//! Proving who we are: learnt from the first refusal, remembered for all requests and threads.

use crate::{
    Access, Challenge, Credentials,
    failure::Failure,
    host::Origin,
    token::{Realm, Token, secret},
    transport::Transport,
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use ureq::http::{HeaderMap, HeaderValue, header};

/// What one registry wants to be shown.
pub(crate) struct Auth {
    registry: String,
    given: Option<Credentials>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    scheme: Scheme,
    tokens: HashMap<String, Token>,
}

#[derive(Default)]
enum Scheme {
    /// Nothing was asked for yet.
    #[default]
    None,
    Basic,
    Bearer(Realm),
}

impl Auth {
    /// For `registry`; `given` credentials count more than those on file.
    pub fn new(registry: &str, given: Option<Credentials>) -> Self {
        Self { registry: registry.to_owned(), given, state: Mutex::default() }
    }

    /// The `Authorization` for a request, as far as it is known what is wanted.
    ///
    /// The lock is held while a token is fetched: other threads then find it instead of asking too.
    pub fn header(&self, transport: &Transport, access: &Access) -> Result<Option<HeaderValue>, Failure> {
        let mut state = self.lock();
        self.show(&mut state, transport, access)
    }

    /// Learns from a refusal (401) of a request that showed `sent`. `None`: there is nothing (else) to show.
    pub fn challenged(
        &self,
        transport: &Transport,
        origin: &Origin,
        access: &Access,
        refusal: &HeaderMap,
        sent: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Failure> {
        let mut state = self.lock();
        let challenges: Vec<Challenge> = refusal
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(Challenge::parse)
            .collect();
        let by = |scheme: &str| challenges.iter().find(|c| c.scheme == scheme);
        if let Some(bearer) = by("bearer") {
            state.scheme = Scheme::Bearer(Realm::of(bearer, origin)?);
            let scope = access.scope();
            // Not one that another thread fetched since.
            if state.tokens.get(&scope).is_some_and(|token| Some(&token.header) == sent) {
                state.tokens.remove(&scope);
            }
        } else if by("basic").is_some() {
            state.scheme = Scheme::Basic;
        } else {
            return Ok(None);
        }
        let shown = self.show(&mut state, transport, access)?;
        Ok(shown.filter(|header| Some(header) != sent))
    }

    fn show(&self, state: &mut State, transport: &Transport, access: &Access) -> Result<Option<HeaderValue>, Failure> {
        match &state.scheme {
            Scheme::None => Ok(None),
            Scheme::Basic => Ok(self.credentials(access)?.and_then(|c| c.basic()).and_then(|b| secret(&b))),
            Scheme::Bearer(realm) => {
                let scope = access.scope();
                if let Some(token) = state.tokens.get(&scope).filter(|t| t.is_fresh()) {
                    return Ok(Some(token.header.clone()));
                }
                let credentials = self.credentials(access)?;
                let wanted = (!scope.is_empty()).then_some(scope.as_str());
                let token = realm.fetch(transport, &self.registry, wanted, credentials.as_ref())?;
                let header = token.header.clone();
                state.tokens.insert(scope, token);
                Ok(Some(header))
            }
        }
    }

    fn credentials(&self, access: &Access) -> Result<Option<Credentials>, Failure> {
        match &self.given {
            Some(given) => Ok(Some(given.clone())),
            None => Ok(Credentials::lookup(&self.registry, &access.repository)?),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
