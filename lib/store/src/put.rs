//! Writing a new image into the store: its config and its manifest.

use crate::{Digest, Reference, Store, media_type};
use ctr_core::{Code, Error, Image, Result, Value, json};

impl Store {
    /// Writes the config and an OCI manifest of `layers` (descriptors of blobs in the store, lowest first), and makes
    /// `reference` mean the image; without one it is kept dangling. Gives the image section.
    ///
    /// # Errors
    /// `busy` where a removal took a blob meanwhile.
    pub fn put_image(&self, reference: Option<&Reference>, config: &[u8], layers: &[Value]) -> Result<Image> {
        let id = self.put_blob(config)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": {"mediaType": media_type::OCI_CONFIG, "digest": id.as_str(), "size": config.len()},
            "layers": layers,
        })
        .to_string();
        let digest = self.put_blob(manifest.as_bytes())?;
        let descriptor =
            json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest.as_str(), "size": manifest.len()});
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
