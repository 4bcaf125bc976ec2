//! The foreground: the process of a document's container from its claim to the record of its end.

use crate::{NsSpawn, begun::Begun, options, state, status::Status, undo_all};
use ctr_core::{Document, Done, Result, Rootfs, container, events, json, trace};
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
    let begun = Begun::new(args, doc)?;
    match run(&begun, args, doc, rootfs, stdin_is_document, status) {
        Ok(exit) => {
            ended(begun, doc, exit, status, args.rm)?;
            Ok(Done::Exit(exit.code))
        }
        Err(e) => {
            begun.take_back(doc, &e);
            Err(e)
        }
    }
}

fn run(
    begun: &Begun,
    args: &NsSpawn,
    doc: &mut Document,
    rootfs: &Rootfs,
    stdin_is_document: bool,
    status: &mut Status,
) -> Result<Exit> {
    let spec = begun.complete(args, doc, rootfs)?;
    let options = Options {
        rootfs: PathBuf::from(&rootfs.path),
        interactive: args.interactive || !stdin_is_document,
        stdin_is_document,
        ..options(&spec, &begun.id)
    };
    run::run(&spec, options, &mut |pid| {
        let running = state::running(doc, &begun.id, pid, None)?;
        status.running(&begun.id, &running);
        events::emit("start", &begun.id, doc.str("name").unwrap_or_default(), &json!({}));
        Ok(())
    })
}

/// The record says how the process ended; with `rm` nothing is left. Who hears of the end may start it again at once.
fn ended(begun: Begun, doc: &mut Document, exit: Exit, status: &mut Status, rm: bool) -> Result<()> {
    if trace::dry_run() {
        return Ok(());
    }
    let id = begun.id;
    let stopped = state::stopped(doc, exit.code)?;
    // Removed by another while it ran: there is no record to write any more. Else it may have changed: ctr-update.
    let record = || {
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
    events::emit("die", &id, doc.str("name").unwrap_or_default(), &json!({"exitCode": exit.code}));
    status.stopped(&id, &stopped, exit.signal);
    if rm {
        undo_all(doc);
        if begun.claimed
            && let Err(e) = container::remove(&id)
        {
            trace::warn(&e.to_string());
        }
    }
    Ok(())
}
