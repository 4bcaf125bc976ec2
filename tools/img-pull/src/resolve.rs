//! From a reference to the manifest of one image: through an index, by platform.

use crate::{content::Source, platform::Platform};
use ctr_core::{Code, Error, Result, Value, json};
use ctr_registry::{Kind, Manifest};
use ctr_store::{Digest, MAX_MANIFEST, Reference};

/// Most indexes within indexes.
const MAX_DEPTH: usize = 4;
/// Most platforms that an error lists.
const MAX_LISTED: usize = 16;

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
        chosen = choose(&manifest.value, reference, platform)?.clone();
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

/// The entry of an index for `platform`; the first of the best.
fn choose<'a>(index: &'a Value, reference: &Reference, platform: &Platform) -> Result<&'a Value> {
    let entries = index.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let with_platform: Vec<(Platform, &Value)> =
        entries.iter().filter_map(|entry| Some((Platform::of(entry.get("platform")?)?, entry))).collect();
    let best = with_platform
        .iter()
        .filter_map(|(offered, entry)| Some((platform.rank(offered)?, *entry)))
        .min_by_key(|(rank, _)| *rank);
    if let Some((_, entry)) = best {
        return Ok(entry);
    }
    if let ([entry], true) = (entries, with_platform.is_empty()) {
        // One image of which no platform is said: there is nothing to choose, and its config will tell.
        return Ok(entry);
    }
    let mut offered: Vec<String> = with_platform.iter().map(|(p, _)| p.to_string()).collect();
    offered.sort();
    offered.dedup();
    let more = offered.len().saturating_sub(MAX_LISTED);
    offered.truncate(MAX_LISTED);
    let list = match (offered.is_empty(), more) {
        (true, _) => "none at all".to_owned(),
        (false, 0) => offered.join(", "),
        (false, more) => format!("{} and {more} more", offered.join(", ")),
    };
    Err(Error::new(Code::NotFound, format!("{reference} has no image for {platform}; it has {list}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(digest: &str, platform: &str) -> Value {
        let p: Vec<&str> = platform.split('/').collect();
        json!({"digest": digest, "platform": {"os": p[0], "architecture": p[1], "variant": p.get(2).unwrap_or(&"")}})
    }

    fn chosen(entries: &[Value], platform: &str) -> Result<String> {
        let index = json!({"manifests": entries});
        let reference = Reference::parse("x").unwrap();
        choose(&index, &reference, &platform.parse().unwrap()).map(|e| e["digest"].as_str().unwrap().to_owned())
    }

    #[test]
    fn the_best_variant_wins_and_a_miss_says_what_there_is() {
        let all = [
            entry("5", "linux/arm/v5"),
            entry("a", "linux/amd64"),
            entry("6", "linux/arm/v6"),
            entry("u", "unknown/unknown"),
            entry("8", "linux/arm64/v8"),
        ];
        for (platform, digest) in [
            ("linux/amd64", "a"),
            ("linux/arm64", "8"),
            ("linux/arm/v7", "6"),
            ("linux/arm/v6", "6"),
            ("linux/arm/v5", "5"),
        ] {
            assert_eq!(chosen(&all, platform).unwrap(), digest, "{platform}");
        }
        let error = chosen(&all, "linux/s390x").unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        assert!(error.message.ends_with("it has linux/amd64, linux/arm/v5, linux/arm/v6, linux/arm64"), "{error}");
        assert!(chosen(&[], "linux/amd64").unwrap_err().message.ends_with("it has none at all"));
    }

    #[test]
    fn a_lone_image_without_platform_is_taken() {
        assert_eq!(chosen(&[json!({"digest": "x"})], "linux/amd64").unwrap(), "x");
        assert!(chosen(&[json!({"digest": "x"}), json!({"digest": "y"})], "linux/amd64").is_err());
    }
}
