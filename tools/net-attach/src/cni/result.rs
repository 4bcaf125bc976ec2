//! A result of CNI (SPEC.md, section 5, "Add Success"), in the form of each version.

use super::call::Call;
use ctr_core::{Value, json};
use ctr_net::Net;

/// What `ADD` prints: what plugins before this one gave, and what the section says.
pub(super) fn result(call: &Call, net: &Net) -> Value {
    let before = &call.config["prevResult"];
    let list = |name: &str| before[name].as_array().cloned().unwrap_or_default();
    let mut interfaces = list("interfaces");
    let offset = interfaces.len();
    for interface in &net.interfaces {
        let mut one = json!(interface);
        if call.version != "1.1.0"
            && let Some(one) = one.as_object_mut()
        {
            one.shift_remove("mtu");
        }
        interfaces.push(one);
    }
    let mut ips = list("ips");
    for ip in &net.ips {
        let mut one = json!(ip);
        one["interface"] = json!(ip.interface + offset);
        if call.version == "0.4.0" {
            one["version"] = json!(if ip.address.contains(':') { "6" } else { "4" });
        }
        ips.push(one);
    }
    let mut routes = list("routes");
    routes.extend(net.routes.iter().map(|route| json!(route)));
    let dns = if before["dns"].is_object() { before["dns"].clone() } else { json!(net.dns) };
    let dns = if call.config["dns"].is_object() { call.config["dns"].clone() } else { dns };
    json!({"cniVersion": call.version, "interfaces": interfaces, "ips": ips, "routes": routes, "dns": dns})
}
