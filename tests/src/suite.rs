//! The one scratch directory of this run and the binaries under test.
//!
//! The scratch directory is a tmpfs where root can mount one: unpacking and removing thousands of files is
//! fast there, and one unmount takes everything away.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// The run of the suite: where its files are.
pub struct Suite {
    dir: PathBuf,
    tmpfs: bool,
}

static SUITE: OnceLock<Suite> = OnceLock::new();

/// The suite of this process, begun at the first call.
pub fn suite() -> &'static Suite {
    SUITE.get_or_init(Suite::begin)
}

/// Removes the scratch directory, if the suite was begun. Gives what went wrong.
pub fn end() -> Vec<String> {
    SUITE.get().map_or_else(Vec::new, Suite::remove)
}

impl Suite {
    fn begin() -> Self {
        sweep();
        let dir = scratch_base().join(format!("ctr-tests.{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let data = "size=75%,mode=0755";
        let tmpfs = mount(Some("ctr-tests"), &dir, Some("tmpfs"), MsFlags::empty(), Some(data)).is_ok();
        let suite = Self { dir, tmpfs };
        suite.copy_binaries();
        suite
    }

    /// The scratch directory: everything of this run is beneath it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory of the binaries under test: a copy, so that a build meanwhile changes nothing and a
    /// user who is not root may run them.
    pub fn bin(&self) -> PathBuf {
        self.dir.join("bin")
    }

    fn copy_binaries(&self) {
        fs::create_dir(self.bin()).unwrap();
        let from = binaries();
        // What `make install` runs is no tool, but is tried too.
        for tool in tools().into_iter().chain(["ctr-completions".to_owned()]) {
            let source = from.join(&tool);
            if source.exists() {
                copy_program(&source, &self.bin().join(&tool));
            }
        }
        let wrapper = repository().join("tools/ctr/ctr");
        if wrapper.exists() {
            copy_program(&wrapper, &self.bin().join("ctr"));
        }
    }

    fn remove(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for point in crate::leftovers::mounts_beneath(&self.dir).into_iter().rev() {
            if point != self.dir {
                errors.push(format!("mount {}", point.display()));
            }
            if let Err(e) = umount2(&point, MntFlags::MNT_DETACH) {
                errors.push(format!("cannot unmount {}: {e}", point.display()));
            }
        }
        let removed = if self.tmpfs { fs::remove_dir(&self.dir) } else { fs::remove_dir_all(&self.dir) };
        if let Err(e) = removed {
            errors.push(format!("cannot remove {}: {e}", self.dir.display()));
        }
        errors
    }
}

fn copy_program(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

fn scratch_base() -> PathBuf {
    // Not TMPDIR on a long path: unix sockets have room for 108 bytes.
    PathBuf::from("/tmp")
}

/// Takes away what a killed run left.
fn sweep() {
    let Ok(entries) = fs::read_dir(scratch_base()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.strip_prefix("ctr-tests.")) else { continue };
        if pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
            for point in crate::leftovers::mounts_beneath(&entry.path()).into_iter().rev() {
                let _ = umount2(&point, MntFlags::MNT_DETACH);
            }
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The checkout.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Where the tools were built: `CTR_TEST_BIN`, else the directory of the profile of this test itself.
fn binaries() -> PathBuf {
    match env::var_os("CTR_TEST_BIN") {
        Some(dir) => PathBuf::from(dir),
        None => env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned(),
    }
}

/// A directory on a disk, in memory never: `CTR_TEST_DISK`, else the build directory.
pub fn disk() -> PathBuf {
    env::var_os("CTR_TEST_DISK").map_or_else(crate::images::target_dir, PathBuf::from)
}

/// The names of all compiled tools: the packages under `tools/`.
pub fn tools() -> Vec<String> {
    let manifests = fs::read_dir(repository().join("tools")).unwrap().flatten().map(|e| e.path().join("Cargo.toml"));
    let mut names: Vec<String> = manifests
        .filter_map(|manifest| fs::read_to_string(manifest).ok())
        .filter_map(|text| Some(text.split_once("name = \"")?.1.split_once('"')?.0.to_owned()))
        .collect();
    names.sort();
    names
}

/// The PATH for programs that are not ours.
pub fn system_path() -> String {
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()
}
