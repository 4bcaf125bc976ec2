//! What neighbours on the host's network, containers, other users and documents cannot do.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip"]:
            a_port_of_loopback_is_no_neighbours,
            a_document_undoes_only_its_own;
        ["root", "overlay", "umoci", "nft", "ip", "python3"]:
            a_container_has_no_other_address;
        ["root", "nft", "ip", "setpriv"]:
            users_do_not_hold_the_lock,
            an_undo_waits_for_a_gc
    )
}

fn a_port_of_loopback_is_no_neighbours() {
    let host = host();
    let outside = Outside::of(&host);
    server(&host, "web", "-p 127.0.0.1:8080:80 -p 8081:80");
    host.sh(&get("127.0.0.1:8080")).ok();
    // A neighbour for whom 127/8 is behind the host.
    outside
        .sh(
            &host,
            &format!(
                "echo 1 >/proc/sys/net/ipv4/conf/up1/route_localnet; ip addr del 127.0.0.1/8 dev lo 2>/dev/null; ip route flush table local dev lo; \
                 ip route add 127.0.0.0/8 via {HOST} dev up1"
            ),
        )
        .ok();
    for at in ["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.9:8081"] {
        outside.sh(&host, &get(at)).exits(1);
    }
    outside.sh(&host, &get(&format!("{HOST}:8081"))).ok();
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

/// Prints the source of the first TCP packet that comes for port 9, and that of the first datagram and what it says.
const LISTEN: &str = "import socket
t = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('', 9))
open('ready', 'w')
while True:
    p, a = t.recvfrom(99)
    if p[22:24] == b'\\0\\x09': break
d, b = u.recvfrom(9)
print(a[0], b[0], d.decode())
";

/// Sends a reset of no connection, and a datagram from each address that it is given and is not its own; then a connection's first packet
/// and a datagram as everybody does.
const FORGE: &str = "import socket, struct, sys
to = sys.argv[1]
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
def ip(source, protocol, rest):
    return struct.pack('!BBHHHBBH4s4s', 69, 0, 20 + len(rest), 0, 0, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(to)) + rest
def sum16(b):
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while s > 65535: s = (s & 65535) + (s >> 16)
    return 65535 - s
def tcp(source):
    head = struct.pack('!HHIIBBHHH', 7, 9, 1, 1, 80, 4, 100, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(to) + struct.pack('!BBH', 0, 6, 20)
    return head[:16] + struct.pack('!H', sum16(pseudo + head)) + head[18:]
own = sys.argv[2]
r.sendto(ip(own, 6, tcp(own)), (to, 0))
for other in sys.argv[3:]:
    r.sendto(ip(other, 17, struct.pack('!HHHH', 7, 9, 13, 0) + b'other'), (to, 0))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'own', (to, 9))
try: socket.create_connection((to, 9), 1)
except OSError: pass
";

fn a_container_has_no_other_address() {
    let host = host();
    let outside = Outside::of(&host);
    // So that the kernel's own filter is not what the test finds.
    for (name, value) in [("rp_filter", 0), ("accept_local", 1)] {
        host.sh(&format!("cd /proc/sys/net/ipv4/conf; echo {value} >all/{name}; echo {value} >default/{name}")).ok();
    }
    std::fs::write(host.dir().join("listen"), LISTEN).unwrap();
    std::fs::write(host.dir().join("forge"), FORGE).unwrap();
    // A subnet that is not of the usual size, and beside it in the same bits of that size others' addresses.
    host.sh("ctr network create --subnet 10.200.7.0/24 small").ok();
    for (flags, others) in
        [("", "203.0.113.9 127.0.0.1 10.200.7.9 10.90.0.1"), ("--network small", "10.200.8.9 10.90.0.9")]
    {
        host.sh(&format!("rm -f ready; ctr run -d --name a {flags} busybox sleep 6902")).ok();
        let address = address(&host, "a");
        let netns = host.tool("ctr-inspect", &["a"]).ok().json()["net"]["netns"].as_str().unwrap().to_owned();
        let listener = outside.cmd(&host, "exec python3 listen").limit(20).spawn();
        host.sh_cmd("until test -e ready; do sleep 0.02; done").limit(20).run().ok();
        host.sh(&format!("nsenter --net={netns} python3 forge {OUTSIDE} {address} {others}")).ok();
        listener.wait().ok().stdout_is(&format!("{HOST} {HOST} own\n"));
        host.sh("ctr rm -f a").ok();
    }
    host.sh("ctr network rm small").ok();
    nothing_is_left(&host);
}

fn users_do_not_hold_the_lock() {
    let host = Host::with_own_net();
    let _user = host
        .sh_cmd(
            "exec setpriv --reuid 1000 --regid 1000 --clear-groups flock /proc/self/ns/net sh -c 'echo; sleep 6903'",
        )
        .spawn();
    host.sh_cmd("until setpriv --reuid 1001 --regid 1001 --clear-groups sh -c '! flock -n /proc/self/ns/net true'; do sleep 0.02; done")
        .limit(20)
        .run()
        .ok();
    let doc = host.cmd("net-attach", &[] as &[&str]).stdin("{\"ctr\":1}").limit(20).run().ok().json();
    host.pipe_to(&doc, "net-attach", &["--undo"]).ok();
    nothing_is_left(&host);
}

/// The file whose lock orders changes of the host's network namespace.
fn lock_file(host: &Host) -> String {
    format!("/run/ctr-net-{}.lock", host.sh("stat -Lc %i /proc/self/ns/net").ok().text().trim())
}

fn an_undo_waits_for_a_gc() {
    let host = Host::with_own_net();
    host.sh("echo '{\"ctr\":1}' | net-attach -p 8080:80 >doc").ok();
    let lock = lock_file(&host);
    assert!(!std::path::Path::new(&lock).exists(), "{lock}");
    let holder = host.cmd("flock", &[&lock, "sh", "-c", "touch held; exec sleep 6904"]).spawn();
    host.sh_cmd("until test -e held; do sleep 0.02; done").limit(20).run().ok();
    host.sh("timeout 1 net-attach --undo <doc").exits(124);
    host.sh("test -n \"$(ls $CTR_RUN/ports)\"; nft list ruleset | grep -q 'tcp . 8080'").ok();
    drop(holder);
    host.sh("net-attach --undo <doc").ok();
    assert!(!std::path::Path::new(&lock).exists(), "{lock}");
    nothing_is_left(&host);
}

fn a_document_undoes_only_its_own() {
    let host = host();
    let id = server(&host, "web", "-p 8080:80");
    let other = host.sh("echo '{\"ctr\":1}' | net-attach").ok().json();
    let mut forged = other.clone();
    for step in forged["steps"].as_array_mut().unwrap() {
        step["undo"]["id"] = json!(id);
        step["undo"]["addresses"] = json!({"bridge": "10.90.0.2", "../x": "10.90.0.2"});
    }
    host.pipe_to(&forged, "net-attach", &["--undo"]).exits(1).stderr_has("which is not the document's");
    host.sh(&get("127.0.0.1:8080")).ok();
    host.sh("ctr-inspect web | net-attach --check >/dev/null").ok();
    host.pipe_to(&other, "net-attach", &["--undo"]).ok();
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}
