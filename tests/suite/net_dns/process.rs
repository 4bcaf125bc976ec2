//! The resolver's process: it is there while containers are, and nobody of them can end it.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-dns",
        ["root", "overlay", "umoci", "nft", "ip"]:
            there_with_the_first_and_gone_with_the_last,
            killed_it_comes_back,
            a_bridge_made_anew_has_a_new_one,
            port_53_is_for_others_too,
            garbage_does_not_end_it,
            one_container_does_not_take_it_all,
            it_has_few_rights,
            whatever_started_it_it_can_be_ended,
            who_started_it_was_killed,
            a_message_has_one_deadline,
            bad_words
    )
}

fn there_with_the_first_and_gone_with_the_last() {
    let host = host(&["red", "blue"]);
    assert!(!host.run().join("dns").exists());
    sleeper(&host, "a", "--network red");
    let pid = resolver(&host, "red").unwrap();
    assert_eq!(resolver(&host, "blue"), None);
    sleeper(&host, "b", "--network red");
    assert_eq!(resolver(&host, "red"), Some(pid));
    host.sh("ctr rm -f a").ok();
    assert_eq!(Inside::of(&host, "b").addresses("b").len(), 1);
    // One that is stopped will be there again.
    host.sh("ctr stop -t 0 b && ctr start b").ok();
    assert_eq!(resolver(&host, "red"), Some(pid));
    host.sh("ctr rm -f b").ok();
    processes::gone(pid);
    host.sh("ls $CTR_RUN/dns").ok().stdout_is("");
    // At once after, and many at once, there is one.
    let run = "for n in 1 2 3 4 5 6; do ctr run --rm --network red --name c$n busybox nslookup c$n >out$n 2>&1 & done; wait; \
               cat out?";
    let text = host.sh(run).ok().text();
    assert_eq!(text.matches("Address: 10.90.").count(), 6, "{text}");
    for _ in 0..5 {
        host.sh("ctr run --rm --network red --name d busybox nslookup d").ok();
    }
}

fn killed_it_comes_back() {
    let host = host(&["red"]);
    sleeper(&host, "a", "--network red");
    let inside = Inside::of(&host, "a");
    let doc = "ctr-inspect a >doc";
    host.sh(&format!("{doc} && net-attach --check <doc >/dev/null && net-dns --check")).ok();
    kill(&host, "red");
    host.tool("net-dns", &["--check"]).fails(1).stderr_has("no resolver of network red");
    host.sh("net-attach --check <doc >/dev/null").exits(1).stderr_has("no resolver of network red");
    assert_eq!(inside.try_ask("a", TYPE::A), None);
    for bring in [
        "net-attach --repair <doc >/dev/null",
        "net-dns --gc >/dev/null",
        "ctr run --rm --network red busybox true",
        "ctr restart -t 0 a",
    ] {
        host.sh(bring).succeeds();
        let again = if bring.contains("restart") {
            Inside::of(&host, "a")
        } else {
            Inside { net: inside.net.clone(), ..inside }
        };
        let asked = again.try_ask("a", TYPE::A);
        assert_eq!(asked.map(|answer| answer.found.len()), Some(1), "{bring}");
        host.tool("net-dns", &["--check"]).ok();
        kill(&host, "red");
    }
    // Killed, and then nobody is left to ask: its file is gc's.
    host.sh("ctr rm -f a").ok();
    host.tool("net-dns", &["--check"]).ok();
    host.tool("net-dns", &["--gc"]).ok().stdout_has("\"removed\":\"file\"");
    host.tool("net-dns", &["--gc"]).ok().stdout_is("");
    host.sh("ls $CTR_RUN/dns").ok().stdout_is("");
}

fn a_bridge_made_anew_has_a_new_one() {
    let host = host(&["red"]);
    sleeper(&host, "a", "--network red");
    let before = resolver(&host, "red").unwrap();
    host.sh("ip link del $(ip -br link show type bridge | cut -d' ' -f1)").ok();
    host.sh("ctr-inspect a >doc && net-attach --check <doc >/dev/null")
        .exits(1)
        .stderr_has("no resolver of network red");
    host.sh("net-attach --repair <doc >/dev/null && net-attach --check <doc >/dev/null").ok();
    assert_ne!(resolver(&host, "red"), Some(before));
    assert_eq!(Inside::of(&host, "a").addresses("a").len(), 1);
    host.sh("ctr rm -f a").ok();
}

fn port_53_is_for_others_too() {
    let host = host(&["red"]);
    // A server of the host's on every address, before and after.
    let own = host.net().enter(|| UdpSocket::bind("0.0.0.0:53").unwrap());
    sleeper(&host, "a", "--network red");
    assert_eq!(Inside::of(&host, "a").addresses("a").len(), 1);
    drop(own);
    sleeper(&host, "dns", "--network red -p 53:53 -p 53:53/udp");
    assert_eq!(Inside::of(&host, "a").addresses("dns").len(), 1);
    assert_eq!(Inside::of(&host, "dns").ask_by_tcp("a", TYPE::A).found.len(), 1);
    host.sh("ctr rm -f a dns").ok();
}

fn garbage_does_not_end_it() {
    let host = host(&["red"]);
    sleeper(&host, "a", "--network red");
    sleeper(&host, "b", "--network red");
    let pid = resolver(&host, "red").unwrap();
    let (a, b) = (Inside::of(&host, "a"), Inside::of(&host, "b"));
    let socket = a.socket();
    // A generator of its own: every run sends the same.
    let mut seed = 7_u64;
    let mut byte = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as u8
    };
    let good = query("b.example", TYPE::A);
    for round in 0..5000 {
        let mut packet = good.clone();
        if round % 3 == 0 {
            packet = (0..byte()).map(|_| byte()).collect();
        } else {
            for _ in 0..=round % 4 {
                let at = usize::from(byte()) % packet.len();
                packet[at] = byte();
            }
        }
        let _ = socket.send(&packet);
    }
    for size in [0, 1, 11, 12, 4096, 4097, 60000] {
        let _ = socket.send(&vec![0xff; size]);
        let _ = socket.send(&vec![0; size]);
    }
    for bytes in [&[0_u8; 0][..], &[0], &[0, 0], &[0xff, 0xff, 1, 2], &[0, 12, 0, 0, 0], &[0, 5, 1, 2, 3, 4, 5]] {
        let mut stream = a.stream();
        let _ = stream.write_all(bytes);
    }
    // The flood fills the socket's queue, and what finds it full is lost: asked again, as every stub resolver does.
    let answer = (0..5).find_map(|_| b.try_ask("a", TYPE::A)).unwrap();
    assert_eq!(answer.found.len(), 1);
    assert_eq!(resolver(&host, "red"), Some(pid));
    host.sh("ctr rm -f a b").ok();
}

fn one_container_does_not_take_it_all() {
    let host = host(&["red"]);
    // A server that never answers.
    host.sh("ip addr add 198.51.100.52/32 dev lo").ok();
    let silent = host.net().enter(|| UdpSocket::bind("198.51.100.52:53").unwrap());
    sleeper(&host, "a", "--network red --dns 198.51.100.52");
    sleeper(&host, "b", "--network red");
    let (a, b) = (Inside::of(&host, "a"), Inside::of(&host, "b"));
    let socket = a.socket();
    for n in 0..150 {
        socket.send(&query(&format!("n{n}.example"), TYPE::A)).unwrap();
    }
    // Connections that say nothing: those beyond its share are closed.
    let streams: Vec<_> = (0..20).map(|_| a.stream()).collect();
    let mut closed = 0;
    for mut stream in &streams {
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        closed += u32::from(stream.read(&mut [0]).is_ok_and(|length| length == 0));
    }
    assert_eq!(closed, 12);
    assert_eq!(b.addresses("a").len(), 1);
    assert_eq!(b.ask_by_tcp("a", TYPE::A).found.len(), 1);
    // Those beyond its share were refused at once, and those within it are refused in the end.
    let mut refused = 0;
    let mut buffer = [0; 512];
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    while refused < 150 && socket.recv(&mut buffer).is_ok() {
        assert_eq!(buffer[3] & 0x0f, 2);
        refused += 1;
    }
    assert_eq!(refused, 150);
    silent.set_nonblocking(true).unwrap();
    let asked = std::iter::from_fn(|| silent.recv(&mut buffer).ok()).count();
    assert_eq!(asked, 100);
    host.sh("ctr rm -f a b").ok();
}

fn it_has_few_rights() {
    let host = host(&["red"]);
    host.sh("exec 7<$CTR_ROOT; ctr run -d --name a --network red busybox sleep 1000").ok();
    let pid = resolver(&host, "red").unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in ["CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Threads:\t1"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let link = |what: &str| std::fs::read_link(format!("/proc/{pid}/{what}")).unwrap().to_string_lossy().into_owned();
    assert_eq!(link("cwd"), "/");
    let session = host.sh(&format!("cut -d' ' -f6 /proc/{pid}/stat")).ok().text();
    assert_eq!(session.trim(), pid.to_string());
    let open: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|e| link(&format!("fd/{}", e.unwrap().file_name().to_string_lossy())))
        .collect();
    let own = |to: &String| to.starts_with("socket:") || to.starts_with("anon_inode:") || to.ends_with("/dns/red");
    assert!(open.iter().all(own), "{open:?}");
    host.sh("ctr rm -f a").ok();
}

fn whatever_started_it_it_can_be_ended() {
    let host = host(&["red"]);
    host.sh("env --block-signal=TERM,USR1 --ignore-signal=TERM,HUP,INT ctr run -d --name a --network red busybox sleep 1000")
        .ok();
    let pid = resolver(&host, "red").unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        // The C library has 32 and 33 for itself, and leaves them as they came.
        u64::from_str_radix(line.trim(), 16).unwrap() & !(3 << 31)
    };
    // Rust itself ignores SIGPIPE.
    assert_eq!((mask("SigBlk:"), mask("SigIgn:")), (0, 1 << 12), "{status}");
    // Nobody but root puts himself in its place while it is dead.
    let sockets = host.sh("ss -lunH").ok().text();
    let port = sockets.split_whitespace().find_map(|word| word.strip_prefix("10.90.0.1%")?.split(':').nth(1)).unwrap();
    assert!(port.parse::<u16>().unwrap() < 1024, "{sockets}");
    // One that does not listen to SIGTERM, of a bridge that is gone.
    host.sh(&format!("kill -STOP {pid}; ip link del $(ip -br link show type bridge | cut -d' ' -f1)")).ok();
    host.sh_cmd("ctr-inspect a >doc && net-attach --repair <doc >/dev/null").limit(20).run().ok();
    processes::gone(pid);
    assert_eq!(Inside::of(&host, "a").addresses("a").len(), 1);
    host.sh("ctr rm -f a").ok();
}

fn who_started_it_was_killed() {
    let host = host(&["red"]);
    sleeper(&host, "a", "--network red");
    let note = host.sh("cat $CTR_RUN/dns/red").ok().json();
    kill(&host, "red");
    // Its lock and its sockets, and no word who it is.
    let path = host.run().join("dns/red");
    let file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.lock().unwrap();
    file.set_len(0).unwrap();
    let bound = || (UdpSocket::bind("10.90.0.1:253").unwrap(), std::net::TcpListener::bind("10.90.0.1:253").unwrap());
    let (udp, tcp) = host.net().enter(bound);
    let mut cmd = host.cmd("net-dns", &[format!("--sockets={}", note["bridge"]), "red".to_owned()]);
    let (udp, tcp) = (std::os::fd::OwnedFd::from(udp), std::os::fd::OwnedFd::from(tcp));
    let mut process = cmd.command().stdin(udp).stdout(tcp).stderr(file).spawn().unwrap();
    drop(cmd);
    host.sh("ctr run --rm --network red busybox true").ok();
    assert_eq!(resolver(&host, "red"), Some(process.id() as i32));
    host.tool("net-dns", &["--check"]).ok();
    host.sh("ctr rm -f a").ok();
    process.wait().unwrap();
}

fn a_message_has_one_deadline() {
    let host = host(&["red"]);
    sleeper(&host, "a", "--network red");
    let mut stream = Inside::of(&host, "a").stream();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // A byte now and then: twice as long as a message may take.
    let closed = (0..20).any(|_| {
        let sent = stream.write_all(&[1]);
        let read = stream.read(&mut [0]);
        sent.is_err() || !read.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock)
    });
    assert!(closed);
    host.sh("ctr rm -f a").ok();
}

fn bad_words() {
    let host = host(&["red"]);
    for (args, status, part) in [
        ("absent", 1, "no network absent"),
        ("bridge", 1, "no network bridge"),
        ("red", 1, "no container is on network red"),
        ("", 2, "NETWORK"),
        ("red --check", 2, "cannot be used with"),
        ("--gc --check", 2, "cannot be used with"),
        ("--sockets=1", 2, "NETWORK"),
        ("--sockets red", 2, "equal sign is needed"),
    ] {
        let args: Vec<&str> = args.split(' ').filter(|word| !word.is_empty()).collect();
        host.tool("net-dns", &args).fails(status).stderr_has(part);
    }
    host.sh("net-dns --sockets=1 red </dev/null").exits(2).stderr_has("descriptor 0 is no socket");
    host.tool("net-dns", &["--check"]).ok();
    host.tool("net-dns", &["--gc"]).ok().stdout_is("");
}
