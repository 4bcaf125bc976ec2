//! What the store holds, counted without making one.

use ctr_core::{Cannot, Map, Result, Value, container, json, paths};
use std::{fs, io::ErrorKind};

/// docker's counts, and the number of unpacked layers.
pub fn counts() -> Result<Map<String, Value>> {
    let ids = container::ids()?;
    let mut running = 0;
    for id in &ids {
        running += usize::from(container::live_state(id)?.is_some());
    }
    Ok(Map::from_iter([
        ("Containers".to_owned(), json!(ids.len())),
        ("ContainersRunning".to_owned(), json!(running)),
        ("ContainersPaused".to_owned(), json!(0)),
        ("ContainersStopped".to_owned(), json!(ids.len() - running)),
        ("Images".to_owned(), json!(images()?)),
        ("Layers".to_owned(), json!(layers()?)),
    ]))
}

/// Images by manifest, as docker counts them: two references to one image are one.
fn images() -> Result<usize> {
    if !paths::images().exists() {
        return Ok(0);
    }
    let entries = ctr_store::Store::open()?.entries()?;
    let mut digests: Vec<_> = entries.iter().filter_map(ctr_store::Entry::digest).collect();
    digests.sort_unstable();
    digests.dedup();
    Ok(digests.len())
}

fn layers() -> Result<usize> {
    let dir = paths::layers().join("sha256");
    match fs::read_dir(&dir) {
        // Names that begin with a dot are trees half made or half removed.
        Ok(entries) => Ok(entries.flatten().filter(|e| !e.file_name().to_string_lossy().starts_with('.')).count()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e).cannot(|| format!("read {}", dir.display())),
    }
}
