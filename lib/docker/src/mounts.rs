//! What the user mounted into a container.

use ctr_core::{Document, Value, container, json, paths};
use std::path::Path;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The name of the volume; `None` for a path of the host.
    pub volume: Option<String>,
    /// What is mounted.
    pub source: String,
    /// Where.
    pub destination: String,
    /// It may be written to.
    pub writable: bool,
    /// `rprivate`, `rslave`, `rshared` or the same without the r; empty where nothing is said.
    pub propagation: String,
}

impl Mount {
    /// In docker's shape (Engine API, MountPoint).
    pub fn shape(&self) -> Value {
        let mode = if self.writable { "" } else { "ro" };
        let mut shape = match &self.volume {
            Some(name) => json!({"Type": "volume", "Name": name, "Driver": "local"}),
            None => json!({"Type": "bind"}),
        };
        shape["Source"] = json!(self.source);
        shape["Destination"] = json!(self.destination);
        shape["Mode"] = json!(mode);
        shape["RW"] = json!(self.writable);
        shape["Propagation"] = json!(self.propagation);
        shape
    }
}

/// The binds of `spec.mounts` but those that every container has: its own files under /etc, and the host's kernel
/// file systems in the place of its own.
pub fn mounts(doc: &Document) -> Vec<Mount> {
    let own = container::dir(doc.str("id").unwrap_or_default());
    doc.mounts().iter().filter_map(|mount| bind(mount, &own)).collect()
}

fn bind(mount: &Value, own: &Path) -> Option<Mount> {
    const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev/shm"];
    let text = |key: &str| mount.get(key).and_then(Value::as_str);
    let (source, destination) = (text("source")?, text("destination")?);
    let options: Vec<&str> = mount["options"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let is_bind = text("type") == Some("bind") || options.iter().any(|o| matches!(*o, "bind" | "rbind"));
    let of_host = source == destination && KERNEL.contains(&destination);
    if !is_bind || of_host || Path::new(source).starts_with(own) {
        return None;
    }
    let propagation = |o: &&&str| matches!(o.trim_start_matches('r'), "private" | "slave" | "shared");
    Some(Mount {
        volume: paths::volume_at(Path::new(source)).map(|(name, _)| name.to_owned()),
        source: source.to_owned(),
        destination: destination.to_owned(),
        writable: !options.contains(&"ro"),
        propagation: options.iter().find(propagation).map(|o| (*o).to_owned()).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_binds_are_told_from_ours() {
        let mut doc = Document::default();
        let id = "ab".repeat(32);
        doc.set("id", &id).unwrap();
        let bind = |source: String, destination: &str, options: &[&str]| json!({"type": "bind", "source": source, "destination": destination, "options": options});
        let hosts = container::dir(&id).join("hosts").display().to_string();
        let data = paths::volume_data("db").display().to_string();
        let list = json!([
            {"type": "proc", "source": "proc", "destination": "/proc"},
            bind("/sys".to_owned(), "/sys", &["rbind", "ro"]),
            bind(hosts, "/etc/hosts", &["rbind", "rprivate"]),
            bind("/srv".to_owned(), "/srv", &["rbind", "rslave", "ro"]),
            bind(data.clone(), "/data", &["rbind", "rprivate"]),
        ]);
        doc.set("spec", &json!({"mounts": list})).unwrap();
        let found = mounts(&doc);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].source.as_str(), found[0].writable, found[0].volume.clone()), ("/srv", false, None));
        assert_eq!(found[0].propagation, "rslave");
        assert_eq!((found[1].source.clone(), found[1].volume.as_deref()), (data, Some("db")));
    }
}
