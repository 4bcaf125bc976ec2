//! OCI image layout, as a directory or an archive: `index.json` names manifests, whose blobs are taken as they are.

use crate::{
    Loaded,
    source::{Source, blob_name},
};
use ctr_core::{Code, Error, Result, Value};
use ctr_store::{ANNOTATION_REF, Digest, Platform, Reference, Store, media_type};

/// How deep indexes within indexes are followed.
const MAX_DEPTH: usize = 4;

/// Loads every image that `index.json` names.
pub fn load(store: &Store, source: &mut Source, platform: &Platform) -> Result<Vec<Loaded>> {
    let index = parse(source, "index.json", &source.json("index.json")?)?;
    let list = index.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut loaded = Vec::new();
    for entry in &list {
        let reference = name_of(entry);
        let shown = reference.as_ref().map_or_else(|| source.name().to_owned(), Reference::to_string);
        let served = digest_of(entry)?;
        let descriptor = manifest_for(source, entry, platform, &shown)?;
        publish(store, source, &descriptor)?;
        let image = store.enter_image(reference.as_ref(), &descriptor, Some(&served))?;
        loaded.push(Loaded { image, reference });
    }
    Ok(loaded)
}

/// The full name that containerd and docker annotate, or the reference that the layout has.
/// A name that no image can be given does not keep it out: it is loaded dangling.
fn name_of(entry: &Value) -> Option<Reference> {
    let annotation = |key: &str| entry.get("annotations")?.get(key)?.as_str();
    Reference::to_give(annotation("io.containerd.image.name").or_else(|| annotation(ANNOTATION_REF))?).ok()
}

/// Follows indexes down to the manifest for the platform; its descriptor without annotations and platform.
fn manifest_for(source: &Source, entry: &Value, platform: &Platform, name: &str) -> Result<Value> {
    let mut entry = entry.clone();
    for _ in 0..MAX_DEPTH {
        match entry["mediaType"].as_str().unwrap_or_default() {
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => {
                if let Some(map) = entry.as_object_mut() {
                    map.retain(|key, _| ["mediaType", "digest", "size"].contains(&key.as_str()));
                }
                return Ok(entry);
            }
            media_type::OCI_INDEX | media_type::DOCKER_INDEX => {
                let index = parse_blob(source, &digest_of(&entry)?)?;
                entry = platform.select(&index, name)?.clone();
            }
            other => {
                return Err(Error::new(
                    Code::Unsupported,
                    format!("{name}: media type {other:?} is no image manifest"),
                ));
            }
        }
    }
    Err(Error::new(Code::Invalid, format!("{name}: indexes are nested more than {MAX_DEPTH} deep")))
}

fn publish(store: &Store, source: &mut Source, descriptor: &Value) -> Result<()> {
    let digest = digest_of(descriptor)?;
    let manifest = parse_blob(source, &digest)?;
    let layers = manifest.get("layers").and_then(Value::as_array).cloned().unwrap_or_default();
    for blob in layers.iter().chain([&manifest["config"]]) {
        let digest = digest_of(blob)?;
        if !store.has_blob(&digest, blob["size"].as_u64().unwrap_or_default()) {
            source.publish(store, &blob_name(&digest), Some(&digest))?;
        }
    }
    source.publish(store, &blob_name(&digest), Some(&digest)).map(drop)
}

fn digest_of(descriptor: &Value) -> Result<Digest> {
    Digest::parse(descriptor["digest"].as_str().unwrap_or_default())
}

/// An index or a manifest, verified before anything in it is believed: it is what a digest in a reference pins.
fn parse_blob(source: &Source, digest: &Digest) -> Result<Value> {
    parse(source, digest.as_str(), &source.blob(digest)?)
}

fn parse(source: &Source, what: &str, bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|e| Error::new(Code::Corrupt, format!("{what} of {}: {e}", source.name())))
}
