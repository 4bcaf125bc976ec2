//! From a manifest in the store to the `image` section of a document.

use crate::{Digest, Reference, Store};
use ctr_core::{Code, Error, Image, Layer, Map, Result, Value};

/// Largest manifest or index that is read, bytes (distribution-spec: registries accept at least 4 MiB).
pub const MAX_MANIFEST: u64 = 4 << 20;
/// Largest image config that is read, bytes.
pub const MAX_CONFIG: u64 = 8 << 20;

/// The media types of manifests and what they hold.
pub mod media_type {
    /// OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// OCI image config.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// OCI layer, a plain tar.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// OCI layer, gzip.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// OCI layer, zstd.
    pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// Docker image manifest, version 2 schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

    /// OCI's name of a layer's media type, where docker's is given: an OCI manifest has no others.
    pub fn oci_layer(media_type: &str) -> &str {
        match media_type {
            "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => OCI_LAYER_GZIP,
            "application/vnd.docker.image.rootfs.diff.tar.zstd" => OCI_LAYER_ZSTD,
            "application/vnd.docker.image.rootfs.diff.tar" | "application/vnd.docker.image.rootfs.foreign.diff.tar" => {
                OCI_LAYER
            }
            other => other,
        }
    }

    /// The media type of a layer that begins with `head` (RFC 1952, RFC 8878).
    pub fn of_layer(head: &[u8]) -> &'static str {
        match head {
            [0x1f, 0x8b, ..] => OCI_LAYER_GZIP,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => OCI_LAYER_ZSTD,
            _ => OCI_LAYER,
        }
    }
}

/// A blob that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its size, bytes.
    pub size: u64,
    /// What it holds.
    pub media_type: String,
}

impl Blob {
    /// Reads a descriptor.
    ///
    /// # Errors
    /// `corrupt` where it has not its form.
    pub fn of(descriptor: &Value) -> Result<Self> {
        let text = |key: &str| descriptor.get(key).and_then(Value::as_str).unwrap_or_default();
        let digest = Digest::parse(text("digest")).map_err(|e| Error::new(Code::Corrupt, e.message))?;
        // Sizes are 64-bit signed in the specification.
        let size = descriptor.get("size").and_then(Value::as_u64).filter(|size| i64::try_from(*size).is_ok());
        let size = size.ok_or_else(|| Error::new(Code::Corrupt, format!("no size for {digest}")))?;
        Ok(Self { digest, size, media_type: text("mediaType").to_owned() })
    }
}

fn parse(bytes: &[u8], what: &str, digest: &Digest) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|e| Error::new(Code::Corrupt, format!("{what} {digest}: {e}")))
}

fn manifest(store: &Store, descriptor: &Value) -> Result<(Digest, Value)> {
    let digest = Blob::of(descriptor)?.digest;
    let value = parse(&store.read_blob(&digest, MAX_MANIFEST)?, "manifest", &digest)?;
    Ok((digest, value))
}

fn layers_of(manifest: &Value) -> Result<Vec<Blob>> {
    let list = manifest.get("layers").and_then(Value::as_array);
    list.ok_or_else(|| Error::new(Code::Unsupported, "manifest has no layers: not an image manifest"))?
        .iter()
        .map(Blob::of)
        .collect()
}

/// The digest of the image config of the manifest that `descriptor` names: docker's image ID.
pub fn config_digest(store: &Store, descriptor: &Value) -> Result<Digest> {
    Ok(Blob::of(&manifest(store, descriptor)?.1["config"])?.digest)
}

/// Every blob of the image: the manifest itself, the config, the layers.
pub fn blobs_of(store: &Store, descriptor: &Value) -> Result<Vec<(Digest, u64)>> {
    let own = Blob::of(descriptor)?;
    let mut all = vec![(own.digest, own.size)];
    let (_, manifest) = manifest(store, descriptor)?;
    let config = Blob::of(&manifest["config"])?;
    all.push((config.digest, config.size));
    all.extend(layers_of(&manifest)?.into_iter().map(|b| (b.digest, b.size)));
    Ok(all)
}

/// The blobs of the image that are not in the store.
pub(crate) fn missing_blobs(store: &Store, descriptor: &Value) -> Result<Vec<Digest>> {
    let own = Blob::of(descriptor)?;
    if !store.has_blob(&own.digest, own.size) {
        return Ok(vec![own.digest]);
    }
    let all = blobs_of(store, descriptor)?;
    Ok(all.into_iter().filter(|(digest, size)| !store.has_blob(digest, *size)).map(|(digest, _)| digest).collect())
}

impl Store {
    /// The `image` section for a reference; `None` where the store does not have it.
    pub fn image(&self, reference: &Reference) -> Result<Option<Image>> {
        match self.descriptor(reference)? {
            Some(descriptor) => self.image_of(Some(reference), &descriptor).map(Some),
            None => Ok(None),
        }
    }

    /// The `image` section for the manifest of `descriptor`, whose manifest and config are in the store.
    /// Without a reference the image is named by its id.
    ///
    /// # Errors
    /// `corrupt` where manifest and config do not fit each other, `unsupported` where it is no image.
    pub fn image_of(&self, reference: Option<&Reference>, descriptor: &Value) -> Result<Image> {
        let (digest, manifest) = manifest(self, descriptor)?;
        let config = Blob::of(&manifest["config"])?;
        let bytes = self.read_blob(&config.digest, MAX_CONFIG)?;
        let image = self.section(reference, descriptor, &config.digest, &bytes, &layers_of(&manifest)?);
        image.map_err(|e| Error { message: format!("manifest {digest}: {}", e.message), ..e })
    }

    /// The `image` section: what the manifest of `descriptor` says of its layers, and its config, `id` with its bytes,
    /// put together. Nothing of it need be in the store; a layer that is unpacked bears its path.
    ///
    /// # Errors
    /// `corrupt` where the config has not its form, or does not fit the layers.
    pub fn section(
        &self,
        reference: Option<&Reference>,
        descriptor: &Value,
        id: &Digest,
        config: &[u8],
        layers: &[Blob],
    ) -> Result<Image> {
        let corrupt = |why: String| Error::new(Code::Corrupt, format!("its config: {why}"));
        let config: Value = serde_json::from_slice(config).map_err(|e| corrupt(format!("not JSON: {e}")))?;
        // An image without layers has no list.
        let diff_ids = config["rootfs"]["diff_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
        if diff_ids.len() != layers.len() {
            return Err(corrupt(format!("{} diff_ids for {} layers", diff_ids.len(), layers.len())));
        }
        let layers = layers.iter().zip(diff_ids).map(|(blob, diff_id)| {
            let diff_id = Digest::parse(diff_id.as_str().unwrap_or_default()).map_err(|e| corrupt(e.message))?;
            let tree = self.layer_path(&diff_id);
            Ok(Layer {
                digest: blob.digest.to_string(),
                diff_id: diff_id.to_string(),
                media_type: blob.media_type.clone(),
                size: blob.size,
                path: tree.exists().then(|| tree.to_string_lossy().into_owned()),
            })
        });
        Ok(Image {
            reference: reference.map_or_else(|| id.to_string(), Reference::to_string),
            manifest: descriptor.clone(),
            id: Some(id.to_string()),
            layers: layers.collect::<Result<_>>()?,
            config,
            rest: Map::new(),
        })
    }
}
