//! The foreground: the process of a document's container from its claim to the record of its end.

use crate::{NsSpawn, claim, options, state, status::Status, undo_all};
use ctr_core::{Document, Done, Error, Map, Result, Rootfs, Tool, Value, container, json, trace};
use ctr_runtime::{
    run::{self, Exit, Options},
    spec,
};
use std::path::PathBuf;

/// What this call began, and what was before it.
struct Begun {
    id: String,
    claimed: bool,
    spec: Map<String, Value>,
}

/// Completes the spec and runs it to its end.
pub fn spawn(
    args: &NsSpawn,
    doc: &mut Document,
    rootfs: &Rootfs,
    stdin_is_document: bool,
    status: &mut Status,
) -> Result<Done> {
    let claimed = claim::begin(doc, args.name.as_deref(), &args.labels)?;
    let id = container::checked_id(doc.str("id").unwrap_or_default())?.to_owned();
    let begun = Begun { id, claimed, spec: doc.object("spec")?.clone() };
    match begun.run(args, doc, rootfs, stdin_is_document, status) {
        Ok(exit) => {
            begun.ended(doc, args.rm)?;
            Ok(Done::Exit(exit.code))
        }
        Err(e) => {
            begun.take_back(doc, &e);
            Err(e)
        }
    }
}

impl Begun {
    fn run(
        &self,
        args: &NsSpawn,
        doc: &mut Document,
        rootfs: &Rootfs,
        stdin_is_document: bool,
        status: &mut Status,
    ) -> Result<Exit> {
        // Held to the end: two processes of one container would write to one root.
        let _running = state::hold(&self.id)?;
        args.complete(doc, rootfs, Some(&self.id))?;
        let spec = spec::read(doc.get("spec").unwrap_or(&Value::Null))?;
        if !doc.steps()?.iter().any(|step| step.tool == NsSpawn::NAME) {
            doc.push_step(NsSpawn::NAME, json!({"id": self.id, "claimed": self.claimed, "spec": self.spec}));
        }
        let options = Options {
            rootfs: PathBuf::from(&rootfs.path),
            interactive: args.interactive || !stdin_is_document,
            stdin_is_document,
            ..options(&spec, &self.id)
        };
        let exit = run::run(&spec, options, &mut |pid| {
            let running = state::running(doc, &self.id, pid)?;
            status.running(&self.id, &running);
            Ok(())
        })?;
        if !trace::dry_run() {
            let stopped = state::stopped(doc, exit.code)?;
            status.stopped(&self.id, &stopped, exit.signal);
        }
        Ok(exit)
    }

    /// The record says how the process ended; with `--rm` nothing is left.
    fn ended(&self, doc: &Document, rm: bool) -> Result<()> {
        if trace::dry_run() {
            return Ok(());
        }
        if !rm {
            // Removed by another while it ran: there is no record to write any more.
            return match container::save(doc) {
                Err(_) if !container::dir(&self.id).exists() => Ok(()),
                other => other.and_then(|()| state::forget(&self.id)),
            };
        }
        undo_all(doc);
        if self.claimed
            && let Err(e) = container::remove(&self.id)
        {
            trace::warn(&e.to_string());
        }
        Ok(())
    }

    /// Our own half of a failed add goes; the container that others began stays, and its record says why nothing runs.
    fn take_back(&self, doc: &mut Document, error: &Error) {
        if trace::dry_run() {
            return;
        }
        let undone = if self.claimed {
            container::remove(&self.id)
        } else {
            state::failed(doc, &self.spec, error.exit).and_then(|()| state::forget(&self.id))
        };
        if let Err(e) = undone {
            trace::warn(&format!("rollback: {e}"));
        }
    }
}
