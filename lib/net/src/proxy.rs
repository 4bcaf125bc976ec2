//! The proxy of a container, `net-proxy`: its ports, whether it runs, its start and end.
//!
//! There is one a container whose ports are published so, told by the lock on its file in the run directory. Its sockets are bound
//! by who starts it, which is the check whether a port is free, and handed over: what comes meanwhile is queued. One whose file
//! is taken away closes them and lives as long as its connections do.

use crate::{
    Claim, PublishMode, address,
    background::{self, PATIENCE},
    holder, port,
};
use ctr_core::{Cannot, Code, Error, Process, Result, container, files, json, paths, trace};
use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, IoSlice},
    mem::MaybeUninit,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

/// Connections that wait to be accepted; the kernel allows no more than net.core.somaxconn of them.
const BACKLOG: i32 = 4096;

/// A port that it takes, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The host's address and port.
    pub at: SocketAddr,
    /// The container's.
    pub to: SocketAddr,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.at, self.protocol)
    }
}

/// What its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// Its process.
    pub pid: i32,
    /// The start time of that.
    pub pid_start: u64,
    /// Its ports.
    pub ports: Vec<Port>,
}

impl Note {
    fn process(&self) -> Process {
        Process { pid: self.pid, pid_start: self.pid_start }
    }
}

/// The directory of their files.
pub fn dir() -> PathBuf {
    paths::run().join("proxies")
}

fn path(id: &str) -> PathBuf {
    dir().join(id)
}

/// The ports that these claims give to a proxy.
pub fn ports(claims: &[Claim]) -> Vec<Port> {
    let port = |claim: &Claim| Port {
        protocol: claim.protocol.to_owned(),
        at: (claim.ip, claim.port).into(),
        to: (claim.target, claim.target_port).into(),
    };
    let own = claims.iter().filter(|claim| claim.mode == PublishMode::Proxy);
    let mut ports: Vec<_> = own.map(port).collect();
    ports.sort();
    ports
}

/// The ports of container `id`'s proxy.
///
/// # Errors
/// The file system's.
pub fn ports_of(id: &str) -> Result<Vec<Port>> {
    Ok(ports(&port::claims_of(id)?))
}

/// The proxy of the container, while it runs.
///
/// # Errors
/// The file system's.
pub fn running(id: &str) -> Result<Option<Note>> {
    let note = background::note_at::<Note>(&path(id))?;
    Ok(note.filter(|note| container::is_running(note.process())))
}

/// An error for each of the container's ports that its proxy has not, for it does not run, or has others.
///
/// # Errors
/// The file system's.
pub fn missing(id: &str) -> Result<Vec<Error>> {
    let ports = ports_of(id)?;
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    let has = running(id)?.map_or_else(Vec::new, |note| note.ports);
    let (name, why) = (address::name_of(id), background::last_words(&path(id)));
    let lost = ports
        .iter()
        .filter(|port| !has.contains(port))
        .map(|port| format!("no proxy has port {port} of container {name}{why}"));
    let stray = has
        .iter()
        .filter(|port| !ports.contains(port))
        .map(|port| format!("the proxy of container {name} has port {port} yet"));
    let error = |message| Error::new(Code::NotFound, message).hint("net-attach --repair starts it");
    Ok(lost.chain(stray).map(error).collect())
}

/// Binds the sockets of these ports.
///
/// # Errors
/// `exists`, naming who listens there; the kernel's.
pub fn bind(ports: &[Port]) -> Result<Vec<OwnedFd>> {
    let bound = |port: &Port| {
        bind_one(port).map_err(|e| {
            if e.kind() != ErrorKind::AddrInUse {
                return Error::io(format!("publish {port}"), &e);
            }
            let holder = holder::of_port(&port.protocol, port.at.port());
            Error::new(Code::Exists, format!("cannot publish {port}: held by {holder}"))
        })
    };
    ports.iter().map(bound).collect()
}

fn bind_one(port: &Port) -> io::Result<OwnedFd> {
    let kind = if port.protocol == "udp" { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(port.at), kind, None)?;
    if port.at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // Connections of one before may go on.
        socket.set_reuse_address(true)?;
    } else if port.at.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    } else {
        // Of which of the host's addresses a datagram came to, the answer comes from.
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    }
    socket.bind(&SockAddr::from(port.at))?;
    socket.set_nonblocking(true)?;
    if kind == Type::STREAM {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

/// Makes the proxy of container `id` have the ports that are claimed for it: one that has others is replaced, and its connections
/// go on.
///
/// # Errors
/// Those of [`bind`] and [`start`].
pub fn carry(id: &str) -> Result<()> {
    let ports = ports_of(id)?;
    if running(id)?.is_some_and(|note| note.ports == ports) {
        return Ok(());
    }
    retire(id)?;
    if ports.is_empty() || trace::dry_run() { Ok(()) } else { start(id, &ports, bind(&ports)?) }
}

/// The file of container `id`'s proxy, locked by the caller; `None` where one runs.
///
/// # Errors
/// The file system's.
pub fn lock(id: &str) -> Result<Option<File>> {
    background::lock(&path(id))
}

/// Starts the proxy with these ports and their sockets.
///
/// # Errors
/// `unsupported` where there is no program; `busy` where another runs; the kernel's.
pub fn start(id: &str, ports: &[Port], sockets: Vec<OwnedFd>) -> Result<()> {
    if ports.is_empty() {
        return Ok(());
    }
    trace::act("start", || json!({"proxy": id, "ports": ports}), || spawn(id, ports, &sockets))
}

fn spawn(id: &str, ports: &[Port], sockets: &[OwnedFd]) -> Result<()> {
    let busy = || Error::new(Code::Busy, format!("container {} has a proxy already", address::name_of(id)));
    let file = lock(id)?.ok_or_else(busy)?;
    let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let (own, its) = pair.cannot(|| "make a socket")?;
    // Its end of the pair is the child's alone.
    let child = background::start("net-proxy", &file, "ports by a proxy", |command| {
        command.args(["--sockets", id]).stdin(its).stdout(Stdio::null());
    })?;
    sign(&file, child.id(), ports)?;
    for (port, socket) in ports.iter().zip(sockets) {
        let text = serde_json::to_string(port).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        pass(&own, text.as_bytes(), socket).map_err(|e| {
            let words = background::last_words(&path(id));
            Error::new(Code::Io, format!("cannot hand port {} over to the proxy: {e}{words}", port.at))
        })?;
    }
    Ok(())
}

fn pass(to: &OwnedFd, text: &[u8], socket: &OwnedFd) -> rustix::io::Result<()> {
    let fds = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(to, &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// Writes into its file that the process `pid` has these ports.
///
/// # Errors
/// The file system's.
pub fn sign(file: &File, pid: u32, ports: &[Port]) -> Result<()> {
    let pid = pid as i32;
    let pid_start = container::process_start(pid).unwrap_or_default();
    background::sign(file, &Note { pid, pid_start, ports: ports.to_vec() })
}

/// Takes the ports from the container's proxy, if it runs, and waits until it has closed them. Its connections go on.
///
/// # Errors
/// The file system's.
pub fn retire(id: &str) -> Result<()> {
    let Some(note) = running(id)? else { return forget(id) };
    let path = path(id);
    trace::act(
        "retire",
        || json!({"proxy": note.pid}),
        || {
            let file = OpenOptions::new().read(true).open(&path).cannot(|| format!("open {}", path.display()))?;
            forget(id)?;
            let start = Instant::now();
            // It lets go of its file once they are closed.
            while file.try_lock().is_err() {
                if start.elapsed() > PATIENCE {
                    return background::end(note.process(), || json!({"proxy": note.pid}));
                }
                thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        },
    )
}

/// Ends the container's proxy, if it runs, with all its connections.
///
/// # Errors
/// The kernel's.
pub fn end(id: &str) -> Result<()> {
    if let Some(note) = running(id)? {
        background::end(note.process(), || json!({"proxy": note.pid}))?;
    }
    forget(id)
}

/// Takes the file of one that has ended away.
///
/// # Errors
/// The file system's.
pub fn forget(id: &str) -> Result<()> {
    files::remove_file(&path(id))
}

/// The containers that have, or had, a proxy.
pub fn all() -> Vec<String> {
    let entries = fs::read_dir(dir()).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    #[test]
    fn ports_that_a_proxy_has() {
        let claim = |ip: IpAddr, mode| Claim {
            protocol: "tcp",
            ip,
            port: 8080,
            id: "a".repeat(64),
            target: Ipv4Addr::new(10, 9, 0, 2).into(),
            target_port: 80,
            mode,
        };
        let (four, six) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into());
        let ports = ports(&[claim(four, PublishMode::Dnat), claim(six, PublishMode::Proxy)]);
        let text: Vec<_> = ports.iter().map(|port| format!("{} {}", port.at, port.to)).collect();
        assert_eq!(text, ["[::1]:8080 10.9.0.2:80"]);
    }
}
