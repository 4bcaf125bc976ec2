//! Content digests (image-spec, descriptor.md, Digests): `sha256:` and `sha512:`.

use ctr_core::{Code, Error, Result, ident};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};
use std::{fmt, io};

/// A digest whose algorithm is known and whose hex part has its length: safe as part of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest {
    text: String,
    colon: usize,
}

impl Digest {
    /// Parses `algorithm:hex`, lower case.
    ///
    /// # Errors
    /// `invalid` where it has not that form, `unsupported` for other algorithms.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || Error::new(Code::Invalid, format!("digest {text:?} is not sha256:<64 hex digits>"));
        let (algorithm, hex) = text.split_once(':').ok_or_else(invalid)?;
        let length = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => {
                return Err(Error::new(
                    Code::Unsupported,
                    format!("digest {text:?}: algorithm is not sha256 or sha512"),
                ));
            }
        };
        if hex.len() != length || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(invalid());
        }
        Ok(Self { text: text.to_owned(), colon: algorithm.len() })
    }

    /// The sha256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::sha256();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Whether it is the digest of `bytes`.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish() == *self
    }

    /// `sha256` or `sha512`.
    pub fn algorithm(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The hex digits.
    pub fn hex(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// `algorithm:hex`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.text
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

/// Hashes as bytes go by; also an [`io::Write`] that only hashes.
#[derive(Clone)]
pub struct Hasher(Kind);

#[derive(Clone)]
enum Kind {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher of sha256.
    pub fn sha256() -> Self {
        Self(Kind::Sha256(Sha256::new()))
    }

    /// A hasher of the algorithm of `digest`.
    pub fn new(digest: &Digest) -> Self {
        match digest.algorithm() {
            "sha512" => Self(Kind::Sha512(Sha512::new())),
            _ => Self::sha256(),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Kind::Sha256(h) => h.update(bytes),
            Kind::Sha512(h) => h.update(bytes),
        }
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> Digest {
        let (algorithm, hex) = match self.0 {
            Kind::Sha256(h) => ("sha256", ident::hex(&h.finalize())),
            Kind::Sha512(h) => ("sha512", ident::hex(&h.finalize())),
        };
        Digest { text: format!("{algorithm}:{hex}"), colon: algorithm.len() }
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_only_what_is_safe_in_a_path() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").as_str(), empty);
        assert_eq!(Digest::parse(empty).unwrap().hex().len(), 64);
        assert!(Digest::of(b"a").is_of(b"a") && !Digest::of(b"a").is_of(b"b"));
        for bad in ["", "sha256:", "sha256:../../../../etc/passwd", &empty.to_uppercase(), &empty[..70], "md5:00"] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
    }
}
