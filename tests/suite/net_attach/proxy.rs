//! Ports that a proxy publishes: who reaches them, that the host's own filters apply, and the proxy's beginning and end.

use super::*;
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip"]:
            a_proxied_port_is_reached_from_everywhere,
            a_proxied_port_obeys_the_filter_of_the_host,
            an_end_of_one_direction_is_passed_on,
            a_killed_proxy_is_told_of_and_comes_back,
            a_document_set_aside_has_its_proxy,
            a_proxy_ends_with_its_container,
            a_proxy_does_not_wait_for_who_started_it,
            what_could_not_be_started_holds_no_port,
            proxied_ports_of_a_running_container,
            a_lost_address_has_no_proxy,
            a_proxied_port_that_is_taken_names_its_holder,
            words_of_the_publish_mode;
        ["root", "overlay", "umoci", "nft", "ip", "python3"]:
            a_proxy_passes_datagrams_on
    )
}

/// The proxy's process, by its file.
fn proxy(host: &Host, name: &str) -> Option<i32> {
    let doc = host.tool("ctr-inspect", &[name]).ok().json();
    let text = std::fs::read_to_string(host.run().join("proxies").join(doc["id"].as_str().unwrap())).ok()?;
    let note: Value = text.lines().find(|line| line.starts_with('{'))?.parse().ok()?;
    let pid = note["pid"].as_i64().unwrap() as i32;
    processes::alive(pid).then_some(pid)
}

#[track_caller]
fn no_proxies(host: &Host) {
    host.sh_cmd("while ls $CTR_RUN/proxies 2>/dev/null | grep .; do sleep 0.02; done").limit(20).run().succeeds();
    nothing_is_left(host);
}

fn a_proxied_port_is_reached_from_everywhere() {
    let host = host();
    let outside = Outside::of(&host);
    let id = server(&host, "web", "--publish-mode proxy -p 8080:80 -p 127.0.0.1:8081:80");
    server(&host, "other", "");
    let good = |ran: Ran| drop(ran.ok().stdout_is(&format!("{}\n", &id[..12])));
    for at in ["127.0.0.1:8080", "127.0.0.1:8081", "10.90.0.1:8080", &format!("{HOST}:8080")] {
        good(host.sh(&get(at)));
    }
    good(outside.sh(&host, &get(&format!("{HOST}:8080"))));
    outside.sh(&host, &get(&format!("{HOST}:8081"))).exits(1);
    for at in ["10.90.0.1:8080", &format!("{HOST}:8080")] {
        good(host.sh(&format!("ctr exec other {}", get_inside(at))));
        good(host.sh(&format!("ctr exec web {}", get_inside(at))));
    }
    // The bridge's address is who asks; and the firewall has nothing to do with it.
    let log = host.sh("ctr logs web 2>&1").succeeds().text();
    assert!(log.contains("10.90.0.1]:") && !log.contains(OUTSIDE), "{log}");
    host.sh("! nft list ruleset | grep 808").ok();
    host.sh("cat /proc/sys/net/ipv4/conf/ctr*/route_localnet 2>/dev/null | sort -u").succeeds();
    host.sh("ctr port web").ok().stdout_is("80/tcp -> 0.0.0.0:8080\n80/tcp -> 127.0.0.1:8081\n");
    let doc = host.tool("ctr-inspect", &["web"]).ok().json();
    assert_eq!(doc["net"]["publishMode"], "proxy");
    schema::assert_valid(&[doc]);
    // It has few rights.
    let pid = proxy(&host, "web").unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in ["CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Threads:\t1"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    host.sh("ctr rm -f web other").ok();
    outside.sh(&host, &get(&format!("{HOST}:8080"))).exits(1);
    no_proxies(&host);
    processes::gone(pid);
    // By the environment, and through the pipe.
    let pipe = "img-pull --pull missing busybox | img-unpack | overlay-mount | CTR_PUBLISH_MODE=proxy net-attach -p 8080:80 | \
                ns-spawn --rm -- true";
    host.sh(pipe).ok();
    no_proxies(&host);
}

fn a_proxied_port_obeys_the_filter_of_the_host() {
    let host = host();
    let outside = Outside::of(&host);
    server(&host, "led", "-p 8080:80");
    server(&host, "web", "--publish-mode proxy -p 8081:80");
    let reached = |port: u16| outside.sh(&host, &get(&format!("{HOST}:{port}"))).status == 0;
    assert!(reached(8080) && reached(8081));
    host.sh("nft 'table inet own { chain input { type filter hook input priority 0; tcp dport { 80, 8080, 8081 } drop; }; }'")
        .ok();
    assert!(reached(8080) && !reached(8081));
    host.sh("nft delete table inet own").ok();
    assert!(reached(8081));
    host.sh("ctr rm -f web led").ok();
    no_proxies(&host);
}

/// What `nc` in the container answers once it has read all.
fn an_end_of_one_direction_is_passed_on() {
    let host = host();
    host.sh("ctr run -d --name n --publish-mode proxy -p 7000:7 -p 7001:8 busybox sh -c \
         'nc -l -p 7 -e sh -c \"wc -c\" & nc -l -p 8 -e sh -c \"exec 0<&-; head -c 3000000 /dev/zero\" & wait; sleep 1000'")
        .ok();
    host.sh_cmd(
        "until ctr exec n netstat -ltn | grep -q ':7 ' && ctr exec n netstat -ltn | grep -q ':8 '; do sleep 0.05; done",
    )
    .limit(20)
    .run()
    .succeeds();
    let connect = |port: u16| {
        let stream = host.net().enter(move || TcpStream::connect(("127.0.0.1", port)).unwrap());
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    };
    // The client has ended, and reads on: more than all buffers on the way hold.
    let mut stream = connect(7000);
    stream.write_all(&vec![b'x'; 3_000_000]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "3000000\n");
    // The server has ended.
    let mut bytes = Vec::new();
    connect(7001).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 3_000_000);
    // Nobody listens any more: a reset, not an end.
    let failed = connect(7000).read(&mut [0]).unwrap_err();
    assert_eq!(failed.kind(), std::io::ErrorKind::ConnectionReset);
    host.sh("ctr rm -f n").ok();
    no_proxies(&host);
}

fn a_proxy_passes_datagrams_on() {
    let host = host();
    let outside = Outside::of(&host);
    host.sh("ctr run -d --name u --publish-mode proxy -p 5000:7/udp busybox sleep 6911").ok();
    let netns = host.tool("ctr-inspect", &["u"]).ok().json()["net"]["netns"].as_str().unwrap().to_owned();
    let server = ports::echo(&host, &netns, "a[0]");
    // Each answer comes from the address that was asked, or a connected socket would not take it.
    let ask = |address: &str| {
        format!(
            "python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); \
             s.connect(('{address}', 5000)); s.send(b'x'); print(s.recv(99).decode()); s.send(b'x'); s.recv(99)\""
        )
    };
    for address in ["127.0.0.1", "127.0.0.2", HOST, "10.90.0.1"] {
        host.sh(&ask(address)).ok().stdout_is("10.90.0.1\n");
    }
    outside.sh(&host, &ask(HOST)).ok().stdout_is("10.90.0.1\n");
    host.sh(&format!("nsenter --net={netns} {}", ask(HOST))).ok().stdout_is("10.90.0.1\n");
    host.sh("ctr rm -f u").ok();
    drop(server);
    host.tool("net-attach", &["--gc"]).ok();
    no_proxies(&host);
}

fn a_killed_proxy_is_told_of_and_comes_back() {
    let host = host();
    let id = server(&host, "web", "--publish-mode proxy -p 8080:80");
    host.sh("ctr-inspect web >doc; net-attach --check <doc >/dev/null").ok();
    let pid = proxy(&host, "web").unwrap();
    host.sh(&format!("kill -9 {pid}")).ok();
    processes::gone(pid);
    host.sh("net-attach --check <doc >/dev/null")
        .exits(1)
        .stderr_has("no proxy has port 0.0.0.0:8080/tcp of container web");
    host.sh(&get("127.0.0.1:8080")).exits(1);
    host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
    host.sh(&get("127.0.0.1:8080")).ok();
    // One that runs is let be.
    let pid = proxy(&host, "web").unwrap();
    host.sh("net-attach --repair <doc >/dev/null").ok();
    assert_eq!(proxy(&host, "web"), Some(pid));
    host.tool("net-proxy", &["web"]).fails(1).stderr_has(&format!("container web has its proxy, process {pid}"));
    // In front, in its place.
    host.sh(&format!("kill -9 {pid}")).ok();
    processes::gone(pid);
    let front = host.cmd("net-proxy", &["web"]).spawn();
    host.sh_cmd(&format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8080"))).limit(20).run().succeeds();
    host.sh("net-attach --check <doc >/dev/null").ok();
    assert_eq!(proxy(&host, "web"), Some(front.pid()));
    host.sh("ctr stop -t 0 web").ok();
    processes::gone(front.pid());
    host.sh("ctr rm -f web").ok();
    // What one that was killed with its container left is gc's.
    let file = host.run().join("proxies").join(&id);
    std::fs::write(&file, "").unwrap();
    host.tool("net-attach", &["--gc"]).ok().stdout_has("\"removed\":\"proxy\"");
    assert!(!Path::new(&file).exists());
    no_proxies(&host);
}

/// From the first, and until it is started: nobody would start the proxy then but who looks for it.
fn a_document_set_aside_has_its_proxy() {
    let host = host();
    host.sh("img-pull --pull missing busybox | img-unpack | overlay-mount --name web | \
         net-attach --publish-mode proxy -p 8080:80 -p 8081:81 >doc && net-attach --check <doc >/dev/null")
        .ok();
    let kill = || {
        let pid = proxy(&host, "web").unwrap();
        host.sh(&format!("kill -9 {pid}")).ok();
        processes::gone(pid);
    };
    let reached = format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8080"));
    let reach = || drop(host.sh_cmd(&reached).limit(20).run().succeeds());
    // It waits for the start, and not for a time.
    let pid = proxy(&host, "web").unwrap();
    host.sh_cmd(&format!("until grep -q ' 0xffffffff' /proc/{pid}/syscall; do sleep 0.05; done")).limit(20).run().ok();
    kill();
    let told = host.sh("net-attach --check <doc >/dev/null").exits(1);
    told.stderr_has("no proxy has port 0.0.0.0:8080/tcp of container web")
        .stderr_has("no proxy has port 0.0.0.0:8081/tcp");
    host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
    kill();
    host.sh(ports::SERVER).succeeds();
    reach();
    let pid = proxy(&host, "web").unwrap();
    host.sh("ctr-inspect web | net-attach --check >/dev/null && ctr stop -t 0 web").succeeds();
    processes::gone(pid);
    // A second start by the same document; and one that cannot be, for another has the port.
    let process = host.cmd("busybox", &["httpd", "-f", "-p", "8080"]).spawn();
    host.sh_cmd("until grep -q ':1F90 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done").run().ok();
    host.sh(ports::SERVER).exits(125).stderr_has("8080/tcp: held by process ");
    drop(process);
    host.sh(ports::SERVER).succeeds();
    reach();
    host.sh("ctr rm -f web").ok();
    // One that was made goes by the same way.
    host.sh(
        "ctr create --name web --publish-mode proxy -p 8080:80 busybox httpd -f -p 80 -h /etc && ctr-inspect web >doc",
    )
    .succeeds();
    assert_eq!(proxy(&host, "web"), None);
    host.sh(ports::SERVER).succeeds();
    reach();
    host.sh("ctr rm -f web").ok();
    no_proxies(&host);
}

fn a_proxy_ends_with_its_container() {
    let host = host();
    server(&host, "web", "--publish-mode proxy -p 8080:80");
    let pid = proxy(&host, "web").unwrap();
    host.sh("ctr stop -t 0 web").ok();
    processes::gone(pid);
    // Its port is anybody's then.
    let process = host.cmd("busybox", &["httpd", "-f", "-p", "8080"]).spawn();
    host.sh_cmd("until grep -q ':1F90 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done").run().ok();
    host.sh("ctr start web").exits(1).stderr_has("held by process ").stderr_has("(busybox)");
    drop(process);
    for _ in 0..3 {
        host.sh("ctr start web && ctr-inspect web | net-attach --check >/dev/null").succeeds();
        host.sh_cmd(&format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8080"))).limit(20).run().succeeds();
        // At once after, whether the proxy has noticed yet or not.
        host.sh("ctr stop -t 0 web && ctr run --rm -p 8080:80 busybox true").succeeds();
    }
    host.sh("ctr rm -f web").ok();
    no_proxies(&host);
}

fn a_proxy_does_not_wait_for_who_started_it() {
    let host = host();
    for command in ["sleep 6218", "true"] {
        // All of it one process group, which lives on.
        let line = format!(
            "ctr run -d --name web --publish-mode proxy -p 8080:80 busybox {command} && ctr stop -t 0 web && \
             while ls $CTR_RUN/proxies | grep .; do sleep 0.02; done"
        );
        host.sh_cmd(&line).limit(20).run().succeeds();
        host.sh("ctr rm web").ok();
    }
    no_proxies(&host);
}

fn what_could_not_be_started_holds_no_port() {
    let host = host();
    host.sh("mkdir www && echo host >www/hostname").ok();
    let web = "--name web --publish-mode proxy -p 8080:80 busybox /absent";
    for line in [format!("ctr run -d {web}"), format!("ctr create {web} && ctr start web")] {
        host.sh(&format!("! ({line}) 2>/dev/null")).succeeds();
        let process = host.cmd("busybox", &["httpd", "-f", "-p", "8080", "-h", "www"]).spawn();
        let reached = format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8080"));
        host.sh_cmd(&reached).limit(20).run().ok().stdout_is("host\n");
        host.sh("! ls $CTR_RUN/ports | grep . && ctr rm web").ok();
        drop(process);
    }
    no_proxies(&host);
}

fn proxied_ports_of_a_running_container() {
    let host = host();
    server(&host, "web", "--publish-mode proxy -p 8080:80");
    let long = host.net().enter(|| TcpStream::connect(("127.0.0.1", 8080)).unwrap());
    long.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let before = proxy(&host, "web").unwrap();
    host.sh("ctr port add web 8090:80").ok().stdout_is("80/tcp -> 0.0.0.0:8090\n");
    for port in [8080, 8090] {
        host.sh(&get(&format!("127.0.0.1:{port}"))).ok();
    }
    host.sh("ctr-inspect web | net-attach --check >/dev/null").ok();
    assert_ne!(proxy(&host, "web"), Some(before));
    // What cannot be changes nothing.
    let _process = host.cmd("busybox", &["httpd", "-f", "-p", "9000"]).spawn();
    host.sh_cmd("until grep -q ':2328 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done").run().ok();
    host.tool("ctr-port", &["--add", "8100:80", "--add", "9000:80", "web"]).fails(1).stderr_has("held by process ");
    host.sh("ctr port rm web 8080").ok();
    host.sh(&get("127.0.0.1:8080")).exits(1);
    host.sh(&get("127.0.0.1:8090")).ok();
    host.sh("ctr-inspect web | net-attach --check >/dev/null").ok();
    // A connection from before goes on, by the process that had it.
    (&long).write_all(b"GET /hostname HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    (&long).read_to_string(&mut text).unwrap();
    assert!(text.contains("200 OK"), "{text}");
    drop(long);
    processes::gone(before);
    // Led to the way out that it has by then.
    host.sh("ctr network create red && ctr network connect red web && ctr network disconnect bridge web").ok();
    host.sh(&get("127.0.0.1:8090")).ok();
    host.sh("ctr-inspect web | net-attach --check >/dev/null").ok();
    host.sh("ctr port rm web 8090").ok();
    assert_eq!(proxy(&host, "web"), None);
    host.sh("ctr rm -f web").ok();
    no_proxies(&host);
}

/// As a disconnect leaves it that is killed once the record says so.
fn a_lost_address_has_no_proxy() {
    let host = host();
    host.sh("ctr network create --subnet 10.6.0.0/24 red && ctr network create --subnet 10.7.0.0/24 blue").ok();
    server(&host, "web", "--network blue --network red --publish-mode proxy -p 8080:80");
    host.sh(&get("127.0.0.1:8080")).ok();
    host.sh(
        "f=$(echo $CTR_ROOT/containers/*/document.json) && jq -c '.net |= (.networks |= map(select(.name == \"red\")) | \
         .ips |= map(select(.address | startswith(\"10.6.\"))))' $f >new && cp new $f",
    )
    .ok();
    host.tool("net-attach", &["--gc"]).ok().stdout_has("\"removed\":\"address\",\"address\":\"10.7.0.2\"");
    assert_eq!(proxy(&host, "web"), None);
    let other = server(&host, "other", "--network blue");
    assert_eq!(address(&host, "other"), "10.7.0.2");
    host.sh(&get("127.0.0.1:8080")).exits(1);
    host.sh("ctr-inspect web | net-attach --repair >/dev/null").ok();
    assert!(!host.sh(&get("127.0.0.1:8080")).ok().text().contains(&other[..12]));
    host.sh("ctr rm -f web other && ctr network rm red blue").ok();
    no_proxies(&host);
}

fn a_proxied_port_that_is_taken_names_its_holder() {
    let host = host();
    let id = server(&host, "web", "--publish-mode proxy -p 8080:80");
    for mode in ["dnat", "proxy"] {
        host.sh(&format!("ctr run --rm --publish-mode {mode} -p 8080:80 busybox true"))
            .fails(125)
            .stderr_has(&format!("8080/tcp: held by container web ({})", &id[..12]));
    }
    let _process = host.cmd("busybox", &["httpd", "-f", "-p", "9000"]).spawn();
    host.sh_cmd("until grep -q ':2328 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done").run().ok();
    host.sh("ctr run --rm --publish-mode proxy -p 9000:80 busybox true")
        .fails(125)
        .stderr_has("held by process ")
        .stderr_has("(busybox)");
    host.sh("ctr rm -f web").ok();
    no_proxies(&host);
}

fn words_of_the_publish_mode() {
    let host = host();
    for (words, part) in [
        ("--publish-mode nat -p 8080:80", "no publish mode \"nat\""),
        ("--publish-mode proxy -p 8080:80/sctp", "cannot publish ports of sctp by a proxy"),
        ("--publish-mode proxy --network none", "--publish-mode needs a network"),
    ] {
        host.sh(&format!("ctr run --rm {words} busybox true")).fails(125).stderr_has(part);
    }
    host.sh("CTR_PUBLISH_MODE=x ctr run --rm busybox true").fails(125).stderr_has("CTR_PUBLISH_MODE: no publish mode");
    host.tool("net-proxy", &["absent"]).fails(1).stderr_has("no container absent");
    server(&host, "led", "-p 8080:80");
    host.tool("net-proxy", &["led"]).fails(1).stderr_has("no port of container led is published by a proxy");
    host.tool("net-proxy", &["--sockets", &"a".repeat(64)]).fails(2).stderr_has("hands no sockets over");
    host.sh("ctr rm -f led").ok();
    no_proxies(&host);
}
