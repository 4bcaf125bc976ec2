//! `export` and `import`: the files of a volume as a tar, and back.

use crate::create;
use clap::Args;
use ctr_core::{Cannot, Code, Error, Lock, Result, files, print_line};
use ctr_layer::{Place, Take};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, openat},
};
use std::{
    fs::File,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

/// The arguments of `export`.
#[derive(Args, Debug)]
pub struct Export {
    /// The name
    #[arg(value_name = "VOLUME")]
    volume: String,
    /// Write to FILE instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    /// Writes the tar. What is to be mounted as the volume's files is, as long as that takes.
    pub fn run(&self) -> Result<()> {
        let volume = ctr_vol::load(&self.volume)?;
        if volume.is_mount() {
            let lock = ctr_vol::lock(&volume.name)?;
            ctr_vol::ready(&volume, &lock)?;
        }
        let written = self.write(&ctr_vol::data(&volume.name));
        let lock = Lock::store()?;
        if ctr_vol::users(&volume.name)?.is_empty() {
            ctr_vol::let_go(&volume.name, &lock)?;
        }
        written
    }

    fn write(&self, data: &Path) -> Result<()> {
        let tree = directory(data)?;
        match &self.output {
            Some(path) => files::write_with(path, |out| ctr_layer::pack(tree, b"", out)),
            None => ctr_layer::pack_to_stdout(tree, b""),
        }
    }
}

fn directory(path: &Path) -> Result<OwnedFd> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .cannot(|| format!("open {}", path.display()))
}

/// The arguments of `import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The name of the volume that is made
    #[arg(value_name = "VOLUME")]
    volume: String,
    /// The tar, compressed or not; -: stdin [default: -]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Give it a label
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
}

impl Import {
    /// Makes the volume, which is there once all its files are, and prints its name.
    pub fn run(&self) -> Result<()> {
        let volume = create::volume(Some(&self.volume), &[], &self.labels)?;
        let fill = |data: &Path| {
            let place = Place { dir: directory(data)?, inside: None };
            let from = self.file.as_deref().filter(|path| *path != Path::new("-"));
            let name = from.map_or_else(|| "stdin".to_owned(), |path| path.display().to_string());
            let named = |e: Error| Error { message: format!("{name}: {}", e.message), ..e };
            match from {
                Some(path) => {
                    let file = File::open(path).cannot(|| format!("open {name}"))?;
                    let tar = ctr_layer::open(file).map_err(named)?;
                    ctr_layer::merge(tar, &place, Take::Whole).map_err(named)
                }
                None if io::stdin().is_terminal() => {
                    Err(Error::new(Code::Usage, "stdin is a terminal: expected a tar"))
                }
                None => {
                    let tar = ctr_layer::open(io::stdin()).map_err(named)?;
                    ctr_layer::merge(tar, &place, Take::Whole).map_err(named)
                }
            }
        };
        ctr_vol::create_with(&volume, fill)?;
        print_line(&volume.name)
    }
}
