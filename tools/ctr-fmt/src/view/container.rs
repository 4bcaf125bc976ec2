//! The records of ctr-ls in docker's words.

use super::ports;
use crate::units;
use ctr_core::{Value, json};
use jiff::Timestamp;

/// docker's fields of a container and their column titles.
pub const FIELDS: &[(&str, &str)] = &[
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
    ("State", "STATE"),
    ("HealthStatus", "HEALTH STATUS"),
    ("Size", "SIZE"),
    ("Labels", "LABELS"),
    ("Mounts", "MOUNTS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Networks", "NETWORKS"),
    ("Platform", "PLATFORM"),
];

/// What docker prints without a format.
pub const TABLE: &str = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

/// Characters of a command and of a mount that are shown.
const COMMAND: usize = 20;
const MOUNT: usize = 15;

/// The value of one field; nothing is cut with `full`.
pub fn field(record: &Value, field: &str, full: bool) -> Value {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let list = |key: &str| record.get(key).and_then(Value::as_array).into_iter().flatten();
    let cut = |text: String, length: usize| if full { text } else { ellipsis(&text, length) };
    json!(match field {
        "ID" if full => text("ID").to_owned(),
        "ID" => units::short(text("ID")).to_owned(),
        "Image" if text("Image").is_empty() => "<no image>".to_owned(),
        "Image" if full || !text("Image").starts_with("sha256:") => text("Image").to_owned(),
        "Image" => units::short(text("Image")).to_owned(),
        // Go's %q, as docker has it.
        "Command" => json!(cut(command(record), COMMAND)).to_string(),
        "CreatedAt" => units::created_at(text("CreatedAt")),
        "RunningFor" => units::since(text("CreatedAt")),
        "Status" => status(record, Timestamp::now()),
        "HealthStatus" => text("Health").to_owned(),
        "Ports" => ports::words(record),
        "Size" => size(record),
        "Labels" => {
            let labels = record.get("Labels").and_then(Value::as_object).into_iter().flatten();
            let mut words: Vec<_> =
                labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
            words.sort();
            words.join(",")
        }
        "Mounts" => {
            let name = |mount: &Value| {
                let name = mount.get("Name").or(mount.get("Source")).and_then(Value::as_str).unwrap_or_default();
                cut(name.to_owned(), MOUNT)
            };
            list("Mounts").map(name).collect::<Vec<_>>().join(",")
        }
        // ctr-df counts them itself.
        "LocalVolumes" if record["LocalVolumes"].is_u64() => record["LocalVolumes"].to_string(),
        "LocalVolumes" => list("Mounts").filter(|m| m["Driver"] == "local").count().to_string(),
        "Networks" => list("Networks").filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => text(other).to_owned(),
    })
}

/// docker's sentence about a container's state.
fn status(record: &Value, now: Timestamp) -> String {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let age = |key: &str| units::age(text(key), now);
    let code = record.get("ExitCode").and_then(Value::as_u64).unwrap_or_default();
    let ago = |words: String, time: &str| match age(time) {
        Some(age) => format!("{words} {age} ago"),
        // Its end was seen by nobody.
        None => words,
    };
    match text("State") {
        "created" => "Created".to_owned(),
        "exited" => ago(format!("Exited ({code})"), "FinishedAt"),
        "restarting" => ago(format!("Restarting ({code})"), "FinishedAt"),
        state @ ("running" | "paused") => {
            let up = age("StartedAt").map_or_else(|| "Up".to_owned(), |age| format!("Up {age}"));
            match (state, text("Health")) {
                ("paused", _) => format!("{up} (Paused)"),
                (_, "" | "none") => up,
                (_, "starting") => format!("{up} (health: starting)"),
                (_, health) => format!("{up} ({health})"),
            }
        }
        other => other.to_owned(),
    }
}

/// The command's words; those with a space in single quotes, as docker shows them.
fn command(record: &Value) -> String {
    let args = record.get("Command").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let quoted =
        |(at, word): (usize, &str)| if at > 0 && word.contains(' ') { format!("'{word}'") } else { word.into() };
    args.enumerate().map(quoted).collect::<Vec<_>>().join(" ")
}

fn size(record: &Value) -> String {
    let bytes = |key: &str| record.get(key).and_then(Value::as_f64);
    // ctr-df says what all of its directory takes.
    let writable = bytes("SizeRw").or(bytes("Size")).map_or_else(|| "N/A".to_owned(), units::size);
    match bytes("SizeRootFs").filter(|all| *all > 0.0) {
        Some(all) => format!("{writable} (virtual {})", units::size(all)),
        None => writable,
    }
}

fn ellipsis(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_in_dockers_sentences() {
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        let time = |text: &str| format!("2026-11-25T{text}Z");
        for (record, sentence) in [
            (json!({"State": "created", "ExitCode": 127}), "Created"),
            (json!({"State": "running", "StartedAt": time("11:55:00"), "Health": null}), "Up 5 minutes"),
            (json!({"State": "running", "StartedAt": time("11:59:59.5")}), "Up Less than a second"),
            (json!({"State": "running", "StartedAt": time("11:55:00"), "Health": "healthy"}), "Up 5 minutes (healthy)"),
            (
                json!({"State": "running", "StartedAt": time("11:59:00"), "Health": "starting"}),
                "Up About a minute (health: starting)",
            ),
            (json!({"State": "paused", "StartedAt": time("10:00:00"), "Health": "healthy"}), "Up 2 hours (Paused)"),
            (json!({"State": "exited", "ExitCode": 137, "FinishedAt": time("11:59:57")}), "Exited (137) 3 seconds ago"),
            (json!({"State": "exited", "ExitCode": 255, "FinishedAt": null}), "Exited (255)"),
            (
                json!({"State": "restarting", "ExitCode": 1, "FinishedAt": time("11:59:58")}),
                "Restarting (1) 2 seconds ago",
            ),
        ] {
            assert_eq!(status(&record, now), sentence, "{record}");
        }
    }

    #[test]
    fn commands_are_quoted_and_cut() {
        let record = json!({"Command": ["/bin/sh", "-c", "sleep 5000 \"x\""], "Names": "web"});
        assert_eq!(field(&record, "Command", false), "\"/bin/sh -c 'sleep 5…\"");
        assert_eq!(field(&record, "Command", true), r#""/bin/sh -c 'sleep 5000 \"x\"'""#);
        assert_eq!(field(&json!({"Command": null}), "Command", false), "\"\"");
    }

    #[test]
    fn the_other_fields() {
        let id = format!("sha256:{}", "ab".repeat(32));
        let record = json!({"ID": "cd".repeat(32), "Image": id, "SizeRw": 12, "SizeRootFs": 4_261_502,
            "Labels": {"b": "2", "a": "1"}, "Networks": ["bridge", "back"], "State": "running",
            "Mounts": [{"Name": "db", "Driver": "local", "Source": "/x"}, {"Source": "/a/long/path/on/the/host"}]});
        for (name, cut, full) in [
            ("ID", "cdcdcdcdcdcd", "cd".repeat(32)),
            ("Image", "abababababab", id.clone()),
            ("Size", "12B (virtual 4.26MB)", "12B (virtual 4.26MB)".to_owned()),
            ("Labels", "a=1,b=2", "a=1,b=2".to_owned()),
            ("Mounts", "db,/a/long/path/o…", "db,/a/long/path/on/the/host".to_owned()),
            ("LocalVolumes", "1", "1".to_owned()),
            ("Networks", "bridge,back", "bridge,back".to_owned()),
            ("State", "running", "running".to_owned()),
            ("HealthStatus", "", String::new()),
        ] {
            assert_eq!(field(&record, name, false), cut, "{name}");
            assert_eq!(field(&record, name, true), json!(full), "{name}");
        }
    }
}
