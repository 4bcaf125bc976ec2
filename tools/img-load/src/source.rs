//! Where the files of an archive come from: a directory as it is, or a tar spooled into the store.
//!
//! A tar may hold its files in any order, so each is written out and hashed as it goes by; one that turns out
//! to be a blob is published by a rename, and the rest is removed.

use ctr_core::{Cannot, Code, Error, Result};
use ctr_store::{Digest, Spool, Store};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, openat2, statat};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

const BUFFER: usize = 256 << 10;
/// Most files that an archive of images may hold: a layer is one, and its JSON, and a few more.
const MAX_FILES: usize = 10_000;
/// Largest JSON file that is read, bytes.
pub const MAX_JSON: u64 = 8 << 20;

/// The files of an archive by their names in it.
pub struct Source {
    name: String,
    kind: Kind,
}

enum Kind {
    Dir(OwnedFd),
    Tar { files: HashMap<String, Spool>, links: HashMap<String, String>, published: HashMap<String, (Digest, u64)> },
}

impl Source {
    /// Opens a directory or a tar, `None` being a tar on stdin (compressed or not, as docker's save and load have it).
    pub fn open(store: &Store, path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Self::spool(store, Box::new(io::stdin()), "stdin".to_owned()) };
        let name = path.display().to_string();
        if path.is_dir() {
            let dir = File::open(path).cannot(|| format!("open {name}"))?;
            return Ok(Self { name, kind: Kind::Dir(dir.into()) });
        }
        let file = File::open(path).cannot(|| format!("open {name}"))?;
        Self::spool(store, Box::new(file), name)
    }

    fn spool(store: &Store, input: Box<dyn Read + Send>, name: String) -> Result<Self> {
        let read = || format!("read {name}");
        let tar = ctr_layer::open(input).map_err(|e| Error { message: format!("{name}: {}", e.message), ..e })?;
        let mut archive = tar::Archive::new(tar);
        let (mut files, mut links) = (HashMap::new(), HashMap::new());
        let mut buffer = vec![0; BUFFER];
        for entry in archive.entries().cannot(read)? {
            let mut entry = entry.cannot(read)?;
            let path = plain(&entry.path().cannot(read)?);
            let Some(path) = path else { continue };
            if files.len() + links.len() >= MAX_FILES {
                return Err(Error::new(Code::Limit, format!("{name} holds more than {MAX_FILES} files")));
            }
            match entry.header().entry_type() {
                tar::EntryType::Symlink | tar::EntryType::Link => {
                    let hard = entry.header().entry_type() == tar::EntryType::Link;
                    let Some(target) = entry.link_name().cannot(read)? else { continue };
                    let from = if hard {
                        PathBuf::new()
                    } else {
                        Path::new(&path).parent().unwrap_or(Path::new("")).to_owned()
                    };
                    if let Some(target) = resolve(&from.join(target)) {
                        links.insert(path, target);
                    }
                }
                kind if kind.is_file() => {
                    let mut spool = store.spool()?;
                    loop {
                        let n = entry.read(&mut buffer).cannot(read)?;
                        if n == 0 {
                            break;
                        }
                        spool.write_all(&buffer[..n]).cannot(|| format!("write to the image store from {name}"))?;
                    }
                    files.insert(path, spool);
                }
                _ => {}
            }
        }
        Ok(Self { name, kind: Kind::Tar { files, links, published: HashMap::new() } })
    }

    /// What it is called in errors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is a file of that name.
    pub fn has(&self, file: &str) -> bool {
        match &self.kind {
            Kind::Dir(dir) => statat(dir, file, AtFlags::empty()).is_ok(),
            Kind::Tar { files, .. } => files.contains_key(file),
        }
    }

    /// Reads a JSON file whole, at most 8 MiB.
    pub fn json(&self, file: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file(file)?
            .take(MAX_JSON + 1)
            .read_to_end(&mut bytes)
            .cannot(|| format!("read {file} of {}", self.name))?;
        if bytes.len() as u64 > MAX_JSON {
            return Err(Error::new(Code::Limit, format!("{file} of {} is larger than {MAX_JSON} bytes", self.name)));
        }
        Ok(bytes)
    }

    fn file(&self, file: &str) -> Result<File> {
        let missing = || Error::new(Code::Corrupt, format!("{} has no {file}", self.name));
        let opened = match &self.kind {
            // Beneath the directory, whatever links it holds: what is read here becomes part of an image.
            Kind::Dir(dir) => {
                openat2(dir, file, OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty(), ResolveFlags::BENEATH)
                    .map(File::from)
                    .map_err(io::Error::from)
            }
            Kind::Tar { files, links, .. } => {
                let spool = files.get(file).or_else(|| files.get(links.get(file)?));
                File::open(spool.ok_or_else(missing)?.path())
            }
        };
        opened.map_err(|e| {
            if e.kind() == io::ErrorKind::NotFound {
                missing()
            } else {
                Error::io(format!("open {file} of {}", self.name), &e)
            }
        })
    }

    /// Makes a file of the archive a blob of the store. Gives its digest, its size and its first bytes.
    ///
    /// # Errors
    /// `corrupt` where `expected` is given and the bytes have another digest, or there is no such file.
    pub fn publish(&mut self, store: &Store, file: &str, expected: Option<&Digest>) -> Result<(Digest, u64)> {
        let lies = |got: &Digest| match expected {
            Some(digest) if digest != got => {
                Err(Error::new(Code::Corrupt, format!("{file} of the archive has other bytes: their digest is {got}")))
            }
            _ => Ok(()),
        };
        if let Kind::Tar { files, links, published } = &mut self.kind {
            let real = if files.contains_key(file) { file } else { links.get(file).map_or(file, String::as_str) };
            if let Some((digest, size)) = published.get(real) {
                lies(digest)?;
                return Ok((digest.clone(), *size));
            }
            if expected.is_none_or(|d| d.algorithm() == "sha256")
                && let Some(spool) = files.remove(real)
            {
                lies(&spool.digest())?;
                let size = spool.size();
                let digest = spool.publish(store)?;
                published.insert(real.to_owned(), (digest.clone(), size));
                return Ok((digest, size));
            }
        }
        let mut input = self.file(file)?;
        let mut spool = store.spool()?;
        io::copy(&mut input, &mut spool).cannot(|| format!("copy {file} of {}", self.name))?;
        lies(&spool.digest())?;
        let size = spool.size();
        Ok((spool.publish(store)?, size))
    }
}

/// A path of plain names, without `.`; `None` where it has `..` or nothing.
fn plain(path: &Path) -> Option<String> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::CurDir | Component::RootDir => {}
            _ => return None,
        }
    }
    (!names.is_empty()).then(|| names.join("/"))
}

/// A path with its `..` taken out as text: the links of docker's archives are `../<id>/layer.tar`.
fn resolve(path: &Path) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::ParentDir => {
                names.pop()?;
            }
            _ => {}
        }
    }
    (!names.is_empty()).then(|| names.join("/"))
}
