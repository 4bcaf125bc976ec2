//! Killed at each step: gc finds what is left by its names.

use super::*;
use std::{
    thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip", "strace"]:
            killed_at_every_step,
            a_rule_has_a_claim_whoever_is_killed;
        ["root", "overlay", "umoci", "nft", "ip", "python3"]:
            a_rule_without_a_claim_is_in_nobodys_way,
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

/// What a rule leads to that nobody claims is whoever gets the address next.
#[track_caller]
pub fn rules_are_claimed(host: &Host) {
    host.sh(
        "nft list ruleset | grep -o 'tcp . 80[0-9]* : [0-9.]* . [0-9]*' | while read -r _ _ port _ to _ target; do \
         readlink $CTR_RUN/ports/tcp-0.0.0.0-$port | grep -q \"/$to/$target$\" || echo $port $to; done",
    )
    .ok()
    .stdout_is("");
}

/// Words that put a rule for port 8080 of the host into our table.
fn rule(port: u16, to: &str) -> String {
    format!(
        "nft add element inet $(nft list tables inet | cut -d' ' -f3 | grep ^ctr) ports_any \
         '{{ tcp . {port} : {to} . 80 }}'"
    )
}

fn a_rule_has_a_claim_whoever_is_killed() {
    let host = host();
    // Whose supervisor is killed has his claims until somebody looks.
    let dead = host.sh("ctr run -d --name dead -p 8080:80 busybox sleep 6914").ok().text();
    host.sh("kill -9 $(jq .supervisor.pid $CTR_RUN/containers/*/state.json)").ok();
    host.sh_cmd("while ctr ps -q | grep -q .; do sleep 0.02; done").limit(20).run().ok();
    let runs = host.sh("ctr run -d --name runs busybox sleep 6914 && ctr-inspect runs >doc").succeeds().text();
    // And a ctr-port that is killed leaves one that no record names.
    let claim = |port: u16, id: &str, name: &str| {
        let (id, to) = (id.trim(), address(&host, name));
        format!("ln -sfn {id}/{to}/80 $CTR_RUN/ports/tcp-0.0.0.0-{port}; {}", rule(port, &to))
    };
    let stage = format!("{}; {}", claim(8080, &dead, "dead"), claim(8081, &runs, "runs"));
    let mut died = 0;
    for line in
        ["net-attach -p 8080:80 <new", "net-attach --gc", "net-attach --repair <doc", "ctr-port --add 8080:80 runs"]
    {
        host.sh("echo '{\"ctr\":1}' >new").ok();
        for call in ["symlink", "unlink", "sendto"] {
            for n in 1..60 {
                host.sh(&stage).ok();
                rules_are_claimed(&host);
                let strace =
                    format!("strace -f -b execve -o trace -e trace={call} -e inject={call}:signal=KILL:when={n}");
                let ran = host.sh(&format!("{strace} {line} >out 2>&1"));
                rules_are_claimed(&host);
                host.sh("net-attach --undo <out >undone 2>&1; ctr-port --rm 8080 runs 2>/dev/null; true").ok();
                // The partial record of one that was killed goes with the last of its pipe.
                let gone = "until test $(ls $CTR_ROOT/containers | wc -l) = 2; do overlay-mount --gc; sleep 0.02; done";
                host.sh_cmd(&format!("{gone}; net-attach --gc >/dev/null")).limit(20).run().ok();
                if ran.status == 0 {
                    break;
                }
                died += 1;
            }
        }
    }
    assert!(died > 15, "{died}");
    host.sh("ctr rm -f dead runs && overlay-mount --gc && net-attach --gc").succeeds();
    nothing_is_left(&host);
}

fn a_rule_without_a_claim_is_in_nobodys_way() {
    let host = host();
    server(&host, "web", "");
    for to in ["10.90.0.77", "10.90.0.2"] {
        host.sh(&format!("{} && ctr port add web 8080:80 && {}", rule(8080, to), get("127.0.0.1:8080"))).succeeds();
        // Another has taken its place.
        let rule = rule(8080, "10.90.0.77");
        host.sh(&format!(
            "{} && {rule} && ctr port rm web 8080",
            rule.replace("add", "delete").replace(": 10.90.0.77 . 80 ", "")
        ))
        .ok();
        host.sh("! nft list ruleset | grep 8080").ok();
    }
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
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
    let refused = host.sh("ctr start web").exits(1).stderr_has("held by process ").stderr_has("(busybox)");
    assert_eq!(String::from_utf8_lossy(&refused.stderr).lines().count(), 1, "{refused}");
    host.sh("ctr rm -f web").ok();
    nothing_is_left(&host);
}
