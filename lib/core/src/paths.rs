//! Where things are: the root (kept over a reboot) and the run directory (lost by it).

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// `CTR_ROOT`, default `/var/lib/ctr`; for a user who is not root `$XDG_DATA_HOME/ctr`.
pub fn root() -> &'static PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    // Records name what lies in it by its path: there is to be one, whatever links lead there.
    ROOT.get_or_init(|| real(&pick("CTR_ROOT", "/var/lib/ctr", "XDG_DATA_HOME", ".local/share")))
}

/// `CTR_RUN`, default `/run/ctr`; for a user who is not root `$XDG_RUNTIME_DIR/ctr`.
pub fn run() -> &'static PathBuf {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    RUN.get_or_init(|| pick("CTR_RUN", "/run/ctr", "XDG_RUNTIME_DIR", ".cache/run"))
}

/// The OCI image layout (image-spec, image-layout.md).
pub fn images() -> PathBuf {
    root().join("images")
}

/// The unpacked layers, `layers/<algorithm>/<hex of the diffId>`.
pub fn layers() -> PathBuf {
    root().join("layers")
}

/// One directory a container, named by its id: the record, the writable layer, the log.
pub fn containers() -> PathBuf {
    root().join("containers")
}

/// One symbolic link a name, to the container that holds it.
pub fn names() -> PathBuf {
    root().join("names")
}

/// One directory a volume, named by it: its record, and its files in `_data`.
pub fn volumes() -> PathBuf {
    root().join("volumes")
}

/// The files of volume `name`.
pub fn volume_data(name: &str) -> PathBuf {
    volumes().join(name).join("_data")
}

/// The volume whose files lie at `source`, and where in them that is.
pub fn volume_at(source: &Path) -> Option<(&str, &Path)> {
    let rest = source.strip_prefix(volumes()).ok()?;
    let name = rest.iter().next()?.to_str()?;
    let below = rest.strip_prefix(name).ok()?.strip_prefix("_data").ok()?;
    crate::ident::check_name(name).is_ok().then_some((name, below))
}

/// What of container `id` dies with a reboot: its mount point, its state, its sockets.
pub fn run_dir(id: &str) -> PathBuf {
    run().join("containers").join(id)
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    match (fs::canonicalize(path), path.parent(), path.file_name()) {
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        (real, ..) => real.unwrap_or_else(|_| path.to_owned()),
    }
}

fn pick(var: &str, system: &str, xdg: &str, home: &str) -> PathBuf {
    if let Some(dir) = env::var_os(var).filter(|d| !d.is_empty()) {
        // Documents carry these paths to processes with other working directories.
        return std::path::absolute(&dir).unwrap_or_else(|_| PathBuf::from(dir));
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from(system);
    }
    match env::var_os(xdg).filter(|d| !d.is_empty()) {
        Some(dir) => PathBuf::from(dir).join("ctr"),
        None => PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(home).join("ctr"),
    }
}
