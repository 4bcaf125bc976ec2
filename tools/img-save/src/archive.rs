//! The files of the archive: an OCI image layout (image-spec, image-layout.md), and docker's `manifest.json`.

use crate::{Failure, Format, choose::Chosen, write::Tar};
use ctr_core::{Cannot, Code, Error, Value, json};
use ctr_store::{ANNOTATION_REF, Digest, Reference, Store, media_type};
use std::{collections::BTreeMap, fs::File, io::ErrorKind};

/// By this containerd, and docker with it, knows an image's name.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Writes all images; what is small, and says what the rest is, first.
pub(crate) fn write(store: &Store, images: &[Chosen], format: Format, tar: &mut Tar) -> Result<(), Failure> {
    tar.file("oci-layout", b"{\"imageLayoutVersion\":\"1.0.0\"}")?;
    tar.file("index.json", index(images).to_string().as_bytes())?;
    if format == Format::DockerArchive {
        tar.file("manifest.json", manifests(images).to_string().as_bytes())?;
    }
    // Blobs that several images have are there once; in the order of their digests, whatever the images.
    let blobs: BTreeMap<&Digest, u64> =
        images.iter().flat_map(|i| i.blobs.iter().map(|(d, size)| (d, *size))).collect();
    tar.directory("blobs/")?;
    let mut algorithm = "";
    for (digest, size) in blobs {
        if digest.algorithm() != algorithm {
            algorithm = digest.algorithm();
            tar.directory(&format!("blobs/{algorithm}/"))?;
        }
        tar.copy(&path_of(digest), open(store, digest, size)?, size)?;
    }
    tar.end()
}

/// Opens a blob, which must have the size that its descriptor says: its digest was found right when it was written.
fn open(store: &Store, digest: &Digest, size: u64) -> Result<File, Error> {
    let what = || format!("open blob {digest}");
    let file = match File::open(store.blob_path(digest)) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(Error::new(Code::Busy, format!("blob {digest} is not there, or was removed meanwhile"))
                .hint("ctr-fsck says what is missing"));
        }
        other => other.cannot(what)?,
    };
    if file.metadata().cannot(what)?.len() != size {
        return Err(Error::new(Code::Corrupt, format!("blob {digest} has not the {size} bytes that its image says"))
            .hint("ctr-fsck --repair fetches it again"));
    }
    Ok(file)
}

fn path_of(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

fn index(images: &[Chosen]) -> Value {
    let entry = |image: &Chosen, reference: Option<&Reference>| {
        let mut descriptor = image.image.manifest.clone();
        if let Some(reference) = reference {
            let name = reference.to_string();
            descriptor["annotations"] = json!({CONTAINERD_NAME: name, ANNOTATION_REF: name});
        }
        descriptor
    };
    let entries = images.iter().flat_map(|image| match image.references.as_slice() {
        [] => vec![entry(image, None)],
        some => some.iter().map(|reference| entry(image, Some(reference))).collect(),
    });
    json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries.collect::<Vec<_>>()})
}

/// What `docker load` of an engine without containerd's store reads, and podman's.
fn manifests(images: &[Chosen]) -> Value {
    let path = |digest: &str| format!("blobs/{}", digest.replacen(':', "/", 1));
    let list = images.iter().map(|chosen| {
        json!({
            "Config": chosen.image.id.as_deref().map(path),
            // Whole, for podman takes `busybox` for one of localhost's.
            "RepoTags": chosen.references.iter().map(Reference::to_string).collect::<Vec<_>>(),
            "Layers": chosen.image.layers.iter().map(|layer| path(&layer.digest)).collect::<Vec<_>>(),
        })
    });
    Value::Array(list.collect())
}
