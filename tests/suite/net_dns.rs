//! net-dns: the names of a network's containers, the host's servers for the rest, and its own beginning and end.

mod names;
mod process;
mod upstreams;

use ctr_tests::*;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE, rdata::RData};
use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

pub fn tests() -> Vec<Test> {
    let mut tests = names::tests();
    tests.extend(upstreams::tests());
    tests.extend(process::tests());
    tests
}

/// How long a container waits for an answer: less than the resolver waits for a server.
const PATIENCE: Duration = Duration::from_secs(3);

/// A host with a network of its own, busybox in its store and these networks.
fn host(networks: &[&str]) -> Host {
    let host = Host::with_own_net();
    host.load("busybox");
    for network in networks {
        host.sh(&format!("ctr network create {network}")).ok();
    }
    host
}

/// A container that sleeps; gives its id.
fn sleeper(host: &Host, name: &str, flags: &str) -> String {
    host.sh(&format!("ctr run -d --name {name} {flags} busybox sleep 1000")).ok().text().trim().to_owned()
}

/// The same with aliases on its first network.
fn sleeper_called(host: &Host, name: &str, network: &str, aliases: &str) {
    let pipe = format!(
        "img-pull --pull missing busybox | img-unpack | overlay-mount --name {name} | net-attach --network {network} | \
         jq -c '.net.networks[0].aliases = {aliases}' | ns-spawn -d -- sleep 1000 >/dev/null"
    );
    host.sh(&pipe).ok();
}

/// What a container finds when it asks.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    rcode: RCODE,
    truncated: bool,
    /// Addresses and names, in the order that they came.
    found: Vec<String>,
}

/// From a container's network namespace, with its address.
struct Inside {
    net: Net,
    server: SocketAddr,
}

impl Inside {
    fn of(host: &Host, name: &str) -> Self {
        let doc = host.tool("ctr-inspect", &[name]).ok().json();
        let server: IpAddr = doc["net"]["dns"]["nameservers"][0].as_str().unwrap().parse().unwrap();
        Self { net: Net::at(doc["net"]["netns"].as_str().unwrap()), server: (server, 53).into() }
    }

    /// A socket that asks the resolver.
    fn socket(&self) -> UdpSocket {
        let server = self.server;
        self.net.enter(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect(server).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        })
    }

    fn stream(&self) -> TcpStream {
        let server = self.server;
        let stream = self.net.enter(move || TcpStream::connect_timeout(&server, PATIENCE).unwrap());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Asks by UDP; `None` where nobody answers.
    fn try_ask(&self, name: &str, kind: TYPE) -> Option<Answer> {
        let socket = self.socket();
        socket.send(&query(name, kind)).ok()?;
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).ok()?;
        Some(read(&buffer[..length]))
    }

    #[track_caller]
    fn ask(&self, name: &str, kind: TYPE) -> Answer {
        let Some(answer) = self.try_ask(name, kind) else { panic!("nobody answers about {name}") };
        answer
    }

    #[track_caller]
    fn ask_by_tcp(&self, name: &str, kind: TYPE) -> Answer {
        let mut stream = self.stream();
        let query = query(name, kind);
        stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).unwrap();
        read(&answer)
    }

    /// The addresses of a name, lowest first.
    #[track_caller]
    fn addresses(&self, name: &str) -> Vec<String> {
        let mut found = self.ask(name, TYPE::A).found;
        found.sort();
        found
    }
}

const ID: u16 = 0x4321;

fn query(name: &str, kind: TYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(ID);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(Name::new(name).unwrap(), kind.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().unwrap()
}

fn read(bytes: &[u8]) -> Answer {
    let packet = Packet::parse(bytes).unwrap();
    assert_eq!(packet.id(), ID);
    let found = packet.answers.iter().map(|record| match &record.rdata {
        RData::A(a) => std::net::Ipv4Addr::from(a.address).to_string(),
        RData::PTR(name) => name.0.to_string(),
        other => format!("{other:?}"),
    });
    Answer { rcode: packet.rcode(), truncated: packet.has_flags(PacketFlag::TRUNCATION), found: found.collect() }
}

/// An answer without an error and without a record.
fn nothing() -> Answer {
    Answer { rcode: RCODE::NoError, truncated: false, found: Vec::new() }
}

fn address(host: &Host, name: &str) -> String {
    let doc = host.tool("ctr-inspect", &[name]).ok().json();
    doc["net"]["ips"][0]["address"].as_str().unwrap().split('/').next().unwrap().to_owned()
}

/// The resolver's process, by its file.
fn resolver(host: &Host, network: &str) -> Option<i32> {
    let text = std::fs::read_to_string(host.run().join("dns").join(network)).ok()?;
    let note = text.lines().find_map(object)?;
    let pid = note["pid"].as_i64().unwrap() as i32;
    processes::alive(pid).then_some(pid)
}

fn object(line: &str) -> Option<Value> {
    line.starts_with('{').then(|| line.parse().ok())?
}

/// Kills the resolver and waits until it is gone.
#[track_caller]
fn kill(host: &Host, network: &str) {
    let pid = resolver(host, network).expect("a resolver");
    host.sh_cmd(&format!("kill -9 {pid}; while kill -0 {pid} 2>/dev/null && ! grep -q '^[0-9]* ([^)]*) Z' /proc/{pid}/stat; do sleep 0.01; done"))
        .limit(10)
        .run()
        .succeeds();
    assert_eq!(resolver(host, network), None);
}
