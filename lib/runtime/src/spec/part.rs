//! Access to the parts of a spec that may or may not be there yet.

use ctr_core::{Code, Error, Map, Result, Value, json};

/// The object under `key`, made where it is missing.
pub fn object<'a>(map: &'a mut Map<String, Value>, key: &str) -> Result<&'a mut Map<String, Value>> {
    map.entry(key).or_insert_with(|| json!({})).as_object_mut().ok_or_else(|| misshapen(key, "an object"))
}

/// The list under `key`, made where it is missing.
pub fn list<'a>(map: &'a mut Map<String, Value>, key: &str) -> Result<&'a mut Vec<Value>> {
    map.entry(key).or_insert_with(|| json!([])).as_array_mut().ok_or_else(|| misshapen(key, "a list"))
}

/// The strings of `value`, called `key`; none where there is nothing or `null`, as image configs have it.
pub fn strings(value: Option<&Value>, key: &str) -> Result<Vec<String>> {
    let list = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(misshapen(key, "a list of strings")),
    };
    list.iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(|| misshapen(key, "a list of strings"))).collect()
}

/// The string under `key`, `None` where it is missing or empty.
pub fn string<'a>(map: Option<&'a Value>, key: &str) -> Option<&'a str> {
    map?.get(key)?.as_str().filter(|s| !s.is_empty())
}

fn misshapen(key: &str, form: &str) -> Error {
    Error::new(Code::Invalid, format!("document: {key} is not {form}"))
}
