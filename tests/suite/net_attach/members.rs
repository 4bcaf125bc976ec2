//! `ctr network connect` and `disconnect`: a container comes on networks and goes off them, running or not, and whoever is
//! killed on the way leaves what gc and repair make true.

use super::*;

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip"]:
            on_and_off_while_it_runs,
            on_and_off_while_it_does_not,
            changes_that_are_refused,
            ports_that_cannot_move_are_closed,
            files_that_a_container_keeps_stop_nothing;
        ["root", "overlay", "umoci", "nft", "ip", "strace"]:
            a_change_killed_at_every_step,
            addresses_of_the_gone_hold_no_network
    )
}

fn inside(host: &Host, name: &str, command: &str) -> String {
    let netns = host.tool("ctr-inspect", &[name]).ok().json()["net"]["netns"].as_str().unwrap().to_owned();
    host.sh(&format!("nsenter --net={netns} {command}")).ok().text()
}

#[track_caller]
fn is_whole(host: &Host, name: &str) {
    host.sh(&format!("ctr-inspect {name} | net-attach --check >/dev/null")).ok();
    schema::assert_valid(&[host.tool("ctr-inspect", &[name]).ok().json()]);
}

fn networks(host: &Host) {
    host.sh("ctr network create --subnet 10.6.0.0/24 red && ctr network create --subnet 10.7.0.0/24 blue").ok();
}

fn on_and_off_while_it_runs() {
    let host = host();
    let outside = Outside::of(&host);
    networks(&host);
    let id = server(&host, "a", "--network red -p 8080:80 -p 127.0.0.1:8081:80");
    server(&host, "b", "--network blue");
    let port = |host: &Host| {
        outside.sh(host, &get(&format!("{HOST}:8080"))).ok();
        host.sh(&get("127.0.0.1:8081")).ok();
        host.sh(&format!("ctr exec a {}", get_inside(&format!("{HOST}:8080")))).ok();
    };
    host.sh("ctr network connect --alias db --ip 10.7.0.9 blue a").ok();
    is_whole(&host, "a");
    host.sh(&format!("ctr exec b {}", get_inside("10.7.0.9"))).ok();
    host.sh(&format!("ctr exec a {}", get_inside(&address(&host, "b")))).ok();
    // Of equals blue is the first: the way out is moved, and the ports with it.
    assert!(inside(&host, "a", "ip route").starts_with("default via 10.7.0.1 dev eth1"));
    port(&host);
    assert!(host.sh("nft list ruleset").ok().text().contains("tcp . 8080 : 10.7.0.9 . 80"));
    host.sh("ctr exec a cat /etc/hosts").ok().stdout_has(&format!("10.7.0.9\t{}\n", &id[..12]));
    let shown = host.sh("ctr inspect -f '{{json .NetworkSettings.Networks}}' a").ok().json();
    assert_eq!((&shown["blue"]["Aliases"], &shown["blue"]["IPAddress"]), (&json!(["db"]), &json!("10.7.0.9")));
    let event = host.sh("ctr-events --since 1h --until 0s -f type=network -f event=connect").ok().json();
    assert_eq!((&event["name"], &event["attributes"]["container"]), (&json!("blue"), &json!(id)));

    host.sh("ctr network disconnect red a").ok();
    is_whole(&host, "a");
    assert!(!inside(&host, "a", "ip -o link").contains("eth0"));
    port(&host);
    host.sh("ctr exec a grep -q 10.6.0.2 /etc/hosts").exits(1);
    host.sh("ctr network inspect -f '{{len .Containers}}' red").ok().stdout_is("0\n");
    host.sh("ctr network disconnect blue a").ok();
    is_whole(&host, "a");
    assert!(!inside(&host, "a", "ip -o link").contains("eth"));
    assert_eq!(inside(&host, "a", "ip route"), "");
    outside.sh(&host, &get(&format!("{HOST}:8080"))).exits(1);
    host.sh("ctr inspect -f '{{json .NetworkSettings.Networks}}' a").ok().stdout_is("{}\n");
    // What leads nowhere is not shown, and kept for when it is back.
    host.sh("ctr port a && ctr ps -f name=^a$ --format '{{.Ports}}'").ok().stdout_is("\n");
    host.sh("ctr inspect -f '{{json .NetworkSettings.Ports}}' a").ok().stdout_is("{}\n");
    host.sh("ctr inspect -f '{{json .HostConfig.PortBindings}}' a").ok().stdout_has("\"8080\"");
    host.sh("ctr port add a 9090:80").fails(1).stderr_has("it is on no network");
    host.sh("ctr network connect red a").ok();
    is_whole(&host, "a");
    assert!(inside(&host, "a", "ip route").starts_with("default via 10.6.0.1 dev eth0"));
    port(&host);
    // A priority says otherwise.
    host.sh("ctr network connect --gw-priority=-1 blue a").ok();
    assert!(inside(&host, "a", "ip route").starts_with("default via 10.6.0.1 dev eth0"));
    port(&host);
    host.sh("ctr restart -t 0 a").ok();
    is_whole(&host, "a");
    host.sh("ctr rm -f a b && ctr network rm red blue").ok();
    nothing_is_left(&host);
    host.tool("net-attach", &["--gc"]).ok();
    assert_eq!(kernel(&host), "");
}

fn on_and_off_while_it_does_not() {
    let host = host();
    networks(&host);
    host.sh("ctr create --name a --network red busybox sleep 6902").ok();
    host.sh("ctr network connect blue a && ctr network disconnect red a").ok();
    is_whole(&host, "a");
    host.sh("ctr start a").ok();
    is_whole(&host, "a");
    assert!(inside(&host, "a", "ip route").starts_with("default via 10.7.0.1 dev eth1"));
    host.sh("ctr stop -t 0 a && ctr network connect red a && ctr network disconnect blue a && ctr start a").ok();
    is_whole(&host, "a");
    assert!(inside(&host, "a", "ip route").starts_with("default via 10.6.0.1 dev eth0"));
    host.sh("ctr rm -f a").ok();
    nothing_is_left(&host);
    // In front, where the pipe's own document is older than the change.
    let front = host.sh_cmd("ctr run --rm --name f --network red busybox sleep 6903").spawn();
    host.sh_cmd("until ctr exec f true 2>/dev/null; do sleep 0.05; done").limit(20).run().ok();
    host.sh("ctr network connect blue f").ok();
    is_whole(&host, "f");
    host.sh("ctr kill f").ok();
    front.wait().exits(137);
    nothing_is_left(&host);
}

fn changes_that_are_refused() {
    let host = host();
    networks(&host);
    host.sh("ctr run -d --name a --network red busybox sleep 6904; ctr run -d --name b --network blue --ip 10.7.0.9 \
             busybox sleep 6905; ctr run -d --name n --network none busybox sleep 6906; ctr run -d --name h --network host \
             busybox sleep 6907")
        .ok();
    let before = (kernel(&host), host.tool("ctr-inspect", &["a"]).ok().text());
    for (words, part) in [
        ("connect absent a", "no network absent"),
        ("connect blue absent", "no container absent"),
        ("connect red a", "is on network red already"),
        ("connect --ip 10.7.0.9 blue a", "container b ("),
        ("connect --ip 10.8.0.9 blue a", "no host of 10.7.0.0/24"),
        ("connect --ip x blue a", "invalid address"),
        ("connect --alias=-x blue a", "invalid alias"),
        ("connect --ip6 fd00::9 blue a", "no subnet of IPv6"),
        ("connect none a", "that is no network"),
        ("connect blue n", "has no network of its own"),
        ("connect blue h", "has no network of its own"),
        ("disconnect blue a", "is not on network blue"),
        ("disconnect absent a", "no network absent"),
        ("disconnect -f absent a", "is not on network absent"),
        ("disconnect blue n", "has no network of its own"),
    ] {
        let ran = host.sh(&format!("ctr-network {words}")).fails(1).stderr_has(part);
        assert_eq!(ran.stderr_text().lines().count(), 1, "{words}");
    }
    assert_eq!((kernel(&host), host.tool("ctr-inspect", &["a"]).ok().text()), before);
    // A definition that somebody removed by hand does not keep it.
    host.sh("ctr network connect blue a && rm $CTR_ROOT/networks/blue.json").ok();
    host.sh("ctr network disconnect blue a").fails(1).stderr_has("no network blue");
    host.sh("ctr network disconnect -f blue a").ok();
    is_whole(&host, "a");
    host.sh("ctr rm -f a b n h").ok();
    nothing_is_left(&host);
}

fn a_change_killed_at_every_step() {
    let host = host();
    networks(&host);
    host.sh("ctr run -d --name a --network red -p 8080:80 busybox sleep 6908").ok();
    host.sh("net-attach --gc").ok();
    let held = "find $CTR_ROOT/addresses $CTR_RUN/ports -type l -printf '%f %l\\n' | sort";
    let before = (kernel(&host), host.sh(held).ok().text());
    let mut died = 0;
    for verb in ["connect", "disconnect"] {
        for call in ["symlink", "rename", "unlink", "sendto", "setns"] {
            for n in 1..60 {
                if verb == "disconnect" {
                    host.sh("ctr-network connect blue a").ok();
                }
                let strace =
                    format!("strace -f -b execve -o trace -e trace={call} -e inject={call}:signal=KILL:when={n}");
                let status = host.sh(&format!("{strace} ctr-network {verb} blue a 2>&1")).status;
                died += u32::from(status != 0);
                crash::rules_are_claimed(&host);
                host.sh("net-attach --gc && ctr-inspect a | net-attach --repair >/dev/null").ok();
                is_whole(&host, "a");
                host.sh("net-attach --gc").ok().stdout_is("");
                host.sh("ctr-network disconnect blue a 2>/dev/null; net-attach --gc").ok();
                is_whole(&host, "a");
                assert_eq!((kernel(&host), host.sh(held).ok().text()), before, "killed at {verb} {call} {n}");
                if status == 0 {
                    break;
                }
            }
        }
    }
    assert!(died > 15, "{died}");
    host.sh("ctr rm -f a").ok();
    nothing_is_left(&host);
}

/// What one that was killed left no record names, and then nobody's is.
fn addresses_of_the_gone_hold_no_network() {
    let host = host();
    for line in ["ctr network rm n", "ctr network prune -f"] {
        host.sh("ctr network create n && ctr run -d --name c --network n busybox sleep 6915").succeeds();
        let kill = "strace -f -b execve -o trace -e trace=unlink -e inject=unlink:signal=KILL:when=1";
        host.sh(&format!("{kill} ctr-network disconnect n c 2>/dev/null || ctr rm -f c")).ok().stdout_has("c\n");
        host.sh("ls $CTR_ROOT/addresses/n | wc -l").ok().stdout_is("1\n");
        host.sh(line).ok().stdout_has("n");
        host.sh("ls $CTR_ROOT/addresses; ctr network ls -q").ok().stdout_is("");
    }
    nothing_is_left(&host);
}

/// The address that they led to is another's in a moment.
fn ports_that_cannot_move_are_closed() {
    let host = host();
    let outside = Outside::of(&host);
    networks(&host);
    server(&host, "a", "--network blue --network red -p 8080:80");
    let led = |host: &Host| host.sh("nft list ruleset").ok().text().matches("tcp . 8080 :").count();
    outside.sh(&host, &get(&format!("{HOST}:8080"))).ok();
    assert_ne!(led(&host), 0);
    // Nothing is bound while the firewall leads there.
    host.sh(
        "busybox nc -l -p 8080 >/dev/null 2>&1 </dev/null & pid=$!; sleep 0.5; ctr network disconnect blue a; status=$?; \
         kill $pid; exit $status",
    )
    .fails(1)
    .stderr_has("8080");
    assert_eq!(led(&host), 0);
    host.sh("ctr-inspect a | net-attach --repair >/dev/null").ok();
    outside.sh(&host, &get(&format!("{HOST}:8080"))).ok();
    // The same port in other words is the same port.
    host.sh("ctr port add a 0.0.0.0:8080:80").fails(1).stderr_has("does so already");
    host.sh("ctr restart -t 0 a").ok();
    host.sh("ctr rm -f a && ctr network rm red blue").ok();
    nothing_is_left(&host);
}

/// Its own /etc/hosts runs as a program: nobody can write to that.
fn files_that_a_container_keeps_stop_nothing() {
    let host = host();
    let _outside = Outside::of(&host);
    networks(&host);
    server(&host, "a", "--network blue");
    host.sh(
        "ctr exec a sh -c 'cp /bin/busybox /etc/hosts && chmod +x /etc/hosts && ln -s /etc/hosts /sleep' && ctr exec -d a /sleep 1000",
    )
    .succeeds();
    host.sh("ctr network connect red a").succeeds().stderr_has("hosts");
    is_whole(&host, "a");
    host.sh("ctr rm -f a && ctr network rm red blue").ok();
    nothing_is_left(&host);
}
