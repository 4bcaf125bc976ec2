//! Published ports: docker's words for them, and who holds which. A claim is a symbolic link in the run directory.

use crate::{PortMap, PublishMode, address, cni, holder, proxy};
use ctr_core::{Cannot, Code, Error, Result, container, files, json, paths, trace};
use rustix::{
    io::Errno,
    net::{self, AddressFamily, SocketType, ipproto},
};
use std::{
    env, fmt, fs,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    ops::RangeInclusive,
    os::unix::fs::symlink,
    path::PathBuf,
};

/// The environment variable that says which address of the host is meant where none is named.
const USUAL_IP: &str = "CTR_PUBLISH_IP";

/// What the claim of a port says beside where it leads, if a proxy leads it there.
const PROXY: &str = "proxy";

/// How often the kernel is asked for a port that no container holds.
const TRIES: usize = 64;

/// What one `--publish` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The host's address; 0.0.0.0: every one.
    pub ip: Ipv4Addr,
    /// The host's port, or those of which one is taken; none: any.
    pub host: Option<RangeInclusive<u16>>,
    /// The container's.
    pub container: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: &'static str,
}

impl Mapping {
    /// A port of the container on any port of the usual address.
    ///
    /// # Errors
    /// `invalid` for a `CTR_PUBLISH_IP` that is no address.
    pub fn any(container: u16, protocol: &'static str) -> Result<Self> {
        Ok(Self { ip: usual_ip()?, host: None, container, protocol })
    }

    /// Reads `[IP:][HOST[-END]]:CONTAINER[-END][/PROTOCOL]`: ranges of one length port by port; of a range for one port
    /// a free one.
    ///
    /// # Errors
    /// `invalid`, `unsupported`.
    pub fn parse(word: &str) -> Result<Vec<Self>> {
        let bad = |why: String| {
            Error::new(Code::Invalid, format!("cannot publish {word:?}: {why}"))
                .hint("expected [IP:][HOSTPORT]:CONTAINERPORT[/tcp|udp|sctp]")
        };
        let (ports, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let protocol =
            protocol_of(protocol).map_err(|e| Error { message: format!("cannot publish {word:?}: {e}"), ..e })?;
        if ports.contains('[') {
            let message = format!("cannot publish {word:?}: a port of one address of IPv6 is not there");
            return Err(
                Error::new(Code::Unsupported, message).hint("without an address it is that of all, of both kinds")
            );
        }
        let (host, container) = ports.rsplit_once(':').map_or((None, ports), |(host, c)| (Some(host), c));
        let (ip, host) = match host.and_then(|host| host.rsplit_once(':')) {
            Some((ip, port)) => (Some(ip), Some(port)),
            None => (None, host),
        };
        let ip = match ip {
            None | Some("") => usual_ip()?,
            Some(ip) => ip.parse().map_err(|_| bad(format!("{ip:?} is no IPv4 address")))?,
        };
        let container = range(container).map_err(bad)?;
        let host = host.filter(|text| !text.is_empty()).map(range).transpose().map_err(bad)?;
        let count = |range: &RangeInclusive<u16>| range.end() - range.start();
        if let Some(host) = host.as_ref().filter(|host| count(host) != count(&container)) {
            return if count(&container) == 0 {
                Ok(vec![Self { ip, host: Some(host.clone()), container: *container.start(), protocol }])
            } else {
                Err(bad("the ranges are not of one length".to_owned()))
            };
        }
        let first = host.map(|host| *host.start());
        let one = |(n, container): (u16, u16)| {
            let host = first.map(|first| first + n..=first + n);
            Self { ip, host, container, protocol }
        };
        Ok((0..).zip(container).map(one).collect())
    }
}

/// The address of the host where none is named: every one, unless this machine's configuration says another.
fn usual_ip() -> Result<Ipv4Addr> {
    match env::var(USUAL_IP).unwrap_or_default().as_str() {
        "" => Ok(Ipv4Addr::UNSPECIFIED),
        word => word.parse().map_err(|_| Error::new(Code::Invalid, format!("{USUAL_IP}: {word:?} is no IPv4 address"))),
    }
}

/// A protocol that ports are published of.
///
/// # Errors
/// `invalid` for what is none.
pub fn protocol_of(word: &str) -> Result<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "tcp" => Ok("tcp"),
        "udp" => Ok("udp"),
        "sctp" => Ok("sctp"),
        _ => Err(Error::new(Code::Invalid, format!("no protocol {word:?}"))),
    }
}

fn range(text: &str) -> std::result::Result<RangeInclusive<u16>, String> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| digits && *port > 0).ok_or_else(|| format!("{text:?} is no port"))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if last < first {
        return Err(format!("range {text} runs backwards"));
    }
    Ok(first..=last)
}

/// Where ports lead: a container's addresses on a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Of IPv4.
    pub four: Ipv4Addr,
    /// Of IPv6: what comes for every address of the host's comes for those too.
    pub six: Option<Ipv6Addr>,
}

/// A port of the host that is a container's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// `tcp`, `udp` or `sctp`.
    pub protocol: &'static str,
    /// The host's address; 0.0.0.0: every one.
    pub ip: Ipv4Addr,
    /// The host's port.
    pub port: u16,
    /// The container.
    pub id: String,
    /// Its address.
    pub target: Ipv4Addr,
    /// Its address of IPv6, where the port is that of every address of the host.
    pub six: Option<Ipv6Addr>,
    /// Its port.
    pub target_port: u16,
    /// How it is led there.
    pub mode: PublishMode,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.ip, self.port, self.protocol)
    }
}

impl Claim {
    fn link(&self) -> PathBuf {
        dir().join(format!("{}-{}-{}", self.protocol, self.ip, self.port))
    }

    /// As the section `net` has it.
    pub fn mapping(&self) -> PortMap {
        PortMap {
            host_ip: self.ip,
            host_port: self.port,
            container_port: self.target_port,
            protocol: self.protocol.to_owned(),
        }
    }

    /// Whether it is led to these addresses.
    pub fn leads_to(&self, target: Target) -> bool {
        self.target == target.four && self.six == target.six.filter(|_| self.ip.is_unspecified())
    }

    fn clashes(&self, protocol: &str, ip: Ipv4Addr, port: u16) -> bool {
        let ip = self.ip == ip || self.ip.is_unspecified() || ip.is_unspecified();
        self.protocol == protocol && self.port == port && ip
    }

    fn read(name: &str, text: &str) -> Option<Self> {
        let mut name = name.split('-');
        let mut text = text.split('/').peekable();
        Some(Self {
            protocol: protocol_of(name.next()?).ok()?,
            ip: name.next()?.parse().ok()?,
            port: name.next()?.parse().ok()?,
            id: text.next()?.to_owned(),
            target: text.next()?.parse().ok()?,
            target_port: text.next()?.parse().ok()?,
            mode: if text.next_if_eq(&PROXY).is_some() { PublishMode::Proxy } else { PublishMode::Dnat },
            six: text.next().map(str::parse).transpose().ok()?,
        })
    }

    fn text(&self) -> String {
        let six = self.six.map(|six| format!("/{six}")).unwrap_or_default();
        let proxy = if self.mode == PublishMode::Proxy { format!("/{PROXY}") } else { String::new() };
        format!("{}/{}/{}{proxy}{six}", self.id, self.target, self.target_port)
    }

    fn make(&self) -> Result<()> {
        trace::act(
            "claim",
            || json!({"port": self.to_string(), "to": format!("{}:{}", self.target, self.target_port)}),
            || {
                files::make_dir(&dir())?;
                symlink(self.text(), self.link()).cannot(|| format!("claim port {self}"))
            },
        )
    }

    /// Takes the claim away; it may be gone, or another's. Hold the [`Lock`](crate::Lock).
    ///
    /// # Errors
    /// The file system's.
    pub fn release(&self) -> Result<()> {
        if fs::read_link(self.link()).is_ok_and(|text| text.to_str() != Some(&self.text())) {
            return Ok(());
        }
        trace::act("release", || json!({"port": self.to_string()}), || files::remove_file(&self.link()))
    }
}

fn dir() -> PathBuf {
    paths::run().join("ports")
}

/// Every claim of this instance.
///
/// # Errors
/// The file system's.
pub fn claims() -> Result<Vec<Claim>> {
    let what = || format!("read {}", dir().display());
    let entries = match fs::read_dir(dir()) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.cannot(what)?,
    };
    let mut claims = Vec::new();
    for entry in entries {
        let entry = entry.cannot(what)?;
        let text = fs::read_link(entry.path()).unwrap_or_default();
        claims.extend(Claim::read(&entry.file_name().to_string_lossy(), &text.to_string_lossy()));
    }
    claims.sort();
    Ok(claims)
}

/// Those of container `id`.
///
/// # Errors
/// The file system's.
pub fn claims_of(id: &str) -> Result<Vec<Claim>> {
    Ok(claims()?.into_iter().filter(|claim| claim.id == id).collect())
}

/// What [`publish`] did.
#[derive(Debug, Default)]
pub struct Published {
    /// The container's claims, in the order of the mappings.
    pub claims: Vec<Claim>,
    /// Claims that were in the way: of containers that do not run, and its own that led elsewhere.
    pub ousted: Vec<Claim>,
    /// Those of `claims` that it had not before.
    pub new: Vec<Claim>,
}

/// Makes ports of the host the container's, at `target`; hold the [`Lock`](crate::Lock). Nothing is claimed where one cannot
/// be.
///
/// A container that does not run holds no port: docker frees them when one stops.
///
/// # Errors
/// `exists`, naming the holder, a container or a process; `invalid` for an address that the host has not; `limit`
/// where no port is free; `unsupported` for a port of sctp by a proxy.
pub fn publish(mappings: &[Mapping], id: &str, target: Target, mode: PublishMode) -> Result<Published> {
    let mut published = Published::default();
    if mappings.is_empty() {
        return Ok(published);
    }
    if mode == PublishMode::Proxy && mappings.iter().any(|mapping| mapping.protocol == "sctp") {
        return Err(
            Error::new(Code::Unsupported, "cannot publish ports of sctp by a proxy").hint("--publish-mode dnat")
        );
    }
    let (own, others): (Vec<_>, Vec<_>) = claims()?.into_iter().partition(|claim| claim.id == id);
    // Its own that led to another network, which it was taken off.
    let (own, moved): (Vec<_>, Vec<_>) =
        own.into_iter().partition(|claim| claim.leads_to(target) && claim.mode == mode);
    if moved.iter().any(|claim| claim.mode == PublishMode::Proxy) {
        // Its ports would be held by itself.
        proxy::retire(id)?;
    }
    published.ousted = moved;
    let runs = container::live_state(id)?.is_some();
    for mapping in mappings {
        let claim = |port| Claim {
            protocol: mapping.protocol,
            ip: mapping.ip,
            port,
            id: id.to_owned(),
            target: target.four,
            six: target.six.filter(|_| mapping.ip.is_unspecified()),
            target_port: mapping.container,
            mode,
        };
        let port = match &mapping.host {
            None => any(mapping, target.six.is_some(), &own, &others, &published)?,
            Some(range) => {
                let mut failed = None;
                let mut ports = range.clone();
                let found = ports.find(|port| {
                    let kept = claim(*port);
                    // Its own from before a repair; while it did not run the host may have taken the port.
                    let free = if runs && own.contains(&kept) {
                        Ok(())
                    } else {
                        let own: Vec<_> = own.iter().filter(|claim| **claim != kept).cloned().collect();
                        check_free(mapping, *port, target.six.is_some(), &own, &others, &published)
                    };
                    free.map_err(|e| failed = Some(e)).is_ok()
                });
                match (found, failed) {
                    (Some(port), _) => port,
                    (None, Some(e)) if range.start() == range.end() => return Err(e),
                    (None, _) => {
                        let message = format!(
                            "cannot publish {}: no port of {}-{} is free",
                            mapping.container,
                            range.start(),
                            range.end()
                        );
                        return Err(Error::new(Code::Limit, message));
                    }
                }
            }
        };
        let stale = others.iter().filter(|other| other.clashes(mapping.protocol, mapping.ip, port));
        published.ousted.extend(stale.cloned());
        published.claims.push(claim(port));
    }
    for stale in &published.ousted {
        stale.release()?;
    }
    for claim in published.claims.iter().filter(|claim| !own.contains(claim)) {
        if let Err(e) = claim.make() {
            for claim in &published.new {
                let _ = claim.release();
            }
            return Err(e);
        }
        published.new.push(claim.clone());
    }
    Ok(published)
}

fn any(mapping: &Mapping, six: bool, own: &[Claim], others: &[Claim], published: &Published) -> Result<u16> {
    for _ in 0..TRIES {
        let port = bind(mapping.protocol, mapping.ip, 0);
        if port.as_ref().is_err_and(no_sctp) {
            return Err(without_sctp());
        }
        let port = port.cannot(|| format!("find a free port of {} for {}", mapping.ip, mapping.container))?;
        if check_free(mapping, port, six, own, others, published).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new(Code::Limit, format!("cannot publish {}: no port is free", mapping.container)))
}

fn check_free(
    mapping: &Mapping,
    port: u16,
    six: bool,
    own: &[Claim],
    others: &[Claim],
    published: &Published,
) -> Result<()> {
    let Mapping { ip, protocol, .. } = mapping;
    let refuse = |holder: &str| {
        let message = format!("cannot publish {ip}:{port}/{protocol}: held by {holder}");
        Err(Error::new(Code::Exists, message))
    };
    if own.iter().chain(&published.claims).any(|claim| claim.clashes(protocol, *ip, port)) {
        return refuse("this container, for another of its ports");
    }
    let mut clashing = others.iter().filter(|other| other.clashes(protocol, *ip, port));
    if let Some(other) = clashing.find(|other| !container::is_orphan(&other.id) || cni::is_there(&other.id)) {
        return refuse(&format!("container {}", address::name_of(&other.id)));
    }
    for stale in others.iter().filter(|other| other.clashes(protocol, *ip, port) && other.mode == PublishMode::Proxy) {
        // It did not notice yet that its container has ended.
        proxy::end(&stale.id)?;
    }
    let mut bound = bind(protocol, *ip, port);
    if bound.is_ok() && ip.is_unspecified() && six {
        // Of both families, unless the host says otherwise (bindv6only).
        bound = bind(protocol, Ipv6Addr::UNSPECIFIED, port);
    }
    match bound {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AddrInUse => refuse(&holder::of_port(protocol, port)),
        Err(e) if e.kind() == ErrorKind::AddrNotAvailable => Err(Error::new(
            Code::Invalid,
            format!("cannot publish {ip}:{port}/{protocol}: the host has no such address"),
        )),
        Err(e) if no_sctp(&e) => Err(without_sctp()),
        Err(e) => Err(e).cannot(|| format!("publish {ip}:{port}/{protocol}")),
    }
}

fn without_sctp() -> Error {
    Error::new(Code::Unsupported, "cannot publish ports of sctp: this kernel has none").hint("modprobe sctp")
}

fn no_sctp(error: &io::Error) -> bool {
    [Errno::PROTONOSUPPORT, Errno::SOCKTNOSUPPORT].iter().any(|no| error.raw_os_error() == Some(no.raw_os_error()))
}

/// Binds a socket for a moment; gives its port.
fn bind(protocol: &str, ip: impl Into<IpAddr>, port: u16) -> io::Result<u16> {
    let ip = ip.into();
    let address = match protocol {
        "udp" => UdpSocket::bind((ip, port))?.local_addr(),
        "sctp" => {
            let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket = net::socket(family, SocketType::STREAM, Some(ipproto::SCTP))?;
            net::bind(&socket, &SocketAddr::new(ip, port))?;
            SocketAddr::try_from(net::getsockname(&socket)?).map_err(io::Error::from)
        }
        _ => TcpListener::bind((ip, port))?.local_addr(),
    };
    address.map(|address| address.port())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(word: &str) -> Vec<String> {
        let one = |m: &Mapping| {
            let host = m.host.as_ref().map_or("any".to_owned(), |h| format!("{}-{}", h.start(), h.end()));
            format!("{}:{host}:{}/{}", m.ip, m.container, m.protocol)
        };
        Mapping::parse(word).unwrap().iter().map(one).collect()
    }

    #[test]
    fn ports_as_docker_writes_them() {
        assert_eq!(shown("80"), ["0.0.0.0:any:80/tcp"]);
        assert_eq!(shown("8080:80"), ["0.0.0.0:8080-8080:80/tcp"]);
        assert_eq!(shown("127.0.0.1:53:53/UDP"), ["127.0.0.1:53-53:53/udp"]);
        assert_eq!(shown("127.0.0.1::80"), ["127.0.0.1:any:80/tcp"]);
        assert_eq!(shown("8000-8001:80-81"), ["0.0.0.0:8000-8000:80/tcp", "0.0.0.0:8001-8001:81/tcp"]);
        assert_eq!(shown("8000-8009:80"), ["0.0.0.0:8000-8009:80/tcp"]);
        assert_eq!(shown("80-81"), ["0.0.0.0:any:80/tcp", "0.0.0.0:any:81/tcp"]);
        for bad in
            ["", "0:80", "70000:80", "80:0", "x:80", "8000-8002:80-81", "8001-8000:80", "1.2.3:1:1", "+1:1", "1:1/x"]
        {
            assert_eq!(Mapping::parse(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
        assert_eq!(shown("80:80/sctp"), ["0.0.0.0:80-80:80/sctp"]);
        assert_eq!(Mapping::parse("[::1]:80:80").unwrap_err().code, Code::Unsupported);
    }

    #[test]
    fn a_claim_reads_as_it_was_written() {
        let text = format!("{}/10.90.0.2/80", "a".repeat(64));
        assert_eq!(
            Claim::read("tcp-0.0.0.0-8080", &format!("{text}/fd00::2")).unwrap().six,
            Some("fd00::2".parse().unwrap())
        );
        assert!(Claim::read("tcp-0.0.0.0-8080", &format!("{text}/x")).is_none());
        let by_proxy = Claim::read("tcp-0.0.0.0-8080", &format!("{text}/proxy/fd00::2")).unwrap();
        assert_eq!((by_proxy.mode, by_proxy.six.is_some()), (PublishMode::Proxy, true));
        let claim = Claim::read("tcp-0.0.0.0-8080", &text).unwrap();
        assert_eq!(claim.mode, PublishMode::Dnat);
        assert_eq!((claim.to_string(), claim.target_port), ("0.0.0.0:8080/tcp".to_owned(), 80));
        assert!(claim.clashes("tcp", Ipv4Addr::LOCALHOST, 8080) && !claim.clashes("udp", Ipv4Addr::LOCALHOST, 8080));
        assert!(Claim::read("tcp-x-8080", &text).is_none() && Claim::read("tcp-0.0.0.0-80", "x").is_none());
    }
}
