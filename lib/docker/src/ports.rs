//! The ports of a container: what it publishes, and what its image only says it listens on.

use ctr_core::{Document, Value, json};

/// One port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The container's.
    pub private: u16,
    /// The host's address, where it is published.
    pub ip: Option<String>,
    /// The host's port, where it is published.
    pub public: Option<u16>,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

impl Port {
    /// In docker's shape (Engine API, PortSummary).
    pub fn shape(&self) -> Value {
        let mut shape = json!({"PrivatePort": self.private, "Type": self.protocol});
        if let (Some(ip), Some(public)) = (&self.ip, self.public) {
            shape["IP"] = json!(ip);
            shape["PublicPort"] = json!(public);
        }
        shape
    }
}

/// The ports of a container that has a network: those of `net.ports` (CNI's port mappings), and the image's
/// exposed ones beside them. Sorted.
pub fn ports(doc: &Document) -> Vec<Port> {
    let Some(net) = doc.get("net") else { return Vec::new() };
    let mappings = net.get("ports").and_then(Value::as_array);
    let mut ports: Vec<Port> = mappings.into_iter().flatten().filter_map(published).collect();
    for port in exposed(doc) {
        if !ports.iter().any(|p| p.private == port.private && p.protocol == port.protocol) {
            ports.push(port);
        }
    }
    ports.sort();
    ports
}

fn published(mapping: &Value) -> Option<Port> {
    let number = |key: &str| mapping.get(key).and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
    let text = |key: &str| mapping.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
    Some(Port {
        private: number("containerPort")?,
        ip: Some(text("hostIP").unwrap_or("0.0.0.0").to_owned()),
        public: number("hostPort"),
        protocol: text("protocol").unwrap_or("tcp").to_owned(),
    })
}

/// `ExposedPorts` of the image, `{"80/tcp": {}}`, and what the container's own flags said.
pub fn exposed(doc: &Document) -> Vec<Port> {
    let config = doc.get("image").map(|image| &image["config"]["config"]["ExposedPorts"]);
    let words = config.and_then(Value::as_object).into_iter().flat_map(|ports| ports.keys());
    let said = doc.get("net").and_then(|net| net["exposed"].as_array()).into_iter().flatten().filter_map(Value::as_str);
    let port = |word: &str| {
        let (number, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        Some(Port { private: number.parse().ok()?, ip: None, public: None, protocol: protocol.to_owned() })
    };
    words.map(String::as_str).chain(said).filter_map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_stand_for_exposed_ones() {
        let mut doc = Document::default();
        doc.set("image", &json!({"config": {"config": {"ExposedPorts": {"80/tcp": {}, "443/tcp": {}}}}})).unwrap();
        assert!(ports(&doc).is_empty(), "without a network nothing is reached");
        doc.set("net", &json!({"ports": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]})).unwrap();
        let found = ports(&doc);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].private, found[0].public, found[0].ip.as_deref()), (80, Some(8080), Some("0.0.0.0")));
        assert_eq!((found[1].private, found[1].public), (443, None));
    }
}
