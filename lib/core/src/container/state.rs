//! What the kernel knows of a container's process, the run directory's note that leads to it, and how it ended.

use super::{checked_id, dir};
use crate::{Cannot, Code, Error, Lock, Process, Result, State, files, paths};
use std::{
    fs,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

const STATE: &str = "state.json";
const EXIT: &str = "exit.json";
const HALT: &str = "halt";

/// Saves the state of a running container in the run directory.
pub fn save_state(id: &str, state: &State) -> Result<()> {
    let dir = paths::run_dir(checked_id(id)?);
    files::make_dir(&dir)?;
    write(&dir.join(STATE), state, false)
}

/// The state in the run directory, while its process is still that process; or while its supervisor is there, to
/// record the end or to start it again.
pub fn live_state(id: &str) -> Result<Option<State>> {
    let lives = |state: &State| is_alive(state) || state.supervisor.is_some_and(is_running);
    Ok(read(&paths::run_dir(checked_id(id)?).join(STATE))?.filter(lives))
}

/// Changes the state of a container that lives, one writer at a time; does nothing where it is gone.
/// Gives whether it was there.
pub fn update_state(id: &str, change: impl FnOnce(&mut State)) -> Result<bool> {
    let dir = paths::run_dir(checked_id(id)?);
    if !dir.join(STATE).exists() {
        return Ok(false);
    }
    let _lock = Lock::exclusive(&dir.join("state.lock"))?;
    let Some(mut state) = live_state(id)? else { return Ok(false) };
    change(&mut state);
    write(&dir.join(STATE), &state, false).map(|()| true)
}

/// The state in the run directory, whatever became of its process since: for who looked after it.
pub fn last_state(id: &str) -> Result<Option<State>> {
    read(&paths::run_dir(checked_id(id)?).join(STATE))
}

/// Whether something is in the run directory that a process which is gone left there.
pub fn has_state(id: &str) -> bool {
    paths::run_dir(id).join(STATE).exists()
}

/// Takes the state out of the run directory.
pub fn forget_state(id: &str) -> Result<()> {
    files::remove_file(&paths::run_dir(checked_id(id)?).join(STATE))
}

/// Records how the container's last process ended: a small file beside the record, so that its writer need not
/// hold the document. Does nothing for a container that was removed meanwhile.
pub fn save_exit(id: &str, state: &State, durable: bool) -> Result<()> {
    let dir = dir(checked_id(id)?);
    match write(&dir.join(EXIT), state, durable) {
        Err(_) if !dir.exists() => Ok(()),
        other => other,
    }
}

/// How the container's last process ended, if it did so under the eyes of one of us.
///
/// Where the disk did not take the file, the run directory's note says it, until a reboot.
pub fn last_exit(id: &str) -> Result<Option<State>> {
    if let Some(exit) = read(&exit_file(id))? {
        return Ok(Some(exit));
    }
    Ok(last_state(id)?.filter(|state| state.status == "stopped"))
}

/// A process begins: how the one before it ended is no longer the state.
pub fn forget_exit(id: &str) -> Result<()> {
    files::remove_file(&exit_file(checked_id(id)?))
}

fn exit_file(id: &str) -> PathBuf {
    dir(id).join(EXIT)
}

/// Notes that the user wants the container stopped: no restart policy starts it again but `always`, and that only
/// after a reboot.
pub fn halt(id: &str) -> Result<()> {
    let path = dir(checked_id(id)?).join(HALT);
    fs::write(&path, "").cannot(|| format!("write {}", path.display()))
}

/// Whether the user wants the container stopped.
pub fn is_halted(id: &str) -> bool {
    dir(id).join(HALT).exists()
}

/// The user started it: takes the note of [`halt`] away.
pub fn unhalt(id: &str) -> Result<()> {
    files::remove_file(&dir(checked_id(id)?).join(HALT))
}

/// Whether the process of `state` runs: same pid, same start time, not a zombie.
pub fn is_alive(state: &State) -> bool {
    let (Some(pid), Some(start)) = (state.pid, state.pid_start) else { return false };
    process_start(pid) == Some(start)
}

/// Whether it is still that process, and no zombie.
pub fn is_running(process: Process) -> bool {
    process_start(process.pid) == Some(process.pid_start)
}

/// Start time of process `pid` in clock ticks since boot; `None` if it is gone, or all that is left of it a zombie.
pub fn process_start(pid: i32) -> Option<u64> {
    // One read(2) gives all of it; the name and 51 numbers are less than this.
    let mut stat = [0; 2048];
    let length = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut stat).ok()?;
    start_of_stat(&stat[..length])
}

/// The name in field 2 is the process's own to choose: any bytes, brackets and spaces among them. What counts begins
/// behind the last bracket (proc_pid_stat(5)).
fn start_of_stat(stat: &[u8]) -> Option<u64> {
    let behind = stat.get(stat.iter().rposition(|b| *b == b')')? + 2..)?;
    let mut fields = std::str::from_utf8(behind).ok()?.split(' ');
    let state = fields.next()?;
    // Of a process whose first thread has ended that one is a zombie while others run.
    let threads: u32 = fields.nth(16)?.parse().ok()?;
    if matches!(state, "Z" | "X") && threads <= 1 {
        return None;
    }
    fields.nth(1)?.parse().ok()
}

fn write(path: &Path, state: &State, durable: bool) -> Result<()> {
    let text = serde_json::to_string(state).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    files::replace(path, text.as_bytes(), durable)
}

fn read(path: &Path) -> Result<Option<State>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).cannot(|| format!("read {}", path.display())),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|e| Error::new(Code::Corrupt, format!("state {}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_cannot_hide_behind_its_name() {
        let rest = " S 1 2 2 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1 18446744073709551615";
        for name in [&b"sh"[..], b"a) Z 1 (b", b"\xff\xfe", b") X "] {
            let stat = [b"7 (", name, b")", rest.as_bytes()].concat();
            assert_eq!(start_of_stat(&stat), Some(4242), "{name:?}");
        }
        assert_eq!(start_of_stat(format!("7 (a){}", rest.replace('S', "Z")).as_bytes()), None);
        let threads = rest.replace('S', "Z").replace(" 20 0 1 ", " 20 0 2 ");
        assert_eq!(start_of_stat(format!("7 (a){threads}").as_bytes()), Some(4242));
        assert!(process_start(std::process::id() as i32).is_some());
    }
}
