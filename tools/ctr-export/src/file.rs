//! A large file that is there whole or not at all.

use ctr_core::{Cannot, Result, ident};
use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Lets `fill` write the file `path`: aside first, and renamed. What is there and is no regular file, a fifo or
/// `/dev/null`, is written to.
pub fn write(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let what = || format!("write {}", path.display());
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return fill(&mut OpenOptions::new().write(true).open(path).cannot(what)?);
    }
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let aside = aside(&path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside).cannot(what)?;
    fill(&mut file).and_then(|()| fs::rename(&aside, &path).cannot(what)).inspect_err(|_| drop(fs::remove_file(&aside)))
}

fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", ident::token()))
}
