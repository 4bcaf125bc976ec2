//! What a manifest and its config say of an image, checked before any layer is fetched.

use ctr_core::{Code, Error, Image, Layer, Map, Result, Value};
use ctr_registry::Manifest;
use ctr_store::{Digest, MAX_CONFIG, Store, media_type as media};

/// The config's media types: OCI's and docker's.
const CONFIGS: &[&str] = &[media::OCI_CONFIG, "application/vnd.docker.container.image.v1+json"];
/// The layers' media types: plain, gzip and zstd tar, OCI's and docker's.
const LAYERS: &[&str] = &[
    media::OCI_LAYER,
    media::OCI_LAYER_GZIP,
    media::OCI_LAYER_ZSTD,
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// A blob that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub digest: Digest,
    pub size: u64,
    pub media_type: String,
}

/// The blobs of an image: its config and its layers, lowest first.
#[derive(Debug)]
pub(crate) struct Blobs {
    pub config: Blob,
    pub layers: Vec<Blob>,
}

impl Blobs {
    /// Reads them from the manifest of `name`.
    ///
    /// # Errors
    /// `corrupt` where a descriptor is none, `unsupported` for media types that are no container image's,
    /// `limit` for a config over 8 MiB.
    pub fn of(name: &str, manifest: &Manifest) -> Result<Self> {
        let corrupt = |why: &str| Error::new(Code::Corrupt, format!("manifest of {name}: {why}"));
        let config = blob(name, manifest.value.get("config").ok_or_else(|| corrupt("no config"))?)?;
        if !CONFIGS.contains(&config.media_type.as_str()) {
            return Err(
                unsupported(name, "config", &config.media_type).hint("it is an artifact, not a container image")
            );
        }
        if config.size > MAX_CONFIG {
            return Err(Error::new(Code::Limit, format!("config of {name} is larger than {} MiB", MAX_CONFIG >> 20)));
        }
        let layers = manifest.value.get("layers").and_then(Value::as_array);
        let layers: Vec<Blob> =
            layers.ok_or_else(|| corrupt("no layers"))?.iter().map(|l| blob(name, l)).collect::<Result<_>>()?;
        for layer in &layers {
            let kind = layer.media_type.as_str();
            if kind.contains("nondistributable") || kind.contains(".foreign.") {
                return Err(unsupported(name, "layer", kind).hint("a registry does not hold such layers"));
            }
            if !LAYERS.contains(&kind) {
                return Err(unsupported(name, "layer", kind));
            }
        }
        Ok(Self { config, layers })
    }
}

/// The section `image` of the document: manifest and config put together. Layers that are unpacked bear their path.
pub(crate) fn section(name: &str, descriptor: &Value, blobs: &Blobs, config: &[u8], store: &Store) -> Result<Image> {
    let corrupt = |why: String| Error::new(Code::Corrupt, format!("config of {name}: {why}"));
    let config: Value = serde_json::from_slice(config).map_err(|e| corrupt(format!("not JSON: {e}")))?;
    let diff_ids = config.get("rootfs").and_then(|r| r.get("diff_ids")).and_then(Value::as_array);
    let diff_ids = diff_ids.ok_or_else(|| corrupt("no rootfs.diff_ids".to_owned()))?;
    if diff_ids.len() != blobs.layers.len() {
        return Err(corrupt(format!("{} diff_ids for {} layers", diff_ids.len(), blobs.layers.len())));
    }
    let layers = blobs.layers.iter().zip(diff_ids).map(|(blob, diff_id)| {
        let diff_id = Digest::parse(diff_id.as_str().unwrap_or_default()).map_err(|e| corrupt(e.message))?;
        let tree = store.layer_path(&diff_id);
        Ok(Layer {
            digest: blob.digest.to_string(),
            diff_id: diff_id.to_string(),
            media_type: blob.media_type.clone(),
            size: blob.size,
            path: tree.exists().then(|| tree.to_string_lossy().into_owned()),
        })
    });
    let layers = layers.collect::<Result<_>>()?;
    Ok(Image {
        reference: name.to_owned(),
        manifest: descriptor.clone(),
        id: Some(blobs.config.digest.to_string()),
        config,
        layers,
        rest: Map::new(),
    })
}

fn blob(name: &str, descriptor: &Value) -> Result<Blob> {
    let corrupt = |why: String| Error::new(Code::Corrupt, format!("manifest of {name}: {why}"));
    let text = |key: &str| descriptor.get(key).and_then(Value::as_str).unwrap_or_default();
    let digest = Digest::parse(text("digest")).map_err(|e| corrupt(e.message))?;
    // Sizes are 64-bit signed in the specification.
    let size = descriptor.get("size").and_then(Value::as_u64).filter(|size| i64::try_from(*size).is_ok());
    let size = size.ok_or_else(|| corrupt(format!("no size for {digest}")))?;
    Ok(Blob { digest, size, media_type: text("mediaType").to_owned() })
}

fn unsupported(name: &str, what: &str, media_type: &str) -> Error {
    let shown: String = media_type.chars().filter(|c| !c.is_control()).take(80).collect();
    Error::new(Code::Unsupported, format!("{what} of {name} has media type {shown:?}, which is not supported"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctr_core::json;

    fn descriptor(media_type: &str, size: u64) -> Value {
        json!({"mediaType": media_type, "digest": Digest::of(b"").as_str(), "size": size})
    }

    fn blobs(config: Value, layers: &[Value]) -> Result<Blobs> {
        let value = json!({"schemaVersion": 2, "config": config, "layers": layers});
        let bytes = value.to_string().into_bytes();
        Blobs::of("x", &Manifest::parse("x", bytes, Digest::of(b""), None)?)
    }

    #[test]
    fn only_container_images_pass() {
        let config = || descriptor(media::OCI_CONFIG, 10);
        assert_eq!(blobs(config(), &[descriptor(media::OCI_LAYER_ZSTD, 1)]).unwrap().layers.len(), 1);
        assert_eq!(blobs(config(), &[]).unwrap().layers.len(), 0);
        for (config, layer, code) in [
            (
                descriptor("application/vnd.cncf.helm.config.v1+json", 1),
                descriptor(media::OCI_LAYER, 1),
                Code::Unsupported,
            ),
            (
                config(),
                descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", 1),
                Code::Unsupported,
            ),
            (config(), descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", 1), Code::Unsupported),
            (config(), descriptor("text/plain", 1), Code::Unsupported),
            (descriptor(media::OCI_CONFIG, MAX_CONFIG + 1), descriptor(media::OCI_LAYER, 1), Code::Limit),
            (
                config(),
                json!({"mediaType": media::OCI_LAYER, "digest": Digest::of(b"").as_str(), "size": -1}),
                Code::Corrupt,
            ),
            (config(), json!({"mediaType": media::OCI_LAYER, "digest": "sha256:../../x", "size": 1}), Code::Corrupt),
        ] {
            assert_eq!(blobs(config, &[layer]).unwrap_err().code, code);
        }
    }
}
