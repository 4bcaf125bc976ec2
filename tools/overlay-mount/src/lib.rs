//! Begins a container: claims its id and name and mounts the image's layers under a writable one.

mod classic;
mod gc;
mod layers;
mod mount;
mod undo;
mod writable;

pub use layers::{all_there, lowers};

use clap::Args;
use ctr_core::{
    Code, Common, Document, Done, Error, Image, Lock, Result, Rollback, Rootfs, Tool, Value, container, files, ident,
    json,
    mountinfo::{self, is_mounted},
    paths, trace,
};
use ctr_vol::{bounded, project};
use std::path::{Path, PathBuf};
use writable::Size;

/// The arguments of overlay-mount(1).
#[derive(Args, Debug)]
pub struct OverlayMount {
    /// Give the container this name; without it one is made up
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Give the container a label
    #[arg(short = 'l', long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
    /// The container's processes may not write to its root
    #[arg(long)]
    read_only: bool,
    /// size=SIZE: how many bytes its writable layer may hold; by=quota: by a quota of its file system
    #[arg(long, value_name = "KEY=VALUE")]
    storage_opt: Vec<String>,
    /// The container need not survive a crash: skip what makes it durable, let gc take it once its pipe is dead
    #[arg(long)]
    volatile: bool,
    /// A reboot may take the container until ns-spawn has completed it: nothing of it is flushed before
    #[arg(long, conflicts_with = "volatile")]
    provisional: bool,
}

impl Tool for OverlayMount {
    const NAME: &'static str = "overlay-mount";
    const ABOUT: &'static str = "Begin a container: claim its id and name, mount its layers";
    const PATIENT: bool = true;
    const JOINS: bool = true;

    fn add(&mut self, doc: &mut Document, _: &Common) -> Result<Done> {
        let image: Image = doc.need("image", "img-pull | img-unpack")?;
        if let Some(rootfs) = doc.section::<Rootfs>("rootfs")? {
            return Err(Error::new(Code::Exists, format!("document has a rootfs already, {}", rootfs.path))
                .hint("overlay-mount --undo takes it away"));
        }
        if let (Some(name), Some(_)) = (&self.name, doc.str("id"))
            && doc.str("name") != Some(name)
        {
            return Err(Error::new(
                Code::Exists,
                format!("cannot claim name {name}: the document's container has one already"),
            ));
        }
        let lowers = layers::lowers(&image)?;
        let size = self.size()?;
        let mut rollback = Rollback::new();
        let claimed = doc.str("id").is_none();
        let id = self.begin(doc, &lowers, size)?;
        if claimed {
            let id = id.clone();
            rollback.push(move || container::remove(&id));
        }

        let rootfs = self.place(&id, size);
        if let Some(size) = size {
            let own = id.clone();
            rollback.push(move || if claimed { writable::let_go(&own) } else { writable::unmount(&own) });
            if !trace::dry_run() {
                writable::ready(&id, size)?;
            }
        }
        trace::act(
            "mkdir",
            || json!({"upper": rootfs.upper, "work": rootfs.work}),
            || layers::make_writable(&rootfs, &lowers),
        )?;
        mount::overlay(&rootfs, &lowers, self.volatile)?;
        let point = PathBuf::from(&rootfs.path);
        rollback.push(move || mount::unmount(&point));

        let root = json!({"path": rootfs.path, "readonly": self.read_only});
        doc.object("spec")?.insert("root".to_owned(), root);
        doc.push_step(Self::NAME, json!({"id": id, "path": rootfs.path, "claimed": claimed}));
        let done = if self.provisional && claimed && !trace::dry_run() {
            container::save_for_now(doc)?;
            Done::Saved
        } else {
            Done::Print
        };
        rollback.disarm();
        Ok(done)
    }

    fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
        undo::undo(doc, undo)
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        let rootfs: Rootfs = doc.need("rootfs", "overlay-mount")?;
        let image: Image = doc.need("image", "img-unpack")?;
        let mut findings = Vec::new();
        match mountinfo::read()?.iter().rev().find(|m| m.point == Path::new(&rootfs.path)) {
            None => findings.push(Error::new(Code::NotFound, format!("nothing is mounted on {}", rootfs.path))),
            Some(m) if m.fstype != "overlay" => {
                findings.push(Error::new(Code::Invalid, format!("{} is a {}, not an overlay", rootfs.path, m.fstype)));
            }
            Some(m) => {
                let upper = rootfs.upper.as_deref().unwrap_or_default();
                if !m.super_options.split(',').any(|o| o.strip_prefix("upperdir=") == Some(upper)) {
                    findings.push(Error::new(
                        Code::Invalid,
                        format!("{} has another upper layer than {upper}", rootfs.path),
                    ));
                }
            }
        }
        findings.extend(layers::lowers(&image).err());
        if let Some(bytes) = rootfs.size {
            let id = container::checked_id(doc.str("id").unwrap_or_default())?;
            findings.extend(writable::check(id, Size::there(id, bytes)).err());
        }
        Ok(findings)
    }

    /// Mounts it again: after a reboot the mount is gone, and the writable layer is there.
    fn repair(doc: &mut Document) -> Result<()> {
        let rootfs: Rootfs = doc.need("rootfs", "overlay-mount")?;
        let image: Image = doc.need("image", "img-unpack")?;
        let id = container::checked_id(doc.str("id").unwrap_or_default())?;
        // Paths are made of the id, never read from a document.
        let rootfs = Rootfs {
            readonly: rootfs.readonly,
            volatile: rootfs.volatile,
            ..place(id, rootfs.size.map(|bytes| Size::there(id, bytes)))
        };
        // One that was removed is not there to be repaired: its name may be another's by now.
        container::recorded(id)?;
        let _lock = if trace::dry_run() { None } else { Some(Lock::store()?) };
        if is_mounted(Path::new(&rootfs.path)) {
            return Ok(());
        }
        let lowers = layers::lowers(&image)?;
        if !trace::dry_run() {
            if let Some(bytes) = rootfs.size {
                writable::again(id, Size::there(id, bytes))?;
            }
            layers::make_writable(&rootfs, &lowers)?;
        }
        mount::overlay(&rootfs, &lowers, rootfs.volatile)?;
        doc.set("rootfs", &rootfs)
    }

    fn gc() -> Result<Vec<Value>> {
        gc::gc()
    }
}

impl OverlayMount {
    fn place(&self, id: &str, size: Option<Size>) -> Rootfs {
        Rootfs { readonly: self.read_only, volatile: self.volatile, ..place(id, size) }
    }

    /// What `--storage-opt` says.
    fn size(&self) -> Result<Option<Size>> {
        let (mut size, mut by) = (None, None);
        for word in &self.storage_opt {
            match word.split_once('=') {
                Some(("size", bytes)) => size = Some(bounded::size(bytes)?),
                Some(("by", word)) => by = Some(project::is_asked(word)?),
                _ => {
                    let message = format!("storage option {word:?} is none");
                    return Err(Error::new(Code::Unsupported, message).hint("size=SIZE, by=image, by=quota"));
                }
            }
        }
        if size.is_none() && by.is_some() {
            return Err(Error::new(Code::Usage, "storage option by is about a size: give size=SIZE too"));
        }
        Ok(size.map(|bytes| Size { bytes, by_quota: by.unwrap_or_default() }))
    }

    /// Claims id and name and writes the first record, so that from here on a removal sees the layers in use.
    fn begin(&self, doc: &mut Document, lowers: &[PathBuf], size: Option<Size>) -> Result<String> {
        let labels = container::labels(doc, &self.labels)?;
        if trace::dry_run() {
            // The name is checked against those that are taken, but neither lock nor directory is made.
            if let Some(holder) = self.name.as_deref().map(container::holder).transpose()?.flatten() {
                return Err(Error::new(Code::Exists, format!("name is held by container {holder}")));
            }
        }
        let lock = if trace::dry_run() { None } else { Some(Lock::store()?) };
        if lock.is_some() {
            // Once more under the lock: a removal may have been faster.
            layers::all_there(lowers)?;
        }
        let claimed = doc.str("id").is_none();
        let id = container::claim(doc, self.name.as_deref(), lock.as_ref())?;
        let point = self.place(&id, size).path;
        if is_mounted(Path::new(&point)) {
            // Two overlays on one writable layer would corrupt each other, and the kernel does not refuse it.
            return Err(Error::new(
                Code::Exists,
                format!("the root of container {} is mounted already", ident::short(&id)),
            ));
        }
        doc.set("labels", &labels)?;
        // In the first record already: from it gc tells a volatile container whose pipe was killed.
        doc.set("rootfs", &self.place(&id, size))?;
        // Never over the record of a container that was there: a partial one is gc's to take.
        if let Some(lock) = lock.as_ref().filter(|_| claimed) {
            container::begin(doc, lock).inspect_err(|_| drop(container::remove_locked(&id, lock)))?;
        }
        Ok(id)
    }
}

/// Where the root of container `id` and its writable layer are: all of it derives from the id, and whether the layer has a
/// `size`.
fn place(id: &str, size: Option<Size>) -> Rootfs {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let layer = size.map_or_else(|| container::dir(id), |size| writable::place(id, size));
    Rootfs {
        path: text(paths::run_dir(id).join("rootfs")),
        upper: Some(text(layer.join("upper"))),
        work: Some(text(layer.join("work"))),
        size: size.map(|size| size.bytes),
        readonly: false,
        volatile: false,
    }
}

/// Makes the mount point; its parents are closed to others than the owner.
fn make_point(rootfs: &Rootfs) -> Result<()> {
    files::make_dir(Path::new(&rootfs.path))
}
