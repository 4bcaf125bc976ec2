//! A line for each kind of thing, under docker's names.

use crate::{disk::Disk, users::Users};
use ctr_core::{Value, json};
use std::collections::BTreeSet;

/// Images, containers, volumes as docker has them; then what docker does not show, so that the sum is that of the root.
pub(crate) fn lines(disk: &Disk, users: &Users) -> Vec<Value> {
    vec![
        images(disk, users),
        containers(disk, users),
        volumes(disk, users),
        leftovers(disk),
        records(disk),
        total(disk),
    ]
}

fn line(kind: &str, count: usize, active: usize, size: u64, reclaimable: u64) -> Value {
    json!({"Type": kind, "TotalCount": count, "Active": active, "Size": size, "Reclaimable": reclaimable})
}

/// Reclaimable is what `img-prune -a` would free, and what nothing uses.
fn images(disk: &Disk, users: &Users) -> Value {
    let active: Vec<_> = users.images.iter().filter(|image| users.of(image).next().is_some()).collect();
    let blobs: BTreeSet<_> = active.iter().flat_map(|image| &image.blobs).collect();
    let of_images = active.iter().flat_map(|image| &image.trees);
    let trees: BTreeSet<_> = of_images.chain(users.containers.iter().flat_map(|user| &user.trees)).collect();
    let free_blobs: u64 = disk.blobs.iter().filter(|(digest, _)| !blobs.contains(digest)).map(|(_, bytes)| bytes).sum();
    let free_trees: u64 = disk.trees.iter().filter(|(digest, _)| !trees.contains(digest)).map(|(_, bytes)| bytes).sum();
    let (all_blobs, all_trees): (u64, u64) = (disk.blobs.values().sum(), disk.trees.values().sum());
    let mut line = line("Images", users.images.len(), active.len(), all_blobs + all_trees, free_blobs + free_trees);
    line["Blobs"] = json!(all_blobs);
    line["Layers"] = json!(all_trees);
    line
}

fn containers(disk: &Disk, users: &Users) -> Value {
    let lives = |id: &String| users.containers.iter().any(|user| user.id == *id && user.status.lives());
    let active = disk.containers.keys().filter(|id| lives(id)).count();
    let size = disk.containers.values().map(|parts| parts.sum()).sum();
    let free = disk.containers.iter().filter(|(id, _)| !lives(id)).map(|(_, parts)| parts.sum()).sum();
    let mut line = line("Containers", disk.containers.len(), active, size, free);
    line["Writable"] = json!(disk.containers.values().map(|parts| parts.writable).sum::<u64>());
    line["Logs"] = json!(disk.containers.values().map(|parts| parts.log).sum::<u64>());
    line
}

fn volumes(disk: &Disk, users: &Users) -> Value {
    let is_used = |name: &String| users.containers.iter().any(|user| user.volumes.contains(name));
    let active = disk.volumes.keys().filter(|name| is_used(name)).count();
    let free = disk.volumes.iter().filter(|(name, _)| !is_used(name)).map(|(_, bytes)| bytes).sum();
    line("Local Volumes", disk.volumes.len(), active, disk.volumes.values().sum(), free)
}

/// What is being written now is among them.
fn leftovers(disk: &Disk) -> Value {
    let size = disk.leftovers.values().sum();
    line("Leftovers", disk.leftovers.len(), 0, size, size)
}

fn records(disk: &Disk) -> Value {
    let files = usize::try_from(disk.record_files).unwrap_or(usize::MAX);
    line("Records", files, files, disk.records, 0)
}

fn total(disk: &Disk) -> Value {
    json!({"Type": "Total", "Size": disk.total()})
}
