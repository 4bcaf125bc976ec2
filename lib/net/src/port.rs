//! Published ports: docker's words for them, and who holds which. A claim is a symbolic link in the run directory.

use crate::{Attachment, Net, PortMap, PublishMode, address, cni, elements, holder, proxy, withdraw};
use ctr_core::{Cannot, Code, Error, Result, container, files, json, paths, trace};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    env, fmt, fs,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    os::unix::fs::symlink,
    path::PathBuf,
};

/// The environment variable that says which address of the host is meant where none is named.
const USUAL_IP: &str = "CTR_PUBLISH_IP";

/// What the claim of a port says beside where it leads, if a proxy leads it there.
const PROXY: &str = "proxy";

/// `<linux/in.h>`.
const IPPROTO_SCTP: i32 = 132;

/// How often the kernel is asked for a port that no container holds.
const TRIES: usize = 64;

/// What one `--publish` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The host's address; none: every one, of IPv6 too where the container has that.
    pub ip: Option<IpAddr>,
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
        let (host, container) = ports.rsplit_once(':').map_or((None, ports), |(host, c)| (Some(host), c));
        let (ip, host) = match host.and_then(|host| host.rsplit_once(':')) {
            Some((ip, port)) => (Some(ip), Some(port)),
            None => (None, host),
        };
        let ip = match ip {
            None | Some("") => usual_ip()?,
            Some(ip) => {
                let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
                Some(bare.parse().map_err(|_| bad(format!("{ip:?} is no IP address")))?)
            }
        };
        let container = range(container).map_err(bad)?;
        // docker's 0 is any, too.
        let host = host.filter(|text| !matches!(*text, "" | "0")).map(range).transpose().map_err(bad)?;
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
fn usual_ip() -> Result<Option<IpAddr>> {
    match env::var(USUAL_IP).unwrap_or_default().as_str() {
        "" => Ok(None),
        word => {
            let bad = |_| Error::new(Code::Invalid, format!("{USUAL_IP}: {word:?} is no IP address"));
            word.parse().map(Some).map_err(bad)
        }
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
    /// Of IPv6.
    pub six: Option<Ipv6Addr>,
}

impl Target {
    /// Where a port of that address of the host leads.
    fn of(self, ip: IpAddr) -> IpAddr {
        self.six.filter(|_| ip.is_ipv6()).map_or(self.four.into(), IpAddr::V6)
    }

    /// How it is led there, where `mode` is what is asked for: the kernel lets nothing from ::1 out by another interface,
    /// and the firewall leads nothing from IPv6 to IPv4; a process does both.
    fn mode(self, ip: IpAddr, mode: PublishMode) -> PublishMode {
        if ip.is_ipv6() && (ip.is_loopback() || self.six.is_none()) { PublishMode::Proxy } else { mode }
    }
}

/// A port of the host that is a container's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// `tcp`, `udp` or `sctp`.
    pub protocol: &'static str,
    /// The host's address; 0.0.0.0 and ::, every one of the family.
    pub ip: IpAddr,
    /// The host's port.
    pub port: u16,
    /// The container.
    pub id: String,
    /// Its address.
    pub target: IpAddr,
    /// Its port.
    pub target_port: u16,
    /// How it is led there.
    pub mode: PublishMode,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", SocketAddr::new(self.ip, self.port), self.protocol)
    }
}

impl Claim {
    fn link(&self) -> PathBuf {
        dir().join(format!("{}-{}-{}", self.protocol, self.ip, self.port))
    }

    /// Whether it is that of the section's port, or of a family of it.
    pub fn is_of(&self, port: &PortMap) -> bool {
        let same = (self.port, self.target_port) == (port.host_port, port.container_port);
        same && port.is_at(self.ip) && self.protocol == port.protocol
    }

    /// Whether it is led to these addresses.
    pub fn leads_to(&self, target: Target) -> bool {
        self.target == target.of(self.ip)
    }

    /// Whether both cannot be: of one family, and of one address or of all.
    pub fn clashes(&self, protocol: &str, ip: IpAddr, port: u16) -> bool {
        let ip =
            self.ip.is_ipv4() == ip.is_ipv4() && (self.ip == ip || self.ip.is_unspecified() || ip.is_unspecified());
        self.protocol == protocol && self.port == port && ip
    }

    fn read(name: &str, text: &str) -> Option<Self> {
        let mut name = name.split('-');
        let mut text = text.split('/');
        Some(Self {
            protocol: protocol_of(name.next()?).ok()?,
            ip: name.next()?.parse().ok()?,
            port: name.next()?.parse().ok()?,
            id: text.next()?.to_owned(),
            target: text.next()?.parse().ok()?,
            target_port: text.next()?.parse().ok()?,
            mode: match text.next() {
                Some(PROXY) => PublishMode::Proxy,
                Some(_) => return None,
                None => PublishMode::Dnat,
            },
        })
    }

    fn text(&self) -> String {
        let proxy = if self.mode == PublishMode::Proxy { format!("/{PROXY}") } else { String::new() };
        format!("{}/{}/{}{proxy}", self.id, self.target, self.target_port)
    }

    fn make(&self) -> Result<()> {
        trace::act(
            "claim",
            || json!({"port": self.to_string(), "to": SocketAddr::new(self.target, self.target_port)}),
            || {
                files::make_dir(&dir())?;
                self.oust_unread()?;
                symlink(self.text(), self.link()).cannot(|| format!("claim port {self}"))
            },
        )
    }

    /// Takes away what is there in its place and is no claim, of another release: it holds nothing.
    fn oust_unread(&self) -> Result<()> {
        let Ok(text) = fs::read_link(self.link()) else { return Ok(()) };
        let (link, text) = (self.link(), text.to_string_lossy().into_owned());
        let name = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if Self::read(&name, &text).is_some() {
            return Ok(());
        }
        trace::warn(&format!("the claim of port {self} does not read, and is taken away: {text:?}"));
        files::remove_file(&link)
    }

    /// Takes the claim away; it may be gone, or another's. Its rule goes before ([`withdraw`](crate::withdraw)). Hold the
    /// [`Lock`](crate::Lock).
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn release(&self) -> Result<()> {
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

/// Whether the claims of container `id` hold: it runs, or somebody makes or starts it. Else they are anybody's, for docker
/// frees the ports of one that does not run; whoever ended it may have been killed before it gave them back.
pub fn holds(id: &str) -> bool {
    let runs = || !matches!(container::live_state(id), Ok(None));
    // One that is not claimed at its start is begun by a pipe.
    if cni::is_there(id) || runs() || !(is_claimed_at_start(id) || container::is_orphan(id)) {
        return true;
    }
    // Who starts it has the lock from before its ports are claimed until its process is there.
    container::are_limits_held(id).unwrap_or(true) || runs()
}

/// Whether the ports of container `id` are claimed at each of its starts, for ns-spawn has completed it. Those of one that a
/// pipe makes, or whose document was set aside, are claimed before it is started, and then only if they were lost.
pub fn is_claimed_at_start(id: &str) -> bool {
    container::recorded(id).is_ok_and(|doc| container::is_complete(&doc))
}

/// Whether each port of the section is the container's, and its proxy has those that it is to have; ports of CNI's plugins are
/// theirs.
///
/// # Errors
/// The file system's.
pub fn are_published(id: &str, net: &Net) -> Result<bool> {
    if net.ports.is_empty() || net.networks.iter().all(Attachment::by_plugins) {
        return Ok(true);
    }
    let claims = claims_of(id)?;
    let is_claimed = |port: &PortMap| claims.iter().any(|claim| claim.is_of(port));
    Ok(net.ports.iter().all(is_claimed) && proxy::missing(id)?.is_empty())
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
    /// The ports, as the section has them, in the order of the mappings.
    pub ports: Vec<PortMap>,
    /// The container's claims, one or two of each.
    pub claims: Vec<Claim>,
    /// Those of `claims` that it had not before.
    pub new: Vec<Claim>,
}

impl Published {
    /// Whether the firewall leads any.
    pub fn are_led(&self) -> bool {
        self.claims.iter().any(|claim| claim.mode == PublishMode::Dnat)
    }
}

/// The claims that a mapping needs at that port of the host: of each family that it is of.
///
/// # Errors
/// `unsupported` for a port of sctp by a proxy.
pub fn needed(mapping: &Mapping, port: u16, id: &str, target: Target, mode: PublishMode) -> Result<Vec<Claim>> {
    let both = [Some(Ipv4Addr::UNSPECIFIED.into()), target.six.map(|_| Ipv6Addr::UNSPECIFIED.into())];
    let ips = mapping.ip.map_or(both, |ip| [Some(ip), None]);
    let claim = |ip: IpAddr| Claim {
        protocol: mapping.protocol,
        ip,
        port,
        id: id.to_owned(),
        target: target.of(ip),
        target_port: mapping.container,
        mode: target.mode(ip, mode),
    };
    let claims: Vec<_> = ips.into_iter().flatten().map(claim).collect();
    if claims.iter().any(|claim| claim.mode == PublishMode::Proxy && claim.protocol == "sctp") {
        let hint = "--publish-mode dnat, with an address of a family that the container has";
        return Err(Error::new(Code::Unsupported, "cannot publish ports of sctp by a proxy").hint(hint));
    }
    Ok(claims)
}

/// Makes ports of the host the container's, at `target`; hold the [`Lock`](crate::Lock). Nothing is claimed where one cannot
/// be.
///
/// What is claimed by one whose claims do not hold ([`holds`]) is in nobody's way, and neither are its own that led elsewhere:
/// they go, with their rules. Those of the new ones are the caller's to make.
///
/// # Errors
/// `exists`, naming the holder, a container or a process; `invalid` for an address that the host has not; `limit`
/// where no port is free; `unsupported` for a port of sctp by a proxy; those of nft(8).
pub fn publish(mappings: &[Mapping], id: &str, target: Target, mode: PublishMode) -> Result<Published> {
    let mut published = Published::default();
    if mappings.is_empty() {
        return Ok(published);
    }
    for mapping in mappings {
        needed(mapping, 0, id, target, mode)?;
    }
    let (own, others): (Vec<_>, Vec<_>) = claims()?.into_iter().partition(|claim| claim.id == id);
    // Its own that led to another network, which it was taken off.
    let (own, moved): (Vec<_>, Vec<_>) =
        own.into_iter().partition(|claim| claim.leads_to(target) && claim.mode == target.mode(claim.ip, mode));
    if moved.iter().any(|claim| claim.mode == PublishMode::Proxy) {
        // Its ports would be held by itself.
        proxy::retire(id)?;
    }
    let mut ousted = moved;
    // Its own from before a repair; while it did not run the host may have taken the port.
    let keeps = container::live_state(id)?.is_some() || !is_claimed_at_start(id);
    for mapping in mappings {
        let free = |port| {
            let claims = needed(mapping, port, id, target, mode)?;
            for claim in &claims {
                if !(keeps && own.contains(claim)) {
                    let own = own.iter().filter(|other| *other != claim).chain(&published.claims);
                    check_free(claim, own, &others)?;
                }
            }
            Ok(claims)
        };
        let new = match &mapping.host {
            None => any(mapping, free)?,
            Some(range) if range.start() == range.end() => free(*range.start())?,
            Some(range) => {
                let none = || {
                    let (container, first, last) = (mapping.container, range.start(), range.end());
                    let message = format!("cannot publish {container}: no port of {first}-{last} is free");
                    Error::new(Code::Limit, message)
                };
                range.clone().find_map(|port| free(port).ok()).ok_or_else(none)?
            }
        };
        for claim in &new {
            let stale = others.iter().filter(|other| other.clashes(claim.protocol, claim.ip, claim.port));
            ousted.extend(stale.cloned());
        }
        published.ports.push(PortMap {
            host_ip: mapping.ip,
            host_port: new.first().map_or(0, |claim| claim.port),
            container_port: mapping.container,
            protocol: mapping.protocol.to_owned(),
        });
        published.claims.extend(new);
    }
    withdraw(&ousted)?;
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

fn any(mapping: &Mapping, free: impl Fn(u16) -> Result<Vec<Claim>>) -> Result<Vec<Claim>> {
    let ip = mapping.ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    for _ in 0..TRIES {
        let port = bind(mapping.protocol, ip, 0);
        if port.as_ref().is_err_and(no_sctp) {
            return Err(without_sctp());
        }
        let port = port.cannot(|| format!("find a free port of {ip} for {}", mapping.container))?;
        if let Ok(claims) = free(port) {
            return Ok(claims);
        }
    }
    Err(Error::new(Code::Limit, format!("cannot publish {}: no port is free", mapping.container)))
}

fn check_free<'a>(claim: &Claim, mut own: impl Iterator<Item = &'a Claim>, others: &[Claim]) -> Result<()> {
    let Claim { ip, protocol, port, .. } = claim;
    let refuse = |holder: &str| Err(Error::new(Code::Exists, format!("cannot publish {claim}: held by {holder}")));
    let clashes = |other: &&Claim| other.clashes(protocol, *ip, *port);
    if let Some(other) = own.find(clashes) {
        return refuse(&format!("this container, for its port {} at {other}", other.target_port));
    }
    let mut clashing = others.iter().filter(clashes);
    if let Some(other) = clashing.find(|other| holds(&other.id)) {
        return refuse(&format!("container {}", address::name_of(&other.id)));
    }
    for stale in others.iter().filter(clashes).filter(|other| other.mode == PublishMode::Proxy) {
        // It did not notice yet that its container has ended.
        proxy::end(&stale.id)?;
    }
    if let Some(other) = elements::of_others(protocol, *ip, *port) {
        return refuse(&other);
    }
    match bind(protocol, *ip, *port) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AddrInUse => refuse(&holder::of_port(protocol, *port)),
        Err(e) if e.kind() == ErrorKind::AddrNotAvailable => {
            Err(Error::new(Code::Invalid, format!("cannot publish {claim}: the host has no such address")))
        }
        Err(e) if no_sctp(&e) => Err(without_sctp()),
        Err(e) => Err(e).cannot(|| format!("publish {claim}")),
    }
}

fn without_sctp() -> Error {
    Error::new(Code::Unsupported, "cannot publish ports of sctp: this kernel has none").hint("modprobe sctp")
}

fn no_sctp(error: &io::Error) -> bool {
    [Errno::PROTONOSUPPORT, Errno::SOCKTNOSUPPORT].iter().any(|no| error.raw_os_error() == Some(no.raw_os_error()))
}

/// Binds a socket for a moment; gives its port. One of IPv6 is of that alone, whatever the host has chosen (`bindv6only`).
fn bind(protocol: &str, ip: IpAddr, port: u16) -> io::Result<u16> {
    let at = SocketAddr::new(ip, port);
    let (kind, number) = match protocol {
        "udp" => (Type::DGRAM, None),
        "sctp" => (Type::STREAM, Some(Protocol::from(IPPROTO_SCTP))),
        _ => (Type::STREAM, None),
    };
    let socket = Socket::new(Domain::for_address(at), kind, number)?;
    if ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if protocol == "tcp" {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&at.into())?;
    if protocol == "tcp" {
        // Only one that listens is in the way of one that does.
        socket.listen(1)?;
    }
    socket.local_addr()?.as_socket().map(|at| at.port()).ok_or_else(|| ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(word: &str) -> Vec<String> {
        let one = |m: &Mapping| {
            let host = m.host.as_ref().map_or("any".to_owned(), |h| format!("{}-{}", h.start(), h.end()));
            let ip = m.ip.map_or("any".to_owned(), |ip| ip.to_string());
            format!("{ip}:{host}:{}/{}", m.container, m.protocol)
        };
        Mapping::parse(word).unwrap().iter().map(one).collect()
    }

    #[test]
    fn ports_as_docker_writes_them() {
        assert_eq!(shown("80"), ["any:any:80/tcp"]);
        assert_eq!(shown("8080:80"), ["any:8080-8080:80/tcp"]);
        assert_eq!(shown("0:80"), ["any:any:80/tcp"]);
        assert_eq!(shown("0.0.0.0:8080:80"), ["0.0.0.0:8080-8080:80/tcp"]);
        assert_eq!(shown("127.0.0.1:53:53/UDP"), ["127.0.0.1:53-53:53/udp"]);
        assert_eq!(shown("127.0.0.1::80"), ["127.0.0.1:any:80/tcp"]);
        assert_eq!(shown("[::1]:8080:80"), ["::1:8080-8080:80/tcp"]);
        assert_eq!(shown("[2001:db8::1]::80/udp"), ["2001:db8::1:any:80/udp"]);
        assert_eq!(shown("::1:8080:80"), shown("[::1]:8080:80"));
        assert_eq!(shown("8000-8001:80-81"), ["any:8000-8000:80/tcp", "any:8001-8001:81/tcp"]);
        assert_eq!(shown("8000-8009:80"), ["any:8000-8009:80/tcp"]);
        assert_eq!(shown("80-81"), ["any:any:80/tcp", "any:any:81/tcp"]);
        for bad in [
            "",
            "70000:80",
            "80:0",
            "x:80",
            "8000-8002:80-81",
            "8001-8000:80",
            "1.2.3:1:1",
            "+1:1",
            "1:1/x",
            "[::1]:80",
            "[::x]:1:1",
        ] {
            assert_eq!(Mapping::parse(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
        assert_eq!(shown("80:80/sctp"), ["any:80-80:80/sctp"]);
    }

    #[test]
    fn claims_of_each_family() {
        let (four, six) = (Ipv4Addr::new(10, 9, 0, 2), "fd00::2".parse().ok());
        let claims = |word: &str, six: Option<Ipv6Addr>| {
            let mapping = Mapping::parse(word).unwrap().remove(0);
            let claims = needed(&mapping, 8080, "a", Target { four, six }, PublishMode::Dnat).unwrap();
            claims.iter().map(|c| format!("{c} {} {:?}", c.target, c.mode)).collect::<Vec<_>>()
        };
        assert_eq!(claims("8080:80", None), ["0.0.0.0:8080/tcp 10.9.0.2 Dnat"]);
        assert_eq!(claims("8080:80", six), ["0.0.0.0:8080/tcp 10.9.0.2 Dnat", "[::]:8080/tcp fd00::2 Dnat"]);
        assert_eq!(claims("0.0.0.0:8080:80", six), ["0.0.0.0:8080/tcp 10.9.0.2 Dnat"]);
        assert_eq!(claims("[::1]:8080:80", six), ["[::1]:8080/tcp fd00::2 Proxy"]);
        assert_eq!(claims("[2001:db8::1]:8080:80", six), ["[2001:db8::1]:8080/tcp fd00::2 Dnat"]);
        assert_eq!(claims("[2001:db8::1]:8080:80", None), ["[2001:db8::1]:8080/tcp 10.9.0.2 Proxy"]);
        let sctp = Mapping::parse("[::1]:8080:80/sctp").unwrap();
        let refused = needed(&sctp[0], 8080, "a", Target { four, six }, PublishMode::Dnat).unwrap_err();
        assert_eq!(refused.code, Code::Unsupported);
    }

    #[test]
    fn a_claim_reads_as_it_was_written() {
        let text = format!("{}/10.90.0.2/80", "a".repeat(64));
        assert!(Claim::read("tcp-0.0.0.0-8080", &format!("{text}/x")).is_none());
        let by_proxy = Claim::read("tcp-::1-8080", &format!("{text}/proxy")).unwrap();
        assert_eq!((by_proxy.mode, by_proxy.to_string()), (PublishMode::Proxy, "[::1]:8080/tcp".to_owned()));
        assert_eq!(by_proxy.text(), format!("{text}/proxy"));
        let claim = Claim::read("tcp-0.0.0.0-8080", &text).unwrap();
        assert_eq!(claim.mode, PublishMode::Dnat);
        assert_eq!((claim.to_string(), claim.target_port), ("0.0.0.0:8080/tcp".to_owned(), 80));
        let (four, six) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        assert!(
            claim.clashes("tcp", four, 8080) && !claim.clashes("udp", four, 8080) && !claim.clashes("tcp", six, 8080)
        );
        assert!(Claim::read("tcp-x-8080", &text).is_none() && Claim::read("tcp-0.0.0.0-80", "x").is_none());
    }
}
