//! net-attach as a plugin of CNI: what a runtime gives and gets, and what is left after each end.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "nft", "ip", "cni"]:
            a_runtimes_container_comes_and_goes,
            in_a_chain_of_the_stock_plugins,
            over_a_parent_and_without_the_namespace,
            what_is_wrong_is_said_in_codes
    )
}

const CONF: &str = r#"{"cniVersion": "1.1.0", "name": "pods", "type": "net-attach", "network": "web"}"#;

/// A host with a network, and somebody else's container: a namespace with a server in it.
struct Runtime {
    host: Host,
    net: Net,
    anchor: command::Running,
}

impl Runtime {
    fn new() -> Self {
        let host = Host::with_own_net();
        host.sh("ip link set lo up; mkdir $CTR_ROOT/containers; ctr-network create --subnet 10.7.0.0/24 web").ok();
        let net = Net::new();
        let anchor = host.cmd("sleep", &["1000"]).net(&net).spawn();
        host.sh_cmd("ip link set lo up; echo here >hostname; busybox httpd -p 80").net(&net).run().ok();
        Self { host, net, anchor }
    }

    fn netns(&self) -> String {
        format!("/proc/{}/ns/net", self.anchor.pid())
    }

    /// One call, as a runtime makes it.
    fn call(&self, plugin: &str, command: &str, ifname: &str, conf: &Value) -> Ran {
        let cmd = self.host.cmd(plugin, &[] as &[&str]).env("CNI_COMMAND", command).env("CNI_CONTAINERID", "pod_1.a");
        let cmd = cmd.env("CNI_NETNS", self.netns()).env("CNI_IFNAME", ifname).env("CNI_PATH", "/usr/lib/cni");
        cmd.stdin(conf.to_string()).limit(60).run()
    }

    fn net_attach(&self, command: &str, conf: &Value) -> Ran {
        self.call("net-attach", command, "net0", conf)
    }

    fn inside(&self, text: &str) -> Ran {
        self.host.sh_cmd(text).net(&self.net).run()
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        self.inside("ip -br link | grep -v '^lo'").exits(1);
        self.host.sh("find $CTR_ROOT/cni $CTR_ROOT/addresses $CTR_RUN/ports ! -type d 2>/dev/null").stdout_is("");
        self.host.sh("! nft list ruleset | grep '10[.]7[.]0[.][0-9]* [.] [0-9]'").ok();
        no_veths(&self.host);
        self.host.tool("net-attach", &["--gc"]).ok();
        assert_eq!(kernel(&self.host), "");
        // Nor is the other's namespace held.
        self.host.sh(&format!("ls /run/netns 2>/dev/null | grep ^{}-", self.host.instance())).exits(1);
    }
}

fn conf() -> Value {
    serde_json::from_str(CONF).unwrap()
}

fn with(key: &str, value: Value) -> Value {
    let mut conf = conf();
    conf[key] = value;
    conf
}

#[track_caller]
fn code(ran: Ran, code: u32, part: &str) {
    let error = ran.exits(1).json();
    assert_eq!(error["code"], code, "{error}");
    assert!(error["msg"].as_str().unwrap().contains(part), "{error}");
}

fn a_runtimes_container_comes_and_goes() {
    let runtime = Runtime::new();
    let Runtime { host, .. } = &runtime;
    let outside = Outside::of(host);
    let versions = runtime.net_attach("VERSION", &json!({"cniVersion": "1.0.0"})).ok().json();
    assert_eq!(versions, json!({"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0", "1.1.0"]}));
    runtime.net_attach("STATUS", &conf()).ok().stdout_is("");
    let asked = json!({
        "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}, {"hostPort": 0, "containerPort": 1}],
        "ips": ["10.7.0.9/24"], "mac": "02:00:00:00:00:09",
    });
    let result = runtime.net_attach("ADD", &with("runtimeConfig", asked)).ok().json();
    let own = json!({"name": "net0", "mac": "02:00:00:00:00:09", "mtu": 1400, "sandbox": runtime.netns()});
    assert_eq!(result["interfaces"][2], own);
    assert_eq!(result["ips"], json!([{"address": "10.7.0.9/24", "gateway": "10.7.0.1", "interface": 2}]));
    assert_eq!(result["routes"], json!([{"dst": "0.0.0.0/0", "gw": "10.7.0.1"}]));
    assert_eq!(result["cniVersion"], "1.1.0");
    runtime.inside("ip -br addr show net0").ok().stdout_has("10.7.0.9/24");
    outside.sh(host, &get(&format!("{HOST}:8080"))).ok().stdout_is("here\n");
    // What is its is nobody's leftover, and nobody else's to have.
    let before = with("prevResult", result);
    host.tool("net-attach", &["--gc"]).ok();
    runtime.net_attach("CHECK", &before).ok().stdout_is("");
    outside.sh(host, &get(&format!("{HOST}:8080"))).ok();
    let doc = json!({"ctr": 1});
    let refused = host.pipe_to(&doc, "net-attach", &["--network", "web", "-p", "8080:80"]);
    refused.fails(1).code("exists").stderr_has("held by container pod_1.a (");
    host.pipe_to(&doc, "net-attach", &["--network", "web", "--ip", "10.7.0.9"]).fails(1).stderr_has("pod_1.a");
    host.sh("ctr-network rm web").fails(1).stderr_has("pod_1.a");
    code(runtime.net_attach("ADD", &conf()), 101, "was added already");
    // A second interface: an older version's result, and the default route stays the first's.
    let second = runtime.call("net-attach", "ADD", "eth7", &with("cniVersion", json!("0.4.0"))).ok().json();
    assert_eq!(second["ips"][0]["version"], "4");
    assert_eq!((&second["interfaces"][2]["mtu"], &second["routes"]), (&json!(null), &json!([])));
    // GC takes what the runtime does not name, of this network alone.
    let named = json!([{"containerID": "pod_1.a", "ifname": "net0"}]);
    let mut other = with("cni.dev/valid-attachments", json!([]));
    other["name"] = json!("others");
    runtime.net_attach("GC", &other).ok();
    runtime.inside("ip -br link show eth7").ok();
    runtime.net_attach("GC", &with("cni.dev/valid-attachments", named)).ok().stdout_is("");
    runtime.inside("ip -br link show eth7").exits(1);
    runtime.net_attach("CHECK", &before).ok();
    for (line, part) in [
        ("ip route del default", "has no route to 0.0.0.0/0"),
        ("ip addr flush dev net0", "has no"),
    ] {
        runtime.inside(line).ok();
        code(runtime.net_attach("CHECK", &before), 100, part);
    }
    runtime.net_attach("DEL", &before).ok().stdout_is("");
    runtime.net_attach("DEL", &conf()).ok();
    outside.sh(host, &get(&format!("{HOST}:8080"))).exits(1);
    code(runtime.net_attach("CHECK", &before), 3, "was not added");
    runtime.nothing_is_left();
}

fn in_a_chain_of_the_stock_plugins() {
    let runtime = Runtime::new();
    let Runtime { host, .. } = &runtime;
    let outside = Outside::of(host);
    let mut result = runtime.net_attach("ADD", &with("cniVersion", json!("1.0.0"))).ok().json();
    let tuning = json!({
        "cniVersion": "1.0.0", "name": "pods", "type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"},
        "prevResult": result, "dataDir": host.dir().join("tuning"),
    });
    result = runtime.call("/usr/lib/cni/tuning", "ADD", "net0", &tuning).succeeds().json();
    runtime.inside("cat /proc/sys/net/ipv4/conf/net0/arp_filter").ok().stdout_is("1\n");
    let portmap = json!({
        "cniVersion": "1.0.0", "name": "pods", "type": "portmap", "snat": true, "capabilities": {"portMappings": true},
        "runtimeConfig": {"portMappings": [{"hostPort": 8081, "containerPort": 80, "protocol": "tcp"}]}, "prevResult": result,
    });
    result = runtime.call("/usr/lib/cni/portmap", "ADD", "net0", &portmap).succeeds().json();
    outside.sh(host, &get(&format!("{HOST}:8081"))).ok().stdout_is("here\n");
    let mut before = with("prevResult", result);
    before["cniVersion"] = json!("1.0.0");
    runtime.net_attach("CHECK", &before).ok();
    runtime.call("/usr/lib/cni/portmap", "DEL", "net0", &portmap).succeeds();
    runtime.call("/usr/lib/cni/tuning", "DEL", "net0", &tuning).succeeds();
    runtime.net_attach("DEL", &before).ok();
    runtime.inside("ip -br link | grep -v '^lo'").exits(1);
    host.sh("find $CTR_ROOT/cni $CTR_ROOT/addresses ! -type d").ok().stdout_is("");
    host.tool("net-attach", &["--gc"]).ok();
}

fn over_a_parent_and_without_the_namespace() {
    let runtime = Runtime::new();
    let Runtime { host, .. } = &runtime;
    let _outside = Outside::of(host);
    host.sh("ctr-network create -d macvlan -o parent=up0 --subnet 198.51.100.0/24 --gateway 198.51.100.2 lan").ok();
    let lan = with("network", json!("lan"));
    let result = runtime.net_attach("ADD", &lan).ok().json();
    assert_eq!(result["interfaces"].as_array().unwrap().len(), 1, "{result}");
    runtime.inside(&get(OUTSIDE)).exits(1);
    runtime.inside("ip neigh show 198.51.100.2 dev net0").ok().stdout_has("lladdr");
    runtime.net_attach("DEL", &lan).ok();
    runtime.nothing_is_left();
    let args = host.cmd("net-attach", &[] as &[&str]).env("CNI_COMMAND", "ADD").env("CNI_CONTAINERID", "b");
    let args = args.env("CNI_NETNS", runtime.netns()).env("CNI_IFNAME", "net0");
    args.env("CNI_ARGS", "IgnoreUnknown=1;IP=10.7.0.77;K8S=x").stdin(CONF).run().ok().stdout_has("10.7.0.77/24");
    let del = host.cmd("net-attach", &[] as &[&str]).env("CNI_COMMAND", "DEL").env("CNI_CONTAINERID", "b");
    del.env("CNI_NETNS", "/proc/0/ns/net").env("CNI_IFNAME", "net0").stdin(CONF).run().ok();
    runtime.nothing_is_left();
}

fn what_is_wrong_is_said_in_codes() {
    let runtime = Runtime::new();
    let Runtime { host, .. } = &runtime;
    for (conf, number, part) in [
        (json!([]), 6, "no JSON object"),
        (with("cniVersion", json!("0.3.1")), 1, "\"0.3.1\": ADD is spoken in 0.4.0"),
        (with("cniVersion", json!(null)), 1, "\"none\""),
        (with("name", json!("../x")), 7, "name"),
        (with("network", json!("nope")), 100, "no network nope"),
        (with("network", json!(1)), 7, "network has not its form: 1"),
        (with("ipam", json!({"type": "host-local"})), 2, "ipam: {\"type\":\"host-local\"}"),
        (with("runtimeConfig", json!({"ips": ["x"]})), 7, "ips has not its form"),
        (with("runtimeConfig", json!({"ips": ["10.8.0.1"]})), 7, "no host of 10.7.0.0/24"),
        (with("runtimeConfig", json!({"mac": "01:00:00:00:00:01"})), 7, "hardware address"),
        (with("runtimeConfig", json!({"portMappings": [{"hostPort": "x"}]})), 7, "portMappings has not its form"),
    ] {
        code(runtime.net_attach("ADD", &conf), number, part);
    }
    code(runtime.net_attach("FOO", &conf()), 4, "CNI_COMMAND");
    code(runtime.call("net-attach", "ADD", "a/b", &conf()), 4, "CNI_IFNAME");
    code(runtime.call("net-attach", "ADD", "sixteen-letters-", &conf()), 4, "CNI_IFNAME");
    code(runtime.net_attach("GC", &with("cniVersion", json!("1.0.0"))), 1, "GC is spoken in 1.1.0");
    code(runtime.net_attach("GC", &conf()), 7, "cni.dev/valid-attachments");
    code(runtime.net_attach("CHECK", &conf()), 7, "prevResult");
    code(runtime.net_attach("STATUS", &with("network", json!("nope"))), 50, "no network nope");
    let of = |netns: &str| {
        let cmd = host.cmd("net-attach", &[] as &[&str]).env("CNI_COMMAND", "ADD").env("CNI_CONTAINERID", "b");
        cmd.env("CNI_NETNS", netns).env("CNI_IFNAME", "net0").stdin(CONF).run()
    };
    code(of("/proc/self/ns/net"), 4, "the host's own");
    code(of("/etc/passwd"), 4, "is no network namespace");
    code(of("relative"), 4, "CNI_NETNS");
    code(of("/nonexistent"), 100, "/nonexistent");
    // An interface of that name is there already: all is taken back.
    runtime.inside("ip link add net0 type veth peer name x0").ok();
    code(runtime.net_attach("ADD", &conf()), 101, "");
    runtime.inside("ip link show net0 type veth && ip link del net0").ok();
    runtime.nothing_is_left();
}
