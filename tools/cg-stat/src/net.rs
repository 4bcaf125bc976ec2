//! What went through the interfaces of a container's network namespace, as the host's /proc shows it.

use crate::kernel::Kernel;
use ctr_core::{Process, container};
use serde::Serialize;
use std::fs;

/// One interface, as seen from inside the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    /// Its name in the namespace.
    #[serde(rename = "interface")]
    pub name: String,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Receive errors.
    pub rx_errors: u64,
    /// Packets received and dropped.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Send errors.
    pub tx_errors: u64,
    /// Packets dropped instead of sent.
    pub tx_dropped: u64,
}

/// Reads those of the namespace that `process` is in; `None` where that is ours, the host's, or the process is gone.
pub fn read(kernel: &mut Kernel, process: Process) -> Option<Vec<Interface>> {
    let pid = process.pid;
    let namespace = fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
    if Some(&namespace) == kernel.own_net.as_ref() {
        return None;
    }
    let interfaces = parse(&kernel.proc(&format!("/proc/{pid}/net/dev"))?);
    // Still the same process: then it was it all the time.
    container::is_running(process).then_some(interfaces)
}

/// Two lines of titles, then `name: ` and sixteen numbers (proc_pid_net(5)).
fn parse(text: &str) -> Vec<Interface> {
    text.lines().skip(2).filter_map(interface).collect()
}

fn interface(line: &str) -> Option<Interface> {
    // A name has no colon in it (dev_valid_name).
    let (name, numbers) = line.split_once(':')?;
    let numbers: Vec<u64> = numbers.split_ascii_whitespace().map_while(|number| number.parse().ok()).collect();
    let [rx_bytes, rx_packets, rx_errors, rx_dropped, _, _, _, _, tx_bytes, tx_packets, tx_errors, tx_dropped, ..] =
        numbers[..]
    else {
        return None;
    };
    let name = name.trim().to_owned();
    Some(Interface { name, rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_has_a_line() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
            lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n  \
            eth0: 9876543210 100   1    2    0     0          0         3   456789     200    4    5    0     0       0          0\n";
        let found = parse(text);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].rx_bytes), ("lo", 0));
        let expected = Interface {
            name: "eth0".to_owned(),
            rx_bytes: 9_876_543_210,
            rx_packets: 100,
            rx_errors: 1,
            rx_dropped: 2,
            tx_bytes: 456_789,
            tx_packets: 200,
            tx_errors: 4,
            tx_dropped: 5,
        };
        assert_eq!(found[1], expected);
    }
}
