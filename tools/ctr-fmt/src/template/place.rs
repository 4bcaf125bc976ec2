//! Where in a record a value is, and what docker's records may leave out there.
//!
//! docker's templates see Go's structs and maps: a field that its JSON leaves out has a value all the same, and of a map
//! any key may be asked for. The JSON alone does not say which is which, so the names are listed here.

use ctr_core::{Value, json};

/// What Go has in a field that nothing was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zero {
    /// A pointer to nothing.
    Nil,
    /// An empty string.
    Text,
    /// An empty list.
    List,
    /// An empty map.
    Map,
    /// The same of a field that is never left out: other records have none of that name.
    Always,
}

impl Zero {
    fn is_map(self) -> bool {
        matches!(self, Self::Map | Self::Always)
    }
}

/// The fields that may be left out or null, and all maps, of docker's shapes (Engine API: ContainerInspect, ImageInspect,
/// Volume, NetworkInspect) and of the document. `*` is any key of a map and any place in a list.
const FIELDS: &[(&str, Zero)] = &[
    ("Config.Cmd", Zero::List),
    ("Config.Entrypoint", Zero::List),
    ("Config.Env", Zero::List),
    ("Config.ExposedPorts", Zero::Map),
    ("Config.Healthcheck", Zero::Nil),
    ("Config.Labels", Zero::Map),
    ("Config.OnBuild", Zero::List),
    ("Config.Shell", Zero::List),
    ("Config.StopSignal", Zero::Text),
    ("Config.StopTimeout", Zero::Nil),
    ("Config.User", Zero::Text),
    ("Config.Volumes", Zero::Map),
    ("Config.WorkingDir", Zero::Text),
    ("Containers", Zero::Always),
    ("GraphDriver.Data", Zero::Map),
    ("HostConfig.Binds", Zero::List),
    ("HostConfig.BlkioDeviceReadBps", Zero::List),
    ("HostConfig.BlkioDeviceReadIOps", Zero::List),
    ("HostConfig.BlkioDeviceWriteBps", Zero::List),
    ("HostConfig.BlkioDeviceWriteIOps", Zero::List),
    ("HostConfig.CapAdd", Zero::List),
    ("HostConfig.CapDrop", Zero::List),
    ("HostConfig.DeviceCgroupRules", Zero::List),
    ("HostConfig.DeviceRequests", Zero::List),
    ("HostConfig.ExtraHosts", Zero::List),
    ("HostConfig.GroupAdd", Zero::List),
    ("HostConfig.Links", Zero::List),
    ("HostConfig.LogConfig.Config", Zero::Map),
    ("HostConfig.MemorySwappiness", Zero::Nil),
    ("HostConfig.Mounts", Zero::List),
    ("HostConfig.PidsLimit", Zero::Nil),
    ("HostConfig.PortBindings", Zero::Map),
    ("HostConfig.PortBindings.*", Zero::List),
    ("HostConfig.SecurityOpt", Zero::List),
    ("HostConfig.StorageOpt", Zero::Map),
    ("HostConfig.Sysctls", Zero::Map),
    ("HostConfig.Tmpfs", Zero::Map),
    ("HostConfig.VolumesFrom", Zero::List),
    ("IPAM.Config.*.AuxiliaryAddresses", Zero::Map),
    ("IPAM.Config.*.Gateway", Zero::Text),
    ("IPAM.Config.*.IPRange", Zero::Text),
    ("Labels", Zero::Always),
    ("Mounts.*.Driver", Zero::Text),
    ("Mounts.*.Name", Zero::Text),
    ("NetworkSettings.EndpointID", Zero::Text),
    ("NetworkSettings.Gateway", Zero::Text),
    ("NetworkSettings.GlobalIPv6Address", Zero::Text),
    ("NetworkSettings.IPAddress", Zero::Text),
    ("NetworkSettings.IPv6Gateway", Zero::Text),
    ("NetworkSettings.MacAddress", Zero::Text),
    ("NetworkSettings.Networks", Zero::Map),
    ("NetworkSettings.Networks.*.Aliases", Zero::List),
    ("NetworkSettings.Networks.*.DNSNames", Zero::List),
    ("NetworkSettings.Networks.*.DriverOpts", Zero::Map),
    ("NetworkSettings.Networks.*.Links", Zero::List),
    ("NetworkSettings.Ports", Zero::Map),
    ("NetworkSettings.Ports.*", Zero::List),
    ("NetworkSettings.SecondaryIPAddresses", Zero::List),
    ("NetworkSettings.SecondaryIPv6Addresses", Zero::List),
    ("Options", Zero::Always),
    ("SizeRootFs", Zero::Nil),
    ("SizeRw", Zero::Nil),
    ("State.Health", Zero::Nil),
    ("Variant", Zero::Text),
    ("image.config.config.Labels", Zero::Map),
    ("labels", Zero::Map),
    ("spec.annotations", Zero::Map),
];

/// The names that lead to a value from the record, which is itself the empty place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The place of a field, or of what a map has under that key.
    pub fn field(&self, name: &str) -> Self {
        if self.zero().is_some_and(Zero::is_map) { self.any() } else { self.then(name) }
    }

    /// The place of whatever a list or a map has.
    pub fn any(&self) -> Self {
        self.then("*")
    }

    fn then(&self, name: &str) -> Self {
        Self(if self.0.is_empty() { name.to_owned() } else { format!("{}.{name}", self.0) })
    }

    fn zero(&self) -> Option<Zero> {
        FIELDS.iter().find(|(path, _)| *path == self.0).map(|(_, zero)| *zero)
    }

    /// What `name` is, and where, in `holder`, the value of this place, which has no such key: null or an empty text where
    /// one may ask for it, else nothing.
    pub fn absent(&self, holder: &Value, name: &str) -> Option<(Value, Self)> {
        match (self.zero(), holder) {
            (Some(zero), Value::Object(_) | Value::Null) if zero.is_map() => return Some((Value::Null, self.any())),
            // What is in a key that is not there is as little there.
            (None, Value::Null) if self.0.ends_with('*') => return Some((Value::Null, self.clone())),
            (_, Value::Object(_)) => {}
            _ => return None,
        }
        let place = self.field(name);
        match place.zero()? {
            Zero::Always => None,
            Zero::Text => Some((json!(""), place)),
            _ => Some((Value::Null, place)),
        }
    }

    /// How Go prints null in this place.
    pub fn null(&self) -> &'static str {
        match self.zero() {
            None => "<no value>",
            Some(Zero::Nil) => "<nil>",
            Some(Zero::Text) => "",
            Some(Zero::List) => "[]",
            Some(Zero::Map | Zero::Always) => "map[]",
        }
    }
}
