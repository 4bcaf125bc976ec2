//! Devices: which a container may open, and the host's for a privileged one.

use super::{Flags, part};
use ctr_cgroup::devices::default_rules;
use ctr_core::{Cannot, Code, Error, Map, Result, Value, json};
use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

/// Names in /dev that a container has of its own.
const OWN: [&str; 14] = [
    "null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "mqueue", "fd", "core",
    ".udev",
];

/// Sets `linux.resources.devices` where nobody has, and for `--privileged` the devices of the host.
///
/// The rules are docker's: nothing but the standard devices may be opened, though any node may be made.
pub fn complete(linux: &mut Map<String, Value>, flags: &Flags) -> Result<()> {
    let every = json!([{"allow": true, "access": "rwm"}]);
    let in_group = linux.get("cgroupsPath").and_then(Value::as_str).is_some_and(|path| !path.is_empty());
    let resources = part::object(linux, "resources")?;
    if flags.privileged {
        // Who made the group has set the rules of before to work in it.
        if in_group && resources.get("devices").is_some_and(|rules| *rules != every) {
            return Err(Error::new(Code::Invalid, "the container's control group does not allow every device")
                .hint("give --privileged to cg-limit too"));
        }
        resources.insert("devices".to_owned(), every);
        let mut found = Vec::new();
        walk(Path::new("/dev"), &mut found)?;
        linux.insert("devices".to_owned(), Value::Array(found));
    } else if !resources.contains_key("devices") {
        resources.insert("devices".to_owned(), Value::Array(default_rules()));
    }
    Ok(())
}

fn walk(dir: &Path, found: &mut Vec<Value>) -> Result<()> {
    let what = || format!("read {}", dir.display());
    for entry in fs::read_dir(dir).cannot(what)? {
        let entry = entry.cannot(what)?;
        let path = entry.path();
        if OWN.iter().any(|name| path == Path::new("/dev").join(name)) {
            continue;
        }
        let Ok(meta) = entry.metadata() else { continue }; // gone since
        let kind = meta.file_type();
        if kind.is_dir() {
            walk(&path, found)?;
        } else if kind.is_char_device() || kind.is_block_device() {
            found.push(json!({
                "path": path.to_string_lossy(),
                "type": if kind.is_block_device() { "b" } else { "c" },
                "major": nix::sys::stat::major(meta.rdev()),
                "minor": nix::sys::stat::minor(meta.rdev()),
                "fileMode": meta.mode() & 0o777,
                "uid": meta.uid(),
                "gid": meta.gid(),
            }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rules_stay_where_there_are_some() {
        let mut linux = Map::new();
        complete(&mut linux, &Flags::default()).unwrap();
        assert_eq!(linux["resources"]["devices"].as_array().unwrap().len(), 12);
        let mut set = json!({"resources": {"devices": [{"allow": true, "access": "rwm"}]}});
        let before = set.clone();
        complete(set.as_object_mut().unwrap(), &Flags::default()).unwrap();
        assert_eq!(set, before);
    }

    #[test]
    fn a_privileged_one_has_the_hosts() {
        let mut linux = Map::new();
        complete(&mut linux, &Flags { privileged: true, ..Flags::default() }).unwrap();
        assert_eq!(linux["resources"]["devices"], json!([{"allow": true, "access": "rwm"}]));
        assert!(linux["devices"].as_array().unwrap().iter().all(|d| d["path"] != "/dev/null"));
    }
}
