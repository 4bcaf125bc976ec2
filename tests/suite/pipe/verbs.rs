//! Rules 7, 8, 9 and 13: undo, check, gc; names and the record; trace and dry run.

use super::*;
use std::{collections::BTreeSet, fs};

pub fn tests() -> Vec<Test> {
    tests!("pipe",
        ["root", "overlay", "umoci", "busybox"]:
            undo_can_be_said_twice,
            undo_of_what_is_gone_succeeds,
            undo_needs_only_the_step,
            check_tells_what_differs_and_changes_nothing,
            a_name_is_claimed_once,
            the_record_is_the_document,
            trace_names_what_is_done,
            a_dry_run_says_the_same_and_does_nothing
    )
}

fn undo_can_be_said_twice() {
    let host = Host::new();
    let mounted = host.pipe_to(&unpacked_document(&host), "overlay-mount", &["--name", "a"]).ok().json();
    assert_eq!(leftovers::mounts_beneath(&host.run()).len(), 1);
    let undone = host.pipe_to(&mounted, "overlay-mount", &["--undo"]).ok().json();
    assert!(undone.get("rootfs").is_none() && undone.get("error").is_none(), "{undone}");
    host.assert_clean();
    host.pipe_to(&mounted, "overlay-mount", &["--undo"]).ok();
    host.pipe_to(&undone, "overlay-mount", &["--undo"]).ok();
    for (tool, _) in STAGES {
        host.pipe_to(&json!({"ctr": 1}), tool, &["--undo"]).ok();
    }
}

fn undo_of_what_is_gone_succeeds() {
    let host = Host::new();
    let mounted = host.pipe_to(&unpacked_document(&host), "overlay-mount", &[]).ok().json();
    host.sh(&format!("umount {}", mounted["rootfs"]["path"].as_str().unwrap())).ok();
    fs::remove_dir_all(host.root().join("containers")).unwrap();
    fs::remove_dir_all(host.run().join("containers")).unwrap();
    host.pipe_to(&mounted, "overlay-mount", &["--undo"]).ok();
    host.assert_clean();
}

fn undo_needs_only_the_step() {
    let host = Host::new();
    let mounted = host.pipe_to(&unpacked_document(&host), "overlay-mount", &[]).ok().json();
    // All but the steps is gone, and an error came along.
    let bare = json!({"ctr": 1, "steps": mounted["steps"]});
    host.pipe_to(&bare, "overlay-mount", &["--undo"]).ok();
    host.assert_clean();
}

fn check_tells_what_differs_and_changes_nothing() {
    let host = Host::new();
    let image = image_document(&host);
    let unpacked = host.pipe_to(&image, "img-unpack", &[]).ok().json();
    let mounted = host.pipe_to(&unpacked, "overlay-mount", &[]).ok().json();
    let before = everything(&host);
    host.pipe_to(&mounted, "img-unpack", &["--check"]).ok().stdout_is(&format!("{mounted}\n"));
    host.pipe_to(&mounted, "overlay-mount", &["--check"]).ok().stdout_is(&format!("{mounted}\n"));
    assert_eq!(everything(&host), before);
    host.sh(&format!("umount {}", mounted["rootfs"]["path"].as_str().unwrap())).ok();
    let before = everything(&host);
    host.pipe_to(&mounted, "overlay-mount", &["--check"]).fails(1);
    assert_eq!(everything(&host), before);
    host.sh("rm -r $CTR_ROOT/layers/sha256/*").ok();
    host.pipe_to(&mounted, "img-unpack", &["--check"]).fails(1);
}

fn a_name_is_claimed_once() {
    let host = Host::new();
    let doc = unpacked_document(&host);
    let racers: Vec<_> =
        (0..8).map(|_| host.cmd("overlay-mount", &["--name", "only"]).stdin(format!("{doc}\n")).spawn()).collect();
    let ran: Vec<Ran> = racers.into_iter().map(command::Running::wait).collect();
    let winners: Vec<&Ran> = ran.iter().filter(|r| r.status == 0).collect();
    assert_eq!(winners.len(), 1);
    let id = winners[0].json()["id"].as_str().unwrap().to_owned();
    for loser in ran.iter().filter(|r| r.status != 0) {
        loser.clone().fails(1).code("exists").stderr_has("only").stderr_has(&id[..12]);
    }
    assert_eq!(leftovers::mounts_beneath(&host.run()).len(), 1);
    assert_eq!(fs::read_dir(host.root().join("containers")).unwrap().count(), 1);
    for bad in ["", "-x", "a/b", "..", "a b", "ü"] {
        host.cmd("overlay-mount", &[&format!("--name={bad}")]).stdin(format!("{doc}\n")).run().fails(1).code("invalid");
    }
    // Undone, it is free again.
    host.pipe_to(&winners[0].json(), "overlay-mount", &["--undo"]).ok();
    host.pipe_to(&doc, "overlay-mount", &["--name", "only"]).ok();
}

fn the_record_is_the_document() {
    let host = Host::new();
    let mounted = host.pipe_to(&unpacked_document(&host), "overlay-mount", &["--name", "a"]).ok().json();
    let id = mounted["id"].as_str().unwrap();
    // Rule 8: what is made for a container carries its id.
    assert!(id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert!(mounted["rootfs"]["path"].as_str().unwrap().contains(id), "{mounted}");
    assert!(mounted["rootfs"]["upper"].as_str().unwrap().contains(id), "{mounted}");
    let record = host.record(id);
    let saved: Value = serde_json::from_str(&fs::read_to_string(&record).unwrap()).unwrap();
    assert_eq!(saved, mounted);
    let others: BTreeSet<_> = fs::read_dir(record.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!others.iter().any(|n| n.to_string_lossy().contains("tmp")), "{others:?}");
}

/// The operations of trace lines, in order; checks that each line has its form.
fn operations(ran: &Ran, dry: bool) -> Vec<(String, String)> {
    let text = ran.stderr_text();
    let lines = text.lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}{ran}"));
        assert_eq!(value["ms"].is_number(), !dry, "{line}");
        (value["tool"].as_str().unwrap().to_owned(), value["op"].as_str().unwrap().to_owned())
    });
    lines.collect()
}

fn trace_names_what_is_done() {
    let host = Host::new();
    let doc = image_document(&host);
    let plain = host.pipe_to(&doc, "img-unpack", &[]).ok().json();
    fs::remove_dir_all(host.root().join("layers")).unwrap();
    let traced = host.pipe_to(&doc, "img-unpack", &["--trace"]).succeeds();
    assert_eq!(traced.json(), plain);
    assert!(!operations(&traced, false).is_empty(), "{traced}");
    let traced = host.pipe_to(&plain, "overlay-mount", &["--trace"]).succeeds();
    let operations = operations(&traced, false);
    assert!(operations.iter().any(|(tool, op)| tool == "overlay-mount" && op.contains("mount")), "{operations:?}");
    let undone = host.pipe_to(&traced.json(), "overlay-mount", &["--undo", "--trace"]).succeeds();
    assert!(undone.stderr_text().contains("unmount"), "{undone}");
}

fn a_dry_run_says_the_same_and_does_nothing() {
    let host = Host::new();
    let image = image_document(&host);
    let doc = host.pipe_to(&image, "img-unpack", &[]).ok().json();
    let before = everything(&host);
    let dry = host.pipe_to(&doc, "overlay-mount", &["--dry-run", "--name", "a"]).succeeds();
    assert_eq!(everything(&host), before);
    let wet = host.pipe_to(&doc, "overlay-mount", &["--trace", "--name", "a"]).succeeds();
    let (said, done) = (operations(&dry, true), operations(&wet, false));
    for operation in &said {
        assert!(done.contains(operation), "said {operation:?}, did {done:?}");
    }
    assert!(said.iter().any(|(_, op)| op.contains("mount")), "{said:?}");
    let mounted = wet.json();
    let before = everything(&host);
    host.pipe_to(&mounted, "overlay-mount", &["--undo", "--dry-run"]).succeeds();
    assert_eq!(everything(&host), before);
    fs::remove_dir_all(host.root().join("layers")).unwrap();
    let before = everything(&host);
    host.pipe_to(&image, "img-unpack", &["--dry-run"]).succeeds();
    assert_eq!(everything(&host), before);
}
