//! Containers for the tests of what reads records.

use crate::living::start;
use ctr_tests::*;
use std::fs;

/// Makes a container that is not started, by the pipe; gives its id.
pub fn create(host: &Host, name: &str, flags: &str) -> String {
    let made = format!("img-pull --pull missing busybox | img-unpack | overlay-mount --name {name} {flags}");
    host.sh(&made).ok().json()["id"].as_str().unwrap().to_owned()
}

/// The record of a container, changed by `change`.
pub fn edit(host: &Host, id: &str, change: impl FnOnce(&mut Value)) {
    let path = host.record(id);
    let mut doc: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut doc);
    fs::write(&path, format!("{doc}\n")).unwrap();
}

/// What a supervisor would have written of the process `pid`: `state` with its pid and start time.
pub fn lives(host: &Host, id: &str, pid: i32, mut state: Value) {
    state["pid"] = json!(pid);
    state["pidStart"] = json!(start(pid));
    let dir = host.run().join("containers").join(id);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("state.json"), state.to_string()).unwrap();
}

/// The process of a container that a test makes up: a child of the test, ended when it is dropped.
pub fn process(host: &Host) -> command::Running {
    host.cmd("sleep", &["600"]).spawn()
}
