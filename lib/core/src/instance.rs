//! What things are called that all instances of one machine share a place for: control groups, network namespaces,
//! interfaces, firewall tables.

use crate::paths;
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// The name of this instance: `ctr`, and where `CTR_ROOT` is another than the usual one, so that each sees its own alone,
/// `ctr-` and eight digits made of that path.
pub fn instance() -> String {
    instance_of(paths::root())
}

/// The same for another root. It is one directory by however many paths: a link to it, a slash at the end.
pub fn instance_of(root: &Path) -> String {
    let root = real(root);
    if root == real(Path::new("/var/lib/ctr")) {
        "ctr".to_owned()
    } else {
        format!("ctr-{:08x}", digest(root.as_os_str().as_bytes()))
    }
}

/// The path without links, `.` and `..`, as far as it is there.
fn real(path: &Path) -> PathBuf {
    for (depth, above) in path.ancestors().enumerate() {
        if let Ok(there) = fs::canonicalize(above) {
            let names: Vec<_> = path.components().rev().take(depth).collect();
            return names.into_iter().rev().fold(there, |path, name| path.join(name));
        }
    }
    path.to_owned()
}

/// FNV-1a, 32 bits: the same in every version of ours. For names, never for trust.
pub fn digest(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_published_one() {
        assert_eq!(digest(b"foobar"), 0xbf9c_f968);
    }
}
