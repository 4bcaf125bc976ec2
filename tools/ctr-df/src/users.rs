//! Who uses what: images and containers, as their records say.

use ctr_core::{Code, Document, Image, Result, Value, container, paths, trace};
use ctr_docker::{Status, mounts};
use ctr_store::{Digest, Entry, Reference, Store, blobs_of, trees_of};
use std::collections::BTreeSet;

/// An image by its manifest.
pub(crate) struct Used {
    pub(crate) entry: Entry,
    pub(crate) references: Vec<Reference>,
    pub(crate) created: Value,
    pub(crate) blobs: BTreeSet<Digest>,
    pub(crate) trees: BTreeSet<Digest>,
}

/// A container.
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) doc: Document,
    pub(crate) status: Status,
    pub(crate) manifest: Option<String>,
    pub(crate) trees: BTreeSet<Digest>,
    pub(crate) volumes: BTreeSet<String>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Users {
    pub(crate) images: Vec<Used>,
    pub(crate) containers: Vec<User>,
}

impl Users {
    /// Reads the index and all records; what does not read is said on stderr, and uses nothing that is known.
    pub(crate) fn read() -> Result<Self> {
        let mut users = Self::default();
        if paths::images().exists() {
            let store = Store::open()?;
            for entry in store.entries()? {
                users.image(&store, entry);
            }
        }
        for id in container::ids()? {
            match container::load(&id).and_then(|doc| user(&id, doc)) {
                Ok(user) => users.containers.push(user),
                // Removed meanwhile.
                Err(e) if e.code == Code::NotFound => {}
                Err(e) => trace::warn(&e.to_string()),
            }
        }
        users.containers.sort_by(|a, b| b.doc.str("created").cmp(&a.doc.str("created")));
        Ok(users)
    }

    fn image(&mut self, store: &Store, entry: Entry) {
        let reference = entry.reference().and_then(|reference| Reference::parse(reference).ok());
        if let Some(known) = self.images.iter_mut().find(|known| known.entry.digest() == entry.digest()) {
            known.references.extend(reference);
            return;
        }
        let descriptor = entry.plain_descriptor();
        let read = || Ok((store.image_of(None, &descriptor)?, blobs_of(store, &descriptor)?));
        let read: Result<(Image, Vec<(Digest, u64)>)> = read();
        match read {
            Ok((image, blobs)) => self.images.push(Used {
                references: reference.into_iter().collect(),
                created: image.config.get("created").cloned().unwrap_or_default(),
                blobs: blobs.into_iter().map(|(digest, _)| digest).collect(),
                trees: diff_ids(&image),
                entry,
            }),
            Err(e) => {
                let name = entry.reference().or(entry.id()).unwrap_or("<none>");
                trace::warn(&format!("image {name}: {}", e.message));
            }
        }
    }

    /// The containers that were made from an image.
    pub(crate) fn of<'a>(&'a self, image: &'a Used) -> impl Iterator<Item = &'a User> {
        self.containers.iter().filter(|user| user.manifest.as_deref() == image.entry.digest())
    }
}

fn user(id: &str, doc: Document) -> Result<User> {
    let image = doc.section::<Image>("image")?;
    let manifest = image.as_ref().and_then(|image| image.manifest["digest"].as_str()).map(str::to_owned);
    Ok(User {
        id: id.to_owned(),
        status: Status::of(&doc)?,
        manifest,
        trees: trees_of(&doc)?.into_iter().collect(),
        volumes: mounts(&doc).into_iter().filter_map(|mount| mount.volume).collect(),
        doc,
    })
}

fn diff_ids(image: &Image) -> BTreeSet<Digest> {
    image.layers.iter().filter_map(|layer| Digest::parse(&layer.diff_id).ok()).collect()
}
