//! What goes wrong around the tools: killed at any instant, not root, no place to write, no space.

use super::*;
use nix::sys::signal::Signal;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("pipe",
        ["root", "overlay", "umoci", "busybox"]:
            gc_finds_what_a_kill_left,
            gc_leaves_running_pipelines_alone,
            pipelines_may_run_side_by_side,
            a_layer_that_is_gone_is_said;
        ["root", "umoci", "busybox", "setpriv"]:
            not_root_is_said_in_one_line;
        ["root", "umoci", "busybox", "tmpfs"]:
            a_store_that_cannot_be_written_is_said,
            no_space_is_said_and_leaves_no_half
    )
}

/// Runs every tool's gc, twice; nothing may be said on stderr.
fn gc(host: &Host) {
    for _ in 0..2 {
        for (tool, _) in STAGES.iter().rev() {
            host.tool(tool, &["--gc"]).ok();
        }
    }
}

const PIPE: &str = "img-pull --pull missing busybox | img-unpack | overlay-mount --volatile | ns-spawn --rm -- true";

fn gc_finds_what_a_kill_left() {
    let host = Host::new();
    host.load("busybox");
    let mut took = host.sh(PIPE).ok().took;
    took = took.max(Duration::from_millis(8));
    for round in 0..60_u32 {
        // Each kill at another instant of the pipe; layers are unpacked anew in every third.
        if round % 3 == 0 {
            let _ = fs::remove_dir_all(host.root().join("layers"));
        }
        let running = host.sh_cmd(PIPE).spawn();
        thread::sleep(took * (round % 20) / 16);
        running.signal_all(Signal::SIGKILL);
        drop(running);
        gc(&host);
        // A process that was killed in the kernel takes a moment to let its mounts go.
        let start = Instant::now();
        while !host.leftovers().is_empty() && start.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(20));
            gc(&host);
        }
        let left = host.leftovers();
        assert!(left.is_empty(), "round {round}: {left:#?}");
        // What is left unpacked is whole: the next run needs nothing but itself.
        host.sh(PIPE).ok();
    }
    // No layer half there: the store's own directories hold what they should and nothing aside.
    let aside = host.sh("find $CTR_ROOT -name '.*' -o -name '*.tmp' -o -name '*.partial'").ok().text();
    assert_eq!(aside, "");
}

fn gc_leaves_running_pipelines_alone() {
    let host = Host::new();
    host.load("busybox");
    let keep = "img-pull --pull missing busybox | img-unpack | overlay-mount --volatile \
                | ns-spawn --rm -- sh -c 'sleep 1; cat /etc/passwd'";
    let started = Instant::now();
    let mut running: Vec<_> = (0..3).map(|_| host.sh_cmd(keep).spawn()).collect();
    while started.elapsed() < Duration::from_millis(2500) {
        // New ones begin while gc runs, and those that are there go on.
        running.push(host.sh_cmd(PIPE).spawn());
        gc(&host);
    }
    for run in running {
        run.wait().ok();
    }
    gc(&host);
    host.assert_clean();
}

fn pipelines_may_run_side_by_side() {
    let host = Host::new();
    host.load("busybox");
    let run = PIPE.replace("-- true", "-- echo one of many");
    let running: Vec<_> = (0..16).map(|_| host.sh_cmd(&run).spawn()).collect();
    for one in running {
        one.wait().ok().stdout_is("one of many\n");
    }
    host.assert_clean();
}

fn a_layer_that_is_gone_is_said() {
    let host = Host::new();
    let doc = unpacked_document(&host);
    fs::remove_dir_all(host.root().join("layers")).unwrap();
    host.pipe_to(&doc, "overlay-mount", &[]).fails(1);
    host.assert_clean();
    host.pipe_to(&image_document(&host), "overlay-mount", &[]).fails(1).code("invalid").stderr_has("img-unpack");
    host.assert_clean();
}

fn not_root_is_said_in_one_line() {
    let theirs = Host::new();
    let doc = unpacked_document(&theirs);
    let host = Host::new().as_user(65534);
    // Another's store.
    let ran = host.cmd("overlay-mount", &[""; 0]).env("CTR_ROOT", theirs.root()).stdin(format!("{doc}\n")).run();
    ran.fails(1).code("denied");
    host.cmd("img-pull", &["busybox"]).env("CTR_ROOT", theirs.root()).run().fails(1).code("denied");
    host.cmd("ns-spawn", &["--", "true"]).stdin(format!("{doc}\n")).run().fails(125);
}

fn a_store_that_cannot_be_written_is_said() {
    let host = Host::new();
    let doc = unpacked_document(&host);
    // Root passes every mode: only a read-only mount refuses it.
    host.sh("mount --bind $CTR_ROOT $CTR_ROOT && mount -o remount,bind,ro $CTR_ROOT").ok();
    host.pipe_to(&doc, "overlay-mount", &[]).fails(1).code("denied");
    let archive = images::archive("debian");
    host.tool("img-load", &["-i", archive.to_str().unwrap()]).fails(1).code("denied");
    let mut other = doc.clone();
    other["image"]["layers"][0]["diffId"] = json!(format!("sha256:{}", "0".repeat(64)));
    host.pipe_to(&other, "img-unpack", &[]).fails(1);
    // Reading needs no write.
    host.tool("img-ls", &[]).ok().stdout_has("busybox");
}

fn no_space_is_said_and_leaves_no_half() {
    let host = Host::new();
    fs::create_dir_all(host.root()).unwrap();
    host.sh("mount -t tmpfs -o size=512k small $CTR_ROOT").ok();
    let archive = images::archive("busybox");
    host.tool("img-load", &["-i", archive.to_str().unwrap()]).fails(1).code("limit").stderr_has("No space");
    host.tool("img-ls", &[]).ok().stdout_is("");
    // Room for the blobs, not for the tree.
    host.sh("mount -o remount,size=2500k $CTR_ROOT").ok();
    let doc = host.tool("img-load", &["-i", archive.to_str().unwrap()]).ok().json();
    host.pipe_to(&doc, "img-unpack", &[]).fails(1).code("limit").stderr_has("No space");
    let left = host.sh("find $CTR_ROOT/layers -mindepth 2").ok().text();
    assert_eq!(left, "");
    // With room it goes on from there.
    host.sh("mount -o remount,size=50m $CTR_ROOT").ok();
    host.pipe_to(&doc, "img-unpack", &[]).ok();
}
