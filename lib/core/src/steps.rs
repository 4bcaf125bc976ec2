//! Undoing or repairing a whole document: its steps, each by its own tool.

use crate::{Cannot, Code, Document, Error, Result, trace};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    env,
    fs::File,
    io::{BufReader, Seek, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

/// How a tool takes a step back.
pub type Undo = fn(&mut Document, &Value) -> Result<()>;

/// Takes back each step, last to first: those of the tools in `here` in this process, by their library halves, any other by
/// `TOOL --undo` with the document on its stdin.
///
/// Left out are steps that recorded nothing to take away, and those of the tool that calls: it undoes its own.
/// Best effort: a step that fails does not stop the others. Gives every error; what a process could not undo it has told on
/// stderr.
pub fn undo_all(doc: &Document, here: &[(&str, Undo)]) -> Vec<Error> {
    let steps = match doc.steps() {
        Ok(steps) => steps,
        Err(e) => return vec![e],
    };
    let mut plain = doc.clone();
    // A tool passes a document with an error on; undo is what it is for.
    plain.remove("error");
    // And the record of a container that was killed half-made is partial.
    plain.remove("partial");
    let mut done = Vec::new();
    let mut errors = Vec::new();
    for step in steps.iter().rev() {
        let nothing = step.undo.as_object().is_none_or(serde_json::Map::is_empty);
        // One call undoes all steps of a tool.
        if nothing || step.tool == trace::tool() || done.contains(&&step.tool) {
            continue;
        }
        if let Some((tool, undo)) = here.iter().find(|(tool, _)| step.tool == *tool) {
            let undone = trace::act("undo", || json!({"step": tool}), || undo(&mut plain, &step.undo));
            errors.extend(undone.err());
            continue;
        }
        done.push(&step.tool);
        if let Err(e) = run(&step.tool, "undo", &plain) {
            errors.push(e);
        }
    }
    errors
}

/// Runs `TOOL --repair` for each step, first to last: what a reboot took away is there again.
///
/// # Errors
/// The first failure, with the code and the reason that its tool gives, which it has printed on stderr too.
pub fn repair_all(doc: &Document) -> Result<()> {
    let mut done = Vec::new();
    for step in doc.steps()? {
        if step.tool != trace::tool() && !done.contains(&step.tool) {
            repair(&step.tool, doc)?;
            done.push(step.tool);
        }
    }
    Ok(())
}

/// Runs `TOOL --repair` with the document.
///
/// # Errors
/// As [`repair_all`].
pub fn repair(tool: &str, doc: &Document) -> Result<()> {
    run(tool, "repair", doc)
}

/// The tools that leave steps. A document comes from anywhere: it does not get to name another program.
const TOOLS: [&str; 11] = [
    "img-pull",
    "img-load",
    "img-import",
    "img-squash",
    "ctr-commit",
    "img-unpack",
    "overlay-mount",
    "vol-mount",
    "net-attach",
    "cg-limit",
    "ns-spawn",
];

/// Runs `TOOL --VERB` with the document.
fn run(tool: &str, verb: &str, doc: &Document) -> Result<()> {
    if !TOOLS.contains(&tool) {
        return Err(Error::new(Code::Invalid, format!("document: step of {tool:?}, which is no tool of the pipe")));
    }
    let program = sibling(tool);
    trace::act(
        verb,
        || json!({"step": tool}),
        || {
            // No pipe: what a tool leaves running may have it open for ever.
            let mut out =
                memfd_create("document", MemfdFlags::CLOEXEC).map(File::from).cannot(|| "make a memory file")?;
            let stdout = out.try_clone().cannot(|| "share a memory file")?;
            let mut child = Command::new(&program)
                .arg(format!("--{verb}"))
                .stdin(Stdio::piped())
                .stdout(stdout)
                .spawn()
                .cannot(|| format!("run {}", program.display()))?;
            if let Some(mut stdin) = child.stdin.take() {
                // A tool that fails before it reads says so itself.
                let _ = stdin.write_all(doc.to_line().as_bytes());
            }
            let status = child.wait().cannot(|| format!("wait for {tool}"))?;
            if status.success() {
                return Ok(());
            }
            let said = said(&mut out).map(|said| Error { is_told: true, ..said });
            Err(said.unwrap_or_else(|| Error::new(Code::Io, format!("{verb} of {tool} failed"))))
        },
    )
}

/// The error of a document that a tool passed on.
fn said(out: &mut File) -> Option<Error> {
    out.rewind().ok()?;
    let document: Value = serde_json::from_reader(BufReader::new(out)).ok()?;
    let error = &document["error"];
    let said = Error::new(Code::deserialize(&error["code"]).ok()?, error["message"].as_str()?);
    Some(Error { hint: error["hint"].as_str().map(str::to_owned), ..said })
}

/// The tool beside this one, so that one release undoes its own; by PATH where it is elsewhere.
pub fn sibling(tool: &str) -> PathBuf {
    let beside = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(tool)));
    beside.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from(tool))
}
