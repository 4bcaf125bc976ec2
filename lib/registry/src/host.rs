//! From a registry's name in a reference to where it answers.

use std::net::IpAddr;
use ureq::http::Uri;

/// Docker Hub's name in references.
const DOCKER: &str = "docker.io";
/// Where Docker Hub's registry answers.
const DOCKER_HOST: &str = "registry-1.docker.io";

/// Scheme, host and port of a URL: what credentials are bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whether by TLS.
    pub tls: bool,
    /// Host name, lower case, an IPv6 address in brackets.
    pub host: String,
    /// Port, the scheme's own where the URL has none.
    pub port: u16,
}

impl Origin {
    /// The origin of a registry named `registry` in references.
    pub fn of_registry(registry: &str, tls: bool) -> Option<Self> {
        let authority = if registry == DOCKER { DOCKER_HOST } else { registry };
        let scheme = if tls { "https" } else { "http" };
        Self::of(&format!("{scheme}://{authority}/").parse().ok()?)
    }

    /// The origin of an absolute http or https URL.
    pub fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Some(Self { tls, host: uri.host()?.to_ascii_lowercase(), port })
    }

    /// `scheme://host:port`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// `host`, or `host:port` where the port is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether the host is this machine: nobody else hears what is sent in the clear. Names beneath `localhost`
    /// do not count: they may come from DNS.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback(),
            Err(_) => bare == "localhost",
        }
    }
}

/// Where `location`, of a redirect of `base`, leads (RFC 3986, 5.2, for the forms that servers send).
pub(crate) fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    let absolute = if has_scheme(location) {
        location.to_owned()
    } else {
        let scheme = base.scheme_str()?;
        let authority = base.authority()?;
        if let Some(rest) = location.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else if location.starts_with('?') {
            format!("{scheme}://{authority}{}{location}", base.path())
        } else {
            let dir = base.path().rsplit_once('/').map_or("", |(dir, _)| dir);
            format!("{scheme}://{authority}{dir}/{location}")
        }
    };
    let uri: Uri = absolute.parse().ok()?;
    // User and password in a URL would become a header to a host that we chose not to give one.
    (!uri.authority()?.as_str().contains('@')).then_some(uri)
}

/// Whether a reference is an absolute one (RFC 3986, 3.1): a colon elsewhere, in a query say, does not make it so.
fn has_scheme(location: &str) -> bool {
    location.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// The keys under which credentials for `registry` may be filed, best first.
pub(crate) fn credential_keys(registry: &str, repository: &str) -> Vec<String> {
    if registry == DOCKER {
        return ["index.docker.io", DOCKER, DOCKER_HOST].map(str::to_owned).to_vec();
    }
    // containers-auth.json(5): a key may name a repository or a namespace; the longest counts.
    let mut keys = Vec::new();
    let mut name = format!("{registry}/{repository}");
    while let Some(slash) = name.rfind('/') {
        keys.push(name.clone());
        name.truncate(slash);
    }
    keys.push(name);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn docker_io_answers_elsewhere() {
        assert_eq!(Origin::of_registry("docker.io", true).unwrap().url(), "https://registry-1.docker.io");
        assert_eq!(Origin::of_registry("LOCALHOST:5000", false).unwrap().url(), "http://localhost:5000");
    }

    #[test]
    fn loopback_is_told_by_name_and_address() {
        for (url, loopback) in [
            ("http://localhost:5000/", true),
            ("http://127.0.0.1/", true),
            ("http://127.9.9.9:1/", true),
            ("http://[::1]:5000/", true),
            ("http://a.localhost/", false),
            ("http://localhost.example/", false),
            ("http://128.0.0.1/", false),
        ] {
            assert_eq!(origin(url).is_loopback(), loopback, "{url}");
        }
    }

    #[test]
    fn origins_differ_by_scheme_host_and_port() {
        assert_eq!(origin("https://a/x"), origin("https://A:443/y"));
        for other in ["http://a:443/", "https://a:444/", "https://b/"] {
            assert_ne!(origin("https://a/"), origin(other));
        }
    }

    #[test]
    fn locations_resolve_and_carry_no_user() {
        let base: Uri = "https://r.io/v2/a/blobs/x?q=1".parse().unwrap();
        for (location, url) in [
            ("https://cdn.io/b?sig=1", "https://cdn.io/b?sig=1"),
            ("//cdn.io/b", "https://cdn.io/b"),
            ("/other", "https://r.io/other"),
            ("y", "https://r.io/v2/a/blobs/y"),
            ("?z", "https://r.io/v2/a/blobs/x?z"),
            ("/a#frag", "https://r.io/a"),
            ("/b?next=https://x.io", "https://r.io/b?next=https://x.io"),
            ("?next=https://x.io", "https://r.io/v2/a/blobs/x?next=https://x.io"),
            ("HTTPS://cdn.io/b", "https://cdn.io/b"),
        ] {
            assert_eq!(resolve(&base, location).unwrap().to_string(), url);
        }
        assert!(resolve(&base, "https://u:p@cdn.io/").is_none());
        assert!(resolve(&base, "http:// bad/").is_none());
    }

    #[test]
    fn keys_go_from_the_repository_to_the_host() {
        assert_eq!(credential_keys("h:1", "a/b"), ["h:1/a/b", "h:1/a", "h:1"]);
        assert_eq!(credential_keys("docker.io", "a/b")[0], "index.docker.io");
    }
}
