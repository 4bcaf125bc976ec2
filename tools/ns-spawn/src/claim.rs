//! A container of its own for a document that has none yet.

use ctr_core::{Code, Document, Error, Lock, Map, Result, Value, container, json, trace};

/// Claims id and name unless the document has them; gives whether it did.
pub fn begin(doc: &mut Document, name: Option<&str>, labels: &[String]) -> Result<bool> {
    if let Some(id) = doc.str("id") {
        container::checked_id(id)?;
        return match name {
            Some(name) if doc.str("name") != Some(name) => Err(Error::new(
                Code::Exists,
                format!("the container has a name already, {}", doc.str("name").unwrap_or("its id")),
            )
            .hint("give --name to the tool that begins the container")),
            _ => Ok(false),
        };
    }
    let mut all = doc.section::<Map<String, Value>>("labels")?.unwrap_or_default();
    for label in labels {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        if key.is_empty() {
            return Err(Error::new(Code::Invalid, format!("label {label:?} has no key")));
        }
        all.insert(key.to_owned(), json!(value));
    }
    let lock = if trace::dry_run() { None } else { Some(Lock::store()?) };
    let id = container::claim(doc, name, lock.as_ref())?;
    doc.set("labels", &all)?;
    if let Some(lock) = &lock {
        container::begin(doc, lock).inspect_err(|_| drop(container::remove(&id)))?;
    }
    Ok(true)
}
