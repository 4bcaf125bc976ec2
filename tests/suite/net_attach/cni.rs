//! net-attach as a plugin of CNI, and with networks by its stock plugins: what comes out, and what is left after each end.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "nft", "ip"]:
            plugins_of_the_latest_version,
            a_runtimes_container_comes_and_goes,
            over_a_parent_and_without_the_namespace,
            what_is_wrong_is_said_in_codes;
        ["root", "nft", "ip", "cni"]:
            in_a_chain_of_the_stock_plugins,
            lists_are_checked;
        ["root", "overlay", "umoci", "nft", "ip", "cni"]:
            a_network_by_the_stock_plugins,
            what_plugins_made_is_compared_and_made_again,
            over_a_parent_by_the_stock_plugin
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
        host.sh("ip link set lo up; mkdir -p $CTR_ROOT/containers; ctr-network create --subnet 10.7.0.0/24 web").ok();
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
    for (line, part) in [("ip route del default", "has no route to 0.0.0.0/0"), ("ip addr flush dev net0", "has no")] {
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

/// The configuration list of a network by these plugins, whose addresses are kept in the test's directory.
fn conflist(host: &Host, plugins: Value) {
    let mut list = json!({"cniVersion": "1.0.0", "name": "stock", "plugins": plugins});
    // portmap up to 1.1.1 looks for rules of IPv6 where there is no address of it.
    list["disableCheck"] = json!(list["plugins"][1].is_object());
    list["plugins"][0]["ipam"]["type"] = json!("host-local");
    list["plugins"][0]["ipam"]["dataDir"] = json!(host.dir().join("ipam"));
    std::fs::write(host.dir().join("stock.conflist"), list.to_string()).unwrap();
    host.sh("ctr network create -d cni -o conflist=stock.conflist stock").ok();
}

fn bridge() -> Value {
    json!({
        "type": "bridge", "bridge": "stock0", "isGateway": true, "ipMasq": true, "capabilities": {"ips": true, "mac": true},
        "ipam": {"ranges": [[{"subnet": "10.8.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]},
    })
}

#[track_caller]
fn no_attachment_is_left(host: &Host) {
    host.sh("find $CTR_ROOT/cni -type f; ls ipam/stock | grep '^10'").exits(1).stdout_is("");
    host.sh("ip -br link show type veth | grep -v ^up").exits(1);
    let left: Vec<_> = host.leftovers().into_iter().filter(|line| !line.starts_with("process ")).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn a_network_by_the_stock_plugins() {
    let host = host();
    let outside = Outside::of(&host);
    outside.sh(&host, "mkdir www; echo world >www/hostname; busybox httpd -p 80 -h www").ok();
    let portmap = json!({"type": "portmap", "snat": true, "capabilities": {"portMappings": true}});
    conflist(&host, json!([bridge(), portmap]));
    let id = server(&host, "web", "--network stock --ip 10.8.0.77 -p 8080:80");
    outside.sh(&host, &get(&format!("{HOST}:8080"))).ok().stdout_is(&format!("{}\n", &id[..12]));
    host.sh(&format!("ctr exec web {}", get_inside(OUTSIDE))).ok().stdout_is("world\n");
    let doc = host.tool("ctr-inspect", &["web"]).ok().json();
    schema::assert_valid(std::slice::from_ref(&doc));
    let net = &doc["net"];
    assert_eq!(net["ips"], json!([{"address": "10.8.0.77/24", "gateway": "10.8.0.1", "interface": 2}]));
    assert_eq!(net["routes"], json!([{"dst": "0.0.0.0/0", "gw": "10.8.0.1"}]));
    assert_eq!(net["networks"], json!([{"name": "stock", "interface": "eth0", "driver": "cni"}]));
    let shown = host.sh("ctr-network inspect stock").ok().json();
    assert_eq!(shown["Containers"][&id]["IPv4Address"], "10.8.0.77/24");
    host.sh("ctr network rm stock").fails(1).stderr_has("network stock is in use: container web (");
    host.sh("ctr network prune -f && net-attach --gc").ok().stdout_is("");
    host.sh("ctr network create --subnet 10.7.0.0/24 back").ok();
    host.sh("ctr network connect back web").fails(1).stderr_has("of CNI's plugins");
    // What the record holds counts, not the file, and not what a document says.
    host.sh("rm stock.conflist; ctr rm -f web").ok();
    no_attachment_is_left(&host);
    // In front, beside one of ours, whose the ports and the names are; the end of the pipe takes it away.
    let run = "ctr run --rm --network back --network stock -p 8081:80 busybox ip -o -4 addr";
    host.sh(run).ok().stdout_has("10.7.0.2/24").stdout_has("eth1    inet 10.8.0.");
    no_attachment_is_left(&host);
    host.sh("ctr network rm stock back").ok();
    host.tool("net-attach", &["--gc"]).ok();
}

fn what_plugins_made_is_compared_and_made_again() {
    let host = host();
    let outside = Outside::of(&host);
    outside.sh(&host, "mkdir www; echo world >www/hostname; busybox httpd -p 80 -h www").ok();
    conflist(&host, json!([bridge()]));
    server(&host, "web", "--network stock --ip 10.8.0.9");
    host.sh("ctr-inspect web >doc && net-attach --check <doc >/dev/null").ok();
    let netns = "ip netns exec $(basename $(jq -r .net.netns doc))";
    for (line, part) in [
        (format!("{netns} ip link del eth0"), "plugin bridge of CNI: CHECK: "),
        (format!("{netns} ip addr flush dev eth0"), "eth0 of the container has no address 10.8.0.9"),
        ("rm ipam/stock/10.8.0.9".to_owned(), "plugin bridge of CNI: CHECK: host-local"),
    ] {
        host.sh(&line).ok();
        host.sh("net-attach --check <doc").exits(1).stderr_has(part);
        host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
        host.sh(&format!("ctr exec web {}", get_inside(OUTSIDE))).ok();
    }
    host.sh("ctr restart -t 0 web && ctr-inspect web | net-attach --check >/dev/null").ok();
    // As after a reboot, without an address that was asked for.
    host.sh("ctr rm -f web").ok();
    server(&host, "web", "--network stock");
    let before = address(&host, "web");
    let reboot = "ctr stop -t 0 web; net=$(ctr-inspect web | jq -r .net.netns); umount $net; rm $net; ip link del stock0; \
                  iptables -t nat -F; ctr start web";
    host.sh(reboot).succeeds();
    host.sh("ctr-inspect web | net-attach --check >/dev/null").ok();
    assert_eq!(address(&host, "web"), before);
    host.sh(&format!("ctr exec web {}", get_inside(OUTSIDE))).ok();
    // A container that is gone without an undo.
    host.sh("ctr stop -t 0 web").ok();
    let id = host.tool("ctr-inspect", &["web"]).ok().json()["id"].as_str().unwrap().to_owned();
    host.sh(&format!("rm -r $CTR_ROOT/containers/{id} $CTR_RUN/{id}; true")).succeeds();
    host.sh("net-attach --gc").ok().stdout_has(r#""removed":"attachment","network":"stock","interface":"eth0"}"#);
    host.sh("find $CTR_ROOT/cni -type f; ls ipam/stock | grep '^10'").exits(1).stdout_is("");
    host.sh("overlay-mount --gc; ctr network rm stock; net-attach --gc").succeeds();
}

fn over_a_parent_by_the_stock_plugin() {
    let host = host();
    let outside = Outside::of(&host);
    outside.sh(&host, "mkdir www; echo world >www/hostname; busybox httpd -p 80 -h www").ok();
    let ipam = json!({
        "ranges": [[{"subnet": "198.51.100.0/24", "rangeStart": "198.51.100.64", "gateway": OUTSIDE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    });
    conflist(&host, json!([{"type": "macvlan", "master": "up0", "ipam": ipam}]));
    let id = server(&host, "a", "--network stock");
    outside.sh(&host, &get(&address(&host, "a"))).ok().stdout_is(&format!("{}\n", &id[..12]));
    host.sh(&format!("ctr exec a {}", get_inside(OUTSIDE))).ok().stdout_is("world\n");
    host.sh("ctr-inspect a | net-attach --check >/dev/null && ctr rm -f a").ok();
    no_attachment_is_left(&host);
    host.sh("ctr network rm stock").ok();
}

/// A plugin that keeps what it was asked in a file, and makes nothing.
const LATEST: &str = r#"#!/bin/sh
conf=$(cat)
name=${0##*/}
echo "$conf" | jq -c --arg verb "$CNI_COMMAND" --arg id "${CNI_CONTAINERID-none}" --arg plugin "$name" \
    '{$plugin, $verb, $id, name, valid: ."cni.dev/valid-attachments"}' >>"$CNI_PATH/log"
say() { echo "{\"cniVersion\": \"1.1.0\", $1}"; }
case $CNI_COMMAND in
VERSION) test "$name" = old && say '"supportedVersions": ["1.0.0"]' || say '"supportedVersions": ["1.0.0", "1.1.0"]' ;;
STATUS | GC)
    test -e "$CNI_PATH/down" || exit 0
    say '"code": 50, "msg": "no pool"'
    exit 1
    ;;
ADD) say '"interfaces": [{"name": "'"$CNI_IFNAME"'", "sandbox": "'"$CNI_NETNS"'"}], "ips": []' ;;
esac
"#;

fn plugins_of_the_latest_version() {
    let host = Host::with_own_net();
    host.sh("mkdir -p $CTR_ROOT/containers plugins").ok();
    for name in ["new", "old"] {
        std::fs::write(host.dir().join("plugins").join(name), LATEST).unwrap();
    }
    host.sh("chmod +x plugins/*").ok();
    for (network, version, list, more, plugin) in [
        ("a", "1.1.0", "pods", "", "new"),
        ("b", "1.1.0", "pods", "", "new"),
        ("c", "1.0.0", "before", "", "new"),
        ("d", "1.1.0", "shared", "\"disableGC\": true, ", "new"),
        ("e", "1.1.0", "old", "", "old"),
    ] {
        let list =
            format!(r#"{{"cniVersion": "{version}", "name": "{list}", {more}"plugins": [{{"type": "{plugin}"}}]}}"#);
        std::fs::write(host.dir().join("list"), list).unwrap();
        host.sh(&format!("ctr-network create -d cni -o conflist=list {network}")).ok();
    }
    let path = host.dir().join("plugins");
    let attach = |network: &str| {
        let cmd = host.cmd("net-attach", &["--network", network]).env("CNI_PATH", &path);
        cmd.stdin(json!({"ctr": 1}).to_string()).run()
    };
    // What was asked since the last look but for versions.
    let asked = || {
        let log = host.sh("cat plugins/log; rm plugins/log").ok().text();
        let lines = log.lines().map(|line| line.parse::<Value>().unwrap());
        lines.filter(|line| line["verb"] != "VERSION").collect::<Vec<_>>()
    };
    let verbs = |asked: &[Value]| {
        asked
            .iter()
            .map(|one| format!("{} {}", one["verb"].as_str().unwrap(), one["name"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let gc = || host.cmd("net-attach", &["--gc"]).env("CNI_PATH", &path).run();
    let docs: Vec<_> = ["a", "b", "c", "d", "e"].map(|network| attach(network).ok().json()).into();
    let said = asked();
    let once =
        ["STATUS pods", "ADD pods", "STATUS pods", "ADD pods", "ADD before", "STATUS shared", "ADD shared", "ADD old"];
    assert_eq!(verbs(&said), once);
    assert_eq!((&said[0]["id"], &said[1]["id"]), (&json!("none"), &docs[0]["id"]));
    // Of the networks of one list all are valid.
    gc().ok().stdout_is("");
    let said = asked();
    assert_eq!(verbs(&said), ["GC pods", "GC pods"]);
    let mut own: Vec<_> = docs[..2].iter().map(|doc| json!({"containerID": doc["id"], "ifname": "eth0"})).collect();
    own.sort_by_key(ToString::to_string);
    for one in &said {
        let mut valid = one["valid"].as_array().unwrap().clone();
        valid.sort_by_key(ToString::to_string);
        assert_eq!((valid, &one["id"]), (own.clone(), &json!("none")));
    }
    // What it says of its status is why nothing is made; what it says of GC keeps nobody else.
    host.sh("touch plugins/down").ok();
    let before = host.sh("ls $CTR_ROOT/cni $CTR_ROOT/containers").ok().text();
    attach("a").fails(1).code("network").stderr_has("plugin new of CNI: STATUS: no pool");
    assert_eq!(host.sh("ls $CTR_ROOT/cni $CTR_ROOT/containers").ok().text(), before);
    assert_eq!(verbs(&asked()), ["STATUS pods"]);
    gc().succeeds().stderr_has("plugin new of CNI: GC: no pool");
    assert_eq!(verbs(&asked()), ["GC pods", "GC pods"]);
    // One that is away is no news.
    host.sh("mv plugins/new plugins/away && CNI_PATH=$PWD/plugins net-attach --gc && mv plugins/away plugins/new").ok();
    host.sh("rm plugins/down").ok();
    // Which are valid nobody knows where a record does not read; nobody else is kept by it.
    let torn = format!("$CTR_ROOT/cni/{}.json", "a".repeat(64));
    host.sh(&format!("echo bar >{torn}")).ok();
    gc().succeeds().stderr_has("no GC of plugins of CNI: attachment ");
    host.pipe_to(&attach("c").succeeds().json(), "net-attach", &["--undo"]).succeeds().stderr_has("aaa.json: ");
    assert_eq!(verbs(&asked()), ["ADD before", "DEL before"]);
    host.sh(&format!("rm {torn}")).ok();
    for doc in &docs {
        host.pipe_to(doc, "net-attach", &["--undo"]).ok();
    }
    asked();
    gc().ok();
    assert_eq!(asked()[0]["valid"], json!([]));
    host.sh("ctr-network rm a b c d e; ls $CTR_ROOT/cni").succeeds().stdout_is("a\nb\nc\nd\ne\n");
}

fn lists_are_checked() {
    let host = host();
    let create = |list: &str, flags: &str| {
        std::fs::write(host.dir().join("x"), list).unwrap();
        host.sh(&format!("ctr-network create -d cni {flags} x"))
    };
    let good =
        r#"{"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": "bridge", "ipam": {"type": "host-local"}}]}"#;
    for (list, flags, part) in [
        (good, "", "needs a configuration list"),
        (good, "-o conflist=absent", "absent"),
        (good, "-o conflist=x -o mtu=1400", "\"mtu\""),
        (good, "-o conflist=x --internal", "the configuration list says"),
        ("{", "-o conflist=x", "configuration list x: "),
        (r#"{"cniVersion": "0.2.0", "name": "x", "plugins": [{"type": "a"}]}"#, "-o conflist=x", "\"0.2.0\""),
        (r#"{"cniVersion": "1.0.0", "plugins": [{"type": "a"}]}"#, "-o conflist=x", "no name"),
        (
            r#"{"cniVersion": "1.1.0", "name": "x", "disableGC": 1, "plugins": [{"type": "a"}]}"#,
            "-o conflist=x",
            "disableGC is 1",
        ),
        (r#"{"cniVersion": "1.0.0", "name": "x", "plugins": []}"#, "-o conflist=x", "no plugins"),
        (
            r#"{"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": "../a"}]}"#,
            "-o conflist=x",
            "no type of a plugin",
        ),
    ] {
        create(list, flags).fails(1).stderr_has(part);
    }
    create(good, "-o conflist=x").ok();
    let doc = json!({"ctr": 1});
    let attach = |args: &[&str]| host.pipe_to(&doc, "net-attach", &[&["--network", "x"], args].concat());
    attach(&["-p", "80:80"]).fails(1).code("unsupported").stderr_has("capability portMappings");
    attach(&["-p", "80"]).fails(1).code("unsupported").stderr_has("choose no port");
    attach(&["--ip", "10.8.0.9"]).fails(1).code("unsupported").stderr_has("capability ips");
    attach(&["--network-alias", "a"]).fails(1).code("unsupported").stderr_has("no names");
    attach(&[]).fails(1).stderr_has("plugin bridge of CNI: ADD: ");
    let none = host.sh("echo '{\"ctr\":1}' | CNI_PATH=/nonexistent net-attach --network x");
    none.fails(1).code("not-found").stderr_has("no plugin bridge of CNI in /nonexistent");
    // Nothing of those is left but what was never made.
    host.sh("CNI_PATH=/usr/lib/cni net-attach --gc; find $CTR_ROOT/cni -type f").succeeds().stdout_is("");
}
