//! Removing references and images: what no other image and no container uses is freed.

use crate::{
    Digest, Entry, Reference, Store, Trash, Usage,
    event::{emit, familiar},
    image,
};
use ctr_core::{Code, Document, Error, Image, Lock, Result, Value, container, files, ident, json, paths, trace};
use serde::Serialize;
use std::{collections::HashSet, fs, path::Path};

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
        let (gone, kept): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(gone);
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
        let taken = self.take(&gone, &kept, &containers, &lock)?;
        // From here on nobody finds the trees; deleting their many files needs no lock.
        drop(lock);
        taken.trash.delete()?;
        Ok(taken.removed)
    }

    /// Removes every image of which `goes` says so, asked for all its references together, and that no container uses.
    /// Gives what was done and the bytes that it freed.
    pub fn prune(&self, goes: impl Fn(&[&Entry]) -> bool) -> Result<(Vec<Removed>, u64)> {
        let lock = Lock::store()?;
        let entries = self.entries()?;
        let containers = records()?;
        let condemned: HashSet<Option<String>> = entries
            .iter()
            .filter(|entry| {
                let same: Vec<&Entry> = entries.iter().filter(|e| e.digest() == entry.digest()).collect();
                goes(&same) && !containers.iter().any(|doc| uses(doc, entry))
            })
            .map(|entry| entry.digest().map(str::to_owned))
            .collect();
        let is_condemned = |e: &Entry| condemned.contains(&e.digest().map(str::to_owned));
        let (gone, kept): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(is_condemned);
        if gone.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let taken = self.take(&gone, &kept, &containers, &lock)?;
        drop(lock);
        let bytes = taken.bytes + taken.trash.bytes();
        taken.trash.delete()?;
        Ok((taken.removed, bytes))
    }

    /// Whether a blob that the image of an entry has is not there.
    pub fn lacks(&self, entry: &Entry) -> bool {
        let descriptor = entry.plain_descriptor();
        image::missing_blobs(self, &descriptor).map_or(true, |missing| !missing.is_empty())
            || self.image_of(None, &descriptor).is_err()
    }

    /// Takes entries of the index away and nothing else: those of which `goes` says so. Gives their descriptors.
    ///
    /// For `ctr-fsck`: what such an image had is orphaned then.
    pub fn forget(&self, goes: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>> {
        let lock = Lock::store()?;
        let (gone, kept): (Vec<Entry>, Vec<Entry>) = self.entries()?.into_iter().partition(goes);
        if !gone.is_empty() {
            trace::act("untag", || json!({"entries": gone.len()}), || self.write_entries(&kept, &lock))?;
            note_untagged(&gone);
        }
        Ok(gone)
    }

    /// Makes the index one of the entries that are `kept`, and frees what only those that are `gone` had.
    fn take(&self, gone: &[Entry], kept: &[Entry], containers: &[Document], lock: &Lock) -> Result<Taken> {
        let mut taken = Taken::default();
        let untagged = gone.iter().filter_map(Entry::reference);
        taken.removed.extend(untagged.clone().map(|r| Removed::Untagged(familiar(r))));
        let mut condemned: Vec<&Entry> = Vec::new();
        for entry in gone {
            let same = |e: &&Entry| e.digest() == entry.digest();
            if !kept.iter().any(|e| same(&e)) && !condemned.iter().any(same) {
                condemned.push(entry);
            }
        }
        // Read before the index is written, for without their entries nobody finds them.
        let condemned = condemned.into_iter().map(|e| Condemned::of(self, e)).collect::<Result<Vec<_>>>()?;
        let names: Vec<&str> = untagged.collect();
        trace::act("untag", || json!({"images": names}), || self.write_entries(kept, lock))?;
        note_untagged(gone);
        if condemned.is_empty() {
            return Ok(taken);
        }
        let used = Used::by(self, kept, containers)?;
        if !used.is_whole {
            trace::warn("an image does not read, so what it has is not known: nothing else is removed (ctr-fsck)");
            return Ok(taken);
        }
        for image in condemned {
            for digest in image.blobs.iter().filter(|d| !used.blobs.contains(*d)) {
                let path = self.blob_path(digest);
                taken.bytes += fs::symlink_metadata(&path).map_or(0, |meta| Usage::of(&meta));
                files::remove_file(&path)?;
            }
            if let Some(id) = image.id.filter(|id| !used.blobs.iter().any(|d| d.as_str() == *id)) {
                emit("delete", Some(&id), None);
                taken.removed.push(Removed::Deleted(id));
            }
            for diff_id in image.trees.iter().filter(|d| !used.trees.contains(*d)) {
                if taken.trash.take(self, diff_id)? {
                    taken.removed.push(Removed::Deleted(diff_id.to_string()));
                }
            }
        }
        Ok(taken)
    }
}

fn note_untagged(gone: &[Entry]) {
    gone.iter().filter(|e| e.reference().is_some()).for_each(|e| emit("untag", e.id(), e.reference()));
}

/// What a removal did, but for the deletion of trees.
#[derive(Default)]
struct Taken {
    removed: Vec<Removed>,
    /// What the blobs occupied.
    bytes: u64,
    trash: Trash,
}

/// What images and containers hold of the store.
pub struct Used {
    /// The blobs of images.
    pub blobs: HashSet<Digest>,
    /// The diffIds of the layers that images and containers have.
    pub trees: HashSet<Digest>,
    /// Every image was read: what is in neither is nobody's.
    pub is_whole: bool,
}

impl Used {
    /// By all images and containers; the caller holds [`Lock::store`].
    ///
    /// # Errors
    /// `corrupt` where the record of a container does not read: what it uses cannot be known.
    pub fn now(store: &Store) -> Result<Self> {
        Self::by(store, &store.entries()?, &records()?)
    }

    fn by(store: &Store, entries: &[Entry], containers: &[Document]) -> Result<Self> {
        let (mut blobs, mut trees) = (HashSet::new(), HashSet::new());
        let mut is_whole = true;
        for entry in entries {
            match Condemned::of(store, entry) {
                Ok(image) => {
                    is_whole &= image.is_whole;
                    blobs.extend(image.blobs);
                    trees.extend(image.trees);
                }
                Err(_) => is_whole = false,
            }
        }
        for doc in containers {
            trees.extend(trees_of(doc)?);
        }
        Ok(Self { blobs, trees, is_whole })
    }
}

/// The diffIds of the layers that a container stands on: its image's, and those of images that it has mounted.
///
/// # Errors
/// `invalid` where the document's image is none.
pub fn trees_of(doc: &Document) -> Result<Vec<Digest>> {
    let mut trees = mounted(doc);
    if let Some(image) = doc.section::<Image>("image")? {
        trees.extend(image.layers.iter().filter_map(|l| Digest::parse(&l.diff_id).ok()));
    }
    Ok(trees)
}

/// The layers of other images that a container has mounted: sources and lower directories of its mounts.
fn mounted(doc: &Document) -> Vec<Digest> {
    let words = doc.mounts().iter().flat_map(|mount| {
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
    /// All that it has is known.
    is_whole: bool,
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
                    is_whole: false,
                });
            }
            Err(e) => return Err(e),
        };
        let image = store.image_of(None, &descriptor);
        let is_whole = image.is_ok();
        let trees = image.map(|i| i.layers.iter().filter_map(|l| Digest::parse(&l.diff_id).ok()).collect());
        Ok(Self { id: entry.id().map(str::to_owned), blobs, trees: trees.unwrap_or_default(), is_whole })
    }
}

/// The records of all containers. One that does not read stops a removal: what it uses cannot be known.
fn records() -> Result<Vec<Document>> {
    container::ids()?.iter().map(|id| container::load(id)).collect()
}

fn uses(doc: &Document, entry: &Entry) -> bool {
    let digest = doc.get("image").and_then(|i| i.get("manifest")).and_then(|m| m.get("digest"));
    digest.and_then(Value::as_str) == entry.digest()
}
