//! Networks of containers, as far as records and names tell: what the kernel has of them is made and compared by
//! `net-attach`, and taken away by its id here, without netlink.
//!
//! There is no database. A network is `networks/<name>.json`, an address in use a symbolic link
//! `addresses/<network>/<address>` whose text is the id of the container, a published port a link in the run directory.

pub mod address;
pub mod background;
pub mod cni;
mod down;
mod elements;
pub mod firewall;
mod holder;
pub mod link;
mod lock;
pub mod mode;
pub mod names;
pub mod netns;
pub mod network;
pub mod nfnetlink;
pub mod port;
pub mod proxy;
pub mod resolver;
mod section;
pub mod subnet;
mod undo;

pub use lock::Lock;
pub use network::Network;
pub use port::{Claim, Mapping, Target};
pub use section::{Attachment, Dns, Host, Interface, Ip, Link, Net, PortMap, PublishMode, Route};
pub use subnet::Subnet;
pub use undo::{close_ports, detach, free_ports, undo, unpublish, withdraw};

/// The CNI version of the section `net`.
pub const CNI_VERSION: &str = "1.1.0";
