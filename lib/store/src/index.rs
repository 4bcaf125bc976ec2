//! `index.json`: which references there are and which manifest each means.

use crate::{Digest, Reference, Store, image};
use ctr_core::{Cannot, Code, Error, Lock, Map, Result, Value, files, json, trace};
use std::{fs, io::ErrorKind, path::PathBuf};

/// Annotation with the full reference (image-spec, annotations.md).
pub const ANNOTATION_REF: &str = "org.opencontainers.image.ref.name";
/// Annotation with the digest by which the registry served it: of the index where the image came through one.
pub const ANNOTATION_SOURCE: &str = "ctr.source.digest";
/// Annotation with the digest of the image config: docker's image ID.
pub const ANNOTATION_ID: &str = "ctr.image.id";

/// One entry of the index: a descriptor of a manifest, with a reference or dangling.
#[derive(Clone, Debug)]
pub struct Entry(pub(crate) Map<String, Value>);

impl Entry {
    /// The descriptor, annotations included.
    pub fn descriptor(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The descriptor without annotations: as the document carries it.
    pub fn plain_descriptor(&self) -> Value {
        let mut map = self.0.clone();
        map.shift_remove("annotations");
        Value::Object(map)
    }

    /// The digest of the manifest.
    pub fn digest(&self) -> Option<&str> {
        self.0.get("digest")?.as_str()
    }

    /// The full reference; `None` where the image is dangling.
    pub fn reference(&self) -> Option<&str> {
        self.annotation(ANNOTATION_REF)
    }

    /// The image ID.
    pub fn id(&self) -> Option<&str> {
        self.annotation(ANNOTATION_ID)
    }

    /// The digest by which the registry served it.
    pub fn source(&self) -> Option<&str> {
        self.annotation(ANNOTATION_SOURCE).or_else(|| self.digest())
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.0.get("annotations")?.get(key)?.as_str()
    }

    fn annotate(&mut self, key: &str, value: Option<&str>) {
        let annotations = self.0.entry("annotations").or_insert_with(|| json!({}));
        if let Some(map) = annotations.as_object_mut() {
            match value {
                Some(value) => {
                    map.insert(key.to_owned(), json!(value));
                }
                None => {
                    map.shift_remove(key);
                }
            }
        }
    }

    /// Whether `wanted` means this entry: by its reference, or by digest within the same repository.
    fn answers(&self, wanted: &Reference) -> bool {
        let Some(digest) = &wanted.digest else {
            return self.reference() == Some(wanted.to_string().as_str());
        };
        let digest = Some(digest.as_str());
        (self.digest() == digest || self.source() == digest)
            && self.reference().and_then(|r| Reference::parse(r).ok()).is_some_and(|r| r.name() == wanted.name())
    }
}

impl Store {
    fn index_path(&self) -> PathBuf {
        self.images().join("index.json")
    }

    /// All entries, in the order of the index.
    ///
    /// # Errors
    /// `corrupt` where `index.json` does not parse.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let path = self.index_path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e).cannot(|| format!("read {}", path.display())),
        };
        let corrupt = |why: String| Error::new(Code::Corrupt, format!("{}: {why}", path.display()));
        let mut index: Value = serde_json::from_slice(&text).map_err(|e| corrupt(e.to_string()))?;
        let Some(Value::Array(list)) = index.get_mut("manifests").map(Value::take) else {
            return Err(corrupt("no list of manifests".to_owned()));
        };
        list.into_iter()
            .map(|v| match v {
                Value::Object(map) => Ok(Entry(map)),
                _ => Err(corrupt("an entry is not a descriptor".to_owned())),
            })
            .collect()
    }

    /// Replaces the index; the caller holds [`Lock::store`] since it read the entries.
    pub(crate) fn write_entries(&self, entries: &[Entry], _lock: &Lock) -> Result<()> {
        let manifests: Vec<Value> = entries.iter().map(Entry::descriptor).collect();
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        });
        files::replace(&self.index_path(), index.to_string().as_bytes(), true)
    }

    /// The entry that a reference means.
    pub fn entry(&self, wanted: &Reference) -> Result<Option<Entry>> {
        Ok(self.entries()?.into_iter().find(|e| e.answers(wanted)))
    }

    /// The descriptor of the manifest that a reference means, without annotations.
    pub fn descriptor(&self, wanted: &Reference) -> Result<Option<Value>> {
        Ok(self.entry(wanted)?.map(|e| e.plain_descriptor()))
    }

    /// The entry that `word` means: a reference, an image ID, or a prefix of one that no other image has.
    ///
    /// # Errors
    /// `not-found`, or `invalid` where a prefix is ambiguous.
    pub fn find(&self, word: &str) -> Result<Entry> {
        let named = match Reference::parse(word) {
            Ok(wanted) => self.entry(&wanted)?,
            Err(_) => None,
        };
        let found = if named.is_some() { named } else { self.by_id(word)? };
        found.ok_or_else(|| Error::new(Code::NotFound, format!("no image {word}")))
    }

    /// The entry whose image ID, or digest, is `word` or begins with it, with or without `sha256:`.
    ///
    /// # Errors
    /// `invalid` where several images have such ones.
    pub fn by_id(&self, word: &str) -> Result<Option<Entry>> {
        let hex = word.strip_prefix("sha256:").unwrap_or(word);
        if hex.is_empty() || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let begins = |d: &str| d.strip_prefix("sha256:").is_some_and(|h| h.starts_with(hex));
        let mut found = self.entries()?;
        found.retain(|e| [e.id(), e.digest()].into_iter().flatten().any(begins));
        if found.iter().any(|e| e.id() != found[0].id()) {
            return Err(Error::new(Code::Invalid, format!("image {word} is ambiguous: several images begin so")));
        }
        Ok(found.into_iter().next())
    }

    /// Makes `reference` mean the manifest of `descriptor`; `source` is the digest by which a registry served it.
    /// An image that loses its last reference by it stays, dangling.
    ///
    /// Gives the blobs of the image that are not in the store (a removal at the same time took them, say):
    /// then nothing was written; fetch them and call again.
    pub fn tag(&self, reference: &Reference, descriptor: &Value, source: Option<&Digest>) -> Result<Vec<Digest>> {
        self.enter(Some(reference), descriptor, source)
    }

    /// Keeps the image of `descriptor` without a reference: dangling, unless it has one already. Else as [`Store::tag`].
    pub fn keep(&self, descriptor: &Value) -> Result<Vec<Digest>> {
        self.enter(None, descriptor, None)
    }

    fn enter(&self, reference: Option<&Reference>, descriptor: &Value, source: Option<&Digest>) -> Result<Vec<Digest>> {
        let name = reference.map(Reference::to_string);
        let what = || json!({"ref": name, "digest": descriptor["digest"]});
        if trace::dry_run() {
            return trace::act("tag", what, || Ok(Vec::new()));
        }
        let lock = Lock::store()?;
        let missing = image::missing_blobs(self, descriptor)?;
        if !missing.is_empty() {
            return Ok(missing);
        }
        let id = image::config_digest(self, descriptor)?;
        let mut entry = Entry(descriptor.as_object().cloned().unwrap_or_default());
        entry.0.shift_remove("annotations");
        entry.annotate(ANNOTATION_REF, name.as_deref());
        entry.annotate(ANNOTATION_ID, Some(id.as_str()));
        if let Some(source) = source.filter(|s| Some(s.as_str()) != entry.digest()) {
            entry.annotate(ANNOTATION_SOURCE, Some(source.as_str()));
        }
        let mut entries = self.entries()?;
        let same = |e: &Entry| e.digest() == entry.digest();
        if entries.iter().any(|e| e.0 == entry.0 || (name.is_none() && same(e))) {
            return Ok(missing);
        }
        // No more dangling if it was; and what the reference meant before dangles if nothing else names it.
        entries.retain(|e| e.reference().is_some() || !same(e));
        let before = name.as_deref().and_then(|name| entries.iter().position(|e| e.reference() == Some(name)));
        if let Some(mut old) = before.map(|at| entries.remove(at))
            && !same(&old)
            && !entries.iter().any(|e| e.digest() == old.digest())
        {
            old.annotate(ANNOTATION_REF, None);
            entries.push(old);
        }
        entries.push(entry);
        trace::act("tag", what, || self.write_entries(&entries, &lock))?;
        Ok(missing)
    }
}
