//! The record of a volume, `volumes/NAME/volume.json`, and its files beside it, in `volumes/NAME/_data`.

use crate::{bounded, local, project};
use ctr_core::{Cannot, Code, Error, Lock, Result, Value, events, files, ident, json, paths, trace};
use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    io::ErrorKind,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

const RECORD: &str = "volume.json";
const DATA: &str = "_data";
const LOCK: &str = "lock";

/// What `-o` may say: docker's options of its driver `local`, and how much a volume may hold.
const OPTIONS: [&str; 5] = ["type", "device", "o", "size", "by"];

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// RFC 3339.
    pub created: String,
    /// What is mounted as its files (`type`, `device`, `o`), or how many bytes it may hold (`size`): a file system of its own.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// For people.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// It was given no name: it goes with the container that it was made for, if that is removed with its volumes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
}

impl Volume {
    /// Whether its files are a file system of their own, mounted while a container uses it.
    pub fn is_mount(&self) -> bool {
        self.options.contains_key("type") || (self.options.contains_key("size") && !self.is_by_quota())
    }

    /// Whether its size is a quota's.
    fn is_by_quota(&self) -> bool {
        self.options.get("by").is_some_and(|word| word == "quota")
    }

    /// How many bytes it may hold.
    fn size(&self) -> Result<Option<u64>> {
        self.options.get("size").map(|word| bounded::size(word)).transpose()
    }

    /// Whether its quota is there, if it has one.
    ///
    /// # Errors
    /// `corrupt` where it is not.
    pub fn check_quota(&self) -> Result<()> {
        self.quota()?.map_or(Ok(()), |bytes| project::check(&dir(&self.name), bytes))
    }

    /// Whether what root has put there, which no quota holds, is within the quota.
    ///
    /// # Errors
    /// `limit` where it is not; as [`Self::check_quota`].
    pub fn fits(&self) -> Result<()> {
        self.quota()?.map_or(Ok(()), |bytes| project::fits(&dir(&self.name), bytes))
    }

    fn quota(&self) -> Result<Option<u64>> {
        if self.is_by_quota() { self.size() } else { Ok(None) }
    }

    /// A new one; nothing is there of it yet.
    pub fn new(name: &str) -> Self {
        let created = Timestamp::now().to_string();
        Self { name: name.to_owned(), created, options: BTreeMap::new(), labels: BTreeMap::new(), anonymous: false }
    }

    /// In docker's shape (Engine API, Volume).
    pub fn shape(&self) -> Value {
        let words = |map: &BTreeMap<String, String>| if map.is_empty() { Value::Null } else { json!(map) };
        json!({
            "CreatedAt": self.created, "Driver": "local", "Labels": words(&self.labels), "Mountpoint": data(&self.name),
            "Name": self.name, "Options": words(&self.options), "Scope": "local", "Anonymous": self.anonymous,
        })
    }
}

/// The directory of volume `name`.
pub fn dir(name: &str) -> PathBuf {
    paths::volumes().join(name)
}

/// Its files.
pub fn data(name: &str) -> PathBuf {
    paths::volume_data(name)
}

/// Checks a volume's name: two characters or more of those that a container's has.
///
/// # Errors
/// `invalid` otherwise.
pub fn check_name(name: &str) -> Result<()> {
    if ident::check_name(name).is_ok() && name.len() > 1 {
        return Ok(());
    }
    let hint = if name.contains('/') {
        "a path of the host begins with / or ./"
    } else {
        "a name is a letter or digit, then letters, digits, '_', '.', '-', two characters or more"
    };
    Err(Error::new(Code::Invalid, format!("invalid name of a volume {name:?}")).hint(hint))
}

/// A name for a volume that was given none: 64 hex digits, as docker's have.
pub fn new_name() -> String {
    ident::new_id()
}

/// Whether there is a volume of that name.
pub fn exists(name: &str) -> bool {
    check_name(name).is_ok() && data(name).is_dir()
}

/// The volume of that name. One whose files somebody put there by hand has a record that says no more.
///
/// # Errors
/// `not-found`; `invalid` for what is no name; `corrupt` where the record does not parse.
pub fn load(name: &str) -> Result<Volume> {
    check_name(name)?;
    let missing = || Error::new(Code::NotFound, format!("no volume {name}"));
    let path = dir(name).join(RECORD);
    match fs::read(&path) {
        Ok(text) => {
            let bad = |why: String| Error::new(Code::Corrupt, format!("record {}: {why}", path.display()));
            let volume: Volume = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
            if volume.name == name { Ok(volume) } else { Err(bad(format!("it is of volume {:?}", volume.name))) }
        }
        Err(e) if e.kind() == ErrorKind::NotFound && exists(name) => {
            Ok(Volume { created: made_at(&data(name)), ..Volume::new(name) })
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Err(missing()),
        Err(e) => Err(e).cannot(|| format!("read {}", path.display())),
    }
}

fn made_at(path: &Path) -> String {
    let time = fs::metadata(path).and_then(|meta| meta.modified()).ok();
    time.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// All volumes, by name; of one whose record is torn a warning: it keeps no other from its work.
///
/// # Errors
/// The file system's.
pub fn all() -> Result<Vec<Volume>> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(paths::volumes()) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.cannot(|| format!("read {}", paths::volumes().display()))?,
    };
    for entry in entries {
        let name = entry.cannot(|| format!("read {}", paths::volumes().display()))?.file_name();
        names.extend(name.to_str().filter(|name| exists(name)).map(str::to_owned));
    }
    names.sort();
    let mut volumes = Vec::with_capacity(names.len());
    for name in names {
        match load(&name) {
            // Removed since it was listed.
            Err(e) if e.code == Code::NotFound => {}
            Err(e) => trace::warn(&e.to_string()),
            Ok(volume) => volumes.push(volume),
        }
    }
    Ok(volumes)
}

/// The name under which what is made or removed lies beside the volumes: no name of one, and of nobody else.
pub(crate) fn aside(name: &str) -> PathBuf {
    paths::volumes().join(format!(".{name}.{}", ident::token()))
}

/// Makes a volume; with its record it comes by one rename. One that is there and is the same, or of which nothing but
/// the name is said, is kept. Where it need not be `durable`, a crash of the machine may take it.
///
/// # Errors
/// `exists` for one that has other options or labels; `invalid` for options that there are not; `limit` where the disk is full.
pub fn create(volume: &Volume, durable: bool, _lock: Option<&Lock>) -> Result<()> {
    check_name(&volume.name)?;
    check_options(&volume.options)?;
    if exists(&volume.name) {
        let there = load(&volume.name)?;
        let same = there.options == volume.options && there.labels == volume.labels;
        if same || (volume.options.is_empty() && volume.labels.is_empty()) {
            return Ok(());
        }
        return Err(Error::new(Code::Exists, format!("volume {} is there, with other options", volume.name)));
    }
    let what = || json!({"volume": volume.name, "path": dir(&volume.name)});
    trace::act("create", what, || {
        let aside = aside(&volume.name);
        let made = make(&aside, volume, durable).and_then(|()| publish(&aside, &volume.name, durable));
        made.inspect(|()| emit("create", &volume.name)).inspect_err(|_| drop(files::remove_tree(&aside)))
    })
}

/// Notes that `action` (docker's word) happened to volume `name`.
pub(crate) fn emit(action: &str, name: &str) {
    events::emit_of("volume", action, name, name, &json!({"driver": "local"}));
}

/// Its directory at `aside`, whole and flushed.
fn make(aside: &Path, volume: &Volume, durable: bool) -> Result<()> {
    files::make_dir(&paths::volumes())?;
    // Others may pass, not look: what is within has modes of its own.
    let with = |mode: u32, path: &Path| {
        DirBuilder::new().mode(mode).create(path).cannot(|| format!("make directory {}", path.display()))
    };
    with(0o711, aside)?;
    match (volume.quota()?, volume.size()?) {
        // All that is made in it from now on is of the project: files are renamed only within one.
        (Some(bytes), _) => project::limit(aside, bytes)?,
        (None, Some(bytes)) => bounded::make(&aside.join(local::IMAGE), bytes)?,
        (None, None) => {}
    }
    with(0o755, &aside.join(DATA))?;
    let text = format!("{}\n", json!(volume));
    files::replace(&aside.join(RECORD), text.as_bytes(), durable)
}

fn publish(aside: &Path, name: &str, durable: bool) -> Result<()> {
    let failed = || format!("make volume {name}");
    renameat_with(CWD, aside, CWD, dir(name), RenameFlags::NOREPLACE).cannot(failed)?;
    if !durable {
        return Ok(());
    }
    fs::File::open(paths::volumes()).and_then(|dir| dir.sync_all()).cannot(failed)
}

/// Makes volume `volume`, whose files `fill` writes into a directory: it is there when they are whole.
///
/// # Errors
/// `exists` where there is one of that name; those of `fill`.
pub fn create_with(volume: &Volume, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    check_name(&volume.name)?;
    check_options(&volume.options)?;
    let free = || {
        if !exists(&volume.name) {
            return Ok(());
        }
        Err(Error::new(Code::Exists, format!("volume {} is there", volume.name)).hint("give another name"))
    };
    let aside = aside(&volume.name);
    let begin = || {
        let _lock = Lock::store()?;
        free()?;
        make(&aside, volume, true)?;
        // By it gc tells what is being written from what a killed process left.
        Lock::exclusive(&aside.join(LOCK))
    };
    let held = begin();
    let made = held.and_then(|_held| {
        fill(&aside.join(DATA))?;
        volume.quota()?.map_or(Ok(()), |bytes| project::fits(&aside, bytes))?;
        files::sync_fs(&aside)?;
        let _lock = Lock::store()?;
        free()?;
        publish(&aside, &volume.name, true)
    });
    made.inspect(|()| emit("create", &volume.name)).inspect_err(|_| drop(files::remove_tree(&aside)))
}

/// Waits for whoever writes the first files of volume `name`, and keeps others from it.
///
/// # Errors
/// Those of the file system.
pub fn lock(name: &str) -> Result<Lock> {
    Lock::exclusive(&dir(name).join(LOCK))
}

/// Whether somebody holds the lock of the directory at `path`.
pub(crate) fn is_held(path: &Path) -> Result<bool> {
    let lock = path.join(LOCK);
    if !lock.exists() {
        return Ok(false);
    }
    Lock::try_exclusive(&lock).map(|lock| lock.is_none())
}

fn check_options(options: &BTreeMap<String, String>) -> Result<()> {
    if let Some(key) = options.keys().find(|key| !OPTIONS.contains(&key.as_str())) {
        return Err(Error::new(Code::Invalid, format!("driver local has no option {key:?}"))
            .hint(format!("the options are {}", OPTIONS.join(", "))));
    }
    let has = |key: &str| options.contains_key(key);
    if has("o") && !has("type") && !has("device") {
        return Err(Error::new(Code::Invalid, "option o is about a mount: give type and device too"));
    }
    if has("type") != has("device") {
        return Err(Error::new(Code::Invalid, "options type and device belong together"));
    }
    if let Some(size) = options.get("size") {
        bounded::size(size)?;
    }
    if let Some(word) = options.get("by") {
        project::is_asked(word)?;
        if !has("size") {
            return Err(Error::new(Code::Invalid, "option by is about a size: give size too"));
        }
    }
    if has("size") && has("type") {
        return Err(Error::new(Code::Invalid, "option size is for files on this disk: with type give it in o"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names() {
        for bad in ["", "a", "a/b", ".ab", "../x", "a b"] {
            assert_eq!(check_name(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }

    #[test]
    fn options_belong_together() {
        let check = |words: &[(&str, &str)]| {
            check_options(&words.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        assert!(check(&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")]).is_ok());
        assert!(check(&[("size", "10m")]).is_ok() && check(&[("size", "1m")]).is_ok());
        assert_eq!(check(&[("size", "1k")]).unwrap_err().message, "size=1k is less than 1m, the least");
        for bad in
            [&[("typ", "x")][..], &[("o", "ro")], &[("type", "nfs")], &[("size", "1"), ("type", "t"), ("device", "d")]]
        {
            assert_eq!(check(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }
}
