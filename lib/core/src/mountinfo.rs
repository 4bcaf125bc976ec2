//! What is mounted, as the kernel says (proc_pid_mountinfo(5)).

use crate::{Cannot, Result};
use rustix::{
    fd::AsFd,
    fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx},
    path::Arg,
};
use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// One mount of this process's mount namespace.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Its number, as statx(2) gives it for a file in it.
    pub id: u64,
    /// Where it is mounted.
    pub point: PathBuf,
    /// `overlay`, `tmpfs`, …
    pub fstype: String,
    /// Per-mount options.
    pub options: String,
    /// What is mounted beneath it shows in others of its group (mount_namespaces(7)).
    pub shared: bool,
    /// What is mounted beneath another shows in it.
    pub slave: bool,
    /// Options of the file system.
    pub super_options: String,
}

/// All mounts, in the kernel's order: of two on one point the later one is on top.
pub fn read() -> Result<Vec<Mount>> {
    read_file("/proc/self/mountinfo")
}

/// The same as process `pid` sees them: its root is `/`.
pub fn of(pid: i32) -> Result<Vec<Mount>> {
    read_file(&format!("/proc/{pid}/mountinfo"))
}

/// Whether something is mounted on `point` (statx(2), `STATX_ATTR_MOUNT_ROOT`).
pub fn is_mounted(point: &Path) -> bool {
    is_mounted_at(CWD, point)
}

/// The same for what `name` is in `dir`; with no name for what `dir` itself holds, which may be a file.
pub fn is_mounted_at(dir: impl AsFd, name: impl Arg) -> bool {
    statx(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH, StatxFlags::empty())
        .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

fn read_file(path: &str) -> Result<Vec<Mount>> {
    let text = fs::read(path).cannot(|| format!("read {path}"))?;
    Ok(text.split(|b| *b == b'\n').filter_map(parse).collect())
}

fn parse(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    let dash = fields.iter().skip(6).position(|f| *f == b"-")? + 6;
    let text = |at: usize| fields.get(at).map(|f| String::from_utf8_lossy(f).into_owned());
    Some(Mount {
        point: PathBuf::from(OsString::from_vec(unescape(fields.get(4)?))),
        options: text(5)?,
        id: text(0)?.parse().ok()?,
        shared: fields[6..dash].iter().any(|f| f.starts_with(b"shared:")),
        slave: fields[6..dash].iter().any(|f| f.starts_with(b"master:")),
        fstype: text(dash + 1)?,
        super_options: text(dash + 3)?,
    })
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| first == b'\\');
        let byte = octal.and_then(|o| u8::from_str_radix(std::str::from_utf8(o).ok()?, 8).ok());
        out.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &tail[3..] } else { tail };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_line_with_escapes_and_optional_fields() {
        let m = parse(br"36 35 98:0 / /mnt/a\040b rw,noatime shared:1 master:2 - overlay ctr rw,upperdir=/u").unwrap();
        assert_eq!(m.point, PathBuf::from("/mnt/a b"));
        assert_eq!((m.fstype.as_str(), m.options.as_str()), ("overlay", "rw,noatime"));
        assert_eq!(m.super_options, "rw,upperdir=/u");
        assert!(m.id == 36 && m.shared && m.slave);
        let plain = parse(br"36 35 98:0 / / rw - ext4 /dev/vda rw").unwrap();
        assert!(!plain.shared && !plain.slave);
    }
}
