//! `Config` of docker's shape: what runs in the container, whatever the host.

use crate::docker::process;
use ctr_core::{Document, HealthCheck, Image, Map, Result, Supervise, Value, json};

/// The annotation of image-spec (conversion.md) for the signal that asks the container to stop.
const STOP_SIGNAL: &str = "org.opencontainers.image.stopSignal";

/// The section `Config`; ctr-commit(1) makes an image config of it.
///
/// A runtime-spec has one list of arguments: what of it is the image's entrypoint is shown as `Entrypoint`.
pub fn config(doc: &Document, image: Option<&Image>) -> Result<Value> {
    let supervise: Supervise = doc.section("supervise")?.unwrap_or_default();
    let process = process(doc);
    let spec = |key: &str| doc.get("spec").and_then(|spec| spec.get(key));
    let of_image = image.and_then(|image| image.config.get("config"));
    let keyed = |key: &str| of_image.and_then(|config| config.get(key)).filter(|value| !value.is_null());
    let args = strings(process, "args");
    let entrypoint = strings(of_image, "Entrypoint");
    let begins = !entrypoint.is_empty() && args.starts_with(&entrypoint);
    let (entrypoint, command) = args.split_at(if begins { entrypoint.len() } else { 0 });
    let listed = |words: &[&str]| if words.is_empty() { Value::Null } else { json!(words) };
    let mut config = json!({
        "Hostname": spec("hostname").and_then(Value::as_str).unwrap_or_default(),
        "Domainname": spec("domainname").and_then(Value::as_str).unwrap_or_default(),
        "User": user(process),
        "AttachStdin": supervise.stdin,
        "AttachStdout": true,
        "AttachStderr": true,
        "StdinOnce": false,
        "Tty": process.and_then(|p| p.get("terminal")).and_then(Value::as_bool).unwrap_or_default(),
        "OpenStdin": supervise.stdin,
        "Env": strings(process, "env"),
        "Cmd": listed(command),
        "Image": image.map(|image| ctr_docker::familiar(&image.reference)).unwrap_or_default(),
        "Volumes": keyed("Volumes"),
        "WorkingDir": process.and_then(|p| p.get("cwd")).and_then(Value::as_str).unwrap_or_default(),
        "Entrypoint": listed(entrypoint),
        "Labels": ctr_docker::labels(doc)?,
    });
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            config[key] = value;
        }
    };
    // docker's: what is published is exposed too.
    let exposed: Map<String, Value> = ctr_docker::exposed(doc)
        .iter()
        .chain(&ctr_docker::ports_wanted(doc))
        .map(|port| (format!("{}/{}", port.private, port.protocol), json!({})))
        .collect();
    put("ExposedPorts", Some(Value::Object(exposed)).filter(|ports| ports != &json!({})));
    let signal = spec("annotations").and_then(|annotations| annotations.get(STOP_SIGNAL)).cloned();
    put("StopSignal", signal.or_else(|| Some(json!("SIGTERM"))));
    put("StopTimeout", supervise.stop_timeout.map(|seconds| json!(seconds)));
    put("Healthcheck", supervise.health.as_ref().map(healthcheck));
    Ok(config)
}

/// `UID:GID` as it was resolved; empty for root, as docker has it where nothing else was said.
fn user(process: Option<&Value>) -> String {
    let number = |key: &str| process.and_then(|p| p.get("user")?.get(key)?.as_u64()).unwrap_or_default();
    match (number("uid"), number("gid")) {
        (0, 0) => String::new(),
        (uid, gid) => format!("{uid}:{gid}"),
    }
}

fn healthcheck(check: &HealthCheck) -> Value {
    json!({
        "Test": check.test,
        "Interval": check.interval,
        "Timeout": check.timeout,
        "StartPeriod": check.start_period,
        "StartInterval": check.start_interval,
        "Retries": check.retries,
    })
}

/// The strings of a list; none where there is no list.
pub fn strings<'a>(section: Option<&'a Value>, key: &str) -> Vec<&'a str> {
    let list = section.and_then(|section| section.get(key)).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}
