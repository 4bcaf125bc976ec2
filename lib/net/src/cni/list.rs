//! The plugins of a network of driver `cni`, called one after the other (SPEC.md, sections 1 to 4). They are the machine's own
//! programs; what they are given is of the network's record, never of a document.
//!
//! `GC` and `STATUS` came with version 1.1.0: a plugin is asked so where its list is of that version and it says that it speaks it.

use super::Record;
use crate::Network;
use ctr_core::{Cannot, Code, Error, Failures, Lock, Map, Result, Value, json, paths, trace};
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where plugins are: Debian's place, and that of their own releases.
const PATH: &str = "/usr/lib/cni:/opt/cni/bin";
/// The versions whose results are read.
const VERSIONS: [&str; 3] = ["0.4.0", "1.0.0", "1.1.0"];
/// That which has `GC` and `STATUS`.
const LATEST: &str = "1.1.0";
/// Most bytes of a list.
const MAX: u64 = 1 << 20;

/// Reads a configuration list, or a configuration of one plugin, from a file.
///
/// # Errors
/// `not-found`; `invalid` for what is none; `unsupported` for another version.
pub fn read(path: &Path) -> Result<Value> {
    let what = || format!("read {}", path.display());
    let bad = |why: String| Error::new(Code::Invalid, format!("configuration list {}: {why}", path.display()));
    if fs::metadata(path).cannot(what)?.len() > MAX {
        return Err(bad(format!("longer than {MAX} bytes")));
    }
    let text = fs::read_to_string(path).cannot(what)?;
    let list: Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    let version = list["cniVersion"].as_str().unwrap_or("none");
    if !VERSIONS.contains(&version) {
        return Err(Error { code: Code::Unsupported, ..bad(format!("cniVersion {version:?}: not there")) }
            .hint(VERSIONS.join(", ")));
    }
    for key in ["disableCheck", "disableGC"] {
        if !matches!(list[key], Value::Null | Value::Bool(_)) {
            return Err(bad(format!("{key} is {}", list[key])));
        }
    }
    if list["name"].as_str().is_none_or(str::is_empty) {
        return Err(bad("it has no name".to_owned()));
    }
    let list = if list["plugins"].is_null() && list["type"].is_string() {
        json!({"cniVersion": version, "name": list["name"], "plugins": [list]})
    } else {
        list
    };
    let plugins = list["plugins"].as_array().filter(|plugins| !plugins.is_empty());
    for plugin in plugins.ok_or_else(|| bad("it has no plugins".to_owned()))? {
        let kind = kind(plugin);
        if kind.is_empty() || kind.starts_with('.') || kind.contains('/') {
            return Err(bad(format!("{kind:?} is no type of a plugin")));
        }
    }
    Ok(list)
}

/// What the plugins of `list` are given, each with what it has the capability for of `runtime`.
///
/// # Errors
/// `unsupported` for what none of them has.
pub fn plugins(list: &Value, runtime: &Map<String, Value>) -> Result<Vec<Value>> {
    let mut unheard: Vec<&String> = runtime.keys().collect();
    let mut all = Vec::new();
    for plugin in list["plugins"].as_array().into_iter().flatten() {
        let mut plugin = plugin.clone();
        let has = |key: &str| plugin["capabilities"][key] == true;
        let own: Map<String, Value> =
            runtime.iter().filter(|(key, _)| has(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        unheard.retain(|key| !own.contains_key(*key));
        plugin["cniVersion"] = list["cniVersion"].clone();
        plugin["name"] = list["name"].clone();
        if let Some(plugin) = plugin.as_object_mut() {
            plugin.shift_remove("capabilities");
            if !own.is_empty() {
                plugin.insert("runtimeConfig".to_owned(), Value::Object(own));
            }
        }
        all.push(plugin);
    }
    match unheard.first() {
        None => Ok(all),
        Some(key) => {
            let message = format!("no plugin of {} has the capability {key}", list["name"]);
            Err(Error::new(Code::Unsupported, message))
        }
    }
}

/// Where the plugins are, as the environment says it or else as usual.
pub fn path() -> String {
    env::var("CNI_PATH").ok().filter(|path| !path.is_empty()).unwrap_or_else(|| PATH.to_owned())
}

/// `STATUS` and `ADD` by each plugin; `record` gets the result. It is saved before the first `ADD`, so that a crash leaves what gc
/// finds.
///
/// # Errors
/// What the plugin that failed says.
pub fn attach(record: &mut Record) -> Result<()> {
    for plugin in &record.plugins {
        find(kind(plugin), &record.path)?;
    }
    for plugin in record.plugins.iter().filter(|plugin| speaks_latest(plugin, &record.path)) {
        ask(plugin, &record.path, "STATUS")?;
    }
    let _calls = hold(Lock::shared)?;
    record.save()?;
    let mut result = Value::Null;
    for plugin in &record.plugins {
        let given = call(record, plugin, "ADD", &result).and_then(|given| match given.filter(Value::is_object) {
            None if !trace::dry_run() => Err(failed(plugin, Code::Invalid, "it gave no result")),
            given => Ok(given.unwrap_or_default()),
        });
        match given {
            Ok(given) => result = given,
            Err(e) => {
                // Why the others cannot take back what there is of it is no news.
                let _ = delete(record);
                return Err(e);
            }
        }
    }
    record.result = result;
    record.save()
}

/// `CHECK` by each plugin: the first thing that one finds; `None`: all is as it was made.
///
/// # Errors
/// Those of running it.
pub fn check(record: &Record) -> Option<Error> {
    if record.disable_check {
        return None;
    }
    record.plugins.iter().find_map(|plugin| call(record, plugin, "CHECK", &record.result).err())
}

/// `DEL` by each plugin, last to first, and the record goes.
///
/// # Errors
/// The first failure, once all were called; then the record stays, for another try, unless there never was a result.
pub fn detach(record: &Record) -> Result<()> {
    let _calls = hold(Lock::shared)?;
    delete(record)
}

fn delete(record: &Record) -> Result<()> {
    let mut first = None;
    for plugin in record.plugins.iter().rev() {
        let done = call(record, plugin, "DEL", &record.result);
        first = first.or(done.err());
    }
    if first.is_none() || record.result.is_null() {
        super::remove(&record.key.id())?;
    }
    first.map_or(Ok(()), Err)
}

/// `GC` by the plugins of each of these networks: whatever they have kept for attachments that nobody has a record of goes. Those that
/// others have recorded for themselves by a list of the same name are not known here: its `disableGC` is for that.
///
/// # Errors
/// The last failure, once all were called; the earlier ones are printed.
pub fn gc(networks: &[Network]) -> Result<()> {
    let mut failures = Failures::default();
    for list in networks.iter().filter_map(|network| network.cni.as_ref()).filter(|list| list["disableGC"] != true) {
        failures.note(gc_of(list));
    }
    failures.end()
}

fn gc_of(list: &Value) -> Result<()> {
    let path = path();
    let mut plugins = plugins(list, &Map::new())?;
    plugins.retain(|plugin| speaks_latest(plugin, &path));
    if plugins.is_empty() {
        return Ok(());
    }
    // Neither an ADD nor a DEL may be under way (SPEC.md, section 2, "Lifecycle & Ordering").
    let _calls = hold(Lock::exclusive)?;
    let (mut valid, unread) = super::read_all()?;
    if let Some(e) = unread.into_iter().next() {
        // It may be of one that is valid.
        return Err(Error { message: format!("no GC of plugins of CNI: {}", e.message), ..e });
    }
    // Networks of ours may have one list.
    valid.retain(|record| record.plugins.iter().any(|plugin| plugin["name"] == list["name"]));
    let valid = valid.iter().map(|record| json!({"containerID": record.key.container_id, "ifname": record.key.ifname}));
    let valid = Value::Array(valid.collect());
    let mut failures = Failures::default();
    for mut plugin in plugins {
        plugin["cni.dev/valid-attachments"] = valid.clone();
        failures.note(ask(&plugin, &path, "GC"));
    }
    failures.end()
}

/// What is held while plugins are called: shared by `ADD` and `DEL`, alone by `GC`.
fn hold(lock: impl FnOnce(&Path) -> Result<Lock>) -> Result<Option<Lock>> {
    if trace::dry_run() { Ok(None) } else { lock(&paths::run().join("cni.lock")).map(Some) }
}

/// Whether it is asked for what the latest version has; one that is not there, or says no versions, is not.
fn speaks_latest(plugin: &Value, path: &str) -> bool {
    let says = || run(plugin, path, "VERSION", None, &json!({"cniVersion": LATEST})).ok().flatten();
    let versions = |said: &Value| said["supportedVersions"].as_array().cloned().unwrap_or_default();
    plugin["cniVersion"] == LATEST && says().is_some_and(|said| versions(&said).iter().any(|one| one == LATEST))
}

/// A call about no attachment.
fn ask(plugin: &Value, path: &str, command: &str) -> Result<()> {
    let what = || json!({"command": command, "plugin": kind(plugin)});
    trace::act("cni", what, || run(plugin, path, command, None, plugin).map(drop))
}

/// A call about an attachment.
fn call(record: &Record, plugin: &Value, command: &str, before: &Value) -> Result<Option<Value>> {
    let mut conf = plugin.clone();
    if !before.is_null() {
        conf["prevResult"] = before.clone();
    }
    let what = || json!({"command": command, "plugin": kind(plugin), "netns": record.netns});
    trace::act("cni", what, || run(plugin, &record.path, command, Some(record), &conf))
}

/// Runs a plugin; gives what it says.
fn run(plugin: &Value, path: &str, command: &str, of: Option<&Record>, conf: &Value) -> Result<Option<Value>> {
    let program = find(kind(plugin), path)?;
    let what = || format!("run {}", program.display());
    let mut child = Command::new(&program);
    child.env("CNI_COMMAND", command).env("CNI_PATH", path);
    // Where it is about none, not what this process was given for another's.
    for name in ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"] {
        child.env_remove(name);
    }
    if let Some(record) = of {
        child
            .env("CNI_CONTAINERID", &record.key.container_id)
            // One that is gone is not to be looked for.
            .env("CNI_NETNS", if Path::new(&record.netns).exists() { &record.netns } else { "" })
            .env("CNI_IFNAME", &record.key.ifname)
            .env("CNI_ARGS", &record.args);
    }
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().cannot(what)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that fails before it reads says so itself.
        let _ = stdin.write_all(conf.to_string().as_bytes());
    }
    let out = child.wait_with_output().cannot(what)?;
    let said: Option<Value> = serde_json::from_slice(&out.stdout).ok();
    if out.status.success() {
        return Ok(said);
    }
    let said = said.unwrap_or_default();
    let code = match said["code"].as_u64() {
        Some(1 | 2) => Code::Unsupported,
        Some(4 | 6 | 7) => Code::Invalid,
        Some(5) => Code::Io,
        Some(11) => Code::Busy,
        _ => Code::Network,
    };
    let words = said["msg"].as_str().map_or_else(|| out.status.to_string(), str::to_owned);
    Err(failed(plugin, code, &format!("{command}: {words}")))
}

fn failed(plugin: &Value, code: Code, words: &str) -> Error {
    Error::new(code, format!("plugin {} of CNI: {}", kind(plugin), trace::clean(words, 400)))
}

fn kind(plugin: &Value) -> &str {
    plugin["type"].as_str().unwrap_or_default()
}

fn find(kind: &str, path: &str) -> Result<PathBuf> {
    let found = path.split(':').map(|dir| Path::new(dir).join(kind)).find(|program| program.is_file());
    found.ok_or_else(|| {
        Error::new(Code::NotFound, format!("no plugin {kind} of CNI in {path}")).hint("CNI_PATH says where they are")
    })
}
