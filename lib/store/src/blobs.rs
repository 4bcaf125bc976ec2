//! Blobs of the layout: where they are, whether they are there, reading and writing small ones.

use crate::{Digest, Ingest, writers};
use ctr_core::{Cannot, Code, Error, Result, files, paths, trace};
use serde_json::json;
use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::PathBuf,
};

/// The store under `CTR_ROOT`. Holds nothing open: any number of processes use it at once.
#[derive(Clone, Debug)]
pub struct Store {
    images: PathBuf,
}

impl Store {
    /// Opens the store, making an empty layout where there is none.
    ///
    /// # Errors
    /// `denied` where the root cannot be written, `unsupported` where a layout of another version is there.
    pub fn open() -> Result<Self> {
        let store = Self { images: paths::images() };
        let marker = store.images.join("oci-layout");
        match fs::read_to_string(&marker) {
            Ok(text) => {
                let version = serde_json::from_str::<serde_json::Value>(&text)
                    .ok()
                    .and_then(|v| Some(v.get("imageLayoutVersion")?.as_str()?.to_owned()));
                match version.as_deref() {
                    Some("1.0.0") => Ok(store),
                    _ => Err(Error::new(
                        Code::Unsupported,
                        format!("{} is not an OCI image layout of version 1.0.0", store.images.display()),
                    )),
                }
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                if !trace::dry_run() {
                    files::make_dir(&store.images.join("blobs/sha256"))?;
                    files::replace(&marker, b"{\"imageLayoutVersion\":\"1.0.0\"}", false)?;
                }
                Ok(store)
            }
            Err(e) => Err(e).cannot(|| format!("open the image store {}", store.images.display())),
        }
    }

    #[cfg(test)]
    pub(crate) fn at(images: PathBuf) -> Self {
        Self { images }
    }

    /// The directory of the layout.
    pub fn images(&self) -> &PathBuf {
        &self.images
    }

    /// Where the blob is or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.images.join("blobs").join(digest.algorithm()).join(digest.hex())
    }

    /// Whether the blob is there with its size. Its bytes were verified when it was written.
    pub fn has_blob(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.blob_path(digest)).is_ok_and(|m| m.is_file() && m.len() == size)
    }

    /// Where the unpacked tree of the layer with this diffId is or would be.
    pub fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        paths::layers().join(diff_id.algorithm()).join(diff_id.hex())
    }

    /// Begins (or resumes) writing the blob; `None` if it is there. Waits while another process writes the same blob.
    pub fn ingest(&self, digest: &Digest, size: u64) -> Result<Option<Ingest>> {
        writers::writing()?;
        Ingest::open(self, digest, size)
    }

    /// Writes a small blob; gives its sha256.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest> {
        writers::writing()?;
        let digest = Digest::of(bytes);
        if self.has_blob(&digest, bytes.len() as u64) {
            return Ok(digest);
        }
        let path = self.blob_path(&digest);
        trace::act(
            "blob",
            || json!({"digest": digest.as_str(), "size": bytes.len()}),
            || {
                files::make_dir(path.parent().unwrap_or(&self.images))?;
                files::replace(&path, bytes, true)
            },
        )?;
        Ok(digest)
    }

    /// Reads a blob of at most `max` bytes and verifies it.
    ///
    /// # Errors
    /// `not-found`, `limit` over `max`, `corrupt` where the bytes are not those of the digest.
    pub fn read_blob(&self, digest: &Digest, max: u64) -> Result<Vec<u8>> {
        let path = self.blob_path(digest);
        let file = File::open(&path).cannot(|| format!("open blob {digest}"))?;
        let mut bytes = Vec::new();
        file.take(max + 1).read_to_end(&mut bytes).cannot(|| format!("read blob {digest}"))?;
        if bytes.len() as u64 > max {
            return Err(Error::new(Code::Limit, format!("blob {digest} is larger than {max} bytes")));
        }
        if !digest.is_of(&bytes) {
            return Err(Error::new(Code::Corrupt, format!("blob {digest} in the store has other bytes"))
                .hint("remove the image and pull it again"));
        }
        Ok(bytes)
    }
}
