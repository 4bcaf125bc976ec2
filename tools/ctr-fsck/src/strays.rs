//! Files with names that these tools give to none: somebody else put them there.

use crate::finding::{Finding, Kind, State};
use ctr_core::{ident, paths};
use ctr_store::{Digest, usage};
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What lies beneath the root; `lost+found` is the file system's.
const ROOT: [&str; 11] = [
    "addresses",
    "cni",
    "containers",
    "images",
    "layers",
    "lock",
    "lost+found",
    "names",
    "networks",
    "volumes",
    "writers",
];

/// What an OCI image layout has (image-spec, image-layout.md), and what is on its way there.
const IMAGES: [&str; 4] = ["blobs", "index.json", "ingest", "oci-layout"];

/// Looks at the names in each directory. What begins with a dot was written aside, and is none of these.
pub(crate) fn look() -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut look = |dir: &Path, is_ours: &dyn Fn(&str) -> bool| {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_hidden = name.as_bytes().starts_with(b".");
            if !is_hidden && !name.to_str().is_some_and(is_ours) && !paths::run().starts_with(entry.path()) {
                findings.push(stray(entry.path()));
            }
        }
    };
    let is_record = |name: &str| name.strip_suffix(".json").is_some_and(|name| ident::check_name(name).is_ok());
    let is_name = |name: &str| ident::check_name(name).is_ok();
    look(paths::root(), &|name| ROOT.contains(&name));
    look(&paths::containers(), &ident::is_id);
    look(&paths::names(), &is_name);
    look(&paths::volumes(), &is_name);
    look(&paths::root().join("networks"), &is_record);
    look(&paths::root().join("cni"), &is_record);
    look(&paths::images(), &|name| IMAGES.contains(&name));
    for dir in [paths::images().join("blobs"), paths::layers()] {
        let algorithms = ["sha256", "sha512"];
        look(&dir, &|name| algorithms.contains(&name));
        for algorithm in algorithms {
            look(&dir.join(algorithm), &|name| Digest::parse(&format!("{algorithm}:{name}")).is_ok());
        }
    }
    findings
}

fn stray(path: PathBuf) -> Finding {
    let name = path.strip_prefix(paths::root()).unwrap_or(&path).to_string_lossy().escape_debug().to_string();
    let bytes = usage(&path).map_or(0, |usage| usage.bytes);
    let finding = Finding::new(State::Foreign, Kind::File, name, "nothing here is called so").bytes(bytes);
    // JSON has no other text than Unicode.
    if path.to_str().is_some() { finding.at(path) } else { finding }
}
