//! `--check` of the tools that bring images: whether the store has every blob of the image, to the byte.

use crate::{Digest, Hasher, Store};
use ctr_core::{Cannot, Code, Document, Error, Image, Result, Value, paths};
use std::{
    fs::File,
    io::{self, BufReader, ErrorKind},
};

const BUFFER: usize = 256 << 10;

/// One finding for each blob of the document's image that is missing or differs. Every byte is hashed, about 1.8 GB a
/// second.
pub fn check_image(doc: &Document) -> Result<Vec<Error>> {
    let image: Image = doc.need("image", "img-pull, img-load or img-import")?;
    if !paths::images().exists() {
        // Opening the store would make it, and a check changes nothing.
        return Ok(vec![Error::new(Code::NotFound, format!("{} is not there", paths::images().display()))]);
    }
    let store = Store::open()?;
    let text = |key: &str| image.manifest.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut blobs = vec![("manifest", text("digest"), image.manifest.get("size").and_then(Value::as_u64))];
    blobs.extend(image.id.as_ref().map(|id| ("config", id.clone(), None)));
    blobs.extend(image.layers.iter().map(|layer| ("layer", layer.digest.clone(), Some(layer.size))));
    blobs.dedup();
    let mut findings = Vec::new();
    for (what, digest, size) in blobs {
        let digest = Digest::parse(&digest)?;
        let what = format!("{what} {digest} of {}", image.reference);
        if let Err(e) = examine(&store, &what, &digest, size) {
            findings.push(e.hint("img-pull fetches what is missing; img-rm first where bytes differ"));
        }
    }
    Ok(findings)
}

fn examine(store: &Store, what: &str, digest: &Digest, size: Option<u64>) -> Result<()> {
    let file = match File::open(store.blob_path(digest)) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(Error::new(Code::NotFound, format!("{what} is not in the store")));
        }
        other => other.cannot(|| format!("open {what}"))?,
    };
    let mut hasher = Hasher::new(digest);
    let length =
        io::copy(&mut BufReader::with_capacity(BUFFER, file), &mut hasher).cannot(|| format!("read {what}"))?;
    match size {
        Some(size) if size != length => {
            Err(Error::new(Code::Corrupt, format!("{what} has {length} bytes, not {size}")))
        }
        _ if hasher.finish() != *digest => Err(Error::new(Code::Corrupt, format!("{what} has other bytes"))),
        _ => Ok(()),
    }
}
