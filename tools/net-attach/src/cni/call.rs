//! What a runtime asks for: the environment and the configuration on stdin (SPEC.md, sections 1 and 2).

use super::{Failure, LATEST, VERSIONS};
use crate::word::{self, Wanted};
use ctr_core::{Value, ident, json};
use ctr_net::{Mapping, PortMap, cni::Key, names};
use std::{
    env,
    io::{self, Read},
    net::IpAddr,
    path::Path,
};

/// Most bytes of a configuration.
const MAX: u64 = 1 << 20;
/// What is asked of a runtime's words beside `VERSION`, and the first version that has it.
const COMMANDS: [(&str, usize); 5] = [("ADD", 0), ("DEL", 0), ("CHECK", 0), ("GC", 2), ("STATUS", 2)];

/// One call.
pub(super) struct Call {
    pub command: String,
    /// Of the result.
    pub version: String,
    /// The configuration.
    pub config: Value,
    /// The network of ours, by its name or the beginning of its id.
    pub network: String,
    /// Of the attachment; of `GC`, `STATUS` and `VERSION` the network alone is said.
    pub key: Key,
    /// The container's network namespace; empty: not given.
    pub netns: String,
}

impl Call {
    /// Reads it; `version` becomes what the runtime speaks, as soon as it is known.
    pub fn read(command: &str, version: &mut String) -> Result<Self, Failure> {
        let Some((_, first)) = COMMANDS.iter().chain(&[("VERSION", 0)]).find(|(name, _)| *name == command) else {
            return Err(environment("CNI_COMMAND", command));
        };
        let mut text = String::new();
        let read = io::stdin().take(MAX + 1).read_to_string(&mut text);
        read.map_err(|e| Failure::new(5, format!("cannot read the configuration: {e}")))?;
        if text.len() as u64 > MAX {
            return Err(Failure::new(7, format!("configuration: longer than {MAX} bytes")));
        }
        let is_version = command == "VERSION";
        if is_version && text.trim().is_empty() {
            "{}".clone_into(&mut text);
        }
        let undecodable = |e| Failure::new(6, format!("configuration: no JSON: {e}"));
        let config: Value = serde_json::from_str(&text).map_err(undecodable)?;
        if !config.is_object() {
            return Err(Failure::new(6, "configuration: no JSON object"));
        }
        let asked = config["cniVersion"].as_str().unwrap_or(if is_version { LATEST } else { "none" });
        let known = VERSIONS.iter().position(|known| *known == asked);
        if known.is_some() {
            asked.clone_into(version);
        }
        let mut call = Self {
            command: command.to_owned(),
            version: version.clone(),
            config,
            network: String::new(),
            key: Key { network: String::new(), container_id: String::new(), ifname: String::new() },
            netns: String::new(),
        };
        if is_version {
            return Ok(call);
        }
        if known.is_none_or(|known| known < *first) {
            let spoken = VERSIONS[*first..].join(", ");
            let asked = call.config["cniVersion"].as_str().unwrap_or("none").to_owned();
            return Err(Failure::new(1, format!("cniVersion {asked:?}: {command} is spoken in {spoken}")));
        }
        call.names()?;
        if matches!(command, "ADD" | "DEL" | "CHECK") {
            call.attachment()?;
        }
        Ok(call)
    }

    /// The network: of the runtime by `name`, of ours by `network`, else by `name` too.
    fn names(&mut self) -> Result<(), Failure> {
        let name = self.config["name"].as_str().unwrap_or_default();
        ident::check_name(name).map_err(|e| Failure::new(7, format!("configuration: name: {e}")))?;
        name.clone_into(&mut self.key.network);
        self.network = match self.config.get("network") {
            None => name.to_owned(),
            Some(Value::String(network)) => network.clone(),
            Some(other) => return Err(field("network", other)),
        };
        match self.config.get("ipam") {
            Some(ipam) if ipam.as_object().is_none_or(|ipam| !ipam.is_empty()) => {
                let failure = Failure::new(2, format!("configuration: unsupported field ipam: {ipam}"));
                Err(Failure { details: Some("addresses are those of the network of ours".to_owned()), ..failure })
            }
            _ => Ok(()),
        }
    }

    /// What the environment says of the attachment.
    fn attachment(&mut self) -> Result<(), Failure> {
        let word = |name: &'static str| env::var(name).unwrap_or_default();
        let Key { container_id, ifname, .. } = &mut self.key;
        *container_id = word("CNI_CONTAINERID");
        ident::check_name(container_id).map_err(|_| environment("CNI_CONTAINERID", container_id))?;
        *ifname = word("CNI_IFNAME");
        let good = (1..=names::MAX_INTERFACE).contains(&ifname.len())
            && ![".", ".."].contains(&ifname.as_str())
            && ifname.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':');
        if !good {
            return Err(environment("CNI_IFNAME", ifname));
        }
        self.netns = word("CNI_NETNS");
        if self.netns.is_empty() && self.command == "DEL" {
            return Ok(());
        }
        if Path::new(&self.netns).is_absolute() { Ok(()) } else { Err(environment("CNI_NETNS", &self.netns)) }
    }

    /// What is wanted on the network: `runtimeConfig`, else `args.cni.ips` and `CNI_ARGS` (CONVENTIONS.md).
    pub fn wanted(&self) -> Result<Wanted, Failure> {
        let mut wanted = Wanted { network: self.network.clone(), ..Wanted::default() };
        let (runtime, args) = (&self.config["runtimeConfig"], &self.config["args"]["cni"]);
        let mut words = Vec::new();
        let (mut ips, mut mac) = (Vec::new(), None);
        let list = env::var("CNI_ARGS").unwrap_or_default();
        for pair in list.split(';').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| environment("CNI_ARGS", &list))?;
            match key {
                "IP" => words.push(value.to_owned()),
                "MAC" => mac = Some(value.to_owned()),
                _ => {}
            }
        }
        for (name, said) in [("args.cni.ips", &args["ips"]), ("runtimeConfig.ips", &runtime["ips"])] {
            if said.is_null() {
                continue;
            }
            let list = said.as_array().ok_or_else(|| field(name, said))?;
            words = list
                .iter()
                .map(|ip| ip.as_str().map(str::to_owned).ok_or_else(|| field(name, said)))
                .collect::<Result<_, _>>()?;
        }
        if let Some(said) = Some(&runtime["mac"]).filter(|said| !said.is_null()) {
            mac = Some(said.as_str().ok_or_else(|| field("runtimeConfig.mac", said))?.to_owned());
        }
        for word in words {
            // With the bits of a subnet or without.
            let bare = word.split('/').next().unwrap_or_default();
            ips.push(bare.parse::<IpAddr>().map_err(|_| field("ips", &json!(word)))?);
        }
        for ip in ips {
            let twice = match ip {
                IpAddr::V4(ip) => wanted.ip.replace(ip).is_some(),
                IpAddr::V6(ip) => wanted.ip6.replace(ip).is_some(),
            };
            if twice {
                return Err(Failure::new(7, format!("configuration: ips: {ip} is the second of its family")));
            }
        }
        wanted.mac = mac.as_deref().filter(|mac| !mac.is_empty()).map(word::mac).transpose()?;
        Ok(wanted)
    }

    /// `runtimeConfig.portMappings`; those without a port of the host mean nothing.
    pub fn mappings(&self) -> Result<Vec<Mapping>, Failure> {
        let said = &self.config["runtimeConfig"]["portMappings"];
        if said.is_null() {
            return Ok(Vec::new());
        }
        let bad = |one: &Value| field("runtimeConfig.portMappings", one);
        let mut mappings = Vec::new();
        for one in said.as_array().ok_or_else(|| bad(said))? {
            let mut full = one.clone();
            let object = full.as_object_mut().ok_or_else(|| bad(one))?;
            let any = ["", "::"].map(|word| json!(word));
            if object.get("hostIP").is_none_or(|ip| ip.is_null() || any.contains(ip)) {
                object.shift_remove("hostIP");
            }
            object.entry("protocol").or_insert_with(|| json!("tcp"));
            let port = PortMap::read(&full).filter(|port| port.container_port != 0).ok_or_else(|| bad(one))?;
            if port.host_port != 0 {
                mappings.push(crate::attach::mapping(&port)?);
            }
        }
        Ok(mappings)
    }

    /// The attachments that there still are, of `GC`.
    pub fn valid(&self) -> Result<Vec<Key>, Failure> {
        const NAME: &str = "cni.dev/valid-attachments";
        let said = self.config.get(NAME).unwrap_or(&Value::Null);
        let list = said.as_array().ok_or_else(|| field(NAME, said))?;
        let one = |one: &Value| {
            let word = |name: &str| one[name].as_str().map(str::to_owned).ok_or_else(|| field(NAME, one));
            Ok(Key { network: self.key.network.clone(), container_id: word("containerID")?, ifname: word("ifname")? })
        };
        list.iter().map(one).collect()
    }
}

fn environment(name: &str, value: &str) -> Failure {
    Failure::new(4, format!("invalid environment variable {name}: {value:?}"))
}

fn field(name: &str, value: &Value) -> Failure {
    Failure::new(7, format!("configuration: {name} has not its form: {value}"))
}
