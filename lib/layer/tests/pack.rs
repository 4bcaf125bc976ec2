//! Trees to tars and back: what is in a tree comes out of it, in one order, and nothing else is read.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
use common::Tree;
use ctr_core::Code;
use ctr_layer::pack;
use rustix::fs::{FileType, Mode, OFlags, XattrFlags, lsetxattr, mknodat};
use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
};

fn packed(path: &Path, name: &str) -> ctr_core::Result<Vec<u8>> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut tar = Vec::new();
    pack(rustix::fs::open(path, flags, Mode::empty()).unwrap(), name.as_bytes(), &mut tar)?;
    Ok(tar)
}

fn names(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    archive.entries().unwrap().map(|e| String::from_utf8(e.unwrap().path_bytes().into_owned()).unwrap()).collect()
}

#[test]
fn a_tree_comes_back_whole() {
    let tree = Tree::new();
    let long = "n".repeat(200);
    fs::create_dir_all(tree.at(&format!("d/{long}"))).unwrap();
    fs::write(tree.at("file"), "data").unwrap();
    fs::write(tree.at("big"), vec![7; 300_001]).unwrap();
    fs::hard_link(tree.at("file"), tree.at("a-link")).unwrap();
    fs::hard_link(tree.at("file"), tree.at(&format!("d/{long}/link"))).unwrap();
    symlink("a".repeat(150), tree.at("soft")).unwrap();
    mknodat(rustix::fs::CWD, tree.at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    lsetxattr(tree.at("file"), "user.x", b"a\n=\0b", XattrFlags::empty()).unwrap();
    let tar = packed(&tree.at(""), "").unwrap();
    assert_eq!(tar, packed(&tree.at(""), "").unwrap(), "the same tree, the same bytes");

    let again = Tree::new();
    assert!(again.fill(tar).unwrap().ended);
    assert_eq!(again.list(), tree.list());
    assert_eq!(again.stat("file").modified().unwrap(), tree.stat("file").modified().unwrap());
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&again.stat("file")), 3);
    assert_eq!(again.xattr("file", "user.x").unwrap(), b"a\n=\0b");
}

#[test]
fn names_are_sorted_and_begin_as_asked() {
    let tree = Tree::new();
    for name in ["b", "a-b", "a/y", "a/x"] {
        let path = tree.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    UnixListener::bind(tree.at("socket")).unwrap();
    assert_eq!(names(&packed(&tree.at(""), "").unwrap()), ["./", "a/", "a/x", "a/y", "a-b", "b"]);
    assert_eq!(names(&packed(&tree.at("a"), "new").unwrap()), ["new/", "new/x", "new/y"]);
    assert_eq!(names(&packed(&tree.at("b"), "c").unwrap()), ["c"]);
    assert_eq!(packed(&tree.at("socket"), "s").unwrap_err().code, Code::Unsupported);
}

#[test]
fn overlays_own_notes_stay_behind() {
    let tree = Tree::new();
    fs::write(tree.at("f"), "").unwrap();
    for name in ["user.overlay.opaque", "user.overlay.redirect", "user.kept"] {
        lsetxattr(tree.at("f"), name, b"y", XattrFlags::empty()).unwrap();
    }
    let text = String::from_utf8_lossy(&packed(&tree.at(""), "").unwrap()).into_owned();
    assert!(text.contains("SCHILY.xattr.user.kept=y") && !text.contains("overlay"), "{text}");
}

#[test]
fn procfs_is_an_empty_directory() {
    assert_eq!(names(&packed(Path::new("/proc"), "proc").unwrap()), ["proc/"]);
}

#[test]
fn a_tree_too_deep_to_be_unpacked_is_refused() {
    let tree = Tree::new();
    let mut path = tree.at("");
    for _ in 0..257 {
        path.push("d");
    }
    fs::create_dir_all(path).unwrap();
    assert_eq!(packed(&tree.at(""), "").unwrap_err().code, Code::Limit);
}
