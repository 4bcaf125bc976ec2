//! Removing references and images: what no other image and no container uses is freed.

use crate::{Digest, Entry, Reference, Store, image};
use ctr_core::{
    Cannot, Code, Document, Error, Image, Lock, Result, Value, container, files, ident, json, paths, trace,
};
use serde::Serialize;
use std::{
    collections::HashSet,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// One thing a removal did, in docker's words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub enum Removed {
    /// A reference is gone.
    Untagged(String),
    /// An image or a layer is gone.
    Deleted(String),
}

impl Store {
    /// Removes the image that `word` means: a reference takes itself away, and the image with its last one;
    /// an id takes the image with all its references.
    ///
    /// # Errors
    /// `busy`, naming the container, where one uses the image (`force` then only untags, for the container keeps
    /// its layers); `busy` where an id has several references and `force` was not given; `not-found`.
    pub fn remove(&self, word: &str, force: bool) -> Result<Vec<Removed>> {
        let lock = Lock::store()?;
        let found = self.find(word)?;
        let entries = self.entries()?;
        let same = |e: &Entry| e.digest() == found.digest();
        let by_reference = Reference::parse(word).is_ok_and(|r| matches!(self.entry(&r), Ok(Some(_))));
        let tags = entries.iter().filter(|e| same(e) && e.reference().is_some()).count();
        if !by_reference && tags > 1 && !force {
            return Err(Error::new(Code::Busy, format!("cannot remove image {word}: it has {tags} references"))
                .hint("name one of them, or force"));
        }
        let gone = |e: &Entry| same(e) && (!by_reference || e.reference() == found.reference());
        let kept: Vec<Entry> = entries.iter().filter(|e| !gone(e)).cloned().collect();
        let last = !kept.iter().any(same);
        let containers = if last { records()? } else { Vec::new() };
        if last
            && !force
            && let Some(user) = containers.iter().find(|doc| uses(doc, &found))
        {
            let name = user.str("name").unwrap_or_default();
            let id = ident::short(user.str("id").unwrap_or_default()).to_owned();
            return Err(Error::new(Code::Busy, format!("cannot remove image {word}: used by container {name} ({id})"))
                .hint("remove the container first, or force to take only the reference"));
        }
        let mut removed: Vec<Removed> = entries
            .iter()
            .filter(|e| gone(e))
            .filter_map(|e| e.reference().map(|r| Removed::Untagged(familiar(r))))
            .collect();
        let condemned = if last { Some(Condemned::of(self, &found)?) } else { None };
        trace::act("untag", || json!({"image": word}), || self.write_entries(&kept, &lock))?;
        let mut trash = Vec::new();
        if let Some(condemned) = condemned {
            trash = self.sweep(&condemned, &kept, &containers, &mut removed)?;
        }
        // From here on nobody finds the trees; deleting their many files needs no lock.
        drop(lock);
        for tree in trash {
            files::remove_tree(&tree)?;
        }
        Ok(removed)
    }

    fn sweep(
        &self,
        condemned: &Condemned,
        kept: &[Entry],
        containers: &[Document],
        removed: &mut Vec<Removed>,
    ) -> Result<Vec<PathBuf>> {
        let used = Used::by(self, kept, containers)?;
        for digest in condemned.blobs.iter().filter(|d| !used.blobs.contains(*d)) {
            files::remove_file(&self.blob_path(digest))?;
        }
        if let Some(id) = condemned.id.as_ref().filter(|id| !used.blobs.iter().any(|d| d.as_str() == *id)) {
            removed.push(Removed::Deleted(id.clone()));
        }
        let mut trash = Vec::new();
        for diff_id in condemned.trees.iter().filter(|d| !used.trees.contains(*d)) {
            if let Some(aside) = self.set_aside(diff_id)? {
                trash.push(aside);
                removed.push(Removed::Deleted(diff_id.to_string()));
            }
        }
        Ok(trash)
    }

    /// Renames a layer's tree aside, for it to be deleted without the lock; `None` where there is none.
    pub(crate) fn set_aside(&self, diff_id: &Digest) -> Result<Option<PathBuf>> {
        let aside = paths::layers().join(format!(".removed-{}", ident::token()));
        match fs::rename(self.layer_path(diff_id), &aside) {
            Ok(()) => Ok(Some(aside)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).cannot(|| format!("remove layer {diff_id}")),
        }
    }
}

/// What images and containers hold of the store.
pub(crate) struct Used {
    pub(crate) blobs: HashSet<Digest>,
    pub(crate) trees: HashSet<Digest>,
}

impl Used {
    /// By all images and containers; the caller holds [`Lock::store`].
    pub(crate) fn now(store: &Store) -> Result<Self> {
        Self::by(store, &store.entries()?, &records()?)
    }

    fn by(store: &Store, entries: &[Entry], containers: &[Document]) -> Result<Self> {
        let (mut blobs, mut trees) = (HashSet::new(), HashSet::new());
        for entry in entries {
            // An image that does not read keeps what it can be seen to use.
            if let Ok(image) = Condemned::of(store, entry) {
                blobs.extend(image.blobs);
                trees.extend(image.trees);
            }
        }
        for doc in containers {
            if let Some(image) = doc.section::<Image>("image")? {
                trees.extend(image.layers.iter().filter_map(|l| Digest::parse(&l.diff_id).ok()));
            }
            trees.extend(mounted(doc));
        }
        Ok(Self { blobs, trees })
    }
}

/// The layers of other images that a container has mounted: sources and lower directories of its mounts.
fn mounted(doc: &Document) -> Vec<Digest> {
    let mounts = doc.get("spec").and_then(|spec| spec.get("mounts")).and_then(Value::as_array);
    let words = mounts.into_iter().flatten().flat_map(|mount| {
        let options = mount["options"].as_array().into_iter().flatten();
        let lowers = options.filter_map(|option| option.as_str()?.strip_prefix("lowerdir+="));
        lowers.chain(mount["source"].as_str())
    });
    words.filter_map(|path| layer_at(Path::new(path))).collect()
}

/// The diffId of the layer whose tree is at `path`.
fn layer_at(path: &Path) -> Option<Digest> {
    let mut names = path.strip_prefix(paths::layers()).ok()?.iter();
    let (algorithm, hex) = (names.next()?.to_str()?, names.next()?.to_str()?);
    Digest::parse(&format!("{algorithm}:{hex}")).ok()
}

/// What an image holds of the store.
struct Condemned {
    id: Option<String>,
    blobs: Vec<Digest>,
    trees: Vec<Digest>,
}

impl Condemned {
    fn of(store: &Store, entry: &Entry) -> Result<Self> {
        let descriptor = entry.plain_descriptor();
        let blobs = match image::blobs_of(store, &descriptor) {
            Ok(blobs) => blobs.into_iter().map(|(digest, _)| digest).collect(),
            // A torn image must still be removable: its manifest goes, fsck finds the rest.
            Err(e) if matches!(e.code, Code::NotFound | Code::Corrupt) => {
                return Ok(Self {
                    id: entry.id().map(str::to_owned),
                    blobs: entry.digest().and_then(|d| Digest::parse(d).ok()).into_iter().collect(),
                    trees: Vec::new(),
                });
            }
            Err(e) => return Err(e),
        };
        let image = store.image_of(None, &descriptor);
        let trees = image.map(|i| i.layers.iter().filter_map(|l| Digest::parse(&l.diff_id).ok()).collect());
        Ok(Self { id: entry.id().map(str::to_owned), blobs, trees: trees.unwrap_or_default() })
    }
}

fn familiar(reference: &str) -> String {
    Reference::parse(reference).map_or_else(
        |_| reference.to_owned(),
        |r| match (&r.tag, &r.digest) {
            (Some(tag), None) => format!("{}:{tag}", r.familiar_name()),
            (_, Some(digest)) => format!("{}@{digest}", r.familiar_name()),
            (None, None) => r.familiar_name(),
        },
    )
}

/// The records of all containers. One that does not read stops a removal: what it uses cannot be known.
fn records() -> Result<Vec<Document>> {
    container::ids()?.iter().map(|id| container::load(id)).collect()
}

fn uses(doc: &Document, entry: &Entry) -> bool {
    let digest = doc.get("image").and_then(|i| i.get("manifest")).and_then(|m| m.get("digest"));
    digest.and_then(Value::as_str) == entry.digest()
}
