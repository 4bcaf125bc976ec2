//! net-attach: what reaches a container and what does not, by addresses and ports; and what is left after each end.

mod beside;
mod cni;
mod crash;
mod hostile;
mod links;
mod members;
mod networks;
mod parents;
mod ports;
mod proxy;
mod several;
mod six;
mod words;

use ctr_tests::*;

pub fn tests() -> Vec<Test> {
    let mut tests = tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip"]:
            a_container_on_the_default_network,
            it_is_there_after_a_flush_of_the_rules,
            other_namespaces_are_named_only
    );
    tests.extend(ports::tests());
    tests.extend(proxy::tests());
    tests.extend(networks::tests());
    tests.extend(beside::tests());
    tests.extend(several::tests());
    tests.extend(six::tests());
    tests.extend(parents::tests());
    tests.extend(members::tests());
    tests.extend(crash::tests());
    tests.extend(hostile::tests());
    tests.extend(links::tests());
    tests.extend(cni::tests());
    tests.extend(words::tests());
    tests
}

/// Its address as the world knows it, and its neighbour's in that world.
const HOST: &str = "198.51.100.1";
const OUTSIDE: &str = "198.51.100.2";

/// A host with a network of its own and busybox in its store.
fn host() -> Host {
    let host = Host::with_own_net();
    host.load("busybox");
    host
}

/// Another machine: a network namespace joined to the host's by a veth, its way out.
struct Outside {
    net: Net,
    /// Keeps the namespace, and its processes end with it.
    _anchor: command::Running,
}

impl Outside {
    fn of(host: &Host) -> Self {
        let net = Net::new();
        let anchor = host.cmd("sleep", &["1000"]).net(&net).spawn();
        let pid = anchor.pid();
        host.sh(&format!(
            "ip link add up0 mtu 1400 type veth peer name up1 mtu 1400 netns {pid} && ip addr add {HOST}/24 dev up0 && \
             ip link set up0 up && ip route add default via {OUTSIDE}"
        ))
        .ok();
        let outside = Self { net, _anchor: anchor };
        outside.sh(host, &format!("ip addr add {OUTSIDE}/24 dev up1 && ip link set up1 up")).ok();
        outside
    }

    fn sh(&self, host: &Host, text: &str) -> Ran {
        self.cmd(host, text).run()
    }

    fn cmd(&self, host: &Host, text: &str) -> Cmd {
        host.sh_cmd(text).net(&self.net)
    }
}

/// A container that serves its host name by HTTP on port 80 and logs who asks; gives its id once it does.
fn server(host: &Host, name: &str, flags: &str) -> String {
    let run = format!(
        "ctr run -d --name {name} {flags} busybox httpd -f -vv -p 80 -h /etc && \
         ctr exec {name} sh -c 'until wget -qO- 127.0.0.1/hostname; do sleep 0.02; done'"
    );
    host.sh(&run).succeeds().text().lines().next().unwrap().to_owned()
}

/// What `GET /hostname` gives, by a command of the host's.
fn get(address: &str) -> String {
    format!("busybox timeout 2 busybox wget -qO- http://{address}/hostname 2>/dev/null || exit 1")
}

/// The same by a command in a container; its root has busybox alone.
fn get_inside(address: &str) -> String {
    format!("sh -c 'timeout 2 wget -qO- http://{address}/hostname 2>/dev/null || exit 1'")
}

fn address(host: &Host, name: &str) -> String {
    let doc = host.tool("ctr-inspect", &[name]).ok().json();
    doc["net"]["ips"][0]["address"].as_str().unwrap().split('/').next().unwrap().to_owned()
}

/// All that networks have in the host's kernel; without what a later one finds there again.
fn kernel(host: &Host) -> String {
    host.sh("ip -br link | cut -d' ' -f1 | grep -v '^up\\|^lo' | sort; nft list ruleset").ok().text()
}

/// Waits until the kernel has taken the veths of containers away that are gone.
#[track_caller]
fn no_veths(host: &Host) {
    host.sh_cmd("while ip -br link show type veth | grep -v '^up'; do sleep 0.02; done").limit(20).run().succeeds();
}

#[track_caller]
fn nothing_is_left(host: &Host) {
    no_veths(host);
    host.sh("! nft list ruleset 2>/dev/null | grep '10[.]90[.][0-9.]* [.] [0-9]'").ok();
    host.sh("find $CTR_ROOT/addresses $CTR_RUN/ports -type l 2>/dev/null || true").succeeds().stdout_is("");
    // Servers of the test's own may be there yet.
    let left: Vec<_> = host.leftovers().into_iter().filter(|line| !line.starts_with("process ")).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn a_container_on_the_default_network() {
    let host = host();
    let outside = Outside::of(&host);
    outside.sh(&host, "mkdir www; echo world >www/hostname; busybox httpd -p 80 -h www").ok();
    std::fs::write(
        host.dir().join("script"),
        format!(
            "{}; cat /etc/hosts; ip -o addr show dev eth0; ip route; cat /sys/class/net/eth0/mtu; id",
            get_inside(OUTSIDE)
        ),
    )
    .unwrap();
    let run = "ctr run --rm --hostname here -i --dns 192.0.2.1 --dns-search a.example --dns-option ndots:3 busybox \
               sh -c 'cat /etc/resolv.conf; sh' <script";
    let ran = host.sh(run).ok();
    for part in [
        "nameserver 192.0.2.1\nsearch a.example\noptions ndots:3\nworld\n",
        "10.90.0.2\there\n",
        "inet 10.90.0.2/16",
        "default via 10.90.0.1 dev eth0",
        "\n1400\n",
    ] {
        ran.clone().stdout_has(part);
    }
    let text = ran.text();
    assert!(!text.contains("inet6 fe80"), "{text}");
    nothing_is_left(&host);
    // Ping is every user's, and so are low ports.
    host.sh("ctr run --rm busybox cat /proc/sys/net/ipv4/ping_group_range").ok().stdout_is("0\t2147483647\n");
    host.sh("ctr run --rm -u 1000:1000 busybox sh -c 'httpd -p 80 && echo bound'").ok().stdout_is("bound\n");
    nothing_is_left(&host);
    // What the bridge, the table and the route need goes with gc.
    host.tool("net-attach", &["--gc"]).ok();
    assert_eq!(kernel(&host), "");
}

fn it_is_there_after_a_flush_of_the_rules() {
    let host = host();
    let outside = Outside::of(&host);
    server(&host, "web", "-p 8080:80");
    host.sh("ctr-inspect web >doc && net-attach --check <doc >/dev/null").ok();
    host.sh("nft flush ruleset").ok();
    host.sh("net-attach --check <doc").exits(1).stderr_has("no firewall table inet ctr-");
    outside.sh(&host, &get(&format!("{HOST}:8080"))).exits(1);
    host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
    outside.sh(&host, &get(&format!("{HOST}:8080"))).ok();
    // An element alone, the bridge, the veth, the forwarding.
    for (line, part) in [
        ("nft flush map inet $(nft list tables | cut -d' ' -f3) ports_any", "no element tcp . 8080 of ports_any"),
        ("nft flush chain inet $(nft list tables | cut -d' ' -f3) postrouting", "or not its rules"),
        ("nft insert rule inet $(nft list tables | cut -d' ' -f3) forward drop", "or not its rules"),
        ("ip addr flush dev $(ip -br link show type bridge | cut -d' ' -f1)", "has no address"),
        ("ip link del $(ip -br link show type bridge | cut -d' ' -f1)", "no bridge"),
        ("ip link del $(ip -br link show type veth | grep -v ^up | cut -d@ -f1)", "no interface"),
        ("ip netns exec $(basename $(jq -r .net.netns doc)) ip route del default", "has no route to 0.0.0.0/0"),
        ("echo 0 >/proc/sys/net/ipv4/ip_forward", "the host does not forward"),
    ] {
        host.sh(line).ok();
        host.sh("net-attach --check <doc").exits(1).stderr_has(part);
        host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
        outside.sh(&host, &get(&format!("{HOST}:8080"))).ok();
    }
    // As after a reboot: everything.
    host.sh("ctr stop -t 0 web; nft flush ruleset; net=$(jq -r .net.netns doc); umount $net; rm $net; \
             ip link del $(ip -br link show type bridge | cut -d' ' -f1); rm -r $CTR_RUN/ports")
        .succeeds();
    no_veths(&host);
    host.sh("ctr start web && net-attach --check <doc >/dev/null").succeeds();
    host.sh_cmd(&format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8080"))).limit(20).run().succeeds();
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

fn other_namespaces_are_named_only() {
    let host = host();
    host.sh("ip netns list").ok();
    let doc = json!({"ctr": 1});
    let entry = |word: &str| {
        let doc = host.pipe_to(&doc, "net-attach", &["--network", word]).ok().json();
        doc["spec"]["linux"]["namespaces"][0].clone()
    };
    assert_eq!(entry("none"), json!({"type": "network"}));
    assert_eq!(entry("host"), json!({"type": "network", "path": "/proc/self/ns/net"}));
    let own = format!("/proc/{}/ns/net", std::process::id());
    assert_eq!(entry(&format!("ns:{own}")), json!({"type": "network", "path": own}));
    server(&host, "web", "");
    assert!(entry("container:web")["path"].as_str().unwrap().starts_with("/proc/"));
    // Through the pipe each is what the flag of ns-spawn is.
    let pipe = |network: &str, command: &str| {
        host.sh(&format!(
            "img-pull --pull missing busybox | img-unpack | overlay-mount | net-attach --network {network} | ns-spawn --rm -- {command}"
        ))
    };
    pipe("host", "readlink /proc/self/ns/net").ok().stdout_is(&host.sh("readlink /proc/self/ns/net").ok().text());
    pipe("container:web", &get_inside("127.0.0.1")).ok();
    pipe("none", "ls /sys/class/net").ok().stdout_is("lo\n");
    // Of one that is complete only the network's entry changes.
    host.sh("ctr create --name k --network bridge busybox ls /sys/class/net").ok();
    let kinds = "jq -c '[.spec.linux.namespaces[].type] | sort' k";
    let before = host.sh(&format!("ctr-inspect k >k; {kinds}")).ok().text();
    host.sh(&format!("net-attach --undo <k >l && mv l k && {kinds}")).ok().stdout_is(&before);
    host.sh("net-attach --network bridge <k >l && ctr start -a k && ctr rm k").ok().stdout_is("eth0\nlo\nk\n");
    let undone = host.sh("echo '{\"ctr\":1}' | net-attach --network host | net-attach --undo").ok().json();
    assert_eq!(undone, doc);
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}
