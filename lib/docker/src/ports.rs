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
    /// Where it is on the host, `0.0.0.0:8080` or `[::]:8080`; `None` where it is not published.
    pub fn host(&self) -> Option<String> {
        let (ip, public) = (self.ip.as_ref()?, self.public?);
        Some(if ip.contains(':') { format!("[{ip}]:{public}") } else { format!("{ip}:{public}") })
    }

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
    all(doc, if is_led(net) { published_all(net) } else { Vec::new() })
}

/// The same of one that may be off the networks by which its ports were reached: what it publishes again when it is back.
pub fn ports_wanted(doc: &Document) -> Vec<Port> {
    doc.get("net").map(|net| all(doc, published_all(net))).unwrap_or_default()
}

fn published_all(net: &Value) -> Vec<Port> {
    let six = has_six(net);
    let mappings = net.get("ports").and_then(Value::as_array);
    mappings.into_iter().flatten().flat_map(|mapping| published(mapping, six)).collect()
}

fn all(doc: &Document, mut ports: Vec<Port>) -> Vec<Port> {
    for port in exposed(doc) {
        if !ports.iter().any(|p| p.private == port.private && p.protocol == port.protocol) {
            ports.push(port);
        }
    }
    ports.sort();
    ports
}

fn list<'a>(net: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    net.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The address of the way out.
fn way_out(net: &Value) -> Option<&Value> {
    let route = list(net, "routes").find(|route| route["dst"] == "0.0.0.0/0")?;
    list(net, "ips").find(|ip| ip["gateway"] == route["gw"])
}

/// Whether ports lead anywhere: to the way out, whose interface has the host's end before it where the host is on that network;
/// those of CNI's plugins lead where these lead them. Of a section without `networks` nothing else is known.
fn is_led(net: &Value) -> bool {
    if net.get("networks").is_none() || list(net, "networks").any(|network| network["driver"] == "cni") {
        return true;
    }
    let place = way_out(net).and_then(|ip| ip["interface"].as_u64()).and_then(|place| place.checked_sub(1));
    place.is_some_and(|place| net["interfaces"][place as usize].get("sandbox").is_none())
}

/// Whether ports of every address are those of IPv6 too: the interface of the way out, to which they lead, has that.
fn has_six(net: &Value) -> bool {
    let Some(four) = way_out(net) else { return false };
    let is_six = |ip: &Value| ip["address"].as_str().is_some_and(|address| address.contains(':'));
    list(net, "ips").any(|ip| ip.get("interface") == four.get("interface") && is_six(ip))
}

/// One of an address; of every one that of each family.
fn published(mapping: &Value, six: bool) -> Vec<Port> {
    let number = |key: &str| mapping.get(key).and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
    let text = |key: &str| mapping.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
    let Some(private) = number("containerPort") else { return Vec::new() };
    let one = |ip: &str| Port {
        private,
        ip: Some(ip.to_owned()),
        public: number("hostPort"),
        protocol: text("protocol").unwrap_or("tcp").to_owned(),
    };
    match text("hostIP") {
        Some(ip) => vec![one(ip)],
        None if six => vec![one("0.0.0.0"), one("::")],
        None => vec![one("0.0.0.0")],
    }
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

    #[test]
    fn a_port_of_every_address_is_of_both_families() {
        let mut doc = Document::default();
        let mut net = json!({"ports": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
                {"hostIP": "0.0.0.0", "hostPort": 8081, "containerPort": 81, "protocol": "tcp"}],
            "ips": [{"address": "10.0.0.2/16", "gateway": "10.0.0.1", "interface": 2},
                {"address": "fd00::2/64", "interface": 2}],
            "routes": [{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}]});
        doc.set("net", &net).unwrap();
        let shown = |doc: &Document| ports(doc).iter().filter_map(Port::host).collect::<Vec<_>>();
        assert_eq!(shown(&doc), ["0.0.0.0:8080", "[::]:8080", "0.0.0.0:8081"]);
        net["ips"][1]["interface"] = json!(5);
        doc.set("net", &net).unwrap();
        assert_eq!(shown(&doc), ["0.0.0.0:8080", "0.0.0.0:8081"], "led to an interface without IPv6");
        net["networks"] = json!([{"name": "a", "interface": "eth0"}]);
        net["interfaces"] = json!([{"name": "br"}, {"name": "ve"}, {"name": "eth0", "sandbox": "/run/netns/x"}]);
        doc.set("net", &net).unwrap();
        assert_eq!(shown(&doc), ["0.0.0.0:8080", "0.0.0.0:8081"]);
        net["interfaces"][1] = json!({"name": "eth1", "sandbox": "/run/netns/x"});
        doc.set("net", &net).unwrap();
        assert!(shown(&doc).is_empty(), "of an interface over a parent the host knows nothing");
        net["networks"] = json!([]);
        net["routes"] = json!([]);
        doc.set("net", &net).unwrap();
        assert!(shown(&doc).is_empty() && ports_wanted(&doc).len() == 2, "off every network");
    }
}
