//! Another image as a mount: its layers, fetched and unpacked by the tools that do that.

use ctr_core::{Cannot, Code, Document, Error, Image, Result, Value, json, steps, trace};
use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// The trees of the layers of image `reference`, top first, each once: those of the store, or of the registry where it is
/// missing.
///
/// # Errors
/// Those of img-pull and img-unpack, which have said why.
pub fn layers(reference: &str) -> Result<Vec<PathBuf>> {
    let what = || json!({"pull": reference});
    let image = trace::act("image", what, || {
        let (pull, unpack) = (steps::sibling("img-pull"), steps::sibling("img-unpack"));
        let run = || "run img-pull and img-unpack";
        let mut first = Command::new(pull)
            .args(["--pull", "missing", "--", reference])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .cannot(run)?;
        let documents = first.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let output = Command::new(unpack).stdin(documents).stderr(Stdio::inherit()).output().cannot(run);
        let _ = first.wait();
        let output = output?;
        if !output.status.success() {
            return Err(Error::new(Code::NotFound, format!("cannot mount image {reference}")));
        }
        let value: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| Error::new(Code::Internal, format!("img-unpack gave no document: {e}")))?;
        Document::from_value(value)?.need::<Image>("image", "img-unpack").map(Some)
    })?;
    image.as_ref().map_or(Ok(Vec::new()), overlay_mount::lowers)
}

/// The entry: an overlay of the trees that nobody can write to. Until it is recorded the lock of the store keeps them.
///
/// # Errors
/// `not-found` where a removal was faster.
pub fn entry(target: &str, layers: &[PathBuf]) -> Result<Value> {
    overlay_mount::all_there(layers)?;
    if let [only] = layers {
        let options = ["bind", "rprivate", "ro", "nodev"];
        return Ok(json!({"destination": target, "type": "bind", "source": only, "options": options}));
    }
    let mut options = vec!["ro".to_owned(), "nodev".to_owned()];
    options.extend(layers.iter().map(|path| format!("lowerdir+={}", path.display())));
    Ok(json!({"destination": target, "type": "overlay", "source": "overlay", "options": options}))
}
