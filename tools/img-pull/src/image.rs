//! What a manifest and its config say of an image, checked before any layer is fetched.

use ctr_core::{Code, Error, Result, Value, trace};
use ctr_registry::Manifest;
use ctr_store::{Blob, MAX_CONFIG, media_type as media};

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

fn blob(name: &str, descriptor: &Value) -> Result<Blob> {
    Blob::of(descriptor).map_err(|e| Error { message: format!("manifest of {name}: {}", e.message), ..e })
}

fn unsupported(name: &str, what: &str, media_type: &str) -> Error {
    let shown = trace::clean(media_type, 80);
    Error::new(Code::Unsupported, format!("{what} of {name} has media type {shown:?}, which is not supported"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctr_core::json;
    use ctr_store::Digest;

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
