//! A block of IPv4 addresses, `10.0.0.0/16`.

use ctr_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use std::{fmt, net::Ipv4Addr, str::FromStr};

/// A subnet; the address has no bits beyond the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    address: u32,
    length: u8,
}

impl Subnet {
    /// The subnet of `length` that `address` is in.
    ///
    /// # Errors
    /// `invalid` for a length above 32.
    pub fn around(address: Ipv4Addr, length: u8) -> Result<Self> {
        if length > 32 {
            return Err(Error::new(Code::Invalid, format!("invalid subnet {address}/{length}: at most 32 bits")));
        }
        Ok(Self { address: u32::from(address) & mask(length), length })
    }

    /// The number of bits that all its addresses share.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Its lowest address, which names it.
    pub fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.address)
    }

    /// Its highest address: the broadcast.
    pub fn last(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.address | !mask(self.length))
    }

    /// Whether the address is in it.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.length) == self.address
    }

    /// Whether an address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.first()) || other.contains(self.first())
    }

    /// Whether all of `other` is in it.
    pub fn holds(&self, other: &Self) -> bool {
        self.length <= other.length && self.contains(other.first())
    }

    /// The addresses that a host can have: all but the first and the last.
    pub fn hosts(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let (first, last) = (u32::from(self.first()), u32::from(self.last()));
        (first.saturating_add(1)..last).map(Ipv4Addr::from)
    }
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.length)
    }
}

impl FromStr for Subnet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::new(Code::Invalid, format!("invalid subnet {text:?}: {why}"));
        let (address, length) = text.split_once('/').ok_or_else(|| bad("expected ADDRESS/BITS"))?;
        if address.contains(':') {
            return Err(Error::new(Code::Unsupported, format!("subnet {text}: IPv6 is not there yet")));
        }
        let address: Ipv4Addr = address.parse().map_err(|_| bad("its address is none"))?;
        let length: u8 = length.parse().ok().filter(|l| *l <= 32).ok_or_else(|| bad("expected 0 to 32 bits"))?;
        Self::around(address, length)
    }
}

impl TryFrom<String> for Subnet {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blocks_of_addresses() {
        let net: Subnet = "10.1.2.3/24".parse().unwrap();
        assert_eq!((net.to_string(), net.last()), ("10.1.2.0/24".to_owned(), Ipv4Addr::new(10, 1, 2, 255)));
        assert_eq!(net.hosts().count(), 254);
        assert!(net.overlaps(&"10.0.0.0/8".parse().unwrap()) && !net.overlaps(&"10.1.3.0/24".parse().unwrap()));
        assert!(net.overlaps(&"0.0.0.0/0".parse().unwrap()));
        assert!(!net.holds(&"10.0.0.0/8".parse().unwrap()) && net.holds(&"10.1.2.128/25".parse().unwrap()));
        assert_eq!("10.0.0.0/31".parse::<Subnet>().unwrap().hosts().count(), 0);
        for bad in ["", "10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/x", "x/8"] {
            assert_eq!(bad.parse::<Subnet>().unwrap_err().code, Code::Invalid, "{bad:?}");
        }
    }
}
