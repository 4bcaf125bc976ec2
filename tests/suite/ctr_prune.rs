//! ctr-prune: what goes, what stays, what is asked first.

use crate::{
    living::{busybox, kill},
    records::{create, edit, lives, process},
};
use ctr_tests::*;
use nix::sys::signal::Signal;

pub fn tests() -> Vec<Test> {
    tests!("ctr-prune",
        ["root", "overlay", "umoci"]:
            what_does_not_run_goes,
            filters,
            goes_on_after_one_that_stays,
            asks_on_the_terminal;
        []:
            bad_filters
    )
}

#[track_caller]
fn pruned(host: &Host, args: &[&str]) -> usize {
    let shown = host.tool("ctr-prune", &[&["-f"], args].concat()).ok().json();
    shown["ContainersDeleted"].as_array().unwrap().len()
}

fn what_does_not_run_goes() {
    let host = busybox();
    let made = create(&host, "made", "");
    host.sh("ctr run --name done busybox sh -c 'head -c 5000 /dev/zero >/f'").ok();
    let run = host.cmd("ctr", &["run", "--name", "web", "busybox", "sleep", "6601"]).spawn();
    host.process("sleep 6601");
    let still = create(&host, "still", "");
    let sleep = process(&host);
    lives(&host, &still, sleep.pid(), json!({"status": "paused", "startedAt": "2026-01-01T00:00:00Z"}));
    // A pipe that makes one is not disturbed.
    let half = create(&host, "half", "");
    edit(&host, &half, |doc| doc["partial"] = json!(true));
    let shown = host.tool("ctr-prune", &["--force"]).ok().json();
    let deleted = shown["ContainersDeleted"].as_array().unwrap();
    assert!(deleted.len() == 2 && deleted.contains(&json!(made)), "{shown}");
    assert_eq!(shown["SpaceReclaimed"], 5000);
    let left = host.tool("ctr-ls", &["-a"]).ok().jsons();
    let left: Vec<_> = left.iter().map(|line| line["Names"].as_str().unwrap()).collect();
    assert_eq!(left, ["half", "still", "web"]);
    kill(host.process("sleep 6601"), Signal::SIGKILL);
    run.wait().exits(137);
    drop(sleep);
    edit(&host, &half, |doc| drop(doc.as_object_mut().unwrap().remove("partial")));
    assert_eq!(pruned(&host, &[]), 3);
    assert_eq!(host.tool("ctr-prune", &["-f"]).ok().text(), "{\"ContainersDeleted\":[],\"SpaceReclaimed\":0}\n");
    host.assert_clean();
}

fn filters() {
    let host = busybox();
    let old = create(&host, "old", "-l keep");
    create(&host, "new", "-l keep -l tier=front");
    create(&host, "bare", "");
    edit(&host, &old, |doc| doc["created"] = json!("2020-01-01T00:00:00Z"));
    assert_eq!(pruned(&host, &["--filter", "until=2019-12-31"]), 0);
    assert_eq!(pruned(&host, &["--filter", "until=1h"]), 1);
    assert_eq!(pruned(&host, &["--filter", "label=keep", "--filter", "label=other"]), 0);
    assert_eq!(pruned(&host, &["--filter", "label!=keep"]), 1);
    assert_eq!(host.tool("ctr-ls", &["-a"]).ok().json()["Names"], "new");
    assert_eq!(pruned(&host, &["--filter", "label=tier=front", "--filter", "until=0s"]), 1);
    host.assert_clean();
}

fn goes_on_after_one_that_stays() {
    let host = busybox();
    for name in ["a", "b", "c"] {
        create(&host, name, "");
    }
    // No step removes it.
    let stuck = create(&host, "stuck", "");
    edit(&host, &stuck, |doc| doc["steps"] = json!([]));
    let ran = host.tool("ctr-prune", &["-f"]).exits(1);
    assert_eq!(ran.json()["ContainersDeleted"].as_array().unwrap().len(), 3);
    assert!(ran.stderr_text().contains(&stuck[..12]), "{ran}");
}

fn asks_on_the_terminal() {
    let host = busybox();
    create(&host, "a", "");
    host.tool("ctr-prune", &[]).exits(1).stderr_has("--force");
    host.sh("echo n | ctr container prune").exits(1).stderr_has("not confirmed");
    let mut pty = host.pty("ctr-prune");
    pty.expect("[y/N]");
    pty.send("n\r");
    assert_eq!(pty.wait().0, 1);
    assert_eq!(host.tool("ctr-ls", &["-a"]).ok().jsons().len(), 1);
    let mut pty = host.pty("ctr-prune");
    pty.expect("[y/N]");
    pty.send("y\r");
    assert_eq!(pty.wait().0, 0);
    host.assert_clean();
}

fn bad_filters() {
    let host = Host::new();
    for filter in ["until", "until=soon", "name=x", "label"] {
        host.tool("ctr-prune", &["-f", "--filter", filter]).fails(2).stdout_is("");
    }
}
