//! A container's ports as docker prints them: `0.0.0.0:8000-8002->8000-8002/tcp, 443/tcp`.

use ctr_core::Value;

/// Ports in a row that are published on the same numbers of one address, or not at all.
struct Run {
    /// The host's address; `None` of ports that are not published.
    ip: Option<String>,
    protocol: String,
    first: u64,
    last: u64,
}

impl Run {
    fn words(&self) -> String {
        let numbers =
            if self.first == self.last { self.first.to_string() } else { format!("{}-{}", self.first, self.last) };
        match &self.ip {
            Some(ip) => format!("{}:{numbers}->{numbers}/{}", host(ip), self.protocol),
            None => format!("{numbers}/{}", self.protocol),
        }
    }
}

/// The record's `Ports`, runs of numbers together; those published on another number come last, one by one.
pub fn words(record: &Value) -> String {
    let list = record.get("Ports").and_then(Value::as_array).into_iter().flatten();
    let mut ports: Vec<_> = list
        .filter_map(|port| {
            let text = |key: &str| port.get(key).and_then(Value::as_str);
            let number = |key: &str| port.get(key).and_then(Value::as_u64);
            Some((number("PrivatePort")?, text("IP"), number("PublicPort"), text("Type").unwrap_or("tcp")))
        })
        .collect();
    ports.sort_unstable();
    let (mut done, mut open, mut moved) = (Vec::new(), Vec::<Run>::new(), Vec::new());
    for (private, ip, public, protocol) in ports {
        if let (Some(ip), Some(public)) = (ip, public.filter(|public| *public != private)) {
            moved.push(format!("{}:{public}->{private}/{protocol}", host(ip)));
            continue;
        }
        match open.iter_mut().find(|run| run.ip.as_deref() == ip && run.protocol == protocol) {
            Some(run) if private == run.last + 1 => run.last = private,
            found => {
                let run =
                    Run { ip: ip.map(str::to_owned), protocol: protocol.to_owned(), first: private, last: private };
                match found {
                    Some(before) => done.push(std::mem::replace(before, run).words()),
                    None => open.push(run),
                }
            }
        }
    }
    done.extend(open.iter().map(Run::words));
    done.extend(moved);
    done.join(", ")
}

/// An IPv6 address stands in brackets before a port.
fn host(ip: &str) -> String {
    if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::words;
    use ctr_core::{Value, json};

    #[test]
    fn ports_as_docker_prints_them() {
        let on = |ip: &str, public: u16, private: u16| json!({"IP": ip, "PublicPort": public, "PrivatePort": private, "Type": "tcp"});
        let exposed = |private: u16, protocol: &str| json!({"PrivatePort": private, "Type": protocol});
        for (ports, text) in [
            (vec![], ""),
            (vec![exposed(80, "tcp")], "80/tcp"),
            (vec![on("0.0.0.0", 80, 80), exposed(443, "tcp")], "0.0.0.0:80->80/tcp, 443/tcp"),
            (vec![on("0.0.0.0", 8080, 80), on("::", 8080, 80)], "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"),
            (
                vec![on("127.0.0.1", 9, 9), on("127.0.0.1", 8, 8), on("127.0.0.1", 7, 7), on("127.0.0.1", 5, 5)],
                "127.0.0.1:5->5/tcp, 127.0.0.1:7-9->7-9/tcp",
            ),
            (vec![exposed(53, "udp"), exposed(53, "tcp"), exposed(54, "tcp")], "53-54/tcp, 53/udp"),
            (vec![on("0.0.0.0", 8080, 80), exposed(443, "tcp")], "443/tcp, 0.0.0.0:8080->80/tcp"),
        ] {
            assert_eq!(words(&json!({"Ports": ports})), text);
        }
        assert_eq!(words(&Value::Null), "");
    }
}
