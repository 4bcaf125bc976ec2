//! The pull: what the reference means, what of it is missing, fetch that, name it.

use crate::{Args, Policy, content::Source, image::Blobs, layers, progress::Progress, resolve};
use ctr_core::{Code, Document, Done, Error, Image, Result, Tool, ident, json, trace};
use ctr_registry::{Options, Session};
use ctr_store::{Digest, Entry, MAX_CONFIG, Platform, Reference, Store};
use std::{collections::HashSet, io::ErrorKind, sync::Arc};

/// How often blobs are fetched again that a removal at the same time takes away.
const MAX_ROUNDS: usize = 5;
/// As many digits as docker shows of an id. With fewer a word of the letters a to f is too likely meant as a name.
const SHORT_ID: usize = 12;

/// Adds the image that `word` means to the store and to `doc`.
pub(crate) fn run(args: &Args, word: &str, doc: &mut Document) -> Result<Done> {
    let store = Store::open()?;
    let platform = args.platform.as_ref();
    let reference = match Reference::parse(word) {
        // No registry knows ids; and what an id means cannot have changed there.
        Err(_) if is_id(word) => {
            let image = by_id(&store, word, platform)?;
            return finish(
                doc,
                &image.ok_or_else(|| Error::new(Code::NotFound, format!("image {word} is not in the store")))?,
            );
        }
        other => other?,
    };
    if args.pull != Policy::Always {
        let found = match stored(&store, &reference, platform) {
            Ok(None) if word.len() >= SHORT_ID => by_id(&store, word, platform),
            other => other,
        };
        match found {
            Ok(Some(image)) => return finish(doc, &image),
            Ok(None) if args.pull == Policy::Never => {
                return Err(Error::new(Code::NotFound, format!("image {word} is not in the store"))
                    .hint(format!("'ctr pull {word}' or 'img-pull {word}' fetches it")));
            }
            Err(e) if args.pull == Policy::Never => return Err(e),
            // Not there, or not whole: fetched.
            _ => {}
        }
    }
    let progress = Arc::new(Progress::new(args.style()));
    let result = fetch(args, store, &reference, doc, &progress);
    progress.close();
    match result? {
        Some(image) => {
            ctr_store::emit("pull", None, Some(&image.reference));
            finish(doc, &image)
        }
        // The reader of --stream has gone away: nobody is there for the result.
        None => Ok(Done::Exit(141)),
    }
}

fn finish(doc: &mut Document, image: &Image) -> Result<Done> {
    doc.set("image", image)?;
    doc.push_step(Args::NAME, json!({}));
    Ok(Done::Print)
}

/// Whether `word` can be nothing but an image ID, as a document without a reference has it, or the beginning of one.
fn is_id(word: &str) -> bool {
    word.starts_with("sha256:") || ident::is_id(word)
}

/// The image that the store has under `reference`, if it is whole and for `platform`.
fn stored(store: &Store, reference: &Reference, platform: Option<&Platform>) -> Result<Option<Image>> {
    match store.image(reference)? {
        Some(image) => usable(store, image, platform),
        None => Ok(None),
    }
}

/// The image whose ID `word` is, or the beginning of, if the store has it whole and for `platform`.
fn by_id(store: &Store, word: &str, platform: Option<&Platform>) -> Result<Option<Image>> {
    match store.by_id(word)? {
        Some(entry) => usable(store, store.image_of(None, &entry.plain_descriptor())?, platform),
        None => Ok(None),
    }
}

fn usable(store: &Store, image: Image, platform: Option<&Platform>) -> Result<Option<Image>> {
    for layer in &image.layers {
        // An unpacked tree does as well as the blob.
        if layer.path.is_none() && !store.has_blob(&Digest::parse(&layer.digest)?, layer.size) {
            return Ok(None);
        }
    }
    let fits = match (platform, Platform::of(&image.config)) {
        (Some(wanted), Some(is)) => wanted.rank(&is).is_some(),
        _ => true,
    };
    Ok(fits.then_some(image))
}

/// The image that the store has, if the registry says that `reference` still means it.
fn unchanged(
    source: &Source,
    entry: &Entry,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<Option<Image>> {
    let Ok(Some(image)) = stored(&source.store, reference, platform) else { return Ok(None) };
    let indexed = entry.source() != entry.digest();
    let wanted = platform.cloned().unwrap_or_else(Platform::host);
    // Of an index, another platform's image may have been chosen before.
    if indexed && Platform::of(&image.config).and_then(|is| wanted.rank(&is)) != Some(0) {
        return Ok(None);
    }
    // Any failure will come again, with the registry's words on it, when the manifest is asked for.
    let Ok(Some(now)) = source.session.manifest_digest(reference) else { return Ok(None) };
    if entry.source() != Some(now.as_str()) {
        return Ok(None);
    }
    let named = source.store.tag(reference, &image.manifest, Some(&now))?;
    Ok(named.is_empty().then_some(image))
}

/// Gives the image; `None` where the reader of interim documents has gone away.
fn fetch(
    args: &Args,
    store: Store,
    reference: &Reference,
    doc: &Document,
    progress: &Arc<Progress>,
) -> Result<Option<Image>> {
    let notice = progress.clone();
    let options = Options {
        plain_http: args.plain_http,
        cacert: args.cacert.clone(),
        credentials: None,
        notice: Some(Arc::new(move |text| notice.notice(text))),
    };
    let session = Session::open(&reference.registry, options)?;
    let source = Arc::new(Source { session, store, repository: reference.repository.clone() });
    if let Some(entry) = source.store.entry(reference)?
        && let Some(image) = unchanged(&source, &entry, reference, args.platform.as_ref())?
    {
        return Ok(Some(image));
    }
    let platform = args.platform.clone().unwrap_or_else(Platform::host);
    let resolved = resolve::resolve(&source, reference, &platform)?;
    let name = reference.to_string();
    let blobs = Blobs::of(&name, &resolved.manifest)?;
    let config = config(&source, &blobs)?;
    let id = &blobs.config.digest;
    let image = source.store.section(Some(reference), &resolved.descriptor, id, &config, &blobs.layers);
    let image = image.map_err(|e| Error { message: format!("{name}: {}", e.message), ..e })?;
    check_platform(args, &name, &platform, &image)?;
    let mut interim = Interim::new(args.stream, doc, &image);
    for _ in 0..MAX_ROUNDS {
        source.put(&resolved.manifest.digest, &resolved.manifest.bytes)?;
        source.put(&blobs.config.digest, &config)?;
        let familiar = reference.familiar_name();
        let fetched =
            layers::fetch(&source, &familiar, &blobs.layers, args.jobs.into(), progress, |done| interim.print(done));
        if interim.unread {
            return Ok(None);
        }
        fetched?;
        let missing = source.store.tag(reference, &resolved.descriptor, Some(&resolved.source))?;
        if missing.is_empty() {
            return Ok(Some(image));
        }
    }
    Err(Error::new(Code::Busy, format!("{reference}: its blobs are removed as fast as they are fetched")))
}

/// The image config, from the store if it is there.
fn config(source: &Source, blobs: &Blobs) -> Result<Vec<u8>> {
    let config = &blobs.config;
    if source.store.has_blob(&config.digest, config.size)
        && let Ok(bytes) = source.store.read_blob(&config.digest, MAX_CONFIG)
    {
        return Ok(bytes);
    }
    source.session.small_blob(&source.repository, &config.digest, config.size)
}

/// An image of another platform is an error where one was asked for, else worth a word.
fn check_platform(args: &Args, name: &str, wanted: &Platform, image: &Image) -> Result<()> {
    let Some(is) = Platform::of(&image.config) else { return Ok(()) };
    if wanted.rank(&is).is_some() {
        return Ok(());
    }
    if args.platform.is_some() {
        return Err(Error::new(Code::NotFound, format!("{name} has no image for {wanted}; it has {is}")));
    }
    trace::warn(&format!("{name} is for {is}, this machine is {wanted}"));
    Ok(())
}

/// Interim documents (`--stream`): the image with the layers that are complete so far.
struct Interim<'a> {
    wanted: bool,
    doc: &'a Document,
    image: &'a Image,
    complete: HashSet<String>,
    printed: bool,
    /// Set when the reader has gone away.
    unread: bool,
}

impl<'a> Interim<'a> {
    fn new(wanted: bool, doc: &'a Document, image: &'a Image) -> Self {
        Self { wanted, doc, image, complete: HashSet::new(), printed: false, unread: false }
    }

    fn print(&mut self, done: &[Digest]) -> Result<()> {
        let before = self.complete.len();
        self.complete.extend(done.iter().map(ToString::to_string));
        let news = self.complete.len() > before || !self.printed;
        if !self.wanted || !news || trace::dry_run() {
            return Ok(());
        }
        self.printed = true;
        let mut image = self.image.clone();
        image.layers.retain(|layer| self.complete.contains(&layer.digest));
        let mut doc = self.doc.clone();
        doc.set("image", &image)?;
        doc.print_partial().map_err(|e| {
            self.unread = e.kind() == ErrorKind::BrokenPipe;
            Error::io("write to stdout", &e)
        })
    }
}
