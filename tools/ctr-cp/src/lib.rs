//! Copies files and directories out of a container or into one, as they are or as a tar.
//!
//! Both ways go through a tar: [`ctr_layer::pack()`] writes it, [`ctr_layer::merge()`] makes files of it. Here is what a
//! path means at each end, with docker's rules for directories.

mod here;
mod inside;
mod into;
mod out;
mod transfer;
mod word;

use clap::Args;
use ctr_core::{Code, Error, Result};
use std::ffi::OsString;
use word::Word;

/// The tool's name.
pub const NAME: &str = "ctr-cp";
/// The first line of its help.
pub const ABOUT: &str = "Copy files out of a container or into one";

/// The arguments of ctr-cp(1).
#[derive(Args, Debug)]
pub struct CtrCp {
    /// Keep owners, set-id bits, extended attributes and devices
    #[arg(short, long)]
    archive: bool,
    /// Copy what SRC leads to, if it is a symbolic link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Print nothing on success, as without it: for those who know it from docker
    #[arg(short, long)]
    quiet: bool,
    /// CONTAINER:PATH, a path here, or - for a tar on stdin
    #[arg(value_name = "SRC")]
    source: OsString,
    /// A path here, - for a tar on stdout, or CONTAINER:PATH
    #[arg(value_name = "DEST")]
    dest: OsString,
}

/// Copies `SRC` to `DEST`.
///
/// # Errors
/// `not-found` where there is no such container or path, `unsupported` between two containers, `usage` without one.
pub fn run(args: CtrCp) -> Result<()> {
    match (Word::parse(&args.source), Word::parse(&args.dest)) {
        (Word::Inside(_), Word::Inside(_)) => {
            Err(Error::new(Code::Unsupported, "copying between containers is not supported")
                .hint("ctr-cp A:SRC - | ctr-cp - B:DEST"))
        }
        (Word::Inside(from), to) => out::copy(&args, &from, &to),
        (from, Word::Inside(to)) => into::copy(&args, &from, &to),
        _ => Err(Error::new(Code::Usage, "neither SRC nor DEST is in a container").hint("write it CONTAINER:PATH")),
    }
}
