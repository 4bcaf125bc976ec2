//! A tar of a root file system, from a file or stdin, becomes an image of one layer.

use clap::Args;
use ctr_core::{Cannot, Code, Common, Document, Done, Error, Map, Result, Tool, Value, json, trace};
use ctr_store::{Digest, Hasher, Platform, Reference, Spool, Spooled, Spools, Store, change, check_image, media_type};
use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

const BUFFER: usize = 256 << 10;

/// The arguments of img-import(1).
#[derive(Args, Debug)]
pub struct ImgImport {
    /// The tar (plain, gzip or zstd); `-` is stdin
    #[arg(value_name = "FILE")]
    source: Option<PathBuf>,
    /// The reference that the image gets; without it the image dangles
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// Apply a Dockerfile instruction to the image's config
    #[arg(short = 'c', long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// The comment in the image's history
    #[arg(short = 'm', long, value_name = "TEXT")]
    message: Option<String>,
    /// The platform that the files are for
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    platform: Option<Platform>,
}

impl Tool for ImgImport {
    const NAME: &'static str = "img-import";
    const BEGINS: bool = true;
    const ABOUT: &'static str = "Make an image of a tar of a root file system";

    fn add(&mut self, doc: &mut Document, _: &Common) -> Result<Done> {
        let source = self.source.as_deref().ok_or_else(|| {
            Error::new(Code::Usage, "a tar is expected: a file, or - for stdin")
                .hint("tar c -C DIR . | img-import - NAME")
        })?;
        let reference = self.reference.as_deref().map(Reference::to_give).transpose()?;
        let mut config = Map::new();
        change::apply_all(&mut config, &self.changes)?;
        let platform = self.platform.clone().unwrap_or_else(Platform::host);
        if trace::dry_run() {
            let what = || json!({"source": source, "ref": reference.as_ref().map(Reference::to_string)});
            trace::act("import", what, || Ok(()))?;
            return Ok(Done::Print);
        }
        let store = Store::open()?;
        let name = if source == Path::new("-") { "stdin".to_owned() } else { source.display().to_string() };
        let spools = store.spools()?;
        let (blob, layer_type) = spool(&spools, source, &name)?;
        let diff_id = diff_id(&blob, &name)?;
        let comment = self.message.clone().unwrap_or_else(|| format!("Imported from {}", source.display()));
        let config = self::config(&platform, config, &diff_id, &comment).to_string();
        let layer = json!({"mediaType": layer_type, "digest": blob.digest().as_str(), "size": blob.size()});
        let image = store.put_image(&spools, reference.as_ref(), config.as_bytes(), &[layer], vec![blob])?;
        ctr_store::emit("import", image.id.as_deref(), reference.map(|r| r.to_string()).as_deref());
        doc.set("image", &image)?;
        doc.push_step(Self::NAME, json!({}));
        Ok(Done::Print)
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        check_image(doc)
    }

    fn gc() -> Result<Vec<Value>> {
        ctr_store::gc()
    }
}

/// Streams the tar into the store, as it is. Gives it with its media type.
fn spool(spools: &Spools, source: &Path, name: &str) -> Result<(Spooled, &'static str)> {
    let mut input: Box<dyn Read> = if source == Path::new("-") {
        if io::stdin().is_terminal() {
            return Err(Error::new(Code::Usage, "stdin is a terminal: expected a tar"));
        }
        Box::new(io::stdin())
    } else {
        Box::new(File::open(source).cannot(|| format!("open {name}"))?)
    };
    let mut spool = spools.file(Hasher::sha256())?;
    let kind = copy(&mut input, &mut spool, name)?;
    Ok((spool.finish(), kind))
}

fn copy(input: &mut dyn Read, spool: &mut Spool, name: &str) -> Result<&'static str> {
    let mut buffer = vec![0; BUFFER];
    let mut kind = None;
    loop {
        let n = input.read(&mut buffer).cannot(|| format!("read {name}"))?;
        if n == 0 {
            return kind.ok_or_else(|| Error::new(Code::Invalid, format!("{name} is empty: expected a tar")));
        }
        kind.get_or_insert(media_type::of_layer(&buffer[..n]));
        spool.write_all(&buffer[..n]).cannot(|| format!("write to the image store from {name}"))?;
    }
}

/// The digest of the tar inside; reads it entry by entry, which tells a tar from what is none and a whole one from one
/// that was cut short.
fn diff_id(spooled: &Spooled, name: &str) -> Result<Digest> {
    let corrupt = |e: io::Error| match e.raw_os_error() {
        Some(_) => Error::io(format!("read {name}"), &e),
        None => Error::new(Code::Corrupt, format!("{name} is not a whole tar: {e}")),
    };
    let blob = File::open(spooled.path()).cannot(|| format!("open {}", spooled.path().display()))?;
    let tar = ctr_layer::open(blob).map_err(|e| Error { message: format!("{name}: {}", e.message), ..e })?;
    let mut archive = tar::Archive::new(Hashing { tar, hasher: Hasher::sha256() });
    for entry in archive.entries().map_err(corrupt)?.raw(true) {
        entry.map_err(corrupt)?;
    }
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(corrupt)?;
    Ok(rest.hasher.finish())
}

/// Hashes what is read through it.
struct Hashing<R> {
    tar: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.tar.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}

fn config(platform: &Platform, config: Map<String, Value>, diff_id: &Digest, comment: &str) -> Value {
    let created = jiff::Timestamp::now().to_string();
    let mut all = json!({
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [diff_id.as_str()]},
        "history": [{"created": created, "comment": comment}],
    });
    if !platform.variant.is_empty() {
        all["variant"] = json!(platform.variant);
    }
    all
}
