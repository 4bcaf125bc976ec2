//! The verbs of a tool of the pipe, and how each ends: the document out, errors, the exit status.

use super::{Cli, Done, Tool, finish, unprinted};
use crate::{Document, Error, Lock, Result, Step, container, trace};
use std::process::ExitCode;

pub(super) fn add<T: Tool>(cli: &mut Cli<T>, input: Document) -> ExitCode {
    let mut doc = input.clone();
    let joined = input.str("id").filter(|_| T::JOINS && cli.tool.reads_document() && !trace::dry_run());
    let joined = match joined.map(container::join).transpose() {
        Ok(joined) => joined,
        Err(e) => return fail::<T>(&cli.tool, input, e),
    };
    let done = match cli.tool.add(&mut doc, &cli.common) {
        Ok(done) => done,
        Err(e) => return fail::<T>(&cli.tool, input, e),
    };
    match done {
        Done::Exit(status) => ExitCode::from(status),
        Done::Print | Done::Saved => {
            if matches!(done, Done::Print)
                && !trace::dry_run()
                && doc.str("id").is_some()
                && let Err(e) = save(&input, &doc, joined)
            {
                take_back::<T>(&input, &mut doc);
                return fail::<T>(&cli.tool, input, e);
            }
            match cli.tool.print(&doc) {
                Ok(()) => ExitCode::SUCCESS,
                Err(e) => {
                    // The document is what names the step: nobody has it, so the step must not stay.
                    take_back::<T>(&input, &mut doc);
                    unprinted(&e)
                }
            }
        }
    }
}

/// Saves the record where it is: what another tool of the pipe has begun provisionally is no more than that until `ns-spawn`
/// has completed it.
///
/// A container that was removed meanwhile has none, and that of one which is being removed is not this tool's to write.
fn save(input: &Document, doc: &Document, joined: Option<Lock>) -> Result<()> {
    let began = input.str("id").is_none();
    let _joined = match (joined, doc.str("id")) {
        (None, Some(id)) if !began => Some(container::join(id)?),
        (joined, _) => joined,
    };
    if !began && container::is_provisional(doc) { container::save_for_now(doc) } else { container::save(doc) }
}

/// Undoes the steps that `doc` has and `input` had not; the record goes back to `input` with them.
fn take_back<T: Tool>(input: &Document, doc: &mut Document) {
    let (Ok(before), Ok(after)) = (input.steps(), doc.steps()) else { return };
    let added = doc.clone();
    let undone = &after[before.len().min(after.len())..];
    for step in undone.iter().rev() {
        if let Err(e) = T::undo(doc, &step.undo) {
            trace::warn(&e.to_string());
        }
    }
    if let Err(e) = forget(&added, input, undone) {
        trace::warn(&e.to_string());
    }
}

pub(super) fn undo<T: Tool>(mut doc: Document) -> ExitCode {
    let steps = match doc.steps() {
        Ok(steps) => steps,
        Err(e) => return finish(Err(e), T::failed()),
    };
    let input = doc.clone();
    let (mut kept, mut undone, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for step in steps.into_iter().rev() {
        if step.tool != T::NAME {
            kept.push(step);
        } else if let Err(e) = T::undo(&mut doc, &step.undo) {
            errors.push(e);
            kept.push(step);
        } else {
            undone.push(step);
        }
    }
    kept.reverse();
    let result = doc.set_steps(&kept).and_then(|()| forget(&input, &doc, &undone));
    errors.extend(result.err());
    report::<T>(doc, &errors)
}

/// After an undo the record must not name a step that is gone; a container that is gone has no record.
///
/// Only what the undo changed, from `before` to `after`, changes in the record: the document that it was given may be
/// older than the record, and what others did since is still done.
fn forget(before: &Document, after: &Document, undone: &[Step]) -> Result<()> {
    let Some(id) = after.str("id").filter(|_| !trace::dry_run() && !undone.is_empty()) else { return Ok(()) };
    if !container::dir(container::checked_id(id)?).exists() {
        return Ok(());
    }
    let mut record = container::recorded(id)?;
    record.change(before, after);
    let kept: Vec<_> = record.steps()?.into_iter().filter(|step| !undone.contains(step)).collect();
    record.set_steps(&kept)?;
    container::save(&record)
}

pub(super) fn check<T: Tool>(doc: Document) -> ExitCode {
    match T::check(&doc) {
        Ok(findings) => report::<T>(doc, &findings),
        Err(e) => report::<T>(doc, &[e]),
    }
}

pub(super) fn repair<T: Tool>(tool: &T, doc: Document) -> ExitCode {
    let mut repaired = doc.clone();
    match T::repair(&mut repaired) {
        Ok(()) => report::<T>(repaired, &[]),
        Err(e) => fail::<T>(tool, doc, e),
    }
}

/// Prints every error on stderr, the document (with the first error) on stdout.
fn report<T: Tool>(mut doc: Document, errors: &[Error]) -> ExitCode {
    for e in errors {
        trace::warn(&e.to_string());
    }
    if let Some(first) = errors.first() {
        doc.set_error(T::NAME, first);
    }
    match doc.print() {
        Ok(()) if errors.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(1),
        Err(e) => unprinted(&e),
    }
}

/// One line on stderr, the input document with the error on stdout.
pub(super) fn fail<T: Tool>(tool: &T, mut input: Document, error: Error) -> ExitCode {
    let mut error = error;
    // Of a tool that runs a command a low number is the command's (`ctr-document(5)`, EXIT STATUS).
    if error.exit == 1 || (error.exit == 2 && T::failed() != 1) {
        error.exit = T::failed();
    }
    error.tell();
    input.set_error(T::NAME, &error);
    if tool.prints() {
        let _ = input.print();
    }
    let _ = tool.inherited(&input).map_err(|e| trace::warn(&e.to_string()));
    ExitCode::from(error.exit)
}
