//! Writes images of the store as one archive, which img-load, docker, podman and skopeo read.

mod archive;
mod choose;
mod write;

use clap::{Args, ValueEnum};
use ctr_core::{Cannot, Code, Error, Result, files};
use ctr_store::Store;
use std::{
    fs::File,
    io::{self, IsTerminal},
    os::fd::AsFd,
    path::PathBuf,
};
use write::Tar;

/// The tool's name.
pub const NAME: &str = "img-save";
/// The first line of its help.
pub const ABOUT: &str = "Write images as an archive";

/// 128 + SIGPIPE: how the shell shows a writer whose reader went away.
const BROKEN_PIPE: i32 = 141;

/// The arguments of img-save(1).
#[derive(Args, Debug)]
pub struct ImgSave {
    /// References or image ids; a name without a tag is every image of that name
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Write to FILE instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The form of the archive
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::DockerArchive)]
    format: Format,
}

/// Forms of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// An OCI image layout with docker's manifest.json beside it
    DockerArchive,
    /// An OCI image layout
    OciArchive,
}

/// Writes the archive: the same images give the same bytes.
///
/// # Errors
/// `not-found` for an image that is not there, `corrupt` for one that lacks a blob, `busy` where a removal took one
/// meanwhile; `invalid` where stdout is a terminal. No part of FILE is left.
pub fn run(args: ImgSave) -> Result<()> {
    let store = Store::open()?;
    let images = choose::choose(&store, &args.images)?;
    if let Some(path) = &args.output {
        return files::write_with(path, |file| {
            archive::write(&store, &images, args.format, &mut Tar::new(file))
                .cannot_at(|| format!("write {}", path.display()))
        });
    }
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(Error::new(Code::Invalid, "an archive is not for a terminal").hint("redirect it, or give -o FILE"));
    }
    let mut file = File::from(stdout.as_fd().try_clone_to_owned().cannot(|| "duplicate stdout")?);
    match archive::write(&store, &images, args.format, &mut Tar::new(&mut file)) {
        Err(Failure::Write(e)) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(BROKEN_PIPE),
        other => other.cannot_at(|| "write to stdout".to_owned()),
    }
}

/// Why an archive was not written.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The store's.
    Read(Error),
    /// That of the file, or of who reads stdout.
    Write(io::Error),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self::Read(e)
    }
}

trait CannotAt {
    fn cannot_at(self, what: impl FnOnce() -> String) -> Result<()>;
}

impl CannotAt for Result<(), Failure> {
    fn cannot_at(self, what: impl FnOnce() -> String) -> Result<()> {
        self.map_err(|e| match e {
            Failure::Read(e) => e,
            Failure::Write(e) => Error::io(what(), &e),
        })
    }
}
