//! Writing a new image into the store: its new layers, its config and its manifest.

use crate::{Digest, Reference, Spooled, Spools, Store, media_type, spool};
use ctr_core::{Code, Error, Image, Result, Value, json};

impl Store {
    /// Writes the config and an OCI manifest of `layers` (descriptors of blobs, lowest first), publishes them with `new`,
    /// those of the layers that are spooled and not blobs yet, and makes `reference` mean the image; without one it is
    /// kept dangling. Gives the image section.
    ///
    /// # Errors
    /// `busy` where a removal took a blob meanwhile.
    pub fn put_image(
        &self,
        spools: &Spools,
        reference: Option<&Reference>,
        config: &[u8],
        layers: &[Value],
        mut new: Vec<Spooled>,
    ) -> Result<Image> {
        let id = spools.bytes(config)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": {"mediaType": media_type::OCI_CONFIG, "digest": id.digest().as_str(), "size": id.size()},
            "layers": layers,
        });
        let manifest = spools.bytes(manifest.to_string().as_bytes())?;
        let (digest, size) = (manifest.digest().as_str(), manifest.size());
        let descriptor = json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": size});
        new.extend([id, manifest]);
        spool::publish(self, &mut new)?;
        self.enter_image(reference, &descriptor, None)
    }

    /// Makes `reference` mean the image of `descriptor`, whose blobs are all there; without one it is kept dangling.
    /// `source` is the digest by which it was served. Gives the image section.
    ///
    /// # Errors
    /// `busy` where a removal took a blob meanwhile, `corrupt` where manifest and config do not fit.
    pub fn enter_image(
        &self,
        reference: Option<&Reference>,
        descriptor: &Value,
        source: Option<&Digest>,
    ) -> Result<Image> {
        let image = self.image_of(reference, descriptor)?;
        let missing = match reference {
            Some(reference) => self.tag(reference, descriptor, source)?,
            None => self.keep(descriptor)?,
        };
        match missing.first() {
            None => Ok(image),
            Some(digest) if self.blob_path(digest).exists() => {
                Err(Error::new(Code::Corrupt, format!("blob {digest} has not the size that the manifest says")))
            }
            Some(digest) => {
                Err(Error::new(Code::Busy, format!("blob {digest} was removed meanwhile")).hint("try again"))
            }
        }
    }
}
