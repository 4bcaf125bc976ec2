//! The state of the process: in the run directory while it runs, in the record once it ended.

use ctr_core::{Code, Document, Error, Lock, Map, Result, State, Value, container, files, ident, paths, trace};
use jiff::Timestamp;
use std::path::PathBuf;

/// The lock that a running container's ns-spawn holds.
pub fn lock_file(id: &str) -> PathBuf {
    paths::run_dir(id).join("run.lock")
}

/// The file of [`container::save_state`].
pub fn file(id: &str) -> PathBuf {
    paths::run_dir(id).join("state.json")
}

/// Makes this the one process of container `id`; dropping it lets go.
///
/// # Errors
/// `busy` while another runs.
pub fn hold(id: &str) -> Result<Option<Lock>> {
    let busy = |why: String| Err(Error::new(Code::Busy, format!("container {} {why}", ident::short(id))));
    if let Some(state) = container::live_state(id)? {
        return busy(format!("runs already, as process {}", state.pid.unwrap_or_default()));
    }
    if trace::dry_run() {
        return Ok(None);
    }
    match Lock::try_exclusive(&lock_file(id))? {
        Some(lock) => Ok(Some(lock)),
        None => busy("is being started by another".to_owned()),
    }
}

/// The process is there: the record with the finished spec, the state in the run directory.
///
/// The record says `stopped`, without an exit status: that is what is true of it should the machine crash.
pub fn running(doc: &mut Document, id: &str, pid: i32) -> Result<State> {
    let started = Some(Timestamp::now().to_string());
    doc.set("state", &State { status: "stopped".to_owned(), started_at: started.clone(), ..State::default() })?;
    container::save(doc)?;
    let state = State {
        status: "running".to_owned(),
        pid: Some(pid),
        pid_start: container::process_start(pid),
        started_at: started,
        ..State::default()
    };
    container::save_state(id, &state)?;
    Ok(state)
}

/// The process ended with `code`: so says the document.
pub fn stopped(doc: &mut Document, code: u8) -> Result<State> {
    let mut state: State = doc.section("state")?.unwrap_or_default();
    "stopped".clone_into(&mut state.status);
    state.exit_code = Some(code);
    state.finished_at = Some(Timestamp::now().to_string());
    doc.set("state", &state)?;
    Ok(state)
}

/// No process ran: the record has the spec it had before, no step of ours, and the status that the caller saw.
pub fn failed(doc: &mut Document, before: &Map<String, Value>, code: u8) -> Result<()> {
    if !container::dir(container::checked_id(doc.str("id").unwrap_or_default())?).exists() {
        return Ok(());
    }
    before.clone_into(doc.object("spec")?);
    let mut steps = doc.steps()?;
    steps.retain(|step| step.tool != trace::tool());
    doc.set_steps(&steps)?;
    let code = if code == 1 { 125 } else { code };
    doc.set("state", &State { status: "stopped".to_owned(), exit_code: Some(code), ..State::default() })?;
    container::save(doc)
}

/// Nothing runs any more: takes the state out of the run directory.
pub fn forget(id: &str) -> Result<()> {
    files::remove_file(&file(id))
}
