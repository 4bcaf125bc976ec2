//! What layers have done to other container tools, and what it does here: nothing outside the tree.
//!
//! [`common::Tree`] checks after each case that beside the tree nothing appeared and nothing changed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
use common::{Tar, Tree};
use ctr_core::Code::{self, Corrupt, Limit, Unsupported};

/// `..` in every place a name can stand (CVE-2014-9356 and many others).
#[test]
fn dot_dot_is_refused() {
    for name in ["..", "../x", "a/../../x", "/../x", "a/..", "./../x", "a/b/../../../x"] {
        assert_eq!(Tar::new().file(name, "x").refused(), Corrupt, "{name}");
        assert_eq!(Tar::new().dir(name, 0o755).refused(), Corrupt, "{name}");
        assert_eq!(Tar::new().symlink(name, "x").refused(), Corrupt, "{name}");
        assert_eq!(Tar::new().pax(&[("path", name.as_bytes())]).file("x", "x").refused(), Corrupt, "{name}");
        assert_eq!(Tar::new().raw(b'L', b"L", name.as_bytes(), |_| {}).file("x", "x").refused(), Corrupt, "{name}");
        assert_eq!(Tar::new().pax(&sparse(name)).file("x", "").refused(), Corrupt, "{name}");
    }
}

/// The records of an empty sparse file of that name.
fn sparse(name: &str) -> [(&str, &[u8]); 4] {
    [
        ("GNU.sparse.size", b"0"),
        ("GNU.sparse.numblocks", b"1"),
        ("GNU.sparse.map", b"0,0"),
        ("GNU.sparse.name", name.as_bytes()),
    ]
}

/// What a scanner reads by Go's archive/tar is what is unpacked: no name counts here that does not count there.
#[test]
fn names_are_those_that_others_see() {
    let (shown, hidden) = ("usr/share/doc/readme", "usr/bin/sudo");
    let file = |tar: Tar| tar.file(shown, "x").tree();
    let as_shown = |tar: Tar| {
        let tree = file(tar);
        assert_eq!(tree.read(shown), "x");
        assert!(!tree.at(hidden).exists());
    };
    let path: (&str, &[u8]) = ("path", hidden.as_bytes());
    // A header is about the entry that follows, be that none of ours.
    for other in [b'g', b'V'] {
        as_shown(Tar::new().pax(&[path]).raw(other, b"other", b"", |_| {}));
        as_shown(Tar::new().raw(b'L', b"L", hidden.as_bytes(), |_| {}).raw(other, b"other", b"", |_| {}));
        let tar = Tar::new().raw(b'K', b"K", b"hidden", |_| {}).raw(other, b"other", b"", |_| {}).symlink("s", "shown");
        assert_eq!(std::fs::read_link(tar.tree().at("s")).unwrap().to_str(), Some("shown"));
    }
    as_shown(Tar::new().raw(b'L', b"L", b"", |_| {}));
    // The name of a sparse file counts where there is one.
    as_shown(Tar::new().pax(&[("GNU.sparse.name", hidden.as_bytes())]));
    as_shown(Tar::new().pax(&sparse(hidden)[3..]));
    as_shown(Tar::new().pax(&[("GNU.sparse.size", b"1"), ("GNU.sparse.name", hidden.as_bytes())]));
    let tree = Tar::new().pax(&sparse(hidden)).file(shown, "").tree();
    assert!(tree.at(hidden).exists() && !tree.at(shown).exists());
    // And it is a file.
    for entry in [
        |tar: Tar| tar.dir("d", 0o755),
        |tar: Tar| tar.symlink("s", "x"),
        |tar: Tar| tar.link("l", "f"),
        |tar: Tar| tar.raw(b'6', b"p", b"", |_| {}),
        |tar: Tar| tar.raw(0, b"d/", b"", |_| {}),
    ] {
        let records = sparse(hidden);
        let with = |records| entry(Tar::new().file("f", "").pax(records));
        assert!(!with(&records[3..]).tree().at(hidden).exists());
        assert_eq!(with(&records).refused(), Corrupt);
    }
}

#[test]
fn absolute_names_stay_beneath() {
    let tree = Tar::new().file("/etc/ctr-layer-test", "x").file("//tmp//ctr-layer-test", "y").tree();
    assert_eq!((tree.read("etc/ctr-layer-test"), tree.read("tmp/ctr-layer-test")), ("x".into(), "y".into()));
    assert!(!std::path::Path::new("/etc/ctr-layer-test").exists());
}

/// A link out, then a file through it (CVE-2014-6407, CVE-2018-15664, CVE-2019-14271 and buildah's kin).
#[test]
fn a_link_out_leads_nowhere() {
    for target in ["/tmp", "..", "../..", "/", "/proc/self/root/tmp", "../../../../tmp", "/proc/self/cwd"] {
        let tar = Tar::new().symlink("out", target).file("out/ctr-layer-witness", "x");
        let tree = Tree::new();
        // Where the target exists in the tree (`/` and `..` are its root) the file is in the tree; else refused.
        match tree.fill(tar.end()) {
            Ok(_) => assert_eq!(tree.read("ctr-layer-witness"), "x", "{target}"),
            Err(e) => assert_eq!(e.code, Corrupt, "{target}"),
        }
        tree.assert_nothing_outside();
        for place in ["/tmp", "/", ".", ".."] {
            assert!(!std::path::Path::new(place).join("ctr-layer-witness").exists(), "{target}");
        }
    }
}

#[test]
fn a_chain_of_links_out_leads_nowhere() {
    let chain = Tar::new().symlink("a", "..").symlink("b", "a/..").symlink("c", "b/../witness");
    assert_eq!(chain.clone().file("c", "x").refused(), Corrupt, "a file does not go through a link of its name");
    assert_eq!(chain.file("c/x", "x").refused(), Corrupt);
    let outside = std::env::temp_dir();
    let outside = outside.to_str().unwrap();
    assert_eq!(Tar::new().symlink("a", outside).symlink("b", "a").file("b/x", "x").refused(), Corrupt);
    assert_eq!(Tar::new().symlink("a", "b").symlink("b", "a").file("a/x", "x").refused(), Corrupt, "a loop");
    assert_eq!(Tar::new().symlink("a", "a").dir("a/x", 0o755).refused(), Corrupt);
}

/// A file over a link, as a way to write where the link points.
#[test]
fn nothing_is_written_through_a_link_at_its_own_name() {
    let link = || Tar::new().symlink("x", "../witness");
    assert_eq!(link().file("x", "overwritten").refused(), Corrupt);
    assert_eq!(link().dir("x", 0o777).refused(), Corrupt, "no chmod through it either");
    assert_eq!(link().symlink("x", "/etc").refused(), Corrupt);
    assert_eq!(link().raw(b'6', b"x", b"", |_| {}).refused(), Corrupt);
    assert_eq!(Tar::new().symlink("d", "..").dir("d", 0o777).refused(), Corrupt);
}

/// Hard links to what is not in the layer: absolute, through `..`, through links (CVE-2014-6407).
#[test]
fn hard_links_reach_only_files_of_the_layer() {
    for target in ["../witness", "/../witness", "a/../../witness"] {
        assert_eq!(Tar::new().link("x", target).refused(), Corrupt, "{target}");
    }
    for target in ["/etc/passwd", "etc/passwd", "nothing", "", ".", "/", "x"] {
        assert_eq!(Tar::new().link("x", target).refused(), Corrupt, "{target}");
    }
    assert_eq!(Tar::new().symlink("out", "..").link("x", "out/witness").refused(), Corrupt);
    assert_eq!(Tar::new().symlink("out", "/etc").link("x", "out/passwd").refused(), Corrupt);
    assert_eq!(Tar::new().dir("d", 0o755).link("x", "d").refused(), Corrupt, "a directory");
    assert_eq!(Tar::new().file(".wh.d", "").link("x", ".wh.d").refused(), Corrupt, "a whiteout's own name");
}

/// A hard link to a planted symbolic link, then a write to the hard link.
#[test]
fn a_hard_link_to_a_link_is_not_followed() {
    let links = || Tar::new().symlink("s", "../witness").link("h", "s");
    assert_eq!(std::fs::read_link(links().tree().at("h")).unwrap().to_str(), Some("../witness"));
    assert_eq!(links().file("h", "overwritten").refused(), Corrupt);
    assert_eq!(links().file("h/x", "x").refused(), Corrupt);
}

/// The root entry as something other than a directory replaced the whole root (CVE-2021-29136).
#[test]
fn the_root_stays_a_directory() {
    for name in [".", "./", "/", "//", "./."] {
        assert_eq!(Tar::new().symlink(name, "/etc").file("passwd", "x").refused(), Corrupt, "{name}");
        assert_eq!(Tar::new().link(name, "x").refused(), Corrupt, "{name}");
        assert_eq!(Tar::new().file(name, "x").refused(), Corrupt, "{name}");
    }
    assert_eq!(Tar::new().raw(b'2', b"", b"", |h| h.set_link_name_literal("/").unwrap()).refused(), Corrupt);
    assert_eq!(Tar::new().raw(b'0', b"", b"", |_| {}).refused(), Corrupt, "no name at all");
}

/// Whiteouts that name the directory, its parent, or nothing, removed what was outside.
#[test]
fn whiteouts_name_one_file_here() {
    for name in [".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh..", "d/.wh...", ".wh./..", ".wh.a/b", ".wh.a/../b"] {
        assert_eq!(Tar::new().dir("d", 0o755).file(name, "").refused(), Corrupt, "{name}");
        assert_eq!(Tar::new().dir("d", 0o755).dir(name, 0o755).refused(), Corrupt, "{name}");
    }
    let out = || Tar::new().symlink("out", "../..");
    let tree = out().file("out/.wh.witness", "").file("out/.wh..wh..opq", "").tree();
    assert!(tree.is_whiteout("witness") && tree.is_opaque(""), "`out` is the tree's own root");
    assert_eq!(Tar::new().symlink("out", "/tmp").file("out/.wh..wh..opq", "").refused(), Corrupt);
    assert_eq!(Tar::new().symlink("out", "/tmp").file("out/.wh.x", "").refused(), Corrupt);
    // A whiteout of a link is about the link.
    let tree = Tar::new().symlink("s", "../witness").file(".wh.s", "").tree();
    assert_eq!(std::fs::read_link(tree.at("s")).unwrap().to_str(), Some("../witness"));
    assert_eq!(Tar::new().file(".wh.x", "").file(".wh.x", "").refused(), Corrupt, "twice");
    assert_eq!(Tar::new().file(".wh.x", "").symlink("s", "x").file("s/f", "").refused(), Corrupt);
}

/// Overlay would obey these: a redirect shows another directory, a metacopy another file's data.
#[test]
fn overlays_own_xattrs_are_not_taken() {
    let records: Vec<(String, &[u8])> = ["trusted", "user"]
        .iter()
        .flat_map(|class| ["opaque", "redirect", "metacopy", "whiteout", "overlay.opaque"].map(|name| (class, name)))
        .map(|(class, name)| (format!("SCHILY.xattr.{class}.overlay.{name}"), &b"/etc"[..]))
        .collect();
    let records: Vec<(&str, &[u8])> = records.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let tree =
        Tar::new().pax(&records).dir("d", 0o755).pax(&records).file("f", "x").pax(&records).dir(".", 0o755).tree();
    for path in ["", "d", "f"] {
        let mut names = vec![0; 4096];
        let length = rustix::fs::listxattr(tree.at(path), &mut names[..]).unwrap();
        assert!(!String::from_utf8_lossy(&names[..length]).contains("overlay"), "{path:?}");
    }
}

/// image-spec, layer.md: no duplicate entries; what comes second could be what the first was checked for.
#[test]
fn a_second_entry_of_a_path_is_refused() {
    type Add = fn(Tar) -> Tar;
    let kinds: [(&str, Add); 5] = [
        ("file", |t| t.file("x", "1")),
        ("directory", |t| t.dir("x", 0o755)),
        ("symlink", |t| t.symlink("x", "y")),
        ("link", |t| t.link("x", "y")),
        ("fifo", |t| t.raw(b'6', b"./x", b"", |_| {})),
    ];
    for (first, a) in kinds {
        for (second, b) in kinds {
            if (first, second) != ("directory", "directory") {
                assert_eq!(b(a(Tar::new().file("y", "2"))).refused(), Corrupt, "{first}, {second}");
            }
        }
    }
    assert_eq!(Tar::new().file("a", "x").file("a/b", "x").refused(), Corrupt, "beneath a file");
    assert_eq!(Tar::new().file("a/b", "x").file("a", "x").refused(), Corrupt, "over an implied directory");
    assert_eq!(Tar::new().file("a/b", "x").symlink("a", "/etc").refused(), Corrupt);
    assert_eq!(Tar::new().raw(b'6', b"p", b"", |_| {}).file("p/x", "x").refused(), Corrupt);
}

#[test]
fn cut_short_at_every_place() {
    let whole = Tar::new()
        .pax(&[("mtime", b"1.5")])
        .file("f", &"x".repeat(700))
        .raw(b'L', b"L", &[b'n'; 130], |_| {})
        .file("g", "y")
        .0;
    let boundaries = [0, 512 * 5, whole.len()];
    for length in (0..whole.len()).filter(|n| n % 100 == 0 || n % 512 == 0) {
        let tree = Tree::new();
        match tree.fill(whole[..length].to_vec()) {
            // Between two entries a cut does not show, but the end is missing and `ended` says so.
            Ok(made) => assert!(!made.ended && boundaries.contains(&length), "{length}"),
            Err(e) => assert_eq!(e.code, Corrupt, "{length}: {e}"),
        }
    }
}

#[test]
fn damaged_headers() {
    let mut tar = Tar::new().file("f", "x").end();
    tar[0] ^= 1;
    assert_eq!(Tree::new().fill(tar).unwrap_err().code, Corrupt);
    let number = |change: fn(&mut tar::Header)| Tar::new().raw(b'0', b"f", b"", change).refused();
    assert_eq!(number(|h| h.as_old_mut().size = [0xff; 12]), Corrupt, "negative size");
    assert_eq!(number(|h| h.as_old_mut().size = *b"99999999999\0"), Corrupt);
    assert_eq!(number(|h| h.set_size(u64::MAX)), Corrupt);
    assert_eq!(number(|h| h.set_size(i64::MAX as u64)), Corrupt, "cut short");
    assert_eq!(number(|h| h.as_old_mut().uid = *b"x\0\0\0\0\0\0\0"), Corrupt);
    assert_eq!(number(|h| h.set_uid(u64::from(u32::MAX))), Corrupt, "-1 would leave the owner as it is");
    assert_eq!(number(|h| h.set_gid(1 << 32)), Corrupt);
    let mut lone = Tar::new().file("f", "x").0;
    lone.extend([0; 512]);
    lone.extend(Tar::new().file("g", "x").end());
    assert_eq!(Tree::new().fill(lone).unwrap_err().code, Corrupt, "an empty block in the middle");
    for flag in *b"DMNAz\xff" {
        assert_eq!(Tar::new().raw(flag, b"f", b"", |_| {}).refused(), Unsupported, "{flag}");
    }
}

#[test]
fn damaged_extended_headers() {
    for record in [&b"x"[..], b"99 path=x\n", b"10 path=xx", b"8 path=\n\n", b"00000000000000000000000000000"] {
        assert_eq!(Tar::new().raw(b'x', b"pax", record, |_| {}).file("f", "").refused(), Corrupt);
    }
    let records: [(&str, &[u8]); 9] = [
        ("size", b"-1"),
        ("size", b"18446744073709551615"),
        ("uid", b"4294967295"),
        ("gid", b"x"),
        ("mtime", b"yesterday"),
        ("path", b"a\0b"),
        ("SCHILY.xattr.user.a\0b", b"x"),
        ("SCHILY.acl.access", b"user::q"),
        ("GNU.sparse.size", b"x"),
    ];
    for (key, value) in records {
        assert_eq!(Tar::new().pax(&[(key, value)]).file("f", "").refused(), Corrupt, "{key}");
    }
    assert_eq!(Tar::new().pax(&[("linkpath", b"a\0b")]).symlink("f", "x").refused(), Corrupt);
    assert_eq!(Tar::new().symlink("f", "").refused(), Corrupt);
    let tree = Tree::new();
    assert_eq!(tree.fill(Tar::new().pax(&[("path", b"f")]).end()).unwrap_err().code, Corrupt, "describes nothing");
}

/// A kilobyte of gzip can stand for any of these.
#[test]
fn nothing_is_read_without_bound() {
    let huge = |flag| Tar::new().raw(flag, b"huge", b"", |h| h.set_size(1 << 40)).refused();
    assert_eq!((huge(b'x'), huge(b'L'), huge(b'K')), (Limit, Limit, Limit));
    assert_eq!(huge(b'0'), Corrupt, "a file is cut short");
    assert_eq!(huge(b'g'), Corrupt, "a global header is passed over");
    let long = "n".repeat(256);
    assert_eq!(Tar::new().pax(&[("path", long.as_bytes())]).file("f", "").refused(), Limit);
    assert_eq!(Tar::new().pax(&[("path", &b"a/".repeat(300))]).file("f", "").refused(), Limit);
    assert_eq!(Tar::new().pax(&[("linkpath", &b"a/".repeat(2050))]).symlink("f", "x").refused(), Limit);
    let name = format!("SCHILY.xattr.user.{long}");
    assert_eq!(Tar::new().pax(&[(&name, b"x")]).file("f", "").refused(), Limit);
    let half = vec![b'n'; 600 << 10];
    let twice =
        |flag| Tar::new().raw(b'x', b"pax", b"", |_| {}).raw(flag, b"L", &half, |_| {}).raw(flag, b"L", &half, |_| {});
    assert_eq!((twice(b'L').file("f", "").refused(), twice(b'K').file("f", "").refused()), (Limit, Limit), "together");
    let mut many = Tar::new();
    let value = vec![b'x'; 1 << 20];
    for i in 0..70 {
        many = many.pax(&[("SCHILY.xattr.user.x", &value[..(1 << 20) - 100])]).dir(&format!("d{i}"), 0o755);
    }
    assert_eq!(many.refused(), Limit, "what is kept of directories until the end");
}

/// A tree too deep to be removed again would stay for ever.
#[test]
fn depth_is_bounded_by_links_too() {
    let deep = |tar: Tar, path: &str| tar.pax(&[("path", path.as_bytes())]).file("f", "x");
    assert_eq!(deep(Tar::new(), &("d/".repeat(255) + "f")).tree().list().len(), 256);
    assert_eq!(deep(Tar::new(), &("d/".repeat(256) + "f")).refused(), Limit);
    let half = "d/".repeat(200);
    let link = Tar::new().pax(&[("path", half.as_bytes())]).dir("d", 0o755);
    let link = link.pax(&[("linkpath", half.as_bytes())]).symlink("s", "d");
    assert_eq!(deep(link, &format!("s/{half}f")).refused(), Limit);
}

#[test]
fn names_that_look_like_something_else() {
    let names = ["...", "..a", "-rf", "a b", "a\tb", "a\\..\\b", "C:", "~", "\u{202e}txt", "a\u{1b}[31m"];
    let tree = names.iter().fold(Tar::new(), |tar, name| tar.file(name, "x")).tree();
    assert_eq!(tree.list().len(), names.len());
    let tree = Tar::new().raw(b'0', b"\xff\xfe", b"x", |_| {}).tree();
    assert_eq!(tree.list().len(), 1);
}

#[test]
fn messages_are_one_line_whatever_the_name() {
    let tree = Tree::new();
    let error = tree.fill(Tar::new().file("a\nb\x1b[2J", "x").file("a\nb\x1b[2J", "x").end()).unwrap_err();
    assert!(!error.to_string().chars().any(char::is_control), "{error}");
}

#[test]
fn sockets_cannot_come() {
    // tar has no type for them; what GNU tar does with one is leave it out.
    assert_eq!(Tar::new().raw(b's', b"sock", b"", |_| {}).refused(), Code::Unsupported);
}
