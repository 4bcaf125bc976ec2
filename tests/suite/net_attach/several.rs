//! A container on several networks: its interfaces, its way out, its names; and that each of them is freed again.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip"]:
            each_network_has_an_interface,
            the_way_out_is_one_networks,
            several_words_that_are_wrong
    )
}

/// What `ip` prints inside.
fn inside(host: &Host, name: &str, command: &str) -> String {
    let netns = host.tool("ctr-inspect", &[name]).ok().json()["net"]["netns"].as_str().unwrap().to_owned();
    host.sh(&format!("nsenter --net={netns} {command}")).ok().text()
}

fn each_network_has_an_interface() {
    let host = host();
    let outside = Outside::of(&host);
    host.sh("ctr network create red && ctr network create --subnet 10.7.0.0/24 blue").ok();
    let long = "name=blue,alias=db,alias=store,ip=10.7.0.9,mac-address=02:00:00:00:00:09,gw-priority=1";
    server(&host, "a", &format!("--network red --network-alias web --network {long} -p 8080:80"));
    server(&host, "r", "--network red");
    server(&host, "b", "--network blue");
    let doc = host.tool("ctr-inspect", &["a"]).ok().json();
    schema::assert_valid(std::slice::from_ref(&doc));
    let net = &doc["net"];
    assert_eq!(
        net["networks"],
        json!([
            {"name": "red", "interface": "eth0", "aliases": ["web"]},
            {"name": "blue", "interface": "eth1", "aliases": ["db", "store"], "gwPriority": 1},
        ])
    );
    assert_eq!(net["routes"], json!([{"dst": "0.0.0.0/0", "gw": "10.7.0.1"}]));
    assert_eq!(net["ips"][1], json!({"address": "10.7.0.9/24", "gateway": "10.7.0.1", "interface": 5}));
    assert_eq!(net["interfaces"].as_array().unwrap().len(), 6);
    let red = address(&host, "a");
    let shown = inside(&host, "a", "ip -o addr");
    assert!(shown.contains(&format!("eth0    inet {red}/16")) && shown.contains("eth1    inet 10.7.0.9/24"), "{shown}");
    assert!(inside(&host, "a", "ip link show eth1").contains("02:00:00:00:00:09"));
    let route = inside(&host, "a", "ip route");
    assert!(route.starts_with("default via 10.7.0.1 dev eth1") && route.matches("default").count() == 1, "{route}");
    // Each of the two reaches it, and neither the other through it.
    host.sh(&format!("ctr exec r {}", get_inside(&red))).ok();
    host.sh(&format!("ctr exec b {}", get_inside("10.7.0.9"))).ok();
    host.sh(&format!("ctr exec a {}", get_inside(&address(&host, "r")))).ok();
    host.sh(&format!("ctr exec a {}", get_inside(&address(&host, "b")))).ok();
    host.sh(&format!("ctr exec r {}", get_inside(&address(&host, "b")))).exits(1);
    host.sh(&format!("ctr exec r {}", get_inside("10.7.0.9"))).exits(1);
    outside.sh(&host, &get(&format!("{HOST}:8080"))).ok();
    host.sh(&get("127.0.0.1:8080")).ok();
    assert!(host.sh("nft list ruleset").ok().text().contains("tcp . 8080 : 10.7.0.9 . 80"));
    let id = doc["id"].as_str().unwrap();
    host.sh("ctr exec a cat /etc/hosts").ok().stdout_has(&format!("\n{red}\t{}\n10.7.0.9\t{}\n", &id[..12], &id[..12]));
    let networks = host.sh("ctr inspect -f '{{json .NetworkSettings.Networks}}' a").ok().json();
    assert_eq!(networks["red"]["IPAddress"], red);
    assert_eq!(
        (&networks["blue"]["IPAddress"], &networks["blue"]["Gateway"]),
        (&json!("10.7.0.9"), &json!("10.7.0.1"))
    );
    assert_eq!(networks["blue"]["Aliases"], json!(["db", "store"]));
    host.sh("ctr ps --format '{{.Names}} {{.Networks}}' | sort").ok().stdout_is("a red,blue\nb blue\nr red\n");
    let blue = host.sh("ctr network inspect -f '{{json .Containers}}' blue").ok().json();
    assert_eq!(blue[id]["IPv4Address"], "10.7.0.9/24");
    assert_eq!(blue[id]["MacAddress"], "02:00:00:00:00:09");
    host.sh("ctr network rm blue").fails(1).stderr_has("network blue is in use");
    // What another took away of one of them is made again.
    host.sh("ctr-inspect a >doc && net-attach --check <doc >/dev/null").ok();
    for (line, part) in [
        ("ip link del $(jq -r '.net.interfaces[4].name' doc)", "no interface v"),
        ("ip link del $(jq -r '.net.interfaces[3].name' doc)", "no bridge br"),
        (
            "ip netns exec $(basename $(jq -r .net.netns doc)) ip addr flush dev eth0",
            "eth0 of the container has no address",
        ),
        ("rm $CTR_ROOT/addresses/blue/10.7.0.9", "the claim of 10.7.0.9 on network blue is gone"),
    ] {
        host.sh(line).ok();
        host.sh("net-attach --check <doc").exits(1).stderr_has(part);
        host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
        host.sh(&format!("ctr exec r {}", get_inside(&red))).ok();
        outside.sh(&host, &get(&format!("{HOST}:8080"))).ok();
    }
    host.sh("ctr restart -t 0 a && net-attach --check <doc >/dev/null").ok();
    host.sh("ctr rm -f a b r && ctr network rm red blue").ok();
    nothing_is_left(&host);
    host.tool("net-attach", &["--gc"]).ok();
    assert_eq!(kernel(&host), "");
}

fn the_way_out_is_one_networks() {
    let host = host();
    host.sh("ctr network create --internal alone; ctr network create b; ctr network create c; ctr network create d")
        .ok();
    let doc = json!({"ctr": 1});
    let way_out = |words: &[&str]| {
        let args: Vec<&str> = words.iter().flat_map(|word| ["--network", word]).collect();
        let doc = host.pipe_to(&doc, "net-attach", &args).ok().json();
        let net = &doc["net"];
        let gateway = net["routes"][0]["gw"].clone();
        let place = net["ips"].as_array().unwrap().iter().find(|ip| ip["gateway"] == gateway);
        let name = place.map(|ip| {
            let own = &net["interfaces"][ip["interface"].as_u64().unwrap() as usize]["name"];
            let networks = net["networks"].as_array().unwrap();
            networks.iter().find(|n| n["interface"] == *own).unwrap()["name"].as_str().unwrap().to_owned()
        });
        host.pipe_to(&doc, "net-attach", &["--check"]).ok();
        host.pipe_to(&doc, "net-attach", &["--undo"]).ok();
        name.unwrap_or_default()
    };
    assert_eq!(way_out(&["d", "b", "c"]), "b", "of equals the first by name");
    assert_eq!(way_out(&["d", "b", "name=c,gw-priority=1"]), "c");
    assert_eq!(way_out(&["d", "name=b,gw-priority=-1"]), "d");
    assert_eq!(way_out(&["alone", "d"]), "d");
    assert_eq!(way_out(&["name=alone,gw-priority=9", "bridge"]), "bridge");
    let alone = host.pipe_to(&doc, "net-attach", &["--network", "alone"]).ok().json();
    assert_eq!(alone["net"]["routes"], json!([]));
    host.pipe_to(&alone, "net-attach", &["--undo"]).ok();
    host.pipe_to(&doc, "net-attach", &["--network", "alone", "-p", "80:80"]).fails(1).code("invalid");
    nothing_is_left(&host);
}

fn several_words_that_are_wrong() {
    let host = host();
    host.sh("ctr network create --subnet 10.7.0.0/24 a && ctr network create --subnet 10.8.0.0/29 b").ok();
    let doc = json!({"ctr": 1});
    let other =
        host.pipe_to(&doc, "net-attach", &["--network", "a", "--ip", "10.7.0.9", "--name", "holder"]).ok().json();
    let id = host.sh("ctr-network inspect a | jq -r .Id").ok().text();
    for (words, code, part) in [
        ("--network a --network absent", "not-found", "no network absent"),
        ("--network a --network a", "invalid", "network a is named twice"),
        (&format!("--network a --network {}", &id[..20]), "invalid", "network a is named twice"),
        ("--network b --network none", "invalid", "network none stands alone"),
        ("--network host --network b", "invalid", "network host stands alone"),
        ("--network name=none,ip=10.8.0.2", "invalid", "a setting needs a network, not none"),
        ("--network none --network-alias x", "invalid", "--network-alias needs a network, not none"),
        ("--network b --network name=a,ip=10.7.0.9", "exists", "container holder ("),
        ("--network b --network name=a,ip=10.9.0.9", "invalid", "no host of 10.7.0.0/24"),
        ("--network b --network name=a,ip6=fd00::9", "invalid", "network a has no subnet of IPv6"),
        ("--network name=a,ip=10.7.0.8 --ip 10.7.0.7", "invalid", "--ip of the first network is given twice"),
        (
            "--network name=a,alias=x --network-alias y",
            "invalid",
            "--network-alias of the first network is given twice",
        ),
        ("--network name=a,driver-opt=x=y", "unsupported", "driver-opt"),
        ("--network alias=x", "invalid", "it has no name"),
        ("--network name=a,alias=-x", "invalid", "invalid alias"),
    ] {
        let args: Vec<&str> = words.split(' ').collect();
        host.pipe_to(&doc, "net-attach", &args).fails(1).code(code).stderr_has(part);
        host.sh("find $CTR_ROOT/addresses -type l -printf '%f\n'").ok().stdout_is("10.7.0.9\n");
    }
    let many: Vec<String> = (0..37).flat_map(|n| ["--network".to_owned(), format!("n{n}")]).collect();
    host.pipe_to(&doc, "net-attach", &many.iter().map(String::as_str).collect::<Vec<_>>()).fails(1).code("limit");
    // Where the last one has no address left, the others are free again.
    for n in 2..7 {
        let name = format!("c{n}");
        host.pipe_to(&doc, "net-attach", &["--network", "b", "--name", &name]).ok();
    }
    host.pipe_to(&doc, "net-attach", &["--network", "a", "--network", "b"]).fails(1).code("limit");
    host.sh("ls $CTR_ROOT/addresses/a").ok().stdout_is("10.7.0.9\n");
    host.sh("for c in c2 c3 c4 c5 c6; do ctr-inspect $c | net-attach --undo >/dev/null; done").ok();
    host.pipe_to(&other, "net-attach", &["--undo"]).ok();
    nothing_is_left(&host);
}
