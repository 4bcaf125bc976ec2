//! Makes an image of a container: its image's layers, and one more of what it changed.

mod config;
mod still;
mod user;

use clap::Args;
use ctr_core::{
    Cannot, Code, Common, Document, Done, Error, Image, Result, Rootfs, Tool, Value, container, events, json, trace,
};
use ctr_layer::{Blob, Compression, Range, Rewrite, Upper, blob, mount_points, stack::Stack};
use ctr_store::{Digest, Reference, Store, change, check_image, created, epoch, media_type};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, openat},
};
use still::Still;

/// The arguments of ctr-commit(1).
#[derive(Args, Debug)]
pub struct CtrCommit {
    /// Name, id, or beginning of an id that no other container has; without it the document's container
    #[arg(value_name = "CONTAINER")]
    first: Option<String>,
    /// The name that the image gets; without it, and where it is empty, the image dangles
    #[arg(value_name = "REPO[:TAG]")]
    second: Option<String>,
    /// Who made the image
    #[arg(short, long, value_name = "TEXT")]
    author: Option<String>,
    /// The comment in the image's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Apply a Dockerfile instruction to the image's config
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// Pause the container while it is read: true or false
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true,
        default_missing_value = "true", action = clap::ArgAction::Set)]
    pause: bool,
    /// How the layer is compressed: gzip, zstd or none
    #[arg(long, value_name = "KIND", default_value_t)]
    compression: Compression,
}

impl Tool for CtrCommit {
    const NAME: &'static str = "ctr-commit";
    const ABOUT: &'static str = "Make an image of a container";

    fn reads_document(&self) -> bool {
        self.second.is_none()
    }

    fn add(&mut self, doc: &mut Document, common: &Common) -> Result<Done> {
        let (container, reference) = match (&self.first, &self.second) {
            (first, None) => (None, first),
            (first, second) => (first.as_deref(), second),
        };
        if container.is_some() && common.file.is_some() {
            return Err(Error::new(Code::Usage, "a container by its name and one by a document are one too many"));
        }
        let reference = reference.as_deref().filter(|word| !word.is_empty());
        let reference = reference.map(Reference::to_give).transpose()?;
        let source = match container {
            Some(word) => container::load(&container::find(word)?)?,
            None => doc.clone(),
        };
        let Some(image) = self.commit(&source, reference.as_ref())? else { return Ok(Done::Print) };
        // A new image begins a new document: the container goes on to be what its record says.
        *doc = Document::default();
        doc.set("image", &image)?;
        doc.push_step(Self::NAME, json!({}));
        Ok(Done::Print)
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        check_image(doc)
    }

    fn gc() -> Result<Vec<Value>> {
        ctr_store::gc()
    }
}

impl CtrCommit {
    /// Commits the container of `doc`; gives the new image, but under `--dry-run`.
    fn commit(&self, doc: &Document, reference: Option<&Reference>) -> Result<Option<Image>> {
        let id = doc.str("id").ok_or_else(|| {
            Error::new(Code::Invalid, "document has no container").hint("put overlay-mount before this tool")
        })?;
        let id = container::checked_id(id)?;
        container::recorded(id)?;
        let image: Image = doc.need("image", "img-unpack")?;
        let mut config = config::of(doc, &image)?;
        change::apply_all(&mut config, &self.changes)?;
        let epoch = epoch()?;
        let what = || json!({"container": id, "ref": reference.map(Reference::to_string)});
        if trace::dry_run() {
            return trace::act("commit", what, || Ok(None));
        }
        let store = Store::open()?;
        has_layers(&store, &image)?;
        let spools = store.spools()?;
        let (changed, layer) = trace::act("commit", what, || {
            let still = if self.pause { Still::hold(id)? } else { Still::default() };
            let read = self.layer(doc, &image, id, epoch, &spools)?;
            // A removal that came meanwhile has left half of what was read.
            container::recorded(id)?;
            still.end()?;
            Ok(Some(read))
        })?
        .ok_or_else(|| Error::new(Code::Internal, "nothing was read"))?;
        let mut layers: Vec<Value> = image.layers.iter().map(descriptor).collect();
        if changed {
            let (digest, size) = (layer.file.digest().as_str(), layer.file.size());
            layers.push(json!({"mediaType": layer.media_type, "digest": digest, "size": size}));
        }
        let new = changed.then_some(&layer.diff_id);
        let config = self.config(doc, &image, config, new, &created(epoch))?;
        let files = if changed { vec![layer.file] } else { Vec::new() };
        let made = store.put_image(&spools, reference, config.to_string().as_bytes(), &layers, files)?;
        let attributes = json!({
            "comment": self.message.as_deref().unwrap_or_default(),
            "imageID": made.id,
            "imageRef": reference.map(Reference::to_string).unwrap_or_default(),
        });
        events::emit("commit", doc, &attributes);
        Ok(Some(made))
    }

    /// The writable layer as a blob; gives whether there is anything in it.
    fn layer(
        &self,
        doc: &Document,
        image: &Image,
        id: &str,
        epoch: Option<i64>,
        spools: &ctr_store::Spools,
    ) -> Result<(bool, Blob)> {
        let linux = doc.get("spec").and_then(|spec| spec.get("linux"));
        let rewrite = Rewrite {
            latest: epoch,
            users: ranges(linux.and_then(|linux| linux.get("uidMappings"))),
            groups: ranges(linux.and_then(|linux| linux.get("gidMappings"))),
        };
        let stack = Stack::open(image)?;
        let upper = Upper { stack: &stack, points: &mount_points(doc.mounts()), merged: &|| ctr_rootfs::mounted(doc) };
        let tree = writable(&container::recorded(id)?)?;
        let packed = blob(spools, self.compression, |out| upper.pack(tree, rewrite, out))?;
        stack.check()?;
        Ok(packed)
    }

    /// The new image's config (image-spec, config.md): the old one's with what is new, `layer` if there is one.
    fn config(
        &self,
        doc: &Document,
        image: &Image,
        config: ctr_core::Map<String, Value>,
        layer: Option<&Digest>,
        created: &str,
    ) -> Result<Value> {
        let mut all = image.config_object()?.clone();
        // What docker once noted there is about how the old image was made.
        for key in ["container", "container_config"] {
            all.shift_remove(key);
        }
        let mut put = |key: &str, value: Value| drop(all.insert(key.to_owned(), value));
        put("created", json!(created));
        if let Some(author) = &self.author {
            put("author", json!(author));
        }
        put("config", Value::Object(config));
        let ids = image.layers.iter().map(|layer| layer.diff_id.as_str()).chain(layer.map(Digest::as_str));
        put("rootfs", json!({"type": "layers", "diff_ids": ids.collect::<Vec<_>>()}));
        let mut history = image.config["history"].as_array().cloned().unwrap_or_default();
        // Readers count on an entry for each layer.
        let told = history.iter().filter(|entry| entry["empty_layer"] != json!(true)).count();
        history.extend((told..image.layers.len()).map(|_| json!({})));
        let mut entry = json!({"created": created, "created_by": config::command_line(doc)});
        for (key, text) in [("author", &self.author), ("comment", &self.message)] {
            if let Some(text) = text {
                entry[key] = json!(text);
            }
        }
        if layer.is_none() {
            entry["empty_layer"] = json!(true);
        }
        history.push(entry);
        put("history", json!(history));
        Ok(Value::Object(all))
    }
}

/// Holds the container's writable layer: where the record says that it is, which is ours, and not where any document does.
fn writable(record: &Document) -> Result<OwnedFd> {
    let rootfs: Rootfs = record.need("rootfs", "overlay-mount")?;
    ctr_rootfs::mount_writable(record)?;
    let path = rootfs.upper.unwrap_or_default();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, &path, flags, Mode::empty()).cannot(|| format!("open the writable layer {path}"))
}

/// The new manifest names the old layers' blobs: they must be there.
fn has_layers(store: &Store, image: &Image) -> Result<()> {
    for layer in &image.layers {
        if !store.has_blob(&Digest::parse(&layer.digest)?, layer.size) {
            let message = format!("layer {} of image {} is not in the store", layer.digest, image.reference);
            return Err(Error::new(Code::NotFound, message).hint(
                "a container keeps the files of an image that is removed, not what a registry takes: pull it again",
            ));
        }
    }
    Ok(())
}

fn descriptor(layer: &ctr_core::Layer) -> Value {
    json!({"mediaType": media_type::oci_layer(&layer.media_type), "digest": layer.digest, "size": layer.size})
}

/// Mappings of a user namespace, as a runtime-spec has them.
fn ranges(maps: Option<&Value>) -> Vec<Range> {
    let number = |map: &Value, key: &str| map[key].as_u64().and_then(|number| u32::try_from(number).ok());
    let range = |map| {
        Some(Range {
            outside: number(map, "hostID")?,
            inside: number(map, "containerID")?,
            count: number(map, "size")?,
        })
    };
    maps.and_then(Value::as_array).into_iter().flatten().filter_map(range).collect()
}
