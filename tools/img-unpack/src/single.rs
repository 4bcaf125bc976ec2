//! `--layer FILE --to DIR`: one layer, for looking at it.

use ctr_core::{Cannot, Code, Error, Result, files, json, trace};
use ctr_layer::Stop;
use ctr_store::Hasher;
use rustix::fs::{Mode, OFlags};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::Path,
};

/// Unpacks the layer in `file` to `to` and prints its diffId.
pub fn unpack(file: &Path, to: &Path) -> Result<()> {
    let blob: Box<dyn Read + Send> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).cannot(|| format!("open {}", file.display()))?)
    };
    let what = || json!({"layer": file, "to": to});
    let diff_id = trace::act("unpack", what, || extract(blob, file, to).map(Some))?;
    if let Some(diff_id) = diff_id {
        writeln!(io::stdout(), "{diff_id}").cannot(|| "write to stdout")?;
    }
    Ok(())
}

fn extract(blob: Box<dyn Read + Send>, file: &Path, to: &Path) -> Result<ctr_store::Digest> {
    let was_there = match fs::read_dir(to) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                let error = Error::new(Code::Exists, format!("cannot unpack to {}: it is not empty", to.display()));
                return Err(error.hint("name a directory that is empty or not there"));
            }
            true
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            fs::create_dir(to).cannot(|| format!("make directory {}", to.display()))?;
            false
        }
        Err(e) => return Err(e).cannot(|| format!("unpack to {}", to.display())),
    };
    let result = ctr_layer::open(blob).and_then(|tar| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(to, flags, Mode::empty()).cannot(|| format!("open {}", to.display()))?;
        ctr_layer::extract(tar, Hasher::sha256(), root, &Stop::new(false))
    });
    let result = result.and_then(|made| {
        // No digest is expected here that would show it.
        if made.ended { Ok(made.diff_id) } else { Err(Error::new(Code::Corrupt, "the tar is cut short")) }
    });
    result.map_err(|mut e| {
        clean(to, was_there);
        e.message = format!("{}: {}", file.display(), e.message);
        e
    })
}

/// Nothing half made stays; a directory that was there stays.
fn clean(to: &Path, was_there: bool) {
    if !was_there {
        let _ = files::remove_tree(to);
        return;
    }
    for entry in fs::read_dir(to).into_iter().flatten().flatten() {
        let _ = files::remove_tree(&entry.path());
    }
}
