//! Of `HostConfig`: who is asked for names, memory that is mounted, kernel parameters, groups, rules of devices.

use crate::config::strings;
use ctr_cgroup::devices::default_rules;
use ctr_core::{Document, Map, Rootfs, Value, json};
use ctr_runtime::spec::{ADD_HOST, GROUP_ADD};

/// The option that comes with a resolver of ours (`net-attach`), and by nobody's wish.
const NDOTS: &str = "ndots:0";

/// The keys.
pub fn given(doc: &Document, rootfs: Option<&Rootfs>) -> Map<String, Value> {
    let linux = doc.get("spec").and_then(|spec| spec.get("linux"));
    let mut keys = Map::new();
    let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
    let (servers, search, options) = dns(doc);
    put("Dns", json!(servers));
    put("DnsOptions", json!(options));
    put("DnsSearch", json!(search));
    put("ExtraHosts", said(doc, ADD_HOST));
    put("GroupAdd", said(doc, GROUP_ADD));
    put("DeviceCgroupRules", device_rules(linux));
    // These have become bindings of ports, and mounts.
    put("PublishAllPorts", json!(false));
    put("VolumesFrom", Value::Null);
    // What there is no flag for.
    for (key, none) in [
        ("BlkioWeightDevice", json!([])),
        ("Cgroup", json!("")),
        ("ContainerIDFile", json!("")),
        ("CpuRealtimePeriod", json!(0)),
        ("CpuRealtimeRuntime", json!(0)),
        ("DeviceRequests", Value::Null),
        ("Isolation", json!("")),
        ("VolumeDriver", json!("")),
    ] {
        put(key, none);
    }
    // docker leaves these out where there is nothing in them.
    if let Some(size) = rootfs.and_then(|rootfs| rootfs.size) {
        put("StorageOpt", json!({"size": size.to_string()}));
    }
    let sysctls = linux.and_then(|linux| linux.get("sysctl")).and_then(Value::as_object);
    if let Some(sysctls) = sysctls.filter(|sysctls| !sysctls.is_empty()) {
        put("Sysctls", json!(sysctls));
    }
    let memory = tmpfs(doc);
    if !memory.is_empty() {
        put("Tmpfs", Value::Object(memory));
    }
    keys
}

/// Servers, domains and options: where a resolver of ours is asked, what was said to it.
fn dns(doc: &Document) -> (Vec<&str>, Vec<&str>, Vec<&str>) {
    let Some(net) = doc.get("net") else { return Default::default() };
    let dns = |key: &str| strings(net.get("dns"), key);
    let gateways =
        net.get("ips").and_then(Value::as_array).into_iter().flatten().filter_map(|ip| ip["gateway"].as_str());
    let (mut servers, mut options) = (dns("nameservers"), dns("options"));
    // It is found at the gateway.
    if matches!(servers.as_slice(), [one] if gateways.clone().any(|gateway| gateway == *one)) {
        servers = strings(Some(net), "upstreams");
        options.retain(|option| *option != NDOTS);
    }
    (servers, dns("search"), options)
}

/// The words that an annotation keeps; null where there are none.
fn said(doc: &Document, key: &str) -> Value {
    let annotations = doc.get("spec").and_then(|spec| spec.get("annotations"));
    let words = annotations.and_then(|all| all.get(key)).and_then(Value::as_str).unwrap_or_default();
    let words: Vec<&str> = words.split_whitespace().collect();
    if words.is_empty() { Value::Null } else { json!(words) }
}

/// `{"/run": "size=1m"}`: what was said beside docker's defaults, which come first. Those of every container are under /dev.
fn tmpfs(doc: &Document) -> Map<String, Value> {
    let is_own = |mount: &&Value| {
        mount["type"] == "tmpfs" && !matches!(mount["destination"].as_str(), Some("/dev" | "/dev/shm"))
    };
    let word = |mount: &Value| {
        let options = strings(Some(mount), "options");
        let said = options.strip_prefix(&["noexec", "nosuid", "nodev"]).unwrap_or(&options);
        Some((mount["destination"].as_str()?.to_owned(), json!(said.join(","))))
    };
    doc.mounts().iter().filter(is_own).filter_map(word).collect()
}

/// `c 42:* rwm`: what may be opened beside docker's defaults, and the devices that it was given; null where nothing.
fn device_rules(linux: Option<&Value>) -> Value {
    let (usual, list) =
        (default_rules(), |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default());
    let devices = list(linux.and_then(|linux| linux.get("devices")));
    let is_given = |rule: &Value| {
        let same = |device: &Value| ["type", "major", "minor"].iter().all(|key| rule.get(key) == device.get(key));
        devices.iter().any(same)
    };
    let number =
        |rule: &Value, key: &str| rule[key].as_i64().map_or_else(|| "*".to_owned(), |number| number.to_string());
    let word = |rule: &Value| {
        let (kind, access) = (rule["type"].as_str().unwrap_or("a"), rule["access"].as_str().unwrap_or_default());
        format!("{kind} {}:{} {access}", number(rule, "major"), number(rule, "minor"))
    };
    let rules = list(linux.and_then(|linux| linux.get("resources")?.get("devices")));
    let is_said =
        |rule: &&Value| rule["allow"] == true && rule.get("type").is_some() && !usual.contains(rule) && !is_given(rule);
    let words: Vec<String> = rules.iter().filter(is_said).map(word).collect();
    if words.is_empty() { Value::Null } else { json!(words) }
}
