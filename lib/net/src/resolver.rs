//! The resolver of a network, `net-dns`: its address, whether it runs, its start.
//!
//! There is one a network, told by the lock on its file in the run directory, which the kernel frees when it dies. Its sockets
//! are bound by who starts it and handed over, so nobody waits for it: what containers ask meanwhile is queued.

use crate::{
    Network,
    background::{self, PATIENCE},
    holder, network,
};
use ctr_core::{Cannot, Code, Error, Process, Result, container, files, json, paths, trace};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketType, netdevice},
};
use serde::{Deserialize, Serialize};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fs::File,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// Where it listens, at the gateway's address. The firewall leads port 53 of that address here: so neither a server of the
/// host's on every address nor a container that publishes that port is in its way, nor it in theirs. Only root binds it (ip(7)),
/// so nobody else answers while it is dead; IANA has it reserved, and it is below what bindresvport(3) takes.
pub const PORT: u16 = 253;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// What its file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// Its process.
    pub pid: i32,
    /// The start time of that.
    pub pid_start: u64,
    /// The bridge that its sockets are bound to, by its number in the kernel.
    pub bridge: u32,
}

/// Its sockets.
#[derive(Debug)]
pub struct Sockets {
    /// Takes queries.
    pub udp: UdpSocket,
    /// Takes connections.
    pub tcp: TcpListener,
}

/// The address at which containers of the network find it; `None` where they have none: the default network has no names,
/// docker's neither, and one without a bridge has nothing of the host's to ask.
pub fn address(network: &Network) -> Option<Ipv4Addr> {
    if network.name == network::DEFAULT || network.driver != "bridge" {
        return None;
    }
    network.subnets.iter().find_map(|pool| match pool.gateway {
        IpAddr::V4(gateway) => Some(gateway),
        IpAddr::V6(_) => None,
    })
}

/// The number in the kernel of the network's bridge; `None` where it is not there.
///
/// # Errors
/// The kernel's.
pub fn bridge(network: &Network) -> Result<Option<u32>> {
    let name = network.bridge();
    let index = || {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
        netdevice::name_to_index(socket, &name)
    };
    match index() {
        Err(Errno::NODEV) => Ok(None),
        other => other.map(Some).cannot(|| format!("look for bridge {name}")),
    }
}

/// The directory of their files.
pub fn dir() -> PathBuf {
    paths::run().join("dns")
}

fn path(network: &str) -> PathBuf {
    dir().join(network)
}

/// The file of a network's resolver, locked by the caller; `None` where another has the lock: one runs.
///
/// # Errors
/// The file system's.
pub fn lock(network: &str) -> Result<Option<File>> {
    background::lock(&path(network))
}

/// Takes the file away, whose lock the caller has.
///
/// # Errors
/// The file system's.
pub fn forget(network: &str, _lock: &File) -> Result<()> {
    files::remove_file(&path(network))
}

/// The resolver of the network, while it runs.
///
/// # Errors
/// The file system's.
pub fn running(network: &str) -> Result<Option<Note>> {
    let note = background::note_at::<Note>(&path(network))?;
    Ok(note.filter(|note| container::process_start(note.pid) == Some(note.pid_start)))
}

/// Why nobody resolves on a network whose bridge has this number; `None` where one does.
///
/// # Errors
/// The file system's.
pub fn missing(network: &Network, bridge: Option<u32>) -> Result<Option<Error>> {
    if address(network).is_none() || running(&network.name)?.is_some_and(|note| Some(note.bridge) == bridge) {
        return Ok(None);
    }
    let why = background::last_words(&path(&network.name));
    let error = Error::new(Code::NotFound, format!("no resolver of network {}{why}", network.name));
    Ok(Some(error.hint("net-dns --gc starts it")))
}

/// Writes into its file that the process `pid` resolves, by sockets bound to the bridge with this number.
///
/// # Errors
/// The file system's.
pub fn sign(file: &File, pid: u32, bridge: u32) -> Result<()> {
    let pid = pid as i32;
    let note = Note { pid, pid_start: container::process_start(pid).unwrap_or_default(), bridge };
    background::sign(file, &note)
}

/// Binds its sockets: to the gateway's address, and to the bridge, so that nobody else reaches them.
///
/// # Errors
/// `exists`, naming who listens there; `not-found` without the bridge.
pub fn bind(network: &Network, address: Ipv4Addr) -> Result<Sockets> {
    let at = SocketAddr::from((address, PORT));
    let bridge = network.bridge();
    let bound = |kind: Type| -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, kind, None)?;
        socket.bind_device(Some(bridge.as_bytes()))?;
        // Connections of one before may not be forgotten yet.
        socket.set_reuse_address(kind == Type::STREAM)?;
        socket.bind(&SockAddr::from(at))?;
        socket.set_nonblocking(true)?;
        if kind == Type::STREAM {
            socket.listen(BACKLOG)?;
        }
        Ok(socket)
    };
    let named = |e: io::Error, protocol: &str| match e.kind() {
        ErrorKind::AddrInUse => {
            let holder = holder::of_port(protocol, PORT);
            Error::new(Code::Exists, format!("cannot resolve names at {at}/{protocol}: held by {holder}"))
        }
        _ if e.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => {
            Error::new(Code::NotFound, format!("no bridge {bridge}"))
        }
        _ => Error::io(format!("resolve names at {at}/{protocol}"), &e),
    };
    let udp = bound(Type::DGRAM).map_err(|e| named(e, "udp"))?.into();
    let tcp = bound(Type::STREAM).map_err(|e| named(e, "tcp"))?.into();
    Ok(Sockets { udp, tcp })
}

/// Starts the resolver of the network unless it runs, on the bridge with this number. An address of the network is in use
/// already, so one that runs does not leave. The caller is in the host's network namespace.
///
/// # Errors
/// Those of [`bind`]; the kernel's.
pub fn start(network: &Network, bridge: u32) -> Result<()> {
    let Some(address) = address(network) else { return Ok(()) };
    if trace::dry_run() {
        return trace::act("start", || json!({"resolver": network.name}), || Ok(()));
    }
    let Some(file) = vacant(&network.name, bridge)? else { return Ok(()) };
    trace::act("start", || json!({"resolver": network.name}), || spawn(network, &file, bind(network, address)?, bridge))
}

/// The file of a resolver that is to be started; `None` where one runs. One whose bridge is gone is reached by nobody: it is
/// ended.
fn vacant(network: &str, bridge: u32) -> Result<Option<File>> {
    let start = Instant::now();
    loop {
        if let Some(file) = lock(network)? {
            return Ok(Some(file));
        }
        match running(network)? {
            Some(note) if note.bridge == bridge => return Ok(None),
            Some(note) if start.elapsed() < 3 * PATIENCE => end(note)?,
            // Another starts one this moment, which says at once who it is, or it leaves.
            None if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
            Some(_) => {
                return Err(Error::new(Code::Busy, format!("another resolver of network {network} does not end")));
            }
            None => return Err(Error::new(Code::Busy, format!("the resolver of network {network} does not start"))),
        }
    }
}

/// Ends a resolver and waits until it is gone; one that does not leave is killed.
///
/// # Errors
/// `busy` for one that is there still, as one that is frozen; the kernel's.
pub fn end(note: Note) -> Result<()> {
    let process = Process { pid: note.pid, pid_start: note.pid_start };
    background::end(process, || json!({"resolver": note.pid}))
}

/// The sockets are its input and output; the file, which is its lock too, takes its last words. It signs the file itself if
/// this process is killed before.
fn spawn(network: &Network, file: &File, sockets: Sockets, bridge: u32) -> Result<()> {
    let need = format!("names on network {}", network.name);
    let child = background::start("net-dns", file, &need, |command| {
        command.args([&format!("--sockets={bridge}"), &network.name]);
        command.stdin(OwnedFd::from(sockets.udp)).stdout(OwnedFd::from(sockets.tcp));
    })?;
    sign(file, child.id(), bridge)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::network::Pool;

    #[test]
    fn only_networks_of_users_have_one() {
        let pool = || Pool::new("10.9.0.0/24".parse().unwrap(), None, None).unwrap();
        assert_eq!(address(&Network::new("web", pool())), Some(Ipv4Addr::new(10, 9, 0, 1)));
        assert_eq!(address(&Network::new(network::DEFAULT, pool())), None);
    }

    #[test]
    fn a_note_is_told_from_last_words() {
        let note = Note { pid: 7, pid_start: 8, bridge: 9 };
        let text = serde_json::to_string(&note).unwrap();
        assert_eq!(background::read_note(&format!("net-dns: something\n{text}\n")), Some(note));
        assert_eq!(background::read_note::<Note>("net-dns: something\n"), None);
    }
}
