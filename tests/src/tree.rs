//! What a tree of files holds, to compare what two unpackers made: path, kind, mode, owner, size, time,
//! content, link target, extended attributes, hard links.

use rustix::fs::{lgetxattr, llistxattr};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

/// One line for each entry, keyed by its path in the tree.
pub type Listing = BTreeMap<PathBuf, String>;

/// Lists the tree at `root`; what is beneath a directory of `skip` is left out.
///
/// Overlay's own attributes (`trusted.overlay.*`) are left out.
pub fn list(root: &Path, skip: &[&str]) -> Listing {
    let mut listing = Listing::new();
    let mut first_of = BTreeMap::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        let mut entries: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.strip_prefix(root).unwrap().to_owned();
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() && !skip.iter().any(|s| name == Path::new(s)) {
                dirs.push(path.clone());
            }
            listing.insert(name.clone(), describe(&path, &meta));
            if meta.nlink() > 1 && !meta.is_dir() {
                first_of.entry((meta.dev(), meta.ino())).or_insert_with(Vec::new).push(name);
            }
        }
    }
    // Hard links: each name says which is the first of its file, whatever order they were met in.
    for names in first_of.into_values() {
        let first = names.iter().min().unwrap().display().to_string();
        for name in &names {
            listing.get_mut(name).unwrap().push_str(&format!(" link-of={first}"));
        }
    }
    listing
}

/// The differences of two listings, at most 20 lines. Empty: none.
pub fn differences(left: &Listing, right: &Listing) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, line) in left {
        match right.get(path) {
            None => lines.push(format!("only left:  {} {line}", path.display())),
            Some(other) if other != line => {
                lines.push(format!("{}\n    left:  {line}\n    right: {other}", path.display()));
            }
            Some(_) => {}
        }
    }
    let only_right = right.iter().filter(|(path, _)| !left.contains_key(*path));
    lines.extend(only_right.map(|(path, line)| format!("only right: {} {line}", path.display())));
    lines.truncate(20);
    lines
}

fn describe(path: &Path, meta: &fs::Metadata) -> String {
    let kind = meta.file_type();
    let mut line = format!("{:o} {}:{}", meta.mode(), meta.uid(), meta.gid());
    // A directory's time is checked too: it is set last, when nothing is made in it any more.
    line.push_str(&format!(" {}.{:09}", meta.mtime(), meta.mtime_nsec()));
    if kind.is_symlink() {
        line.push_str(&format!(" -> {}", fs::read_link(path).unwrap().display()));
    } else if kind.is_file() {
        line.push_str(&format!(" {} {}", meta.len(), hash(path)));
    } else if kind.is_block_device() || kind.is_char_device() {
        line.push_str(&format!(" dev={}", meta.rdev()));
    }
    for (name, value) in xattrs(path) {
        line.push_str(&format!(" {name}={value}"));
    }
    line
}

fn hash(path: &Path) -> String {
    let digest = Sha256::digest(fs::read(path).unwrap());
    digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Extended attributes of the entry itself, values in hex.
pub fn xattrs(path: &Path) -> Vec<(String, String)> {
    let mut names = vec![0_u8; 65536];
    let mut value = vec![0_u8; 65536];
    let length = llistxattr(path, &mut names[..]).unwrap_or(0);
    let mut found = Vec::new();
    for name in names[..length].split(|b| *b == 0).filter(|n| !n.is_empty()) {
        let text = OsStr::from_bytes(name).to_string_lossy().into_owned();
        if text.starts_with("trusted.overlay.") || text.starts_with("user.overlay.") {
            continue;
        }
        let length = lgetxattr(path, name, &mut value[..]).unwrap();
        let value: String = value[..length].iter().map(|b| format!("{b:02x}")).collect();
        found.push((text, value));
    }
    found.sort();
    found
}
