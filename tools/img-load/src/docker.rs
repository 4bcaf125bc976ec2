//! docker-archive: `manifest.json` names a config and plain tars; the manifest is made here.

use crate::{Loaded, source::Source};
use ctr_core::{Cannot, Code, Error, Result, Value, json};
use ctr_store::{Reference, Store, media_type};
use std::{fs::File, io::Read};

/// Loads every image of `manifest.json`, under every one of its `RepoTags`.
pub fn load(store: &Store, source: &mut Source) -> Result<Vec<Loaded>> {
    let invalid = |why: String| Error::new(Code::Invalid, format!("manifest.json: {why}"));
    let list: Value = serde_json::from_slice(&source.json("manifest.json")?).map_err(|e| invalid(e.to_string()))?;
    let list = list.as_array().ok_or_else(|| invalid("not a list".to_owned()))?;
    let mut loaded = Vec::new();
    for image in list {
        let text = |v: &Value| v.as_str().map(str::to_owned).ok_or_else(|| invalid("not a string".to_owned()));
        let tags = image["RepoTags"].as_array().map(Vec::as_slice).unwrap_or_default();
        let references: Vec<Reference> = tags.iter().map(|t| Reference::to_give(&text(t)?)).collect::<Result<_>>()?;
        let config = source.json(&text(&image["Config"])?)?;
        let mut layers = Vec::new();
        for layer in image["Layers"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let (digest, size) = source.publish(store, &text(layer)?, None)?;
            let media_type = sniff(store, &digest)?;
            layers.push(json!({"mediaType": media_type, "digest": digest.as_str(), "size": size}));
        }
        if references.is_empty() {
            loaded.push(Loaded {
                image: store.put_image(source.spools(), None, &config, &layers, Vec::new())?,
                reference: None,
            });
        }
        for reference in references {
            let image = store.put_image(source.spools(), Some(&reference), &config, &layers, Vec::new())?;
            loaded.push(Loaded { image, reference: Some(reference) });
        }
    }
    Ok(loaded)
}

/// The layers of these archives are plain tars, but some tools write them compressed.
fn sniff(store: &Store, digest: &ctr_store::Digest) -> Result<&'static str> {
    let mut head = [0; 4];
    let mut blob = File::open(store.blob_path(digest)).cannot(|| format!("open blob {digest}"))?;
    let n = blob.read(&mut head).cannot(|| format!("read blob {digest}"))?;
    Ok(media_type::of_layer(&head[..n]))
}
