//! A document's container gets its mounts: all of them, or none.

use crate::{
    entry::{self, Entry, Made},
    fill, image,
    word::{self, Wanted, What},
};
use ctr_core::{Code, Document, Done, Error, Image, Lock, Result, Rollback, Root, Value, container, json, trace};
use rustix::fs::{Mode, OFlags, open};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The tool's name, in its steps.
const TOOL: &str = "vol-mount";

/// Adds what is wanted, what the containers of `from` have, and a volume for each directory that the image says is one and that
/// nothing is mounted on.
///
/// # Errors
/// `invalid` for two mounts on one place; those of the sources.
pub fn add(doc: &mut Document, mut wanted: Vec<Wanted>, from: &[String]) -> Result<Done> {
    let image: Image = doc.need("image", "img-pull | img-unpack | overlay-mount")?;
    let id = doc.str("id").ok_or_else(|| {
        Error::new(Code::Invalid, "document has no container").hint("put overlay-mount before this tool")
    })?;
    let id = container::checked_id(id)?.to_owned();
    container::recorded(&id)?;
    let mut places = taken(doc);
    for one in &wanted {
        claim(&mut places, &one.target, &one.word)?;
    }
    let declared = declared(&image)?;
    if wanted.is_empty() && from.is_empty() && declared.iter().all(|target| places.contains_key(target)) {
        return Ok(Done::Print);
    }
    let mut layers = BTreeMap::new();
    for one in &wanted {
        if let What::Image(reference) = &one.what
            && !layers.contains_key(reference)
        {
            layers.insert(reference.clone(), image::layers(reference)?);
        }
    }

    let before = doc.clone();
    let mut rollback = Rollback::new();
    let mut fills = Vec::new();
    {
        let lock = if trace::dry_run() { None } else { Some(Lock::store()?) };
        let mut inherited = Vec::new();
        for word in from {
            // docker's: what is said here wins over what others have.
            let is_free = |mount: &Value| places.insert(destination(mount), word.clone()).is_none();
            inherited.extend(others(word)?.into_iter().filter(is_free));
        }
        wanted.extend(declared.into_iter().filter(|target| !places.contains_key(target)).map(Wanted::anonymous));
        let durable = !container::is_volatile(doc);
        let made = ready(&wanted, &layers, durable, lock.as_ref(), &mut fills);
        let (mut mounts, anonymous) = match made {
            Ok((mounts, made)) => {
                let anonymous: Vec<_> = made.iter().filter(|m| m.anonymous).map(|m| m.name.clone()).collect();
                // In the order of what is done: the record without them first, then they go.
                rollback.push(move || made.iter().try_for_each(Entry::remove_made));
                (mounts, anonymous)
            }
            Err((e, made)) => {
                drop(lock);
                for made in &made {
                    Entry::remove_made(made).unwrap_or_else(|e| trace::warn(&e.to_string()));
                }
                return Err(e);
            }
        };
        mounts.extend(inherited);
        // What is mounted beneath another comes after it.
        mounts.sort_by_key(|mount| destination(mount).split('/').count());
        let targets: Vec<_> = mounts.iter().map(|mount| mount["destination"].clone()).collect();
        append(doc, mounts)?;
        doc.push_step(TOOL, json!({"id": id, "mounts": targets, "anonymous": anonymous}));
        if lock.is_some() {
            // Before the lock is let go: from here on a removal sees who uses the volumes.
            let record = before.clone();
            rollback.push(move || save(&record));
            save(doc)?;
        }
    }
    entry::mount_volumes(ctr_vol::used_by(doc))?;
    for (name, target) in &fills {
        fill::fill(doc, name, target)?;
    }
    subpaths(&wanted)?;
    rollback.disarm();
    Ok(if trace::dry_run() { Done::Print } else { Done::Saved })
}

/// One that another tool of the pipe has begun is provisional until ns-spawn has completed it.
fn save(doc: &Document) -> Result<()> {
    if container::is_provisional(doc) { container::save_for_now(doc) } else { container::save(doc) }
}

type Ready = (Vec<Value>, Vec<Made>);

/// The entries; of a failure too the volumes that were made.
fn ready(
    wanted: &[Wanted],
    layers: &BTreeMap<String, Vec<PathBuf>>,
    durable: bool,
    lock: Option<&Lock>,
    fills: &mut Vec<(String, String)>,
) -> Result<Ready, (Error, Vec<Made>)> {
    let (mut mounts, mut all) = (Vec::new(), Vec::new());
    for one in wanted {
        let trees = match &one.what {
            What::Image(reference) => layers.get(reference).map(Vec::as_slice),
            _ => None,
        };
        match Entry::ready(one, trees, durable, lock) {
            Ok(entry) => {
                fills.extend(entry.fill.clone().map(|name| (name, entry.target().to_owned())));
                all.extend(entry.made);
                mounts.push(entry.mount);
            }
            Err(e) => return Err((e, all)),
        }
    }
    Ok((mounts, all))
}

/// Paths in volumes are there, now that these have their files.
fn subpaths(wanted: &[Wanted]) -> Result<()> {
    for one in wanted {
        let What::Volume { name: Some(name), subpath: Some(sub), .. } = &one.what else { continue };
        if trace::dry_run() {
            continue;
        }
        let root = open(ctr_vol::data(name), OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let found = root.map(Root::new).and_then(|root| root.open(sub, OFlags::PATH));
        if found.is_err() {
            let message = format!("cannot mount {}: volume {name} has no {}", one.word, sub.display());
            return Err(Error::new(Code::NotFound, message));
        }
    }
    Ok(())
}

fn destination(mount: &Value) -> String {
    mount["destination"].as_str().unwrap_or_default().to_owned()
}

/// The places of the mounts that the document has.
pub fn taken(doc: &Document) -> BTreeMap<String, String> {
    let mut places = BTreeMap::new();
    for mount in doc.mounts() {
        let place = destination(mount);
        places.insert(word::target(&place, &place).unwrap_or(place), "the document".to_owned());
    }
    places
}

fn claim(places: &mut BTreeMap<String, String>, target: &str, word: &str) -> Result<()> {
    match places.insert(target.to_owned(), word.to_owned()) {
        None => Ok(()),
        Some(other) => {
            Err(Error::new(Code::Invalid, format!("cannot mount {word}: {other} is mounted on {target} too")))
        }
    }
}

/// Most volumes that an image can declare: each is made under a lock that others wait for.
const MAX_DECLARED: usize = 100;

/// `Volumes` of the image's config: `{"/data": {}}`. What the kernel and ns-spawn fill is none of them.
fn declared(image: &Image) -> Result<Vec<String>> {
    let declared = image.config.get("config").and_then(|config| config.get("Volumes")).and_then(Value::as_object);
    let mut targets = BTreeSet::new();
    for place in declared.into_iter().flat_map(|map| map.keys()) {
        let target = word::target(&format!("volume {place:?} of the image"), place)?;
        if ["/dev", "/proc", "/sys"].iter().any(|dir| Path::new(&target).starts_with(dir)) {
            trace::warn(&format!("the image says that {target} is a volume: it is not"));
            continue;
        }
        targets.insert(target);
    }
    if targets.len() > MAX_DECLARED {
        return Err(Error::new(Code::Limit, format!("the image declares more than {MAX_DECLARED} volumes")));
    }
    Ok(targets.into_iter().collect())
}

/// What another container has of volumes and paths of the host, by `CONTAINER[:ro|rw]`.
fn others(word: &str) -> Result<Vec<Value>> {
    let (name, readonly) = match word.rsplit_once(':') {
        Some((name, "ro")) => (name, true),
        Some((name, "rw" | "z" | "Z")) => (name, false),
        Some((_, mode)) => {
            return Err(Error::new(Code::Invalid, format!("--volumes-from {word}: ro or rw, not {mode:?}")));
        }
        None => (word, false),
    };
    let doc = container::recorded(&container::find(name)?)?;
    let users: Vec<_> = ctr_docker::mounts(&doc).into_iter().map(|mount| mount.destination).collect();
    let is_users = |mount: &&Value| users.contains(&destination(mount));
    let mut found: Vec<Value> = doc.mounts().iter().filter(is_users).cloned().collect();
    if readonly {
        for options in found.iter_mut().filter_map(|mount| mount["options"].as_array_mut()) {
            for word in ["ro", "rro"] {
                if !options.iter().any(|option| option == word) {
                    options.push(json!(word));
                }
            }
        }
    }
    Ok(found)
}

/// Puts mounts behind those of the document.
pub fn append(doc: &mut Document, mounts: Vec<Value>) -> Result<()> {
    let list = doc.object("spec")?.entry("mounts").or_insert_with(|| json!([]));
    let list = list.as_array_mut().ok_or_else(|| Error::new(Code::Invalid, "document: spec.mounts is no list"))?;
    list.extend(mounts);
    Ok(())
}
