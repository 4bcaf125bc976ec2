//! Making it right: what is torn or orphaned goes, what is missing is fetched or unpacked again.

use crate::{
    bytes::{self, Fault},
    finding::{Finding, Kind, State},
    images::{Images, name_of, of_layer},
    leftovers::{children, is_hidden},
    records,
};
use ctr_core::{
    Cannot, Code, Document, Error, Failures, Image, Layer, Lock, Result, Value, container, files, json, mountinfo,
    paths, steps, trace,
};
use ctr_store::{Digest, Entry, Reference, Store, Trash, idle, is_stale, trees_of};
use std::{
    collections::BTreeSet,
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{MetadataExt, symlink},
    path::PathBuf,
    process::{Command, Stdio},
};

/// Goes through the findings, and notes in each what was done. What nothing can be done about stays.
pub(crate) fn repair(findings: &mut Vec<Finding>, forget: bool) -> Result<()> {
    let store = Store::open()?;
    let mut failures = Failures::default();
    failures.note(torn_blobs(&store, findings));
    failures.note(images(&store, findings, forget));
    failures.note(unsure_layers(&store, findings));
    failures.note(torn_layers(&store, findings));
    failures.note(missing_layers(findings));
    failures.note(missing_names(findings));
    failures.note(leftovers(&store, findings));
    for finding in findings {
        // With the last image that had it.
        let is_gone = |path: &PathBuf| fs::symlink_metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound);
        if finding.is(State::Torn, Kind::Layer) && finding.is_left() && finding.path.as_ref().is_some_and(is_gone) {
            finding.repair = Some("removed".to_owned());
        }
        if finding.repair.is_none() {
            let is_foreign = finding.state == State::Foreign;
            let why = if is_foreign { "no: it is somebody else's" } else { "no: nobody can tell what it was" };
            finding.repair = Some(why.to_owned());
        }
    }
    failures.end()
}

/// What is said of a file that the disk did not give: it may be whole.
pub(crate) const UNREAD: &str = "no: it cannot be read, and may be whole";

/// What is said of a tree that only its times speak of: it may be whole, and all that is left of its layer.
pub(crate) const UNSURE: &str = "no: it may be whole, and no blob is there to compare it with";

/// A torn blob is no use to anybody, and in the way of a whole one.
fn torn_blobs(store: &Store, findings: &mut [Finding]) -> Result<()> {
    for finding in findings.iter_mut().filter(|f| f.is(State::Torn, Kind::Blob) && f.repair.is_none()) {
        let digest = Digest::parse(&finding.name)?;
        let path = store.blob_path(&digest);
        // Another may have brought a whole one since it was looked at.
        let same =
            || fs::symlink_metadata(&path).ok().map(|meta| (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()));
        let before = same();
        let said = match bytes::blob(&path, &digest) {
            None => "it is whole by now",
            Some(Fault { kept: Some(why), .. }) => why,
            Some(_) => {
                let _lock = Lock::store()?;
                if before == same() {
                    files::discard(&path)?;
                }
                "removed"
            }
        };
        finding.repair = Some(said.to_owned());
    }
    Ok(())
}

/// Trees that only their times speak of, once more: what was fetched meanwhile decides.
fn unsure_layers(store: &Store, findings: &mut [Finding]) -> Result<()> {
    let is_unsure = |f: &Finding| f.is(State::Torn, Kind::Layer) && f.repair.as_deref() == Some(UNSURE);
    if !findings.iter().any(is_unsure) {
        return Ok(());
    }
    let mut layers = Images::read(store)?.layers;
    records::add_blobs(&mut layers)?;
    for finding in findings.iter_mut().filter(|f| is_unsure(f)) {
        let digest = Digest::parse(&finding.name)?;
        finding.repair = match bytes::changed(store, &store.layer_path(&digest), &digest, &layers, true) {
            None => Some("compared with its blob: it is whole".to_owned()),
            Some(fault) => fault.kept.map(str::to_owned),
        };
    }
    Ok(())
}

/// A torn tree is unpacked anew at the next use, unless a container stands on it.
fn torn_layers(store: &Store, findings: &mut [Finding]) -> Result<()> {
    for finding in findings.iter_mut().filter(|f| f.is(State::Torn, Kind::Layer) && f.repair.is_none()) {
        let digest = Digest::parse(&finding.name)?;
        let lock = Lock::store()?;
        let mounts = mountinfo::read()?;
        let mut of = Vec::new();
        let mut can_come = true;
        let mut mounted = None;
        for id in container::ids()? {
            let doc = container::recorded(&id)?;
            if trees_of(&doc)?.contains(&digest) {
                let name = doc.str("name").unwrap_or(&id).to_owned();
                let run = fs::canonicalize(paths::run_dir(&id)).ok();
                if run.is_some_and(|run| mounts.iter().any(|mount| mount.point.starts_with(&run))) {
                    mounted = Some(name.clone());
                }
                can_come &= has_blob(store, &doc, &digest)?;
                of.push((id, name));
            }
        }
        if !can_come {
            finding.repair = Some("no: its blob is gone, and a container stands on it".to_owned());
            continue;
        }
        if let Some(name) = mounted {
            finding.repair = Some(format!("no: container {name} is mounted on it"));
            continue;
        }
        let mut trash = Trash::default();
        trash.take(store, &digest)?;
        drop(lock);
        trash.delete()?;
        finding.of = of.iter().map(|(_, name)| name.clone()).collect();
        finding.repair = match of.first() {
            None => Some("removed".to_owned()),
            Some((id, _)) => Some(unpack(id)),
        };
    }
    Ok(())
}

/// Whether the layer of a container's image can be unpacked again.
fn has_blob(store: &Store, doc: &Document, diff_id: &Digest) -> Result<bool> {
    let image: Option<Image> = doc.section("image")?;
    let layer = image.iter().flat_map(|image| &image.layers).find(|layer| layer.diff_id == diff_id.as_str());
    let Some(layer) = layer else { return Ok(false) };
    let blob = Digest::parse(&layer.digest)?;
    Ok(fs::symlink_metadata(store.blob_path(&blob)).is_ok_and(|meta| meta.len() == layer.size))
}

/// Fetches the images that lack something, or takes their references away.
fn images(store: &Store, findings: &mut [Finding], forget: bool) -> Result<()> {
    let mut lacking = BTreeSet::new();
    for finding in findings.iter() {
        match (finding.state, finding.kind) {
            (State::Torn | State::Missing, Kind::Blob) if !finding.is_left() => {
                lacking.extend(finding.of.iter().cloned());
            }
            (State::Torn, Kind::Image) if !finding.is_left() => drop(lacking.insert(finding.name.clone())),
            _ => {}
        }
    }
    for name in &lacking {
        let entries = store.entries()?;
        // Several may have one id; and a name may be another image's by now.
        let is_meant = |entry: &&Entry| name_of(entry) == *name && store.lacks(entry);
        let mut done = "it is whole by now".to_owned();
        for entry in entries.iter().filter(is_meant) {
            done = match fetch(store, entry, &entries) {
                Ok(()) => "fetched".to_owned(),
                Err(e) if !forget && has_lone_tree(store, entry) => {
                    let why = "a tree is all that is left of a layer (--drop takes the reference away)";
                    format!("no: it cannot be fetched: {}; {why}", e.message)
                }
                Err(e) if forget || !may_come(&e) => {
                    let is_same = |e: &Entry| e.digest() == entry.digest() && name_of(e) == *name;
                    store.forget(|e| is_same(e) && store.lacks(e))?;
                    format!("reference dropped: it cannot be fetched again: {}", e.message)
                }
                Err(e) => format!("no: it cannot be fetched now: {} (--drop takes the reference away)", e.message),
            };
        }
        let of = |finding: &&mut Finding| {
            let is_blob = matches!(finding.kind, Kind::Blob) && finding.state != State::Orphaned;
            (is_blob && finding.of.contains(name)) || (finding.is(State::Torn, Kind::Image) && finding.name == *name)
        };
        for finding in findings.iter_mut().filter(of) {
            let said = match finding.repair.take().filter(|before| *before != done) {
                Some(before) => format!("{before}; {name}: {done}"),
                None => done.clone(),
            };
            finding.repair = Some(said);
        }
    }
    Ok(())
}

/// Whether of a layer of the image the tree is there and the blob is not: without the image the tree would be nobody's.
fn has_lone_tree(store: &Store, entry: &Entry) -> bool {
    let is_lone = |layer: &Layer| {
        of_layer(layer).is_ok_and(|(tree, blob)| !store.blob_path(&blob).exists() && store.layer_path(&tree).exists())
    };
    store.image_of(None, &entry.plain_descriptor()).is_ok_and(|image| image.layers.iter().any(is_lone))
}

/// Whether what failed may succeed another time.
fn may_come(e: &Error) -> bool {
    matches!(
        e.code,
        Code::Network | Code::Unauthorized | Code::Io | Code::Limit | Code::Busy | Code::Denied | Code::Internal
    )
}

/// Fetches the very image: by the digest that it came by, so that a tag which means another by now brings no other.
fn fetch(store: &Store, entry: &Entry, entries: &[Entry]) -> Result<()> {
    let named = entry.reference().and_then(|reference| Reference::parse(reference).ok());
    let (Some(reference), Some(source)) = (named, entry.source()) else {
        return Err(Error::new(Code::NotFound, "no registry is known for it"));
    };
    let pinned = Reference::parse(&format!("{}@{source}", reference.name()))?.to_string();
    let done = pull(&pinned);
    // It is there under its own name.
    if !entries.iter().any(|e| e.reference() == Some(pinned.as_str())) {
        store.forget(|e| e.reference() == Some(pinned.as_str()) && e.digest() == entry.digest())?;
    }
    done
}

fn pull(reference: &str) -> Result<()> {
    let (ok, doc) = run("img-pull", &["--quiet", reference], None)?;
    if ok {
        return Ok(());
    }
    let error = doc.get("error").cloned().unwrap_or_default();
    let code = serde_code(&error["code"]);
    Err(Error::new(code, error["message"].as_str().unwrap_or("img-pull failed")))
}

fn serde_code(code: &Value) -> Code {
    use serde::Deserialize;
    Code::deserialize(code).unwrap_or(Code::Internal)
}

/// Runs a tool of the pipe; whether it succeeded, and its document.
fn run(tool: &str, args: &[&str], input: Option<&str>) -> Result<(bool, Document)> {
    let program = steps::sibling(tool);
    let what = || format!("run {}", program.display());
    let mut child = Command::new(&program)
        .args(args)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .cannot(what)?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // A tool that fails before it reads says so itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().cannot(what)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = text.lines().last().and_then(|line| line.parse::<Value>().ok()).unwrap_or_else(|| json!({}));
    Ok((output.status.success(), Document::from_value(value).unwrap_or_default()))
}

/// Unpacks the layers of a container again; what came of it.
fn unpack(id: &str) -> String {
    let line = container::recorded(id).map(|doc| json!({"ctr": ctr_core::DOCUMENT_VERSION, "image": doc.get("image")}));
    match line.and_then(|line| run("img-unpack", &[], Some(&format!("{line}\n")))) {
        Ok((true, _)) => "unpacked".to_owned(),
        Ok((false, doc)) => {
            let message = doc.get("error").and_then(|e| e["message"].as_str()).unwrap_or("img-unpack failed");
            format!("no: {message}")
        }
        Err(e) => format!("no: {}", e.message),
    }
}

fn missing_layers(findings: &mut [Finding]) -> Result<()> {
    for finding in findings.iter_mut().filter(|f| f.is(State::Missing, Kind::Layer)) {
        let Some(name) = finding.of.first() else { continue };
        finding.repair = Some(unpack(&container::find(name)?));
    }
    Ok(())
}

/// A link to a container that says it has the name.
fn missing_names(findings: &mut [Finding]) -> Result<()> {
    for finding in findings.iter_mut().filter(|f| f.is(State::Missing, Kind::Name)) {
        let Some(id) = finding.of.first() else { continue };
        let _lock = Lock::store()?;
        if container::recorded_name(id).as_deref() != Some(&finding.name) || container::holder(&finding.name)?.is_some()
        {
            continue;
        }
        let link = paths::names().join(&finding.name);
        files::make_dir(&paths::names())?;
        files::remove_file(&link)?;
        trace::act(
            "claim",
            || json!({"name": finding.name}),
            || symlink(id, &link).cannot(|| format!("make {}", link.display())),
        )?;
        finding.repair = Some("linked".to_owned());
    }
    Ok(())
}

/// Every kind of leftover by who knows it, then what nothing uses.
fn leftovers(store: &Store, findings: &mut [Finding]) -> Result<()> {
    let is_left = |f: &Finding| f.state == State::Orphaned;
    if !findings.iter().any(|f| is_left(f) || f.repair.is_some()) {
        return Ok(());
    }
    ctr_store::gc()?;
    store.gc_trees()?;
    ctr_layer::gc()?;
    // Those of containers may be mounted.
    if findings.iter().any(|f| is_left(f) && matches!(f.kind, Kind::Container | Kind::Name | Kind::Leftover)) {
        run("overlay-mount", &["--gc"], None)?;
    }
    let idle = idle()?;
    let lock = Lock::store()?;
    let images = store.images();
    let aside = children(&images.join("blobs")).into_iter().chain([images.clone()]).flat_map(|dir| children(&dir));
    for path in aside.filter(|path| is_hidden(path)) {
        if idle.is_some() || is_stale(fs::symlink_metadata(&path).and_then(|meta| meta.modified()).ok()) {
            files::discard(&path)?;
        }
    }
    // Unless an image does not read still: then what it uses is not known.
    let known = store.entries()?.iter().all(|entry| store.image_of(None, &entry.plain_descriptor()).is_ok());
    if known {
        let orphans = store.orphans(idle.is_some())?;
        store.remove_orphans(&orphans, lock)?;
    }
    for finding in findings.iter_mut().filter(|f| is_left(f)) {
        finding.repair = Some("removed".to_owned());
    }
    Ok(())
}
