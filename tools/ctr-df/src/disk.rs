//! What lies where, in bytes: every file and directory under the root is counted in one place.

use ctr_core::{Result, ident, paths};
use ctr_store::{Digest, Links, Usage, usage_beside};
use std::{
    collections::BTreeMap,
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::{available_parallelism, scope},
};

/// What a container's directory holds, bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts {
    pub(crate) writable: u64,
    pub(crate) log: u64,
    /// The rest: its record, overlay's work directory, the files that are mounted in it.
    pub(crate) record: u64,
}

impl Parts {
    pub(crate) fn sum(self) -> u64 {
        self.writable + self.log + self.record
    }
}

/// Bytes by what they are for.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) blobs: BTreeMap<Digest, u64>,
    pub(crate) trees: BTreeMap<Digest, u64>,
    pub(crate) containers: BTreeMap<String, Parts>,
    pub(crate) volumes: BTreeMap<String, u64>,
    pub(crate) leftovers: BTreeMap<PathBuf, u64>,
    /// The index, names, networks, locks, and the directories that hold all the rest.
    pub(crate) records: u64,
    pub(crate) record_files: u64,
}

/// What is to be measured, and for whom.
enum Place {
    Blob(Digest),
    Tree(Digest),
    Writable(String),
    Log(String),
    Record(String),
    Volume(String),
    Leftover,
    Other,
}

impl Disk {
    /// Measures everything, over all processors.
    pub(crate) fn measure() -> Result<Self> {
        let mut disk = Self::default();
        let root = paths::root();
        if !root.exists() {
            return Ok(disk);
        }
        let places = disk.places(root);
        let (links, next) = (Links::default(), AtomicUsize::new(0));
        let measured = Mutex::new(vec![Ok(Usage::default()); places.len()]);
        let work = || {
            while let Some((at, (path, _))) =
                Some(next.fetch_add(1, Relaxed)).and_then(|at| Some((at, places.get(at)?)))
            {
                let usage = usage_beside(path, &links);
                measured.lock().unwrap_or_else(PoisonError::into_inner)[at] = usage;
            }
        };
        scope(|scope| {
            for _ in 0..available_parallelism().map_or(1, NonZero::get) {
                scope.spawn(work);
            }
        });
        let measured = measured.into_inner().unwrap_or_else(PoisonError::into_inner);
        for ((path, place), usage) in places.into_iter().zip(measured) {
            disk.count(path, place, usage?);
        }
        Ok(disk)
    }

    /// The sum of all.
    pub(crate) fn total(&self) -> u64 {
        let containers: u64 = self.containers.values().map(|parts| parts.sum()).sum();
        let maps =
            self.blobs.values().chain(self.trees.values()).chain(self.volumes.values()).chain(self.leftovers.values());
        containers + self.records + maps.sum::<u64>()
    }

    fn count(&mut self, path: PathBuf, place: Place, usage: Usage) {
        let bytes = usage.bytes;
        match place {
            Place::Blob(digest) => drop(self.blobs.insert(digest, bytes)),
            Place::Tree(diff_id) => drop(self.trees.insert(diff_id, bytes)),
            Place::Writable(id) => self.containers.entry(id).or_default().writable += bytes,
            Place::Log(id) => self.containers.entry(id).or_default().log += bytes,
            Place::Record(id) => self.containers.entry(id).or_default().record += bytes,
            Place::Volume(name) => *self.volumes.entry(name).or_default() += bytes,
            Place::Leftover => drop(self.leftovers.insert(path, bytes)),
            Place::Other => {
                self.records += bytes;
                self.record_files += usage.inodes;
            }
        }
    }

    /// Every part of the root. A directory whose parts are measured one by one is counted at once.
    fn places(&mut self, root: &Path) -> Vec<(PathBuf, Place)> {
        let mut places = Vec::new();
        let mut records = 0;
        let mut open = |dir: &Path| {
            records += fs::symlink_metadata(dir).map_or(0, |meta| Usage::of(&meta));
            children(dir)
        };
        for (name, path) in open(root) {
            match name.as_str() {
                "images" => {
                    for (name, path) in open(&path) {
                        match name.as_str() {
                            "blobs" => {
                                for (algorithm, path) in open(&path) {
                                    let blob = |name: &str| Some(Place::Blob(digest(&algorithm, name)?));
                                    places.extend(open(&path).into_iter().map(|(name, path)| place(path, &name, blob)));
                                }
                            }
                            "ingest" => places.extend(open(&path).into_iter().map(|(_, path)| (path, Place::Leftover))),
                            _ => places.push(place(path, &name, |_| None)),
                        }
                    }
                }
                "layers" => {
                    for (algorithm, path) in open(&path) {
                        if algorithm.starts_with('.') {
                            places.push((path, Place::Leftover));
                            continue;
                        }
                        let tree = |name: &str| Some(Place::Tree(digest(&algorithm, name)?));
                        places.extend(open(&path).into_iter().map(|(name, path)| place(path, &name, tree)));
                    }
                }
                "containers" => {
                    for (id, path) in open(&path) {
                        if !ident::is_id(&id) {
                            places.push(place(path, &id, |_| None));
                            continue;
                        }
                        let own = fs::symlink_metadata(&path).map_or(0, |meta| Usage::of(&meta));
                        self.containers.entry(id.clone()).or_default().record += own;
                        places.extend(children(&path).into_iter().map(|(name, path)| (path, part(&id, &name))));
                    }
                }
                "volumes" => {
                    let volume = |name: &str| (!name.starts_with('.')).then(|| Place::Volume(name.to_owned()));
                    places.extend(open(&path).into_iter().map(|(name, path)| place(path, &name, volume)));
                }
                _ => places.push(place(path, &name, |_| None)),
            }
        }
        self.records += records;
        places
    }
}

fn part(id: &str, name: &str) -> Place {
    match name {
        // The last two of one with a size.
        "upper" | "writable" | "writable.ext4" => Place::Writable(id.to_owned()),
        log if log == "log" || log.starts_with("log.") => Place::Log(id.to_owned()),
        _ => Place::Record(id.to_owned()),
    }
}

/// What `known` says of the name; what begins with a dot was written aside.
fn place(path: PathBuf, name: &str, known: impl Fn(&str) -> Option<Place>) -> (PathBuf, Place) {
    let place = known(name).unwrap_or(if name.starts_with('.') { Place::Leftover } else { Place::Other });
    (path, place)
}

fn digest(algorithm: &str, hex: &str) -> Option<Digest> {
    Digest::parse(&format!("{algorithm}:{hex}")).ok()
}

/// Names and paths of what a directory has; of a file nothing.
fn children(dir: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect()
}
