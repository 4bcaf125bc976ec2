//! A container of its own for a document that has none yet.

use ctr_core::{Code, Document, Error, Lock, Result, container, trace};

/// Claims id and name unless the document has them; gives whether it did.
pub fn begin(doc: &mut Document, name: Option<&str>, labels: &[String]) -> Result<bool> {
    if let Some(id) = doc.str("id") {
        // One that was removed is not started by what is left of its document: its name may be another's by now.
        container::recorded(container::checked_id(id)?)?;
        return match name {
            Some(name) if doc.str("name") != Some(name) => Err(Error::new(
                Code::Exists,
                format!("the container has a name already, {}", doc.str("name").unwrap_or("its id")),
            )
            .hint("give --name to the tool that begins the container")),
            _ => Ok(false),
        };
    }
    let labels = container::labels(doc, labels)?;
    let lock = if trace::dry_run() { None } else { Some(Lock::store()?) };
    let id = container::claim(doc, name, lock.as_ref())?;
    doc.set("labels", &labels)?;
    if let Some(lock) = &lock {
        container::begin(doc, lock).inspect_err(|_| drop(container::remove_locked(&id, lock)))?;
    }
    Ok(true)
}
