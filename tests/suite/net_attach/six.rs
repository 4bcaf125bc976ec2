//! Networks with IPv6 beside IPv4: who reaches whom, what leaves with which address, and what is said of it.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip", "ipv6"]:
            both_families,
            networks_of_both_families_do_not_reach_each_other,
            ports_of_an_address_of_six_and_of_one_family,
            the_first_is_reached_at_once,
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
    // A port of every address is one of IPv6 too: from outside, from the host, from a neighbour and from itself.
    let own = host.sh("ctr exec a hostname").ok().text();
    for at in [format!("[{HOST6}]:8080"), "[2001:db8:7::1]:8080".to_owned()] {
        host.sh(&get(&at)).ok().stdout_is(&own);
        host.sh(&format!("ctr exec b {}", get_inside(&at))).ok().stdout_is(&own);
        host.sh(&format!("ctr exec a {}", get_inside(&at))).ok().stdout_is(&own);
        host.sh(&format!("ctr exec w {}", get_inside(&at))).ok().stdout_is(&own);
    }
    outside.sh(&host, &get(&format!("[{HOST6}]:8080"))).ok().stdout_is(&own);
    outside.sh(&host, &get(&format!("{HOST}:8080"))).ok().stdout_is(&own);
    outside.sh(&host, &format!("ip route add {a} via {HOST6}")).ok();
    outside.sh(&host, &get(&format!("[{a}]"))).exits(1);
    let _taken = host.cmd("busybox", &["httpd", "-f", "-p", "[::]:9000"]).spawn();
    host.sh_cmd("until grep -q ':2328 ' /proc/net/tcp6; do sleep 0.02; done").limit(20).run().ok();
    host.sh("ctr run --rm --network local -p 9000:80 busybox true").fails(125).stderr_has("held by process ");
    // The host's own way is the router's yet.
    host.sh("cd /proc/sys/net/ipv6/conf && cat up0/accept_ra all/forwarding && cat default/accept_ra br*/accept_ra")
        .ok()
        .stdout_is("2\n1\n1\n0\n0\n");
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
    // A port that was led to a network with both goes to one with one, and back.
    let ports = |host: &Host| host.sh("nft list map inet $(nft list tables | cut -d' ' -f3) ports_any6").ok().text();
    assert!(ports(&host).contains(&format!("tcp . 8080 : {a} . 80")));
    host.sh("ctr network connect --gw-priority 1 bridge a").ok();
    host.sh("ctr-inspect a | net-attach --check >/dev/null").ok();
    assert!(!ports(&host).contains("8080"));
    host.sh("ctr network disconnect bridge a").ok();
    host.sh("ctr-inspect a | net-attach --check >/dev/null").ok();
    outside.sh(&host, &get(&format!("[{HOST6}]:8080"))).ok();
    host.sh("ctr rm -f a b c w && ctr network rm local world").ok();
    nothing_is_left(&host);
    host.tool("net-attach", &["--gc"]).ok();
    assert_eq!(kernel(&host), "");
}

/// Which of the host's addresses a port is reached at, from the host.
fn reached(host: &Host, port: u16) -> Vec<String> {
    let all = ["127.0.0.1", HOST, "[::1]", &format!("[{HOST6}]")].map(str::to_owned);
    let is_open = |at: &String| host.sh(&get(&format!("{at}:{port}"))).status == 0;
    all.into_iter().filter(is_open).collect()
}

fn ports_of_an_address_of_six_and_of_one_family() {
    let host = host();
    let outside = outside(&host);
    host.sh("ctr network create --ipv6 both").ok();
    let words = "-p 8080:80 -p 0.0.0.0:8081:80 -p [::1]:8082:80 -p [2001:db8:5::1]:8083:80 -p [::]:8084:80";
    let id = server(&host, "a", &format!("--network both {words}"));
    let six = format!("[{HOST6}]");
    for (port, at) in [
        (8080, vec!["127.0.0.1", HOST, &six]),
        (8081, vec!["127.0.0.1", HOST]),
        (8082, vec!["[::1]"]),
        (8083, vec![six.as_str()]),
        (8084, vec![six.as_str()]),
    ] {
        assert_eq!(reached(&host, port), at, "{port}");
    }
    outside.sh(&host, &get(&format!("{six}:8083"))).ok().stdout_is(&format!("{}\n", &id[..12]));
    outside.sh(&host, &get(&format!("{six}:8081"))).exits(1);
    schema::assert_valid(&[host.tool("ctr-inspect", &["a"]).ok().json()]);
    host.sh("ctr-inspect a | net-attach --check >/dev/null").ok();
    let listed = "80/tcp -> 0.0.0.0:8080\n80/tcp -> 0.0.0.0:8081\n80/tcp -> [2001:db8:5::1]:8083\n80/tcp -> [::]:8080\n\
                  80/tcp -> [::]:8084\n80/tcp -> [::1]:8082\n";
    host.sh("ctr port a").ok().stdout_is(listed);
    host.sh("ctr ps --format '{{.Ports}}'").ok().stdout_has("0.0.0.0:8080->80/tcp, ").stdout_has(", [::]:8080->80/tcp");
    host.sh("ctr ps -q --filter publish=8083 --filter expose=80").ok().stdout_is(&format!("{}\n", &id[..12]));
    host.sh("ctr ps -q --filter publish=8085-8090").ok().stdout_is("");
    host.sh("ctr ps -q --filter publish=x").exits(2).stderr_has("a port is expected");
    // One of a family is another's port; one address of it is not.
    for (word, holder) in [
        ("[2001:db8:5::1]:8080:81", "held by this container, for its port 80"),
        ("[::]:8083:80", "held by this container"),
        ("[2001:db8:5::9]:8085:80", "the host has no such address"),
    ] {
        host.tool("ctr-port", &["--add", word, "a"]).fails(1).stderr_has(holder);
    }
    host.sh("ctr port add a '[::]:8081:81'").ok().stdout_is("81/tcp -> [::]:8081\n");
    // By what ctr port lists it is taken away; both halves of one of every address are one.
    host.sh("ctr port rm a '[::1]:8082' 8083-8084 '[::]:8080' && ctr port a")
        .ok()
        .stdout_is("80/tcp -> 0.0.0.0:8081\n81/tcp -> [::]:8081\n");
    assert!(reached(&host, 8082).is_empty() && reached(&host, 8083).is_empty());
    host.sh("ctr port add a '[::1]:8085:80' 8086:80 && ctr restart -t 0 a").ok();
    host.sh_cmd(&format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8086"))).limit(20).run().succeeds();
    assert_eq!((reached(&host, 8085), reached(&host, 8086).len()), (vec!["[::1]".to_owned()], 3));
    // Where it leads to a network without IPv6 one of every address is of IPv4 alone.
    host.sh("ctr network connect --gw-priority 1 bridge a").ok();
    host.sh("ctr-inspect a | net-attach --check >/dev/null").ok();
    host.sh("ctr port a | grep -c 8086").ok().stdout_is("1\n");
    assert_eq!((reached(&host, 8085), reached(&host, 8086).len()), (vec!["[::1]".to_owned()], 2));
    // A container without IPv6 has ports of one address of that too: a process passes on what comes there.
    let id = server(&host, "b", "-p [2001:db8:5::1]:9080:80 -p 9081:80");
    outside.sh(&host, &get(&format!("{six}:9080"))).ok().stdout_is(&format!("{}\n", &id[..12]));
    assert_eq!(reached(&host, 9080), [six]);
    host.sh("ctr port b").ok().stdout_is("80/tcp -> 0.0.0.0:9081\n80/tcp -> [2001:db8:5::1]:9080\n");
    host.sh("ctr rm -f a b && ctr network rm both").ok();
    nothing_is_left(&host);
}

fn the_first_is_reached_at_once() {
    let host = host();
    host.sh("ctr network create --ipv6 both && ctr run -d --name a --network both busybox sleep 6910").succeeds();
    // An address that the kernel looks for duplicates of is tentative for a second or two, and not used.
    let bridge = "$(ctr network inspect -f '{{.Interface}}' both)";
    host.sh(&format!("ip -6 -o addr show dev {bridge} tentative")).ok().stdout_is("");
    host.sh("nsenter --net=$(ctr-inspect a | jq -r .net.netns) ip -6 -o addr show tentative").ok().stdout_is("");
    host.sh("ctr rm -f a && ctr network rm both").ok();
    nothing_is_left(&host);
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
