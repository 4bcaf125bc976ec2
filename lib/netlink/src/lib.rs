//! Links, addresses and routes of one network namespace, by rtnetlink(7); and whether a firewall's table or chain is there.
//!
//! A socket stays in the network namespace that it was opened in, whatever its thread enters later.

mod conntrack;
mod link;
mod nfnetlink;
mod table;

pub use conntrack::{Connections, forget};
pub use link::{Link, Veth};
pub use table::{Chain, Family, chain, has_table};

use ctr_core::{Cannot, Code, Error, Result, json, trace};
use ctr_net::Subnet;
use futures_util::TryStreamExt;
use rtnetlink::{
    Handle, RouteMessageBuilder,
    packet_route::{
        AddressFamily,
        address::AddressAttribute,
        link::LinkMessage,
        route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType},
    },
};
use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr},
};
use tokio::runtime::{Builder, Runtime};

/// A connection to the kernel.
pub struct Netlink {
    runtime: Runtime,
    handle: Handle,
}

impl Netlink {
    /// Opens one in the network namespace that this thread is in.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open() -> Result<Self> {
        let what = || "open a netlink socket";
        let runtime = Builder::new_current_thread().enable_io().build().cannot(what)?;
        let entered = runtime.enter();
        let (connection, handle, _) = rtnetlink::new_connection().cannot(what)?;
        drop(entered);
        runtime.spawn(connection);
        Ok(Self { runtime, handle })
    }

    fn wait<T>(
        &self,
        what: impl FnOnce() -> String,
        request: impl Future<Output = Result<T, rtnetlink::Error>>,
    ) -> Result<T> {
        self.runtime.block_on(request).map_err(|e| failure(&what(), &e))
    }

    /// Gives the interface `index` the address, with the bits of its subnet; it may have it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn add_address(&self, index: u32, address: Ipv4Addr, length: u8) -> Result<()> {
        let show = || json!({"address": format!("{address}/{length}"), "index": index});
        trace::act("newaddr", show, || {
            let request = self.handle.address().add(index, IpAddr::V4(address), length).replace().execute();
            self.wait(|| format!("add address {address}/{length}"), request)
        })
    }

    /// Sends what no other route takes to `gateway`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn add_default_route(&self, gateway: Ipv4Addr) -> Result<()> {
        let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).build();
        trace::act(
            "newroute",
            || json!({"dst": "0.0.0.0/0", "gw": gateway}),
            || {
                let request = self.handle.route().add(route).replace().execute();
                self.wait(|| format!("add the route by {gateway}"), request)
            },
        )
    }

    /// The IPv4 addresses of the interface `index`, with the bits of their subnets.
    ///
    /// # Errors
    /// The kernel's.
    pub fn addresses(&self, index: u32) -> Result<Vec<(Ipv4Addr, u8)>> {
        let request = self.handle.address().get().set_link_index_filter(index).execute().try_collect::<Vec<_>>();
        let found = self.wait(|| "list addresses".to_owned(), request)?;
        let address = |attribute: &AddressAttribute| match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
            _ => None,
        };
        let one = |message: &rtnetlink::packet_route::address::AddressMessage| {
            Some((message.attributes.iter().find_map(address)?, message.header.prefix_len))
        };
        Ok(found.iter().filter_map(one).collect())
    }

    fn routes(&self) -> Result<Vec<RouteMessage>> {
        let filter = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let request = self.handle.route().get(filter).execute().try_collect::<Vec<_>>();
        let mut routes = self.wait(|| "list routes".to_owned(), request)?;
        routes.retain(|route| {
            let RouteHeader { kind, address_family, table, .. } = &route.header;
            let main = *table == RouteHeader::RT_TABLE_MAIN;
            *kind == RouteType::Unicast && *address_family == AddressFamily::Inet && main
        });
        Ok(routes)
    }

    /// The subnets that IPv4 routes lead to, but the default route's.
    ///
    /// # Errors
    /// The kernel's.
    pub fn subnets(&self) -> Result<Vec<Subnet>> {
        let subnet = |route: RouteMessage| {
            let to = route.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(*address),
                _ => None,
            });
            Subnet::around(to?, route.header.destination_prefix_length).ok()
        };
        Ok(self.routes()?.into_iter().filter_map(subnet).filter(|subnet| subnet.length() > 0).collect())
    }

    /// The gateways of the default routes.
    ///
    /// # Errors
    /// The kernel's.
    pub fn default_gateways(&self) -> Result<Vec<Ipv4Addr>> {
        let gateway = |route: &RouteMessage| {
            route.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some(*address),
                _ => None,
            })
        };
        let routes = self.routes()?;
        Ok(routes.iter().filter(|r| r.header.destination_prefix_length == 0).filter_map(gateway).collect())
    }

    /// Most bytes of a packet on the way out: the MTU of the interface of the default route; `None` without one.
    ///
    /// # Errors
    /// The kernel's.
    pub fn way_out_mtu(&self) -> Result<Option<u32>> {
        let routes = self.routes()?;
        let out = routes.iter().filter(|r| r.header.destination_prefix_length == 0).find_map(|route| {
            route.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Oif(index) => Some(*index),
                _ => None,
            })
        });
        let Some(index) = out else { return Ok(None) };
        let mut answers = self.handle.link().get().match_index(index).execute();
        let link: Option<LinkMessage> = self.wait(|| format!("look at interface {index}"), answers.try_next())?;
        Ok(link.map(|message| Link::read(&message).mtu))
    }
}

/// The kernel's refusal with its own number.
fn failure(what: &str, error: &rtnetlink::Error) -> Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => Error::io(what, &message.to_io()),
        other => Error::new(Code::Io, format!("cannot {what}: {other}")),
    }
}

/// Whether the kernel refused by this error number.
fn is(error: &rtnetlink::Error, kind: io::ErrorKind) -> bool {
    matches!(error, rtnetlink::Error::NetlinkError(message) if message.to_io().kind() == kind)
}
