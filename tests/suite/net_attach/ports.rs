//! Published ports: who reaches them, who holds them, and that they are free afterwards.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip", "strace"]:
            a_published_port_is_reached_from_everywhere,
            a_taken_port_names_its_holder,
            ports_of_a_running_container,
            ports_of_another_instance,
            ports_of_one_that_has_stopped,
            ports_of_one_that_does_not_run,
            a_repair_beside_an_end,
            a_repair_beside_a_start,
            ports_of_a_document_set_aside,
            a_pipe_whose_container_is_removed,
            who_looks_does_not_start,
            a_refused_change_of_the_firewall,
            a_table_of_another_release,
            ports_of_one_address_of_ranges_and_of_the_image;
        ["root", "overlay", "umoci", "nft", "ip", "python3"]:
            udp_is_led_on_too,
            datagrams_reach_the_next_holder_at_once
    )
}

fn a_published_port_is_reached_from_everywhere() {
    let host = host();
    let outside = Outside::of(&host);
    let id = server(&host, "web", "-p 8080:80");
    server(&host, "other", "");
    let name = &id[..12];
    let good = |ran: Ran| drop(ran.ok().stdout_is(&format!("{name}\n")));
    good(host.sh(&get("127.0.0.1:8080")));
    good(host.sh(&get(&format!("{HOST}:8080"))));
    good(host.sh(&get("10.90.0.1:8080")));
    good(outside.sh(&host, &get(&format!("{HOST}:8080"))));
    for at in ["10.90.0.1:8080", &format!("{HOST}:8080")] {
        good(host.sh(&format!("ctr exec other {}", get_inside(at))));
        good(host.sh(&format!("ctr exec web {}", get_inside(at))));
    }
    // Who asked from outside is seen, not the host.
    let log = host.sh("ctr logs web 2>&1").succeeds().text();
    assert!(log.contains(&format!("{OUTSIDE}]:")), "{log}");
    // A port that is not published is not reached from outside, whatever the route.
    outside.sh(&host, &format!("ip route add 10.90.0.0/16 via {HOST}")).ok();
    outside.sh(&host, &get("10.90.0.2:80")).exits(1);
    assert_eq!(
        host.sh("ctr ps --format '{{.Names}} {{.Ports}}' | sort").ok().text(),
        "other \nweb 0.0.0.0:8080->80/tcp\n"
    );
    host.sh("ctr port web").ok().stdout_is("80/tcp -> 0.0.0.0:8080\n");
    host.sh("ctr port web 80").ok().stdout_is("0.0.0.0:8080\n");
    host.sh("ctr port web 81").fails(1).stderr_has("does not publish 81/tcp");
    let ports = host.sh("ctr inspect -f '{{json .NetworkSettings.Ports}}' web").ok().json();
    assert_eq!(ports, json!({"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}));
    host.sh("ctr rm -f web other").ok();
    outside.sh(&host, &get(&format!("{HOST}:8080"))).exits(1);
    nothing_is_left(&host);
}

fn a_taken_port_names_its_holder() {
    let host = host();
    let id = server(&host, "web", "-p 8080:80");
    for word in ["8080:80", "127.0.0.1:8080:81"] {
        host.sh(&format!("ctr run -d --name second -p {word} busybox true"))
            .fails(125)
            .stderr_has(&format!("8080/tcp: held by container web ({})", &id[..12]));
    }
    host.sh("ctr inspect second").exits(1);
    // The other protocol is another port.
    host.sh("ctr run --rm -p 8080:80/udp busybox true").ok();
    let _process = host.cmd("busybox", &["httpd", "-f", "-p", "9000"]).spawn();
    host.sh_cmd("until grep -q ':2328 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done").run().ok();
    host.sh("ctr run --rm -p 9000:80 busybox true").fails(125).stderr_has("held by process ").stderr_has("(busybox)");
    host.sh("ctr run --rm -p 192.0.2.77:9001:80 busybox true").fails(125).stderr_has("the host has no such address");
    // A container that has stopped holds none; when it starts again another may have it.
    host.sh("ctr stop -t 0 web").ok();
    let third = server(&host, "third", "-p 8080:80");
    host.sh(&get("127.0.0.1:8080")).ok().stdout_is(&format!("{}\n", &third[..12]));
    // One line has the reason.
    host.sh("ctr start web").fails(1).stderr_has("held by container third");
    host.sh("ctr rm -f third && ctr start web").ok();
    host.sh_cmd(&format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8080"))).limit(20).run().succeeds();
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

fn ports_of_one_address_of_ranges_and_of_the_image() {
    let host = host();
    let outside = Outside::of(&host);
    server(&host, "local", "-p 127.0.0.1:8080:80 -p 8100-8101:80-81 -p 80");
    host.sh(&get("127.0.0.1:8080")).ok();
    host.sh(&get("127.0.0.1:8100")).ok();
    outside.sh(&host, &get(&format!("{HOST}:8080"))).exits(1);
    outside.sh(&host, &get(&format!("{HOST}:8100"))).ok();
    let ports = host.tool("ctr-inspect", &["local"]).ok().json()["net"]["ports"].take();
    let random = ports[3]["hostPort"].as_u64().unwrap();
    outside.sh(&host, &get(&format!("{HOST}:{random}"))).ok();
    // Of a range for one port the first that is free.
    server(&host, "next", "-p 8100-8103:80");
    host.sh("ctr port next").ok().stdout_is("80/tcp -> 0.0.0.0:8102\n");
    // What the image exposes.
    let doc = json!({"ctr": 1, "image": {"config": {"config": {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}}}});
    let doc = host.pipe_to(&doc, "net-attach", &["-P", "-p", "8200:80", "--expose", "90-91/udp"]).ok().json();
    let ports: Vec<_> =
        doc["net"]["ports"].as_array().unwrap().iter().map(|p| (&p["containerPort"], &p["protocol"])).collect();
    assert_eq!(
        ports,
        [
            (&json!(80), &json!("tcp")),
            (&json!(53), &json!("udp")),
            (&json!(90), &json!("udp")),
            (&json!(91), &json!("udp"))
        ]
    );
    assert_eq!(doc["net"]["exposed"], json!(["90/udp", "91/udp"]));
    // It is no whole image.
    let mut whole = doc.clone();
    whole.as_object_mut().unwrap().remove("image");
    schema::assert_valid(std::slice::from_ref(&whole));
    let undone = host.pipe_to(&doc, "net-attach", &["--undo"]).ok().json();
    assert_eq!(undone.get("net").or(undone.get("id")).or(undone.get("steps")), None);
    host.sh("ctr rm -f local next").ok();
    nothing_is_left(&host);
}

fn udp_is_led_on_too() {
    let host = host();
    let outside = Outside::of(&host);
    host.sh("ctr run -d --name u -p 5000:7/udp busybox sleep 6901").ok();
    let netns = host.tool("ctr-inspect", &["u"]).ok().json()["net"]["netns"].as_str().unwrap().to_owned();
    // It answers with whom it sees.
    let server = echo(&host, &netns, "a[0]");
    let ask = |address: &str| {
        format!(
            "python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); \
             s.connect(('{address}', 5000)); s.send(b'x'); print(s.recv(99).decode())\""
        )
    };
    host.sh(&ask("127.0.0.1")).ok().stdout_is("10.90.0.1\n");
    outside.sh(&host, &ask(HOST)).ok().stdout_is(&format!("{OUTSIDE}\n"));
    host.sh("ctr port u 7/udp").ok().stdout_is("0.0.0.0:5000\n");
    host.sh("ctr rm -f u").ok();
    // Who is in the namespace yet keeps it, but no longer its way to the bridge once gc has seen it.
    host.tool("net-attach", &["--gc"]).ok().stdout_has("\"removed\":\"link\",\"name\":\"v");
    nothing_is_left(&host);
    drop(server);
}

fn ports_of_a_running_container() {
    let host = host();
    let outside = Outside::of(&host);
    let id = server(&host, "web", "");
    server(&host, "other", "-p 8081:80");
    let reached = |port: u16| outside.sh(&host, &get(&format!("{HOST}:{port}"))).status == 0;
    assert!(!reached(8080));
    host.sh("ctr port add web 8080:80").ok().stdout_is("80/tcp -> 0.0.0.0:8080\n");
    host.sh("ctr port add web 127.0.0.1:8090-8091:80-81").ok();
    assert!(reached(8080) && !reached(8090));
    // As if it had been there from the first: by loopback, and by the container itself.
    for line in
        [get("127.0.0.1:8080"), get("127.0.0.1:8090"), format!("ctr exec web {}", get_inside(&format!("{HOST}:8080")))]
    {
        host.sh(&line).ok().stdout_is(&format!("{}\n", &id[..12]));
    }
    let listed = "80/tcp -> 0.0.0.0:8080\n80/tcp -> 127.0.0.1:8090\n81/tcp -> 127.0.0.1:8091\n";
    host.sh("ctr port web").ok().stdout_is(listed);
    host.sh("ctr-inspect web >doc; net-attach --check <doc >/dev/null").ok();
    schema::assert_valid(&[host.sh("cat doc").ok().json()]);
    // What cannot be changes nothing, not even the port before it.
    let _process = host.cmd("busybox", &["httpd", "-f", "-p", "9000"]).spawn();
    host.sh_cmd("until grep -q ':2328 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done").run().ok();
    host.sh("ctr run -d --name none --network none busybox sleep 6909 && ctr create --name not busybox true")
        .succeeds();
    let before = kernel(&host);
    for (words, code, part) in [
        ("--add 8100:80 --add 8081:80 web", "exists", "0.0.0.0:8081/tcp: held by container other ("),
        ("--add 8100:80 --add 9000:80 web", "exists", "held by process "),
        ("--add 8100:80 --add 8080:81 web", "exists", "held by this container"),
        ("--add 8100:80 --add 8080:80 web", "exists", "the container does so already"),
        ("--add 8100:80 --add 8100:81 web", "exists", "held by this container"),
        ("--add 70000:80 web", "invalid", "\"70000\" is no port"),
        ("--add 8100-8102:80-81 web", "invalid", "not of one length"),
        ("--add 192.0.2.77:8100:80 web", "invalid", "the host has no such address"),
        ("--rm 8100 web", "not-found", "container web does not publish port 8100 of the host"),
        ("--rm 8080/udp web", "not-found", "does not publish port 8080/udp"),
        ("--rm 8080 --rm 0 web", "invalid", "\"0\" is no port"),
        ("--add 8100:80 absent", "not-found", "no container absent"),
        ("--add 8100:80 none", "invalid", "container none: it is on no network"),
        ("--add 8100:80 not", "not-found", "container not: it is not running"),
    ] {
        let ran = host.tool("ctr-port", &words.split(' ').collect::<Vec<_>>());
        ran.fails(1).stderr_has(part);
        assert!(!code.is_empty());
        assert_eq!(kernel(&host), before, "{words}");
        host.sh("ctr port web").ok().stdout_is(listed);
        host.sh("ls $CTR_RUN/ports | wc -l").ok().stdout_is("4\n");
    }
    // One that is killed leaves what a repair takes away, or finishes.
    for (verb, call) in [("--add 8100:80", "rename"), ("--rm 8090", "symlink"), ("--rm 8090", "execve")] {
        for n in 1..4 {
            host.sh(&format!(
                "strace -f -o trace -e trace={call} -e inject={call}:signal=KILL:when={n} ctr-port {verb} web"
            ));
            host.sh("ctr-inspect web | net-attach --repair | net-attach --check >/dev/null").ok();
            let recorded = host.sh("ctr-inspect web | jq '.net.ports | length'").ok().text();
            assert_eq!(
                host.sh("ls $CTR_RUN/ports | wc -l").ok().text().trim(),
                (recorded.trim().parse::<u8>().unwrap() + 1).to_string()
            );
            assert_eq!(reached(8100), host.sh("ctr port web").ok().text().contains(":8100"));
        }
    }
    host.sh("ctr port rm web 8080 127.0.0.1:8085-8095/tcp").ok();
    assert!(!reached(8080) && reached(8081));
    for (words, part) in [("add web", "port add needs a container and ports"), ("rm web", "port rm needs")] {
        host.sh(&format!("ctr port {words}")).exits(2).stderr_has(part);
    }
    host.sh("ctr port rm web 8091-8090").fails(1).stderr_has("is no port");
    // docker's 0 is any.
    host.sh("ctr port add web 0:80 | grep -q '80/tcp -> 0.0.0.0:[1-9]'").ok();
    host.sh("! nft list ruleset | grep 8091").ok();
    // Over a restart the record counts.
    host.sh("ctr port add web 8080:80 && ctr stop -t 0 web && ctr start web").succeeds();
    host.sh_cmd(&format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8080"))).limit(20).run().succeeds();
    host.sh("ctr rm -f web other none not").ok();
    nothing_is_left(&host);
}

fn ports_of_one_that_has_stopped() {
    let host = host();
    let outside = Outside::of(&host);
    let rules = |host: &Host| host.sh("nft list ruleset | grep -c 'tcp . 80[0-9]* :' || true").ok().text();
    server(&host, "web", "-p 8080:80");
    let front = host.sh_cmd("ctr run --name front -p 8081:80 busybox sleep 6913").spawn();
    host.process("sleep 6913");
    server(&host, "often", "--restart always -p 8082:80");
    assert_eq!(rules(&host), "3\n");
    host.sh("ctr stop -t 0 web && ctr kill front").ok();
    front.wait().exits(137);
    assert_eq!(rules(&host), "1\n");
    host.sh("ls $CTR_RUN/ports").ok().stdout_is("tcp-0.0.0.0-8082\n");
    host.sh(
        "ctr-inspect web front | while read -r doc; do echo \"$doc\" | net-attach --check >/dev/null || exit; done",
    )
    .ok();
    // The host's own are reached there now.
    host.sh("mkdir www; echo host >www/hostname").ok();
    let own = host.cmd("busybox", &["httpd", "-f", "-p", "8080", "-h", "www"]).spawn();
    outside.cmd(&host, &format!("until ({}); do sleep 0.05; done", get(&format!("{HOST}:8080")))).limit(20).run().ok();
    host.sh("ctr start web").exits(1).stderr_has("0.0.0.0:8080/tcp: held by process ");
    drop(own);
    // Who is started again, by a policy or by hand, has them again.
    let started = |name: &str| host.sh(&format!("ctr inspect -f '{{{{.State.StartedAt}}}}' {name}")).ok().text();
    let before = started("often");
    host.sh("kill -9 $(ctr inspect -f '{{.State.Pid}}' often)").ok();
    host.sh_cmd(&format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8082"))).limit(20).run().succeeds();
    assert_ne!(started("often"), before);
    host.sh_cmd("until ctr start web; do sleep 0.05; done 2>/dev/null").limit(20).run().ok();
    assert_eq!(rules(&host), "2\n");
    host.sh("ctr rm -f web front often").ok();
    nothing_is_left(&host);
}

/// The rules and claims of ports that there are; "0 0\n" where there is none.
fn held(host: &Host) -> String {
    host.sh("echo $(nft list ruleset | grep -c 'tcp . 80[0-9]* :') $(ls $CTR_RUN/ports | wc -l)").ok().text()
}

fn ports_of_one_that_does_not_run() {
    let host = host();
    // Who made them lives as long as the line.
    let other = |line: &str, mode: &str| {
        host.sh(&format!(
            "{line} && ctr run -d --name other --publish-mode {mode} -p 8080:80 busybox sleep 6916 && ctr rm -f other"
        ))
        .succeeds();
    };
    for mode in ["dnat", "proxy"] {
        let web = format!("--name web --publish-mode {mode} -p 8080:80 busybox");
        other(&format!("ctr create {web} sleep 6917"), mode);
        host.tool("net-attach", &["--gc"]).ok();
        assert_eq!(held(&host), "0 0\n", "{mode}");
        host.sh("ctr start web && ctr-inspect web >doc && net-attach --check <doc >/dev/null").succeeds();
        // The document is of when it ran.
        other("ctr stop -t 0 web && net-attach --repair <doc >/dev/null", mode);
        host.sh("ctr-inspect web | net-attach --repair >/dev/null").ok();
        host.tool("net-attach", &["--gc"]).ok();
        assert_eq!(held(&host), "0 0\n", "{mode}");
        host.sh("ctr start web && net-attach --check <doc >/dev/null && ctr rm -f web").succeeds();
        // Whose supervisor was killed: nobody took them away.
        let killed = format!(
            "ctr run -d {web} sleep 6917 && s=$(jq .supervisor.pid $CTR_RUN/containers/*/state.json) && kill -9 $s && \
             while ctr ps -q | grep -q . || kill -0 $s 2>/dev/null; do sleep 0.02; done"
        );
        other(&killed, mode);
        host.sh("ctr start web").ok();
        host.sh(&killed.replace(&format!("ctr run -d {web} sleep 6917 && "), "")).succeeds();
        host.tool("net-attach", &["--gc"]).ok().stdout_has("\"removed\":\"port\"");
        assert_eq!(held(&host), "0 0\n", "{mode}");
        host.sh("ctr rm -f web").ok();
        // One that cannot be started.
        other(&format!("ctr create {web} /absent && ! ctr start web 2>/dev/null"), mode);
        host.tool("net-attach", &["--gc"]).ok();
        host.sh("ctr rm -f web").ok();
    }
    host.sh("ctr create --name web -p 8080:80 busybox /absent && ! ctr start web 2>/dev/null").ok();
    assert_eq!(held(&host), "0 0\n");
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

/// The container ends between the look of a repair and its claims.
fn a_repair_beside_an_end() {
    let host = host();
    server(&host, "web", "-p 8080:80");
    host.sh("ctr-inspect web >doc && rm $CTR_RUN/ports/*").ok();
    let repair = host
        .sh_cmd("strace -f -o trace -e trace=symlink -e inject=symlink:delay_enter=3000000 net-attach --repair <doc")
        .limit(60)
        .spawn();
    host.sh_cmd("until grep -qs tcp-0.0.0.0-8080 trace; do sleep 0.02; done").limit(20).run().ok();
    host.sh("ctr kill web && ctr wait web").succeeds();
    repair.wait().ok();
    assert_eq!(held(&host), "0 0\n");
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

/// Starts the container of the document.
pub const SERVER: &str = "ns-spawn -dq -f doc -- httpd -f -p 80 -h /etc";

/// The words of the document are of before: that it has stopped.
fn a_repair_beside_a_start() {
    let host = host();
    let reached = format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8080"));
    for mode in ["dnat", "proxy"] {
        server(&host, "web", &format!("--publish-mode {mode} -p 8080:80"));
        host.sh("ctr stop -t 0 web && ctr-inspect web >doc && rm -f trace").succeeds();
        // Its ports are claimed, its process is not there yet.
        let start = host
            .sh_cmd("exec strace -f -o trace -e trace=chdir -e inject=chdir:delay_enter=2000000 ctr-start web")
            .limit(60)
            .spawn();
        host.sh_cmd("until grep -qs 'chdir(\"/\"' trace; do sleep 0.02; done").limit(20).run().ok();
        host.sh("net-attach --repair <doc >/dev/null").ok();
        host.sh_cmd(&reached).limit(20).run().succeeds();
        host.sh("ctr-inspect web | net-attach --check >/dev/null && ctr rm -f web").succeeds();
        // With all that it has started.
        start.wait().ok();
        // By a pipe.
        host.sh(&format!(
            "img-pull --pull missing busybox | img-unpack | overlay-mount --name web | \
             net-attach --publish-mode {mode} -p 8080:80 >doc && ctr-inspect web | net-attach --repair >/dev/null && \
             net-attach --check <doc >/dev/null && {SERVER}"
        ))
        .succeeds();
        host.sh_cmd(&reached).limit(20).run().succeeds();
        host.sh("ctr rm -f web").ok();
    }
    nothing_is_left(&host);
}

/// Nobody claims them at its start: they are there from the first.
fn ports_of_a_document_set_aside() {
    let host = host();
    host.sh("img-pull --pull missing busybox | img-unpack | overlay-mount --name web | net-attach -p 8080:80 >doc")
        .ok();
    host.tool("net-attach", &["--gc"]).ok().stdout_is("");
    assert_eq!(held(&host), "1 1\n");
    host.sh("net-attach --repair -f doc >/dev/null").ok();
    assert_eq!(held(&host), "1 1\n");
    // As after a reboot.
    host.sh("rm $CTR_RUN/ports/* && nft flush ruleset").ok();
    host.sh("net-attach --check -f doc >/dev/null")
        .exits(1)
        .stderr_has("port 0.0.0.0:8080/tcp is no longer the container's");
    host.sh("net-attach --repair -f doc >/dev/null && net-attach --check -f doc >/dev/null").ok();
    assert_eq!(held(&host), "1 1\n");
    let reached = format!("until ({}); do sleep 0.05; done", get("127.0.0.1:8080"));
    host.sh(SERVER).succeeds();
    host.sh_cmd(&reached).limit(20).run().succeeds();
    // A second start by it claims again what the end gave back.
    host.sh("ctr stop -t 0 web").ok();
    assert_eq!(held(&host), "0 0\n");
    host.sh(SERVER).succeeds();
    host.sh_cmd(&reached).limit(20).run().succeeds();
    host.sh("ctr stop -t 0 web").ok();
    let in_front = "ns-spawn -f doc -- sh -c 'hostname >h; httpd -p 80; until test -e end; do sleep 0.05; done'";
    let running = host.sh_cmd(in_front).spawn();
    let there = "until ctr exec web test -e h; do sleep 0.05; done";
    host.sh_cmd(&format!("({there}) 2>/dev/null")).limit(20).run().succeeds();
    assert_eq!(held(&host), "1 1\n");
    host.sh("ctr exec web touch end").ok();
    running.wait().ok();
    assert_eq!(held(&host), "0 0\n");
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

/// Whoever removes it takes back what is in its record, and from then on nothing comes to that.
fn a_pipe_whose_container_is_removed() {
    let host = host();
    let begin =
        "rm -f trace && img-pull --pull missing busybox | img-unpack | overlay-mount --provisional --name y >doc";
    let slow = |call: &str, line: &str| {
        let strace = format!("strace -f -o trace -e trace={call} -e inject={call}:delay_enter=2000000");
        let slow = host.sh_cmd(&format!("exec {strace} {line}")).limit(60).spawn();
        host.sh_cmd(&format!("until grep -qs {call} trace; do sleep 0.02; done")).limit(20).run().ok();
        slow
    };
    let rest = "cg-limit | ns-spawn -dq --rm=failed -- sleep 6217";
    // A stage begins as the removal goes on.
    host.sh(begin).ok();
    let remove = slow("umount2", "ctr-rm -f y");
    host.sh("net-attach -p 8080:80 -f doc >attached");
    remove.wait().ok().stdout_is("y\n");
    host.sh(&format!("{rest} <attached")).exits(125).stdout_is("");
    nothing_is_left(&host);
    // A removal begins as the stage goes on.
    host.sh(begin).ok();
    let attach = slow("symlink", "net-attach -p 8080:80 -f doc");
    host.sh("ctr rm -f y").ok().stdout_is("y\n");
    std::fs::write(host.dir().join("attached"), attach.wait().ok().stdout).unwrap();
    host.sh(&format!("{rest} <attached")).exits(125).stderr_has("no container");
    nothing_is_left(&host);
}

fn who_looks_does_not_start() {
    let host = host();
    server(&host, "web", "-p 8080:80");
    host.sh("ctr-inspect web >doc && kill -9 $(jq .state.supervisor.pid doc)").ok();
    host.sh_cmd("while ctr ps -q | grep -q .; do sleep 0.02; done").limit(20).run().ok();
    host.sh("umount $CTR_RUN/containers/*/rootfs && rm -r $CTR_RUN/containers/*").ok();
    let looked = |line: &str| {
        host.sh(line).succeeds();
        host.sh("ls $CTR_RUN/containers").ok().stdout_is("");
    };
    looked("net-attach --dry-run --gc 2>&1 | grep -q '\"op\":\"release\",\"port\"'");
    looked("net-attach --gc | grep -q '\"removed\":\"port\"'");
    // Whoever has it so only looks: the document is of when it ran, and nobody starts it.
    host.sh("mkdir $CTR_RUN/containers/$(jq -r .id doc)").ok();
    let lock =
        format!("{}/containers/{}/update.lock", host.run().display(), host.sh("jq -r .id doc").ok().text().trim());
    let look =
        host.sh_cmd(&format!("flock -s {lock} sh -c 'touch looks; until test -e seen; do sleep 0.02; done'")).spawn();
    host.sh_cmd("until test -e looks; do sleep 0.02; done").limit(20).run().ok();
    let repair = host.sh_cmd("exec strace -f -o trace -e trace=flock net-attach --repair <doc").spawn();
    host.sh_cmd("until test $(grep -c 'flock(.*EAGAIN' trace) -gt 2; do sleep 0.02; done 2>/dev/null")
        .limit(20)
        .run()
        .ok();
    host.sh("touch seen").ok();
    repair.wait().ok();
    look.wait().ok();
    assert_eq!(held(&host), "0 0\n");
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

/// Our table, with one line of it made another.
fn remake_table(host: &Host, sed: &str) {
    host.sh(&format!(
        "t=$(nft list tables inet | cut -d' ' -f3 | grep ^ctr) && nft list table inet $t >table && \
         sed -i '{sed}' table && nft delete table inet $t && nft -f table"
    ))
    .ok();
}

/// Its late answers are not those of the change that takes it back.
fn a_refused_change_of_the_firewall() {
    let host = host();
    server(&host, "web", "");
    remake_table(&host, "/map ports_any {/a size 1");
    host.sh("ctr port add web 8080:80 8081:81 8082:82").fails(1).stderr_has("cannot change the firewall");
    assert_eq!(held(&host), "0 0\n");
    host.sh("ctr port add web 8080:80").ok();
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

/// It has not all maps, and there is a claim that does not read.
fn a_table_of_another_release() {
    let host = host();
    let outside = Outside::of(&host);
    server(&host, "web", "-p 8081:80");
    remake_table(&host, "/map ports_any {/,/^\\t}/d; /@ports_any$/d; /map ports6 {/,/^\\t}/d; /@ports6$/d");
    outside.sh(&host, &get(&format!("{HOST}:8081"))).exits(1);
    host.sh("ln -s nonsense $CTR_RUN/ports/tcp-0.0.0.0-8080").ok();
    host.sh("ctr port add web 8080:80")
        .succeeds()
        .stderr_has("ctr-port: the claim of port 0.0.0.0:8080/tcp does not read, and is taken away: \"nonsense\"");
    for port in [8080, 8081] {
        outside.sh(&host, &get(&format!("{HOST}:{port}"))).ok();
    }
    host.sh("ctr-inspect web | net-attach --check >/dev/null").ok();
    // What it has not is not in the way of what is taken away.
    host.sh("ctr port add web 127.0.0.1:8082:80").ok();
    remake_table(&host, "/map ports {/,/^\\t}/d; /@ports$/d");
    host.sh("ctr stop -t 0 web").ok();
    assert_eq!(held(&host), "0 0\n");
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

fn ports_of_another_instance() {
    let host = host();
    server(&host, "web", "-p 8080:80 -p 127.0.0.1:8081:80");
    let other = "CTR_ROOT=$CTR_ROOT/../other CTR_RUN=$CTR_RUN/../other";
    let run = |ports: &str| {
        host.sh(&format!("export {other} && echo '{{\"ctr\":1}}' | net-attach {ports} >given; s=$?; net-attach --undo <given >/dev/null; exit $s"))
    };
    for ports in ["-p 8080:80", "-p 127.0.0.1:8080:80", "-p 8081:80", "-p 127.0.0.1:8081:81"] {
        run(ports).exits(1).stderr_has("/tcp: held by another instance, of table ctr").stderr_has(", for 10.90.0.2:80");
    }
    run("-p 8080:80/udp -p 127.0.0.2:8081:80 -p 8082:80").ok();
    host.sh(&format!("export {other} && net-attach --gc >/dev/null && rm -rf $CTR_ROOT $CTR_RUN")).ok();
    host.sh(&get("127.0.0.1:8080")).ok();
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

/// A server on UDP port 7 in the network namespace, which answers by what the Python expression says; `a` is who asked.
pub fn echo(host: &Host, netns: &str, answer: &str) -> command::Running {
    let server = format!(
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 7)); \
         [s.sendto({answer}.encode(), a) for a in iter(lambda: s.recvfrom(9)[1], None)]"
    );
    let running = host.cmd("nsenter", &[&format!("--net={netns}"), "python3", "-c", &server]).spawn();
    host.sh_cmd(&format!("until nsenter --net={netns} grep -q ':0007 ' /proc/net/udp; do sleep 0.02; done")).run().ok();
    running
}

/// A client that keeps its port, so that all it sends is one flow to the kernel; prints whom it reached, or nothing.
fn ask_from_one_port() -> String {
    format!(
        "python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.bind(('', 4000)); \
         s.connect(('{HOST}', 5000)); s.send(b'x'); print(s.recv(99).decode())\" 2>&1 | tail -n 1"
    )
}

fn datagrams_reach_the_next_holder_at_once() {
    let host = host();
    let outside = Outside::of(&host);
    let netns = |name: &str| {
        let doc = host.tool("ctr-inspect", &[name]).ok().json();
        doc["net"]["netns"].as_str().unwrap().to_owned()
    };
    // Before anybody has the port: the kernel remembers that too.
    outside.sh(&host, &ask_from_one_port()).ok().stdout_has("refused");
    for name in ["first", "second"] {
        host.sh(&format!("ctr run -d --name {name} -p 5000:7/udp busybox sleep 6907")).ok();
        let server = echo(&host, &netns(name), &format!("'{name}'"));
        for _ in 0..3 {
            outside.sh(&host, &ask_from_one_port()).ok().stdout_is(&format!("{name}\n"));
        }
        if name == "first" {
            // Its address stays taken, so that only the flow could lead there.
            drop(server);
            host.sh("ctr stop -t 0 first").ok();
            continue;
        }
        host.sh("ctr rm -f first second").ok();
        drop(server);
        host.tool("net-attach", &["--gc"]).ok();
    }
    // Who gets the address of the last one gets none of what was meant for it.
    host.sh("ctr run -d --name between busybox sleep 6908 && ctr run -d --name third busybox sleep 6908").succeeds();
    assert_eq!(address(&host, "third"), "10.90.0.3");
    let server = echo(&host, &netns("third"), "'third'");
    outside.sh(&host, &ask_from_one_port()).ok().stdout_has("refused");
    host.sh("ctr rm -f between third").ok();
    drop(server);
    host.tool("net-attach", &["--gc"]).ok();
    nothing_is_left(&host);
}
