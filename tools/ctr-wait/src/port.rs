//! A TCP port inside the container.

use crate::waiting::Waiting;
use ctr_core::{Cannot, Result, Value, container::Handle};
use ctr_lifecycle::Noted;
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::fd::BorrowedFd,
    thread,
    time::Duration,
};

/// How often it is tried.
pub const RETRY: Duration = Duration::from_millis(50);
/// An address of its own that does not answer for so long is dropped by a filter.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits until somebody accepts connections to it.
pub fn wait(waiting: &Waiting<'_>, port: u16) -> Result<()> {
    waiting.until(|now| {
        waiting.must_go_on(now)?;
        let Noted::Alive(state) = now else { return Ok(None) };
        let Some(process) = Handle::open(state)? else { return Ok(None) };
        let addresses = addresses(waiting.document()?.get("net"));
        Ok(answers(process.fd(), port, &addresses)?.then_some(()))
    })
}

/// Loopback, and what the section `net` says (a CNI result).
fn addresses(net: Option<&Value>) -> Vec<IpAddr> {
    let ips = net.and_then(|net| net.get("ips")).and_then(Value::as_array).into_iter().flatten();
    let ips = ips.filter_map(|ip| ip.get("address")?.as_str()?.split('/').next()?.parse().ok());
    [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].into_iter().chain(ips).collect()
}

/// A thread joins the network namespace of the process, and nothing else of it, by the descriptor (setns(2)).
fn answers(process: BorrowedFd<'_>, port: u16, addresses: &[IpAddr]) -> Result<bool> {
    let tries = || {
        match move_into_thread_name_spaces(process, ThreadNameSpaceType::NETWORK) {
            // It has just ended.
            Err(rustix::io::Errno::SRCH) => return Ok(false),
            other => other.cannot(|| "join the network namespace of the container")?,
        }
        let connects = |ip: &IpAddr| TcpStream::connect_timeout(&SocketAddr::new(*ip, port), PATIENCE).is_ok();
        Ok(addresses.iter().any(connects))
    };
    thread::scope(|scope| scope.spawn(tries).join()).unwrap_or(Ok(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::json;

    #[test]
    fn addresses_are_loopback_and_those_of_the_network() {
        assert_eq!(addresses(None).len(), 2);
        let net = json!({"cniVersion": "1.1.0", "ips": [{"address": "10.88.0.5/24"}, {"address": "no"}, {}]});
        assert_eq!(addresses(Some(&net)).last(), Some(&IpAddr::from([10, 88, 0, 5])));
        assert_eq!(addresses(Some(&net)).len(), 3);
    }
}
