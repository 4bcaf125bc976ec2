//! Killed at each step: gc finds what is left by its names.

use super::*;
use std::{
    thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip", "strace"]:
            killed_at_every_step;
        ["root", "overlay", "umoci", "nft", "ip", "python3"]:
            undo_lets_a_running_container_be,
            an_address_whose_veth_is_up_is_nobodys,
            a_port_that_leads_to_a_lost_address_is_gcs,
            a_port_that_the_host_took_meanwhile
    )
}

fn killed_at_every_step() {
    let host = host();
    let doc = "echo '{\"ctr\":1}'";
    host.sh("ctr network create other").ok();
    let before = kernel(&host);
    let mut died = 0;
    for call in ["symlink", "rename", "sendto", "unshare", "move_mount", "setns", "mkdir"] {
        for n in 1..60 {
            let strace = format!("strace -f -b execve -o trace -e trace={call} -e inject={call}:signal=KILL:when={n}");
            let ran =
                host.sh(&format!("{doc} | {strace} net-attach --network bridge --network other -p 8080:80 >doc 2>&1"));
            if ran.status == 0 {
                host.sh("net-attach --undo <doc").ok();
                break;
            }
            died += 1;
            // Once nobody of its pipe is there, nft neither, its partial record is gc's, and then what was made for it.
            host.sh_cmd(
                "while ls $CTR_ROOT/containers | grep -q .; do overlay-mount --gc; sleep 0.02; done; net-attach --gc",
            )
            .limit(20)
            .run()
            .ok();
            // The resolver that was started leaves by itself, after the last address.
            let start = Instant::now();
            while !host.leftovers().is_empty() && start.elapsed() < Duration::from_secs(20) {
                thread::sleep(Duration::from_millis(10));
            }
            host.assert_clean();
            host.sh("test -z \"$(find $CTR_ROOT/addresses $CTR_RUN/ports -type l 2>/dev/null)\"").ok();
            no_veths(&host);
            assert_eq!(kernel(&host), before, "killed at {call} {n}");
            // Twice changes nothing.
            host.sh("net-attach --gc").ok().stdout_is("");
        }
    }
    assert!(died > 15, "{died}");
}

fn undo_lets_a_running_container_be() {
    let host = host();
    let begun = "img-pull --pull missing busybox | net-attach --name first | tee net | img-unpack | overlay-mount";
    host.sh(&format!("{begun} | ns-spawn -d -- sleep 6911 >doc")).succeeds();
    host.sh("net-attach --undo <net").exits(1).stderr_has("runs already");
    host.sh("ctr exec first true && ctr-inspect first | net-attach --check >/dev/null").succeeds();
    host.sh("ctr rm -f first").ok();
    nothing_is_left(&host);
    // Whoever looks after it takes it away itself.
    host.sh(&format!("{begun} | ns-spawn --rm -- true")).ok();
    nothing_is_left(&host);
}

fn an_address_whose_veth_is_up_is_nobodys() {
    let host = host();
    host.sh("ctr run -d --name old busybox sleep 6912").ok();
    let netns = host.tool("ctr-inspect", &["old"]).ok().json()["net"]["netns"].as_str().unwrap().to_owned();
    // It stays in the namespace, and so does the veth.
    let kept = host.cmd("nsenter", &[&format!("--net={netns}"), "sleep", "6913"]).spawn();
    host.sh_cmd(&format!("until test /proc/{0}/ns/net -ef {netns}; do sleep 0.02; done", kept.pid())).run().ok();
    host.sh("ctr rm -f old").ok();
    host.sh("ip -o link show type veth | grep 'master br' | grep -c '[<,]UP[,>]'").exits(1).stdout_is("0\n");
    drop(kept);
    nothing_is_left(&host);
}

fn a_port_that_leads_to_a_lost_address_is_gcs() {
    let host = host();
    server(&host, "web", "-p 8080:80");
    // As a disconnect leaves it that is killed once the record says so.
    host.sh("p=$CTR_RUN/ports/tcp-0.0.0.0-8080; to=$(readlink $p); rm $p; ln -s ${to%%/*}/10.90.0.77/80 $p").ok();
    host.tool("net-attach", &["--gc"]).ok().stdout_has("\"removed\":\"port\"");
    host.sh("! nft list ruleset | grep 8080").ok();
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}

fn a_port_that_the_host_took_meanwhile() {
    let host = host();
    server(&host, "web", "-p 9000:80");
    host.sh("ctr stop -t 0 web").ok();
    let _process = host.cmd("busybox", &["httpd", "-f", "-p", "9000"]).spawn();
    host.sh_cmd("until grep -q ':2328 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done").run().ok();
    host.sh("ctr start web").exits(1).stderr_has("held by process ").stderr_has("(busybox)");
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}
