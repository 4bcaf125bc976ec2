//! From flags, image config and document to a complete OCI runtime-spec.
//!
//! What the document's `spec` has already is kept, with every key nobody here knows: flags first, then the
//! document, then the default. A spec that has a `process` was completed before; of it only what a flag names changes.
//! It is built as JSON, in the order of the specification, for that is what is recorded and printed;
//! [`read`] turns it into the types that `run` takes.

mod beside;
mod capabilities;
mod devices;
mod env;
mod etc;
mod flags;
mod mounts;
mod namespaces;
mod part;
mod process;
mod rlimits;
mod security;
mod sysctl;
mod user;
mod version;

pub use beside::beside;
pub use capabilities::DEFAULT as DEFAULT_CAPABILITIES;
pub use flags::Flags;
pub use namespaces::rejoin;
pub use user::{Accounts, User};

use capabilities::Set;
use ctr_core::{Code, Error, Map, Result, Value, container, ident, json};
use namespaces::{Mode, Namespaces};
use oci_spec::runtime::Spec;
use serde::Deserialize;
use std::path::Path;

/// The annotation that asks for an init as PID 1.
pub const INIT: &str = "ctr.init";
/// The annotation that keeps what `--add-host` said, with blanks between: the specification has no place for it.
pub const ADD_HOST: &str = "ctr.add-host";
/// The same of `--group-add`: the specification has only what it came to, among the image's groups.
pub const GROUP_ADD: &str = "ctr.group-add";
/// The annotation that image-spec (conversion.md) gives the image's StopSignal.
pub const STOP_SIGNAL: &str = "org.opencontainers.image.stopSignal";

/// What a spec is made from beside the flags.
pub struct Source<'a> {
    /// The container's id; `None` while there is none.
    pub id: Option<&'a str>,
    /// The mounted root, absolute.
    pub rootfs: &'a Path,
    /// It is mounted read-only.
    pub readonly: bool,
    /// `config` of the image config (image-spec, config.md).
    pub image: Option<&'a Value>,
    /// Section `net` of the document: a CNI result.
    pub net: Option<&'a Value>,
    /// Where the container's own files lie (/etc/hosts); `None`: it gets none.
    pub files: Option<&'a Path>,
}

/// Completes `spec` in place.
pub fn complete(spec: &mut Map<String, Value>, flags: &Flags, source: &Source<'_>) -> Result<()> {
    let complete = spec.contains_key("process");
    rejoin(spec)?;
    let namespaces = Namespaces::new(spec, complete, flags)?;
    let security = security::Security::parse(&flags.security_opt)?;
    // A user namespace of its own has every capability, in it.
    let available = if namespaces.of("user") == &Mode::New { Set::ALL } else { Set::own() };
    let hostname = hostname(spec, flags, source, &namespaces)?;

    let root = part::object(spec, "root")?;
    let readonly = flags.read_only || source.readonly || root.get("readonly") == Some(&json!(true));
    root.insert("path".to_owned(), json!(source.rootfs.to_string_lossy()));
    root.insert("readonly".to_owned(), json!(readonly));

    let process = part::object(spec, "process")?;
    process::complete(process, flags, source, hostname.as_deref(), available)?;
    if let Some(on) = security.no_new_privileges {
        process.insert("noNewPrivileges".to_owned(), json!(on));
    }
    let bounding = security::bounding_of(process);

    match (namespaces.of("uts"), &hostname) {
        (Mode::New, Some(name)) => {
            spec.insert("hostname".to_owned(), json!(name));
        }
        _ => {
            spec.shift_remove("hostname");
        }
    }
    mounts::complete(spec, flags, &namespaces, complete)?;
    if let Some(dir) = source.files {
        let mounts = part::list(spec, "mounts")?;
        etc::complete(mounts, dir, flags, &namespaces, hostname.as_deref(), readonly, source.net)?;
    }
    annotations(spec, flags, source)?;
    namespaces.annotate(spec)?;

    let linux = part::object(spec, "linux")?;
    namespaces.write(linux, flags)?;
    sysctl::complete(part::object(linux, "sysctl")?, flags, &namespaces)?;
    devices::complete(linux, flags)?;
    mounts::protect(linux, flags.privileged || security.system_paths_unconfined, complete);
    security.seccomp(linux, flags, &bounding)?;
    version::set(spec);
    Ok(())
}

/// `spec` in its types.
///
/// # Errors
/// `invalid`, naming the field, where it does not have the specification's form.
pub fn read(spec: &Value) -> Result<Spec> {
    Spec::deserialize(spec).map_err(|e| Error::new(Code::Invalid, format!("document: section spec: {e}")))
}

/// The name the container will have: the caller's where it shares the UTS namespace.
fn hostname(
    spec: &Map<String, Value>,
    flags: &Flags,
    source: &Source<'_>,
    namespaces: &Namespaces,
) -> Result<Option<String>> {
    if namespaces.of("uts") != &Mode::New {
        if flags.hostname.is_some() {
            return Err(Error::new(Code::Invalid, "a host name needs a UTS namespace of its own"));
        }
        let host = rustix::system::uname();
        let shared = namespaces.of("uts") == &Mode::Host;
        return Ok(shared.then(|| host.nodename().to_string_lossy().into_owned()));
    }
    let theirs = namespaces.owner("network").map(container::recorded).transpose()?;
    let theirs = theirs.as_ref().and_then(|doc| doc.get("spec")?.get("hostname")?.as_str());
    // As docker has it: who is on the host's network is called as that is.
    let host = (namespaces.of("network") == &Mode::Host).then(rustix::system::uname);
    let host = host.as_ref().and_then(|host| host.nodename().to_str().ok()).filter(|name| is_host_name(name));
    let own = spec.get("hostname").and_then(Value::as_str).or(theirs).or(host);
    let name = match (&flags.hostname, own, source.id) {
        (Some(name), ..) => name.as_str(),
        (None, Some(name), _) => name,
        (None, None, Some(id)) => ident::short(id),
        (None, None, None) => return Ok(None),
    };
    if !is_host_name(name) {
        return Err(Error::new(Code::Invalid, format!("invalid host name {name:?}"))
            .hint("letters, digits, '-', '.', '_', at most 64"));
    }
    Ok(Some(name.to_owned()))
}

/// sethostname(2) takes 64 bytes; blanks and control characters would be more than a name in /etc/hosts.
fn is_host_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !name.is_empty() && name.len() <= 64 && name.bytes().all(good)
}

/// What starting it again, or showing it, needs to know and the specification has no place for.
fn annotations(spec: &mut Map<String, Value>, flags: &Flags, source: &Source<'_>) -> Result<()> {
    let stop = flags.stop_signal.as_deref().or(part::string(source.image, "StopSignal"));
    if let Some(word) = &flags.stop_signal {
        container::parse_signal(word)?;
    }
    let words = |words: &[String]| Some(words.join(" ")).filter(|words| !words.is_empty());
    let said = [
        (INIT, flags.init.then(|| "true".to_owned())),
        (ADD_HOST, words(&flags.add_host)),
        (GROUP_ADD, words(&flags.group_add)),
    ];
    if stop.is_none() && said.iter().all(|(_, value)| value.is_none()) {
        return Ok(());
    }
    let annotations = part::object(spec, "annotations")?;
    for (key, value) in said {
        if let Some(value) = value {
            annotations.insert(key.to_owned(), json!(value));
        }
    }
    if let Some(word) = stop
        && (flags.stop_signal.is_some() || !annotations.contains_key(STOP_SIGNAL))
    {
        annotations.insert(STOP_SIGNAL.to_owned(), json!(word));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
