//! The container's own lines of its /etc/hosts, which ns-spawn wrote, and the servers of its /etc/resolv.conf: the files that
//! are mounted there are written in place.

use ctr_core::{Cannot, Document, Result, container, ident, json, trace};
use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Seek, Write},
    net::IpAddr,
};

/// Most bytes of a file that is written anew: it is the container's to write, too.
const MAX: u64 = 1 << 20;

/// Adds a line for each address.
///
/// # Errors
/// The file system's.
pub fn add(id: &str, doc: &Document, addresses: &[IpAddr]) -> Result<()> {
    change(id, doc, |text, name| {
        let lines = addresses.iter().map(|address| format!("{address}\t{name}\n"));
        text.to_owned() + if text.is_empty() || text.ends_with('\n') { "" } else { "\n" } + &lines.collect::<String>()
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

/// Lets it ask `new` in place of the servers `old`.
///
/// # Errors
/// The file system's.
pub fn ask(id: &str, old: &[String], new: &[String]) -> Result<()> {
    if old == new {
        return Ok(());
    }
    write(id, "resolv.conf", |text| {
        let lines = new.iter().map(|server| format!("nameserver {server}\n"));
        let gone =
            |line: &&str| line.strip_prefix("nameserver ").is_some_and(|s| old.iter().any(|old| old == s.trim()));
        lines.collect::<String>() + &text.split_inclusive('\n').filter(|line| !gone(line)).collect::<String>()
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
    let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
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
