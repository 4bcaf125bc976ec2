//! ctr-events: what it prints of the events, now and as they come, and through the rotation of their files.

use crate::ctr_logs::world::wait_for;
use ctr_tests::*;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

pub fn tests() -> Vec<Test> {
    tests!("ctr-events",
        []:
            since_and_until,
            filters_by_dockers_rules,
            new_ones_come_as_they_happen,
            follows_through_rotations,
            ends_when_its_reader_goes,
            bad_arguments;
        ["root", "overlay", "umoci", "busybox"]:
            words_of_labels_stay_words,
            images_networks_and_volumes
    )
}

/// What `ctr_core::events` writes.
fn event(time: &str, action: &str, name: &str) -> String {
    let attributes = json!({"image": "docker.io/library/busybox:latest", "tier": name});
    let event = json!({"time": time, "type": "container", "action": action, "id": name.repeat(8), "name": name,
        "attributes": attributes});
    format!("{event}\n")
}

fn emit(host: &Host, line: &str) {
    append(&host.run().join("events.jsonl"), line);
}

fn append(path: &Path, line: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(line.as_bytes()).unwrap();
}

/// Some hours, the older ones in the older file.
fn a_day(host: &Host) -> [String; 4] {
    let day = [(8, "create", "web"), (9, "start", "web"), (10, "start", "db"), (11, "die", "db")]
        .map(|(hour, action, name)| event(&format!("2026-11-25T{hour:02}:00:00.5Z"), action, name));
    fs::write(host.run().join("events.1.jsonl"), day[..2].concat()).unwrap();
    fs::write(host.run().join("events.jsonl"), day[2..].concat()).unwrap();
    day
}

fn since_and_until() {
    let host = Host::new();
    let until = ["--until", "2026-11-25T12:00:00Z"];
    // No event has ever been.
    host.tool("ctr-events", &[&until[..], &["--since", "0"]].concat()).ok().stdout_is("");
    let day = a_day(&host);
    let events = |args: &[&str]| host.tool("ctr-events", args).ok().text();
    assert_eq!(events(&["--since", "2026-11-25T00:00:00Z", until[0], until[1]]), day.concat());
    assert_eq!(events(&["--since", "2026-11-25T09:00:00.5Z", until[0], until[1]]), day[1..].concat());
    assert_eq!(events(&["--since", "2026-11-25T09:00:00.6Z", "--until", "2026-11-25T10:30:00Z"]), day[2]);
    assert_eq!(events(&["--since", "2026-11-25T11:30:00Z", until[0], until[1]]), "");
    // Without a beginning only new ones, and of those none is old.
    assert_eq!(events(&until), "");
}

fn filters_by_dockers_rules() {
    let host = Host::new();
    let day = a_day(&host);
    let events = |filters: &[&str]| {
        let mut args = vec!["--since", "2026-11-25T00:00:00Z", "--until", "2026-11-25T12:00:00Z"];
        args.extend(filters.iter().flat_map(|filter| ["-f", filter]));
        host.tool("ctr-events", &args).ok().text()
    };
    assert_eq!(events(&["event=start"]), day[1..3].concat());
    assert_eq!(events(&["event=start", "event=die"]), day[1..].concat());
    assert_eq!(events(&["event=start", "container=web"]), day[1]);
    assert_eq!(events(&["container=dbdb"]), day[2..].concat());
    assert_eq!(events(&["label=tier=web", "label=tier"]), day[..2].concat());
    assert_eq!(events(&["label=tier=web", "label=tier=db"]), "");
    assert_eq!(events(&["image=busybox", "type=container"]), day.concat());
    for kind in ["network", "volume", "image"] {
        assert_eq!(events(&[&format!("type={kind}")]), "");
        assert_eq!(events(&["type=container", &format!("type={kind}")]), day.concat());
    }
    assert_eq!(events(&["network=web"]), "");
}

fn new_ones_come_as_they_happen() {
    let host = Host::new();
    a_day(&host);
    let follower = host.sh_cmd("exec ctr-events -f event=start >out").spawn();
    let out = || fs::read_to_string(host.dir().join("out")).unwrap_or_default();
    let start = event("2026-11-25T13:00:00Z", "start", "late");
    // Until it has found its place.
    wait_for(|| {
        emit(&host, &start);
        emit(&host, &event("2026-11-25T13:00:00Z", "die", "late"));
        !out().is_empty()
    });
    let count = out().lines().count();
    // A line in two writes is one event; what is no event is none.
    emit(&host, "nonsense\n{}\n");
    emit(&host, &start[..20]);
    emit(&host, &start[20..]);
    wait_for(|| out().lines().count() > count);
    follower.signal(nix::sys::signal::Signal::SIGTERM);
    follower.wait().exits(143);
    assert!(out().lines().all(|line| line == start.trim_end()), "{}", out());
}

fn follows_through_rotations() {
    let host = Host::new();
    let [new, old] = ["events.jsonl", "events.1.jsonl"].map(|name| host.run().join(name));
    emit(&host, &event("2026-11-25T10:00:00Z", "start", "0"));
    let follower = host.sh_cmd("exec ctr-events --since 0 >out").spawn();
    let out = || fs::read_to_string(host.dir().join("out")).unwrap_or_default();
    let mut expected = vec![0];
    let names = || {
        out()
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap()["name"].as_str().unwrap().parse().unwrap())
            .collect::<Vec<u32>>()
    };
    for n in 1..20 {
        emit(&host, &event("2026-11-25T10:00:00Z", "start", &(10 * n).to_string()));
        fs::rename(&new, &old).unwrap();
        emit(&host, &event("2026-11-25T10:00:00Z", "start", &(10 * n + 1).to_string()));
        expected.extend([10 * n, 10 * n + 1]);
        wait_for(|| names().len() == expected.len());
        // One that had the file open when another renamed it.
        append(&old, &event("2026-11-25T10:00:00Z", "start", &(10 * n + 2).to_string()));
        expected.push(10 * n + 2);
        wait_for(|| names().len() == expected.len());
    }
    assert_eq!(names(), expected);
    follower.signal(nix::sys::signal::Signal::SIGTERM);
    follower.wait().exits(143);
}

fn ends_when_its_reader_goes() {
    let host = Host::new();
    let day = a_day(&host);
    let line = "{ ctr-events --since 2026-11-25T00:00:00Z; echo $? >status; } | head -n 1; cat status";
    host.sh(line).ok().stdout_is(&format!("{}141\n", day[0]));
}

fn words_of_labels_stay_words() {
    let host = crate::living::busybox();
    host.sh("ctr create --name e -l \"$(printf 'a=b\\n2026-11-25 container die 0 (\\033[31m')\" busybox true").ok();
    let text = host.sh("ctr events --since 1m --until 0s -f type=container").ok().text();
    assert!(text.lines().count() == 1 && !text.contains('\u{1b}'), "{text:?}");
    host.sh("ctr rm e").ok();
}

fn images_networks_and_volumes() {
    let host = crate::living::busybox();
    let id = host.tool("img-inspect", &["--document", "busybox"]).ok().json()["image"]["id"].clone();
    host.sh("ctr tag busybox a:1 && ctr rmi a:1 && tar c -T /dev/null | ctr import - b:1 && ctr image prune -af")
        .succeeds();
    host.sh("ctr volume create one && ctr volume create one && ctr volume rm one && tar c -T /dev/null | ctr volume import two")
        .ok();
    host.sh("ctr network create red && ctr network rm red && ctr network create blue && ctr network prune -f").ok();
    let events = |filters: &str| {
        let events = host.sh(&format!("ctr-events --since 1m --until 0s {filters}")).ok().jsons();
        let word = |event: &Value| format!("{} {}", event["action"], event["name"]).replace('"', "");
        events.iter().map(word).collect::<Vec<_>>().join(", ")
    };
    let images = events("-f type=image");
    let before = "load busybox:latest, tag a:1, untag a:1, import b:1, untag ";
    assert!(images.starts_with(before) && images.matches("untag ").count() == 3, "{images}");
    assert_eq!(images.matches("delete sha256:").count(), 2, "{images}");
    assert_eq!(events("-f image=a").split(", ").collect::<Vec<_>>(), ["tag a:1", "untag a:1"]);
    let shown = host.sh("ctr-events --since 1m --until 0s -f image=b -f event=import").ok().json();
    assert!(shown["id"].as_str().unwrap().starts_with("sha256:") && shown["id"] != id, "{shown}");
    assert_eq!(events("-f type=volume"), "create one, destroy one, create two");
    assert_eq!(events("-f volume=two"), "create two");
    assert_eq!(events("-f type=network"), "create red, destroy red, create blue, destroy blue");
    assert_eq!(events("-f network=blue -f event=create"), "create blue");
    assert_eq!(events("-f container=red"), "");
    let line = host.sh("ctr events --since 1m --until 0s -f volume=two").ok().text();
    assert!(line.ends_with(" volume create two (driver=local, name=two)\n"), "{line}");
    host.sh("ctr volume rm two").ok();
}

fn bad_arguments() {
    let host = Host::new();
    for args in
        [["--since", "yesterday"], ["--until", "x"], ["-f", "event"], ["-f", "colour=red"], ["-f", "type=daemon"]]
    {
        host.tool("ctr-events", &args).fails(2);
    }
    host.tool("ctr-events", &["x"]).fails(2);
}
