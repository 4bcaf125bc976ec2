//! Blocks of addresses, `10.0.0.0/16`, `fd00::/64`.

use ctr_core::{Code, Error, Result};
pub use ipnet::IpNet as Subnet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads `ADDRESS/BITS`; what the address has beyond the prefix is dropped.
///
/// # Errors
/// `invalid`.
pub fn parse(text: &str) -> Result<Subnet> {
    let bad = |why: &str| Error::new(Code::Invalid, format!("invalid subnet {text:?}: {why}"));
    let (address, length) = text.split_once('/').ok_or_else(|| bad("expected ADDRESS/BITS"))?;
    let address: IpAddr = address.parse().map_err(|_| bad(&format!("{address:?} is not an address")))?;
    let length = length.parse().map_err(|_| bad("expected a number of bits"))?;
    Subnet::new(address, length).map(|subnet| subnet.trunc()).map_err(|_| bad("its address has not so many bits"))
}

/// Whether an address is in both.
pub fn overlaps(one: &Subnet, other: &Subnet) -> bool {
    one.contains(other) || other.contains(one)
}

/// Whether a host can have the address: of IPv4 the first and the last are not a host's, of IPv6 the first is the routers'
/// (RFC 4291, 2.6.1); the last is left out there too.
pub fn is_host(subnet: &Subnet, address: IpAddr) -> bool {
    subnet.contains(&address) && address != subnet.network() && address != subnet.broadcast()
}

/// Its addresses, lowest first.
pub fn addresses(subnet: &Subnet) -> impl Iterator<Item = IpAddr> + use<> {
    let number = |address| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    let is_six = matches!(subnet, Subnet::V6(_));
    (number(subnet.network())..=number(subnet.broadcast()))
        .map(move |n| if is_six { Ipv6Addr::from(n).into() } else { Ipv4Addr::from(n as u32).into() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blocks_of_addresses() {
        let net = parse("10.1.2.3/24").unwrap();
        assert_eq!((net.to_string(), net.broadcast().to_string()), ("10.1.2.0/24".to_owned(), "10.1.2.255".to_owned()));
        assert_eq!(addresses(&net).filter(|a| is_host(&net, *a)).count(), 254);
        assert!(overlaps(&net, &parse("10.0.0.0/8").unwrap()) && !overlaps(&net, &parse("10.1.3.0/24").unwrap()));
        assert!(overlaps(&net, &parse("0.0.0.0/0").unwrap()) && !overlaps(&net, &parse("::/0").unwrap()));
        let six = parse("fd00:1::9/64").unwrap();
        let second = addresses(&six).find(|a| is_host(&six, *a)).unwrap();
        assert_eq!((six.to_string(), second.to_string()), ("fd00:1::/64".to_owned(), "fd00:1::1".to_owned()));
        for bad in ["", "10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/x", "x/8", "fd00::/129"] {
            assert_eq!(parse(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }
}
