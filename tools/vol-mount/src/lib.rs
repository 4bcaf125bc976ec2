//! Mounts volumes, paths of the host, other images and memory in a container.

mod add;
mod check;
mod entry;
mod fill;
mod how;
mod image;
mod live;
mod propagation;
mod word;

use clap::Args;
use ctr_core::{Code, Common, Document, Done, Error, Result, Tool, Value, container};
use word::Wanted;

/// The arguments of vol-mount(1).
#[derive(Args, Debug)]
pub struct VolMount {
    /// Mount a volume by its name, or a path of the host; TARGET alone: a volume without a name
    #[arg(short = 'v', long = "volume", value_name = "[SOURCE:]TARGET[:OPTIONS]")]
    volumes: Vec<String>,
    /// Mount what fields say: type=bind|volume|tmpfs|image,source=…,target=…,…
    #[arg(long = "mount", value_name = "FIELD=VALUE,…")]
    mounts: Vec<String>,
    /// Mount memory
    #[arg(long, value_name = "TARGET[:OPTIONS]")]
    tmpfs: Vec<String>,
    /// Mount what another container has of volumes and paths of the host
    #[arg(long, value_name = "CONTAINER[:ro]")]
    volumes_from: Vec<String>,
    /// Mount in a container that runs; with --undo take away what is mounted on each TARGET
    #[arg(long, value_name = "CONTAINER")]
    into: Option<String>,
    /// With --into: what -v takes, or with --undo a TARGET
    #[arg(value_name = "WORD", requires = "into")]
    words: Vec<String>,
}

impl Tool for VolMount {
    const NAME: &'static str = "vol-mount";
    const ABOUT: &'static str = "Mount volumes, paths of the host, other images and memory in a container";
    const PATIENT: bool = true;
    const JOINS: bool = true;

    fn alone(&mut self, common: &Common) -> Option<Result<()>> {
        let container = self.into.clone()?;
        Some(self.live(&container, common))
    }

    fn add(&mut self, doc: &mut Document, _: &Common) -> Result<Done> {
        add::add(doc, self.wanted()?, &self.volumes_from)
    }

    fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
        ctr_vol::undo(doc, undo)
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        check::check(doc)
    }

    /// Mounts again what a reboot took of volumes that are file systems of their own.
    fn repair(doc: &mut Document) -> Result<()> {
        container::recorded(container::checked_id(doc.str("id").unwrap_or_default())?)?;
        entry::mount_volumes(ctr_vol::used_by(doc))?;
        live::repair(doc)
    }

    fn gc() -> Result<Vec<Value>> {
        ctr_vol::gc()
    }
}

impl VolMount {
    fn wanted(&self) -> Result<Vec<Wanted>> {
        let volumes = self.volumes.iter().map(|word| word::volume(word));
        let mounts = self.mounts.iter().map(|word| word::mount(word));
        volumes.chain(mounts).chain(self.tmpfs.iter().map(|word| word::tmpfs(word))).collect()
    }

    fn live(&self, container: &str, common: &Common) -> Result<()> {
        if common.check || common.repair || common.file.is_some() || !self.volumes_from.is_empty() {
            let message = "--into names a container that runs: it goes with -v, --mount, --tmpfs, and --undo";
            return Err(Error::new(Code::Usage, message));
        }
        if common.undo {
            if self.words.is_empty() || !(self.volumes.is_empty() && self.mounts.is_empty() && self.tmpfs.is_empty()) {
                return Err(Error::new(Code::Usage, "--into CONTAINER --undo takes the targets")
                    .hint("vol-mount --into C --undo /data"));
            }
            return self.words.iter().try_for_each(|word| live::undo(container, word));
        }
        let words = self.words.iter().map(|word| word::volume(word)).collect::<Result<Vec<_>>>()?;
        let wanted: Vec<_> = self.wanted()?.into_iter().chain(words).collect();
        if wanted.is_empty() {
            return Err(Error::new(Code::Usage, "nothing to mount").hint("vol-mount --into C data:/data"));
        }
        wanted.iter().try_for_each(|wanted| live::add(container, wanted))
    }
}
