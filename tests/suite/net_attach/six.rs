//! Networks with IPv6 beside IPv4: who reaches whom, what leaves with which address, and what is said of it.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip", "ipv6"]:
            both_families,
            networks_of_both_families_do_not_reach_each_other,
            definitions_of_six_are_checked
    )
}

/// Its address of IPv6 as the world knows it, and its neighbour's.
const HOST6: &str = "2001:db8:5::1";
const OUTSIDE6: &str = "2001:db8:5::2";

fn outside(host: &Host) -> Outside {
    let outside = Outside::of(host);
    host.sh(&format!("ip addr add {HOST6}/64 dev up0 nodad && ip route add default via {OUTSIDE6}")).ok();
    outside
        .sh(
            host,
            &format!(
                "ip addr add {OUTSIDE6}/64 dev up1 nodad; mkdir -p www; echo world >www/hostname; \
                            busybox httpd -p [::]:80 -h www"
            ),
        )
        .ok();
    outside
}

fn six(host: &Host, name: &str) -> String {
    let doc = host.tool("ctr-inspect", &[name]).ok().json();
    let ips = doc["net"]["ips"].as_array().unwrap().clone();
    let own = ips.iter().find(|ip| ip["address"].as_str().unwrap().contains(':')).unwrap();
    own["address"].as_str().unwrap().split('/').next().unwrap().to_owned()
}

fn both_families() {
    let host = host();
    let outside = outside(&host);
    host.sh("echo 1 >/proc/sys/net/ipv6/conf/up0/accept_ra").ok();
    host.sh("ctr network create --ipv6 local").ok();
    host.sh("ctr network create --ipv6 --subnet 2001:db8:7::/64 --subnet 10.7.0.0/24 world").ok();
    let shown = host.sh("ctr-network inspect local").ok().json();
    assert_eq!(shown["EnableIPv6"], true);
    assert!(shown["IPAM"]["Config"][1]["Subnet"].as_str().unwrap().starts_with("fd"), "{shown}");
    server(&host, "a", "--network local -p 8080:80");
    server(&host, "b", "--network name=local");
    server(&host, "w", "--network world --ip6 2001:db8:7::9 --ip 10.7.0.9");
    let doc = host.tool("ctr-inspect", &["w"]).ok().json();
    schema::assert_valid(std::slice::from_ref(&doc));
    assert_eq!(
        doc["net"]["ips"][1],
        json!({"address": "2001:db8:7::9/64", "gateway": "2001:db8:7::1", "interface": 2})
    );
    assert_eq!(doc["net"]["routes"][1], json!({"dst": "::/0", "gw": "2001:db8:7::1"}));
    host.sh("ctr-inspect w | net-attach --check >/dev/null").ok();
    let shown = host.sh("ctr inspect -f '{{json .NetworkSettings}}' w").ok().json();
    assert_eq!(
        (&shown["GlobalIPv6Address"], &shown["IPv6Gateway"]),
        (&json!("2001:db8:7::9"), &json!("2001:db8:7::1"))
    );
    host.sh("ctr exec w cat /etc/hosts").ok().stdout_has("\n2001:db8:7::9\t");
    // A neighbour, and the world, which sees the host where the subnet is nobody else's and the container where it is.
    let a = six(&host, "a");
    host.sh(&format!("ctr exec b {}", get_inside(&format!("[{a}]")))).ok();
    host.sh(&get(&format!("[{a}]"))).ok();
    host.sh(&format!("ctr exec a {}", get_inside(&format!("[{OUTSIDE6}]")))).ok().stdout_is("world\n");
    outside.sh(&host, &format!("ip route add 2001:db8:7::/64 via {HOST6}")).ok();
    host.sh(&format!("ctr exec w {}", get_inside(&format!("[{OUTSIDE6}]")))).ok().stdout_is("world\n");
    outside.sh(&host, "ip route del 2001:db8:7::/64").ok();
    host.sh(&format!("ctr exec w {}", get_inside(&format!("[{OUTSIDE6}]")))).exits(1);
    host.sh(&format!("ctr exec a {}", get_inside(&format!("[{OUTSIDE6}]")))).ok();
    // The host's own way is the router's yet.
    host.sh("cd /proc/sys/net/ipv6/conf && cat up0/accept_ra all/forwarding").ok().stdout_is("2\n1\n");
    // What is gone is made again.
    host.sh("ctr-inspect w >doc").ok();
    for (line, part) in [
        ("echo 0 >/proc/sys/net/ipv6/conf/all/forwarding", "does not forward IPv6"),
        ("ip netns exec $(basename $(jq -r .net.netns doc)) ip -6 route del default", "has no route to ::/0"),
        ("ip netns exec $(basename $(jq -r .net.netns doc)) ip -6 addr flush dev eth0", "has no address 2001:db8:7::9"),
        ("nft flush set inet $(nft list tables | cut -d' ' -f3) near6", "of near6 in the firewall table"),
    ] {
        host.sh(line).ok();
        host.sh("net-attach --check <doc").exits(1).stderr_has(part);
        host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
    }
    // Connected while it runs.
    host.sh("ctr run -d --name c busybox httpd -f -p 80 -h /etc && ctr network connect --ip6 2001:db8:7::c world c")
        .ok();
    host.sh("ctr-inspect c | net-attach --check >/dev/null").ok();
    host.sh_cmd(&format!("until ({}); do sleep 0.05; done", get("[2001:db8:7::c]"))).limit(20).run().ok();
    host.sh("ctr network inspect -f '{{json .Containers}}' world")
        .ok()
        .stdout_has("\"IPv6Address\":\"2001:db8:7::c/64\"");
    host.sh("ctr rm -f a b c w && ctr network rm local world").ok();
    nothing_is_left(&host);
    host.tool("net-attach", &["--gc"]).ok();
    assert_eq!(kernel(&host), "");
}

fn networks_of_both_families_do_not_reach_each_other() {
    let host = host();
    let _outside = outside(&host);
    host.sh(
        "ctr network create --ipv6 red && ctr network create --ipv6 blue && ctr network create --ipv6 --internal in",
    )
    .ok();
    server(&host, "r", "--network red");
    server(&host, "b", "--network blue");
    server(&host, "i", "--network in");
    let (red, blue) = (six(&host, "r"), six(&host, "b"));
    let reach =
        |from: &str, to: &str| host.sh(&format!("ctr exec {from} {}", get_inside(&format!("[{to}]")))).status == 0;
    assert!(reach("r", &red) && !reach("r", &blue) && !reach("b", &red) && !reach("i", &red));
    assert!(!reach("r", &six(&host, "i")));
    assert!(reach("r", OUTSIDE6) && !reach("i", OUTSIDE6));
    // Not even where it makes itself a way.
    let netns = host.tool("ctr-inspect", &["i"]).ok().json()["net"]["netns"].as_str().unwrap().to_owned();
    let gateway = host.sh("ctr-network inspect in | jq -r '.IPAM.Config[1].Gateway'").ok().text();
    host.sh(&format!("nsenter --net={netns} ip route add default via {gateway}")).ok();
    assert!(!reach("i", OUTSIDE6) && !reach("i", &red));
    host.sh("ctr rm -f r b i && ctr network rm red blue in").ok();
    nothing_is_left(&host);
}

fn definitions_of_six_are_checked() {
    let host = host();
    let _outside = outside(&host);
    host.sh("ctr network create --ipv6 --subnet fd00:7::/64 --gateway fd00:7::ff --ip-range fd00:7::10/127 web").ok();
    for (args, part) in [
        ("--subnet fd00:8::/64 x", "is of IPv6: give --ipv6 too"),
        ("--ipv6 --subnet fd00:7::/65 x", "overlaps fd00:7::/64 of network web"),
        ("--ipv6 --subnet 2001:db8:5::/64 x", "a route of the host"),
        ("--ipv6 --subnet fd00:8::/64 --subnet fd00:9::/64 x", "more than one subnet of IPv6"),
        ("--ipv6 --gateway fd00:8::1 x", "parts of a --subnet"),
        ("--ipv6 --subnet fd00:8::/64 --gateway fd00:9::1 x", "no host of subnet"),
        ("--ipv6 --subnet fe80::/64 x", "no hosts'"),
        ("--ipv6 --subnet fd00::/127 x", "between 16 and 126 bits"),
    ] {
        host.sh(&format!("ctr-network create {args}")).fails(1).stderr_has(part);
    }
    host.sh("ctr network ls -q").ok();
    assert_eq!(host.sh("ctr-network ls | jq -r .IPv6").ok().text(), "true\n");
    let doc = json!({"ctr": 1});
    let attach = |args: &[&str]| host.pipe_to(&doc, "net-attach", &[&["--network", "web"], args].concat());
    for n in ["10", "11"] {
        let made = attach(&[]).ok().json();
        assert_eq!(made["net"]["ips"][1]["address"], format!("fd00:7::{n}/64"));
    }
    attach(&[]).fails(1).code("limit").stderr_has("no free address in fd00:7::10/127");
    attach(&["--ip6", "fd00:7::20"]).ok();
    for (ip, code) in
        [("fd00:7::20", "exists"), ("fd00:7::ff", "exists"), ("fd00:7::", "invalid"), ("fd00:8::1", "invalid")]
    {
        attach(&["--ip6", ip]).fails(1).code(code);
    }
    // Where the one is refused, the other family's is free again.
    host.sh("ls $CTR_ROOT/addresses/web | wc -l").ok().stdout_is("6\n");
}
