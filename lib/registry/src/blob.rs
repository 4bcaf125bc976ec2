//! Blobs of any size: streamed to the store, resumed where the connection broke.

use crate::{
    Access, Session,
    failure::{Failure, Retry},
    retry::Backoff,
    session::Call,
};
use ctr_core::{Code, Error, Result};
use ctr_store::{Digest, Hasher, Ingest};
use std::io::{Read, Write};
use ureq::http::{HeaderMap, Method, StatusCode, header};

/// What is read, hashed and written at once, bytes.
const CHUNK: usize = 256 << 10;

impl Session {
    /// Streams the blob into `ingest`, from its offset to its `size`; the caller commits, which verifies it.
    /// `moved` is told the offset after each piece.
    ///
    /// # Errors
    /// `not-found`, `unauthorized`, `network`, `corrupt` where the registry's length is not `size`, and those of
    /// writing (`limit` where the disk is full: what was written is then given back). What came stays to be resumed.
    pub fn blob(
        &self,
        repository: &str,
        digest: &Digest,
        size: u64,
        ingest: &mut Ingest,
        moved: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let mut backoff = Backoff::new(self.notice());
        let mut furthest = ingest.offset();
        let mut ranges = true;
        let mut buffer = vec![0; CHUNK];
        while ingest.offset() < size {
            let mut stream =
                Stream { session: self, repository, digest, size, ranges: &mut ranges, buffer: &mut buffer };
            if let Err(failure) = stream.run(ingest, moved) {
                // Only new ground counts as progress, or a server that always breaks off could hold us for ever.
                if ingest.offset() > furthest {
                    furthest = ingest.offset();
                    backoff.reset();
                }
                backoff.wait(failure)?;
            }
        }
        Ok(())
    }
}

impl Session {
    /// A small blob in memory, verified: an image config.
    ///
    /// # Errors
    /// As for [`Session::blob`], and `corrupt` where the digest differs. `size` must have been bounded by the caller.
    pub fn small_blob(&self, repository: &str, digest: &Digest, size: u64) -> Result<Vec<u8>> {
        let what = format!("blob {digest} of {repository}");
        let bytes = self.retrying(|| {
            let answer = self.send(&Call {
                what: &what,
                method: Method::GET,
                path: format!("/v2/{repository}/blobs/{digest}"),
                access: Access::pull(repository),
                headers: &[],
            })?;
            let host = answer.origin.authority();
            let mut bytes = Vec::new();
            let mut reader = answer.response.into_body().into_reader().take(size + 1);
            reader.read_to_end(&mut bytes).map_err(|e| Failure::transport(&host, e.into()))?;
            Ok(bytes)
        })?;
        let mut hasher = Hasher::new(digest);
        hasher.update(&bytes);
        if bytes.len() as u64 != size || hasher.finish() != *digest {
            return Err(Error::new(Code::Corrupt, format!("{what}: {} sends other bytes", self.host())));
        }
        Ok(bytes)
    }
}

struct Stream<'a> {
    session: &'a Session,
    repository: &'a str,
    digest: &'a Digest,
    size: u64,
    /// Whether the server is believed to serve ranges.
    ranges: &'a mut bool,
    buffer: &'a mut [u8],
}

impl Stream<'_> {
    /// One request, and its body as far as it comes.
    fn run(&mut self, ingest: &mut Ingest, moved: &mut dyn FnMut(u64)) -> Result<(), Failure> {
        if !*self.ranges && ingest.offset() > 0 {
            ingest.restart()?;
        }
        let from = ingest.offset();
        let range = [(header::RANGE, format!("bytes={from}-"))];
        let what = format!("blob {} of {}", self.digest, self.repository);
        let answer = self.session.send(&Call {
            what: &what,
            method: Method::GET,
            path: format!("/v2/{}/blobs/{}", self.repository, self.digest),
            access: Access::pull(self.repository),
            headers: if from > 0 { &range } else { &[] },
        });
        let answer = match answer {
            // The blob goes on there by its size: this server does not mean ranges as we do.
            Err(failure) if failure.status == Some(StatusCode::RANGE_NOT_SATISFIABLE) && from > 0 => {
                return self.without_ranges(ingest);
            }
            other => other?,
        };
        let host = answer.origin.authority();
        let (parts, body) = answer.response.into_parts();
        if from > 0 {
            match parts.status {
                StatusCode::PARTIAL_CONTENT if range_fits(&parts.headers, from, self.size) => {}
                StatusCode::PARTIAL_CONTENT => return self.without_ranges(ingest),
                // The whole blob again: a server may pass over Range (RFC 9110, 14.2).
                _ => {
                    *self.ranges = false;
                    ingest.restart()?;
                    moved(0);
                }
            }
        }
        let left = self.size - ingest.offset();
        if let Some(length) = body.content_length()
            && parts.status != StatusCode::PARTIAL_CONTENT
            && length != left
        {
            return Err(self.wrong_length(&what, &host, &length.to_string()));
        }
        let mut reader = body.into_reader();
        loop {
            let n = reader.read(self.buffer).map_err(|e| Failure::transport(&host, e.into()))?;
            let left = self.size - ingest.offset();
            if n as u64 > left {
                return Err(self.wrong_length(&what, &host, &format!("more than {}", self.size)));
            }
            if n == 0 {
                // Read to its end, the connection serves the next request.
                return match left {
                    0 => Ok(()),
                    _ => Err(Failure::network(
                        format!("{what}: {host} broke off after {} of {} bytes", ingest.offset(), self.size),
                        Retry::Soon,
                    )),
                };
            }
            ingest.write_all(&self.buffer[..n]).map_err(|e| unwritten(ingest, &what, &e))?;
            moved(ingest.offset());
        }
    }

    fn without_ranges(&mut self, ingest: &mut Ingest) -> Result<(), Failure> {
        *self.ranges = false;
        ingest.restart()?;
        Ok(())
    }

    fn wrong_length(&self, what: &str, host: &str, length: &str) -> Failure {
        Error::new(Code::Corrupt, format!("{what}: {host} sends {length} bytes, its manifest says {}", self.size))
            .into()
    }
}

/// A full disk is not left full: what this blob took of it is given back.
fn unwritten(ingest: &mut Ingest, what: &str, e: &std::io::Error) -> Failure {
    let error = Error::io(format!("write {what}"), e);
    if error.code == Code::Limit {
        let _ = ingest.restart();
    }
    error.into()
}

/// Whether `Content-Range` is `bytes FROM-LAST/SIZE`, LAST within SIZE (RFC 9110, 14.4).
fn range_fits(headers: &HeaderMap, from: u64, size: u64) -> bool {
    let value = headers.get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let parts = || -> Option<(u64, u64, &str)> {
        let (range, whole) = value.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some((first.trim().parse().ok()?, last.trim().parse().ok()?, whole.trim()))
    };
    match parts() {
        Some((first, last, whole)) => {
            first == from && (first..size).contains(&last) && (whole == "*" || whole.parse() == Ok(size))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_must_begin_where_we_stopped() {
        for (value, fits) in [
            ("bytes 10-99/100", true),
            ("bytes 10-99/*", true),
            ("bytes 10-50/100", true),
            ("bytes 0-99/100", false),
            ("bytes 11-99/100", false),
            ("bytes 10-100/101", false),
            ("bytes 10-99/200", false),
            ("bytes 10-9/100", false),
            ("bytes */100", false),
            ("", false),
            ("bytes 10-99", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_RANGE, value.parse().unwrap());
            assert_eq!(range_fits(&headers, 10, 100), fits, "{value}");
        }
        assert!(!range_fits(&HeaderMap::new(), 10, 100));
    }
}
