//! What a container ran with, as the config of an image (image-spec, config.md): as docker commits it.

use crate::user;
use ctr_core::{Document, Image, Map, Result, Value, json};

/// Variables that a container has of the runtime; of an image only where it had them.
const RUNTIMES: [&str; 3] = ["HOSTNAME", "HOME", "TERM"];

/// The image's config, changed to what the container ran with; the image's own where it was never started.
pub fn of(doc: &Document, image: &Image) -> Result<Map<String, Value>> {
    let mut config = image.config["config"].as_object().cloned().unwrap_or_default();
    let ran = ctr_inspect::config(doc, Some(image))?;
    put(&mut config, "Labels", ran["Labels"].as_object().is_some_and(|all| !all.is_empty()), &ran["Labels"]);
    if process(doc).is_none() {
        return Ok(config);
    }
    let variables = variables(&ran["Env"], &config);
    put(&mut config, "Env", true, &variables);
    for key in ["Entrypoint", "Cmd"] {
        if ran[key].is_null() {
            config.shift_remove(key);
        } else {
            put(&mut config, key, true, &ran[key]);
        }
    }
    let (dir, has) = (&ran["WorkingDir"], config.contains_key("WorkingDir"));
    put(&mut config, "WorkingDir", has || dir != "/", dir);
    match user::of(doc, config.get("User").and_then(Value::as_str).unwrap_or_default()) {
        Some(user) => put(&mut config, "User", true, &json!(user)),
        None => drop(config.shift_remove("User")),
    }
    let ports: Map<String, Value> = ctr_docker::exposed(doc)
        .into_iter()
        .chain(ctr_docker::ports_wanted(doc))
        .map(|port| (format!("{}/{}", port.private, port.protocol), json!({})))
        .collect();
    put(&mut config, "ExposedPorts", !ports.is_empty(), &Value::Object(ports));
    // Without one docker shows a default, which is no word of this container.
    put(&mut config, "StopSignal", ran["StopSignal"] != "SIGTERM", &ran["StopSignal"]);
    put(&mut config, "Healthcheck", ran.get("Healthcheck").is_some(), &ran["Healthcheck"]);
    Ok(config)
}

/// The command line that made the layer, for the history.
pub fn command_line(doc: &Document) -> String {
    let args = process(doc).and_then(|process| process["args"].as_array());
    args.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

/// `spec.process`, once it has something to run.
pub fn process(doc: &Document) -> Option<&Value> {
    doc.get("spec")?.get("process").filter(|process| process["args"].is_array())
}

fn put(config: &mut Map<String, Value>, key: &str, if_so: bool, value: &Value) {
    if if_so {
        config.insert(key.to_owned(), value.clone());
    }
}

fn variables(all: &Value, config: &Map<String, Value>) -> Value {
    let name = |variable: &Value| variable.as_str().and_then(|text| text.split('=').next()).map(str::to_owned);
    let of_image: Vec<_> = config.get("Env").and_then(Value::as_array).into_iter().flatten().map(name).collect();
    let kept = |variable: &&Value| {
        let name = name(variable);
        of_image.contains(&name) || !name.is_some_and(|name| RUNTIMES.contains(&name.as_str()))
    };
    all.as_array().into_iter().flatten().filter(kept).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_runtime_set_is_not_the_images() {
        let config = Map::from_iter([("Env".to_owned(), json!(["HOME=/srv", "A=1"]))]);
        let all = json!(["PATH=/bin", "HOSTNAME=x", "TERM=xterm", "HOME=/srv", "A=2", "B=HOME"]);
        assert_eq!(variables(&all, &config), json!(["PATH=/bin", "HOME=/srv", "A=2", "B=HOME"]));
    }
}
