//! `linux.sysctl`: kernel parameters that belong to a namespace of the container's own.

use super::{
    Flags,
    namespaces::{Mode, Namespaces},
};
use ctr_core::{Code, Error, Map, Result, Value, json};

/// The parameters of the IPC namespace beside `fs.mqueue.*` (ipc_namespaces(7)).
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Docker's defaults, then the flags. A parameter of the host is refused: it would change the host.
pub fn complete(sysctl: &mut Map<String, Value>, flags: &Flags, namespaces: &Namespaces) -> Result<()> {
    let own = |kind| namespaces.of(kind) != &Mode::Host;
    // Ports below 1024 and ping are for every user of a network of its own. A joined network
    // belongs to others; group ids that a user namespace does not map cannot be written.
    if namespaces.of("network") == &Mode::New {
        default(sysctl, "net.ipv4.ip_unprivileged_port_start", "0");
        if !own("user") {
            default(sysctl, "net.ipv4.ping_group_range", "0 2147483647");
        }
    }
    if let Some(name) = &flags.domainname {
        if namespaces.of("uts") != &Mode::New {
            return Err(Error::new(Code::Invalid, "a domain name needs a UTS namespace of its own"));
        }
        sysctl.insert("kernel.domainname".to_owned(), json!(name));
    }
    for word in &flags.sysctl {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| Error::new(Code::Invalid, format!("invalid sysctl {word:?}: expected NAME=VALUE")))?;
        // sysctl(8) takes slashes for dots as well; the checks below know dots.
        let name = name.trim().replace('/', ".");
        if name.split('.').any(str::is_empty) {
            return Err(Error::new(Code::Invalid, format!("invalid sysctl {word:?}: {name:?} is no name")));
        }
        let kind = if IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.") {
            "ipc"
        } else if name.starts_with("net.") {
            "network"
        } else if name == "kernel.domainname" {
            "uts"
        } else {
            return Err(Error::new(Code::Unsupported, format!("cannot set sysctl {name}: it belongs to no namespace")));
        };
        if !own(kind) {
            return Err(Error::new(
                Code::Invalid,
                format!("cannot set sysctl {name}: the container shares the host's {kind} namespace"),
            ));
        }
        sysctl.insert(name, json!(value.trim()));
    }
    Ok(())
}

fn default(sysctl: &mut Map<String, Value>, name: &str, value: &str) {
    sysctl.entry(name).or_insert_with(|| json!(value));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn set(words: &[&str], network: Option<&str>) -> Result<Map<String, Value>> {
        let flags = Flags {
            sysctl: words.iter().map(|w| (*w).to_owned()).collect(),
            network: network.map(str::to_owned),
            ..Flags::default()
        };
        let namespaces = Namespaces::new(&Map::new(), false, &flags)?;
        let mut sysctl = Map::new();
        complete(&mut sysctl, &flags, &namespaces).map(|()| sysctl)
    }

    #[test]
    fn only_what_belongs_to_a_namespace() {
        let sysctl =
            set(&["net.ipv4.ip_forward=1", "kernel/sem=1 2 3 4", "net.ipv4.ip_unprivileged_port_start=80"], None)
                .unwrap();
        assert_eq!(sysctl["net.ipv4.ip_forward"], "1");
        assert_eq!(sysctl["kernel.sem"], "1 2 3 4");
        assert_eq!(sysctl["net.ipv4.ip_unprivileged_port_start"], "80");
        assert_eq!(sysctl["net.ipv4.ping_group_range"], "0 2147483647");
        assert!(set(&[], Some("host")).unwrap().is_empty());
        for (word, code) in [
            ("kernel.panic=1", Code::Unsupported),
            ("vm.swappiness=1", Code::Unsupported),
            ("net.ipv4.ip_forward", Code::Invalid),
            ("net../../../kernel.panic=1", Code::Invalid),
            ("=1", Code::Invalid),
        ] {
            assert_eq!(set(&[word], None).unwrap_err().code, code, "{word}");
        }
        assert_eq!(set(&["net.core.somaxconn=1"], Some("host")).unwrap_err().code, Code::Invalid);
    }
}
