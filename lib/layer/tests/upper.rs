//! Writable layers, and stacks of layers, to the tar of one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
use common::Tree;
use ctr_core::{Code, Document, Image, json};
use ctr_layer::{Rewrite, Upper, flatten, stack::Stack};
use rustix::fs::{CWD, FileType, Mode, OFlags, XattrFlags, lsetxattr, mknodat};
use std::{collections::HashSet, fs};

/// The layers in these trees, the lowest first.
fn stack(layers: &[&Tree]) -> Stack {
    let layers: Vec<_> = layers
        .iter()
        .map(|tree| json!({"digest": "", "diffId": "", "mediaType": "", "size": 0, "path": tree.at("")}))
        .collect();
    let image = json!({"ref": "", "manifest": {}, "config": {}, "layers": layers});
    let doc = Document::from_value(json!({"ctr": 1, "image": image})).unwrap();
    Stack::open(&doc.section::<Image>("image").unwrap().unwrap()).unwrap()
}

fn make(tree: &Tree, dirs: &[&str], files: &[&str]) {
    for dir in dirs {
        fs::create_dir_all(tree.at(dir)).unwrap();
    }
    for file in files {
        fs::write(tree.at(file), file).unwrap();
    }
}

fn whiteout(tree: &Tree, path: &str) {
    mknodat(CWD, tree.at(path), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
}

fn set(tree: &Tree, path: &str, key: &str, value: &str) {
    lsetxattr(tree.at(path), key, value.as_bytes(), XattrFlags::empty()).unwrap();
}

fn names(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    archive.entries().unwrap().map(|e| String::from_utf8(e.unwrap().path_bytes().into_owned()).unwrap()).collect()
}

/// The names in the tar of a writable layer, and whether it says that there are any.
fn packed(upper: &Tree, stack: &Stack, points: &[&str]) -> ctr_core::Result<(Vec<String>, bool)> {
    let points: HashSet<Vec<u8>> = points.iter().map(|point| point.as_bytes().to_vec()).collect();
    let tree = rustix::fs::open(upper.at(""), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let merged = || -> ctr_core::Result<ctr_core::Root> { panic!("nothing needs the mounted root") };
    let mut tar = Vec::new();
    let upper = Upper { stack, points: &points, merged: &merged };
    let any = upper.pack(tree, Rewrite::default(), &mut tar)?;
    Ok((names(&tar), any))
}

#[test]
fn deletions_and_what_hides() {
    let (lower, upper) = (Tree::new(), Tree::new());
    make(&lower, &["d/sub", "was"], &["gone", "d/f", "was/f", "file"]);
    make(&upper, &["d", "new/in", "was/sub", "file"], &["was/g"]);
    whiteout(&upper, "gone");
    // As overlay marks what it makes anew, and what it makes where nothing was.
    for (dir, value) in [("d", "y"), ("new", "y"), ("new/in", "y"), ("file", "y"), ("was", "x")] {
        set(&upper, dir, "trusted.overlay.opaque", value);
    }
    whiteout(&upper, "d/f");
    // A deletion in its other form, and attributes that anybody can set and that mean nothing.
    fs::write(upper.at("was/f"), "").unwrap();
    set(&upper, "was/f", "trusted.overlay.whiteout", "y");
    set(&upper, "was/sub", "user.overlay.opaque", "y");
    set(&upper, "was/g", "user.overlay.whiteout", "y");
    let (names, any) = packed(&upper, &stack(&[&lower]), &[]).unwrap();
    let expected = [
        "./",
        "d/",
        "d/.wh..wh..opq",
        "file/",
        ".wh.gone",
        "new/",
        "new/in/",
        "was/",
        "was/.wh.f",
        "was/g",
        "was/sub/",
    ];
    assert_eq!((names, any), (expected.map(str::to_owned).to_vec(), true));
}

#[test]
fn places_of_mounts() {
    let (lower, upper) = (Tree::new(), Tree::new());
    make(&lower, &["etc", "proc"], &[]);
    fs::write(lower.at("etc/hostname"), "").unwrap();
    make(&upper, &["etc", "proc", "a/b", "x"], &[]);
    for file in ["etc/hosts", "etc/hostname", "a/file"] {
        fs::write(upper.at(file), "").unwrap();
    }
    let stack = stack(&[&lower]);
    let points = ["etc/hosts", "etc/hostname", "proc", "a/b", "a/file", "x/y"];
    let (names, any) = packed(&upper, &stack, &points).unwrap();
    // One that the image has was there before; it may have been emptied.
    assert_eq!((names, any), (["./", "etc/", "etc/hostname"].map(str::to_owned).to_vec(), true));
    fs::remove_file(upper.at("etc/hostname")).unwrap();
    assert_eq!(packed(&upper, &stack, &points).unwrap(), (Vec::new(), false));
    // An attribute of a directory is a change.
    set(&upper, "proc", "user.x", "1");
    assert_eq!(packed(&upper, &stack, &points).unwrap().0, ["./", "proc/"]);
    fs::write(upper.at("etc/hosts"), "mine").unwrap();
    assert_eq!(packed(&upper, &stack, &points).unwrap().0, ["./", "etc/", "etc/hosts", "proc/"]);
}

#[test]
fn a_file_that_would_be_a_deletion() {
    let (lower, upper) = (Tree::new(), Tree::new());
    make(&upper, &["d/.wh.x"], &[]);
    assert_eq!(packed(&upper, &stack(&[&lower]), &[]).unwrap_err().code, Code::Unsupported);
}

#[test]
fn all_layers_as_one() {
    let (a, b, c) = (Tree::new(), Tree::new(), Tree::new());
    make(&a, &["d/sub", "keep", "was"], &["d/f", "d/sub/x", "keep/a", "was/f", "gone", "file"]);
    make(&b, &["d", "keep", "file"], &["d/new", "keep/b", "file/in"]);
    set(&b, "d", "trusted.overlay.opaque", "y");
    whiteout(&b, "gone");
    fs::write(b.at("was"), "now a file").unwrap();
    make(&c, &["keep"], &["keep/c"]);
    whiteout(&c, "keep/a");
    fs::hard_link(c.at("keep/c"), c.at("link")).unwrap();
    let mut tar = Vec::new();
    flatten(&stack(&[&a, &b, &c]), Rewrite::default(), &mut tar).unwrap();
    assert_eq!(names(&tar), ["./", "d/", "d/new", "file/", "file/in", "keep/", "keep/b", "keep/c", "link", "was"]);
    let again = Tree::new();
    assert!(again.fill(tar).unwrap().ended);
    assert_eq!(fs::read(again.at("was")).unwrap(), b"now a file");
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&again.stat("link")), 2);
    // Of an image without layers nothing.
    let mut tar = Vec::new();
    flatten(&stack(&[]), Rewrite::default(), &mut tar).unwrap();
    assert_eq!(tar, [0; 1024]);
}
