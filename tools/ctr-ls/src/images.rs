//! What the store says of the images that containers were made from.

use ctr_core::{Code, Image, Result, Value, paths, trace};
use ctr_store::{Entry, Reference, Store};

/// The store, if there is one that reads: containers are listed without it too.
pub(crate) struct Images(Option<(Store, Vec<Entry>)>);

/// An image whose descendants are looked for.
pub(crate) struct Ancestor {
    id: Option<String>,
    layers: Vec<String>,
}

impl Images {
    /// Opens the store, and makes none.
    pub fn open() -> Self {
        if !paths::images().exists() {
            return Self(None);
        }
        let read = || {
            let store = Store::open()?;
            let entries = store.entries()?;
            Ok((store, entries))
        };
        let read: Result<_> = read();
        Self(read.inspect_err(|e| trace::warn(&e.to_string())).ok())
    }

    /// The name by which docker shows an image: its reference, or its id where the reference means another one by now.
    pub fn name_of(&self, image: &Image) -> String {
        let moved = self.0.as_ref().is_some_and(|(_, entries)| {
            let fixed = Reference::parse(&image.reference).is_ok_and(|r| r.digest.is_some());
            !fixed && !entries.iter().any(|e| e.reference() == Some(&image.reference) && is(e, image))
        });
        match &image.id {
            Some(id) if moved => id.clone(),
            _ => ctr_docker::familiar(&image.reference),
        }
    }

    /// The image that `word` names: one of the store, or one that only containers have still.
    ///
    /// # Errors
    /// `invalid` where it is ambiguous; `corrupt` where the image does not read.
    pub fn ancestor<'a>(&self, word: &str, used: impl Iterator<Item = &'a Image>) -> Result<Option<Ancestor>> {
        if let Some((store, _)) = &self.0 {
            match store.find(word) {
                Ok(entry) => return store.image_of(None, &entry.plain_descriptor()).map(|i| Some(Ancestor::of(&i))),
                Err(e) if e.code == Code::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        let reference = Reference::parse(word).map(|r| r.to_string()).unwrap_or_default();
        let digits = word.strip_prefix("sha256:").unwrap_or(word);
        let begins = |digest: &str| {
            let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
            !digits.is_empty() && hex.starts_with(digits)
        };
        let means = |image: &&Image| {
            let digest = image.manifest.get("digest").and_then(Value::as_str);
            image.reference == reference || [image.id.as_deref(), digest].into_iter().flatten().any(begins)
        };
        Ok(used.into_iter().find(means).map(Ancestor::of))
    }
}

fn is(entry: &Entry, image: &Image) -> bool {
    let digest = image.manifest.get("digest").and_then(Value::as_str);
    (entry.id().is_some() && entry.id() == image.id.as_deref()) || (digest.is_some() && entry.digest() == digest)
}

impl Ancestor {
    fn of(image: &Image) -> Self {
        Self { id: image.id.clone(), layers: image.layers.iter().map(|l| l.diff_id.clone()).collect() }
    }

    /// Whether `image` is it, or has all its layers and more on top.
    pub fn matches(&self, image: &Image) -> bool {
        let below = image.layers.iter().map(|l| &l.diff_id).zip(&self.layers).take_while(|(a, b)| a == b).count();
        let built_on = below == self.layers.len() && below > 0 && image.layers.len() > below;
        built_on || (self.id.is_some() && self.id == image.id)
    }
}
