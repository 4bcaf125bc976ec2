//! The four forms of sparse files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
use common::{Tar, Tree};
use ctr_core::Code;
use std::os::unix::fs::MetadataExt;

const SIZE: u64 = 3 << 20;

/// 4 bytes at 1 MiB, 3 bytes at 2 MiB, a hole to the end.
fn check(tree: &Tree, name: &str) {
    let data = std::fs::read(tree.at(name)).unwrap();
    assert_eq!(data.len() as u64, SIZE);
    let mut want = vec![0; SIZE as usize];
    want[1 << 20..][..4].copy_from_slice(b"abcd");
    want[2 << 20..][..3].copy_from_slice(b"efg");
    assert!(data == want);
    assert!(tree.stat(name).blocks() * 512 < SIZE / 2, "it has its holes");
    assert_eq!(tree.read("after"), "x");
}

#[test]
fn pax_0_0() {
    let tree = Tar::new()
        .pax(&[
            ("GNU.sparse.size", b"3145728"),
            ("GNU.sparse.numblocks", b"3"),
            ("GNU.sparse.offset", b"1048576"),
            ("GNU.sparse.numbytes", b"4"),
            ("GNU.sparse.offset", b"2097152"),
            ("GNU.sparse.numbytes", b"3"),
            ("GNU.sparse.offset", b"3145728"),
            ("GNU.sparse.numbytes", b"0"),
        ])
        .file("s", "abcdefg")
        .file("after", "x")
        .tree();
    check(&tree, "s");
}

#[test]
fn pax_0_1() {
    let tree = Tar::new()
        .pax(&[
            ("GNU.sparse.size", b"3145728"),
            ("GNU.sparse.numblocks", b"3"),
            ("GNU.sparse.name", b"s"),
            ("GNU.sparse.map", b"1048576,4,2097152,3,3145728,0"),
        ])
        .file("./GNUSparseFile.1/s", "abcdefg")
        .file("after", "x")
        .tree();
    check(&tree, "s");
    assert_eq!(tree.list().len(), 2);
}

#[test]
fn pax_1_0() {
    let records: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"s"),
        ("GNU.sparse.realsize", b"3145728"),
    ];
    let mut data = b"3\n1048576\n4\n2097152\n3\n3145728\n0\n".to_vec();
    data.resize(512, 0);
    data.extend(b"abcdefg");
    let tar = || Tar::new().pax(&records);
    let tree = tar().raw(b'0', b"./GNUSparseFile.1/s", &data, |_| {}).file("after", "x").tree();
    check(&tree, "s");
    // The map must fit the data, and the size in the header must hold the map.
    data.pop();
    assert_eq!(tar().raw(b'0', b"s", &data, |_| {}).refused(), Code::Corrupt);
    assert_eq!(tar().raw(b'0', b"s", b"3\n", |_| {}).refused(), Code::Corrupt);
    assert_eq!(tar().raw(b'0', b"s", &[b'9'; 512], |_| {}).refused(), Code::Corrupt);
    let endless = b"999999999\n".iter().copied().chain(b"0\n".iter().copied().cycle().take(2 << 20));
    assert_eq!(tar().raw(b'0', b"s", &endless.collect::<Vec<_>>(), |_| {}).refused(), Code::Limit);
}

#[test]
fn a_pax_sparse_format_of_the_future() {
    let versions: [&[(&str, &[u8])]; 5] = [
        &[("GNU.sparse.major", b"2")],
        &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"1")],
        &[("GNU.sparse.major", b"01"), ("GNU.sparse.minor", b"0")],
        &[("GNU.sparse.major", b"0")],
        &[("GNU.sparse.minor", b"0")],
    ];
    for version in versions {
        let future = Tar::new().pax(&[version, &[("GNU.sparse.realsize", b"9")]].concat()).file("s", "abc");
        assert_eq!(future.refused(), Code::Unsupported, "{version:?}");
    }
}

/// Where records speak of more than one map, one counts, and its count must be right.
#[test]
fn maps_in_records() {
    let records = |more: &[(&'static str, &'static [u8])]| {
        let size: [(&str, &[u8]); 1] = [("GNU.sparse.size", b"5")];
        Tar::new().pax(&[&size, more].concat()).file("s", "abc")
    };
    let pair: [(&str, &[u8]); 2] = [("GNU.sparse.offset", b"1"), ("GNU.sparse.numbytes", b"3")];
    let one: (&str, &[u8]) = ("GNU.sparse.numblocks", b"1");
    assert_eq!(records(&[one, pair[0], pair[1]]).tree().read("s"), "\0abc\0");
    assert_eq!(records(&[pair[0], pair[1], ("GNU.sparse.map", b"0,1,2,2"), one]).tree().read("s"), "\0abc\0");
    assert_eq!(records(&[("GNU.sparse.map", b"2,3"), one, ("GNU.sparse.realsize", b"9")]).tree().read("s"), "\0\0abc");
    assert_eq!(records(&[("GNU.sparse.map", b"2,3"), ("GNU.sparse.map", b"")]).tree().read("s"), "abc", "none");
    let refused = |more: &[(&'static str, &'static [u8])]| records(more).refused();
    assert_eq!(refused(&pair), Code::Corrupt, "no count");
    assert_eq!(refused(&[("GNU.sparse.numblocks", b"2"), pair[0], pair[1]]), Code::Corrupt);
    assert_eq!(refused(&[one, pair[1], pair[0]]), Code::Corrupt, "the length first");
    assert_eq!(refused(&[one, pair[0]]), Code::Corrupt, "half a pair");
    // Without a size of its own the file has that of its data.
    let tar = Tar::new().pax(&[("GNU.sparse.map", b"0,3"), one]).file("s", "abc");
    assert_eq!(tar.tree().read("s"), "abc");
}

#[test]
fn old_gnu_with_its_map_continued() {
    let part = |offset: u64, length: u64| {
        let mut part = [0; 24];
        part[..12].copy_from_slice(format!("{offset:011o}\0").as_bytes());
        part[12..].copy_from_slice(format!("{length:011o}\0").as_bytes());
        part
    };
    let tar = |real: u64, more: &[[u8; 24]]| {
        // The data follows the blocks that continue the map, so it is put in by hand.
        let mut tar = Tar::new().raw(b'S', b"s", b"", |h| {
            h.set_size(7);
            let gnu = h.as_gnu_mut().unwrap();
            gnu.set_real_size(real);
            gnu.set_is_extended(true);
            for (i, at) in [0_u64, 100, 200, 300].into_iter().enumerate() {
                gnu.sparse[i].set_offset(at);
                gnu.sparse[i].set_length(0);
            }
        });
        let mut block = more.concat();
        block.resize(512, 0);
        tar.0.extend(block);
        tar.data(b"abcdefg").file("after", "x")
    };
    check(&tar(SIZE, &[part(1 << 20, 4), part(2 << 20, 3), part(SIZE, 0)]).tree(), "s");
    assert_eq!(tar(1 << 20, &[part(1 << 20, 4), part(2 << 20, 3)]).refused(), Code::Corrupt);
    assert_eq!(tar(SIZE, &[part(2 << 20, 4), part(1 << 20, 3)]).refused(), Code::Corrupt);
    assert_eq!(tar(SIZE, &[part(1 << 20, 4)]).refused(), Code::Corrupt);
}
