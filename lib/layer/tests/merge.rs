//! Tars onto trees that are there: what is replaced, what stays, and that nothing is written outside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
use common::{Tar, Tree};
use ctr_core::{Code, Result, Root};
use ctr_layer::{Place, Take, merge};
use rustix::fs::{Mode, OFlags};
use std::{
    fs,
    io::Cursor,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

fn open(path: &Path) -> rustix::fd::OwnedFd {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

/// On the host: no link is followed.
fn here(tree: &Tree, tar: Tar) -> Result<()> {
    let place = Place { dir: open(&tree.at("")), inside: None };
    merge(Box::new(Cursor::new(tar.end())), &place, Take::All)
}

/// In a container whose root is the tree, at its directory `dir`.
fn inside(tree: &Tree, dir: &str, tar: Tar) -> Result<()> {
    let root = Root::new(open(&tree.at("")));
    let place = Place { dir: open(&tree.at(dir)), inside: Some((&root, dir.as_bytes().to_vec())) };
    merge(Box::new(Cursor::new(tar.end())), &place, Take::All)
}

#[test]
fn files_are_replaced_and_directories_merged() {
    let tree = Tree::new();
    fs::create_dir(tree.at("d")).unwrap();
    fs::write(tree.at("d/kept"), "kept").unwrap();
    fs::write(tree.at("d/f"), "old").unwrap();
    fs::hard_link(tree.at("d/f"), tree.at("other-name")).unwrap();
    symlink("/etc/passwd", tree.at("link")).unwrap();
    let tar = Tar::new().dir("d", 0o700).file("d/f", "new").file("link", "no link").file("new/way/f", "x");
    here(&tree, tar.link("hard", "d/f").symlink("soft", "d").raw(b'6', b"fifo", b"", |_| {})).unwrap();
    assert_eq!(
        (tree.read("d/f"), tree.read("d/kept"), tree.read("link")),
        ("new".into(), "kept".into(), "no link".into())
    );
    assert_eq!(tree.read("other-name"), "old", "a new file, not the old one written over");
    assert_eq!((tree.mode("d"), tree.mode("d/f"), tree.mode("new/way")), (0o700, 0o644, 0o755));
    assert_eq!((tree.stat("hard").ino(), tree.stat("d/f").mtime()), (tree.stat("d/f").ino(), 1_700_000_000));
    // Once more: links of one file over each other too.
    here(&tree, Tar::new().file("d/f", "2").link("hard", "d/f").link("hard", "d/f")).unwrap();
    let names: Vec<String> = tree.list().into_keys().collect();
    assert_eq!(
        names,
        ["d", "d/f", "d/kept", "fifo", "hard", "link", "new", "new/way", "new/way/f", "other-name", "soft"]
    );
}

#[test]
fn whiteouts_are_plain_names() {
    let tree = Tree::new();
    fs::write(tree.at("f"), "").unwrap();
    here(&tree, Tar::new().file(".wh.f", "x").file(".wh..wh..opq", "y")).unwrap();
    assert_eq!(
        (tree.read(".wh.f"), tree.read(".wh..wh..opq"), tree.read("f")),
        ("x".into(), "y".into(), String::new())
    );
}

#[test]
fn a_directory_is_no_file() {
    let tree = Tree::new();
    fs::create_dir_all(tree.at("d/e")).unwrap();
    fs::write(tree.at("f"), "f").unwrap();
    symlink("d", tree.at("l")).unwrap();
    for tar in [
        Tar::new().file("d", "x"),
        Tar::new().symlink("d/e", "x"),
        Tar::new().dir("f", 0o755),
        Tar::new().dir("l", 0o755),
        Tar::new().file("f/x", "x"),
        Tar::new().file("l/x", "x"),
    ] {
        assert_eq!(here(&tree, tar).unwrap_err().code, Code::Exists);
    }
    let names: Vec<String> = tree.list().into_keys().collect();
    assert_eq!(names, ["d", "d/e", "f", "l"], "nothing half-made stays");
}

#[test]
fn links_in_a_container_lead_inside() {
    let tree = Tree::new();
    fs::create_dir_all(tree.at("usr/bin")).unwrap();
    fs::create_dir_all(tree.at("work/deep")).unwrap();
    symlink("/usr/bin", tree.at("work/bin")).unwrap();
    symlink("../../../../../../usr", tree.at("work/usr")).unwrap();
    symlink("deep", tree.at("work/near")).unwrap();
    let tar = Tar::new().file("bin/a", "a").file("usr/b", "b").file("near/c", "c").link("near/d", "bin/a");
    inside(&tree, "work", tar).unwrap();
    assert_eq!(
        (tree.read("usr/bin/a"), tree.read("usr/b"), tree.read("work/deep/c")),
        ("a".into(), "b".into(), "c".into())
    );
    assert_eq!(tree.stat("work/deep/d").ino(), tree.stat("usr/bin/a").ino());
}

/// A link out, then a file through it: out of the tar, or there already.
#[test]
fn nothing_goes_out_through_a_link() {
    let outside = std::env::temp_dir();
    for target in [outside.to_str().unwrap(), "..", "../..", "/", "/proc/self/root/tmp", "/proc/self/cwd"] {
        for planted in [true, false] {
            for container in [true, false] {
                let tree = Tree::new();
                fs::create_dir(tree.at("work")).unwrap();
                let mut tar = Tar::new();
                if planted {
                    symlink(target, tree.at("work/out")).unwrap();
                } else {
                    tar = tar.symlink("out", target);
                }
                let tar = tar.file("out/ctr-layer-witness", "x").file("out/witness", "x").link("l", "out/witness");
                let place = if container {
                    inside(&tree, "work", tar)
                } else {
                    let place = Place { dir: open(&tree.at("work")), inside: None };
                    merge(Box::new(Cursor::new(tar.end())), &place, Take::All)
                };
                assert!(container || place.is_err(), "{target}");
                tree.assert_nothing_outside();
                assert!(!outside.join("ctr-layer-witness").exists(), "{target}");
            }
        }
    }
}

#[test]
fn names_lead_nowhere_else() {
    for tar in [
        Tar::new().file("../witness", "x"),
        Tar::new().file("a/../../witness", "x"),
        Tar::new().link("l", "../witness"),
        Tar::new().link("l", "/etc/passwd"),
        Tar::new().link("l", ""),
        Tar::new().symlink(".", "/etc"),
    ] {
        assert_eq!(here(&Tree::new(), tar).unwrap_err().code, Code::Corrupt);
    }
}

#[test]
fn plain_files_have_no_privileges() {
    let tree = Tree::new();
    fs::create_dir(tree.at("d")).unwrap();
    fs::set_permissions(tree.at("d"), fs::Permissions::from_mode(0o1777)).unwrap();
    let place = Place { dir: open(&tree.at("")), inside: None };
    let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let tar = Tar::new()
        .dir("d", 0o700)
        .dir("e", 0o2750)
        .raw(b'0', b"suid", b"x", |h| {
            h.set_mode(0o4755);
            h.set_uid(12345);
        })
        .pax(&[("SCHILY.xattr.user.x", b"y")])
        .file("f", "")
        .raw(b'3', b"null", b"", |h| h.set_device_major(1).unwrap());
    merge(Box::new(Cursor::new(tar.end())), &place, Take::Plain { uid: owner.0, gid: owner.1 }).unwrap();
    assert_eq!((tree.mode("suid"), tree.mode("d"), tree.mode("e")), (0o755, 0o1777, 0o2750));
    assert_eq!((tree.stat("suid").uid(), tree.stat("suid").gid()), owner);
    assert!(tree.xattr("f", "user.x").is_none() && !tree.at("null").exists());
}

#[test]
fn a_cut_tar_is_told() {
    let tree = Tree::new();
    let place = Place { dir: open(&tree.at("")), inside: None };
    let whole = Tar::new().file("a", "a").file("b", "bbbb").end();
    for length in [0, 100, 512, 1024, 1536, 2048] {
        let cut = Box::new(Cursor::new(whole[..length].to_vec()));
        assert_eq!(merge(cut, &place, Take::All).unwrap_err().code, Code::Corrupt, "{length}");
    }
    assert_eq!(tree.read("b"), "bbbb");
}
