//! cg-limit: what is asked for is what the kernel has, on either version of control groups; nothing is left.

use crate::living::*;
use ctr_tests::*;
use nix::sys::signal::Signal;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("cg-limit",
        ["root"]:
            limits_set_are_limits_read_back,
            what_a_document_says_is_set,
            undo_gives_the_document_back,
            check_names_what_differs,
            repair_makes_it_anew,
            gc_takes_what_belongs_to_nobody,
            gc_leaves_what_another_made,
            undo_is_of_the_documents_own_container,
            a_root_is_one_by_all_its_paths,
            what_was_killed_half_way_is_gone_after_gc,
            what_cannot_be_is_one_line_and_no_group,
            a_group_with_processes_is_busy,
            what_is_frozen_is_ended_too,
            a_group_left_half_made_begins_anew,
            dry_run_makes_nothing,
            a_command_has_groups_of_its_own,
            a_commands_end_is_its_own,
            a_directory_of_devices_has_an_end,
            what_a_command_leaves_is_killed,
            signals_reach_a_command,
            memory_beyond_the_limit_kills,
            half_a_processor_is_half_of_one,
            a_fork_bomb_is_stopped;
        ["root", "loop"]:
            writing_is_as_slow_as_was_said;
        ["root", "overlay", "umoci", "busybox"]:
            a_container_is_in_its_groups_from_the_first,
            a_group_that_limits_nothing_is_not_believed,
            what_it_may_open_is_what_was_said,
            a_device_of_the_host_is_there,
            inspect_shows_them_as_docker_does,
            privileged_ones_open_everything,
            processors_are_what_nproc_sees,
            memory_of_a_container_kills_with_137,
            nothing_is_known_of_a_root_that_is_not_mounted;
        ["root", "cgroup2"]:
            raw_keys_are_written,
            what_version_2_has_not_is_refused,
            groups_hand_controllers_on;
        ["root", "cgroup1"]:
            what_version_1_has_not_is_refused,
            a_controller_that_is_not_mounted_is_named,
            a_hierarchy_that_is_read_only_leaves_nothing,
            a_frozen_group_within_is_ended_too,
            without_version_2_a_fork_bomb_ends_too;
        ["root", "cgroup1", "cgroup2-tree"]:
            without_the_controller_a_program_keeps_devices
    )
}

/// Where a file of a group is: beneath its controller in version 1, in the one tree in version 2.
pub fn file(group: &str, name: &str) -> PathBuf {
    let top = Path::new("/sys/fs/cgroup");
    let group = group.trim_start_matches('/');
    if is_version_2() {
        return top.join(group).join(name);
    }
    let controller = name.split('.').next().unwrap();
    top.join(controller).join(group).join(name)
}

pub fn is_version_2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

#[track_caller]
fn read(group: &str, name: &str) -> String {
    let path = file(group, name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).trim().to_owned()
}

/// `cg-limit ARGS` for a document that has nothing yet: it claims a container.
#[track_caller]
fn limited(host: &Host, args: &[&str]) -> Value {
    host.cmd("cg-limit", args).stdin(r#"{"ctr":1}"#).run().ok().json()
}

fn group(doc: &Value) -> String {
    doc["cgroup"]["path"].as_str().unwrap().to_owned()
}

/// Any block device of this machine and its numbers.
fn disk() -> (String, String) {
    let names = fs::read_dir("/sys/block").unwrap().flatten();
    let mut found = names.filter_map(|entry| {
        let node = format!("/dev/{}", entry.file_name().to_str()?);
        let numbers = fs::read_to_string(entry.path().join("dev")).ok()?;
        Path::new(&node).exists().then(|| (node, numbers.trim().to_owned()))
    });
    found.next().expect("a block device")
}

/// One flag, and what it is to be in the files of version 1 and 2; nothing where that version has no such limit.
struct Row {
    flags: &'static [&'static str],
    version_1: &'static [(&'static str, &'static str)],
    version_2: &'static [(&'static str, &'static str)],
}

const fn row(
    flags: &'static [&'static str],
    version_1: &'static [(&'static str, &'static str)],
    version_2: &'static [(&'static str, &'static str)],
) -> Row {
    Row { flags, version_1, version_2 }
}

/// DISK stands for a block device, its numbers in the files.
const TABLE: &[Row] = &[
    row(
        &["-m", "64m"],
        &[("memory.limit_in_bytes", "67108864"), ("memory.memsw.limit_in_bytes", "134217728")],
        &[("memory.max", "67108864"), ("memory.swap.max", "67108864")],
    ),
    row(
        &["-m", "64m", "--memory-swap", "64m"],
        &[("memory.limit_in_bytes", "67108864"), ("memory.memsw.limit_in_bytes", "67108864")],
        &[("memory.max", "67108864"), ("memory.swap.max", "0")],
    ),
    row(
        &["-m", "1.5g", "--memory-swap", "-1"],
        &[("memory.limit_in_bytes", "1610612736"), ("memory.memsw.limit_in_bytes", "9223372036854771712")],
        &[("memory.max", "1610612736"), ("memory.swap.max", "max")],
    ),
    // docker's words for what is not given, and what the kernel makes of too few shares.
    row(
        &[
            "-m",
            "0",
            "--memory-swap",
            "0",
            "--memory-reservation",
            "0",
            "--kernel-memory",
            "0",
            "--cpu-period",
            "0",
            "--cpu-quota",
            "0",
            "--blkio-weight",
            "0",
            "--cpu-shares",
            "1",
        ],
        &[("cpu.shares", "2")],
        &[("cpu.weight", "1")],
    ),
    // Rounded down to pages.
    row(&["-m", "10000000"], &[("memory.limit_in_bytes", "9998336")], &[("memory.max", "9998336")]),
    row(&["--memory-reservation", "32m"], &[("memory.soft_limit_in_bytes", "33554432")], &[("memory.low", "33554432")]),
    row(&["--memory-swappiness", "7"], &[("memory.swappiness", "7")], &[]),
    row(&["--memory-swappiness", "0"], &[("memory.swappiness", "0")], &[]),
    row(&["--oom-kill-disable"], &[("memory.oom_control", "oom_kill_disable 1\nunder_oom 0\noom_kill 0")], &[]),
    row(
        &["--cpus", "0.5"],
        &[("cpu.cfs_quota_us", "50000"), ("cpu.cfs_period_us", "100000")],
        &[("cpu.max", "50000 100000")],
    ),
    row(
        &["--cpu-quota", "20000", "--cpu-period", "50000"],
        &[("cpu.cfs_quota_us", "20000"), ("cpu.cfs_period_us", "50000")],
        &[("cpu.max", "20000 50000")],
    ),
    row(&["--cpu-quota", "20000"], &[("cpu.cfs_quota_us", "20000")], &[("cpu.max", "20000 100000")]),
    row(
        &["--cpu-period", "50000"],
        &[("cpu.cfs_period_us", "50000"), ("cpu.cfs_quota_us", "-1")],
        &[("cpu.max", "max 50000")],
    ),
    row(&["--cpu-shares", "512"], &[("cpu.shares", "512")], &[("cpu.weight", "59")]),
    row(&["-c", "1024"], &[("cpu.shares", "1024")], &[("cpu.weight", "100")]),
    row(&["-c", "262144"], &[("cpu.shares", "262144")], &[("cpu.weight", "10000")]),
    row(&["--cpuset-cpus", "0"], &[("cpuset.cpus", "0")], &[("cpuset.cpus", "0")]),
    row(&["--cpuset-mems", "0"], &[("cpuset.mems", "0")], &[("cpuset.mems", "0")]),
    row(&["--pids-limit", "20"], &[("pids.max", "20")], &[("pids.max", "20")]),
    row(&["--pids-limit", "-1"], &[("pids.max", "max")], &[("pids.max", "max")]),
    row(
        &["--device-read-bps", "DISK:1m", "--device-read-iops", "DISK:50"],
        &[("blkio.throttle.read_bps_device", "DISK 1048576"), ("blkio.throttle.read_iops_device", "DISK 50")],
        &[("io.max", "DISK rbps=1048576 wbps=max riops=50 wiops=max")],
    ),
    row(
        &["--device-write-bps", "DISK:2mb", "--device-write-iops", "DISK:100"],
        &[("blkio.throttle.write_bps_device", "DISK 2097152"), ("blkio.throttle.write_iops_device", "DISK 100")],
        &[("io.max", "DISK rbps=max wbps=2097152 riops=max wiops=100")],
    ),
];

fn limits_set_are_limits_read_back() {
    let host = Host::new();
    let (disk, numbers) = disk();
    for Row { flags, version_1, version_2 } in TABLE {
        let files = if is_version_2() { version_2 } else { version_1 };
        if files.is_empty() {
            continue;
        }
        let flags: Vec<String> = flags.iter().map(|flag| flag.replace("DISK", &disk)).collect();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let doc = limited(&host, &flags);
        schema::assert_valid(std::slice::from_ref(&doc));
        for (name, value) in *files {
            assert_eq!(read(&group(&doc), name), value.replace("DISK", &numbers), "{flags:?}: {name}");
            // A period alone writes no quota.
            let is_written = (*name, *value) != ("cpu.cfs_quota_us", "-1");
            assert_eq!(doc["cgroup"]["limits"][name].is_string(), is_written, "{flags:?}: {name} in {}", doc["cgroup"]);
        }
        host.pipe_to(&doc, "cg-limit", &["--check"]).ok();
        host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
        host.assert_clean();
    }
    // This one depends on the scheduler that the kernel has.
    let doc = limited(&host, &[]);
    let names = ["blkio.weight", "blkio.bfq.weight", "io.bfq.weight", "io.weight"];
    let has = names.into_iter().find(|name| file(&group(&doc), name).exists());
    host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
    let ran = host.cmd("cg-limit", &["--blkio-weight", "300"]).stdin(r#"{"ctr":1}"#).run();
    match has {
        Some(name) => {
            let doc = ran.ok().json();
            let expected = if name == "io.weight" { "default 2930" } else { "300" };
            assert_eq!(
                read(&group(&doc), name).trim_start_matches("default "),
                expected.trim_start_matches("default ")
            );
        }
        None => drop(ran.fails(1).code("unsupported").stderr_has("controller")),
    }
}

/// The runtime-spec's words without a flag; a flag counts more; what is there of others stays.
fn what_a_document_says_is_set() {
    let host = Host::new();
    let doc = json!({"ctr": 1, "spec": {"linux": {"sysctl": {"a": "b"}, "resources": {"pids": {"limit": 30},
        "memory": {"limit": 67_108_864}}}}});
    let run = |args: &[&str]| host.pipe_to(&doc, "cg-limit", args).ok().json();
    let plain = run(&[]);
    assert_eq!(read(&group(&plain), "pids.max"), "30");
    assert_eq!(plain["spec"]["linux"]["sysctl"], json!({"a": "b"}));
    assert_eq!(plain["spec"]["linux"]["cgroupsPath"], plain["cgroup"]["path"]);
    assert_eq!(plain["spec"]["linux"]["resources"]["memory"], json!({"limit": 67_108_864}), "swap is not said");
    assert_eq!(plain["spec"]["linux"]["resources"]["devices"].as_array().unwrap().len(), 12);
    let other = run(&["--pids-limit", "40"]);
    assert_eq!(read(&group(&other), "pids.max"), "40");
    assert_eq!(other["spec"]["linux"]["resources"]["pids"]["limit"], 40);
    let memory = if is_version_2() { "memory.max" } else { "memory.limit_in_bytes" };
    assert_eq!(read(&group(&other), memory), "67108864");
    // A second time there is one already.
    host.pipe_to(&plain, "cg-limit", &[]).fails(1).code("exists");
    let odd =
        json!({"ctr": 1, "spec": {"linux": {"resources": {"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}}}});
    host.pipe_to(&odd, "cg-limit", &[]).fails(1).code("invalid").stderr_has("hugepageLimits");
}

fn undo_gives_the_document_back() {
    let host = Host::new();
    let before = json!({"ctr": 1, "x": 7, "spec": {"linux": {"resources": {"pids": {"limit": 30}}, "sysctl": {}}}});
    let doc = host.pipe_to(&before, "cg-limit", &["-m", "64m", "--cgroup-parent", "/"]).ok().json();
    assert!(file(&group(&doc), "pids.max").exists());
    assert_eq!(host.pipe_to(&doc, "cg-limit", &["--undo"]).ok().json(), before);
    host.assert_clean();
    // Idempotent.
    assert_eq!(host.pipe_to(&doc, "cg-limit", &["--undo"]).ok().json(), before);
    // A path of the document is not believed, nor a parent that leads out.
    let mut evil = doc.clone();
    evil["cgroup"]["path"] = json!("/");
    host.pipe_to(&evil, "cg-limit", &["--undo"]).ok();
    host.pipe_to(&evil, "cg-limit", &["--check"]).fails(1).code("invalid");
    evil["steps"][0]["undo"]["parent"] = json!("/../..");
    host.pipe_to(&evil, "cg-limit", &["--undo"]).fails(1).code("invalid");
    evil["steps"][0]["undo"]["id"] = json!("../x");
    host.pipe_to(&evil, "cg-limit", &["--undo"]).fails(1).code("invalid");
}

fn check_names_what_differs() {
    let host = Host::new();
    let doc = limited(&host, &["--pids-limit", "20", "-m", "64m"]);
    host.pipe_to(&doc, "cg-limit", &["--check"]).ok();
    fs::write(file(&group(&doc), "pids.max"), "21").unwrap();
    host.pipe_to(&doc, "cg-limit", &["--check"]).fails(1).code("invalid").stderr_has("pids.max is \"21\", not \"20\"");
    fs::write(file(&group(&doc), "pids.max"), "20").unwrap();
    if !is_version_2() {
        fs::write(file(&group(&doc), "devices.allow"), "b 7:7 r").unwrap();
        host.pipe_to(&doc, "cg-limit", &["--check"]).fails(1).code("invalid").stderr_has("b 7:7 r");
        fs::write(file(&group(&doc), "devices.deny"), "b 7:7 r").unwrap();
    }
    host.pipe_to(&doc, "cg-limit", &["--check"]).ok();
    fs::remove_dir(file(&group(&doc), "pids.max").parent().unwrap()).unwrap();
    host.pipe_to(&doc, "cg-limit", &["--check"]).fails(1).code("not-found");
}

/// As after a reboot: nothing is there, and after it all.
fn repair_makes_it_anew() {
    let host = Host::new();
    let doc = limited(&host, &["--pids-limit", "20", "-m", "64m"]);
    leftovers::remove_groups_of(&host.instance());
    assert!(!file(&group(&doc), "pids.max").exists());
    let repaired = host.pipe_to(&doc, "cg-limit", &["--repair"]).ok().json();
    assert_eq!(repaired, doc);
    assert_eq!(read(&group(&doc), "pids.max"), "20");
    host.pipe_to(&doc, "cg-limit", &["--check"]).ok();
    host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
    // One that was removed is not there to be repaired.
    host.pipe_to(&doc, "cg-limit", &["--repair"]).fails(1).code("not-found");
    host.assert_clean();
}

fn gc_takes_what_belongs_to_nobody() {
    let host = Host::new();
    let kept = limited(&host, &[]);
    let lost = limited(&host, &["--cgroup-parent", &format!("/{}-above", host.instance())]);
    let runs = host.cmd("cg-limit", &["--", "sh", "-c", "exec sleep 1000 >/dev/null 2>&1"]).spawn();
    host.process("sleep 1000");
    fs::remove_dir_all(host.root().join("containers").join(lost["id"].as_str().unwrap())).unwrap();
    let removed = host.tool("cg-limit", &["--gc"]).ok().jsons();
    assert!(!removed.is_empty());
    assert!(removed.iter().all(
        |line| line["removed"] == "cgroup" && line["path"].as_str().unwrap().contains(lost["id"].as_str().unwrap())
    ));
    assert!(file(&group(&kept), "pids.max").exists());
    assert!(!file(&group(&lost), "pids.max").exists());
    host.tool("cg-limit", &["--gc"]).ok().stdout_is("");
    // Its cg-limit is gone: so is who waits for the command.
    runs.signal(Signal::SIGKILL);
    drop(runs.wait());
    let removed = host.tool("cg-limit", &["--gc"]).ok().jsons();
    assert!(removed.iter().any(|line| line["path"].as_str().unwrap().contains("/run-")), "{removed:?}");
    until("it is killed", || processes::of(&host.dir()).is_empty());
    host.pipe_to(&kept, "cg-limit", &["--undo"]).ok();
}

/// A ctr within a container, one whose root is not mounted here, a command of another PID namespace: their names may be ours.
fn gc_leaves_what_another_made() {
    let host = Host::new();
    let mut sleeper = host.cmd("sleep", &["1000"]).spawn();
    let stays = |group: &str, sleeper: &mut command::Running, gc: &dyn Fn() -> Ran| {
        let group = file(group, "pids.max").parent().unwrap().to_owned();
        fs::create_dir_all(&group).unwrap();
        fs::write(group.join("cgroup.procs"), sleeper.pid().to_string()).unwrap();
        gc().ok().stdout_is("");
        assert!(sleeper.runs() && group.exists(), "{}", group.display());
    };
    let id = "ab".repeat(32);
    // With nobody in it, it is what a cg-limit left that was killed between two system calls: those may go.
    let gc = || {
        let removed = host.tool("cg-limit", &["--gc"]).ok().jsons();
        assert!(removed.iter().all(|line| line["path"].as_str().unwrap().ends_with(&id)), "{removed:?}");
        host.tool("cg-limit", &["--gc"])
    };
    let kept = limited(&host, &[]);
    stays(&format!("/{0}-nest/{0}/{id}", host.instance()), &mut sleeper, &gc);
    stays(&format!("/{}/{id}", host.instance()), &mut sleeper, &gc);
    stays(&group(&kept), &mut sleeper, &gc);
    assert!(!leftovers::groups_of(&host.instance()).iter().any(|group| group.ends_with(&id)));
    let root = host.root().display().to_string();
    for change in
        [format!("mount -t tmpfs none {root}"), format!("mount -t tmpfs none {root} && mkdir {root}/containers")]
    {
        stays(&group(&kept), &mut sleeper, &|| elsewhere(&host, &change, "cg-limit --gc"));
    }
    let apart = host.cmd("unshare", &["-pf", "--mount-proc", "cg-limit", "--", "sleep", "1002"]).spawn();
    let inner = host.process("sleep 1002");
    gc().ok().stdout_is("");
    kill(inner, Signal::SIGKILL);
    apart.wait().exits(137);
    host.pipe_to(&kept, "cg-limit", &["--undo"]).ok();
    sleeper.wait().exits(137);
    // The one of the container within.
    leftovers::remove_groups_of(&host.instance());
}

/// No step names another's container, and none goes that others still need.
fn undo_is_of_the_documents_own_container() {
    let host = Host::new();
    let (victim, own) = (limited(&host, &[]), limited(&host, &[]));
    let id = victim["id"].as_str().unwrap();
    let mut sleeper = host.cmd("sleep", &["1000"]).spawn();
    let procs = file(&group(&victim), "pids.max").with_file_name("cgroup.procs");
    fs::write(procs, sleeper.pid().to_string()).unwrap();
    for tool in ["cg-limit", "overlay-mount", "ns-spawn"] {
        let step = json!({"tool": tool, "undo": {"id": id, "parent": "/", "claimed": true, "before": {"x": 1}}});
        // A bare step is done where it is one that the record has; this one differs, as one that was undone before.
        host.pipe_to(&json!({"ctr": 1, "steps": [step]}), tool, &["--undo"]).ok();
        let evil = json!({"ctr": 1, "id": own["id"], "steps": [step]});
        host.pipe_to(&evil, tool, &["--undo"]).fails(1).code("invalid").stderr_has("not the document's");
        assert!(sleeper.runs() && host.root().join("containers").join(id).exists(), "{tool}");
    }
    // Something of it is mounted still.
    let point = host.run().join("containers").join(id).join("rootfs");
    fs::create_dir_all(&point).unwrap();
    host.cmd("mount", &["-t", "tmpfs", "none"]).arg(&point).run().ok();
    let ran = host.pipe_to(&victim, "cg-limit", &["--undo"]);
    host.cmd("umount", &[point]).run().ok();
    ran.fails(1).code("busy").stderr_has("is mounted");
    assert!(sleeper.runs());
    host.pipe_to(&victim, "cg-limit", &["--undo"]).ok();
    sleeper.wait().exits(137);
    host.pipe_to(&own, "cg-limit", &["--undo"]).ok();
    host.assert_clean();
}

/// With a slash, by a link, and after it was moved.
fn a_root_is_one_by_all_its_paths() {
    let host = Host::new();
    let root = host.root().to_owned();
    let (link, moved) = (host.dir().join("link"), host.dir().join("moved"));
    std::os::unix::fs::symlink(&root, &link).unwrap();
    let by = |root: &Path, args: &[&str], doc: &Value| {
        host.cmd("cg-limit", args).env("CTR_ROOT", root).stdin(doc.to_string()).run().ok().json()
    };
    for path in [root.join(""), link.clone(), root.clone()] {
        let doc = by(&path, &[], &json!({"ctr": 1}));
        assert_eq!(group(&doc), format!("/{}/{}", host.instance(), doc["id"].as_str().unwrap()), "{}", path.display());
        host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
        host.assert_clean();
    }
    let doc = by(&root, &["--pids-limit", "20"], &json!({"ctr": 1}));
    fs::rename(&root, &moved).unwrap();
    by(&moved, &["--check"], &doc);
    by(&moved, &["--undo"], &doc);
    host.assert_clean();
}

/// Killed at ever later moments: what is left, gc takes.
fn what_was_killed_half_way_is_gone_after_gc() {
    let host = Host::new();
    for micros in (0..6000).step_by(150) {
        let run = host.cmd("cg-limit", &["-m", "64m"]).stdin(r#"{"ctr":1}"#).spawn();
        std::thread::sleep(Duration::from_micros(micros));
        run.signal(Signal::SIGKILL);
        drop(run.wait());
    }
    // Their containers are for overlay-mount's gc, which takes them by their first record.
    host.tool("overlay-mount", &["--gc"]).ok();
    host.tool("cg-limit", &["--gc"]).ok();
    let whole = fs::read_dir(host.root().join("containers")).into_iter().flatten().flatten();
    for entry in whole {
        let record = host.record(&entry.file_name().to_string_lossy());
        let doc: Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
        host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
    }
    host.assert_clean();
}

fn what_cannot_be_is_one_line_and_no_group() {
    let host = Host::new();
    for (args, code, part) in [
        (&["-m", "1m"][..], "invalid", "below the least"),
        (&["-m", "x"], "invalid", "invalid size"),
        (&["-m", "64m", "--memory-swap", "32m"], "invalid", "less than memory"),
        (&["--memory-swap", "64m"], "invalid", "needs a memory limit"),
        (&["-m", "64m", "--memory-reservation", "128m"], "invalid", "more than the memory limit"),
        (&["--memory-swappiness", "101"], "invalid", "from 0 to 100"),
        (&["--kernel-memory", "64m"], "unsupported", "5.16"),
        (&["--cpus", "1000"], "invalid", "processors are from"),
        (&["--cpus", "-1"], "invalid", "processors are from"),
        (&["--cpus", "1", "--cpu-quota", "1000"], "usage", "not both"),
        (&["--cpu-quota", "10"], "invalid", "below the least"),
        (&["--cpu-period", "10"], "invalid", "cpu period is from 1000"),
        (&["--cpuset-cpus", "9999"], "invalid", "there is no 9999"),
        (&["--cpuset-cpus", "0-"], "invalid", "invalid list"),
        (&["--cpuset-mems", "77"], "invalid", "there is no 77"),
        (&["--blkio-weight", "5"], "invalid", "from 10 to 1000"),
        (&["--device", "/dev/nothing"], "not-found", "/dev/nothing"),
        (&["--device", "/etc/passwd"], "invalid", "is no device"),
        (&["--device", "/dev/null:/dev/x:q"], "usage", "is not HOST"),
        (&["--device-cgroup-rule", "c 1"], "usage", "invalid device rule"),
        (&["--device-read-bps", "/dev/nothing:1m"], "not-found", "/dev/nothing"),
        (&["--device-read-bps", "/dev/null:1m"], "invalid", "no block device"),
        (&["--device-read-bps", "/dev/null"], "usage", "DEVICE:RATE"),
        (&["--cgroup-conf", "memory.high"], "usage", "KEY=VALUE"),
        (&["--cgroup-conf", "cgroup.procs=1"], "invalid", "is no limit"),
        (&["--cgroup-conf", "a.b/../c=1"], "invalid", "invalid setting"),
        (&["--cgroup-conf", "nothing.max=1"], "unsupported", "controller nothing"),
        (&["--cgroup-parent", "/../x"], "invalid", "'..'"),
    ] {
        let ran = host.cmd("cg-limit", args).stdin(r#"{"ctr":1}"#).run();
        let ran = ran.fails(if code == "usage" { 2 } else { 1 }).code(code);
        ran.stderr_has(part);
        host.assert_clean();
    }
    // More than the group above has.
    let above = format!("/{}-above", host.instance());
    let (memory, pids) = (if is_version_2() { "memory.max" } else { "memory.limit_in_bytes" }, "pids.max");
    let outer = limited(&host, &["--cgroup-parent", &above]);
    for (name, value) in [(memory, "33554432"), (pids, "10")] {
        fs::write(file(&above, name), value).unwrap();
    }
    for args in [["-m", "64m"], ["--pids-limit", "11"]] {
        let args = [&args[..], &["--cgroup-parent", &above]].concat();
        let ran = host.cmd("cg-limit", &args).stdin(r#"{"ctr":1}"#).run().fails(1).code("limit");
        ran.stderr_has(&above[1..]);
    }
    host.pipe_to(&outer, "cg-limit", &["--undo"]).ok();
    // The group above was asked for by name, and stays.
    assert!(file(&above, pids).exists());
    leftovers::remove_groups_of(&host.instance());
    host.assert_clean();
}

fn a_group_with_processes_is_busy() {
    let host = Host::new();
    let doc = limited(&host, &[]);
    let sleeper = host.cmd("sleep", &["1000"]).spawn();
    fs::write(file(&group(&doc), "pids.max").with_file_name("cgroup.procs"), sleeper.pid().to_string()).unwrap();
    let mut again = doc.clone();
    for key in ["cgroup", "steps", "spec"] {
        again.as_object_mut().unwrap().remove(key);
    }
    host.pipe_to(&again, "cg-limit", &[]).fails(1).code("busy").stderr_has("has processes already");
    assert!(file(&group(&doc), "pids.max").exists(), "it is not taken away");
    // Undo ends it.
    host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
    assert_eq!(sleeper.wait().exits(137).text(), "");
    host.assert_clean();
}

/// By version 1's freezer and by version 2: undo and gc.
fn what_is_frozen_is_ended_too() {
    let host = Host::new();
    for verb in ["--undo", "--gc"] {
        let doc = limited(&host, &[]);
        let sleeper = host.cmd("sleep", &["1000"]).spawn();
        let id = doc["id"].as_str().unwrap();
        let groups = leftovers::groups_of(&host.instance());
        for group in groups.iter().filter(|group| group.ends_with(id)) {
            fs::write(group.join("cgroup.procs"), sleeper.pid().to_string()).unwrap();
        }
        let freezers =
            groups.iter().flat_map(|g| [(g.join("freezer.state"), "FROZEN"), (g.join("cgroup.freeze"), "1")]);
        for (file, word) in freezers.filter(|(file, _)| file.exists() && file.starts_with("/sys/fs/cgroup")) {
            if file.to_string_lossy().contains(id) {
                fs::write(file, word).unwrap();
            }
        }
        if verb == "--gc" {
            fs::remove_dir_all(host.root().join("containers").join(id)).unwrap();
            host.tool("cg-limit", &["--gc"]).ok();
        } else {
            host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
        }
        sleeper.wait().exits(137);
        assert!(leftovers::groups_of(&host.instance()).is_empty());
    }
}

fn a_group_left_half_made_begins_anew() {
    let host = Host::new();
    let doc = limited(&host, &["--pids-limit", "20"]);
    let mut again = doc.clone();
    for key in ["cgroup", "steps", "spec"] {
        again.as_object_mut().unwrap().remove(key);
    }
    let again = host.pipe_to(&again, "cg-limit", &[]).ok().json();
    assert_eq!(read(&group(&again), "pids.max"), "max");
}

fn dry_run_makes_nothing() {
    let host = Host::new();
    let ran = host.cmd("cg-limit", &["--dry-run", "-m", "64m"]).stdin(r#"{"ctr":1}"#).run().succeeds();
    ran.stderr_has("\"op\":\"mkdir\"").stderr_has("\"op\":\"write\"").stderr_has("67108864");
    host.assert_clean();
    let ran = host.cmd("cg-limit", &["--trace", "-m", "64m"]).stdin(r#"{"ctr":1}"#).run().succeeds();
    ran.stderr_has("\"value\":\"67108864\"").stderr_has("\"ms\":");
}

fn a_command_has_groups_of_its_own() {
    let host = Host::new();
    let script = "cat /proc/self/cgroup; sh -c 'cat /proc/self/cgroup'";
    let ran = host.tool("cg-limit", &["--pids-limit", "30", "--", "sh", "-c", script]).ok();
    let text = ran.text();
    let own = format!("/{}/run-", host.instance());
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(":name=")).collect();
    assert!(lines.len() >= 2 && lines.iter().all(|line| line.contains(&own)), "{text}");
    host.assert_clean();
    // Its stdin is the command's.
    host.cmd("cg-limit", &["--", "cat"]).stdin("as it is").run().ok().stdout_is("as it is");
    for args in [["-f", "x", "--", "cat"], ["--name", "x", "--", "cat"], ["-l", "x", "--", "cat"]] {
        host.cmd("cg-limit", &args).run().exits(125).stderr_has("cannot be used with");
    }
    // Devices are as they were, unless something is said of them.
    host.tool("cg-limit", &["--", "sh", "-c", "head -c1 /dev/mem >/dev/null || [ ! -e /dev/mem ]"]).succeeds();
    let (disk, _) = disk();
    let ran = host.tool("cg-limit", &["--device-cgroup-rule", "c 42:* rwm", "--", "head", "-c1", &disk]);
    ran.exits(1).stderr_has("Operation not permitted");
    host.tool("cg-limit", &["--device", &format!("{disk}:r"), "--", "sh", "-c", &format!("exec 3<{disk}")]).ok();
    host.tool("cg-limit", &["--device", &format!("{disk}:r"), "--", "sh", "-c", &format!("exec 3>>{disk}")])
        .exits(2)
        .stderr_has("not permitted");
}

fn a_commands_end_is_its_own() {
    let host = Host::new();
    for (script, status) in [("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("true", 0)] {
        host.tool("cg-limit", &["--", "sh", "-c", script]).exits(status);
    }
    host.tool("cg-limit", &["--", "no-such-program"]).fails(127);
    host.tool("cg-limit", &["--", "/etc/passwd"]).fails(126);
    host.tool("cg-limit", &["-m", "1m", "--", "true"]).fails(125);
    host.tool("cg-limit", &["--no-such-flag", "--", "true"]).exits(125).stdout_is("");
    // Of a parent that does not want to know how its children end.
    host.cmd("env", &["--ignore-signal=CHLD", "cg-limit", "--", "sh", "-c", "exit 7"]).limit(30).run().exits(7);
    host.assert_clean();
}

fn a_directory_of_devices_has_an_end() {
    let host = Host::new();
    let dir = host.dir().join("devices");
    fs::create_dir_all(dir.join("below/pts")).unwrap();
    for (link, to) in
        [("null", "/dev/null"), ("loop", "."), ("below/file", "/etc/passwd"), ("below/pts/zero", "/dev/zero")]
    {
        std::os::unix::fs::symlink(to, dir.join(link)).unwrap();
    }
    let doc = limited(&host, &["--device", &format!("{}:/dev/x", dir.display())]);
    let paths: Vec<&Value> = doc["spec"]["linux"]["devices"].as_array().unwrap().iter().map(|d| &d["path"]).collect();
    assert_eq!(paths, ["/dev/x/null"]);
    host.cmd("cg-limit", &["--device", "/dev"]).stdin(r#"{"ctr":1}"#).limit(30).run().ok();
}

fn what_a_command_leaves_is_killed() {
    let host = Host::new();
    host.tool("cg-limit", &["--", "sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 & exit 3"]).exits(3);
    host.assert_clean();
}

fn signals_reach_a_command() {
    let host = Host::new();
    let script = "trap 'exit 9' TERM; touch up; while :; do sleep 0.01; done";
    let run = host.cmd("cg-limit", &["--", "sh", "-c", script]).spawn();
    until("it is up", || host.dir().join("up").exists());
    run.signal(Signal::SIGTERM);
    run.wait().exits(9);
    // From the terminal each gets it once.
    let count =
        "n=0; trap 'n=$((n+1))' INT; echo ready; while [ $n = 0 ]; do sleep 0.01; done; sleep 0.2; echo counted $n";
    let mut pty = host.pty(&format!("cg-limit -- sh -c \"{}\"", count.replace('$', "\\$")));
    pty.expect("ready");
    pty.send("\x03");
    pty.expect("counted 1");
    drop(pty.wait());
    host.assert_clean();
}

fn memory_beyond_the_limit_kills() {
    let host = Host::new();
    // tail keeps what has no newline in memory.
    host.tool(
        "cg-limit",
        &["-m", "16m", "--memory-swap", "16m", "--", "sh", "-c", "head -c 200m /dev/zero | tail; exit 5"],
    )
    .exits(5);
    host.tool("cg-limit", &["-m", "16m", "--memory-swap", "16m", "--", "tail", "/dev/zero"]).exits(137);
    host.tool("cg-limit", &["--", "sh", "-c", "head -c 40m /dev/zero | tail -c 1 >/dev/null"]).ok();
}

/// Measured from outside, by what the kernel counts.
fn half_a_processor_is_half_of_one() {
    let host = Host::new();
    let doc = limited(&host, &["--cpus", "0.5"]);
    let spin = host.cmd("sh", &["-c", "while :; do :; done"]).spawn();
    let procs = if is_version_2() { file(&group(&doc), "cpu.max") } else { file(&group(&doc), "cpu.shares") };
    fs::write(procs.with_file_name("cgroup.procs"), spin.pid().to_string()).unwrap();
    let used = || -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", spin.pid())).unwrap();
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        // utime and stime, in ticks of 10 ms.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    };
    std::thread::sleep(Duration::from_millis(200));
    let (before, start) = (used(), Instant::now());
    std::thread::sleep(Duration::from_secs(3));
    let share = (used() - before) / start.elapsed().as_secs_f64();
    // Others on this machine may leave it less.
    assert!(share < 0.6, "{share} of a processor");
    host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
    spin.wait().exits(137);
}

fn a_fork_bomb_is_stopped() {
    let host = Host::new();
    let bomb = "b() { b & b & wait; }; b 2>/dev/null & sleep 1; cat /sys/fs/cgroup/pids/$G/pids.peak /sys/fs/cgroup/$G/pids.peak 2>/dev/null";
    let script = format!("G=$(sed -n 's/^[0-9]*:pids:.//p; s/^0::.//p' /proc/self/cgroup | head -n1); {bomb}; :");
    let ran = host.cmd("cg-limit", &["--pids-limit", "20", "--", "sh", "-c", &script]).limit(60).run();
    // The shell that looks may itself not get a process.
    assert!(ran.text().trim().parse::<u32>().is_ok_and(|peak| peak <= 20) || ran.text().is_empty());
    host.assert_clean();
}

fn writing_is_as_slow_as_was_said() {
    let host = Host::on_disk();
    let image = host.root().join("disk");
    fs::create_dir_all(host.root()).unwrap();
    fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    let device = host.cmd("losetup", &["-f", "--show"]).arg(&image).run().ok().text().trim().to_owned();
    let write = format!("dd if=/dev/zero of={device} bs=128k count=24 oflag=direct 2>/dev/null");
    let rate = format!("{device}:1m");
    let start = Instant::now();
    let ran = host.tool("cg-limit", &["--device-write-bps", &rate, "--", "sh", "-c", &write]);
    let took = start.elapsed();
    host.cmd("losetup", &["-d", &device]).run().ok();
    ran.ok();
    // 3 MiB at one a second; the first slice may go at once.
    assert!(took > Duration::from_millis(2400), "{took:?}");
}

/// Its own process and what that starts, seen from the host.
fn a_group_that_limits_nothing_is_not_believed() {
    let host = busybox();
    let pipe =
        "img-pull --pull missing busybox | img-unpack | overlay-mount --volatile | cg-limit --pids-limit 40 -m 20m";
    let doc = host.sh(pipe).ok().json();
    fs::write(host.dir().join("doc"), doc.to_string()).unwrap();
    let group = doc["cgroup"]["path"].as_str().unwrap();
    // Another took a limit away.
    fs::write(file(group, "pids.max"), "max").unwrap();
    host.sh("ns-spawn -f doc -- true").fails(125).stderr_has("pids.max");
    fs::write(file(group, "pids.max"), "40").unwrap();
    // And the rules about devices: then mounts keep it from them.
    let devices = Path::new("/sys/fs/cgroup/devices").join(group.trim_start_matches('/'));
    if devices.exists() {
        fs::write(devices.join("devices.allow"), "a").unwrap();
    }
    let opens = "mknod /d b 7 0 && head -c 1 /d";
    host.sh(&format!("ns-spawn --rm -f doc -- sh -c '{opens}'")).exits(1).stdout_is("");
    host.assert_clean();
}

fn a_container_is_in_its_groups_from_the_first() {
    let host = busybox();
    let run = web(&host, &[], "sleep 1001 & touch /up; wait");
    let ours = format!("/{}/{}", host.instance(), id(&host, "web").unwrap());
    for pid in [pid(&host, "web"), host.process("sleep 1001")] {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let wrong: Vec<&str> = text.lines().filter(|line| !line.contains(":name=") && !line.ends_with(&ours)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    host.sh("ctr rm -f web").ok();
    drop(run.wait());
    host.assert_clean();
}

fn in_container(host: &Host, args: &[&str], script: &str) -> Ran {
    host.cmd("ctr", &[&["run", "--rm"], args, &["busybox", "sh", "-c", script]].concat()).run()
}

fn what_it_may_open_is_what_was_said() {
    let host = busybox();
    let (_, numbers) = disk();
    let (major, minor) = numbers.split_once(':').unwrap();
    let open = format!("mknod /n b {major} {minor} && exec 3</n");
    in_container(&host, &[], &open).fails(1).stderr_has("Operation not permitted");
    in_container(&host, &["--device-cgroup-rule", &format!("b {numbers} rm")], &open).ok();
    in_container(&host, &["--device-cgroup-rule", &format!("b {numbers} w")], &open).fails(1);
    in_container(&host, &[], "echo x >/dev/null; head -c1 /dev/zero /dev/urandom >/dev/full 2>/dev/null; :").succeeds();
    // What takes back a part of a rule has no form in the kernel.
    let doc = json!({"ctr": 1, "spec": {"linux": {"resources": {"devices": [{"allow": true, "type": "c", "major": 1},
        {"allow": false, "type": "c", "major": 1, "minor": 3}]}}}});
    host.pipe_to(&doc, "cg-limit", &[]).fails(1).code("unsupported").stderr_has("takes back a part");
    host.assert_clean();
}

fn a_device_of_the_host_is_there() {
    let host = busybox();
    let (disk, _) = disk();
    let ran = in_container(
        &host,
        &["--device", &format!("{disk}:/dev/x/y:r")],
        "ls -l /dev/x/y; exec 3</dev/x/y && echo read; (exec 3>>/dev/x/y) 2>/dev/null || echo no",
    );
    ran.ok().stdout_has("read\nno");
    in_container(&host, &["--device", "/dev/null:/dev/other"], "echo x >/dev/other && stat -c %t:%T /dev/other")
        .ok()
        .stdout_is("1:3\n");
    // All of a directory.
    let net = Path::new("/dev/net");
    if net.is_dir() {
        in_container(&host, &["--device", "/dev/net"], "ls /dev/net").ok().stdout_has("tun");
    }
}

fn inspect_shows_them_as_docker_does() {
    let host = busybox();
    let (disk, _) = disk();
    let above = format!("/{}-above", host.instance());
    host.sh(&format!(
        "ctr create --name web -m 64m --cpus 0.5 --pids-limit 9 --device-read-bps {disk}:1m --device /dev/null:/dev/x:r \
         --cgroup-parent {above} busybox"
    ))
    .ok();
    let shown = host.sh("ctr inspect web").ok().json()[0]["HostConfig"].take();
    for (key, value) in [
        ("Memory", json!(67_108_864)),
        ("MemorySwap", json!(134_217_728)),
        ("NanoCpus", json!(500_000_000)),
        ("PidsLimit", json!(9)),
        ("OomKillDisable", json!(false)),
        ("BlkioDeviceReadBps", json!([{"Path": disk, "Rate": 1_048_576}])),
        ("BlkioDeviceWriteBps", Value::Null),
        ("Devices", json!([{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}])),
        ("CgroupParent", json!(above)),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    host.sh("ctr rm web").ok();
}

fn privileged_ones_open_everything() {
    let host = busybox();
    let (disk, _) = disk();
    in_container(&host, &["--privileged"], &format!("exec 3<{disk}")).ok();
    // Only where the group knows of it.
    let line =
        "img-pull --pull missing busybox | img-unpack | overlay-mount | cg-limit | ns-spawn --rm --privileged -- true";
    host.sh(line).fails(125).stderr_has("give --privileged to cg-limit too");
    host.assert_clean();
}

fn processors_are_what_nproc_sees() {
    let host = busybox();
    in_container(&host, &["--cpuset-cpus", "0"], "nproc").ok().stdout_is("1\n");
}

fn memory_of_a_container_kills_with_137() {
    let host = busybox();
    in_container(&host, &["-m", "16m", "--memory-swap", "16m"], "exec tail /dev/zero").exits(137);
    in_container(&host, &["--pids-limit", "5"], "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo done").exits(2);
    // None at all is as before: nothing is limited, and no group is made.
    in_container(&host, &["--cgroups", "disabled"], "true").ok();
    host.assert_clean();
}

/// Another mount namespace, or a disk that is not there yet.
fn nothing_is_known_of_a_root_that_is_not_mounted() {
    let host = busybox();
    host.sh("ctr run -d --name web busybox sleep 1000").ok();
    let hidden = format!("mount -t tmpfs none {}", host.root().display());
    elsewhere(&host, &hidden, "cg-limit --gc && ns-spawn --gc && overlay-mount --gc").ok().stdout_is("");
    assert_eq!(state(&host, "web")["status"], "running");
    host.sh("ctr rm -f web").ok();
    host.assert_clean();
}

fn raw_keys_are_written() {
    let host = Host::new();
    let doc = limited(&host, &["--cgroup-conf", "memory.high=64m", "--cgroup-conf", "memory.oom.group=1"]);
    assert_eq!(read(&group(&doc), "memory.high"), "67108864");
    assert_eq!(read(&group(&doc), "memory.oom.group"), "1");
    host.pipe_to(&doc, "cg-limit", &["--check"]).ok();
    let bad = host.cmd("cg-limit", &["--cgroup-conf", "memory.nothing=1"]).stdin(r#"{"ctr":1}"#).run();
    bad.fails(1).code("invalid").stderr_has("memory.nothing");
    let bad = host.cmd("cg-limit", &["--cgroup-conf", "memory.high=x"]).stdin(r#"{"ctr":1}"#).run();
    bad.fails(1).code("invalid").stderr_has("memory.high");
}

fn what_version_2_has_not_is_refused() {
    let host = Host::new();
    for args in [&["--memory-swappiness", "5"][..], &["--oom-kill-disable"]] {
        let ran = host.cmd("cg-limit", args).stdin(r#"{"ctr":1}"#).run();
        ran.fails(1).code("unsupported").stderr_has("controller memory").stderr_has("/sys/fs/cgroup");
        host.assert_clean();
    }
}

/// From the top down; not where a group has processes of its own.
fn groups_hand_controllers_on() {
    let host = Host::new();
    let above = format!("/{}-above", host.instance());
    let doc = limited(&host, &["--cgroup-parent", &above, "-m", "64m"]);
    assert_eq!(read(&group(&doc), "memory.max"), "67108864");
    host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
    fs::remove_dir(format!("/sys/fs/cgroup{above}")).unwrap();
    fs::create_dir(format!("/sys/fs/cgroup{above}")).unwrap();
    let sleeper = host.cmd("sleep", &["1000"]).spawn();
    fs::write(format!("/sys/fs/cgroup{above}/cgroup.procs"), sleeper.pid().to_string()).unwrap();
    let ran = host.cmd("cg-limit", &["--cgroup-parent", &above, "-m", "64m"]).stdin(r#"{"ctr":1}"#).run();
    ran.fails(1).code("busy").stderr_has("has processes of its own");
    // One without limits needs no controllers.
    let doc = limited(&host, &["--cgroup-parent", &above]);
    host.pipe_to(&doc, "cg-limit", &["--undo"]).ok();
    sleeper.signal(Signal::SIGKILL);
    drop(sleeper.wait());
    until("it is empty", || fs::remove_dir(format!("/sys/fs/cgroup{above}")).is_ok());
    host.assert_clean();
}

fn what_version_1_has_not_is_refused() {
    let host = Host::new();
    let ran = host.cmd("cg-limit", &["--cgroup-conf", "memory.high=64m"]).stdin(r#"{"ctr":1}"#).run();
    ran.fails(1).code("unsupported").stderr_has("controller memory is version 1 here, at /sys/fs/cgroup/memory");
    host.assert_clean();
}

/// In a mount namespace where `change` was done.
fn elsewhere(host: &Host, change: &str, line: &str) -> Ran {
    host.cmd("unshare", &["-m", "--propagation", "private", "sh", "-c", &format!("{change} && {line}")]).run()
}

fn a_controller_that_is_not_mounted_is_named() {
    let host = Host::new();
    let gone = "umount /sys/fs/cgroup/pids";
    let ran = elsewhere(&host, gone, "echo '{\"ctr\":1}' | cg-limit --pids-limit 5");
    ran.fails(1).code("unsupported").stderr_has("controller pids is not mounted below /sys/fs/cgroup");
    elsewhere(&host, gone, "cg-limit -m 64m -- true").ok();
    host.assert_clean();
}

fn a_hierarchy_that_is_read_only_leaves_nothing() {
    let host = Host::new();
    let read_only = "mount --bind /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu && mount -o remount,bind,ro /sys/fs/cgroup/cpu";
    let ran = elsewhere(&host, read_only, "echo '{\"ctr\":1}' | cg-limit -m 64m");
    ran.fails(1).code("denied").stderr_has("Read-only file system").stderr_has("ctr run --cgroups disabled");
    let none = "umount -R /sys/fs/cgroup";
    let ran = elsewhere(&host, none, "echo '{\"ctr\":1}' | cg-limit");
    ran.fails(1).code("unsupported").stderr_has("ctr run --cgroups disabled");
    host.assert_clean();
}

/// A container that may makes groups in its own, and freezes those.
fn a_frozen_group_within_is_ended_too() {
    let host = Host::new();
    let doc = limited(&host, &[]);
    let sleeper = host.cmd("sleep", &["1000"]).spawn();
    let within = Path::new("/sys/fs/cgroup/freezer").join(&group(&doc)[1..]).join("within");
    fs::create_dir(&within).unwrap();
    for group in
        leftovers::groups_of(&host.instance()).iter().filter(|group| group.ends_with(doc["id"].as_str().unwrap()))
    {
        fs::write(group.join("cgroup.procs"), sleeper.pid().to_string()).unwrap();
    }
    fs::write(within.join("cgroup.procs"), sleeper.pid().to_string()).unwrap();
    fs::write(within.join("freezer.state"), "FROZEN").unwrap();
    let ran = host.pipe_to(&doc, "cg-limit", &["--undo"]);
    // If it is there still, it must not stay so: nobody could end this test either.
    let _ = fs::write(within.join("freezer.state"), "THAWED");
    ran.ok();
    sleeper.wait().exits(137);
    host.assert_clean();
}

/// One after the other they are killed more slowly than they fork.
fn without_version_2_a_fork_bomb_ends_too() {
    let host = Host::new();
    let bomb = "b() { b & b & }; (while :; do b 2>/dev/null; done) </dev/null >/dev/null 2>&1 & sleep 0.3";
    let gone = "if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi";
    fs::write(host.dir().join("bomb"), bomb).unwrap();
    elsewhere(&host, gone, "cg-limit --pids-limit 100 -- sh bomb").succeeds();
    host.assert_clean();
}

fn without_the_controller_a_program_keeps_devices() {
    let host = Host::new();
    let (disk, numbers) = disk();
    let gone = "umount /sys/fs/cgroup/devices";
    let run =
        |rule: &str| elsewhere(&host, gone, &format!("cg-limit --device-cgroup-rule '{rule}' -- head -c1 {disk}"));
    run("c 42:* rwm").exits(1).stderr_has("Operation not permitted");
    run(&format!("b {numbers} w")).exits(1).stderr_has("Operation not permitted");
    run(&format!("b {numbers} r")).succeeds();
    // Compared by what the program does, and taken away with the group.
    let doc = elsewhere(&host, gone, "echo '{\"ctr\":1}' | cg-limit").ok().json();
    let check = |doc: &Value| {
        fs::write(host.dir().join("doc"), doc.to_string()).unwrap();
        elsewhere(&host, gone, "cg-limit --check <doc >/dev/null")
    };
    check(&doc).ok();
    let mut other = doc.clone();
    other["spec"]["linux"]["resources"]["devices"][0]["allow"] = json!(true);
    check(&other).fails(1).stderr_has("does not have the program");
    elsewhere(&host, gone, "cg-limit --undo <doc >/dev/null").ok();
    host.assert_clean();
}
