//! Links, addresses and routes of one network namespace, by rtnetlink(7); and whether a firewall's table or chain is there.
//!
//! A socket stays in the network namespace that it was opened in, whatever its thread enters later.

mod conntrack;
mod link;
mod table;

pub use conntrack::{Connections, forget};
pub use link::{Link, Over, Veth};
pub use table::{Chain, Family, chain, has_table};

use ctr_core::{Cannot, Code, Error, Result, json, trace};
use ctr_net::Subnet;
use futures_util::TryStreamExt;
use rtnetlink::{
    Handle, RouteMessageBuilder,
    packet_route::{
        AddressFamily,
        address::{AddressAttribute, AddressHeaderFlags},
        link::LinkMessage,
        route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType},
    },
};
use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
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
    pub fn add_address(&self, index: u32, address: IpAddr, length: u8) -> Result<()> {
        let show = || json!({"address": format!("{address}/{length}"), "index": index});
        trace::act("newaddr", show, || {
            let mut request = self.handle.address().add(index, address, length).replace();
            if address.is_ipv6() {
                // It is nobody else's: the kernel need not wait a second to find out.
                request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
            }
            self.wait(|| format!("add address {address}/{length}"), request.execute())
        })
    }

    /// Sends what no other route takes to `gateway`, and no longer to another.
    ///
    /// # Errors
    /// The kernel's.
    pub fn add_default_route(&self, gateway: IpAddr) -> Result<()> {
        let (route, dst) = match gateway {
            IpAddr::V4(gw) => (RouteMessageBuilder::<Ipv4Addr>::new().gateway(gw).build(), "0.0.0.0/0"),
            IpAddr::V6(gw) => (RouteMessageBuilder::<Ipv6Addr>::new().gateway(gw).build(), "::/0"),
        };
        trace::act(
            "newroute",
            || json!({"dst": dst, "gw": gateway}),
            || {
                let request = self.handle.route().add(route).replace().execute();
                self.wait(|| format!("add the route by {gateway}"), request)
            },
        )
    }

    /// The addresses of the interface `index`, or of every one, with the bits of their subnets; not those of IPv6 that are a
    /// link's only.
    ///
    /// # Errors
    /// The kernel's.
    pub fn addresses(&self, index: Option<u32>) -> Result<Vec<(IpAddr, u8)>> {
        let request = self.handle.address().get();
        let request = match index {
            Some(index) => request.set_link_index_filter(index),
            None => request,
        };
        let found = self.wait(|| "list addresses".to_owned(), request.execute().try_collect::<Vec<_>>())?;
        let address = |attribute: &AddressAttribute| match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => Some(IpAddr::V4(*address)),
            // Of IPv6 there is no other end, and no IFA_LOCAL.
            AddressAttribute::Address(IpAddr::V6(address)) if !address.is_unicast_link_local() => {
                Some(IpAddr::V6(*address))
            }
            _ => None,
        };
        let one = |message: &rtnetlink::packet_route::address::AddressMessage| {
            Some((message.attributes.iter().find_map(address)?, message.header.prefix_len))
        };
        Ok(found.iter().filter_map(one).collect())
    }

    fn routes(&self, family: AddressFamily) -> Result<Vec<RouteMessage>> {
        let filter = match family {
            AddressFamily::Inet6 => RouteMessageBuilder::<Ipv6Addr>::new().build(),
            _ => RouteMessageBuilder::<Ipv4Addr>::new().build(),
        };
        let request = self.handle.route().get(filter).execute().try_collect::<Vec<_>>();
        let mut routes = self.wait(|| "list routes".to_owned(), request)?;
        routes.retain(|route| {
            let RouteHeader { kind, address_family, table, .. } = &route.header;
            let main = *table == RouteHeader::RT_TABLE_MAIN;
            *kind == RouteType::Unicast && *address_family == family && main
        });
        Ok(routes)
    }

    /// The subnets that routes lead to, but the default routes'.
    ///
    /// # Errors
    /// The kernel's.
    pub fn subnets(&self) -> Result<Vec<Subnet>> {
        let subnet = |route: RouteMessage| {
            let to = route.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Destination(to) => ip(to),
                _ => None,
            });
            Subnet::new(to?, route.header.destination_prefix_length).ok().map(|subnet| subnet.trunc())
        };
        let mut routes = self.routes(AddressFamily::Inet)?;
        routes.extend(self.routes(AddressFamily::Inet6)?);
        Ok(routes.into_iter().filter_map(subnet).filter(|subnet| subnet.prefix_len() > 0).collect())
    }

    /// The gateways of the default routes.
    ///
    /// # Errors
    /// The kernel's.
    pub fn default_gateways(&self) -> Result<Vec<IpAddr>> {
        let gateway = |route: &RouteMessage| {
            route.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Gateway(gateway) => ip(gateway),
                _ => None,
            })
        };
        let mut routes = self.routes(AddressFamily::Inet)?;
        routes.extend(self.routes(AddressFamily::Inet6)?);
        Ok(routes.iter().filter(|r| r.header.destination_prefix_length == 0).filter_map(gateway).collect())
    }

    /// Most bytes of a packet on the way out: the MTU of the interface of the default route; `None` without one.
    ///
    /// # Errors
    /// The kernel's.
    pub fn way_out_mtu(&self) -> Result<Option<u32>> {
        let routes = self.routes(AddressFamily::Inet)?;
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

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
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
