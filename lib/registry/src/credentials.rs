//! Credentials from the files that docker and other container tools write.

use crate::host;
use base64::{Engine, engine::general_purpose::STANDARD};
use ctr_core::{Cannot, Code, Error, Result, Value};
use std::{env, fmt, fs::File, io::ErrorKind, io::Read, path::PathBuf};

/// Largest file of credentials that is read, bytes.
const MAX_FILE: u64 = 1 << 20;

/// Who we are to a registry. Prints without the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account's name; empty with an identity token.
    pub username: String,
    /// What proves it.
    pub secret: Secret,
}

/// The proof that goes with a name.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A password or access token, sent by HTTP Basic.
    Password(String),
    /// A refresh token, which a token server turns into access tokens (OAuth 2).
    IdentityToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Credentials {
    /// What the user filed for `repository` at `registry`, or for all of it: the first of
    /// `$REGISTRY_AUTH_FILE`, `$DOCKER_CONFIG/config.json` and `~/.docker/config.json` that knows.
    ///
    /// # Errors
    /// `invalid`, naming the file, where it does not read: to go on without would end in a puzzling refusal.
    pub fn lookup(registry: &str, repository: &str) -> Result<Option<Self>> {
        for path in files() {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
                Err(e) => return Err(e).cannot(|| format!("open {}", path.display())),
            };
            let mut text = Vec::new();
            file.take(MAX_FILE).read_to_end(&mut text).cannot(|| format!("read {}", path.display()))?;
            let found = find(&text, &host::credential_keys(registry, repository))
                .map_err(|why| Error::new(Code::Invalid, format!("{}: {why}", path.display())))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The value of an `Authorization` header by HTTP Basic (RFC 7617); `None` with an identity token.
    pub(crate) fn basic(&self) -> Option<String> {
        match &self.secret {
            Secret::Password(password) => {
                Some(format!("Basic {}", STANDARD.encode(format!("{}:{password}", self.username))))
            }
            Secret::IdentityToken(_) => None,
        }
    }
}

fn files() -> Vec<PathBuf> {
    let var = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let docker = var("DOCKER_CONFIG").or_else(|| var("HOME").map(|home| home.join(".docker")));
    var("REGISTRY_AUTH_FILE").into_iter().chain(docker.map(|dir| dir.join("config.json"))).collect()
}

/// The entry of `auths` under the best of `keys`.
fn find(text: &[u8], keys: &[String]) -> Result<Option<Credentials>, String> {
    let config: Value = serde_json::from_slice(text).map_err(|e| format!("not JSON: {e}"))?;
    let Some(auths) = config.get("auths").and_then(Value::as_object) else { return Ok(None) };
    for key in keys {
        let same = |filed: &str| bare(filed) == key.as_str();
        if let Some((filed, entry)) = auths.iter().find(|(filed, _)| same(filed))
            && let Some(credentials) = read(entry).map_err(|why| format!("credentials of {filed}: {why}"))?
        {
            return Ok(Some(credentials));
        }
    }
    Ok(None)
}

/// A key without scheme and without the `/v1/` or `/v2/` that old clients wrote.
fn bare(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key)
}

/// One entry; an empty one says that a credential helper has it.
fn read(entry: &Value) -> Result<Option<Credentials>, &'static str> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
    let (mut username, mut password) =
        (text("username").unwrap_or_default().to_owned(), text("password").map(str::to_owned));
    if let Some(auth) = text("auth") {
        let pair = STANDARD.decode(auth.trim()).ok().and_then(|b| String::from_utf8(b).ok()).ok_or("not base64")?;
        let (name, secret) = pair.split_once(':').ok_or("not name:password in base64")?;
        // Docker pads with NUL bytes what it read from some stores.
        (username, password) = (name.to_owned(), Some(secret.trim_end_matches('\0').to_owned()));
    }
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Credentials { username, secret: Secret::IdentityToken(token.to_owned()) }));
    }
    Ok(password
        .filter(|_| !username.is_empty())
        .map(|password| Credentials { username, secret: Secret::Password(password) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"auths":{
        "https://index.docker.io/v1/":{"auth":"aHViOnA6dw=="},
        "localhost:5000":{"username":"u","password":"p"},
        "quay.io":{"auth":"YTpi"},
        "quay.io/ns":{"auth":"YzpkAA=="},
        "az.io":{"auth":"MDAwOg==","identitytoken":"tok"},
        "helper.io":{},
        "bad.io":{"auth":"%%"}},
        "credsStore":"x"}"#;

    fn look(registry: &str, repository: &str) -> Result<Option<(String, String)>, String> {
        Ok(find(FILE.as_bytes(), &host::credential_keys(registry, repository))?.map(|c| match c.secret {
            Secret::Password(p) => (c.username, p),
            Secret::IdentityToken(t) => (c.username, format!("token {t}")),
        }))
    }

    fn pair(name: &str, secret: &str) -> (String, String) {
        (name.to_owned(), secret.to_owned())
    }

    #[test]
    fn finds_by_host_and_by_namespace() {
        assert_eq!(look("docker.io", "library/busybox"), Ok(Some(pair("hub", "p:w"))));
        assert_eq!(look("localhost:5000", "a"), Ok(Some(pair("u", "p"))));
        assert_eq!(look("quay.io", "other/x"), Ok(Some(pair("a", "b"))));
        assert_eq!(look("quay.io", "ns/x"), Ok(Some(pair("c", "d"))));
        assert_eq!(look("az.io", "x"), Ok(Some(pair("000", "token tok"))));
        assert_eq!(look("helper.io", "x"), Ok(None));
        assert_eq!(look("localhost", "a"), Ok(None));
        assert!(look("bad.io", "x").unwrap_err().contains("bad.io"));
        assert!(find(b"{", &[]).is_err());
        assert_eq!(find(b"{}", &["a".to_owned()]), Ok(None));
    }

    #[test]
    fn debug_hides_the_secret() {
        let c = find(FILE.as_bytes(), &["quay.io".to_owned()]).unwrap().unwrap();
        assert_eq!(c.basic().unwrap(), "Basic YTpi");
        assert!(!format!("{c:?}").contains("\"b\""));
    }
}
