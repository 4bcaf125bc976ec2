//! Containers: whether their records read, their layers are there, and their names lead to them.

use crate::{
    bytes::Layers,
    finding::{Finding, Kind, State},
    images::of_layer,
    survey::Survey,
};
use ctr_core::{Code, Document, Error, Image, Lock, Result, container, ident, paths};
use ctr_net::{cni, network};
use ctr_store::{Digest, Store};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The names of the files and directories in a directory.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Looks at all records; gives whether what containers use of layers is known.
pub(crate) fn look(survey: &mut Survey) -> Result<bool> {
    let mut is_whole = true;
    let mut missing: BTreeMap<String, (PathBuf, Vec<String>)> = BTreeMap::new();
    let mut suspects = Vec::new();
    for id in container::directories()? {
        let doc = match container::recorded(&id) {
            Ok(doc) => doc,
            Err(e) if e.code == Code::NotFound => {
                suspects.push(id);
                continue;
            }
            Err(e) => {
                is_whole = false;
                let finding = Finding::new(State::Torn, Kind::Record, &id, e.message);
                survey.findings.push(finding.at(container::record_file(&id)));
                continue;
            }
        };
        survey.checked.containers += 1;
        let shown = doc.str("name").unwrap_or(ident::short(&id)).to_owned();
        for (diff_id, path) in layers(&doc) {
            // A container that was removed meanwhile needs nothing.
            if !path.exists() && container::exists(&id) {
                missing.entry(diff_id).or_insert((path, Vec::new())).1.push(shown.clone());
            }
        }
        if let Some(name) = doc.str("name").filter(|name| container::holder(name).is_ok_and(|h| h.is_none())) {
            // Looked at again under the lock, under which names are given and taken.
            let _lock = Lock::store()?;
            if container::exists(&id)
                && container::recorded_name(&id).as_deref() == Some(name)
                && container::holder(name)?.is_none()
            {
                let finding =
                    Finding::new(State::Missing, Kind::Name, name, "nothing leads from the name to its container");
                survey.findings.push(finding.at(paths::names().join(name)).of([id]));
            }
        }
    }
    for (diff_id, (path, of)) in missing {
        survey
            .findings
            .push(Finding::new(State::Missing, Kind::Layer, diff_id, "its tree is not there").at(path).of(of));
    }
    let _lock = Lock::store()?;
    for id in suspects.into_iter().filter(|id| container::dir(id).exists() && container::is_gone(id)) {
        let finding = Finding::new(State::Orphaned, Kind::Container, &id, "it has no record");
        survey.findings.push(finding.at(container::dir(&id)));
    }
    for name in names(&paths::names()) {
        if container::holder(&name).is_ok_and(|holder| holder.is_none()) {
            let finding = Finding::new(State::Orphaned, Kind::Name, &name, "no container has it");
            survey.findings.push(finding.at(paths::names().join(&name)));
        }
    }
    survey.findings.extend(others()?);
    Ok(is_whole)
}

/// The layers that a container stands on.
pub(crate) fn layers(doc: &Document) -> Vec<(String, PathBuf)> {
    let Ok(store) = Store::open() else { return Vec::new() };
    // One that is being made may not have them yet.
    let image = doc.section::<Image>("image").ok().flatten().filter(|_| !doc.is_partial());
    let layers = image.map(|image| image.layers).unwrap_or_default();
    let tree = |diff_id: String| Some((diff_id.clone(), store.layer_path(&Digest::parse(&diff_id).ok()?)));
    layers.into_iter().filter_map(|layer| tree(layer.diff_id)).collect()
}

/// Adds the blobs of the layers that containers stand on: their image may be gone.
pub(crate) fn add_blobs(layers: &mut Layers) -> Result<()> {
    for id in container::ids()? {
        // One that does not read is found of the record.
        let image = container::recorded(&id).and_then(|doc| doc.section::<Image>("image"));
        for layer in image.ok().flatten().iter().flat_map(|image| &image.layers) {
            if let Ok((diff_id, blob)) = of_layer(layer) {
                layers.entry(diff_id).or_default().push(blob);
            }
        }
    }
    Ok(())
}

/// The records of networks, attachments and volumes that do not read as the tools read them.
fn others() -> Result<Vec<Finding>> {
    let networks = network::names()?.into_iter().map(|name| (network::find(&name).err(), network::record_file(&name)));
    let attachments = cni::ids()?.into_iter().map(|id| (cni::find(&id).err(), cni::file(&id)));
    let record = |name: &String| ctr_vol::dir(name).join("volume.json");
    let named = |name: &String| ctr_vol::check_name(name).is_ok() && record(name).exists();
    let volumes = names(&paths::volumes()).into_iter().filter(named);
    let volumes = volumes.map(|name| (ctr_vol::load(&name).err(), record(&name)));
    let torn = |(e, path): (Option<Error>, PathBuf)| {
        let name = path.strip_prefix(paths::root()).unwrap_or(&path).display().to_string();
        // What was removed meanwhile is none.
        let e = e.filter(|e| e.code == Code::Corrupt)?;
        Some(Finding::new(State::Torn, Kind::Record, name, e.message).at(path))
    };
    Ok(networks.chain(attachments).chain(volumes).filter_map(torn).collect())
}
