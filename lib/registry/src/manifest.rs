//! Manifests and indexes: asked for by tag or digest, bounded, verified, told apart by media type.

use crate::{
    Access, Session,
    failure::{Failure, Retry},
    session::Call,
    transport::Answer,
};
use ctr_core::{Code, Error, Result, Value, trace};
use ctr_store::{Digest, Hasher, MAX_MANIFEST, Reference, media_type as media};
use std::io::Read;
use ureq::http::{Method, Response, header};

const DIGEST_HEADER: &str = "docker-content-digest";

/// What a manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One image.
    Image,
    /// A list of images, by platform.
    Index,
}

/// A manifest as the registry served it, verified.
pub struct Manifest {
    /// The very bytes.
    pub bytes: Vec<u8>,
    /// Their digest, by the algorithm that was asked for.
    pub digest: Digest,
    /// Their media type.
    pub media_type: String,
    /// What they are.
    pub kind: Kind,
    /// Their content.
    pub value: Value,
}

impl Manifest {
    /// Reads a manifest that is named `what` in errors and was verified against `digest`;
    /// `declared` is the media type by which it was served or described, where there is one.
    ///
    /// # Errors
    /// `unsupported` for other media types, `corrupt` where content and media type differ, or it is not JSON.
    pub fn parse(what: &str, bytes: Vec<u8>, digest: Digest, declared: Option<&str>) -> Result<Self> {
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|e| Error::new(Code::Corrupt, format!("manifest of {what} is not JSON: {e}")))?;
        let (media_type, kind) = media_type(what, &value, declared)?;
        Ok(Self { bytes, digest, media_type, kind, value })
    }
}

impl Session {
    /// The manifest that a reference means: by its digest where it has one, else by its tag.
    ///
    /// # Errors
    /// `not-found`, `unauthorized`, `limit` over 4 MiB, `corrupt` where the digest differs, `unsupported`, `network`.
    pub fn manifest(&self, reference: &Reference) -> Result<Manifest> {
        let what = reference.to_string();
        self.retrying(|| {
            let answer = self.ask(Method::GET, reference, &what)?;
            read(&what, reference.digest.as_ref(), answer)
        })
    }

    /// The digest that the registry has for a reference now, without the manifest: it does not count as a pull.
    /// `None` where the registry does not say.
    ///
    /// # Errors
    /// As for [`Session::manifest`], though a registry's words on them come only with it.
    pub fn manifest_digest(&self, reference: &Reference) -> Result<Option<Digest>> {
        let what = reference.to_string();
        self.retrying(|| {
            let answer = self.ask(Method::HEAD, reference, &what)?;
            Ok(given_digest(&answer.response).and_then(|text| Digest::parse(text).ok()))
        })
    }

    fn ask(&self, method: Method, reference: &Reference, what: &str) -> Result<Answer, Failure> {
        let target = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        };
        let accept = [media::OCI_MANIFEST, media::OCI_INDEX, media::DOCKER_MANIFEST, media::DOCKER_INDEX];
        self.send(&Call {
            what,
            method,
            path: format!("/v2/{}/manifests/{target}", reference.repository),
            access: Access::pull(&reference.repository),
            headers: &accept.map(|media_type| (header::ACCEPT, media_type.to_owned())),
        })
    }
}

/// Reads an answer to its end and verifies it.
fn read(what: &str, asked: Option<&Digest>, answer: Answer) -> Result<Manifest, Failure> {
    let host = answer.origin.authority();
    let (parts, body) = answer.response.into_parts();
    let too_large = || {
        let message = format!("manifest of {what} is larger than {} MiB", MAX_MANIFEST >> 20);
        Failure::from(Error::new(Code::Limit, message))
    };
    if body.content_length().is_some_and(|n| n > MAX_MANIFEST) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut reader = body.into_reader().take(MAX_MANIFEST + 1);
    reader.read_to_end(&mut bytes).map_err(|e| Failure::transport(&host, e.into()))?;
    if bytes.len() as u64 > MAX_MANIFEST {
        return Err(too_large());
    }
    let given = parts.headers.get(DIGEST_HEADER).and_then(|v| v.to_str().ok());
    let digest = verify(what, &bytes, asked, given)?;
    let declared = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    // An empty answer is a broken one, whatever its length says.
    if bytes.is_empty() {
        return Err(Failure::network(format!("{host} sends an empty manifest for {what}"), Retry::Soon));
    }
    Ok(Manifest::parse(what, bytes, digest, declared)?)
}

fn given_digest<T>(response: &Response<T>) -> Option<&str> {
    response.headers().get(DIGEST_HEADER)?.to_str().ok()
}

/// Checks the bytes against the digest asked for, or against the one given with them.
fn verify(what: &str, bytes: &[u8], asked: Option<&Digest>, given: Option<&str>) -> Result<Digest> {
    let given = match (asked, given) {
        (None, Some(text)) => Some(Digest::parse(text).map_err(|_| {
            Error::new(
                Code::Corrupt,
                format!("manifest of {what} comes with a digest that is none: {}", trace::clean(text, 80)),
            )
        })?),
        _ => None,
    };
    let wanted = asked.or(given.as_ref());
    let mut hasher = wanted.map_or_else(Hasher::sha256, Hasher::new);
    hasher.update(bytes);
    let digest = hasher.finish();
    match wanted {
        Some(wanted) if *wanted != digest => {
            Err(Error::new(Code::Corrupt, format!("manifest of {what} has digest {digest}, not {wanted}")))
        }
        _ => Ok(digest),
    }
}

/// The media type: of the content, of its declaration, or told by the content's form.
/// Content that could be read in two ways is refused (image-spec, CVE-2021-41190).
fn media_type(what: &str, value: &Value, declared: Option<&str>) -> Result<(String, Kind)> {
    let unsupported = |name: &str| {
        let name = trace::clean(name, 80);
        Error::new(Code::Unsupported, format!("manifest of {what} is {name}, which is not supported"))
            .hint("images are OCI manifests and indexes, and Docker's of schema 2")
    };
    if value.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
        return Err(unsupported("not of schema version 2"));
    }
    let (lists, holds) = (value.get("manifests").is_some(), value.get("layers").or(value.get("config")).is_some());
    if lists && holds {
        return Err(Error::new(Code::Corrupt, format!("manifest of {what} is an image and an index at once")));
    }
    let own = value.get("mediaType").and_then(Value::as_str);
    // Servers of plain files do not know what they serve.
    let declared = declared.map(essence).filter(|d| d.starts_with("application/vnd."));
    if let (Some(own), Some(declared)) = (own, declared.as_deref())
        && own != declared
    {
        let (own, declared) = (trace::clean(own, 80), trace::clean(declared, 80));
        return Err(Error::new(Code::Corrupt, format!("manifest of {what} is served as {declared} but says {own}")));
    }
    let form = if lists { media::OCI_INDEX } else { media::OCI_MANIFEST };
    let name = own.map(str::to_owned).or(declared).unwrap_or_else(|| form.to_owned());
    let kind = match name.as_str() {
        media::OCI_MANIFEST | media::DOCKER_MANIFEST => Kind::Image,
        media::OCI_INDEX | media::DOCKER_INDEX => Kind::Index,
        _ => return Err(unsupported(&format!("of media type {name}"))),
    };
    if lists != (kind == Kind::Index) || (kind == Kind::Image && !holds) {
        return Err(Error::new(Code::Corrupt, format!("manifest of {what} is not the {name} that it says")));
    }
    Ok((name, kind))
}

/// A media type without its parameters.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, declared: Option<&str>) -> Result<(String, Kind), Code> {
        Manifest::parse("x", text.as_bytes().to_vec(), Digest::of(b""), declared)
            .map(|m| (m.media_type, m.kind))
            .map_err(|e| e.code)
    }

    #[test]
    fn media_types_are_told_and_checked() {
        let image = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        let docker = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{},"layers":[]}"#;
        for (text, declared, result) in [
            (image, None, Ok((media::OCI_MANIFEST.to_owned(), Kind::Image))),
            (index, None, Ok((media::OCI_INDEX.to_owned(), Kind::Index))),
            (index, Some(media::DOCKER_INDEX), Ok((media::DOCKER_INDEX.to_owned(), Kind::Index))),
            (docker, Some("application/json"), Ok((media::DOCKER_MANIFEST.to_owned(), Kind::Image))),
            (
                docker,
                Some("application/vnd.docker.distribution.manifest.v2+json; charset=utf-8"),
                Ok((media::DOCKER_MANIFEST.to_owned(), Kind::Image)),
            ),
            (docker, Some(media::OCI_MANIFEST), Err(Code::Corrupt)),
            (image, Some(media::OCI_INDEX), Err(Code::Corrupt)),
            (image, Some("application/vnd.cncf.helm.chart.v1+json"), Err(Code::Unsupported)),
            (
                r#"{"schemaVersion":1,"fsLayers":[]}"#,
                Some("application/vnd.docker.distribution.manifest.v1+prettyjws"),
                Err(Code::Unsupported),
            ),
            (r#"{"schemaVersion":2,"manifests":[],"layers":[],"config":{}}"#, None, Err(Code::Corrupt)),
            (
                r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]}"#,
                None,
                Err(Code::Unsupported),
            ),
            (r#"{"schemaVersion":2}"#, None, Err(Code::Corrupt)),
            ("[]", None, Err(Code::Unsupported)),
            ("{", None, Err(Code::Corrupt)),
        ] {
            assert_eq!(read(text, declared), result, "{text} as {declared:?}");
        }
    }

    #[test]
    fn the_digest_asked_for_counts_before_the_one_given() {
        let (good, bad) = (Digest::of(b"x"), Digest::of(b"y"));
        assert_eq!(verify("r", b"x", None, None).unwrap(), good);
        assert_eq!(verify("r", b"x", Some(&good), Some(bad.as_str())).unwrap(), good);
        assert_eq!(verify("r", b"x", Some(&bad), None).unwrap_err().code, Code::Corrupt);
        assert_eq!(verify("r", b"x", None, Some(bad.as_str())).unwrap_err().code, Code::Corrupt);
        assert_eq!(verify("r", b"x", None, Some("md5:1")).unwrap_err().code, Code::Corrupt);
        let long = format!("sha512:{}", "0".repeat(128));
        assert_eq!(verify("r", b"x", None, Some(&long)).unwrap_err().code, Code::Corrupt);
    }
}
