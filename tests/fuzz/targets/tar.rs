//! Any bytes are a layer, or an error: no panic, and nothing is made outside the tree.
#![no_main]

use ctr_layer::{Stop, extract};
use ctr_store::Hasher;
use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, sync::OnceLock};

/// A directory with a file beside the tree that no entry may touch.
fn dir() -> &'static PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("ctr-fuzz.{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        fs::write(dir.join("outside"), "outside").expect("a file");
        dir
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let dir = dir();
    let tree = dir.join("tree");
    let _ = fs::remove_dir_all(&tree);
    fs::create_dir(&tree).expect("an empty tree");
    let root = fs::File::open(&tree).expect("the tree");
    let before = fs::metadata(dir.join("outside")).expect("the file outside");
    let _ = extract(Box::new(bytes), Hasher::sha256(), root.into(), &Stop::default());
    let after = fs::metadata(dir.join("outside")).expect("the file outside is still there");
    assert_eq!(fs::read(dir.join("outside")).expect("its content"), b"outside");
    let unchanged = |m: &fs::Metadata| (m.mode(), m.uid(), m.nlink(), m.ino(), m.mtime_nsec());
    assert_eq!(unchanged(&before), unchanged(&after));
    assert_eq!(fs::read_dir(dir).expect("the directory").count(), 2, "something was made beside the tree");
});
