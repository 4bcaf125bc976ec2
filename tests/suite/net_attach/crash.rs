//! Killed at each step: gc finds what is left by its names.

use super::*;
use std::{
    thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("net-attach",
        ["root", "overlay", "umoci", "nft", "ip", "strace"]:
            killed_at_every_step
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
