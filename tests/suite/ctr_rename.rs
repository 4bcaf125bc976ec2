//! ctr-rename: who has the name afterwards, and after a crash at each instant.

use crate::{
    living::{busybox, events, kill, start, until},
    records::{create, edit, lives, process},
};
use ctr_tests::*;
use nix::sys::signal::Signal;
use std::{fs, os::unix::fs::symlink};

pub fn tests() -> Vec<Test> {
    tests!("ctr-rename",
        ["root", "overlay", "umoci"]:
            the_old_name_is_free,
            a_taken_name_is_told_by_its_holder,
            a_crash_leaves_the_old_name_or_the_new_one,
            twenty_race_for_a_name,
            a_running_one,
            one_that_is_about_to_start_again
    )
}

fn links(host: &Host) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(host.root().join("names"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn the_old_name_is_free() {
    let host = busybox();
    let id = create(&host, "old", "-l a=b");
    host.tool("ctr-rename", &["old", "new"]).ok().stdout_is("");
    let doc = host.tool("ctr-inspect", &["new"]).ok().json();
    assert_eq!((&doc["id"], &doc["name"], &doc["labels"]["a"]), (&json!(id), &json!("new"), &json!("b")));
    host.tool("ctr-inspect", &["old"]).fails(1).stderr_has("no container old");
    assert_eq!(links(&host), ["new"]);
    let event = events(&host, "rename").pop().unwrap();
    assert_eq!((&event["id"], &event["name"]), (&json!(id), &json!("new")));
    assert_eq!(event["attributes"]["oldName"], "old");
    create(&host, "old", "");
    // By the beginning of its id too; and the container is whole: it is removed by its new name.
    host.tool("ctr-rename", &[&id[..12], "newer"]).ok();
    host.sh("ctr rm newer old").ok();
    host.assert_clean();
}

fn a_taken_name_is_told_by_its_holder() {
    let host = busybox();
    create(&host, "a", "");
    let b = create(&host, "b", "");
    host.tool("ctr-rename", &["a", "b"]).fails(1).stderr_has(&b[..12]);
    host.tool("ctr-rename", &["b", "b"]).fails(1).stderr_has(&b[..12]);
    host.tool("ctr-rename", &["a", "-x"]).fails(2);
    host.tool("ctr-rename", &["a", "x/y"]).fails(1).stderr_has("x/y");
    host.tool("ctr-rename", &["nobody", "x"]).fails(1).stderr_has("nobody");
    host.tool("ctr-rename", &["a"]).fails(2);
    assert_eq!(links(&host), ["a", "b"]);
}

fn a_crash_leaves_the_old_name_or_the_new_one() {
    let host = busybox();
    let id = create(&host, "old", "");
    let names = host.root().join("names");
    // Killed once the new link was made: the record has the old name, and that counts.
    symlink(&id, names.join("new")).unwrap();
    host.tool("ctr-inspect", &["new"]).fails(1);
    assert_eq!(host.tool("ctr-inspect", &["old"]).ok().json()["id"], id);
    // Killed once the record was written: the old link is nobody's.
    edit(&host, &id, |doc| doc["name"] = json!("new"));
    host.tool("ctr-inspect", &["old"]).fails(1);
    assert_eq!(host.tool("ctr-inspect", &["new"]).ok().json()["id"], id);
    let removed = host.tool("overlay-mount", &["--gc"]).ok().jsons();
    assert!(removed.iter().any(|r| r["path"] == json!(names.join("old"))), "{removed:?}");
    assert_eq!(links(&host), ["new"]);
    // A claim takes over such a link, as another rename does.
    symlink(&id, names.join("third")).unwrap();
    let other = create(&host, "third", "");
    assert_eq!(host.tool("ctr-inspect", &["third"]).ok().json()["id"], other);
    symlink(&id, names.join("fourth")).unwrap();
    host.tool("ctr-rename", &["third", "fourth"]).ok();
    assert_eq!(host.tool("ctr-inspect", &["fourth"]).ok().json()["id"], other);
    // A record that does not read gives its name to nobody.
    fs::write(host.root().join("containers").join(&other).join("document.json"), "{").unwrap();
    host.sh("img-pull --pull missing busybox | img-unpack | overlay-mount --name fourth").exits(1).code("exists");
    assert_eq!(links(&host), ["fourth", "new"]);
}

fn twenty_race_for_a_name() {
    let host = busybox();
    for n in 0..20 {
        create(&host, &format!("c{n}"), "");
    }
    let words = host.sh("for i in $(seq 0 19); do ctr-rename c$i one 2>/dev/null && echo won & done; wait").ok().text();
    assert_eq!(words, "won\n");
    assert_eq!(links(&host).len(), 20);
    let listed = host.tool("ctr-ls", &["-a"]).ok().jsons();
    let mut names: Vec<_> = listed.iter().map(|line| line["Names"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, links(&host));
}

fn a_running_one() {
    let host = busybox();
    // Whoever waits for it in the foreground would write the old name back.
    let run = host.cmd("ctr", &["run", "--name", "front", "busybox", "sleep", "6501"]).spawn();
    host.process("sleep 6501");
    host.tool("ctr-rename", &["front", "x"]).fails(1).stderr_has("foreground");
    kill(host.process("sleep 6501"), Signal::SIGKILL);
    run.wait().exits(137);
    // A supervisor does not, and a later start has the new name.
    host.sh("ctr run -d --restart always --name back busybox sleep 6502").ok();
    let pid = host.process("sleep 6502");
    host.tool("ctr-rename", &["back", "x"]).ok();
    let doc = host.tool("ctr-inspect", &["x"]).ok().json();
    assert_eq!((&doc["name"], &doc["state"]["pid"]), (&json!("x"), &json!(pid)));
    let record = host.root().join("containers").join(doc["id"].as_str().unwrap()).join("document.json");
    let record: Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
    assert_eq!(record["state"].get("pid"), None, "what only the kernel knows got into the record");
    kill(pid, Signal::SIGKILL);
    until("another start", || {
        let doc = host.tool("ctr-inspect", &["x"]).ok().json();
        doc["state"]["status"] == "running" && doc["state"]["restartCount"] == 1
    });
    host.tool("ctr-rename", &["x", "y"]).ok();
    host.sh("ctr stop -t 0 y && ctr rm y front").ok();
    host.assert_clean();
}

fn one_that_is_about_to_start_again() {
    let host = busybox();
    let id = create(&host, "loop", "");
    let sleep = process(&host);
    let supervisor = json!({"pid": sleep.pid(), "pidStart": start(sleep.pid())});
    lives(&host, &id, sleep.pid(), json!({"status": "restarting", "supervisor": supervisor}));
    host.tool("ctr-rename", &["loop", "x"]).fails(1);
    drop(sleep);
    host.tool("ctr-rename", &["loop", "x"]).ok();
    host.tool("ctr-inspect", &["x"]).ok();
}
