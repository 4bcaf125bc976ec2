//! Says what every byte under the root is for.

mod disk;
mod each;
mod summary;
mod users;

use clap::{Args, ValueEnum};
use ctr_core::{Result, print_line};
use disk::Disk;
use users::Users;

/// The tool's name.
pub const NAME: &str = "ctr-df";
/// The first line of its help.
pub const ABOUT: &str = "Say what the disk is used for";

/// The arguments of ctr-df(1).
#[derive(Args, Debug)]
pub struct CtrDf {
    /// A line for each thing of this kind instead of one for each kind
    #[arg(long, value_enum, value_name = "KIND")]
    each: Option<Each>,
}

/// Kinds of things that can be listed one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Each {
    /// Images: what each has, and has alone
    Image,
    /// Layers: as they came, and unpacked
    Layer,
    /// Containers: writable layer, log, records
    Container,
    /// Volumes
    Volume,
    /// What killed processes left
    Leftover,
}

/// Prints JSON lines; all sizes are bytes as they are allocated on the disk, as du(1) counts them.
///
/// # Errors
/// `corrupt` where the index does not read; otherwise as reading directories fails.
pub fn run(args: CtrDf) -> Result<()> {
    let disk = Disk::measure()?;
    let users = Users::read()?;
    let lines = match args.each {
        None => summary::lines(&disk, &users),
        Some(Each::Image) => each::images(&disk, &users),
        Some(Each::Layer) => each::layers(&disk, &users),
        Some(Each::Container) => each::containers(&disk, &users),
        Some(Each::Volume) => each::volumes(&disk, &users),
        Some(Each::Leftover) => each::leftovers(&disk),
    };
    lines.iter().try_for_each(print_line)
}
