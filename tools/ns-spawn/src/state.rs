//! The state of the process: in the run directory while it runs, in the record once it ended.

use ctr_core::{Document, Map, Process, Result, State, Value, container, files, trace};
use jiff::Timestamp;

/// The process is there: the record with the finished spec, the state in the run directory.
pub fn running(doc: &mut Document, id: &str, pid: i32, supervisor: Option<Process>) -> Result<State> {
    let before = doc.section::<State>("state")?.unwrap_or_default();
    let state = State {
        status: "running".to_owned(),
        pid: Some(pid),
        pid_start: container::process_start(pid),
        supervisor,
        restart_count: before.restart_count,
        restart_delay: before.restart_delay,
        started_at: Some(Timestamp::now().to_string()),
        ..State::default()
    };
    doc.set("state", &state)?;
    // In this order, so that at every moment it reads as what it was or as running: of a process that runs the record
    // says `stopped`.
    container::save_state(id, &state)?;
    container::save(doc)?;
    // What was entered beside the process before this one is gone.
    files::remove_tree(&container::execs_dir(id))?;
    container::forget_exit(id)?;
    Ok(state)
}

/// The process ended with `code`, the kernel having killed for want of memory or not: so says the document.
pub fn stopped(doc: &mut Document, code: u8, oom_killed: bool) -> Result<State> {
    let state = State {
        exit_code: Some(code),
        oom_killed,
        finished_at: Some(Timestamp::now().to_string()),
        ..doc.section::<State>("state")?.unwrap_or_default().ended_unseen()
    };
    doc.set("state", &state)?;
    Ok(state)
}

/// No process ran: the record has the exit status that the caller saw, and without `before`, the spec it had then, keeps
/// what it is to run.
pub fn failed(doc: &mut Document, before: Option<&Map<String, Value>>, code: u8, error: &str) -> Result<()> {
    if !container::dir(container::checked_id(doc.str("id").unwrap_or_default())?).exists() {
        return Ok(());
    }
    if let Some(before) = before {
        before.clone_into(doc.object("spec")?);
        let mut steps = doc.steps()?;
        steps.retain(|step| step.tool != trace::tool());
        doc.set_steps(&steps)?;
    }
    let exit_code = Some(if code == 1 { 125 } else { code });
    let error = Some(error.to_owned());
    doc.set("state", &State { status: "created".to_owned(), exit_code, error, ..State::default() })?;
    container::save(doc)
}
