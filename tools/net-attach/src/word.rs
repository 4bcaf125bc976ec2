//! What is asked for of one network: docker's words for it.

use ctr_core::{Code, Error, Result, ident};
use ctr_net::Link;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network, and what a container wants on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The network's name, or the beginning of its id.
    pub network: String,
    /// Names that the container has on it beside its own.
    pub aliases: Vec<String>,
    /// Others by names that it alone has for them.
    pub links: Vec<Link>,
    /// An address; else any.
    pub ip: Option<Ipv4Addr>,
    /// One of IPv6.
    pub ip6: Option<Ipv6Addr>,
    /// A hardware address; else one made of the address.
    pub mac: Option<[u8; 6]>,
    /// The default route goes by the network that has most of it.
    pub priority: i32,
}

impl Wanted {
    /// Reads `NAME`, or docker's long form `name=NAME,alias=A,ip=…,ip6=…,mac-address=…,gw-priority=N`.
    ///
    /// # Errors
    /// `invalid`; `unsupported` for a setting that is not there.
    pub fn parse(word: &str) -> Result<Self> {
        if !word.contains('=') || word.starts_with("ns:") {
            return Ok(Self { network: word.to_owned(), ..Self::default() });
        }
        let mut wanted = Self::default();
        let bad = |why: String| {
            Error::new(Code::Invalid, format!("invalid network {word:?}: {why}"))
                .hint("name=NAME,alias=NAME,ip=ADDRESS,ip6=ADDRESS,mac-address=ADDRESS,gw-priority=N")
        };
        for setting in word.split(',') {
            let (key, value) = setting.split_once('=').ok_or_else(|| bad(format!("{setting:?} is no KEY=VALUE")))?;
            match key {
                "name" => value.clone_into(&mut wanted.network),
                "alias" => wanted.aliases.push(alias(value)?),
                "ip" => wanted.ip = Some(ip(value)?),
                "ip6" => wanted.ip6 = Some(ip(value)?),
                "mac-address" | "mac" => wanted.mac = Some(mac(value)?),
                "gw-priority" => {
                    wanted.priority = value.parse().map_err(|_| bad(format!("{value:?} is no priority")))?;
                }
                "driver-opt" | "link-local-ip" => {
                    return Err(Error::new(Code::Unsupported, format!("{key} of network {word:?}: not there")));
                }
                _ => return Err(bad(format!("{key:?} is no setting"))),
            }
        }
        if wanted.network.is_empty() {
            return Err(bad("it has no name".to_owned()));
        }
        Ok(wanted)
    }

    /// The addresses that it names.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let (four, six) = (self.ip.map(IpAddr::V4), self.ip6.map(IpAddr::V6));
        four.into_iter().chain(six).collect()
    }

    /// Whether anything but the name is said.
    pub fn has_settings(&self) -> bool {
        *self != Self { network: self.network.clone(), ..Self::default() }
    }
}

/// A name on a network, in a form that resolvers take.
///
/// # Errors
/// `invalid`.
pub fn alias(word: &str) -> Result<String> {
    match ident::check_name(word) {
        Ok(()) if word.len() <= 253 => Ok(word.to_owned()),
        _ => Err(Error::new(Code::Invalid, format!("invalid alias {word:?}"))),
    }
}

/// Another container, and what it is called: docker's `CONTAINER[:ALIAS]`.
///
/// # Errors
/// `invalid`.
pub fn link(word: &str) -> Result<Link> {
    let (container, name) = word.split_once(':').unwrap_or((word, word));
    match (alias(container), alias(name)) {
        (Ok(container), Ok(alias)) => Ok(Link { container, alias }),
        _ => Err(Error::new(Code::Invalid, format!("invalid link {word:?}")).hint("expected CONTAINER[:ALIAS]")),
    }
}

/// An address of one family.
///
/// # Errors
/// `invalid`.
pub fn ip<T: std::str::FromStr>(word: &str) -> Result<T> {
    word.parse().map_err(|_| Error::new(Code::Invalid, format!("invalid address {word:?}")))
}

/// Six pairs of hex digits; not a group's.
///
/// # Errors
/// `invalid`.
pub fn mac(word: &str) -> Result<[u8; 6]> {
    let bad = || Error::new(Code::Invalid, format!("invalid hardware address {word:?}")).hint("as 02:42:ac:11:00:02");
    let pair = |pair: &str| {
        let digits = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
        u8::from_str_radix(pair, 16).ok().filter(|_| digits)
    };
    let bytes = word.split([':', '-']).map(pair).collect::<Option<Vec<u8>>>().ok_or_else(bad)?;
    let bytes: [u8; 6] = bytes.try_into().map_err(|_| bad())?;
    if bytes[0] & 1 == 1 || bytes == [0; 6] { Err(bad()) } else { Ok(bytes) }
}

/// Six pairs of hex digits.
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_network_with_settings() {
        assert_eq!(Wanted::parse("web").unwrap(), Wanted { network: "web".to_owned(), ..Wanted::default() });
        let word = "name=web,alias=a,alias=b,ip=10.1.0.2,ip6=fd00::2,mac-address=02:42:ac:11:00:02,gw-priority=-1";
        let wanted = Wanted::parse(word).unwrap();
        assert_eq!((wanted.network.as_str(), wanted.priority, wanted.aliases.len()), ("web", -1, 2));
        assert_eq!(wanted.addresses().len(), 2);
        for bad in [
            "alias=a",
            "name=",
            "name=a,b",
            "name=a,x=y",
            "name=a,ip=fd00::1",
            "name=a,ip6=1.2.3.4",
            "name=a,mac=x",
            "name=a,gw-priority=high",
            "name=a,alias=a b",
        ] {
            assert_eq!(Wanted::parse(bad).unwrap_err().code, Code::Invalid, "{bad}");
        }
        assert_eq!(Wanted::parse("name=a,driver-opt=x=y").unwrap_err().code, Code::Unsupported);
    }

    #[test]
    fn links() {
        let both = |word: &str| link(word).map(|link| (link.container, link.alias)).unwrap();
        assert_eq!(both("db"), ("db".to_owned(), "db".to_owned()));
        assert_eq!(both("db:data"), ("db".to_owned(), "data".to_owned()));
        for bad in ["", "db:", ":data", "a:b:c", "a b"] {
            assert_eq!(link(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }

    #[test]
    fn hardware_addresses() {
        assert_eq!(mac_text(mac("02:42:AC-11-00-02").unwrap()), "02:42:ac:11:00:02");
        for bad in ["", "02:42:ac:11:00", "01:00:00:00:00:01", "00:00:00:00:00:00", "+2:42:ac:11:00:02", "0242ac110002"]
        {
            assert_eq!(mac(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }
}
