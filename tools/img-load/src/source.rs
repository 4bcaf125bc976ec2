//! Where the files of an archive come from: a directory as it is, or a tar spooled into the store.
//!
//! A tar may hold its files in any order, so each is written out and hashed as it goes by; one that turns out
//! to be a blob is published by a rename, and the rest is removed.

use ctr_core::{Cannot, Code, Error, Result, open_beneath};
use ctr_layer::{Files, Member, show};
use ctr_store::{Digest, Hasher, Spooled, Spools, Store};
use rustix::fs::{AtFlags, OFlags, ResolveFlags, statat};
use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    io::{self, IsTerminal, Read, Write},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path},
};

/// Most entries that a tar of images may have: a layer is one, and its JSON, and a few more.
const MAX_ENTRIES: usize = 10_000;
/// Largest JSON file that is read, bytes.
const MAX_JSON: u64 = 8 << 20;

/// What is said of an archive that is none of ours.
pub const EXPECTED: &str =
    "a docker-archive, an oci-archive or an OCI layout is expected; img-import takes a plain tar";

/// The files of an archive by their names in it.
pub struct Source {
    name: String,
    kind: Kind,
    spools: Spools,
}

enum Kind {
    Dir(OwnedFd),
    Tar { files: HashMap<String, Spooled>, links: HashMap<String, String> },
}

impl Source {
    /// Opens a directory or a tar, `None` being a tar on stdin (compressed or not, as docker's save and load have it).
    pub fn open(store: &Store, path: Option<&Path>) -> Result<Self> {
        let name = path.map_or_else(|| "stdin".to_owned(), |path| path.display().to_string());
        let input: Box<dyn Read + Send> = match path {
            None if io::stdin().is_terminal() => {
                return Err(Error::new(Code::Usage, "stdin is a terminal: expected a tar").hint("give a file by -i"));
            }
            None => Box::new(io::stdin()),
            Some(path) => {
                let file = File::open(path).cannot(|| format!("open {name}"))?;
                if file.metadata().cannot(|| format!("open {name}"))?.is_dir() {
                    return Ok(Self { name, kind: Kind::Dir(file.into()), spools: store.spools()? });
                }
                Box::new(file)
            }
        };
        let spools = store.spools()?;
        let kind = spool(&spools, input).map_err(|e| Error { message: format!("{name}: {}", e.message), ..e })?;
        Ok(Self { name, kind, spools })
    }

    /// Where what comes from it is spooled.
    pub fn spools(&self) -> &Spools {
        &self.spools
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
        self.file(file)?.take(MAX_JSON + 1).read_to_end(&mut bytes).cannot(|| format!("read {}", self.shown(file)))?;
        if bytes.len() as u64 > MAX_JSON {
            return Err(Error::new(Code::Limit, format!("{} is larger than {MAX_JSON} bytes", self.shown(file))));
        }
        Ok(bytes)
    }

    /// Reads a JSON blob of a layout whole, and verifies it.
    ///
    /// # Errors
    /// `corrupt` where it has not the digest by which it is named.
    pub fn blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        let file = blob_name(digest);
        let bytes = self.json(&file)?;
        if digest.is_of(&bytes) { Ok(bytes) } else { Err(self.lies(&file, &Digest::of(&bytes))) }
    }

    /// Makes a file of the archive a blob of the store. Gives its digest and its size.
    ///
    /// # Errors
    /// `corrupt` where there is no such file, or it has not the digest by which it is `named`.
    pub fn publish(&mut self, store: &Store, file: &str, named: Option<&Digest>) -> Result<(Digest, u64)> {
        let mut copied;
        let spooled = match self.spooled(file) {
            Some(spooled) if named.is_none_or(|d| d.algorithm() == spooled.digest().algorithm()) => spooled,
            // Of a directory; or named by another algorithm than the one by which a tar's files were hashed.
            _ => {
                copied = self.copy(file, named.map_or_else(Hasher::sha256, Hasher::new))?;
                &mut copied
            }
        };
        let (digest, size) = (spooled.digest().clone(), spooled.size());
        if named.is_some_and(|named| *named != digest) {
            return Err(self.lies(file, &digest));
        }
        spooled.publish(store)?;
        Ok((digest, size))
    }

    fn spooled(&mut self, file: &str) -> Option<&mut Spooled> {
        let Kind::Tar { files, links } = &mut self.kind else { return None };
        let file = if files.contains_key(file) { file } else { links.get(file)? };
        files.get_mut(file)
    }

    fn copy(&self, file: &str, hasher: Hasher) -> Result<Spooled> {
        let mut spool = self.spools.file(hasher)?;
        io::copy(&mut self.file(file)?, &mut spool).cannot(|| format!("copy {}", self.shown(file)))?;
        Ok(spool.finish())
    }

    fn file(&self, file: &str) -> Result<File> {
        let missing = || Error::new(Code::Corrupt, format!("{} has no {}", self.name, show(file.as_bytes())));
        let opened = match &self.kind {
            // Beneath the directory, whatever links it holds: what is read here becomes part of an image.
            Kind::Dir(dir) => open_beneath(dir, file, OFlags::NONBLOCK, ResolveFlags::BENEATH)
                .map(File::from)
                .map_err(io::Error::from),
            Kind::Tar { files, links } => {
                let spooled = files.get(file).or_else(|| files.get(links.get(file)?));
                File::open(spooled.ok_or_else(missing)?.path())
            }
        };
        opened.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => missing(),
            _ => Error::io(format!("open {}", self.shown(file)), &e),
        })
    }

    fn lies(&self, file: &str, digest: &Digest) -> Error {
        Error::new(Code::Corrupt, format!("{} has other bytes: their digest is {digest}", self.shown(file)))
    }

    /// A file as errors name it: the archive may have chosen the name.
    fn shown(&self, file: &str) -> String {
        format!("{} of {}", show(file.as_bytes()), self.name)
    }
}

/// The files and links of a tar.
fn spool(spools: &Spools, input: Box<dyn Read + Send>) -> Result<Kind> {
    let mut tar = Files::new(ctr_layer::open(input)?);
    let (mut files, mut links) = (HashMap::new(), HashMap::new());
    let mut entries = 0;
    while let Some((path, member)) = tar.member()? {
        entries += 1;
        if entries > MAX_ENTRIES {
            return Err(Error::new(Code::Limit, format!("it has more than {MAX_ENTRIES} entries")).hint(EXPECTED));
        }
        // What has another name no manifest can name.
        let Ok(path) = String::from_utf8(path) else { continue };
        match member {
            Member::File => {
                let mut spool = spools.file(Hasher::sha256())?;
                loop {
                    let chunk = tar.chunk()?;
                    if chunk.is_empty() {
                        break;
                    }
                    spool.write_all(chunk).cannot(|| "write to the image store")?;
                }
                files.insert(path, spool.finish());
            }
            Member::Symlink(target) => {
                let from = Path::new(&path).parent().unwrap_or(Path::new(""));
                links.extend(resolve(&from.join(OsStr::from_bytes(&target))).map(|target| (path, target)));
            }
            Member::Link(target) => links.extend(String::from_utf8(target).ok().map(|target| (path, target))),
            Member::Other => {}
        }
    }
    tar.finish()?;
    Ok(Kind::Tar { files, links })
}

/// The file of a layout that holds a blob (image-spec, image-layout.md).
pub fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
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
