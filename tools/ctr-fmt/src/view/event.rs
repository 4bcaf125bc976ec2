//! The records of ctr-events in docker's words.

use ctr_core::{Map, Value, json};
use jiff::Timestamp;

/// The fields of docker's format, and two that its default line is made of: `When` and `Details`.
pub const FIELDS: &[(&str, &str)] = &[
    ("Type", "TYPE"),
    ("Action", "ACTION"),
    ("Actor", "ACTOR"),
    ("Scope", "SCOPE"),
    ("Time", "TIME"),
    ("TimeNano", "TIME NANO"),
    ("Status", "STATUS"),
    ("ID", "ID"),
    ("From", "FROM"),
    ("When", "TIME"),
    ("Details", "ATTRIBUTES"),
];

/// What docker prints without a format.
pub const LINE: &str = "{{.When}} {{.Type}} {{.Action}} {{.ID}} ({{.Details}})";

/// The value of one field.
pub fn field(record: &Value, field: &str) -> Value {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let time = || text("time").parse::<Timestamp>().unwrap_or_default();
    match field {
        "Type" => json!(text("type")),
        "Action" | "Status" => json!(text("action")),
        "ID" => json!(text("id")),
        "Scope" => json!("local"),
        "From" => json!(attributes(record).remove("image").unwrap_or_default()),
        "Actor" => json!({"ID": text("id"), "Attributes": attributes(record)}),
        "Time" => json!(time().as_second()),
        "TimeNano" => json!(i64::try_from(time().as_nanosecond()).unwrap_or(i64::MAX)),
        "When" => json!(text("time")),
        _ => {
            let all = attributes(record);
            let words = all.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
            json!(plain(&words.collect::<Vec<_>>().join(", ")))
        }
    }
}

/// The event as docker's JSON has it: some of its keys are written small.
pub fn message(record: &Value) -> Value {
    let of = |name: &str| field(record, name);
    json!({
        "status": of("Status"), "id": of("ID"), "from": of("From"), "Type": of("Type"), "Action": of("Action"),
        "Actor": of("Actor"), "scope": of("Scope"), "time": of("Time"), "timeNano": of("TimeNano"),
    })
}

/// docker's attributes: the name among them, every value a text, sorted.
fn attributes(record: &Value) -> Map<String, Value> {
    let own = record.get("attributes").and_then(Value::as_object).into_iter().flatten();
    let mut all: Vec<(String, Value)> = own.map(|(key, value)| (key.clone(), json!(words(value)))).collect();
    all.push(("name".to_owned(), record.get("name").cloned().unwrap_or_default()));
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter().collect()
}

/// Labels are a stranger's words: none of them begins a line of its own, or speaks to the terminal.
fn plain(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(words).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_dockers_fields() {
        let record = json!({"time": "2026-11-25T10:00:00.5Z", "type": "container", "action": "die", "id": "ab", "name": "web",
            "attributes": {"exitCode": 3, "zone": "a\u{1b}[1m\nb", "image": "busybox", "command": ["a", "b"]}});
        let message = message(&record);
        assert_eq!(message["Actor"]["Attributes"]["exitCode"], "3");
        assert_eq!((&message["from"], &message["time"]), (&json!("busybox"), &json!(1_795_600_800)));
        assert_eq!(message["timeNano"], json!(1_795_600_800_500_000_000_i64));
        assert_eq!(field(&record, "Details"), "command=a b, exitCode=3, image=busybox, name=web, zone=a\\u{1b}[1m\\nb");
    }
}
