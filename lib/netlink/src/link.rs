//! Interfaces: bridges, veths, loopback.

use crate::{Netlink, is};
use ctr_core::{Code, Error, Result, json, trace};
use futures_util::TryStreamExt;
use rtnetlink::{
    packet_core::{NLM_F_ACK, NLM_F_REQUEST},
    packet_route::link::{
        InfoBridgePort, InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoPortData, InfoPortKind, InfoVeth, InfoVlan,
        IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
    },
};
use std::{
    io::ErrorKind,
    os::fd::{AsRawFd, BorrowedFd},
};

/// An interface as the kernel has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is up.
    pub up: bool,
    /// Most bytes of a packet.
    pub mtu: u32,
    /// The bridge that it is a port of, by number.
    pub bridge: Option<u32>,
    /// Its hardware address.
    pub mac: Vec<u8>,
    /// What somebody has written about it.
    pub alias: String,
}

impl Link {
    pub(crate) fn read(message: &LinkMessage) -> Self {
        let mut link =
            Self { index: message.header.index, up: message.header.flags.contains(LinkFlags::Up), ..Self::default() };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => name.clone_into(&mut link.name),
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::Controller(index) => link.bridge = Some(*index),
                LinkAttribute::Address(mac) => mac.clone_into(&mut link.mac),
                LinkAttribute::IfAlias(alias) => alias.clone_into(&mut link.alias),
                _ => {}
            }
        }
        link
    }
}

/// A pair of interfaces to be made: one a port of a bridge, the other in a namespace.
#[derive(Debug)]
pub struct Veth<'a> {
    /// The name of the host's end.
    pub name: &'a str,
    /// The bridge, by number.
    pub bridge: u32,
    /// The name of the container's end.
    pub peer: &'a str,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// The namespace that it is made in.
    pub netns: BorrowedFd<'a>,
    /// Most bytes of a packet, of both.
    pub mtu: u32,
}

/// An interface to be made in a namespace over one of this one.
#[derive(Debug)]
pub struct Over<'a> {
    /// `macvlan` or `ipvlan`.
    pub kind: &'a str,
    /// How those of one parent reach each other: of macvlan `bridge`, `private`, `vepa`, `passthru`; of ipvlan `l2`, `l3`,
    /// `l3s`.
    pub mode: &'a str,
    /// The interface beneath, by number.
    pub parent: u32,
    /// Its name in the namespace.
    pub name: &'a str,
    /// Its hardware address; ipvlan's is its parent's.
    pub mac: Option<[u8; 6]>,
    /// The namespace.
    pub netns: BorrowedFd<'a>,
    /// Most bytes of a packet.
    pub mtu: u32,
}

impl Over<'_> {
    fn info(&self) -> Result<Vec<LinkInfo>> {
        let (kind, data) = match (self.kind, self.mode) {
            ("macvlan", "bridge") => mac_vlan(MacVlanMode::Bridge),
            ("macvlan", "private") => mac_vlan(MacVlanMode::Private),
            ("macvlan", "vepa") => mac_vlan(MacVlanMode::Vepa),
            ("macvlan", "passthru") => mac_vlan(MacVlanMode::Passthrough),
            ("ipvlan", "l2") => ip_vlan(IpVlanMode::L2),
            ("ipvlan", "l3") => ip_vlan(IpVlanMode::L3),
            ("ipvlan", "l3s") => ip_vlan(IpVlanMode::L3S),
            (kind, mode) => return Err(Error::new(Code::Invalid, format!("{kind} has no mode {mode:?}"))),
        };
        Ok(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)])
    }
}

fn mac_vlan(mode: MacVlanMode) -> (InfoKind, InfoData) {
    (InfoKind::MacVlan, InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)]))
}

fn ip_vlan(mode: IpVlanMode) -> (InfoKind, InfoData) {
    (InfoKind::IpVlan, InfoData::IpVlan(vec![InfoIpVlan::Mode(mode)]))
}

impl Netlink {
    /// The interface of that name.
    ///
    /// # Errors
    /// The kernel's; that there is none is `None`.
    pub fn link(&self, name: &str) -> Result<Option<Link>> {
        let mut answers = self.handle.link().get().match_name(name.to_owned()).execute();
        match self.runtime.block_on(answers.try_next()) {
            Ok(message) => Ok(message.as_ref().map(Link::read)),
            Err(e) if is(&e, ErrorKind::NotFound) || no_device(&e) => Ok(None),
            Err(e) => Err(crate::failure(&format!("look for interface {name}"), &e)),
        }
    }

    /// Every interface.
    ///
    /// # Errors
    /// The kernel's.
    pub fn links(&self) -> Result<Vec<Link>> {
        let request = self.handle.link().get().execute().try_collect::<Vec<_>>();
        Ok(self.wait(|| "list interfaces".to_owned(), request)?.iter().map(Link::read).collect())
    }

    /// Makes a bridge, down yet.
    ///
    /// # Errors
    /// `exists`, `unsupported`.
    pub fn add_bridge(&self, name: &str, mac: [u8; 6], mtu: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
        ];
        trace::act(
            "newlink",
            || json!({"bridge": name, "mtu": mtu}),
            || self.wait(|| format!("make bridge {name}"), self.handle.link().add(message).execute()),
        )
    }

    /// Makes a veth, the host's end up: the peer in its namespace from the first, for to move one there waits 20 ms for
    /// other processors (`synchronize_net`). The peer is down: it cannot be up before its other end is there.
    ///
    /// # Errors
    /// `exists`, `unsupported`.
    pub fn add_veth(&self, veth: &Veth<'_>) -> Result<()> {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(veth.peer.to_owned()),
            LinkAttribute::Address(veth.mac.to_vec()),
            LinkAttribute::Mtu(veth.mtu),
            LinkAttribute::NetNsFd(veth.netns.as_raw_fd()),
        ];
        let mut message = LinkMessage::default();
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes = vec![
            LinkAttribute::IfName(veth.name.to_owned()),
            LinkAttribute::Mtu(veth.mtu),
            LinkAttribute::Controller(veth.bridge),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        trace::act(
            "newlink",
            || json!({"veth": veth.name, "peer": veth.peer, "mtu": veth.mtu}),
            || self.wait(|| format!("make veth {}", veth.name), self.handle.link().add(message).execute()),
        )
    }

    /// Makes an interface over another, down yet.
    ///
    /// # Errors
    /// `unsupported` where the kernel has not its kind, `exists`, `busy` where the other is what none can be over.
    pub fn add_over(&self, over: &Over<'_>) -> Result<()> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(over.name.to_owned()),
            LinkAttribute::Mtu(over.mtu),
            LinkAttribute::Link(over.parent),
            LinkAttribute::NetNsFd(over.netns.as_raw_fd()),
            LinkAttribute::LinkInfo(over.info()?),
        ];
        message.attributes.extend(over.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        let what = || json!({"link": over.name, "kind": over.kind, "mode": over.mode, "parent": over.parent});
        trace::act("newlink", what, || self.make(over.kind, over.name, message))
    }

    /// Makes an interface of 802.1q over another, by number: what has that number of a VLAN comes by it, without that. It is up, and
    /// `alias` is written about it.
    ///
    /// # Errors
    /// As [`Netlink::add_over`].
    pub fn add_vlan(&self, name: &str, parent: u32, id: u16, alias: &str) -> Result<()> {
        let mut message = LinkMessage::default();
        let data = InfoData::Vlan(vec![InfoVlan::Id(id)]);
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Link(parent),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(data)]),
        ];
        let what = || json!({"link": name, "kind": "vlan", "id": id, "parent": parent});
        trace::act("newlink", what, || {
            self.make("8021q", name, message)?;
            // The kernel takes no alias where it makes one.
            let mut message = LinkMessage::default();
            message.header.flags = LinkFlags::Up;
            message.header.change_mask = LinkFlags::Up;
            message.attributes = vec![LinkAttribute::IfName(name.to_owned()), LinkAttribute::IfAlias(alias.to_owned())];
            self.wait(|| format!("set {name} up"), self.handle.link().set(message).execute())
        })
    }

    fn make(&self, kind: &str, name: &str, message: LinkMessage) -> Result<()> {
        let made = self.wait(|| format!("make {kind} {name}"), self.handle.link().add(message).execute());
        made.map_err(|e| match e.code {
            Code::Unsupported => {
                let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
                Error::new(Code::Unsupported, format!("this kernel, {}, has no {kind}", release.trim()))
            }
            _ => e,
        })
    }

    /// Sets an interface up.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_up(&self, index: u32, name: &str) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        trace::act(
            "setlink",
            || json!({"link": name, "up": true}),
            || self.wait(|| format!("set {name} up"), self.handle.link().set(message).execute()),
        )
    }

    /// Sets how a bridge treats its port `name`: whether what came in by it may go out by it, and whether it is kept
    /// from the other ports that are kept so.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_port(&self, name: &str, hairpin: bool, isolated: bool) -> Result<()> {
        let mut message = LinkMessage::default();
        let port = vec![InfoBridgePort::HairpinMode(hairpin), InfoBridgePort::Isolated(isolated)];
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::PortKind(InfoPortKind::Bridge),
                LinkInfo::PortData(InfoPortData::BridgePort(port)),
            ]),
        ];
        trace::act(
            "newlink",
            || json!({"port": name, "hairpin": hairpin, "isolated": isolated}),
            || {
                // Of one that is there: neither made nor replaced.
                let request = self.handle.link().add(message).set_flags(NLM_F_REQUEST | NLM_F_ACK).execute();
                self.wait(|| format!("set up bridge port {name}"), request)
            },
        )
    }

    /// Deletes an interface; gives whether it was there.
    ///
    /// # Errors
    /// `denied`.
    pub fn delete(&self, name: &str) -> Result<bool> {
        let Some(link) = self.link(name)? else { return Ok(false) };
        trace::act(
            "dellink",
            || json!({"link": name}),
            || {
                match self.runtime.block_on(self.handle.link().del(link.index).execute()) {
                    Err(e) if !no_device(&e) => Err(crate::failure(&format!("delete interface {name}"), &e)),
                    // Its namespace may have taken it along meanwhile.
                    _ => Ok(()),
                }
            },
        )?;
        Ok(true)
    }
}

/// `ENODEV`.
fn no_device(error: &rtnetlink::Error) -> bool {
    matches!(error, rtnetlink::Error::NetlinkError(message) if message.raw_code() == -19)
}
