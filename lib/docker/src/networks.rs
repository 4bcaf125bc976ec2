//! The networks of a container, from its section `net` (a CNI result) and its network namespace.

use ctr_core::{Document, Value, json};

/// One network that a container is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// Its name: `bridge` where the section has none, `host` and `none` as docker has them.
    pub network: String,
    /// The addresses with their prefix lengths, `10.0.0.2/16`.
    pub addresses: Vec<String>,
    /// The gateways, one an address; empty where there is none.
    pub gateways: Vec<String>,
    /// The hardware address of the interface.
    pub mac: String,
    /// The host's end of the interface, by its name there; empty where it has none.
    pub end: String,
    /// The default route goes by the network that has most of it.
    pub priority: i64,
    /// What else it is called there.
    pub aliases: Vec<String>,
    /// Others by its own names for them, `CONTAINER:ALIAS`.
    pub links: Vec<String>,
}

/// The networks; none before the namespaces are settled, and none where another's namespace is joined.
pub fn attachments(doc: &Document) -> Vec<Attachment> {
    let bare = |network: &str| vec![Attachment { network: network.to_owned(), ..Attachment::default() }];
    if let Some(net) = doc.get("net") {
        return of_cni(net);
    }
    match namespace(doc, "network") {
        Some(mode) if mode == "host" => bare("host"),
        // A new one that nothing was attached to: loopback alone.
        Some(mode) if mode == "private" => bare("none"),
        _ => Vec::new(),
    }
}

/// CNI specification 1.1, ADD success: `interfaces` and `ips`, of which each names its interface by its place; and our
/// `networks`, of which each names its interface by its name inside. Without them all is one network's.
fn of_cni(net: &Value) -> Vec<Attachment> {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    // Those without a sandbox are the host's ends.
    let interfaces = list(net, "interfaces");
    let mut inside = interfaces.iter().enumerate().filter(|(_, i)| !text(i, "sandbox").is_empty());
    let Some(networks) = net.get("networks").and_then(Value::as_array) else {
        return vec![Attachment {
            network: Some(text(net, "name")).filter(|name| !name.is_empty()).unwrap_or_else(|| "bridge".to_owned()),
            addresses: list(net, "ips").iter().map(|ip| text(ip, "address")).collect(),
            gateways: list(net, "ips").iter().map(|ip| text(ip, "gateway")).collect(),
            mac: inside.next().map(|(_, i)| text(i, "mac")).unwrap_or_default(),
            ..Attachment::default()
        }];
    };
    let one = |network: &Value| {
        let name = text(network, "interface");
        let own = inside.clone().find(|(_, i)| text(i, "name") == name);
        let place = own.map(|(place, _)| json!(place));
        let ips: Vec<Value> = list(net, "ips").into_iter().filter(|ip| ip.get("interface") == place.as_ref()).collect();
        Attachment {
            network: text(network, "name"),
            addresses: ips.iter().map(|ip| text(ip, "address")).collect(),
            gateways: ips.iter().map(|ip| text(ip, "gateway")).collect(),
            mac: own.map(|(_, i)| text(i, "mac")).unwrap_or_default(),
            // It stands before the container's.
            end: own.and_then(|(place, _)| host_end(interfaces.get(place.checked_sub(1)?)?)).unwrap_or_default(),
            priority: network.get("gwPriority").and_then(Value::as_i64).unwrap_or_default(),
            aliases: list(network, "aliases").iter().filter_map(|a| a.as_str().map(str::to_owned)).collect(),
            links: list(network, "links")
                .iter()
                .map(|link| format!("{}:{}", text(link, "container"), text(link, "alias")))
                .collect(),
        }
    };
    networks.iter().map(one).collect()
}

/// The name of an interface that is in no sandbox.
fn host_end(interface: &Value) -> Option<String> {
    let name = interface.get("name").and_then(Value::as_str)?;
    interface.get("sandbox").is_none().then(|| name.to_owned())
}

/// What a finished spec says of one kind of namespace: `private`, `host` or `ns:PATH`; `None` before it is finished.
pub fn namespace(doc: &Document, kind: &str) -> Option<String> {
    let list = doc.get("spec")?.get("linux")?.get("namespaces")?.as_array()?;
    let entry = list.iter().find(|n| n.get("type").and_then(Value::as_str) == Some(kind));
    Some(match entry.map(|n| n.get("path").and_then(Value::as_str)) {
        None => "host".to_owned(),
        Some(None) => "private".to_owned(),
        Some(Some(path)) => format!("ns:{path}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(namespaces: Value, net: Option<Value>) -> Document {
        let mut doc = Document::default();
        doc.set("spec", &json!({"linux": {"namespaces": namespaces}})).unwrap();
        if let Some(net) = net {
            doc.set("net", &net).unwrap();
        }
        doc
    }

    #[test]
    fn none_host_joined_and_attached() {
        let names = |doc: &Document| attachments(doc).into_iter().map(|a| a.network).collect::<Vec<_>>();
        assert_eq!(names(&doc(json!([{"type": "network"}]), None)), ["none"]);
        assert_eq!(names(&doc(json!([{"type": "pid"}]), None)), ["host"]);
        assert!(names(&doc(json!([{"type": "network", "path": "/run/netns/x"}]), None)).is_empty());
        assert!(names(&Document::default()).is_empty());
        let net = json!({"interfaces": [{"name": "veth1", "mac": "02:00:00:00:00:01"},
                {"name": "eth0", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/x"}],
            "ips": [{"address": "10.0.0.2/16", "gateway": "10.0.0.1", "interface": 1}]});
        let found = attachments(&doc(json!([{"type": "network", "path": "/run/netns/x"}]), Some(net)));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].network, "bridge");
        assert_eq!((found[0].mac.as_str(), found[0].addresses[0].as_str()), ("02:00:00:00:00:02", "10.0.0.2/16"));
    }

    #[test]
    fn on_several_networks() {
        let net = json!({"name": "a", "interfaces": [
                {"name": "eth0", "mac": "02:00:00:00:00:01", "sandbox": "/run/netns/x"}, {"name": "veth1"},
                {"name": "eth1", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/x"}],
            "ips": [{"address": "10.0.0.2/16", "gateway": "10.0.0.1", "interface": 0},
                {"address": "10.1.0.2/16", "interface": 2}, {"address": "fd00::2/64", "interface": 2}],
            "networks": [{"name": "a", "interface": "eth0"}, {"name": "b", "interface": "eth1", "aliases": ["db"]}]});
        let found = attachments(&doc(json!([{"type": "network", "path": "/run/netns/x"}]), Some(net)));
        assert_eq!(found.iter().map(|a| a.network.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(found[1].addresses, ["10.1.0.2/16", "fd00::2/64"]);
        assert_eq!((found[1].mac.as_str(), found[1].aliases.as_slice()), ("02:00:00:00:00:02", &["db".to_owned()][..]));
        assert_eq!((found[0].end.as_str(), found[1].end.as_str()), ("", "veth1"));
    }
}
