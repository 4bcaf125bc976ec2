//! The foreground: the process of a document's container from its claim to the record of its end.

use crate::{NsSpawn, begun::Begun, options, state, status::Status, undo_all};
use ctr_cgroup::Oom;
use ctr_core::{Document, Done, Lock, Result, Rootfs, container, events, json, trace};
use ctr_runtime::run::{self, Exit, Options};
use std::path::PathBuf;

/// Completes the spec and runs it to its end.
pub fn spawn(
    args: &mut NsSpawn,
    doc: &mut Document,
    rootfs: &Rootfs,
    stdin_is_document: bool,
    status: &mut Status,
) -> Result<Done> {
    run::hold_back()?;
    let mut begun = Begun::new(args, doc)?;
    match run(&mut begun, args, doc, rootfs, stdin_is_document, status) {
        Ok((exit, oom_killed)) => {
            ended(begun, doc, exit, oom_killed, status, args.rm.is_some())?;
            Ok(Done::Exit(exit.code))
        }
        Err(e) => {
            begun.take_back(doc, &e);
            Err(e)
        }
    }
}

fn run(
    begun: &mut Begun,
    args: &mut NsSpawn,
    doc: &mut Document,
    rootfs: &Rootfs,
    stdin_is_document: bool,
    status: &mut Status,
) -> Result<(Exit, bool)> {
    let spec = begun.complete(args, doc, rootfs)?;
    let mut starts = begun.publish(doc)?;
    let options = Options {
        rootfs: PathBuf::from(&rootfs.path),
        interactive: args.interactive || !stdin_is_document,
        stdin_is_document,
        ..options(&spec, &begun.id)
    };
    let group = spec.linux().as_ref().and_then(run::control_group);
    let mut oom = group.and_then(Oom::count);
    let exit = run::run(&spec, options, &mut |pid| {
        let running = state::running(doc, &begun.id, pid, None)?;
        drop(starts.take());
        status.running(&begun.id, &running);
        events::emit("start", doc, &json!({}));
        Ok(())
    })?;
    if let Some(group) = group {
        // Where it has no pid namespace of its own, those it started may be left.
        ctr_cgroup::end(group, &begun.id).unwrap_or_else(|e| trace::warn(&e.to_string()));
    }
    Ok((exit, oom.as_mut().is_some_and(|oom| oom.more() > 0)))
}

/// The record says how the process ended; with `rm` nothing is left. Who hears of the end may start it again at once.
fn ended(begun: Begun, doc: &mut Document, exit: Exit, oom_killed: bool, status: &mut Status, rm: bool) -> Result<()> {
    if trace::dry_run() {
        return Ok(());
    }
    let id = begun.id;
    let stopped = state::stopped(doc, exit.code, oom_killed)?;
    if !rm {
        ctr_net::close_ports(&id).unwrap_or_else(|e| trace::warn(&e.to_string()));
    }
    // Removed by another while it ran: there is no record to write any more. Else it may have changed: ctr-update.
    let record = || {
        let _lock = Lock::store()?;
        let mut record = container::recorded(&id)?;
        record.set("state", &stopped)?;
        container::save(&record)
    };
    let saved = if rm { Ok(()) } else { record() };
    if saved.is_ok() || container::dir(&id).exists() {
        container::forget_state(&id)?;
        saved?;
    }
    drop(begun.held);
    if oom_killed {
        events::emit("oom", doc, &json!({}));
    }
    events::emit("die", doc, &json!({"exitCode": exit.code}));
    status.stopped(&id, &stopped, exit.signal);
    if rm {
        // Its record knows what others did while it ran.
        undo_all(container::recorded(&id).as_ref().unwrap_or(doc));
        if begun.claimed
            && let Err(e) = container::remove(&id)
        {
            trace::warn(&e.to_string());
        }
    }
    Ok(())
}
