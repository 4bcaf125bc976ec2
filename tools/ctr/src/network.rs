//! The commands about networks and ports.

use crate::{
    Plan,
    flags::{Flag, Given, list, switch, usage, value},
    pipe::{Stage, printed},
};
use ctr_core::Result;

const TOOL: &str = "ctr-network";

/// `ctr network create`
pub const CREATE: &[Flag] = &[
    list("subnet", "SUBNET", "Its addresses, as 10.1.0.0/16; with --ipv6 a second one, as fd00:1::/64").to(TOOL),
    list("gateway", "ADDRESS", "The address of its bridge, in each subnet").to(TOOL),
    list("ip-range", "SUBNET", "Give containers addresses of this part of a subnet").to(TOOL),
    list("aux-address", "NAME=ADDRESS", "An address that another has: no container gets it").to(TOOL),
    switch("ipv6", "Addresses of IPv6 beside those of IPv4").to(TOOL),
    switch("internal", "Nothing outside is reached from it").to(TOOL),
    value("driver", "bridge|macvlan|ipvlan", "How it is made").short('d').to(TOOL),
    list("opt", "KEY=VALUE", "What the driver has: mtu=N, icc=false, parent=INTERFACE and others, ctr-network(1)")
        .short('o')
        .to(TOOL),
    list("label", "KEY=VALUE", "Give it a label").to(TOOL),
    switch("attachable", "").not_yet("networks of several machines"),
    switch("ingress", "").not_yet("networks of several machines"),
    value("scope", "", "").not_yet("networks of several machines"),
    value("ipam-driver", "", "").not_yet("other choosers of addresses"),
    list("ipam-opt", "", "").not_yet("other choosers of addresses"),
    value("config-from", "", "").not_yet("configurations without a network"),
    switch("config-only", "").not_yet("configurations without a network"),
];

/// `ctr network connect`
pub const CONNECT: &[Flag] = &[
    list("alias", "NAME", "Call it so too on this network").to(TOOL),
    list("link", "CONTAINER[:ALIAS]", "Give another container a name for this one alone").to(TOOL),
    value("ip", "ADDRESS", "Give it this address").to(TOOL),
    value("ip6", "ADDRESS", "Give it this address of IPv6").to(TOOL),
    value("gw-priority", "N", "The default route goes by the network that has most of it").to(TOOL),
    list("link-local-ip", "", "").not_yet("more than one address"),
    list("driver-opt", "", "").not_yet("options of one container's interface"),
];

/// `ctr network disconnect`
pub const DISCONNECT: &[Flag] = &[switch("force", "Also from a network that is no longer there").short('f').to(TOOL)];

/// `ctr network ls`
pub const LS: &[Flag] = &[
    list("filter", "KEY=VALUE", "Only these: name=, id=, driver=, label=, dangling=").short('f').to(TOOL),
    value("format", "FORMAT", "`table TEMPLATE`, a TEMPLATE for each network, or `json`"),
    switch("quiet", "Only ids").short('q'),
    switch("no-trunc", "Whole ids").to(TOOL),
];

/// `ctr network inspect`
pub const INSPECT: &[Flag] = &[
    value("format", "FORMAT", "A TEMPLATE for each, or `json`").short('f'),
    switch("verbose", "").short('v').not_yet("networks of several machines"),
];

/// `ctr network rm`
pub const RM: &[Flag] = &[switch("force", "Networks that are not there are no failure").short('f').to(TOOL)];

/// `ctr network prune`
pub const PRUNE: &[Flag] =
    &[switch("force", "Do not ask").short('f').to(TOOL), list("filter", "", "").not_yet("filters of prune")];

/// Defines one and prints its id.
pub fn create(given: &Given) -> Result<Plan> {
    let [name] = given.operands.as_slice() else { return Err(usage("network create needs one name")) };
    Ok(stage(given, "create", &[name]))
}

/// Puts a container on a network.
pub fn connect(given: &Given) -> Result<Plan> {
    member(given, "connect")
}

/// Takes a container off a network.
pub fn disconnect(given: &Given) -> Result<Plan> {
    member(given, "disconnect")
}

fn member(given: &Given, verb: &str) -> Result<Plan> {
    match given.operands.as_slice() {
        [_, _] => Ok(stage(given, verb, &given.operands)),
        _ => Err(usage(format!("network {verb} needs a network and a container"))),
    }
}

/// docker's table of networks.
pub fn ls(given: &Given) -> Result<Plan> {
    given.none("network ls")?;
    let format = match given.last("format") {
        Some(format) => format,
        None if given.on("quiet") => "{{.ID}}",
        None => "table",
    };
    let find = Stage::new(TOOL).words(["ls"]).words(given.for_tool(TOOL));
    Ok(Plan::of(printed(&find, &Stage::new("ctr-fmt").words(["--view", "network"]).operands([format]))))
}

/// Everything about networks, and who is on them.
pub fn inspect(given: &Given) -> Result<Plan> {
    let find = Stage::new(TOOL).words(["inspect"]).operands(given.some("network inspect", "network")?);
    Ok(Plan::of(printed(&find, &Stage::new("ctr-fmt").operands(given.last("format")))))
}

/// Removes them.
pub fn rm(given: &Given) -> Result<Plan> {
    Ok(stage(given, "rm", given.some("network rm", "network")?))
}

/// What docker prints of networks that were pruned: it speaks of no space here, and says nothing of none.
const PRUNED: &str = "{{if .NetworksDeleted}}Deleted Networks:\\n{{range .NetworksDeleted}}{{println .}}{{end}}{{end}}";

/// Removes those that nobody is on.
pub fn prune(given: &Given) -> Result<Plan> {
    given.none("network prune")?;
    let remove = Stage::new(TOOL).words(["prune"]).words(given.for_tool(TOOL));
    Ok(Plan::of(printed(&remove, &Stage::new("ctr-fmt").words(["--skip-empty"]).operands([PRUNED]))))
}

/// Where its ports are found on the host; with a word before the container others are published, or those no more.
pub fn port(given: &Given) -> Result<Plan> {
    let words: Vec<&str> = given.operands.iter().map(String::as_str).collect();
    let plan = |stage: Stage| Ok(Plan::of(stage.to_string()));
    let tool = Stage::new("ctr-port");
    match words.as_slice() {
        [verb @ ("add" | "rm"), container, ports @ ..] if !ports.is_empty() => {
            let flag = if *verb == "add" { "--add" } else { "--rm" };
            plan(tool.words(ports.iter().flat_map(|port| [flag, port])).operands([container]))
        }
        // A port of a container of that name begins with a digit.
        [verb @ ("add" | "rm"), word] if !word.starts_with(|c: char| c.is_ascii_digit()) => {
            Err(usage(format!("port {verb} needs a container and ports")).hint(if *verb == "add" {
                "ctr port add web 8080:80"
            } else {
                "ctr port rm web 8080"
            }))
        }
        ["ls", container] => plan(tool.operands([container])),
        [_] | [_, _] => plan(tool.operands(&given.operands)),
        _ => Err(usage("port needs a container, and at most one port").hint("or: add, rm, a container, ports")),
    }
}

fn stage(given: &Given, verb: &str, operands: &[impl AsRef<str>]) -> Plan {
    Plan::of(Stage::new(TOOL).words([verb]).words(given.for_tool(TOOL)).operands(operands).to_string())
}
