//! From a reference to the manifest of one image: through an index, by platform.

use crate::content::Source;
use ctr_core::{Code, Error, Result, Value, json};
use ctr_registry::{Kind, Manifest};
use ctr_store::{Digest, MAX_MANIFEST, Platform, Reference};

/// Most indexes within indexes.
const MAX_DEPTH: usize = 4;
/// The manifest of one image and how it was found.
pub(crate) struct Resolved {
    pub manifest: Manifest,
    /// Its descriptor, with the platform where an index gives one.
    pub descriptor: Value,
    /// The digest by which the registry served the reference: the index's, where there is one.
    pub source: Digest,
}

/// Asks what `reference` means and chooses the image for `platform`.
pub(crate) fn resolve(source: &Source, reference: &Reference, platform: &Platform) -> Result<Resolved> {
    let mut manifest = source.session.manifest(reference)?;
    let served = manifest.digest.clone();
    let mut chosen = json!({});
    for _ in 0..MAX_DEPTH {
        if manifest.kind == Kind::Image {
            let mut descriptor = json!({
                "mediaType": manifest.media_type,
                "digest": manifest.digest.as_str(),
                "size": manifest.bytes.len(),
            });
            if let Some(platform) = chosen.get("platform") {
                descriptor["platform"] = platform.clone();
            }
            return Ok(Resolved { manifest, descriptor, source: served });
        }
        chosen = platform.select(&manifest.value, &reference.to_string())?.clone();
        manifest = child(source, reference, &chosen)?;
    }
    Err(Error::new(Code::Unsupported, format!("{reference} is an index of indexes, more than {MAX_DEPTH} deep")))
}

/// The manifest that an index names: from the store if it is there.
fn child(source: &Source, reference: &Reference, entry: &Value) -> Result<Manifest> {
    let corrupt = |why: String| Error::new(Code::Corrupt, format!("index of {reference}: {why}"));
    let text = entry.get("digest").and_then(Value::as_str).unwrap_or_default();
    let digest = Digest::parse(text).map_err(|e| corrupt(e.message))?;
    let size = entry.get("size").and_then(Value::as_u64);
    let size = size.ok_or_else(|| corrupt(format!("no size for manifest {digest}")))?;
    if size > MAX_MANIFEST {
        let message = format!("manifest {digest} of {reference} is larger than {} MiB", MAX_MANIFEST >> 20);
        return Err(Error::new(Code::Limit, message));
    }
    let declared = entry.get("mediaType").and_then(Value::as_str);
    if source.store.has_blob(&digest, size)
        && let Ok(bytes) = source.store.read_blob(&digest, MAX_MANIFEST)
    {
        return Manifest::parse(&reference.to_string(), bytes, digest, declared);
    }
    let named = Reference { tag: None, digest: Some(digest.clone()), ..reference.clone() };
    let manifest = source.session.manifest(&named)?;
    if manifest.bytes.len() as u64 != size {
        return Err(corrupt(format!("manifest {digest} has {} bytes, not {size}", manifest.bytes.len())));
    }
    if declared.is_some_and(|declared| declared != manifest.media_type) {
        return Err(corrupt(format!("manifest {digest} is of another media type than it says")));
    }
    Ok(manifest)
}
