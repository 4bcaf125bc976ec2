//! Tars made by hand, with whatever no honest tool would write, and a look at what they became.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use ctr_core::Code;
use ctr_layer::{Extracted, Stop, extract};
use ctr_store::Hasher;
use rustix::fs::{Mode, OFlags};
use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

/// A tar under construction. Owners are the caller's, so that the tests need no root.
#[derive(Clone, Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    /// A header as `change` leaves it, with its checksum made right; then data and padding.
    pub fn raw(mut self, flag: u8, name: &[u8], data: &[u8], change: impl FnOnce(&mut tar::Header)) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_uid(u64::from(rustix::process::geteuid().as_raw()));
        header.set_gid(u64::from(rustix::process::getegid().as_raw()));
        header.set_mtime(1_700_000_000);
        header.set_size(data.len() as u64);
        let old = header.as_old_mut();
        old.linkflag[0] = flag;
        assert!(name.len() <= 100);
        old.name[..name.len()].copy_from_slice(name);
        change(&mut header);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.data(data)
    }

    pub fn data(mut self, data: &[u8]) -> Self {
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: &str, data: &str) -> Self {
        self.raw(b'0', name.as_bytes(), data.as_bytes(), |_| {})
    }

    pub fn dir(self, name: &str, mode: u32) -> Self {
        self.raw(b'5', name.as_bytes(), b"", |h| h.set_mode(mode))
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.raw(b'2', name.as_bytes(), b"", |h| h.set_link_name_literal(target).unwrap())
    }

    pub fn link(self, name: &str, target: &str) -> Self {
        self.raw(b'1', name.as_bytes(), b"", |h| h.set_link_name_literal(target).unwrap())
    }

    /// An extended header for the entry that follows.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let body = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
            let mut length = body.len() + 1;
            while length.to_string().len() + body.len() != length {
                length += 1;
            }
            data.extend_from_slice(length.to_string().as_bytes());
            data.extend_from_slice(&body);
        }
        self.raw(b'x', b"pax", &data, |_| {})
    }

    /// The two blocks that end a tar.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }

    /// What the whole tar becomes.
    pub fn tree(self) -> Tree {
        let tree = Tree::new();
        tree.fill(self.end()).unwrap_or_else(|e| panic!("{e}"));
        tree
    }

    /// The code of the refusal. Whatever happened, nothing is outside the tree that was not there before.
    pub fn refused(self) -> Code {
        let tree = Tree::new();
        let code = tree.fill(self.end()).expect_err("it was taken").code;
        tree.assert_nothing_outside();
        code
    }
}

/// A directory to unpack into, `root`, with a witness beside it.
pub struct Tree {
    above: PathBuf,
}

impl Tree {
    pub fn new() -> Self {
        let above = std::env::temp_dir().join(format!("ctr-layer-test-{}", ctr_core::ident::token()));
        fs::create_dir_all(above.join("root")).unwrap();
        fs::write(above.join("witness"), "untouched").unwrap();
        Self { above }
    }

    pub fn fill(&self, tar: Vec<u8>) -> ctr_core::Result<Extracted> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(self.at(""), flags, Mode::empty()).unwrap();
        extract(Box::new(Cursor::new(tar)), Hasher::sha256(), root, &Stop::new(false))
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.above.join("root").join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    pub fn stat(&self, path: &str) -> fs::Metadata {
        fs::symlink_metadata(self.at(path)).unwrap()
    }

    pub fn mode(&self, path: &str) -> u32 {
        self.stat(path).mode() & 0o7777
    }

    pub fn is_whiteout(&self, path: &str) -> bool {
        let stat = self.stat(path);
        stat.file_type().is_char_device() && stat.rdev() == 0
    }

    pub fn xattr(&self, path: &str, name: &str) -> Option<Vec<u8>> {
        let mut value = vec![0; 65536];
        let length = rustix::fs::lgetxattr(self.at(path), name, &mut value).ok()?;
        value.truncate(length);
        Some(value)
    }

    pub fn is_opaque(&self, path: &str) -> bool {
        let yes = Some(b"y".to_vec());
        self.xattr(path, "trusted.overlay.opaque") == yes || self.xattr(path, "user.overlay.opaque") == yes
    }

    /// Every path beneath the root with a letter for its kind and what it holds.
    pub fn list(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        self.walk(Path::new(""), &mut all);
        all
    }

    fn walk(&self, dir: &Path, all: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(self.at("").join(dir)).unwrap() {
            let entry = entry.unwrap();
            let path = dir.join(entry.file_name());
            let kind = entry.file_type().unwrap();
            let what = if kind.is_dir() {
                self.walk(&path, all);
                "d".to_owned()
            } else if kind.is_symlink() {
                format!("l {}", fs::read_link(entry.path()).unwrap().display())
            } else if kind.is_file() {
                format!("f {}", String::from_utf8_lossy(&fs::read(entry.path()).unwrap()))
            } else {
                "special".to_owned()
            };
            all.insert(path.to_string_lossy().into_owned(), what);
        }
    }

    pub fn assert_nothing_outside(&self) {
        let mut names: Vec<_> = fs::read_dir(&self.above).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["root", "witness"]);
        let witness = fs::metadata(self.above.join("witness")).unwrap();
        assert_eq!(
            (fs::read_to_string(self.above.join("witness")).unwrap().as_str(), witness.nlink()),
            ("untouched", 1)
        );
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.assert_nothing_outside();
        ctr_core::files::remove_tree(&self.above).unwrap();
    }
}
