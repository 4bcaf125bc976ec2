//! What is no container's name: who is asked, and that one who is silent costs nothing.

use super::*;
use simple_dns::{ResourceRecord, rdata::A};
use std::{
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

pub fn tests() -> Vec<Test> {
    tests!("net-dns",
        ["root", "overlay", "umoci", "nft", "ip"]:
            the_servers_of_a_container,
            a_silent_server_costs_nothing,
            a_slow_name_is_no_silence,
            nothing_leaves_an_internal_network,
            long_answers_and_odd_types,
            the_servers_of_the_host
    )
}

/// A server in a test: what it was asked.
type Log = Arc<Mutex<Vec<String>>>;

/// Serves on port 53 of the address, by UDP and TCP: `*.example` has `address`, `long.example` sixty of them; nothing else
/// is. Ends with its sockets' namespace.
fn server(host: &Host, at: &'static str, address: [u8; 4]) -> Log {
    host.sh(&format!("ip addr add {at}/32 dev lo 2>/dev/null || true")).succeeds();
    let (udp, tcp) =
        host.net().enter(move || (UdpSocket::bind((at, 53)).unwrap(), TcpListener::bind((at, 53)).unwrap()));
    let log = Log::default();
    let by_udp = Arc::clone(&log);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(&answer(&buffer[..length], address, &by_udp, "udp"), from);
        }
    });
    let by_tcp = Arc::clone(&log);
    thread::spawn(move || {
        while let Ok((mut stream, _)) = tcp.accept() {
            let mut length = [0; 2];
            if stream.read_exact(&mut length).is_err() {
                continue;
            }
            let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
            let _ = stream.read_exact(&mut bytes);
            let answer = answer(&bytes, address, &by_tcp, "tcp");
            let _ = stream.write_all(&[&(answer.len() as u16).to_be_bytes()[..], &answer].concat());
        }
    });
    log
}

/// One that takes everything and says nothing.
fn silent(host: &Host, at: &'static str) -> (UdpSocket, TcpListener) {
    host.sh(&format!("ip addr add {at}/32 dev lo")).ok();
    host.net().enter(move || (UdpSocket::bind((at, 53)).unwrap(), TcpListener::bind((at, 53)).unwrap()))
}

fn answer(bytes: &[u8], address: [u8; 4], log: &Log, by: &str) -> Vec<u8> {
    let Ok(query) = Packet::parse(bytes) else {
        // A type without a name here: the question alone, and that there is no such thing.
        log.lock().unwrap().push(format!("odd by {by}"));
        return [&bytes[..2], &[0x81, 0x83], &bytes[4..]].concat();
    };
    let name = query.questions[0].qname.to_string();
    log.lock().unwrap().push(format!("{name} by {by}"));
    let n = if name.starts_with("long.") { 60 } else { 1 };
    let mut reply = query.clone().into_reply();
    *reply.opt_mut() = None;
    if !name.ends_with(".example") {
        *reply.rcode_mut() = RCODE::NameError;
    } else if query.questions[0].qtype == simple_dns::QTYPE::TYPE(TYPE::A) {
        let record = |_| {
            let data = RData::A(A::from(Ipv4Addr::from(address)));
            ResourceRecord::new(query.questions[0].qname.clone(), CLASS::IN, 60, data)
        };
        reply.answers = (0..n).map(record).collect();
    }
    reply.build_bytes_vec_compressed().unwrap()
}

fn the_servers_of_a_container() {
    let host = host(&["red"]);
    let (one, two) = (server(&host, "198.51.100.53", [192, 0, 2, 1]), server(&host, "198.51.100.54", [192, 0, 2, 2]));
    sleeper(&host, "a", "--network red --dns 198.51.100.53");
    sleeper(&host, "b", "--network red --dns 198.51.100.54");
    let doc = host.tool("ctr-inspect", &["a"]).ok().json();
    assert_eq!(doc["net"]["dns"]["nameservers"], json!(["10.90.0.1"]));
    assert_eq!(doc["net"]["upstreams"], json!(["198.51.100.53"]));
    let (a, b) = (Inside::of(&host, "a"), Inside::of(&host, "b"));
    assert_eq!(a.addresses("www.example"), ["192.0.2.1"]);
    assert_eq!(b.addresses("www.example"), ["192.0.2.2"]);
    assert_eq!(a.ask("www.invalid", TYPE::A).rcode, RCODE::NameError);
    assert_eq!(a.ask("www.example", TYPE::AAAA), nothing());
    assert_eq!(a.ask_by_tcp("www.example", TYPE::A).found, ["192.0.2.1"]);
    assert_eq!(
        *one.lock().unwrap(),
        ["www.example by udp", "www.invalid by udp", "www.example by udp", "www.example by tcp"]
    );
    assert_eq!(*two.lock().unwrap(), ["www.example by udp"]);
    // What is a container's is nobody else's to know.
    a.ask("b", TYPE::A);
    a.ask("b", TYPE::AAAA);
    a.ask("2.0.90.10.in-addr.arpa", TYPE::PTR);
    assert_eq!(one.lock().unwrap().len(), 4);
    // The container's own loopback is asked by itself.
    host.sh("ctr run --rm --network red --dns 127.0.0.1 busybox cat /etc/resolv.conf")
        .ok()
        .stdout_has("nameserver 127.0.0.1\n");
    host.sh("ctr rm -f a b").ok();
}

fn a_silent_server_costs_nothing() {
    let host = host(&["red"]);
    let _first = silent(&host, "198.51.100.52");
    let second = server(&host, "198.51.100.53", [192, 0, 2, 1]);
    // Nobody is there, and nobody can be.
    host.sh("ip addr add 198.51.100.51/32 dev lo").ok();
    sleeper(&host, "a", "--network red --dns 198.51.100.52 --dns 198.51.100.51 --dns 198.51.100.53");
    let inside = Inside::of(&host, "a");
    assert_eq!(inside.addresses("www.example"), ["192.0.2.1"]);
    assert_eq!(inside.ask("www.invalid", TYPE::A).rcode, RCODE::NameError);
    assert_eq!(inside.ask_by_tcp("www.example", TYPE::A).found, ["192.0.2.1"]);
    assert_eq!(second.lock().unwrap().len(), 3);
    // Without any that speaks, it is said that nobody does.
    sleeper(&host, "b", "--network red --dns 198.51.100.51");
    assert_eq!(Inside::of(&host, "b").ask("www.example", TYPE::A).rcode, RCODE::ServerFailure);
    host.sh("ctr rm -f a b").ok();
}

/// One container's question cannot take a server away from the others.
fn a_slow_name_is_no_silence() {
    let host = host(&["red"]);
    host.sh("ip addr add 198.51.100.52/32 dev lo").ok();
    let first = host.net().enter(|| UdpSocket::bind("198.51.100.52:53").unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = first.recv_from(&mut buffer) {
            let query = Packet::parse(&buffer[..length]).unwrap();
            let mut reply = query.clone().into_reply();
            let name = query.questions[0].qname.clone();
            if name.to_string().starts_with("slow.") {
                continue;
            }
            // After the second, which knows none of these.
            thread::sleep(Duration::from_millis(50));
            let data = RData::A(A::from(Ipv4Addr::new(192, 0, 2, 9)));
            reply.answers = vec![ResourceRecord::new(name, CLASS::IN, 60, data)];
            let _ = first.send_to(&reply.build_bytes_vec_compressed().unwrap(), from);
        }
    });
    let _second = server(&host, "198.51.100.53", [192, 0, 2, 1]);
    for name in ["a", "b"] {
        sleeper(&host, name, "--network red --dns 198.51.100.52 --dns 198.51.100.53");
    }
    let (a, b) = (Inside::of(&host, "a"), Inside::of(&host, "b"));
    assert_eq!(b.addresses("one.corp"), ["192.0.2.9"]);
    assert_eq!(a.ask("slow.corp", TYPE::A).rcode, RCODE::NameError);
    assert_eq!(b.addresses("two.corp"), ["192.0.2.9"]);
    host.sh("ctr rm -f a b").ok();
}

fn nothing_leaves_an_internal_network() {
    let host = host(&["--internal in"]);
    let server = server(&host, "198.51.100.53", [192, 0, 2, 1]);
    sleeper(&host, "a", "--network in --dns 198.51.100.53");
    sleeper(&host, "b", "--network in");
    let inside = Inside::of(&host, "a");
    assert_eq!(inside.addresses("b"), [address(&host, "b")]);
    assert_eq!(inside.ask("www.example", TYPE::A).rcode, RCODE::ServerFailure);
    assert_eq!(inside.ask_by_tcp("www.example", TYPE::A).rcode, RCODE::ServerFailure);
    assert!(server.lock().unwrap().is_empty());
    host.sh("ctr rm -f a b").ok();
}

fn long_answers_and_odd_types() {
    let host = host(&["red"]);
    let server = server(&host, "198.51.100.53", [192, 0, 2, 1]);
    sleeper(&host, "a", "--network red --dns 198.51.100.53");
    let inside = Inside::of(&host, "a");
    // 972 bytes, and who asks can take 512.
    assert_eq!(inside.ask("long.example", TYPE::A), Answer { truncated: true, ..nothing() });
    assert_eq!(inside.ask_by_tcp("long.example", TYPE::A).found.len(), 60);
    // A type that has no name yet.
    let socket = inside.socket();
    let mut odd = query("www.example", TYPE::A);
    let at = odd.len() - 4;
    odd[at..at + 2].copy_from_slice(&31337_u16.to_be_bytes());
    socket.send(&odd).unwrap();
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!((&buffer[..2], buffer[3] & 0x0f), (&ID.to_be_bytes()[..], 3));
    assert_eq!(&buffer[12..length], &odd[12..]);
    assert_eq!(server.lock().unwrap().last().unwrap(), "odd by udp");
    host.sh("ctr rm -f a").ok();
}

fn the_servers_of_the_host() {
    let host = host(&["red"]);
    let one = server(&host, "127.0.0.53", [192, 0, 2, 1]);
    let two = server(&host, "127.0.0.54", [192, 0, 2, 2]);
    let conf = host.dir().join("resolv.conf");
    std::fs::write(&conf, "nameserver 127.0.0.53\n").unwrap();
    sleeper(&host, "a", "--network red");
    kill(&host, "red");
    // In front, where it sees another /etc/resolv.conf than everybody.
    let mut front = host
        .sh_cmd("exec unshare -m sh -c 'mount --bind resolv.conf /etc/resolv.conf && exec net-dns --trace red' 2>trace")
        .spawn();
    let inside = Inside::of(&host, "a");
    host.sh_cmd("until ss -lunH | grep -q 10.90.0.1; do sleep 0.02; done").limit(20).run().ok();
    assert_eq!(inside.addresses("www.example"), ["192.0.2.1"], "a server on the host's loopback");
    std::fs::write(&conf, "nameserver 127.0.0.54\n").unwrap();
    host.sh("sleep 0.05").ok();
    assert_eq!(inside.addresses("www.example"), ["192.0.2.2"], "what was changed is read again");
    assert_eq!((one.lock().unwrap().len(), two.lock().unwrap().len()), (1, 1));
    inside.ask("a", TYPE::A);
    host.tool("net-dns", &["red"])
        .fails(1)
        .stderr_has(&format!("network red has its resolver, process {}", front.pid()));
    let lines = host.sh("cat trace").ok().jsons();
    let of = |name: &str| lines.iter().find(|line| line["name"] == *name).unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(of("www.example")["by"], "127.0.0.53");
    assert_eq!(of("a")["answer"], json!([address(&host, "a")]));
    assert_eq!(of("a")["type"], "A");
    assert!(of("a")["ms"].is_number() && of("a")["container"].is_string());
    assert!(front.runs());
    // It leaves with the last container, in front too.
    host.sh("ctr rm -f a").ok();
    front.wait().ok();
}
