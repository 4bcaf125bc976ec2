//! What an honest tar becomes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
use common::{Tar, Tree};
use ctr_core::Code;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

#[test]
fn files_directories_and_links() {
    let tree = Tar::new()
        .dir("./", 0o750)
        .dir("./a/", 0o555)
        .file("./a/f", "hello")
        .file("a/empty", "")
        .symlink("a/s", "/etc/passwd")
        .link("a/h", "a/f")
        .link("hs", "./a/s")
        .raw(b'6', b"fifo", b"", |h| h.set_mode(0o622))
        .tree();
    let list: Vec<_> = tree.list().into_iter().map(|(path, what)| format!("{path}: {what}")).collect();
    assert_eq!(
        list,
        [
            "a: d",
            "a/empty: f ",
            "a/f: f hello",
            "a/h: f hello",
            "a/s: l /etc/passwd",
            "fifo: special",
            "hs: l /etc/passwd"
        ]
    );
    assert_eq!((tree.mode(""), tree.mode("a"), tree.mode("a/f"), tree.mode("fifo")), (0o750, 0o555, 0o644, 0o622));
    assert_eq!(tree.stat("a/f").ino(), tree.stat("a/h").ino());
    assert_eq!(tree.stat("a/s").ino(), tree.stat("hs").ino(), "a link to a symbolic link links the link");
    for path in ["", "a", "a/f", "a/s", "fifo"] {
        assert_eq!(tree.stat(path).mtime(), 1_700_000_000, "{path}");
    }
    assert!(tree.stat("fifo").file_type().is_fifo());
}

#[test]
fn set_id_and_sticky_bits_survive() {
    let mut tar = Tar::new().dir("d", 0o3777);
    for mode in [0o4755, 0o2711, 0o6755, 0o1644] {
        tar = tar.raw(b'0', format!("d/{mode:o}").as_bytes(), b"x", |h| h.set_mode(mode));
    }
    let tree = tar.tree();
    assert_eq!(tree.mode("d"), 0o3777);
    for mode in [0o4755, 0o2711, 0o6755, 0o1644] {
        assert_eq!(tree.mode(&format!("d/{mode:o}")), mode);
    }
}

#[test]
fn missing_directories_are_implied_and_may_come_late() {
    let tree = Tar::new().file("a/b/c/f", "x").dir("a/b", 0o700).tree();
    assert_eq!((tree.mode("a"), tree.mode("a/b"), tree.mode("a/b/c"), tree.mode("")), (0o755, 0o700, 0o755, 0o755));
    assert_eq!(tree.stat("a/b/c").mtime(), 1_700_000_000);
}

#[test]
fn a_directory_may_come_twice_and_the_last_counts() {
    let tree = Tar::new()
        .dir(".", 0o700)
        .dir("a", 0o700)
        .file("a/f", "x")
        .raw(b'5', b"a/", b"", |h| {
            h.set_mode(0o711);
            h.set_mtime(5);
        })
        .dir("./.", 0o751)
        .tree();
    assert_eq!((tree.mode("a"), tree.stat("a").mtime(), tree.mode("")), (0o711, 5, 0o751));
}

#[test]
fn long_names_by_gnu_and_by_pax() {
    let deep = ["d".repeat(200), "e".repeat(200), "f".repeat(255)].join("/");
    let gnu = &deep.replace('e', "g");
    let target = "t".repeat(300);
    let tree = Tar::new()
        .raw(b'L', b"././@LongLink", [gnu.as_bytes(), b"\0"].concat().as_slice(), |_| {})
        .file("short", "gnu")
        .pax(&[("path", deep.as_bytes())])
        .file("short", "pax")
        .raw(b'K', b"././@LongLink", target.as_bytes(), |_| {})
        .symlink("k", "short")
        .pax(&[("linkpath", target.as_bytes())])
        .symlink("p", "short")
        .pax(&[("path", "hard".as_bytes()), ("linkpath", deep.as_bytes())])
        .link("short", "short")
        .tree();
    assert_eq!((tree.read(gnu), tree.read(&deep), tree.read("hard")), ("gnu".into(), "pax".into(), "pax".into()));
    assert_eq!(std::fs::read_link(tree.at("k")).unwrap().to_str(), Some(target.as_str()));
    assert_eq!(std::fs::read_link(tree.at("p")).unwrap().to_str(), Some(target.as_str()));
}

#[test]
fn ustar_prefix_and_old_directories() {
    let tree = Tar::new()
        .raw(b'0', b"name", b"x", |h| {
            h.as_mut_bytes()[257..265].copy_from_slice(b"ustar\x0000");
            h.as_ustar_mut().unwrap().prefix[..3].copy_from_slice(b"p/q");
        })
        .raw(0, b"old/", b"", |h| h.set_mode(0o700))
        .raw(0, b"old/f", b"y", |_| {})
        .raw(b'7', b"contiguous", b"z", |_| {})
        .tree();
    assert_eq!(tree.list().keys().collect::<Vec<_>>(), ["contiguous", "old", "old/f", "p", "p/q", "p/q/name"]);
    assert_eq!(tree.mode("old"), 0o700);
}

#[test]
fn times_to_the_nanosecond_and_before_the_epoch() {
    let tree = Tar::new()
        .pax(&[("mtime", b"1700000001.123456789"), ("atime", b"1600000000.5"), ("ctime", b"1.1")])
        .file("f", "x")
        .pax(&[("mtime", b"-1.5")])
        .dir("d", 0o755)
        .file("d/f", "x")
        .raw(b'0', b"neg", b"", |h| h.as_old_mut().mtime = [0xff; 12])
        .pax(&[("mtime", b"2.25")])
        .symlink("s", "f")
        .tree();
    let f = tree.stat("f");
    assert_eq!((f.mtime(), f.mtime_nsec()), (1_700_000_001, 123_456_789));
    assert_eq!((f.atime(), f.atime_nsec()), (1_600_000_000, 500_000_000));
    assert_eq!((tree.stat("d").mtime(), tree.stat("d").mtime_nsec()), (-2, 500_000_000));
    assert_eq!((tree.stat("neg").mtime(), tree.stat("d/f").atime()), (-1, 1_700_000_000));
    assert_eq!((tree.stat("s").mtime(), tree.stat("s").mtime_nsec()), (2, 250_000_000));
}

#[test]
fn xattrs_of_files_and_directories() {
    let tree = Tar::new()
        .pax(&[("SCHILY.xattr.user.a", b"1\n2"), ("LIBARCHIVE.xattr.user.b%20c", b"aGVsbG8")])
        .file("f", "x")
        .pax(&[("SCHILY.xattr.user.d", b"dir")])
        .dir("d", 0o555)
        .file("d/f", "x")
        .tree();
    assert_eq!(tree.xattr("f", "user.a").unwrap(), b"1\n2");
    assert_eq!(tree.xattr("f", "user.b c").unwrap(), b"hello");
    assert_eq!(tree.xattr("d", "user.d").unwrap(), b"dir");
    assert_eq!(tree.xattr("d/f", "user.d"), None);
}

#[test]
fn a_default_acl_is_given_after_the_files() {
    let acl = b"user::rwx,user:7:rwx,group::r-x,mask::rwx,other::r-x";
    let tree = Tar::new()
        .pax(&[("SCHILY.acl.default", acl), ("SCHILY.acl.access", acl)])
        .dir("d", 0o775)
        .file("d/f", "x")
        .tree();
    assert_eq!(tree.xattr("d", "system.posix_acl_default").unwrap().len(), 4 + 5 * 8);
    assert_eq!(tree.xattr("d", "system.posix_acl_access").unwrap().len(), 4 + 5 * 8);
    assert_eq!(tree.xattr("d/f", "system.posix_acl_access"), None, "nothing is inherited while unpacking");
    assert_eq!((tree.mode("d/f"), tree.mode("d")), (0o644, 0o775));
}

#[test]
fn whiteouts_take_overlays_form() {
    let tree = Tar::new()
        .file("a/b/.wh.gone", "")
        .dir("opaque", 0o700)
        .file("opaque/.wh..wh..opq", "")
        .file("opaque/new", "x")
        .file("late/f", "x")
        .file("late/.wh..wh..opq", "")
        .link(".wh.linked", ".wh..wh.aufs")
        .file(".wh..wh.aufs", "")
        .dir(".wh..wh.plnk", 0o700)
        .file(".wh..wh.plnk/12.34", "x")
        .tree();
    assert!(tree.is_whiteout("a/b/gone") && tree.is_whiteout("linked"));
    assert!(tree.is_opaque("opaque") && tree.is_opaque("late") && !tree.is_opaque("a"));
    assert_eq!(tree.mode("opaque"), 0o700);
    let names: Vec<_> = tree.list().into_keys().collect();
    assert_eq!(names, ["a", "a/b", "a/b/gone", "late", "late/f", "linked", "opaque", "opaque/new"]);
}

#[test]
fn a_whiteout_and_a_file_of_its_name_in_either_order() {
    // image-spec: a whiteout hides what lower layers have, never what its own layer has.
    let tree = Tar::new()
        .file(".wh.f", "")
        .file("f", "new")
        .file("g", "new")
        .file(".wh.g", "")
        .file(".wh.d", "")
        .dir("d", 0o700)
        .file("d/x", "new")
        .dir("e", 0o700)
        .file(".wh.e", "")
        .file(".wh.i", "")
        .file("i/x", "new")
        .file(".wh.s", "")
        .symlink("s", "f")
        .file(".wh.h", "")
        .link("h", "f")
        .tree();
    assert_eq!((tree.read("f"), tree.read("g"), tree.read("d/x")), ("new".into(), "new".into(), "new".into()));
    assert_eq!((tree.read("i/x"), tree.read("h"), tree.read("s")), ("new".into(), "new".into(), "new".into()));
    assert!(tree.is_opaque("d") && tree.is_opaque("e") && tree.is_opaque("i"), "lower directories stay hidden");
    assert_eq!((tree.mode("d"), tree.mode("e"), tree.mode("i")), (0o700, 0o700, 0o755));
}

#[test]
fn an_opaque_root() {
    assert!(Tar::new().file(".wh..wh..opq", "").file("f", "x").tree().is_opaque(""));
    let tree = Tar::new().file(".wh..wh..opq", "").dir("./", 0o700).tree();
    assert!(tree.is_opaque("") && tree.mode("") == 0o700);
}

#[test]
fn a_parent_that_is_a_link_is_resolved_in_the_tree() {
    let tree = Tar::new()
        .dir("usr/lib", 0o755)
        .symlink("lib", "usr/lib")
        .symlink("abs", "/usr/../usr/lib/")
        .symlink("chain", "abs")
        .symlink("up", "../../../../usr")
        .file("lib/a", "1")
        .file("abs/b", "2")
        .file("chain/c", "3")
        .file("up/lib/d", "4")
        .dir("lib/sub", 0o711)
        .file("lib/sub/e", "5")
        .dir("usr/lib/sub", 0o700)
        .link("usr/lib/f", "lib/a")
        .file("lib/.wh.gone", "")
        .file("up/.wh..wh..opq", "")
        .tree();
    for (name, data) in [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("sub/e", "5"), ("f", "1")] {
        assert_eq!(tree.read(&format!("usr/lib/{name}")), data);
    }
    assert_eq!(tree.mode("usr/lib/sub"), 0o700);
    assert!(tree.is_whiteout("usr/lib/gone") && tree.is_opaque("usr"));
}

#[test]
fn global_headers_and_labels_are_passed_over() {
    let tree = Tar::new()
        .raw(b'g', b"pax_global_header", b"52 comment=0123456789012345678901234567890123456789\n", |_| {})
        .raw(b'V', b"volume", b"", |_| {})
        .file("f", "x")
        .tree();
    assert_eq!(tree.list().into_keys().collect::<Vec<_>>(), ["f"]);
}

#[test]
fn an_unreadable_file_and_directory_come_with_their_content() {
    let tree = Tar::new().dir("d", 0o0).raw(b'0', b"d/f", b"x", |h| h.set_mode(0o0)).file("d/e/g", "y").tree();
    assert_eq!(tree.mode("d"), 0);
}

#[test]
fn an_empty_tar_is_an_empty_tree() {
    let tree = Tar::new().tree();
    assert!(tree.list().is_empty());
    assert_eq!((tree.mode(""), tree.stat("").mtime()), (0o755, 0));
}

#[test]
fn bytes_after_the_end_are_hashed_and_nothing_else() {
    let tree = Tree::new();
    let mut tar = Tar::new().file("f", "x").end();
    tar.extend(Tar::new().file("ghost", "x").end());
    tar.extend(b"odd tail");
    let made = tree.fill(tar.clone()).unwrap();
    assert_eq!((made.diff_id, made.size, made.ended), (ctr_store::Digest::of(&tar), tar.len() as u64, true));
    assert_eq!(tree.list().into_keys().collect::<Vec<_>>(), ["f"]);
}

#[test]
fn a_tar_without_its_end_says_so() {
    let tree = Tree::new();
    assert!(!tree.fill(Tar::new().file("f", "x").0).unwrap().ended);
}

#[test]
fn a_flag_stops_it() {
    let tree = Tree::new();
    let root = rustix::fs::open(tree.at(""), rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    let tar = std::io::Cursor::new(Tar::new().file("f", "x").end());
    let stop = ctr_layer::Stop::new(true);
    let stopped = ctr_layer::extract(Box::new(tar), ctr_store::Hasher::sha256(), root, &stop);
    assert_eq!(stopped.unwrap_err().code, Code::Io);
}

#[test]
fn large_files_cross_every_buffer() {
    let data: Vec<u8> = (0..1_000_003_u32).flat_map(u32::to_le_bytes).collect();
    let tree = Tar::new().raw(b'0', b"big", &data, |_| {}).file("after", "x").tree();
    assert!(std::fs::read(tree.at("big")).unwrap() == data);
    assert_eq!(tree.read("after"), "x");
}
