//! The bytes: every blob has the digest that it is named by, and no tree was changed since it is a tree.

use crate::{
    beside,
    finding::{Finding, Kind, State},
    images::Images,
    repair::{UNREAD, UNSURE},
    survey::Checked,
};
use ctr_core::{Code, Error, Result, paths};
use ctr_store::{Digest, Hasher, Store, usage};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind},
    num::NonZero,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread::{available_parallelism, scope},
};

/// What is wrong with a file, or that nobody knows.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    reason: String,
    /// Why it is left as it is: [`UNREAD`], [`UNSURE`].
    pub(crate) kept: Option<&'static str>,
}

impl Fault {
    fn found(reason: String) -> Self {
        Self { reason, kept: None }
    }

    /// A disk that fails, or too many open files, say nothing about what is on it.
    fn unread(reason: String) -> Self {
        Self { reason, kept: Some(UNREAD) }
    }

    /// It is a tree whose times are new, and that is all that is known of it.
    fn unsure() -> Self {
        Self { reason: "its times are new, as of a restored backup".to_owned(), kept: Some(UNSURE) }
    }

    fn of(self, kind: Kind, digest: &Digest) -> Finding {
        let repair = self.kept.map(str::to_owned);
        Finding { repair, ..Finding::new(State::Torn, kind, digest.as_str(), self.reason) }
    }
}

/// Reads every blob, in parallel over the processors, and hashes it.
pub(crate) fn blobs(store: &Store, quick: bool, images: &Images, checked: &mut Checked) -> Vec<Finding> {
    let size = |path: &Path| fs::symlink_metadata(path).map_or(0, |meta| meta.len());
    let mut blobs: Vec<_> = store.blobs().into_iter().map(|(path, digest)| (size(&path), path, digest)).collect();
    checked.blobs = blobs.len();
    checked.bytes = blobs.iter().map(|(size, ..)| size).sum();
    if quick {
        return Vec::new();
    }
    // The large ones first: so the processors end together.
    blobs.sort_by(|a, b| b.cmp(a));
    let found = in_parallel(&blobs, |(_, path, digest)| {
        // What has another size was found by that, of the image that says so.
        let right_size =
            images.needs.get(digest).is_none_or(|(size, _)| fs::metadata(path).is_ok_and(|m| m.len() == *size));
        right_size.then(|| blob(path, digest)).flatten()
    });
    let of = |digest: &Digest| images.needs.get(digest).map(|(_, of)| of.clone()).unwrap_or_default();
    found
        .into_iter()
        .map(|(at, fault)| {
            let (size, path, digest) = &blobs[at];
            fault.of(Kind::Blob, digest).at(path).bytes(*size).of(of(digest))
        })
        .collect()
}

/// What is wrong with a blob.
pub(crate) fn blob(path: &Path, digest: &Digest) -> Option<Fault> {
    let mut hasher = Hasher::new(digest);
    match File::open(path)
        .and_then(|mut file| io::copy(&mut io::BufReader::with_capacity(256 << 10, &mut file), &mut hasher))
    {
        // Removed meanwhile.
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => Some(Fault::unread(Error::io("read it", &e).message)),
        Ok(_) => {
            let is = hasher.finish();
            (is != *digest).then(|| Fault::found(format!("it has other bytes: their digest is {is}")))
        }
    }
}

/// The blobs that each tree may be of: several compressions of one layer are several blobs.
pub(crate) type Layers = BTreeMap<Digest, Vec<Digest>>;

/// Looks at every tree of a layer, in parallel; `layers` has the blobs of each. One that only seems to be changed is noted to be
/// whole where that may be noted: then the next look is short again.
pub(crate) fn trees(quick: bool, note: bool, layers: &Layers, checked: &mut Checked) -> Result<Vec<Finding>> {
    if !paths::layers().exists() {
        return Ok(Vec::new());
    }
    let store = Store::open()?;
    let trees = store.trees();
    checked.layers = trees.len();
    if quick {
        return Ok(Vec::new());
    }
    let found = in_parallel(&trees, |(path, diff_id)| match tree(path)? {
        Changed::Perhaps => changed(&store, path, diff_id, layers, note),
        Changed::Unknown(fault) => Some(fault),
    });
    Ok(found
        .into_iter()
        .map(|(at, fault)| {
            let (path, diff_id) = &trees[at];
            fault.of(Kind::Layer, diff_id).at(path)
        })
        .collect())
}

/// What its times say of a tree.
enum Changed {
    /// Something is younger than the tree.
    Perhaps,
    /// It is no tree, or cannot be read.
    Unknown(Fault),
}

/// What is wrong with a tree, as far as its times tell.
///
/// Nothing in it is ever changed after it was renamed to its place, and the kernel notes the time of every change of a
/// file, of its name or of its metadata (inode(7), ctime), which nobody can set. So nothing in it is younger than that
/// rename; and the root itself bears the time that its layer says, unless a name in it was made or taken away.
fn tree(path: &Path) -> Option<Changed> {
    let root = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return None,
        Err(e) => return Some(Changed::Unknown(Fault::unread(Error::io("read it", &e).message))),
        Ok(root) => root,
    };
    if !root.is_dir() {
        return Some(Changed::Unknown(Fault::found("it is no directory".to_owned())));
    }
    let time = |seconds: i64, nanoseconds: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let published = time(root.ctime(), root.ctime_nsec());
    match usage(path) {
        Err(e) => Some(Changed::Unknown(Fault::unread(e.message))),
        Ok(inside) if inside.changed > published || time(root.mtime(), root.mtime_nsec()) == published => {
            Some(Changed::Perhaps)
        }
        Ok(_) => None,
    }
}

/// What is wrong with a tree whose times are too young. A restored backup has such: where a blob of it is there, that decides.
pub(crate) fn changed(store: &Store, path: &Path, diff_id: &Digest, layers: &Layers, note: bool) -> Option<Fault> {
    let root = || fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let before = root()?;
    let blobs = layers.get(diff_id).into_iter().flatten().map(|digest| store.blob_path(digest));
    let fault = beside_any(path, diff_id, blobs, note);
    // A removal that came meanwhile is no fault.
    fault.filter(|_| root() == Some(before))
}

fn beside_any(tree: &Path, diff_id: &Digest, blobs: impl Iterator<Item = PathBuf>, note: bool) -> Option<Fault> {
    let mut fault = Fault::unsure();
    for blob in blobs.filter(|blob| blob.exists()) {
        match beside::difference(tree, diff_id, &blob) {
            Ok(None) => {
                // A change of the root's mode to what it is makes it the youngest.
                let noted = note.then(|| fs::set_permissions(tree, fs::symlink_metadata(tree)?.permissions()));
                let failed = noted.and_then(Result::err)?;
                return Some(Fault::unread(Error::io("note that it is whole", &failed).message));
            }
            Ok(Some(at)) => {
                return Some(Fault::found(format!("it was changed since it was unpacked: /{}", at.display())));
            }
            // This blob is torn: another may be whole.
            Err(e) if e.code == Code::Corrupt => {}
            Err(e) => fault = Fault::unread(e.message),
        }
    }
    Some(fault)
}

/// What `f` gives of the things, with their places, in their order.
fn in_parallel<T: Sync>(things: &[T], f: impl Fn(&T) -> Option<Fault> + Sync) -> Vec<(usize, Fault)> {
    let threads = available_parallelism().map_or(1, NonZero::get).min(things.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some((at, thing)) = Some(next.fetch_add(1, Relaxed)).and_then(|at| Some((at, things.get(at)?))) {
            found.extend(f(thing).map(|what| (at, what)));
        }
        found
    };
    let mut found: Vec<(usize, Fault)> = scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        own.into_iter().chain(others.into_iter().flat_map(|other| other.join().unwrap_or_default())).collect()
    });
    found.sort();
    found
}
