//! The process and its record: running, ended, undone, checked, collected.

use super::{container, record};
use ctr_tests::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::{fs, thread, time::Duration};

pub fn tests() -> Vec<Test> {
    tests!("ns-spawn",
        ["root", "overlay", "umoci", "busybox"]:
            the_record_tells_the_life,
            status_lines_tell_the_same,
            one_process_at_a_time,
            it_starts_again_from_its_record,
            a_failure_leaves_the_container_as_it_was,
            rm_leaves_nothing,
            rm_takes_nothing_that_was_there_before,
            undo_kills_and_gives_back,
            check_tells_what_differs,
            gc_forgets_the_dead,
            a_document_without_an_id_is_claimed,
            stdin_is_whose_it_should_be
    )
}

fn state_file(host: &Host, doc: &Value) -> std::path::PathBuf {
    host.run().join("containers").join(doc["id"].as_str().unwrap()).join("state.json")
}

fn the_record_tells_the_life() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    let running = host.sh_cmd("ns-spawn -f doc -- sh -c 'sleep 6211; exit 3'").spawn();
    let pid = host.process("sleep 6211");
    let state: Value = serde_json::from_slice(&fs::read(state_file(&host, &doc)).unwrap()).unwrap();
    assert_eq!(state["status"], "running");
    assert!(state["pid"].as_i64().unwrap() > 0 && state["startedAt"].is_string(), "{state}");
    let saved = record(&host, &doc);
    assert_eq!(saved["spec"]["process"]["args"], json!(["sh", "-c", "sleep 6211; exit 3"]));
    schema::assert_valid(&[saved]);
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    running.wait().exits(3);
    let saved = record(&host, &doc);
    assert_eq!((&saved["state"]["status"], &saved["state"]["exitCode"]), (&json!("stopped"), &json!(3)));
    assert!(saved["state"]["finishedAt"].as_str() > saved["state"]["startedAt"].as_str(), "{}", saved["state"]);
    assert_eq!(saved["steps"].as_array().unwrap().last().unwrap()["tool"], "ns-spawn");
    assert!(!state_file(&host, &doc).exists());
    schema::assert_valid(&[saved]);
}

fn status_lines_tell_the_same() {
    let host = Host::new();
    container(&host, "busybox");
    let lines = |line: &str, status: i32| -> Vec<Value> {
        host.sh(line).exits(status);
        let text = fs::read_to_string(host.dir().join("status")).unwrap();
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    let said = lines("ns-spawn -f doc --status-fd 7 -- sh -c 'exit 4' 7>status", 4);
    assert_eq!(
        (&said[0]["status"], &said[1]["status"], &said[1]["exitCode"]),
        (&json!("running"), &json!("stopped"), &json!(4))
    );
    assert!(said[0]["pid"].is_number());
    let said = lines("ns-spawn -f doc --init --status-fd 7 -- sh -c 'kill -9 $$' 7>status", 137);
    assert_eq!(said[1]["exitCode"], 137);
    let said = lines("ns-spawn -f doc --status-fd 7 -u nosuch -- true 7>status", 125);
    assert_eq!((said.len(), &said[0]["error"]["code"]), (1, &json!("not-found")));
    // The descriptor is not the container's.
    host.sh("ns-spawn -f doc --status-fd 7 -- ls /proc/self/fd 7>status").ok().stdout_is("0\n1\n2\n3\n");
    // A reader that went away is no reason to end.
    host.sh("{ ns-spawn -f doc --status-fd 7 -- sh -c 'sleep 0.3; echo on' 7>&1 >&8 | true; } 8>&1")
        .ok()
        .stdout_is("on\n");
}

fn one_process_at_a_time() {
    let host = Host::new();
    container(&host, "busybox");
    let running = host.sh_cmd("ns-spawn -f doc -- sleep 6212").spawn();
    let pid = host.process("sleep 6212");
    host.sh("ns-spawn -f doc -- true").fails(125).stderr_has("runs already");
    // Nor may the one that is refused clean up, or an undo with this older document.
    host.sh("ns-spawn -f doc --rm -- true").fails(125);
    host.sh("overlay-mount --undo -f doc").exits(1);
    assert!(processes::alive(pid));
    host.sh("ns-enter $(jq -r .id doc) ls /bin/busybox").ok();
    let saved = record(&host, &serde_json::from_str(&fs::read_to_string(host.dir().join("doc")).unwrap()).unwrap());
    assert!(saved["steps"].as_array().unwrap().iter().any(|step| step["tool"] == "ns-spawn"), "{saved}");
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    running.wait().exits(137);
    // Of many at once one wins.
    let race = "for i in 1 2 3 4 5 6; do { ns-spawn -f doc -- sleep 6213 2>/dev/null; echo $? >>ends; } & done; \
                until [ \"$(wc -l <ends)\" = 5 ]; do sleep 0.02; done; ctr-kill $(jq -r .id doc) >id; wait; cat ends";
    host.sh(&format!(": >ends; {race}")).succeeds().stdout_is(&format!("{}137\n", "125\n".repeat(5)));
}

fn it_starts_again_from_its_record() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    host.sh("ns-spawn -f doc -e A=kept -u 1000 --hostname h --cap-drop ALL -- sh -c 'echo $A $(id -u) $(hostname)'")
        .ok()
        .stdout_is("kept 1000 h\n");
    let first = record(&host, &doc);
    let path = format!("$CTR_ROOT/containers/{}/document.json", doc["id"].as_str().unwrap());
    host.sh(&format!("ns-spawn -f {path}")).ok().stdout_is("kept 1000 h\n");
    let again = record(&host, &doc);
    assert_eq!((&again["spec"], &again["steps"]), (&first["spec"], &first["steps"]));
    host.sh(&format!("ns-spawn -f {path} -e A=new -- sh -c 'echo $A $(id -u); grep CapBnd /proc/self/status'"))
        .ok()
        .stdout_is("new 1000\nCapBnd:\t0000000000000000\n");
}

fn a_failure_leaves_the_container_as_it_was() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    host.sh("ns-spawn -f doc -u nobody-at-all -- true").fails(125);
    let saved = record(&host, &doc);
    assert!((&saved["spec"], &saved["steps"]) == (&doc["spec"], &doc["steps"]), "it was never whole");
    for (command, status) in [("no-such-command", 127), ("/etc", 126)] {
        host.sh(&format!("ns-spawn -f doc -- {command}")).fails(status).stderr_has(command);
        let saved = record(&host, &doc);
        // It was whole, and only could not be started: it can be tried again.
        assert_eq!(saved["spec"]["process"]["args"], json!([command]));
        assert_eq!(saved["steps"].as_array().unwrap().last().unwrap()["tool"], "ns-spawn");
        let state = &saved["state"];
        assert_eq!((&state["status"], &state["exitCode"]), (&json!("created"), &json!(status)));
        assert!(state["error"].as_str().unwrap().contains(command), "{state}");
        assert!(!state_file(&host, &doc).exists());
    }
    host.sh("ns-spawn -f doc -- true").ok();
}

fn rm_takes_nothing_that_was_there_before() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    host.sh("ns-spawn -f doc -- sh -c 'echo kept >/data'").ok();
    let bad = ["--name other", "--restart always", "--status-fd 99"];
    for (rm, flags) in bad.iter().flat_map(|flags| [("--rm", flags), ("--rm=failed", flags)]) {
        host.sh(&format!("ns-spawn -f doc {rm} {flags} -- true")).fails(125);
        assert!(record(&host, &doc)["state"].is_object(), "{rm} {flags} took it");
    }
    let mut failed = doc.clone();
    failed["error"] = json!({"tool": "cg-limit", "code": "exists", "message": "no", "exit": 1});
    host.pipe_to(&failed, "ns-spawn", &["--rm=failed", "--", "true"]).exits(125);
    host.sh("ns-spawn -f doc -- cat /data").ok().stdout_is("kept\n");
}

fn rm_leaves_nothing() {
    let host = Host::new();
    for (flags, status) in
        [("-- true", 0), ("-- false", 1), ("-- nope", 127), ("-u nosuch -- true", 125), ("--init -- true", 0)]
    {
        container(&host, "busybox");
        host.sh(&format!("ns-spawn --rm -f doc {flags}")).exits(status);
        host.assert_clean();
    }
    // An error of a stage before.
    let mut doc = container(&host, "busybox");
    doc["error"] = json!({"tool": "net-attach", "code": "exists", "message": "no", "exit": 1});
    host.pipe_to(&doc, "ns-spawn", &["--rm", "--", "true"]).exits(125).stdout_is("");
    host.assert_clean();
}

fn undo_kills_and_gives_back() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    let running = host.sh_cmd("ns-spawn -f doc -- sleep 6213").spawn();
    host.process("sleep 6213");
    let saved = record(&host, &doc);
    host.pipe_to(&saved, "overlay-mount", &["--undo"]).fails(1).code("busy");
    let undone = host.pipe_to(&saved, "ns-spawn", &["--undo"]).ok().json();
    running.wait().exits(137);
    assert_eq!((&undone["spec"], &undone["steps"]), (&doc["spec"], &doc["steps"]));
    host.pipe_to(&saved, "ns-spawn", &["--undo"]).ok();
    host.pipe_to(&json!({"ctr": 1, "steps": saved["steps"]}), "ns-spawn", &["--undo"]).ok();
    host.pipe_to(&undone, "overlay-mount", &["--undo"]).ok();
    host.assert_clean();
    // Taken away as a whole while it runs: the tool that waits has nothing to complain of.
    container(&host, "busybox");
    let running = host.sh_cmd("ns-spawn -f doc -- sleep 6216").spawn();
    host.process("sleep 6216");
    running.signal(Signal::SIGSTOP);
    let path = "$CTR_ROOT/containers/*/document.json";
    host.sh(&format!("ns-spawn --undo <$(echo {path}) | overlay-mount --undo")).succeeds();
    running.signal(Signal::SIGCONT);
    let ran = running.wait().exits(137);
    assert!(ran.stderr.is_empty(), "{ran}");
    host.assert_clean();
}

fn check_tells_what_differs() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    let running = host.sh_cmd("ns-spawn -f doc -- sleep 6214").spawn();
    let pid = host.process("sleep 6214");
    let mut saved = record(&host, &doc);
    saved["state"] = serde_json::from_slice(&fs::read(state_file(&host, &doc)).unwrap()).unwrap();
    host.pipe_to(&saved, "ns-spawn", &["--check"]).ok().stdout_is(&format!("{saved}\n"));
    let mut joined = saved.clone();
    joined["spec"]["linux"]["namespaces"] =
        json!([{"type": "network", "path": format!("/proc/{}/ns/net", std::process::id())}]);
    host.pipe_to(&joined, "ns-spawn", &["--check"]).fails(1).code("invalid").stderr_has("network");
    joined["spec"]["linux"]["namespaces"] = json!([{"type": "network", "path": "/no/such/namespace"}]);
    host.pipe_to(&joined, "ns-spawn", &["--check"]).fails(1).code("not-found").stderr_has("/no/such/namespace");
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    running.wait().exits(137);
    host.pipe_to(&saved, "ns-spawn", &["--check"]).fails(1).code("not-found");
    host.pipe_to(&record(&host, &doc), "ns-spawn", &["--check"]).ok();
}

fn gc_forgets_the_dead() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    let running = host.cmd("ns-spawn", &["-f", "doc", "--", "sleep", "6215"]).spawn();
    let pid = host.process("sleep 6215");
    host.tool("ns-spawn", &["--gc"]).ok().stdout_is("");
    assert!(processes::alive(pid));
    // Killed, it can tidy up nothing; its container dies with it.
    running.signal(Signal::SIGKILL);
    running.wait();
    for _ in 0..100 {
        if !processes::alive(pid) {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert!(state_file(&host, &doc).exists());
    let removed = host.tool("ns-spawn", &["--gc"]).ok().json();
    assert_eq!((&removed["removed"], &removed["id"]), (&json!("state"), &doc["id"]));
    assert!(!state_file(&host, &doc).exists());
    host.tool("ns-spawn", &["--gc"]).ok().stdout_is("");
    host.sh("ns-spawn -f doc -- true").ok();
}

fn a_document_without_an_id_is_claimed() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    let bare = json!({"ctr": 1, "rootfs": {"path": doc["rootfs"]["path"]}});
    fs::write(host.dir().join("bare"), bare.to_string()).unwrap();
    host.sh("ns-spawn -f bare --name mine -l k=v -- hostname").ok();
    let inspected = host.sh("cat $CTR_ROOT/containers/$(readlink $CTR_ROOT/names/mine)/document.json").ok().json();
    assert_eq!((&inspected["name"], &inspected["labels"]), (&json!("mine"), &json!({"k": "v"})));
    host.sh("ns-spawn -f bare --name mine -- true").fails(125).stderr_has("mine");
    host.pipe_to(&inspected, "ns-spawn", &["--undo"]).ok();
    host.sh("test ! -e $CTR_ROOT/names/mine").ok();
    // Nothing of it stays where it failed or was to be removed.
    host.sh("ns-spawn -f bare --name mine -- nope").fails(127);
    host.sh("ns-spawn -f bare --name mine --rm -- true").ok();
    host.sh("test ! -e $CTR_ROOT/names/mine && ls $CTR_ROOT/containers")
        .ok()
        .stdout_is(&format!("{}\n", doc["id"].as_str().unwrap()));
}

fn stdin_is_whose_it_should_be() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    host.sh("echo data | ns-spawn -f doc -i -- cat").ok().stdout_is("data\n");
    host.sh("echo data | ns-spawn -f doc -- cat").ok().stdout_is("data\n");
    // The document was stdin: nothing of what follows it is the container's.
    host.pipe_to(&doc, "ns-spawn", &["-i", "--", "cat"]).ok().stdout_is("");
    host.sh("{ cat doc; } | ns-spawn -- wc -c").ok().stdout_is("0\n");
    host.sh("exec 3<doc; echo data | ns-spawn -f /dev/fd/3 -- sh -c 'cat; ls /proc/self/fd'")
        .ok()
        .stdout_is("data\n0\n1\n2\n3\n");
}
