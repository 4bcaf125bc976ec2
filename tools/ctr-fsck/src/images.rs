//! References: whether each leads to a manifest, a config and layers that are there.

use crate::{
    bytes::Layers,
    finding::{Finding, Kind, State},
    repair::UNREAD,
};
use ctr_core::{Code, Error, Layer, Lock, Result};
use ctr_store::{Blob, Digest, Entry, Reference, Store, blobs_of};
use std::{collections::BTreeMap, fs};

/// What images need.
#[derive(Default)]
pub(crate) struct Images {
    pub(crate) findings: Vec<Finding>,
    /// Images by manifest.
    pub(crate) count: usize,
    /// Every blob that one names, with its size and who names it.
    pub(crate) needs: BTreeMap<Digest, (u64, Vec<String>)>,
    /// The blobs that each tree is of.
    pub(crate) layers: Layers,
    /// Whether all that images name is known.
    pub(crate) is_whole: bool,
}

/// What people call an image.
pub(crate) fn name_of(entry: &Entry) -> String {
    entry.reference().or(entry.id()).or(entry.digest()).unwrap_or("an image").to_owned()
}

impl Images {
    /// Reads the index and every manifest and config, under the lock of the store: so no removal is half seen.
    pub(crate) fn read(store: &Store) -> Result<Self> {
        let mut images = Self { is_whole: true, ..Self::default() };
        let _lock = Lock::store()?;
        let entries = match store.entries() {
            Ok(entries) => entries,
            Err(e) if e.code == Code::Corrupt => {
                images.is_whole = false;
                let path = store.images().join("index.json");
                images.findings.push(Finding::new(State::Torn, Kind::Index, "index.json", e.message).at(path));
                return Ok(images);
            }
            Err(e) => return Err(e),
        };
        let mut digests = Vec::new();
        for entry in &entries {
            if !digests.contains(&entry.digest()) {
                digests.push(entry.digest());
            }
            if let Err(e) = images.one(store, entry) {
                // Else it is the disk that fails, or this process that has not what it takes.
                let is_torn = matches!(e.code, Code::Corrupt | Code::Invalid | Code::NotFound | Code::Unsupported);
                let repair = (!is_torn).then(|| UNREAD.to_owned());
                images
                    .findings
                    .push(Finding { repair, ..Finding::new(State::Torn, Kind::Image, name_of(entry), e.message) });
            }
        }
        images.count = digests.len();
        for (digest, (size, of)) in &images.needs {
            let path = store.blob_path(digest);
            match fs::symlink_metadata(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    let finding = Finding::new(State::Missing, Kind::Blob, digest.as_str(), "it is not in the store");
                    images.findings.push(finding.at(path).of(of.clone()));
                }
                Ok(meta) if meta.is_file() && meta.len() == *size => {}
                other => {
                    let repair = other.is_err().then(|| UNREAD.to_owned());
                    let what =
                        other.map_or_else(|e| e.to_string(), |meta| format!("it has {} bytes, not {size}", meta.len()));
                    let finding = Finding::new(State::Torn, Kind::Blob, digest.as_str(), what);
                    images.findings.push(Finding { repair, ..finding }.at(path).of(of.clone()));
                }
            }
        }
        Ok(images)
    }

    /// Notes what one image needs.
    ///
    /// # Errors
    /// What is wrong with the image itself; that a blob is missing or torn is found of the blob.
    fn one(&mut self, store: &Store, entry: &Entry) -> Result<()> {
        let descriptor = entry.plain_descriptor();
        let own = Blob::of(&descriptor)?;
        let name = name_of(entry);
        self.need(own.digest, own.size, &name);
        let blobs = match blobs_of(store, &descriptor) {
            // Found of the blob, and what else the image has is not known.
            Err(e) if is_of_blob(&e) => {
                self.is_whole = false;
                return Ok(());
            }
            other => other.inspect_err(|_| self.is_whole = false)?,
        };
        for (digest, size) in blobs {
            self.need(digest, size, &name);
        }
        entry.reference().map_or(Ok(()), |reference| Reference::parse(reference).map(drop))?;
        match store.image_of(None, &descriptor) {
            Err(e) if is_of_blob(&e) => {
                // The trees that it has are not known.
                self.is_whole = false;
                Ok(())
            }
            other => {
                let layers = other.and_then(|image| image.layers.iter().map(of_layer).collect::<Result<Vec<_>>>());
                for (diff_id, blob) in layers.inspect_err(|_| self.is_whole = false)? {
                    self.layers.entry(diff_id).or_default().push(blob);
                }
                Ok(())
            }
        }
    }

    fn need(&mut self, digest: Digest, size: u64, name: &str) {
        let (_, of) = self.needs.entry(digest).or_insert((size, Vec::new()));
        if !of.iter().any(|known| known == name) {
            of.push(name.to_owned());
        }
    }
}

/// A layer's diffId and its blob.
pub(crate) fn of_layer(layer: &Layer) -> Result<(Digest, Digest)> {
    Ok((Digest::parse(&layer.diff_id)?, Digest::parse(&layer.digest)?))
}

/// Whether a blob is missing, or has other bytes than its digest says.
fn is_of_blob(e: &Error) -> bool {
    e.code == Code::NotFound || (e.code == Code::Corrupt && e.message.contains("has other bytes"))
}
