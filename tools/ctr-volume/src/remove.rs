//! `rm` and `prune`: volumes that no container uses.

use crate::filter::Filters;
use clap::Args;
use ctr_core::{Code, Failures, Result, confirm, each, json, print_line};

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
    /// Do not ask
    #[arg(short = 'f', long)]
    force: bool,
}

impl Prune {
    /// Removes them, and prints which went and the bytes that they took; goes on after one that stays.
    pub fn run(&self) -> Result<()> {
        let filters = Filters::parse(&self.filter, &["label", "all"])?;
        let all = self.all || filters.all();
        if !self.force {
            let which = if all { "all local" } else { "anonymous local" };
            confirm(&format!("This will remove {which} volumes not used by at least one container."))?;
        }
        let (mut deleted, mut bytes) = (Vec::new(), 0);
        let mut failures = Failures::default();
        for volume in ctr_vol::all()? {
            if !(all || volume.anonymous) || failures.note(filters.match_all(&volume)) != Some(true) {
                continue;
            }
            if let Some(size) = failures.note(remove_idle(&volume.name)).flatten() {
                deleted.push(volume.name);
                bytes += size;
            }
        }
        print_line(&json!({"VolumesDeleted": deleted, "SpaceReclaimed": bytes}))?;
        failures.end()
    }
}

/// Removes a volume, and gives the bytes that were allocated for it; `None` for one that is in use or gone since.
fn remove_idle(name: &str) -> Result<Option<u64>> {
    if !ctr_vol::users(name)?.is_empty() {
        return Ok(None);
    }
    // Of what cannot be measured nothing is counted; it is removed all the same.
    let size = ctr_store::usage(&ctr_vol::dir(name)).map_or(0, |usage| usage.bytes);
    match ctr_vol::remove(name, None) {
        Err(e) if matches!(e.code, Code::Busy | Code::NotFound) => Ok(None),
        other => other.map(|()| Some(size)),
    }
}
