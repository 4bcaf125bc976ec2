//! The container's own lines of its /etc/hosts, which ns-spawn wrote, and the servers of its /etc/resolv.conf: the files that
//! are mounted there are written in place.

use ctr_core::{
    Cannot, Document, Result, container,
    hosts::{self, is_link, line},
    ident, json, trace,
};
use ctr_net::{Dns, Host};
use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Seek, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
};

/// Most bytes of a file that is written anew: it is the container's to write, too.
const MAX: u64 = 1 << 20;

/// Adds a line for each address.
///
/// # Errors
/// The file system's.
pub fn add(id: &str, doc: &Document, addresses: &[IpAddr]) -> Result<()> {
    change(id, doc, |text, name| {
        let lines = addresses.iter().map(|address| line(*address, &[name.to_owned()]) + "\n");
        whole(text.to_owned()) + &lines.collect::<String>()
    })
}

/// Takes the lines away that are for these addresses.
///
/// # Errors
/// The file system's.
pub fn remove(id: &str, doc: &Document, addresses: &[IpAddr]) -> Result<()> {
    change(id, doc, |text, _| {
        let own = |line: &&str| {
            let address = line.split_ascii_whitespace().next().and_then(|word| word.parse::<IpAddr>().ok());
            address.is_none_or(|address| !addresses.contains(&address))
        };
        text.split_inclusive('\n').filter(own).collect()
    })
}

/// Makes the lines of its links those of `new`, where those of `old` are; there may be none. Lines of `old` without the mark of a
/// link are of an earlier release.
///
/// # Errors
/// The file system's; `EWOULDBLOCK` where the container has a lease on the file.
pub fn link(id: &str, old: &[Host], new: &[Host]) -> Result<()> {
    if old.is_empty() && new.is_empty() {
        return Ok(());
    }
    let unmarked: Vec<_> = old.iter().map(|host| line(host.address, &host.names) + "\n").collect();
    write(id, "hosts", |text| {
        let stays = |line: &&str| !is_link(line) && !unmarked.iter().any(|old| old == line);
        let kept: String = text.split_inclusive('\n').filter(stays).collect();
        let lines: String = new.iter().map(|host| hosts::link(host.address, &host.names)).collect();
        if lines.is_empty() { kept } else { whole(kept) + &lines }
    })
}

/// The text, whose last line is one: what is added begins another.
fn whole(text: String) -> String {
    if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
}

/// Lets it ask the servers of `new`, by its options, in place of those of `old`.
///
/// # Errors
/// The file system's.
pub fn ask(id: &str, old: &Dns, new: &Dns) -> Result<()> {
    let options = |dns: &Dns| format!("options {}\n", dns.options.join(" "));
    let (gone, options) = (options(old), options(new));
    let server = |line: &str| old.nameservers.iter().any(|old| line.strip_prefix("nameserver ") == Some(old));
    let is_old = |line: &str| server(line.trim_end()) || (old.options != new.options && line == gone);
    write(id, "resolv.conf", |text| {
        let mut lines: String = text.split_inclusive('\n').filter(|line| !is_old(line)).collect();
        if old.nameservers != new.nameservers || text.lines().any(server) {
            let servers = new.nameservers.iter().map(|server| format!("nameserver {server}\n"));
            lines = servers.collect::<String>() + &lines;
        }
        if old.options != new.options && !new.options.is_empty() && (old.options.is_empty() || text.contains(&gone)) {
            lines = whole(lines) + &options;
        }
        lines
    })
}

fn change(id: &str, doc: &Document, f: impl FnOnce(&str, &str) -> String) -> Result<()> {
    let name = doc.get("spec").and_then(|spec| spec.get("hostname")).and_then(|name| name.as_str());
    let name = name.unwrap_or_else(|| ident::short(id));
    write(id, "hosts", |text| f(text, name))
}

fn write(id: &str, file: &str, f: impl FnOnce(&str) -> String) -> Result<()> {
    let path = container::dir(id).join(file);
    let what = || format!("write {}", path.display());
    // The container may hold a lease on it (fcntl(2), F_SETLEASE), for which we would wait.
    let mut file =
        match OpenOptions::new().read(true).write(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(&path) {
            // Another file is mounted there.
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            other => other.cannot(what)?,
        };
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(MAX).read_to_end(&mut bytes).cannot(what)?;
    let old = String::from_utf8_lossy(&bytes);
    let new = f(&old);
    if bytes.len() as u64 == MAX || new == old {
        return Ok(());
    }
    let write = |file: &mut File| {
        file.rewind()?;
        file.write_all(new.as_bytes())?;
        file.set_len(new.len() as u64)
    };
    trace::act("write", || json!({"path": path}), || write(&mut file).cannot(what))
}
