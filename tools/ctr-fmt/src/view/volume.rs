//! The records of `ctr-volume ls` and `ctr-df --each volume` in docker's words.

use crate::units;
use ctr_core::{Value, json};

/// docker's fields of a volume and their column titles.
pub const FIELDS: &[(&str, &str)] = &[
    ("Driver", "DRIVER"),
    ("Name", "VOLUME NAME"),
    ("Scope", "SCOPE"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Size", "SIZE"),
    ("CreatedAt", "CREATED AT"),
];

/// What docker prints without a format.
pub const TABLE: &str = "table {{.Driver}}\t{{.Name}}";

/// The value of one field; `N/A` where it was not asked for, as docker has it.
pub fn field(record: &Value, field: &str) -> Value {
    match (field, record.get(field)) {
        ("Size", Some(Value::Number(bytes))) => json!(units::size(bytes.as_f64().unwrap_or_default())),
        (_, Some(Value::Number(number))) => json!(number.to_string()),
        ("Size" | "Links", None) => json!("N/A"),
        (_, value) => value.cloned().unwrap_or_else(|| json!("")),
    }
}
