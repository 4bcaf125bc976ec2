//! `rm` and `prune`: volumes that no container uses.

use crate::filter::Filters;
use clap::Args;
use ctr_core::{Code, Error, Result, each, print_line};

/// The arguments of `rm`.
#[derive(Args, Debug)]
pub struct Rm {
    /// Names
    #[arg(value_name = "VOLUME", required = true)]
    volumes: Vec<String>,
    /// Volumes that are not there are no failure
    #[arg(short = 'f', long)]
    force: bool,
}

impl Rm {
    /// Removes one after the other and prints their names.
    pub fn run(&self) -> Result<()> {
        each(&self.volumes, |name| match ctr_vol::remove(name, None) {
            Err(e) if e.code == Code::NotFound && self.force => Ok(()),
            other => other.and_then(|()| print_line(&name)),
        })
    }
}

/// The arguments of `prune`.
#[derive(Args, Debug)]
pub struct Prune {
    /// Those with a name too
    #[arg(short = 'a', long)]
    all: bool,
    /// Only these: label=, label!=; all=true is --all
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Say that it is meant: nothing asks
    #[arg(short = 'f', long)]
    force: bool,
}

impl Prune {
    /// Removes them and prints their names.
    pub fn run(&self) -> Result<()> {
        if !self.force {
            let message = "every volume that no container uses would be removed";
            return Err(Error::new(Code::Usage, message).hint("give --force"));
        }
        let filters = Filters::parse(&self.filter, &["label", "all"])?;
        let mut names = Vec::new();
        for volume in ctr_vol::all()? {
            if (self.all || filters.all() || volume.anonymous) && filters.match_all(&volume)? {
                names.push(volume.name);
            }
        }
        each(&names, |name| match ctr_vol::remove(name, None) {
            // In use, or gone since.
            Err(e) if matches!(e.code, Code::Busy | Code::NotFound) => Ok(()),
            other => other.and_then(|()| print_line(&name)),
        })
    }
}
