//! The directories that an image declares to be volumes: vol-mount makes these, where no stage of the pipe was to.

use ctr_core::{Cannot, Code, Document, Error, Result, Value, json, steps, trace};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// Has vol-mount make them, in the document too.
///
/// # Errors
/// `invalid` for a document whose steps do not have their form; those of vol-mount, which has said why.
pub fn make(doc: &mut Document) -> Result<()> {
    if are_wanted(doc)? {
        *doc = mount(doc)?;
    }
    Ok(())
}

/// Takes back what vol-mount has made for a container that this tool began.
pub fn undo(doc: &mut Document) {
    for step in doc.steps().unwrap_or_default().iter().filter(|step| step.tool == "vol-mount") {
        ctr_vol::undo(doc, &step.undo).unwrap_or_else(|e| trace::warn(&format!("rollback: {e}")));
    }
}

/// Whether the image declares one on which nothing is mounted, and vol-mount was not asked.
fn are_wanted(doc: &Document) -> Result<bool> {
    if doc.steps()?.iter().any(|step| step.tool == "vol-mount") {
        return Ok(false);
    }
    let image = doc.get("image").map(|image| &image["config"]["config"]["Volumes"]);
    let is_mounted = |place: &str| {
        let is_there = |mount: &Value| mount["destination"].as_str().is_some_and(|d| Path::new(d) == Path::new(place));
        doc.mounts().iter().any(is_there)
    };
    Ok(image.and_then(Value::as_object).into_iter().flat_map(|map| map.keys()).any(|place| !is_mounted(place)))
}

/// The document as `vol-mount` gives it back.
fn mount(doc: &Document) -> Result<Document> {
    let program = steps::sibling("vol-mount");
    let what = || json!({"run": "vol-mount"});
    let run = || format!("run {}", program.display());
    let given = trace::act("volumes", what, || {
        let mut command = Command::new(&program);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().cannot(run)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that fails before it reads says so itself.
            let _ = stdin.write_all(doc.to_line().as_bytes());
        }
        child.wait_with_output().cannot(run).map(Some)
    })?;
    let Some(output) = given else { return Ok(doc.clone()) };
    let value: Value = serde_json::from_slice(&output.stdout)
        .map_err(|e| Error::new(Code::Internal, format!("vol-mount gave no document: {e}")))?;
    if let Some(error) = value.get("error") {
        let message = format!("vol-mount: {}", error["message"].as_str().unwrap_or("failed"));
        let code = serde_json::from_value(error["code"].clone()).unwrap_or(Code::Internal);
        return Err(Error::new(code, message));
    }
    Document::from_value(value)
}
