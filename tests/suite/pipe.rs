//! The thirteen rules of `ctr-document(5)`, each through the tools themselves.

mod documents;
mod errors;
mod hardship;
mod verbs;

use ctr_tests::*;

pub fn tests() -> Vec<Test> {
    [documents::tests(), errors::tests(), verbs::tests(), hardship::tests()].into_iter().flatten().collect()
}

/// The tools that take a document in, add to it and pass it on, with the arguments they need at least.
const STAGES: &[(&str, &[&str])] = &[("img-unpack", &[]), ("overlay-mount", &[]), ("ns-spawn", &["--", "true"])];

/// The status of `tool` when it fails itself (rule 11).
fn failed(tool: &str) -> i32 {
    if tool == "ns-spawn" { 125 } else { 1 }
}

/// The document of an image that is in the store: what `img-load` prints.
fn image_document(host: &Host) -> Value {
    let archive = images::archive("busybox");
    host.tool("img-load", &["-i", archive.to_str().unwrap()]).ok().json()
}

/// The same, unpacked.
fn unpacked_document(host: &Host) -> Value {
    host.pipe_to(&image_document(host), "img-unpack", &[]).ok().json()
}

/// Every file beneath the host's root and run directory, and its mounts: to see whether anything changed.
fn everything(host: &Host) -> Vec<String> {
    let mut lines = Vec::new();
    for dir in [host.root().to_owned(), host.run()] {
        if dir.exists() {
            lines.extend(tree::list(&dir, &[]).into_iter().map(|(path, line)| format!("{} {line}", path.display())));
        }
        lines.extend(leftovers::mounts_beneath(&dir).iter().map(|p| format!("mount {}", p.display())));
    }
    lines
}
