//! From what is asked for to an entry of `spec.mounts`: volumes are made, sources looked at.

use crate::{
    image, propagation,
    word::{Wanted, What},
};
use ctr_core::{Cannot, Code, Error, Lock, Result, Value, json, paths, trace};
use ctr_vol::Volume;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
};
use std::path::{Path, PathBuf};

/// A mount that was made ready.
pub struct Entry {
    /// For `spec.mounts`.
    pub mount: Value,
    /// A volume that gets its first files from the image, if it has none.
    pub fill: Option<String>,
    /// A volume that was made for it.
    pub made: Option<Made>,
}

/// Mounts what is to be the files of these volumes; nobody waits for that but who uses them.
///
/// # Errors
/// `not-found` for one that is gone; what mount(8) says.
pub fn mount_volumes(names: impl IntoIterator<Item = String>) -> Result<()> {
    names.into_iter().try_for_each(|name| {
        let volume = ctr_vol::load(&name)?;
        if !volume.is_mount() {
            return volume.check_quota();
        }
        if trace::dry_run() {
            return Ok(());
        }
        let lock = ctr_vol::lock(&name)?;
        ctr_vol::ready(&volume, &lock)
    })
}

/// A volume that was made just now.
pub struct Made {
    /// Its name.
    pub name: String,
    /// It was given none.
    pub anonymous: bool,
}

impl Entry {
    fn of(mount: Value) -> Self {
        Self { mount, fill: None, made: None }
    }

    /// Where it goes.
    pub fn target(&self) -> &str {
        self.mount["destination"].as_str().unwrap_or_default()
    }

    /// Makes it ready. Hold the lock of the store: no volume goes meanwhile, and the caller writes the record before it lets go.
    /// A volume without a name need not outlive a crash where it is not `durable`.
    ///
    /// # Errors
    /// `not-found` for a source that is not there; those of making one.
    pub fn ready(wanted: &Wanted, layers: Option<&[PathBuf]>, durable: bool, lock: Option<&Lock>) -> Result<Self> {
        let target = &wanted.target;
        match &wanted.what {
            What::Tmpfs(options) => {
                Ok(Self::of(json!({"destination": target, "type": "tmpfs", "source": "tmpfs", "options": options})))
            }
            What::Image(_) => image::entry(target, layers.unwrap_or_default()).map(Self::of),
            What::Bind { source, create, how } => {
                find(source, *create, &wanted.word)?;
                if let Some(word) = how.wanted_propagation() {
                    propagation::check(source, word)?;
                }
                Ok(Self::of(bind(target, source, how)))
            }
            What::Volume { name, subpath, copy, options, labels, how } => {
                let anonymous = name.is_none();
                let volume = Volume {
                    anonymous,
                    options: options.iter().cloned().collect(),
                    labels: labels.iter().cloned().collect(),
                    ..Volume::new(&name.clone().unwrap_or_else(ctr_vol::new_name))
                };
                let there = ctr_vol::exists(&volume.name);
                ctr_vol::create(&volume, durable || !anonymous, lock)?;
                let made = (!there).then(|| Made { name: volume.name.clone(), anonymous });
                let data = ctr_vol::data(&volume.name);
                let source = subpath.as_ref().map_or_else(|| data.clone(), |sub| data.join(sub));
                Ok(Self { mount: bind(target, &source, how), fill: copy.then(|| volume.name.clone()), made })
            }
        }
    }

    /// Removes a volume that was made for it; the lock of the store is let go.
    pub fn remove_made(made: &Made) -> Result<()> {
        match ctr_vol::remove(&made.name, None) {
            // Another container has it by now.
            Err(e) if matches!(e.code, Code::Busy | Code::NotFound) => Ok(()),
            other => other,
        }
    }
}

fn bind(target: &str, source: &Path, how: &crate::how::How) -> Value {
    let mut mount = json!({"destination": target, "type": "bind", "source": source, "options": how.options()});
    if let Some([uids, gids]) = how.mappings() {
        mount["uidMappings"] = uids;
        mount["gidMappings"] = gids;
    }
    mount
}

/// Whether the source is there; a directory is made with `create`.
fn find(source: &Path, create: bool, word: &str) -> Result<()> {
    // In a volume others write, links that lead out of it too: nothing is made there by its path.
    let create = create && paths::volume_at(source).is_none();
    match openat(CWD, source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(_) => Ok(()),
        Err(Errno::NOENT) if create => {
            let what = || json!({"path": source});
            trace::act("mkdir", what, || {
                std::fs::create_dir_all(source).cannot(|| format!("make {}", source.display()))
            })
        }
        Err(Errno::NOENT) => {
            let message = format!("cannot mount {word}: {} is not there", source.display());
            Err(Error::new(Code::NotFound, message).hint("make it, or let -v make a directory"))
        }
        Err(e) => Err(e).cannot(|| format!("open {}", source.display())),
    }
}
