//! The records of `ctr-network ls` in docker's words: they are already.

use ctr_core::{Value, json};

/// docker's fields of a network and their column titles.
pub const FIELDS: &[(&str, &str)] = &[
    ("ID", "NETWORK ID"),
    ("Name", "NAME"),
    ("Driver", "DRIVER"),
    ("Scope", "SCOPE"),
    ("IPv6", "IPV6"),
    ("Internal", "INTERNAL"),
    ("Labels", "LABELS"),
    ("CreatedAt", "CREATED AT"),
];

/// What docker prints without a format.
pub const TABLE: &str = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";

/// The value of one field.
pub fn field(record: &Value, field: &str) -> Value {
    record.get(field).cloned().unwrap_or_else(|| json!(""))
}
