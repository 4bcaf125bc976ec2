//! Which images the words of the command line mean.

use ctr_core::{Code, Error, Image, Result};
use ctr_store::{Digest, Entry, Reference, Store, blobs_of};

/// One image with the names that it gets in the archive.
pub(crate) struct Chosen {
    pub(crate) image: Image,
    pub(crate) references: Vec<Reference>,
    /// Every blob that it has, with its size: the manifest, the config, the layers.
    pub(crate) blobs: Vec<(Digest, u64)>,
}

/// The images, in the order of the words; each is there once.
pub(crate) fn choose(store: &Store, words: &[String]) -> Result<Vec<Chosen>> {
    let entries = store.entries()?;
    let mut chosen: Vec<Chosen> = Vec::new();
    for word in words {
        for (entry, reference) in meant(store, &entries, word)? {
            let same = |c: &Chosen| c.image.manifest["digest"].as_str() == entry.digest();
            if !chosen.iter().any(same) {
                chosen.push(read(store, &entry).map_err(|e| torn(word, e))?);
            }
            for there in chosen.iter_mut().filter(|c| same(c)) {
                there.references.extend(reference.clone().filter(|r| !there.references.contains(r)));
            }
        }
    }
    Ok(chosen)
}

fn read(store: &Store, entry: &Entry) -> Result<Chosen> {
    let descriptor = entry.plain_descriptor();
    let image = store.image_of(None, &descriptor)?;
    Ok(Chosen { image, references: Vec::new(), blobs: blobs_of(store, &descriptor)? })
}

/// A blob that is not there is not the image.
fn torn(word: &str, e: Error) -> Error {
    if e.code != Code::NotFound {
        return e;
    }
    Error::new(Code::Corrupt, format!("image {word}: {}", e.message)).hint("pull or load it again")
}

/// As docker has it: a reference is saved with its tag, a name without one with all its tags, an id without any.
fn meant(store: &Store, entries: &[Entry], word: &str) -> Result<Vec<(Entry, Option<Reference>)>> {
    let own = |e: &Entry| e.reference().and_then(|r| Reference::parse(r).ok()).filter(|r| r.digest.is_none());
    if let Some(wanted) = Reference::parse(word).ok().filter(|_| is_name_alone(word)) {
        let all = entries.iter().filter_map(|e| Some((e.clone(), own(e).filter(|r| r.name() == wanted.name())?)));
        let mut all: Vec<_> = all.map(|(entry, reference)| (entry, Some(reference))).collect();
        if !all.is_empty() {
            // The index has them in the order in which they were named.
            all.sort_by_key(|(_, reference)| reference.as_ref().map(Reference::to_string));
            return Ok(all);
        }
    }
    let entry = store.find(word)?;
    let named = own(&entry).filter(|own| Reference::parse(word).is_ok_and(|wanted| wanted == *own));
    Ok(vec![(entry, named)])
}

fn is_name_alone(word: &str) -> bool {
    !word.contains('@') && !word.rsplit('/').next().unwrap_or_default().contains(':')
}

#[cfg(test)]
mod tests {
    use super::is_name_alone;

    #[test]
    fn names_without_a_tag() {
        for (word, alone) in
            [("a", true), ("h:5000/a/b", true), ("a:t", false), ("h:5000/a:t", false), ("a@sha256:0", false)]
        {
            assert_eq!(is_name_alone(word), alone, "{word}");
        }
    }
}
