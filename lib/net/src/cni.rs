//! Attachments by CNI (Container Network Interface, SPEC.md 1.1): a record each, `cni/<id>.json`, whose id is made of what CNI
//! tells one by: those that net-attach makes as a plugin for another runtime, and those that the plugins of a network make for
//! it ([`list`]). An address or a port whose holder has such a record is not a leftover.

pub mod list;

use crate::Net;
use ctr_core::{Cannot, Code, Error, Result, Value, container, files, ident, json, paths, trace};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fs, io::ErrorKind, path::PathBuf, sync::Once};

/// What CNI tells an attachment by (SPEC.md, section 2, "Lifecycle & Ordering").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// The network's name in the runtime's configuration.
    pub network: String,
    /// The runtime's id of the container.
    pub container_id: String,
    /// The interface's name inside.
    pub ifname: String,
}

impl Key {
    /// 64 hex digits, as a container of ours has them: names in the kernel and claims are made of them.
    pub fn id(&self) -> String {
        let Self { network, container_id, ifname } = self;
        // No part has a slash.
        ident::hex(&Sha256::digest(format!("{network}/{container_id}/{ifname}")))
    }
}

/// An attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// What it is told by.
    #[serde(flatten)]
    pub key: Key,
    /// Where the container's network namespace was.
    pub netns: String,
    /// What it has; none while it is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<Net>,
    /// What the plugins are given that make it for us, one after the other; none: it is another runtime's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<Value>,
    /// Where the plugins are, as `CNI_PATH` has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// `CNI_ARGS`: the address that it has had, where plugins make it again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub args: String,
    /// The list has `disableCheck`: a plugin of it finds fault where there is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disable_check: bool,
    /// What the last of them gave.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
}

impl Record {
    /// One that is made for another runtime.
    pub fn of_runtime(key: &Key, netns: &str) -> Self {
        Self {
            key: key.clone(),
            netns: netns.to_owned(),
            net: None,
            plugins: Vec::new(),
            path: String::new(),
            args: String::new(),
            disable_check: false,
            result: Value::Null,
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// The file system's.
    pub fn save(&self) -> Result<()> {
        let text = serde_json::to_string(self).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        let id = self.key.id();
        trace::act(
            "save",
            || json!({"attachment": id}),
            || {
                files::make_dir(&dir())?;
                // Plugins keep addresses beyond a reboot; what another runtime has is over by then.
                files::replace(&file(&id), text.as_bytes(), !self.plugins.is_empty())
            },
        )
    }
}

fn dir() -> PathBuf {
    paths::root().join("cni")
}

/// Where the record of that id is.
pub fn file(id: &str) -> PathBuf {
    dir().join(format!("{id}.json"))
}

/// The ids of all.
///
/// # Errors
/// The file system's.
pub fn ids() -> Result<Vec<String>> {
    let what = || format!("read {}", dir().display());
    let entries = match fs::read_dir(dir()) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.cannot(what)?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.cannot(what)?.file_name().to_string_lossy().into_owned();
        ids.extend(name.strip_suffix(".json").filter(|id| ident::is_id(id)).map(str::to_owned));
    }
    ids.sort();
    Ok(ids)
}

/// Whether there is one of that id.
pub fn is_there(id: &str) -> bool {
    ident::is_id(id) && file(id).exists()
}

/// The one of that id; `None` where there is none.
///
/// # Errors
/// `invalid` for what is no id, `corrupt`.
pub fn find(id: &str) -> Result<Option<Record>> {
    let path = file(container::checked_id(id)?);
    let text = match fs::read_to_string(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.cannot(|| format!("read {}", path.display()))?,
    };
    let corrupt = |why: String| Error::new(Code::Corrupt, format!("attachment {}: {why}", path.display()));
    let record: Record = serde_json::from_str(&text).map_err(|e| corrupt(e.to_string()))?;
    if record.key.id() == id { Ok(Some(record)) } else { Err(corrupt("it is of another".to_owned())) }
}

/// Takes the record away; it may be gone.
///
/// # Errors
/// The file system's.
pub fn remove(id: &str) -> Result<()> {
    let path = file(container::checked_id(id)?);
    trace::act("remove", || json!({"attachment": id}), || files::remove_file(&path))
}

/// Those that plugins made for us; of a record that does not read a warning, once a process: it keeps no other from its work.
///
/// # Errors
/// The file system's.
pub fn by_plugins() -> Result<Vec<Record>> {
    static WARNED: Once = Once::new();
    let (records, unread) = read_all()?;
    if !unread.is_empty() {
        WARNED.call_once(|| unread.iter().for_each(|e| trace::warn(&e.to_string())));
    }
    Ok(records)
}

/// Those that plugins made for us, and why others do not read.
fn read_all() -> Result<(Vec<Record>, Vec<Error>)> {
    let (mut records, mut unread) = (Vec::new(), Vec::new());
    for id in ids()? {
        match find(&id) {
            Ok(record) => records.extend(record.filter(|record| !record.plugins.is_empty())),
            Err(e) => unread.push(e),
        }
    }
    Ok((records, unread))
}
