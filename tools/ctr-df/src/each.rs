//! A line for each thing of a kind.

use crate::{
    disk::Disk,
    users::{Used, Users},
};
use ctr_core::{Value, json};
use ctr_store::{Digest, Reference};
use std::collections::BTreeMap;

/// A line for each reference of an image: what it has, what of that others have too, and what only it has.
pub(crate) fn images(disk: &Disk, users: &Users) -> Vec<Value> {
    let mut lines = Vec::new();
    for image in &users.images {
        let others = || users.images.iter().filter(|other| other.entry.digest() != image.entry.digest());
        let is_shared =
            |digest: &Digest| others().any(|other| other.blobs.contains(digest) || other.trees.contains(digest));
        let (mut shared, mut unique) = (0, 0);
        for (digest, bytes) in parts(disk, image) {
            *(if is_shared(digest) { &mut shared } else { &mut unique }) += bytes;
        }
        let of = |reference: Option<&Reference>| {
            json!({
                "Repository": reference.map_or("<none>".to_owned(), Reference::familiar_name),
                "Tag": reference.and_then(|r| r.tag.as_deref()).unwrap_or("<none>"),
                "ID": image.entry.id(),
                "CreatedAt": image.created,
                "Size": shared + unique,
                "SharedSize": shared,
                "UniqueSize": unique,
                "Containers": users.of(image).count(),
            })
        };
        match image.references.as_slice() {
            [] => lines.push(of(None)),
            some => lines.extend(some.iter().map(|reference| of(Some(reference)))),
        }
    }
    lines
}

/// The blobs and trees of an image that are there.
fn parts<'a>(disk: &'a Disk, image: &'a Used) -> impl Iterator<Item = (&'a Digest, u64)> {
    let blobs = image.blobs.iter().filter_map(|digest| Some((digest, *disk.blobs.get(digest)?)));
    blobs.chain(image.trees.iter().filter_map(|digest| Some((digest, *disk.trees.get(digest)?))))
}

/// A line for each unpacked layer, the largest first.
pub(crate) fn layers(disk: &Disk, users: &Users) -> Vec<Value> {
    let mut trees: Vec<_> = disk.trees.iter().collect();
    trees.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
    let line = |(diff_id, bytes): (&Digest, &u64)| {
        json!({
            "DiffID": diff_id.as_str(),
            "Size": bytes,
            "Images": users.images.iter().filter(|image| image.trees.contains(diff_id)).count(),
            "Containers": users.containers.iter().filter(|user| user.trees.contains(diff_id)).count(),
        })
    };
    trees.into_iter().map(line).collect()
}

/// A line for each container, the youngest first; last what has no record.
pub(crate) fn containers(disk: &Disk, users: &Users) -> Vec<Value> {
    let mut left: BTreeMap<_, _> = disk.containers.iter().collect();
    let mut lines = Vec::new();
    for user in &users.containers {
        let parts = left.remove(&user.id).copied().unwrap_or_default();
        let image = user.doc.get("image").and_then(|image| image["ref"].as_str()).map(ctr_docker::familiar);
        let process = user.doc.get("spec").and_then(|spec| spec.get("process"));
        lines.push(json!({
            "ID": user.id,
            "Names": user.doc.str("name"),
            "Image": image,
            "Command": process.and_then(|process| process.get("args")),
            "LocalVolumes": user.volumes.len(),
            "CreatedAt": user.doc.str("created"),
            "State": user.status.word,
            "ExitCode": user.status.exit_code,
            "StartedAt": user.status.state.started_at,
            "FinishedAt": user.status.state.finished_at,
            "Health": user.status.state.health.as_ref().map(|health| &health.status),
            "Size": parts.sum(),
            "Writable": parts.writable,
            "Log": parts.log,
            "Record": parts.record,
        }));
    }
    for (id, parts) in left {
        lines.push(json!({"ID": id, "State": "gone", "Size": parts.sum()}));
    }
    lines
}

/// A line for each volume.
pub(crate) fn volumes(disk: &Disk, users: &Users) -> Vec<Value> {
    let links = |name: &String| users.containers.iter().filter(|user| user.volumes.contains(name)).count();
    disk.volumes.iter().map(|(name, bytes)| json!({"Name": name, "Links": links(name), "Size": bytes})).collect()
}

/// A line for each leftover.
pub(crate) fn leftovers(disk: &Disk) -> Vec<Value> {
    disk.leftovers.iter().map(|(path, bytes)| json!({"Path": path, "Size": bytes})).collect()
}
