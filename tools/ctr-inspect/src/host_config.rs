//! `HostConfig` of docker's shape: what the host gives the container, and what it keeps from it.

use crate::{config::strings, docker::process, given::given, network};
use ctr_core::{Document, LogLimits, Result, Rootfs, Supervise, Value, container, json};
use ctr_docker::{attachments, mounts, namespace, ports_wanted};
use ctr_runtime::spec::DEFAULT_CAPABILITIES;
use std::{fs, path::Path};

/// The section.
pub fn host_config(doc: &Document, rootfs: Option<&Rootfs>) -> Result<Value> {
    let supervise: Option<Supervise> = doc.section("supervise")?;
    let process = process(doc);
    let linux = doc.get("spec").and_then(|spec| spec.get("linux"));
    let privileged = is_privileged(linux);
    let mut section = json!({
        "Binds": binds(doc),
        "LogConfig": log(supervise.as_ref().map(|s| &s.log)),
        "NetworkMode": network_mode(doc),
        "PortBindings": bindings(doc),
        "Links": links(doc),
        "RestartPolicy": restart(supervise.as_ref()),
        "AutoRemove": supervise.as_ref().is_some_and(|s| s.remove),
        "Privileged": privileged,
        "ReadonlyRootfs": doc.get("spec").and_then(|spec| spec.get("root")?.get("readonly")).unwrap_or(&json!(false)),
        "CgroupParent": cgroup_parent(doc),
        "Devices": devices(linux, privileged),
        "CgroupnsMode": namespace(doc, "cgroup").unwrap_or_default(),
        "IpcMode": namespace(doc, "ipc").unwrap_or_default(),
        // docker leaves these empty where the container has its own.
        "PidMode": shared(doc, "pid"),
        "UTSMode": shared(doc, "uts"),
        "UsernsMode": if namespace(doc, "user").as_deref() == Some("private") { "private" } else { "" },
        "OomScoreAdj": process.and_then(|p| p.get("oomScoreAdj")).unwrap_or(&json!(0)),
        "Init": doc.get("spec").and_then(|spec| spec.get("annotations")?.get("ctr.init")).is_some_and(|v| v == "true"),
        "ShmSize": shm_size(doc),
        "SecurityOpt": security(process, linux, privileged),
        "MaskedPaths": strings(linux, "maskedPaths"),
        "ReadonlyPaths": strings(linux, "readonlyPaths"),
    });
    // What differs from docker's.
    let bounding = strings(process.and_then(|p| p.get("capabilities")), "bounding");
    let settled = process.is_some() && !privileged;
    section["CapAdd"] = names(bounding.iter().filter(|c| settled && !DEFAULT_CAPABILITIES.contains(c)));
    section["CapDrop"] = names(DEFAULT_CAPABILITIES.iter().filter(|c| settled && !bounding.contains(c)));
    section["Ulimits"] = Value::Array(ulimits(process));
    if let (Some(all), Some(limits)) =
        (section.as_object_mut(), resources(linux.and_then(|l| l.get("resources"))).as_object())
    {
        all.extend(limits.clone());
        all.extend(given(doc, rootfs));
    }
    Ok(section)
}

fn names<'a>(found: impl Iterator<Item = &'a &'a str>) -> Value {
    let found: Vec<_> = found.collect();
    if found.is_empty() { Value::Null } else { json!(found) }
}

/// `SOURCE:DESTINATION[:ro]`, as `--volume` takes them.
fn binds(doc: &Document) -> Value {
    let word = |mount: &ctr_docker::Mount| {
        let source = mount.volume.as_ref().unwrap_or(&mount.source);
        format!("{source}:{}{}", mount.destination, if mount.writable { "" } else { ":ro" })
    };
    let binds: Vec<_> = mounts(doc).iter().map(word).collect();
    if binds.is_empty() { Value::Null } else { json!(binds) }
}

/// None is kept where the record says nothing of one.
fn log(limits: Option<&LogLimits>) -> Value {
    match limits {
        Some(limits) if limits.max_file > 0 => json!({"Type": "json-file", "Config": {
            "max-file": limits.max_file.to_string(), "max-size": limits.max_size.to_string()}}),
        _ => json!({"Type": "none", "Config": {}}),
    }
}

fn restart(supervise: Option<&Supervise>) -> Value {
    let restart = supervise.map(|s| s.restart).unwrap_or_default();
    json!({"Name": restart.policy, "MaximumRetryCount": restart.max.unwrap_or_default()})
}

fn network_mode(doc: &Document) -> String {
    if let Some(attachment) = attachments(doc).first() {
        return attachment.network.clone();
    }
    let annotations = doc.get("spec").and_then(|spec| spec.get("annotations"));
    if let Some(id) = annotations.and_then(|all| all.get("ctr.join.network")).and_then(Value::as_str) {
        return format!("container:{id}");
    }
    // One that was taken off its last network has its own namespace yet.
    if doc.get("net").is_some() { "none".to_owned() } else { namespace(doc, "network").unwrap_or_default() }
}

/// Those of the default network, `/OTHER:/OWN/ALIAS`; null where there are none.
fn links(doc: &Document) -> Value {
    let own = doc.str("name").unwrap_or_default();
    let attachments = attachments(doc);
    let links = attachments.iter().filter(|on| on.network == "bridge").flat_map(|on| &on.links);
    let word = |link: &String| {
        let (id, alias) = link.split_once(':')?;
        let other = container::recorded(id).ok()?;
        Some(format!("/{}:/{own}/{alias}", other.str("name").unwrap_or(id)))
    };
    let links: Vec<_> = links.filter_map(word).collect();
    if links.is_empty() { Value::Null } else { json!(links) }
}

fn shared(doc: &Document, kind: &str) -> String {
    namespace(doc, kind).filter(|mode| mode != "private").unwrap_or_default()
}

/// The published of the ports, also while it is off their network.
fn bindings(doc: &Document) -> Value {
    let mut bindings = network::published(&ports_wanted(doc));
    bindings.retain(|_, list| !list.is_null());
    Value::Object(bindings)
}

/// Bytes that /dev/shm may hold, docker's 64 MiB where it says nothing; 0 where it is not the container's own.
fn shm_size(doc: &Document) -> u64 {
    let shm = doc.mounts().iter().find(|m| m["destination"] == "/dev/shm" && m["type"] == "tmpfs");
    let Some(shm) = shm else { return 0 };
    let options = strings(Some(shm), "options");
    options.iter().find_map(|option| option.strip_prefix("size=")?.parse().ok()).unwrap_or(64 << 20)
}

/// Every device, and no path of /proc and /sys hidden: nothing else gives both.
fn is_privileged(linux: Option<&Value>) -> bool {
    let Some(linux) = linux else { return false };
    let devices = linux["resources"]["devices"].as_array();
    let every = devices.is_some_and(|rules| rules.iter().any(|r| r["allow"] == true && r.get("type").is_none()));
    every && linux.get("maskedPaths").is_none()
}

fn security(process: Option<&Value>, linux: Option<&Value>, privileged: bool) -> Value {
    let mut options = Vec::new();
    if process.is_some_and(|p| p["noNewPrivileges"] == true) {
        options.push("no-new-privileges");
    }
    if !privileged && linux.is_some_and(|linux| linux.get("seccomp").is_none()) {
        options.push("seccomp=unconfined");
    }
    if options.is_empty() { Value::Null } else { json!(options) }
}

/// `RLIMIT_NOFILE` is docker's `nofile`.
fn ulimits(process: Option<&Value>) -> Vec<Value> {
    let list = process.and_then(|p| p.get("rlimits")).and_then(Value::as_array).into_iter().flatten();
    list.map(|limit| {
        let name = limit["type"].as_str().unwrap_or_default();
        let name = name.strip_prefix("RLIMIT_").unwrap_or(name).to_ascii_lowercase();
        json!({"Name": name, "Soft": limit["soft"], "Hard": limit["hard"]})
    })
    .collect()
}

/// A device by the name that it has here now; the record has its numbers.
fn rates(resources: Option<&Value>, key: &str) -> Value {
    let list = resources.and_then(|r| r.get("blockIO")?.get(key)).and_then(Value::as_array).into_iter().flatten();
    let list: Vec<Value> = list.map(|rate| json!({"Path": node("block", rate), "Rate": rate["rate"]})).collect();
    if list.is_empty() { Value::Null } else { json!(list) }
}

/// The path of a device by its `major` and `minor`; the numbers where it is gone (sysfs(5), `/sys/dev`).
fn node(kind: &str, device: &Value) -> String {
    let numbers = format!("{}:{}", device["major"], device["minor"]);
    let link = fs::read_link(format!("/sys/dev/{kind}/{numbers}")).unwrap_or_default();
    let name = link.file_name().map(|name| Path::new("/dev").join(name)).filter(|path| path.exists());
    name.map_or(numbers, |path| path.display().to_string())
}

/// The devices of the host that it was given; a privileged one has all, and docker lists none.
fn devices(linux: Option<&Value>, privileged: bool) -> Value {
    let list = linux.and_then(|l| l.get("devices")).and_then(Value::as_array).into_iter().flatten();
    let rules = linux.and_then(|l| l.get("resources")?.get("devices")).and_then(Value::as_array);
    let access = |device: &Value| {
        let is_its = |rule: &&Value| ["type", "major", "minor"].iter().all(|key| rule[key] == device[key]);
        rules.and_then(|rules| rules.iter().rev().find(is_its)).map_or(json!("rwm"), |rule| rule["access"].clone())
    };
    let list = list.filter(|_| !privileged).map(|device| {
        let kind = if device["type"] == "b" { "block" } else { "char" };
        json!({"PathOnHost": node(kind, device), "PathInContainer": device["path"], "CgroupPermissions": access(device)})
    });
    Value::Array(list.collect())
}

/// What `--cgroup-parent` said: the path without what the container's id is made of.
fn cgroup_parent(doc: &Document) -> String {
    let path = doc.get("cgroup").and_then(|c| c.get("path")).and_then(Value::as_str).unwrap_or_default();
    let above = Path::new(path).ancestors().nth(2).unwrap_or(Path::new(""));
    if above == Path::new("/") { String::new() } else { above.display().to_string() }
}

/// Docker's limits from those of the runtime-spec (config-linux.md, Control groups); 0 where there is none.
fn resources(resources: Option<&Value>) -> Value {
    let get = |group: &str, key: &str| resources.and_then(|r| r.get(group)?.get(key)).cloned();
    let number = |group: &str, key: &str| get(group, key).unwrap_or_else(|| json!(0));
    let text = |group: &str, key: &str| get(group, key).unwrap_or_else(|| json!(""));
    let (quota, period) = (number("cpu", "quota").as_u64(), number("cpu", "period").as_u64());
    // --cpus is kept as a quota: a billionth of a processor is the unit of NanoCpus.
    let nano = match (quota, period) {
        (Some(quota), Some(period)) if period > 0 => u128::from(quota) * 1_000_000_000 / u128::from(period),
        _ => 0,
    };
    json!({
        "Memory": number("memory", "limit"),
        "MemoryReservation": number("memory", "reservation"),
        "MemorySwap": number("memory", "swap"),
        "NanoCpus": u64::try_from(nano).unwrap_or_default(),
        "CpuShares": number("cpu", "shares"),
        "CpuPeriod": number("cpu", "period"),
        "CpuQuota": number("cpu", "quota"),
        "CpusetCpus": text("cpu", "cpus"),
        "CpusetMems": text("cpu", "mems"),
        "MemorySwappiness": get("memory", "swappiness"),
        "OomKillDisable": get("memory", "disableOOMKiller").unwrap_or_else(|| json!(false)),
        "PidsLimit": get("pids", "limit"),
        "BlkioWeight": number("blockIO", "weight"),
        "BlkioDeviceReadBps": rates(resources, "throttleReadBpsDevice"),
        "BlkioDeviceWriteBps": rates(resources, "throttleWriteBpsDevice"),
        "BlkioDeviceReadIOps": rates(resources, "throttleReadIOPSDevice"),
        "BlkioDeviceWriteIOps": rates(resources, "throttleWriteIOPSDevice"),
    })
}
