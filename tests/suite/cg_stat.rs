//! cg-stat: the kernel's figures, of groups that the tests make themselves, on both versions; `ctr stats`.

use crate::living::{StandIn, kill, until};
use ctr_cgroup::{Group, Layout};
use ctr_tests::{command::Running, *};
use nix::sys::signal::Signal;
use std::{
    cell::RefCell,
    fs,
    io::{BufRead, BufReader},
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt, net::UnixStream},
    },
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

pub fn tests() -> Vec<Test> {
    tests!("cg-stat",
        ["root"]:
            the_figures_are_the_kernels,
            limits_are_shown,
            percentages_come_with_the_second_reading,
            interfaces_of_a_network_of_its_own,
            containers_by_name_and_all_of_them,
            a_document_names_the_group,
            a_document_with_an_error_is_passed_on,
            a_container_without_a_group_has_no_figures,
            what_ends_is_followed_to_its_end,
            nobody_reads,
            nobody_reads_a_socket,
            a_name_is_given_to_another,
            bad_arguments;
        ["root", "ip"]:
            an_interface_need_not_be_called_in_utf_8;
        ["root", "cgroup2-tree"]:
            pressure_is_there_on_a_hybrid_host_too;
        ["root", "overlay", "umoci", "busybox"]:
            stats_of_a_container,
            stats_on_a_terminal,
            warnings_on_a_terminal;
        ["root", "cgroup1", "podman", "runc", "umoci", "skopeo", "busybox"]:
            agrees_with_podman
    )
}

/// A group in every hierarchy that has figures; taken away when it is dropped.
struct Made {
    path: String,
    groups: Vec<Group>,
}

impl Made {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let path = format!("ctr-tests-stat.{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let layout = Layout::read().unwrap();
        if layout.is_unified() {
            let root = &layout.version_2().unwrap().dir;
            fs::write(root.join("cgroup.subtree_control"), "+cpu +memory +io +pids").unwrap();
        }
        let has = |name| layout.of(name).cloned();
        let mut hierarchies: Vec<_> =
            ["cpu", "cpuacct", "memory", "blkio", "pids"].into_iter().filter_map(has).collect();
        hierarchies.extend(layout.version_2().cloned());
        let mut groups: Vec<Group> = Vec::new();
        for hierarchy in hierarchies {
            if !groups.iter().any(|group| group.hierarchy == hierarchy) {
                let group = Group::new(hierarchy, PathBuf::from(&path));
                group.make().unwrap();
                groups.push(group);
            }
        }
        Self { path: format!("/{path}"), groups }
    }

    /// Moves a process into all of them.
    fn take(&self, pid: i32) {
        self.groups.iter().for_each(|group| group.take(pid).unwrap());
    }

    /// The first of these files that is there: one of version 1 and its twin of version 2.
    fn read(&self, files: [&str; 2]) -> String {
        self.file(files).unwrap_or_else(|| panic!("neither of {files:?} in {}", self.path))
    }

    fn file(&self, files: [&str; 2]) -> Option<String> {
        files.iter().find_map(|file| self.groups.iter().find_map(|group| group.read(file).ok()))
    }

    fn write(&self, files: [&str; 2], value: &str) {
        let has = |group: &&Group| files.iter().any(|file| group.dir().join(file).exists());
        let group = self.groups.iter().find(has).unwrap();
        let file = files.iter().find(|file| group.dir().join(file).exists()).unwrap();
        group.write(file, value).unwrap();
    }

    fn is_version_2(&self) -> bool {
        self.groups.len() == 1
    }

    /// A number of a flat keyed file.
    fn key(&self, files: [&str; 2], keys: [&str; 2]) -> u64 {
        let text = self.read(files);
        let key = keys[usize::from(self.is_version_2())];
        let value = |line: &str| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(value).unwrap_or_else(|| panic!("no {key} in {text}"))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for group in &self.groups {
            let _ = group.kill();
            let _ = group.remove();
        }
    }
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap()
}

/// A process of this command in the group.
fn member(host: &Host, made: &Made, line: &str) -> Running {
    // It waits until it was moved: what it does before is not the group's.
    let process = host.cmd("sh", &["-c", &format!("kill -STOP $$; {line}")]).spawn();
    until("it has stopped", || status(process.pid()) == "T");
    made.take(process.pid());
    kill(process.pid(), Signal::SIGCONT);
    process
}

/// The letter of its state.
fn status(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").map(|(_, rest)| rest[..1].to_owned()).unwrap_or_default()
}

fn stat(host: &Host, args: &[&str]) -> Value {
    let lines = host.tool("cg-stat", args).ok().jsons();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].clone()
}

fn the_figures_are_the_kernels() {
    let (host, made) = (Host::on_disk(), Made::new());
    fs::create_dir_all(host.root()).unwrap();
    let file = host.root().join("written");
    if !made.is_version_2() {
        // Since Linux 6.10 it counts a device's I/O only once there was a limit on it; this one holds nothing up.
        let device = fs::metadata(host.root()).unwrap().dev();
        let limit = format!("{}:{} 1000000000000", libc::major(device), libc::minor(device));
        let blkio = made.groups.iter().find(|group| group.hierarchy.has("blkio"));
        let _ = blkio.map(|group| group.write("blkio.throttle.write_bps_device", &limit));
    }
    let line = format!(
        "dd if=/dev/zero of={0} bs=64k count=16 oflag=direct 2>/dev/null && cat {0} >/dev/null && \
         i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; kill -STOP $$",
        file.display()
    );
    let process = member(&host, &made, &line);
    until("it has worked", || status(process.pid()) == "T" && number(&usage(&made)) > 0 && file.exists());
    // From now on nothing changes, but that the kernel gives back what each processor has charged ahead.
    let found = RefCell::new(Value::Null);
    until("nothing changes", || {
        *found.borrow_mut() = stat(&host, &["--path", &made.path]);
        found.borrow()["memory"]["charged"] == number(&made.read(["memory.usage_in_bytes", "memory.current"]))
    });
    let found = found.into_inner();
    let cpu = number(&usage(&made)) * if made.is_version_2() { 1000 } else { 1 };
    assert_eq!(found["cpu"]["usageNs"], cpu, "{found}");
    assert!(found["cpu"].get("percent").is_none(), "{found}");
    let user = made.key(["cpuacct.stat", "cpu.stat"], ["user", "user_usec"]);
    let unit = if made.is_version_2() { 1000 } else { 1_000_000_000 / 100 };
    assert_eq!(found["cpu"]["userNs"], user * unit, "{found}");
    let memory = &found["memory"];
    let charged = number(&made.read(["memory.usage_in_bytes", "memory.current"]));
    let idle = made.key(["memory.stat", "memory.stat"], ["total_inactive_file", "inactive_file"]);
    assert!(charged > 0 && idle < charged);
    assert_eq!((&memory["charged"], &memory["inactiveFile"]), (&json!(charged), &json!(idle)), "{found}");
    assert_eq!(memory["usage"], charged - idle, "{found}");
    let anon = made.key(["memory.stat", "memory.stat"], ["total_rss", "anon"]);
    assert_eq!(memory["anon"], anon, "{found}");
    assert_eq!(memory["oomKills"], 0, "{found}");
    assert_eq!(found["pids"], json!({"current": 1}), "{found}");
    // Without a limit it is the host's memory.
    let total = fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = total.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(memory["limit"], total * 1024, "{found}");
    let io = made.read(["blkio.throttle.io_service_bytes_recursive", "io.stat"]);
    for device in found["io"].as_array().unwrap() {
        let number = device["device"].as_str().unwrap();
        let written = device["wbytes"].as_u64().unwrap();
        let lines = [format!("{number} Write {written}\n"), format!("wbytes={written} ")];
        assert!(lines.iter().any(|line| io.contains(line)), "{device} {io}");
    }
    // Where the kernel counts at all, what was written past the cache is among it.
    let written: u64 = found["io"].as_array().unwrap().iter().map(|d| d["wbytes"].as_u64().unwrap()).sum();
    let kernel = io.lines().any(|line| line.contains("Write") || line.contains("wbytes"));
    assert_eq!(written >= 1 << 20, kernel, "{found} {io}");
}

/// CPU time: nanoseconds in version 1, microseconds in version 2.
fn usage(made: &Made) -> String {
    if made.is_version_2() {
        return made.key(["cpu.stat", "cpu.stat"], ["", "usage_usec"]).to_string();
    }
    made.read(["cpuacct.usage", "cpuacct.usage"])
}

fn limits_are_shown() {
    let (host, made) = (Host::new(), Made::new());
    made.write(["memory.limit_in_bytes", "memory.max"], "67108864");
    made.write(["pids.max", "pids.max"], "20");
    if made.is_version_2() {
        made.write(["cpu.max", "cpu.max"], "1000 100000");
    } else {
        made.write(["cpu.cfs_quota_us", "cpu.cfs_quota_us"], "1000");
    }
    let _process = member(&host, &made, "while :; do :; done");
    let waited = |found: &Value| found["cpu"]["throttledNs"].as_u64().unwrap();
    until("it is throttled", || waited(&stat(&host, &["--path", &made.path])) > 0);
    let found = stat(&host, &["--path", &made.path]);
    assert_eq!((&found["memory"]["limit"], &found["pids"]["limit"]), (&json!(64 << 20), &json!(20)), "{found}");
    assert!(found["cpu"]["periods"].as_u64() >= found["cpu"]["throttledPeriods"].as_u64(), "{found}");
    assert!(found["cpu"]["throttledPeriods"].as_u64().unwrap() > 0, "{found}");
    let peak = number(&made.file(["memory.max_usage_in_bytes", "memory.peak"]).unwrap());
    assert!(found["memory"]["peak"].as_u64().unwrap() <= peak, "{found}");
}

fn percentages_come_with_the_second_reading() {
    let (host, made) = (Host::new(), Made::new());
    let _process = member(&host, &made, "while :; do :; done");
    let read = |args: &[&str]| host.cmd("cg-stat", args).args(&["--path", &made.path]).run().ok().jsons();
    let lines = read(&["--interval", "100ms", "--count", "3"]);
    assert_eq!(lines.len(), 3);
    let percents: Vec<_> = lines.iter().map(|line| line["cpu"]["percent"].as_f64()).collect();
    assert!(percents[0].is_none() && percents[1..].iter().all(Option::is_some), "{percents:?}");
    // A loop in one thread uses no more than a CPU; the clock ticks of an account may be late by some.
    assert!(percents[1..].iter().flatten().all(|p| (0.0..150.0).contains(p)), "{percents:?}");
    let primed = read(&["--prime", "100ms"]);
    assert!(primed.len() == 1 && primed[0]["cpu"]["percent"].is_number(), "{primed:?}");
    let lists = read(&["--list"]);
    assert_eq!(lists[0][0]["path"], made.path);
}

fn interfaces_of_a_network_of_its_own() {
    let (host, made) = (Host::new(), Made::new());
    let doc = json!({"cgroup": {"path": made.path, "version": 1}});
    let (own, shared) = (StandIn::new(&host, "own", &doc), StandIn::new(&host, "shared", &doc));
    let line = "exec unshare -n bash -c 'ip link set lo up; echo some >/dev/udp/127.0.0.1/9; kill -STOP $$'";
    let process = member(&host, &made, line);
    let device = format!("/proc/{}/net/dev", process.pid());
    let lo = || {
        let text = fs::read_to_string(&device).unwrap_or_default();
        let line = text.lines().find(|line| line.trim_start().starts_with("lo:")).unwrap_or_default().to_owned();
        line.split_ascii_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect::<Vec<u64>>()
    };
    until("it has sent something", || status(process.pid()) == "T" && lo().first().is_some_and(|bytes| *bytes > 0));
    own.runs(process.pid(), None, &json!({}));
    let found = stat(&host, &["own"]);
    let numbers = lo();
    let net = found["net"].as_array().unwrap();
    assert_eq!(net.len(), 1, "{found}");
    assert_eq!((&net[0]["interface"], &net[0]["rxBytes"]), (&json!("lo"), &json!(numbers[0])), "{found}");
    assert_eq!((&net[0]["txBytes"], &net[0]["txPackets"]), (&json!(numbers[8]), &json!(numbers[9])), "{found}");
    // In the network that we are in ourselves there is nothing of its own.
    let process = member(&host, &made, "exec sleep 6501");
    shared.runs(process.pid(), None, &json!({}));
    assert!(stat(&host, &["shared"]).get("net").is_none());
}

fn containers_by_name_and_all_of_them() {
    let (host, made) = (Host::new(), Made::new());
    let doc = json!({"cgroup": {"path": made.path, "version": 1}});
    let (web, db) = (StandIn::new(&host, "web", &doc), StandIn::new(&host, "db", &doc));
    let ended = json!({"status": "stopped", "exitCode": 3, "startedAt": "2026-11-25T10:00:00Z"});
    StandIn::new(&host, "old", &json!({"cgroup": {"path": made.path, "version": 1}, "state": ended}));
    let (first, second) = (member(&host, &made, "exec sleep 6511"), member(&host, &made, "exec sleep 6512"));
    web.runs(first.pid(), None, &json!({}));
    db.runs(second.pid(), None, &json!({"status": "paused"}));
    let names = |args: &[&str]| {
        let lines = host.tool("cg-stat", args).ok().jsons();
        let word = |line: &Value| format!("{}:{}", line["name"].as_str().unwrap(), line["status"].as_str().unwrap());
        lines.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&["web", "db"]), "web:running db:paused");
    assert_eq!(names(&[&web.id[..5], &web.id]), "web:running", "once though it is named twice");
    assert_eq!(names(&["--running"]), "db:paused web:running");
    assert_eq!(names(&["--all"]), "db:paused old:exited web:running");
    let all = host.tool("cg-stat", &["--all"]).ok().jsons();
    let keys: Vec<_> = all[1].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["time", "id", "name", "status"]);
    assert_eq!((&all[2]["id"], &all[2]["pids"]["current"]), (&json!(web.id), &json!(2)));
    host.tool("cg-stat", &["old"]).fails(1).stderr_is("cg-stat: container old is not running");
    host.tool("cg-stat", &["nobody"]).fails(1).stderr_is("cg-stat: no container nobody");
    host.tool("cg-stat", &["web", "nobody"]).fails(1).stdout_is("");
    let waits = json!({"status": "restarting"});
    web.runs(1, Some(second.pid()), &waits);
    let mut note = waits;
    note["supervisor"] = json!({"pid": second.pid(), "pidStart": crate::living::start(second.pid())});
    web.state(&note);
    host.tool("cg-stat", &["web"]).fails(1).stderr_has("container web is restarting");
    assert_eq!(names(&["--running"]), "db:paused web:restarting");
}

fn a_document_names_the_group() {
    let (host, made) = (Host::new(), Made::new());
    let process = member(&host, &made, "exec sleep 6521");
    for doc in [
        json!({"ctr": 1, "cgroup": {"path": made.path, "version": 1}}),
        json!({"ctr": 1, "name": "x", "spec": {"linux": {"cgroupsPath": &made.path[1..]}}}),
    ] {
        let found = host.pipe_to(&doc, "cg-stat", &[]).ok().json();
        assert_eq!((&found["path"], &found["pids"]["current"]), (&json!(made.path), &json!(1)));
        let file = host.dir().join("doc");
        fs::write(&file, doc.to_string()).unwrap();
        assert_eq!(stat(&host, &["-f", file.to_str().unwrap()])["path"], made.path);
    }
    let start = crate::living::start(process.pid());
    let state = |start: u64| json!({"status": "running", "pid": process.pid(), "pidStart": start});
    let mut doc = json!({"ctr": 1, "name": "x", "cgroup": {"path": made.path, "version": 1}, "state": state(start)});
    host.pipe_to(&doc, "cg-stat", &[]).ok();
    doc["state"] = state(start + 1);
    host.pipe_to(&doc, "cg-stat", &[]).fails(1).stderr_is("cg-stat: container x is not running");
    let gone = json!({"ctr": 1, "name": "x", "cgroup": {"path": "/ctr-tests-no-such", "version": 1}});
    host.pipe_to(&gone, "cg-stat", &[])
        .fails(1)
        .stderr_is("cg-stat: container x has no control group /ctr-tests-no-such");
    host.cmd("cg-stat", &["-f", "/no/such"]).run().fails(1).stderr_has("/no/such");
    host.cmd("cg-stat", &[] as &[&str]).stdin("{").run().fails(1).stderr_has("not a document");
    host.cmd("cg-stat", &[] as &[&str]).run().fails(1).stderr_has("stdin is empty");
}

fn a_document_with_an_error_is_passed_on() {
    let host = Host::new();
    let error = json!({"tool": "img-pull", "code": "network", "message": "m", "exit": 7});
    let doc = json!({"ctr": 1, "error": error});
    host.pipe_to(&doc, "cg-stat", &[]).exits(7).stdout_is(&format!("{doc}\n"));
}

fn a_container_without_a_group_has_no_figures() {
    let host = Host::new();
    let web = StandIn::new(&host, "web", &json!({}));
    let process = host.cmd("sleep", &["6531"]).spawn();
    web.runs(process.pid(), None, &json!({}));
    host.tool("cg-stat", &["web"]).fails(1).stderr_has("container web has no control group of its own");
    let doc = json!({"ctr": 1, "name": "x"});
    host.pipe_to(&doc, "cg-stat", &[]).fails(1).stderr_has("container x has no control group of its own");
    let found = stat(&host, &["--running"]);
    assert_eq!(found["name"], "web");
    assert!(found.get("cpu").is_none() && found.get("memory").is_none(), "{found}");
}

fn what_ends_is_followed_to_its_end() {
    let (host, made) = (Host::new(), Made::new());
    let web = StandIn::new(&host, "web", &json!({"cgroup": {"path": made.path, "version": 1}}));
    let process = member(&host, &made, "exec sleep 6541");
    web.runs(process.pid(), None, &json!({}));
    // Long before the next reading is due.
    let mut series = host.cmd("cg-stat", &["--interval", "10m", "web"]).spawn();
    until("it waits", || status(series.pid()) == "S");
    assert!(series.runs());
    drop(process);
    assert_eq!(series.wait().ok().jsons().len(), 1);
    // A group alone is followed until it is gone.
    let bare = Made::new();
    let mut series = host.cmd("cg-stat", &["--interval", "20ms", "--path", &bare.path]).spawn();
    until("it waits", || status(series.pid()) == "S");
    assert!(series.runs());
    drop(bare);
    let lines = series.wait().ok().jsons();
    assert!(lines.iter().all(|line| line["cpu"].is_object()), "{lines:?}");
    host.tool("cg-stat", &["--path", "/ctr-tests-no-such"])
        .fails(1)
        .stderr_is("cg-stat: there is no control group /ctr-tests-no-such");
}

fn nobody_reads() {
    let (host, made) = (Host::new(), Made::new());
    // Nothing is written in the ten minutes, so only the wait can tell.
    let line = format!("{{ cg-stat --interval 10m --path {}; echo $? >&2; }} | head -n1 >/dev/null", made.path);
    host.sh(&line).succeeds().stderr_is("141");
}

fn nobody_reads_a_socket() {
    let (host, made) = (Host::new(), Made::new());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut cmd = host.cmd("cg-stat", &["--interval", "10m", "--path", &made.path]);
    let child = RefCell::new(cmd.command().stdout(OwnedFd::from(theirs)).spawn().unwrap());
    drop(cmd);
    let mut line = String::new();
    BufReader::new(ours).read_line(&mut line).unwrap();
    // Both are gone, reader and socket.
    until("it has ended", || child.borrow_mut().try_wait().unwrap().is_some());
    assert_eq!(child.borrow_mut().wait().unwrap().code(), Some(141));
}

fn a_name_is_given_to_another() {
    let (host, first, second) = (Host::new(), Made::new(), Made::new());
    let group = |made: &Made| json!({"cgroup": {"path": made.path, "version": 1}});
    let (old, new) = (StandIn::new(&host, "a", &group(&first)), StandIn::new(&host, "b", &group(&second)));
    let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; kill -STOP $$";
    let (idle, worked) = (member(&host, &first, "exec sleep 6571"), member(&host, &second, busy));
    until("it has worked", || status(worked.pid()) == "T" && number(&usage(&second)) > 0);
    // One that runs in the foreground keeps its name.
    old.runs(idle.pid(), Some(idle.pid()), &json!({}));
    let out = host.dir().join("out");
    let line = format!("exec cg-stat --running --interval 50ms >{}", out.display());
    let _series = host.sh_cmd(&line).spawn();
    let of = |id: &str| {
        let text = fs::read_to_string(&out).unwrap_or_default();
        // The last line may be written at this moment.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["id"] == id).collect::<Vec<_>>()
    };
    until("it was read", || !of(&old.id).is_empty());
    host.tool("ctr-rename", &["a", "c"]).ok();
    host.tool("ctr-rename", &["b", "a"]).ok();
    new.runs(worked.pid(), None, &json!({}));
    until("the other has the name", || of(&new.id).len() > 1);
    let found = of(&new.id);
    // All that it has used so far is nothing that it used since the reading of the other.
    assert!(found[0]["name"] == "a" && found[0]["cpu"].get("percent").is_none(), "{}", found[0]);
    assert!(found[1]["cpu"]["percent"].is_number(), "{}", found[1]);
    assert_eq!(of(&old.id).last().unwrap()["name"], "c");
}

fn an_interface_need_not_be_called_in_utf_8() {
    let (host, made) = (Host::new(), Made::new());
    let web = StandIn::new(&host, "web", &json!({"cgroup": {"path": made.path, "version": 1}}));
    // Its loopback, for that one is everywhere.
    let line = "exec unshare -n sh -c 'ip link set lo name \"$(printf \"l\\351\")\"; kill -STOP $$'";
    let process = member(&host, &made, line);
    let device = format!("/proc/{}/net/dev", process.pid());
    until("it has its name", || fs::read(&device).is_ok_and(|text| text.windows(3).any(|name| name == b"l\xe9:")));
    web.runs(process.pid(), None, &json!({}));
    assert_eq!(stat(&host, &["web"])["net"][0]["interface"], "l\u{fffd}");
}

fn bad_arguments() {
    let host = Host::new();
    for (args, text) in [
        (&["--interval", "0", "--path", "/"][..], "less than 1ms"),
        (&["--interval", "18446744073709551615", "--path", "/"], "more than a year"),
        (&["--prime", "18446744073709551615", "--path", "/"], "more than a year"),
        (&["--interval", "soon", "--path", "/"], "a duration is"),
        (&["--interval", "-1s", "--path", "/"], "'-1'"),
        (&["--count", "2", "--path", "/"], "--interval"),
        (&["--interval", "1s", "--count", "0", "--path", "/"], "count"),
        (&["--all", "web"], "--all"),
        (&["--all", "--running"], "--running"),
        (&["--running", "--path", "/"], "--path"),
        (&["-f", "x", "web"], "--file"),
    ] {
        host.tool("cg-stat", args).fails(2).stderr_has(text);
    }
    host.tool("cg-stat", &["--path", "/a/../b"]).fails(1).stderr_has("has '..' in it");
    host.tool("ctr", &["stats", "--all", "web"]).fails(2).stderr_has("not both");
    host.tool("ctr", &["stats", "nobody"]).fails(1).stderr_is("cg-stat: no container nobody");
}

fn pressure_is_there_on_a_hybrid_host_too() {
    let (host, made) = (Host::new(), Made::new());
    let found = stat(&host, &["--path", &made.path]);
    for (kind, file) in [("cpu", "cpu.pressure"), ("memory", "memory.pressure"), ("io", "io.pressure")] {
        let Some(text) = made.file([file, file]) else {
            assert!(found["pressure"].get(kind).is_none(), "{found}");
            continue;
        };
        let some = text.lines().find(|line| line.starts_with("some ")).unwrap();
        let total: u64 = some.rsplit_once("total=").unwrap().1.parse().unwrap();
        assert_eq!(found["pressure"][kind]["some"]["totalUs"], total, "{found}");
        assert_eq!(found["pressure"][kind]["some"]["avg10"], 0.0, "{found}");
    }
}

/// A container of the pipe that ns-spawn puts into the group.
fn detached(host: &Host, made: &Made, name: &str, command: &[&str]) {
    let line = format!("img-pull --pull missing busybox | img-unpack | overlay-mount --name {name}");
    let mut doc = host.sh(&line).ok().json();
    doc["spec"]["linux"]["cgroupsPath"] = json!(made.path);
    host.pipe_to(&doc, "ns-spawn", &[&["-d", "--"], command].concat()).ok();
}

fn stats_of_a_container() {
    let (host, made) = (Host::new(), Made::new());
    host.load("busybox");
    made.write(["memory.limit_in_bytes", "memory.max"], "67108864");
    detached(&host, &made, "web", &["sleep", "6551"]);
    let found = host.tool("ctr", &["stats", "--no-stream", "--format", "json"]).ok().json();
    assert_eq!((&found["Name"], &found["PIDs"]), (&json!("web"), &json!("1")), "{found}");
    assert_eq!((&found["NetIO"], &found["CPUPerc"]), (&json!("0B / 0B"), &json!("0.00%")), "{found}");
    assert!(found["MemUsage"].as_str().unwrap().ends_with(" / 64MiB"), "{found}");
    assert!(found["MemPerc"].as_str().unwrap().ends_with('%'), "{found}");
    assert_eq!(found["ID"].as_str().unwrap().len(), 12);
    let table = host.tool("ctr", &["stats", "--no-stream", "web"]).ok().text();
    let titles = table.lines().next().unwrap().split("  ").map(str::trim).filter(|title| !title.is_empty());
    let expected =
        ["CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"].into_iter();
    assert!(titles.eq(expected), "{table}");
    let line = host.tool("ctr", &["stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.Name}}", "web"]).ok();
    assert_eq!(line.text().len(), 64 + " web\n".len());
    host.tool("ctr", &["stats", "--no-stream", "--format", "{{.Nope}}"]).fails(2).stderr_has(".Nope");
    // Not on a terminal the tables follow one another, until the last container has ended.
    let out = host.dir().join("out");
    let stream = host.sh_cmd(&format!("ctr stats --format '{{{{.Name}}}}' web >{}", out.display())).spawn();
    let shown = || fs::read_to_string(&out).unwrap_or_default();
    until("it has shown something", || shown().starts_with("web\n"));
    host.tool("ctr-kill", &["web"]).ok();
    stream.wait().ok();
    assert!(shown().lines().all(|line| line == "web"), "{}", shown());
    host.tool("ctr", &["stats", "web"]).fails(1).stderr_is("cg-stat: container web is not running");
    let all = host.tool("ctr", &["stats", "--all", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.PIDs}}"]).ok();
    all.stdout_is("web -- --\n");
    host.tool("ctr-rm", &["web"]).ok();
}

fn stats_on_a_terminal() {
    let (host, made, other) = (Host::new(), Made::new(), Made::new());
    host.load("busybox");
    detached(&host, &made, "web", &["sleep", "6561"]);
    // The shell stays to the end: with it the terminal loses what was not read from it yet.
    let mut pty = host.pty("trap : INT; ctr stats; echo status $?; read end");
    // Another screen without a cursor.
    pty.expect("\x1b[?1049h\x1b[?25l\x1b[HCONTAINER ID");
    pty.expect("web");
    // One that starts meanwhile appears, one that ends vanishes.
    detached(&host, &other, "late", &["sleep", "6562"]);
    pty.expect("late");
    host.tool("ctr-kill", &["web"]).ok();
    host.tool("ctr-rm", &["web"]).ok();
    let alone = |text: &str| text.rsplit_once("\x1b[H").is_some_and(|(_, frame)| !frame.contains("web"));
    until("it is gone", || alone(&pty.text()));
    // The terminal grows: the bars have room.
    pty.resize(40, 160);
    pty.expect("CPU %              MEM USAGE");
    pty.send("\x03");
    pty.expect("\x1b[?25h\x1b[?1049l");
    let last = pty.expect("status 130");
    assert!(last.contains("late") && !last.contains("web"), "{last:?}");
    pty.send("\r");
    pty.wait();
    host.tool("ctr-kill", &["late"]).ok();
    host.tool("ctr-rm", &["late"]).ok();
}

fn warnings_on_a_terminal() {
    let (host, made) = (Host::new(), Made::new());
    let doc = json!({"cgroup": {"path": made.path, "version": 1}});
    let (web, odd) = (StandIn::new(&host, "web", &doc), StandIn::new(&host, "odd", &doc));
    let process = member(&host, &made, "exec sleep 6581");
    web.runs(process.pid(), None, &json!({}));
    odd.runs(process.pid(), None, &json!({}));
    let mut pty = host.pty("trap : INT; ctr stats; echo status $?; read end");
    pty.expect("odd");
    odd.state(&json!("nonsense"));
    // The first of them may have been under way.
    let gone = |text: &str| {
        text.rsplit_once("\x1b[H").is_some_and(|(_, frame)| frame.contains("web") && !frame.contains("odd"))
    };
    until("it is left out", || gone(&pty.text()));
    pty.send("\x03");
    pty.expect("\x1b[?25h\x1b[?1049l");
    let last = pty.expect("status 130");
    assert!(last.contains("cg-stat: container 6f646400"), "{last:?}");
    pty.send("\r");
    pty.wait();
}

fn agrees_with_podman() {
    let (host, parent) = (Host::new(), Made::new());
    let dir = host.dir();
    let file = |name: &str, text: String| {
        fs::write(dir.join(name), text).unwrap();
        dir.join(name)
    };
    // Nothing outside of the test's directory.
    let dir = dir.display();
    let storage = format!("[storage]\ndriver=\"vfs\"\ngraphroot=\"{dir}/podman\"\nrunroot=\"{dir}/podman-run\"\n");
    let engine = format!(
        "[engine]\ncgroup_manager=\"cgroupfs\"\nevents_logger=\"none\"\nlock_type=\"file\"\nruntime=\"runc\"\n\
         tmp_dir=\"{dir}/libpod\"\n"
    );
    let (storage, engine) = (file("storage.conf", storage), file("containers.conf", engine));
    let podman = |args: &[&str]| {
        let cmd = host.cmd("podman", args).env("CONTAINERS_STORAGE_CONF", &storage).env("CONTAINERS_CONF", &engine);
        cmd.run().succeeds().text()
    };
    podman(&["load", "-q", "-i", images::docker_archive("busybox").to_str().unwrap()]);
    let image = podman(&["images", "-q"]);
    let load = "head -c 50000000 /dev/zero >/dev/shm/x; while :; do :; done";
    let run = ["run", "-d", "--network", "none", "-m", "200m", "--cgroup-parent", &parent.path, "--name", "x"];
    // Those that this process has: to raise them takes a capability.
    let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"];
    let id = podman(&[&run[..], &limits, &[image.trim(), "sh", "-c", load]].concat());
    let path = format!("{}/libpod-{}", parent.path, id.trim());
    let memory = |found: &Value| found["memory"]["usage"].as_f64().unwrap();
    let settled = |found: &Value| memory(found) > 50e6 && found["pids"]["current"] == 1;
    until("it has its memory", || settled(&stat(&host, &["--path", &path])));
    let before = stat(&host, &["--path", &path]);
    let theirs: Value = serde_json::from_str(&podman(&["stats", "--no-stream", "--format", "json", "x"])).unwrap();
    let after = stat(&host, &["--path", &path]);
    let text = |key: &str| theirs[0][key].as_str().unwrap().to_owned();
    let near = |ours: f64, theirs: f64| assert!((ours / theirs - 1.0).abs() < 0.02, "{after} {}", text("mem_usage"));
    let megabytes = |text: &str| text.trim().strip_suffix("MB").unwrap().parse::<f64>().unwrap() * 1e6;
    let (usage, limit) = text("mem_usage").split_once('/').map(|(a, b)| (megabytes(a), megabytes(b))).unwrap();
    near(memory(&after), usage);
    near(after["memory"]["limit"].as_f64().unwrap(), limit);
    near(after["memory"]["percent"].as_f64().unwrap(), text("mem_percent").trim_end_matches('%').parse().unwrap());
    assert_eq!(after["pids"]["current"].to_string(), text("pids"));
    // It was read between ours; to the microsecond, for it comes as a fraction.
    let seconds = |found: &Value| found["cpu"]["usageNs"].as_f64().unwrap() / 1e9;
    let time = text("cpu_time");
    let time = match time.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse::<f64>().unwrap() / 1e3,
        None => time.rsplit('m').next().unwrap().trim_end_matches('s').parse().unwrap(),
    };
    let between = seconds(&before) - 1e-6 <= time && time <= seconds(&after) + 1e-6;
    assert!(between, "{before} {time} {after}");
    podman(&["rm", "-f", "-t", "0", "x"]);
    // Podman puts it into every hierarchy there is, and its monitor beside it, which ends a moment later.
    for group in Layout::read().unwrap().groups(std::path::Path::new(&parent.path[1..])) {
        until("its groups are empty", || group.processes().is_empty());
        group.remove().unwrap();
    }
}
