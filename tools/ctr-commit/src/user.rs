//! `User` of an image config: the word that the image has, where the container ran as whom it means.

use crate::config::process;
use ctr_core::{Document, Value};
use rustix::fs::{FileType, OFlags, fstat};
use std::{fs::File, io::Read, os::fd::AsRawFd};

/// Most bytes of an account file that are looked through.
const MOST: u64 = 1 << 20;

/// Whom the container ran as: `word` where that is who it is, else numbers; `None` for root that nobody asked for.
pub fn of(doc: &Document, word: &str) -> Option<String> {
    let user = process(doc)?.get("user");
    let number = |key: &str| user.and_then(|user| user.get(key)).and_then(Value::as_u64).unwrap_or_default();
    let (uid, gid) = (number("uid"), number("gid"));
    match word {
        "" if (uid, gid) == (0, 0) => None,
        "" => Some(format!("{uid}:{gid}")),
        word if means(doc, word, uid, gid) => Some(word.to_owned()),
        _ => Some(format!("{uid}:{gid}")),
    }
}

/// Whether `NAME|NUMBER[:GROUP|NUMBER]` is that user with that group.
fn means(doc: &Document, word: &str, uid: u64, gid: u64) -> bool {
    let (user, group) = word.split_once(':').map_or((word, None), |(user, group)| (user, Some(group)));
    let passwd = read(doc, "etc/passwd");
    // proc: name, password, number, group.
    let line = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|line| line.first() == Some(&user) || (user.parse::<u64>().is_ok() && line.get(2) == Some(&user)));
    let field = |at: usize| line.as_ref().and_then(|line| line.get(at)?.parse::<u64>().ok());
    let is_user = user.parse().ok().or(field(2)) == Some(uid);
    let is_group = match group {
        Some(group) => group.parse().ok().or_else(|| number_of_group(doc, group)) == Some(gid),
        None => field(3).unwrap_or(0) == gid,
    };
    is_user && is_group
}

fn number_of_group(doc: &Document, name: &str) -> Option<u64> {
    let groups = read(doc, "etc/group");
    let line = groups.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|line| line.first() == Some(&name));
    line?.get(2)?.parse().ok()
}

/// A file of the container's root; empty where it is no file that can be read.
fn read(doc: &Document, path: &str) -> String {
    let mut text = String::new();
    // Looked at before it is opened: to open a device that the container has put there would do what it does.
    let held = ctr_rootfs::mounted(doc).ok().and_then(|root| root.open(path, OFlags::PATH).ok());
    let is_file =
        |file: &_| fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    let file = held.filter(is_file).and_then(|held| File::open(format!("/proc/self/fd/{}", held.as_raw_fd())).ok());
    if let Some(file) = file {
        let _ = file.take(MOST).read_to_string(&mut text);
    }
    text
}
