//! /etc/hosts, /etc/hostname and /etc/resolv.conf: files of the container's directory, bound over the image's.

use super::{
    Flags,
    mounts::is_mounted,
    namespaces::{Mode, Namespaces},
    part,
};
use ctr_core::{Cannot, Code, Error, Result, Value, container, hosts, json, trace};
use std::{
    fmt::Write as _,
    fs::{File, OpenOptions, Permissions},
    io::{Read, Write},
    net::IpAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// Most bytes that are taken of a file of the host.
const MAX_HOST_FILE: u64 = 1 << 20;

/// What every container's /etc/hosts begins with.
const LOCAL: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\n\
    ff00::\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

/// Writes the files into `dir` and appends their mounts, except where the spec mounts something of its own.
pub fn complete(
    mounts: &mut Vec<Value>,
    dir: &Path,
    flags: &Flags,
    namespaces: &Namespaces,
    hostname: Option<&str>,
    readonly: bool,
    net: Option<&Value>,
) -> Result<()> {
    // What was attached is what is joined, unless a flag says another.
    let net = net.filter(|net| {
        let netns = part::string(Some(net), "netns");
        matches!(namespaces.of("network"), Mode::Path(path) if netns == Some(path))
    });
    // Who shares another's network shares what it is called there, and whom it asks for names.
    let theirs = namespaces.owner("network").map(container::dir);
    for name in ["hosts", "hostname", "resolv.conf"] {
        let (place, asked) = (format!("/etc/{name}"), name == "hostname" && flags.hostname.is_some());
        let asked = asked || (name == "hosts" && !flags.add_host.is_empty());
        let source = theirs.as_ref().map(|dir| dir.join(name)).filter(|file| file.exists());
        if let Some(source) = source.filter(|_| !asked && !is_mounted(mounts, &place)) {
            bind(mounts, &place, &source, readonly)?;
        }
    }
    let host_network = namespaces.of("network") == &Mode::Host;
    let source = dir.join("hosts");
    if !flags.add_host.is_empty() || !is_mounted(mounts, "/etc/hosts") {
        let mut text = if host_network { of_host("/etc/hosts")?.unwrap_or_default() } else { LOCAL.to_owned() };
        for word in &flags.add_host {
            text.push_str(&host_line(word, gateway(net))?);
        }
        text.push_str(&linked(net)?);
        if let Some(name) = hostname {
            for address in addresses(net) {
                let _ = writeln!(text, "{address}\t{name}");
            }
        }
        provide(mounts, "/etc/hosts", &source, &text, readonly)?;
    }
    if let Some(name) = hostname
        && (flags.hostname.is_some() || !is_mounted(mounts, "/etc/hostname"))
    {
        provide(mounts, "/etc/hostname", &dir.join("hostname"), &format!("{name}\n"), readonly)?;
    }
    // With loopback alone there is nobody to ask; a joined network's file is its owner's to provide.
    let resolv = match net.and_then(|net| net.get("dns")) {
        Some(dns) => Some(resolv_conf(dns)?),
        None if host_network => of_host("/etc/resolv.conf")?,
        None => None,
    };
    if !is_mounted(mounts, "/etc/resolv.conf")
        && let Some(text) = resolv
    {
        provide(mounts, "/etc/resolv.conf", &dir.join("resolv.conf"), &text, readonly)?;
    }
    Ok(())
}

fn bind(mounts: &mut Vec<Value>, place: &str, source: &Path, readonly: bool) -> Result<()> {
    let source_text = source.to_string_lossy();
    match mounts.iter().find(|m| part::string(Some(m), "destination") == Some(place)) {
        Some(other) if part::string(Some(other), "source") != Some(&source_text) => {
            return Err(Error::new(Code::Exists, format!("cannot write {place}: another file is mounted there")));
        }
        Some(_) => {}
        None => {
            let mut options = vec!["rbind", "rprivate"];
            options.extend(readonly.then_some("ro"));
            mounts.push(json!({"destination": place, "type": "bind", "source": source_text, "options": options}));
        }
    }
    Ok(())
}

fn provide(mounts: &mut Vec<Value>, place: &str, source: &Path, text: &str, readonly: bool) -> Result<()> {
    bind(mounts, place, source, readonly)?;
    trace::act(
        "write",
        || json!({"path": source}),
        || {
            let write = || {
                // Not emptied first: ext4 would free the block and flush the new one on close.
                let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(source)?;
                // Readable to every user of the container, whatever the caller's umask.
                file.set_permissions(Permissions::from_mode(0o644))?;
                file.write_all(text.as_bytes())?;
                file.set_len(text.len() as u64)
            };
            write().cannot(|| format!("write {}", source.display()))
        },
    )
}

/// The container's own addresses, of a CNI result.
fn addresses(net: Option<&Value>) -> Vec<IpAddr> {
    let ips = net.and_then(|net| net.get("ips")).and_then(Value::as_array).into_iter().flatten();
    ips.filter_map(|ip| part::string(Some(ip), "address")?.split('/').next()?.parse().ok()).collect()
}

/// The lines of `net.hosts`. A document may be anybody's: no word brings a line of its own.
fn linked(net: Option<&Value>) -> Result<String> {
    let bad = |host: &Value| Error::new(Code::Invalid, format!("document: net.hosts has {host}"));
    let mut text = String::new();
    for host in net.and_then(|net| net.get("hosts")).and_then(Value::as_array).into_iter().flatten() {
        let address = part::string(Some(host), "address").and_then(|ip| ip.parse::<IpAddr>().ok());
        let names = part::strings(host.get("names"), "names")?;
        if names.is_empty() || !names.iter().all(|name| is_host_name(name)) {
            return Err(bad(host));
        }
        text.push_str(&hosts::link(address.ok_or_else(|| bad(host))?, &names));
    }
    Ok(text)
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
}

/// The host's address on the network of its default route.
fn gateway(net: Option<&Value>) -> Option<IpAddr> {
    part::string(net?.get("routes")?.get(0), "gw")?.parse().ok()
}

/// `dns` of a CNI result as resolv.conf(5) has it. A document may be anybody's: no word brings a line of its own.
fn resolv_conf(dns: &Value) -> Result<String> {
    let words = |key: &str| {
        let words = part::strings(dns.get(key), key)?;
        match words.iter().find(|word| word.is_empty() || !word.bytes().all(|b| b.is_ascii_graphic())) {
            Some(word) => Err(Error::new(Code::Invalid, format!("document: net.dns.{key} has {word:?}"))),
            None => Ok(words),
        }
    };
    let mut text = String::new();
    for server in words("nameservers")? {
        let _ = writeln!(text, "nameserver {server}");
    }
    for key in ["search", "options"] {
        let words = words(key)?;
        if !words.is_empty() {
            let _ = writeln!(text, "{key} {}", words.join(" "));
        }
    }
    Ok(text)
}

/// `NAME:IP` (or `NAME=IP`) as a line of hosts(5); `host-gateway` is the host's address on the container's network.
fn host_line(word: &str, gateway: Option<IpAddr>) -> Result<String> {
    let bad = |why: &str| Error::new(Code::Invalid, format!("invalid host {word:?}: {why}")).hint("expected NAME:IP");
    let (name, ip) = word.split_once(['=', ':']).ok_or_else(|| bad("it has no address"))?;
    if !is_host_name(name) {
        return Err(bad("its name is none"));
    }
    let ip = ip.strip_prefix('[').and_then(|i| i.strip_suffix(']')).unwrap_or(ip);
    let ip: IpAddr = match (ip, gateway) {
        ("host-gateway", Some(gateway)) => gateway,
        ("host-gateway", None) => return Err(bad("the container is on no network with a gateway")),
        (ip, _) => ip.parse().map_err(|_| bad("its address is no IP address"))?,
    };
    Ok(format!("{ip}\t{name}\n"))
}

/// A file of the host, `None` where there is none.
fn of_host(path: &str) -> Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).cannot(|| format!("open {path}")),
    };
    let mut bytes = Vec::new();
    file.take(MAX_HOST_FILE).read_to_end(&mut bytes).cannot(|| format!("read {path}"))?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn servers_and_domains() {
        let dns = json!({"nameservers": ["10.0.0.1"], "search": ["a", "b"], "options": ["ndots:2"]});
        assert_eq!(resolv_conf(&dns).unwrap(), "nameserver 10.0.0.1\nsearch a b\noptions ndots:2\n");
        assert_eq!(resolv_conf(&json!({})).unwrap(), "");
        assert_eq!(resolv_conf(&json!({"search": ["a\nnameserver 6.6.6.6"]})).unwrap_err().code, Code::Invalid);
    }

    #[test]
    fn linked_hosts() {
        let net = |names: Value| json!({"hosts": [{"address": "10.90.0.2", "names": names}]});
        assert_eq!(linked(Some(&net(json!(["data", "db"])))).unwrap(), "10.90.0.2\tdata db\t# link\n");
        for bad in [json!([]), json!(["a\n1.2.3.4 b"]), json!([""]), json!(["#"])] {
            assert_eq!(linked(Some(&net(bad))).unwrap_err().code, Code::Invalid);
        }
        assert!(linked(Some(&json!({"hosts": [{"address": "x", "names": ["a"]}]}))).is_err());
    }

    #[test]
    fn host_lines() {
        let host_line = |word: &str| super::host_line(word, None);
        let gateway = Some(IpAddr::from([10, 90, 0, 1]));
        assert_eq!(super::host_line("up:host-gateway", gateway).unwrap(), "10.90.0.1\tup\n");
        assert_eq!(host_line("db:10.0.0.1").unwrap(), "10.0.0.1\tdb\n");
        assert_eq!(host_line("db=10.0.0.1").unwrap(), "10.0.0.1\tdb\n");
        assert_eq!(host_line("six:2001:db8::1").unwrap(), "2001:db8::1\tsix\n");
        assert_eq!(host_line("six:[::1]").unwrap(), "::1\tsix\n");
        for bad in ["db", "db:", ":10.0.0.1", "db:10.0.0", "a b:10.0.0.1", "a\n:10.0.0.1", "db:host-gateway"] {
            assert_eq!(host_line(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }
}
