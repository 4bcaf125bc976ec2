//! A document in the shape of `docker container inspect` (Engine API, ContainerInspect).

use crate::{config, host_config, network};
use ctr_core::{Document, Image, Result, Rootfs, Value, container, json};
use ctr_docker::{Sizes, Status, mounts};
use std::path::Path;

/// Go's zero time, which docker shows for what has not happened.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The container; with sizes where they are asked for.
pub fn inspect(doc: &Document, sizes: Option<&mut Sizes>) -> Result<Value> {
    let image: Option<Image> = doc.section("image")?;
    let rootfs: Option<Rootfs> = doc.section("rootfs")?;
    let status = Status::of(doc)?;
    let id = doc.str("id").unwrap_or_default();
    let args = config::strings(process(doc), "args");
    let own = |name: &str| there(&container::dir(id).join(name));
    let mut shape = json!({
        "Id": id,
        "Created": doc.str("created"),
        "Path": args.first().copied().unwrap_or_default(),
        "Args": args.get(1..).unwrap_or_default(),
        "State": state(&status),
        "Image": image.as_ref().and_then(|image| image.id.as_deref()).unwrap_or_default(),
        "ResolvConfPath": own("resolv.conf"),
        "HostnamePath": own("hostname"),
        "HostsPath": own("hosts"),
        "LogPath": there(&container::log_file(id)),
        "Name": format!("/{}", doc.str("name").unwrap_or_default()),
        "RestartCount": status.state.restart_count.unwrap_or_default(),
        "Driver": "overlay",
        "Platform": image.as_ref().and_then(|image| image.config.get("os")).unwrap_or(&json!("linux")),
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "HostConfig": host_config::host_config(doc, rootfs.as_ref())?,
        "GraphDriver": graph_driver(rootfs.as_ref(), image.as_ref()),
        "Mounts": mounts(doc).iter().map(ctr_docker::Mount::shape).collect::<Vec<_>>(),
        "Config": config::config(doc, image.as_ref())?,
        "NetworkSettings": network::settings(doc, &status),
    });
    if let Some(sizes) = sizes {
        let (writable, all) = sizes.of(doc)?;
        shape["SizeRw"] = json!(writable);
        shape["SizeRootFs"] = json!(all);
    }
    Ok(shape)
}

/// `spec.process`.
pub fn process(doc: &Document) -> Option<&Value> {
    doc.get("spec")?.get("process")
}

/// The path of a file that is there; docker leaves empty what is not.
fn there(path: &Path) -> String {
    if path.exists() { path.display().to_string() } else { String::new() }
}

fn state(status: &Status) -> Value {
    let state = &status.state;
    let time = |time: &Option<String>| time.clone().unwrap_or_else(|| NEVER.to_owned());
    let mut shape = json!({
        "Status": status.word,
        "Running": status.lives(),
        "Paused": status.word == "paused",
        "Restarting": status.word == "restarting",
        "OOMKilled": state.oom_killed,
        "Dead": false,
        "Pid": state.pid.filter(|_| matches!(status.word, "running" | "paused")).unwrap_or_default(),
        "ExitCode": status.exit_code.unwrap_or_default(),
        "Error": state.error.as_deref().unwrap_or_default(),
        "StartedAt": time(&state.started_at),
        "FinishedAt": time(&state.finished_at),
    });
    if let Some(health) = &state.health {
        let probes = health.log.iter().map(|probe| {
            json!({"Start": probe["start"], "End": probe["end"], "ExitCode": probe["exitCode"], "Output": probe["output"]})
        });
        shape["Health"] = json!({
            "Status": health.status,
            "FailingStreak": health.failing_streak,
            "Log": probes.collect::<Vec<_>>(),
        });
    }
    shape
}

/// Where the layers are, as docker's overlay drivers have it: the topmost first.
fn graph_driver(rootfs: Option<&Rootfs>, image: Option<&Image>) -> Value {
    let layers = image.map(|image| image.layers.as_slice()).unwrap_or_default();
    let lower: Vec<&str> = layers.iter().rev().filter_map(|layer| layer.path.as_deref()).collect();
    json!({"Name": "overlay", "Data": {
        "LowerDir": lower.join(":"),
        "MergedDir": rootfs.map(|rootfs| rootfs.path.as_str()).unwrap_or_default(),
        "UpperDir": rootfs.and_then(|rootfs| rootfs.upper.as_deref()).unwrap_or_default(),
        "WorkDir": rootfs.and_then(|rootfs| rootfs.work.as_deref()).unwrap_or_default(),
    }})
}
