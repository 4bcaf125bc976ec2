//! Networks without a bridge: macvlan and ipvlan over an interface of the host.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip"]:
            containers_on_the_hosts_own_network,
            the_kinds_of_macvlan,
            addresses_of_the_host_are_not_given,
            an_address_whose_namespace_is_kept,
            drivers_are_checked;
        ["root", "overlay", "umoci", "nft", "ip", "ipvlan"]:
            containers_with_their_parents_hardware_address;
        ["root", "overlay", "umoci", "nft", "ip", "8021q"]:
            containers_of_a_vlan
    )
}

/// The network of the host's way out, whose router is the outside.
const LAN: &str = "--subnet 198.51.100.0/24 --gateway 198.51.100.2 --ip-range 198.51.100.64/28";

fn containers_on_the_hosts_own_network() {
    let host = host();
    let outside = Outside::of(&host);
    outside.sh(&host, "mkdir www; echo world >www/hostname; busybox httpd -p 80 -h www").ok();
    host.sh(&format!("ctr network create -d macvlan -o parent=up0 {LAN} lan")).ok();
    let id = server(&host, "a", "--network lan");
    server(&host, "b", "--network name=lan,ip=198.51.100.70,mac-address=02:00:00:00:00:70");
    let doc = host.tool("ctr-inspect", &["a"]).ok().json();
    schema::assert_valid(std::slice::from_ref(&doc));
    let net = &doc["net"];
    assert_eq!(net["ips"], json!([{"address": "198.51.100.64/24", "gateway": OUTSIDE, "interface": 0}]));
    assert_eq!(net["interfaces"][0]["mtu"], 1400);
    let a = address(&host, "a");
    outside.sh(&host, &get(&a)).ok().stdout_is(&format!("{}\n", &id[..12]));
    host.sh(&format!("ctr exec b {}", get_inside(&a))).ok();
    host.sh(&format!("ctr exec a {}", get_inside(OUTSIDE))).ok().stdout_is("world\n");
    outside.sh(&host, &get("198.51.100.70")).ok();
    outside.sh(&host, "ip neigh show 198.51.100.70 dev up1").ok().stdout_has("02:00:00:00:00:70");
    host.sh("ctr run --rm --network name=lan,alias=db busybox true")
        .fails(125)
        .stderr_has("networks of macvlan have no names");
    // No bridge, no rules: nothing of the host's but its parent is part of it.
    assert_eq!(kernel(&host), "");
    let shown = host.sh("ctr-network inspect lan").ok().json();
    assert_eq!((&shown["Driver"], &shown["Interface"]), (&json!("macvlan"), &json!("up0")));
    assert_eq!(shown["Options"]["parent"], "up0");
    host.sh("ctr-inspect a >doc && net-attach --check <doc >/dev/null").ok();
    let netns = "ip netns exec $(basename $(jq -r .net.netns doc))";
    for (line, part) in [
        (format!("{netns} ip link del eth0"), "eth0 of the container has no address"),
        (format!("{netns} ip route del default"), "has no route"),
    ] {
        host.sh(&line).ok();
        host.sh("net-attach --check <doc").exits(1).stderr_has(part);
        host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
        outside.sh(&host, &get(&a)).ok();
    }
    // Beside a bridge, and off again.
    host.sh("ctr network create --subnet 10.7.0.0/24 back && ctr network connect back a").ok();
    host.sh("ctr-inspect a | net-attach --check >/dev/null").ok();
    host.sh(&get("10.7.0.2")).ok();
    host.sh("ctr network disconnect lan a && ctr-inspect a | net-attach --check >/dev/null").ok();
    outside.sh(&host, &get(&a)).exits(1);
    host.sh("ctr network connect --ip 198.51.100.65 lan a && ctr-inspect a | net-attach --check >/dev/null").ok();
    outside.sh(&host, &get("198.51.100.65")).ok();
    host.sh("ctr restart -t 0 a && ctr-inspect a | net-attach --check >/dev/null").ok();
    host.sh("ctr run --rm --network lan -p 80:80 busybox true")
        .fails(125)
        .stderr_has("network lan is of driver macvlan: no port of the host leads to it");
    host.sh("ctr network rm lan").fails(1).stderr_has("in use");
    host.sh("ctr rm -f a b && ctr network rm lan back").ok();
    nothing_is_left(&host);
    host.tool("net-attach", &["--gc"]).ok();
    assert_eq!(kernel(&host), "");
}

fn the_kinds_of_macvlan() {
    let host = host();
    let outside = Outside::of(&host);
    for (mode, reached) in [("bridge", true), ("private", false)] {
        host.sh(&format!("ctr network create -d macvlan -o parent=up0 -o macvlan_mode={mode} {LAN} lan")).ok();
        server(&host, "a", "--network lan");
        server(&host, "b", "--network lan");
        outside.sh(&host, &get(&address(&host, "a"))).ok();
        let ran = host.sh(&format!("ctr exec b {}", get_inside(&address(&host, "a"))));
        assert_eq!(ran.status == 0, reached, "{mode}");
        host.sh("ctr rm -f a b && ctr network rm lan").ok();
        nothing_is_left(&host);
    }
}

fn addresses_of_the_host_are_not_given() {
    let host = host();
    let _outside = Outside::of(&host);
    host.sh("ip addr add 198.51.100.3/24 dev up0").ok();
    host.sh("ctr network create -d macvlan -o parent=up0 --subnet 198.51.100.0/24 --gateway 198.51.100.2 lan").ok();
    // The host has .1 and .3, the router .2.
    host.sh("ctr run -d --name a --network lan busybox sleep 6911").ok();
    assert_eq!(address(&host, "a"), "198.51.100.4");
    host.sh("ctr run --rm --network lan --ip 198.51.100.3 busybox true")
        .fails(125)
        .stderr_has("cannot give address 198.51.100.3: the host has it");
    host.sh("ctr rm -f a").ok();
    nothing_is_left(&host);
}

/// By another process, or by a kernel that has not ended it yet.
fn an_address_whose_namespace_is_kept() {
    let host = host();
    let _outside = Outside::of(&host);
    host.sh(&format!("ctr network create -d macvlan -o parent=up0 {LAN} lan")).ok();
    host.sh("ctr run -d --name a --network lan busybox sleep 6911").ok();
    let netns = host.tool("ctr-inspect", &["a"]).ok().json()["net"]["netns"].as_str().unwrap().to_owned();
    let own = address(&host, "a");
    let keeper = host.sh_cmd(&format!("exec nsenter --net={netns} sleep 1000")).spawn();
    host.sh_cmd(&format!("until grep -q sleep /proc/{}/comm; do sleep 0.02; done", keeper.pid())).limit(20).run().ok();
    host.sh("ctr rm -f a").ok();
    host.sh("ctr run --rm --network lan busybox ip -o -4 addr show eth0").ok().stdout_has(&own);
    drop(keeper);
    host.sh("ctr network rm lan").ok();
    nothing_is_left(&host);
}

fn containers_with_their_parents_hardware_address() {
    let host = host();
    let outside = Outside::of(&host);
    outside.sh(&host, "mkdir www; echo world >www/hostname; busybox httpd -p 80 -h www").ok();
    host.sh(&format!("ctr network create -d ipvlan -o parent=up0 {LAN} lan")).ok();
    let id = server(&host, "a", "--network lan");
    server(&host, "b", "--network lan");
    let (a, b) = (address(&host, "a"), address(&host, "b"));
    assert_eq!((a.as_str(), b.as_str()), ("198.51.100.64", "198.51.100.65"));
    outside.sh(&host, &get(&a)).ok().stdout_is(&format!("{}\n", &id[..12]));
    outside.sh(&host, &get(&b)).ok();
    let parent = host.sh("ip -j link show up0 | jq -r .[].address").ok().text();
    outside.sh(&host, &format!("ip neigh show {a} dev up1; ip neigh show {b} dev up1")).ok().stdout_has(parent.trim());
    host.sh(&format!("ctr exec b {}", get_inside(&a))).ok();
    host.sh(&format!("ctr exec a {}", get_inside(OUTSIDE))).ok().stdout_is("world\n");
    assert_eq!(kernel(&host), "");
    host.sh("ctr-inspect a >doc && net-attach --check <doc >/dev/null").ok();
    host.sh("ip netns exec $(basename $(jq -r .net.netns doc)) ip link del eth0").ok();
    host.sh("net-attach --check <doc").exits(1).stderr_has("eth0 of the container has no address");
    host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
    outside.sh(&host, &get(&a)).ok();
    host.sh(
        "ctr network disconnect lan b && ctr network connect lan b && ctr-inspect b | net-attach --check >/dev/null",
    )
    .ok();
    outside.sh(&host, &get(&b)).ok();
    host.sh("ctr rm -f a b && ctr network rm lan").ok();
    // Of the third layer: another subnet, to which the parent is the way.
    host.sh("ctr network create -d ipvlan -o parent=up0 -o ipvlan_mode=l3 --subnet 198.51.101.0/24 routed").ok();
    server(&host, "c", "--network routed");
    let c = address(&host, "c");
    outside.sh(&host, &format!("ip route add 198.51.101.0/24 via {HOST}")).ok();
    outside.sh(&host, &get(&c)).ok();
    host.sh(&format!("ctr exec c {}", get_inside(OUTSIDE))).ok().stdout_is("world\n");
    host.sh("ctr-inspect c | net-attach --check >/dev/null").ok();
    host.sh("ctr rm -f c && ctr network rm routed").ok();
    nothing_is_left(&host);
    assert_eq!(kernel(&host), "");
}

fn containers_of_a_vlan() {
    let host = host();
    let outside = Outside::of(&host);
    let lan = "--subnet 10.50.0.0/24 --gateway 10.50.0.1";
    outside
        .sh(&host, "ip link add link up1 name v type vlan id 50 && ip addr add 10.50.0.1/24 dev v && ip link set v up")
        .ok();
    outside.sh(&host, "mkdir www; echo world >www/hostname; busybox httpd -p 80 -h www").ok();
    host.sh(&format!("ctr network create -d macvlan -o parent=up0.50 {lan} lan")).ok();
    host.sh("ctr network create -d macvlan -o parent=up0.50 --subnet 10.51.0.0/24 --gateway 10.51.0.1 more").ok();
    let link = |is_there: bool| host.sh("ip -br link show up0.50 2>/dev/null").exits(i32::from(!is_there));
    link(false);
    let id = server(&host, "a", "--network lan");
    link(true).stdout_has("UP");
    outside.sh(&host, &get(&address(&host, "a"))).ok().stdout_is(&format!("{}\n", &id[..12]));
    host.sh(&format!("ctr exec a {}", get_inside("10.50.0.1"))).ok().stdout_is("world\n");
    host.sh("ip -br addr show dev up0.50 | grep -q :").exits(1);
    // It is made again, and is there as long as a container is on it, by any network.
    host.sh("ip link del up0.50; ctr-inspect a | net-attach --check >/dev/null")
        .exits(1)
        .stderr_has("no interface up0.50");
    host.sh("ctr-inspect a | net-attach --repair >/dev/null && ctr-inspect a | net-attach --check >/dev/null").ok();
    outside.sh(&host, &get(&address(&host, "a"))).ok();
    host.sh("net-attach --gc && ctr network rm more").ok();
    link(true);
    host.sh("ctr rm -f a").ok();
    host.tool("net-attach", &["--gc"]).ok().stdout_has("\"removed\":\"link\",\"name\":\"up0.50\"");
    link(false);
    host.sh("ctr run --rm --network lan busybox true && ctr network rm lan").ok();
    link(false);
    // One that was there stays.
    host.sh(&format!("ip link add link up0 name up0.50 type vlan id 50 && ip link set up0.50 up && \
                      ctr network create -d macvlan -o parent=up0.50 {lan} lan && ctr run --rm --network lan busybox true && \
                      ctr network rm lan && net-attach --gc"))
        .succeeds();
    link(true);
    nothing_is_left(&host);
}

fn drivers_are_checked() {
    let host = host();
    let _outside = Outside::of(&host);
    for (args, part) in [
        ("-d macvlan x", "driver macvlan needs an interface of the host"),
        ("-d macvlan -o parent=absent x", "no interface absent"),
        ("-d macvlan -o parent=absent.50 x", "no interface absent.50"),
        ("-d macvlan -o parent=up0.4095 x", "no interface up0.4095"),
        ("-d macvlan -o parent=up0 -o macvlan_mode=odd x", "option macvlan_mode: not \"odd\""),
        ("-d macvlan -o parent=up0 -o icc=false x", "option \"icc\" of a network of driver macvlan: not there"),
        ("-d ipvlan -o parent=up0 -o ipvlan_mode=odd x", "option ipvlan_mode: not \"odd\""),
        ("-o parent=up0 x", "option \"parent\" of a network of driver bridge: not there"),
        // Its parent's neighbours would be there all the same.
        ("--internal -d macvlan -o parent=up0 x", "--internal: a network of driver macvlan is its parent's"),
        ("-d overlay x", "driver \"overlay\" of a network: not there"),
    ] {
        host.sh(&format!("ctr-network create {args}")).fails(1).stderr_has(part);
    }
    host.sh(&format!("ctr network create -d macvlan -o parent=up0 {LAN} mac")).ok();
    host.sh("ctr network create -d ipvlan -o parent=up0 --subnet 198.51.101.0/24 ip").ok();
    let doc = json!({"ctr": 1});
    host.pipe_to(&doc, "net-attach", &["--network", "ip", "--mac-address", "02:00:00:00:00:70"])
        .fails(1)
        .code("invalid")
        .stderr_has("has its parent's hardware address");
    let ran = host.pipe_to(&doc, "net-attach", &["--network", "ip"]);
    if ran.status == 0 {
        // Where the kernel has it.
        let made = ran.json();
        host.pipe_to(&made, "net-attach", &["--check"]).ok();
        host.pipe_to(&made, "net-attach", &["--undo"]).ok();
    } else {
        let release = host.sh("uname -r").ok().text();
        ran.fails(1).code("unsupported").stderr_has(&format!("this kernel, {}, has no ipvlan", release.trim()));
    }
    nothing_is_left(&host);
    // A parent that went away is named.
    host.sh(
        "ip link add gone0 type veth peer name gone1 && ctr network create -d macvlan -o parent=gone0 --subnet 198.51.102.0/24 late \
             && ip link del gone0",
    )
    .ok();
    host.pipe_to(&doc, "net-attach", &["--network", "late"])
        .fails(1)
        .code("not-found")
        .stderr_has("no interface gone0, the parent of network late");
    nothing_is_left(&host);
}
