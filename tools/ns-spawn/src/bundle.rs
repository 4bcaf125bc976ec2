//! `-b DIR`: an OCI bundle of anybody's, run as it is (runtime-spec, bundle.md).

use crate::{NsSpawn, options, status::Status};
use ctr_core::{Cannot, Code, Done, Error, Result, State, ident};
use ctr_runtime::{
    run::{self, Options},
    spec::Flags,
};
use jiff::Timestamp;
use oci_spec::runtime::Spec;
use std::{fs, fs::File, io::Read, path::Path};

/// Most bytes of a config.json.
const MAX_CONFIG: u64 = 16 << 20;

/// Runs it; no document, no record.
pub fn run(args: &NsSpawn, dir: &Path, status: &mut Status) -> Result<Done> {
    if args.flags != Flags::default() {
        return Err(Error::new(
            Code::Invalid,
            "a bundle runs as it is: its config.json says what the other flags would",
        ));
    }
    let mut spec = read(&dir.join("config.json"))?;
    make_absolute(&mut spec, dir)?;
    let root = spec.root().as_ref().ok_or_else(|| Error::new(Code::Invalid, "config.json has no root"))?;
    let rootfs = dir.join(root.path());
    let rootfs = fs::canonicalize(&rootfs).cannot(|| format!("find the root {}", rootfs.display()))?;
    let id = args.name.clone().unwrap_or_else(ident::new_id);
    let options = Options { rootfs, ..options(&spec, &id) };
    let exit = run::run(&spec, options, &mut |pid| {
        let started_at = Some(Timestamp::now().to_string());
        status.running(&id, &State { status: "running".to_owned(), pid: Some(pid), started_at, ..State::default() });
        Ok(())
    })?;
    let finished_at = Some(Timestamp::now().to_string());
    let state = State { status: "stopped".to_owned(), exit_code: Some(exit.code), finished_at, ..State::default() };
    status.stopped(&id, &state, exit.signal);
    Ok(Done::Exit(exit.code))
}

/// What is bound from a relative path is in the bundle (runtime-spec, config.md, "Mounts").
fn make_absolute(spec: &mut Spec, dir: &Path) -> Result<()> {
    for mount in spec.mounts_mut().iter_mut().flatten() {
        let is_bind = mount.typ().as_deref() == Some("bind")
            || mount.options().iter().flatten().any(|o| o == "bind" || o == "rbind");
        if let Some(source) = mount.source().as_ref().filter(|s| is_bind && s.is_relative()) {
            let source = dir.join(source);
            let absolute = fs::canonicalize(&source).cannot(|| format!("find {}", source.display()))?;
            mount.set_source(Some(absolute));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Spec> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|f| f.take(MAX_CONFIG + 1).read_to_end(&mut bytes))
        .cannot(|| format!("read {}", path.display()))?;
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(Error::new(Code::Limit, format!("{} is over {} MiB", path.display(), MAX_CONFIG >> 20)));
    }
    serde_json::from_slice(&bytes).map_err(|e| Error::new(Code::Invalid, format!("{}: {e}", path.display())))
}
