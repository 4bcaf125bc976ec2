//! Processes that serve a network or a container in the background: the file of each, whose lock it has while it runs, how one is
//! ended, and what it gives up once its sockets are bound.

use ctr_core::{
    Cannot, Code, Error, Process, Result, Value, container, files, in_own_session, paths, steps, take_fd, trace,
};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    process::{Child, Command},
    time::Duration,
};

/// How long one may take to end.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Its file, locked by the caller; `None` where another has the lock: one runs.
///
/// # Errors
/// The file system's.
pub fn lock(path: &Path) -> Result<Option<File>> {
    loop {
        if let Some(dir) = path.parent() {
            files::make_dir(dir)?;
        }
        let file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path);
        let file = file.cannot(|| format!("open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e).cannot(|| format!("lock {}", path.display())),
        }
        // One that left took the file with it between the two calls.
        let own = file.metadata().cannot(|| format!("look at {}", path.display()))?;
        if fs::metadata(path).is_ok_and(|there| there.ino() == own.ino()) {
            return Ok(Some(file));
        }
    }
}

/// What the last one said before it ended, as it ends a message: lines of its file that are no JSON. Empty: nothing.
pub fn last_words(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let words = text.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>().join(" ");
    if words.is_empty() { words } else { format!(": {words}") }
}

/// What one has written of itself into its file; `None` without such a line.
pub fn read_note<T: DeserializeOwned>(text: &str) -> Option<T> {
    text.lines().find_map(|line| serde_json::from_str(line).ok())
}

/// The same of the file at `path`; `None` without it.
///
/// # Errors
/// The file system's.
pub fn note_at<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read_to_string(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        other => Ok(read_note(&other.cannot(|| format!("read {}", path.display()))?)),
    }
}

/// Writes into its file what it is.
///
/// # Errors
/// The file system's.
pub fn sign(mut file: &File, note: &impl Serialize) -> Result<()> {
    let line = serde_json::to_string(note).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    file.write_all(format!("{line}\n").as_bytes()).cannot(|| "write into the file of who serves")
}

/// Starts the tool of that name in a session of its own, with standard input and output as the caller has set them; its file,
/// which is its lock too, takes its last words. `need` says what goes without it.
///
/// # Errors
/// `unsupported` where there is no program; the kernel's.
pub fn start(tool: &str, file: &File, need: &str, set: impl FnOnce(&mut Command)) -> Result<Child> {
    let program = steps::sibling(tool);
    // What one before said is of no use any more.
    file.set_len(0).cannot(|| format!("empty the file of {tool}"))?;
    let mut command = Command::new(&program);
    command.current_dir("/").env_clear().env("CTR_ROOT", paths::root()).env("CTR_RUN", paths::run());
    command.stderr(file.try_clone().cannot(|| "pass a lock on")?);
    set(&mut command);
    match in_own_session(&mut command).spawn() {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let message = format!("no program {}: {need} need it", program.display());
            Err(Error::new(Code::Unsupported, message).hint("install it beside this one"))
        }
        other => other.cannot(|| format!("run {}", program.display())),
    }
}

/// Ends a process and waits until it is gone, one that does not leave is killed; `what` is said of it in the trace.
///
/// # Errors
/// `busy` for one that is there still, as one that is frozen; the kernel's.
pub fn end(process: Process, what: impl Fn() -> Value) -> Result<()> {
    let pid = process.pid;
    let Some(handle) = container::Handle::of(process)? else { return Ok(()) };
    for signal in [15, 9] {
        trace::act("kill", &what, || handle.signal(signal))?;
        if handle.wait(Some(PATIENCE))? {
            return Ok(());
        }
    }
    Err(Error::new(Code::Busy, format!("process {pid} does not end")))
}

/// Closes what the caller's caller had open: descriptors beside the three.
///
/// # Errors
/// `denied`.
pub fn close_others() -> Result<()> {
    let open = fs::read_dir("/proc/self/fd").cannot(|| "list own descriptors")?;
    let open: Vec<i32> = open.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    // The listing's own is gone by now. 0 to 2 are taken.
    open.into_iter().filter(|fd| *fd > 2).for_each(|fd| drop(take_fd(fd)));
    Ok(())
}

/// Gives up every capability: records and states are read as their owner, sockets are bound by now. Asks for so many
/// descriptors before; gives how many there may be.
///
/// # Errors
/// `denied`.
pub fn confine(descriptors: u64) -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(descriptors, |max| max.min(descriptors));
    let mut has = limit.current.unwrap_or(u64::MAX);
    if has < most && setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }).is_ok() {
        has = most;
    }
    set_no_new_privs(true).cannot(|| "give up new privileges")?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).cannot(|| "give up capabilities")?;
    Ok(has)
}
