//! Image references: `[registry/]repository[:tag][@digest]`, with docker's defaults.

use crate::Digest;
use ctr_core::{Code, Error, Result, ident};
use std::fmt;

const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
/// Longest repository name with its registry, as the distribution specification's clients allow.
const MAX_NAME: usize = 255;

/// A parsed reference; [`fmt::Display`] gives the full form `docker.io/library/busybox:latest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Host and port of the registry, `docker.io` where none was given.
    pub registry: String,
    /// The repository, with `library/` where docker.io wants it.
    pub repository: String,
    /// The tag; `latest` where neither tag nor digest was given.
    pub tag: Option<String>,
    /// The digest of the manifest, which then counts more than the tag.
    pub digest: Option<Digest>,
}

impl Reference {
    /// Parses what a user types.
    ///
    /// # Errors
    /// `invalid`, with what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |why: &str| Error::new(Code::Invalid, format!("invalid reference {text:?}: {why}"));
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest).map_err(|e| invalid(&e.message))?)),
            None => (text, None),
        };
        // A colon after the last slash is a tag's, one before it a port's.
        let name_end = match (rest.rfind(':'), rest.rfind('/')) {
            (Some(colon), slash) if slash.is_none_or(|s| colon > s) => colon,
            _ => rest.len(),
        };
        let (name, tag) = (&rest[..name_end], rest.get(name_end + 1..));
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(invalid("a tag is up to 128 letters, digits, '_', '.', '-', not beginning with '.' or '-'"));
        }
        if ident::is_id(name) {
            return Err(invalid("a repository cannot be named by 64 hex digits, which is the form of an id"));
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if is_registry_word(first) => (first, path),
            _ => (DEFAULT_REGISTRY, name),
        };
        if registry != DEFAULT_REGISTRY && !is_host_port(registry) {
            return Err(invalid("the registry is not a host name with an optional port"));
        }
        if path.is_empty() {
            return Err(invalid("the repository is empty"));
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid("a repository is lower case"));
        }
        if !path.split('/').all(is_component) {
            return Err(invalid("a repository is letters and digits, joined by '.', '_', '__', '-' and '/'"));
        }
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        let repository = if registry == DEFAULT_REGISTRY && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        if registry == DEFAULT_REGISTRY && ["library/sha256", "library/sha512"].contains(&&*repository) {
            return Err(invalid("a repository cannot be named as a digest's algorithm: that is the form of an id"));
        }
        if registry.len() + 1 + repository.len() > MAX_NAME {
            return Err(invalid("the name is longer than 255 bytes"));
        }
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, Some(_)) => None,
            (None, None) => Some(DEFAULT_TAG.to_owned()),
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }

    /// Parses a reference that an image is to be given: one with a digest is none, for that cannot be chosen.
    ///
    /// # Errors
    /// `invalid`, with what is wrong.
    pub fn to_give(text: &str) -> Result<Self> {
        let reference = Self::parse(text)?;
        match reference.digest {
            None => Ok(reference),
            Some(_) => Err(Error::new(Code::Invalid, format!("cannot name an image {text}: a digest is not chosen"))),
        }
    }

    /// Registry and repository without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The name as docker shows it: without `docker.io/` and `library/`.
    pub fn familiar_name(&self) -> String {
        if self.registry == DEFAULT_REGISTRY {
            return self.repository.strip_prefix("library/").unwrap_or(&self.repository).to_owned();
        }
        self.name()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether the first word of a name is a registry, by docker's rule.
fn is_registry_word(word: &str) -> bool {
    word.contains(['.', ':']) || word == "localhost" || word.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_host_port(text: &str) -> bool {
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text[colon..].contains(']') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    };
    let port_good =
        port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok());
    let host_good = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            let bytes = label.as_bytes();
            bytes.first().is_some_and(u8::is_ascii_alphanumeric)
                && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
                && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        }),
    };
    host_good && port_good
}

/// One component of a repository: runs of `[a-z0-9]` joined by `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let is_word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    if !(bytes.first().is_some_and(is_word) && bytes.last().is_some_and(is_word)) {
        return false;
    }
    bytes.split(is_word).all(|sep| matches!(sep, b"" | b"." | b"_" | b"__") || sep.iter().all(|b| *b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && text.len() <= 128
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn docker_defaults() {
        for (typed, full, familiar) in [
            ("busybox", "docker.io/library/busybox:latest", "busybox"),
            ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine"),
            ("a/b", "docker.io/a/b:latest", "a/b"),
            ("index.docker.io/a", "docker.io/library/a:latest", "a"),
            ("localhost/a", "localhost/a:latest", "localhost/a"),
            ("localhost:5000/a/b:t", "localhost:5000/a/b:t", "localhost:5000/a/b"),
            ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a"),
            ("quay.io/x__y/z-.w", "", ""),
            ("quay.io/x__y/z--w", "quay.io/x__y/z--w:latest", "quay.io/x__y/z--w"),
        ] {
            match Reference::parse(typed) {
                Ok(r) => assert_eq!((r.to_string().as_str(), r.familiar_name().as_str()), (full, familiar)),
                Err(e) => assert!(full.is_empty(), "{typed}: {e}"),
            }
        }
        let r = Reference::parse(&format!("a:t@sha256:{HEX}")).unwrap();
        assert_eq!(r.to_string(), format!("docker.io/library/a:t@sha256:{HEX}"));
        assert_eq!(Reference::parse(&format!("a@sha256:{HEX}")).unwrap().tag, None);
    }

    #[test]
    fn refuses_what_is_no_reference() {
        for bad in [
            "",
            "A",
            "a:",
            "a:-t",
            "a@",
            "a@sha256:00",
            ":t",
            "/a",
            "a/",
            "a//b",
            "-a",
            "a-",
            "a..b",
            "a___b",
            HEX,
            "a b",
            "ho_st.x:1/a",
            "h:99999/a",
            "a/../b",
            "h.x:/a",
            "sha256",
            "sha256:9f3c",
            "docker.io/library/sha256:9f3c",
            &format!("sha256:{HEX}"),
            &format!("sha512:{HEX}{HEX}"),
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Reference::parse("quay.io/sha256:9f3c").is_ok());
    }

    #[test]
    fn an_image_is_given_no_digest() {
        assert!(Reference::to_give("a:t").is_ok());
        assert!(Reference::to_give(&format!("a:t@sha256:{HEX}")).is_err());
    }

    proptest! {
        #[test]
        fn never_panics_and_full_form_is_stable(text in "[a-zA-Z0-9._:/@\\-\\[\\]]{0,40}") {
            if let Ok(r) = Reference::parse(&text) {
                prop_assert_eq!(Reference::parse(&r.to_string()).unwrap(), r);
            }
        }
    }
}
