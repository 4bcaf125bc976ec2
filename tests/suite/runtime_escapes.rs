//! The engine against hostile images and specs: each escape that container runtimes are known for, tried.
//!
//! Every test has a directory of the host, the victim; whatever the image does, it stays as it was.

use crate::runtime::bundle::Bundle;
use ctr_tests::*;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

pub fn tests() -> Vec<Test> {
    tests!("runtime-escapes",
        ["root", "busybox"]:
            links_for_proc_sys_and_dev,
            links_below_dev,
            links_for_console_and_ptmx,
            a_false_null_device,
            masked_links_lead_nowhere_outside,
            working_directories_outside,
            a_working_directory_behind_a_link_is_inside,
            targets_of_mounts_stay_inside,
            nothing_hides_procfs,
            descriptors_do_not_leak_in,
            a_starting_process_shows_nothing_of_the_host,
            a_directory_as_stdin,
            files_of_the_host_are_not_given,
            devices_of_the_host_are_not_given,
            the_tool_cannot_be_overwritten,
            the_init_shows_nothing_of_the_host,
            nodes_of_the_image_are_not_devices,
            nodes_are_looked_at_before_they_are_opened,
            the_null_device_keeps_its_mode,
            parameters_of_the_host_are_refused,
            dots_in_a_cgroup_path;
        ["root", "busybox", "cgroup2-tree"]:
            the_cgroup_tree_of_the_host_is_not_mounted_anew
    )
}

/// A directory that the image wants to reach.
struct Victim(PathBuf);

impl Victim {
    fn new(host: &Host) -> Self {
        let dir = host.dir().join("victim");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("file"), "secret\n").unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// The ways to write it in a link: absolute, and relative far above the root.
    fn names(&self) -> [PathBuf; 2] {
        [self.0.clone(), Path::new("../../../../../../../../../../..").join(self.0.strip_prefix("/").unwrap())]
    }

    #[track_caller]
    fn assert_untouched(&self) {
        let names: Vec<_> = fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["file"], "the host's directory changed");
        assert_eq!(fs::read_to_string(self.0.join("file")).unwrap(), "secret\n");
    }
}

/// CVE-2019-16884, CVE-2023-27561, CVE-2026-41579: what the engine mounts there would land elsewhere, or
/// what it writes to /proc would.
fn links_for_proc_sys_and_dev() {
    let host = Host::new();
    let victim = Victim::new(&host);
    for name in ["proc", "sys", "dev"] {
        for target in victim.names().into_iter().chain(["tmp".into(), "/tmp".into(), "/absent".into()]) {
            let mut bundle = Bundle::new(&host);
            let place = bundle.root().join(name);
            fs::remove_dir(&place).unwrap();
            symlink(&target, &place).unwrap();
            let ran = bundle.run(&["true"]);
            ran.fails(125).stderr_has(&format!("/{name}")).stderr_has("symbolic link");
            victim.assert_untouched();
        }
    }
}

/// Without a /dev of its own the image's is used: CVE-2026-47766 and its like.
fn links_below_dev() {
    let host = Host::new();
    let victim = Victim::new(&host);
    for (name, target) in ["pts", "shm"].into_iter().flat_map(|n| victim.names().map(|t| (n, t))) {
        let mut bundle = Bundle::new(&host);
        symlink(&target, bundle.root().join("dev").join(name)).unwrap();
        bundle.without_mount("/dev").run(&["true"]).fails(125).stderr_has("symbolic link");
        victim.assert_untouched();
    }
}

/// CVE-2025-52565: the terminal is bound where a link of the image leads.
fn links_for_console_and_ptmx() {
    let host = Host::new();
    let victim = Victim::new(&host);
    let mut bundle = Bundle::new(&host);
    symlink(victim.path().join("file"), bundle.root().join("dev/console")).unwrap();
    symlink(victim.path().join("new"), bundle.root().join("dev/ptmx")).unwrap();
    bundle.without_mount("/dev").set("/process/terminal", json!(true));
    bundle.cmd(&["true"]);
    let mut pty = host.pty(&format!("ns-spawn -b {}; echo status=$?", bundle.dir.display()));
    pty.expect("status=");
    victim.assert_untouched();

    // With a /dev of its own there is a console, and it is the terminal.
    let mut bundle = Bundle::new(&host);
    bundle.set("/process/terminal", json!(true));
    bundle.cmd(&["sh", "-c", "tty; grep -c /dev/console /proc/self/mountinfo; readlink /dev/ptmx"]);
    let mut pty = host.pty(&format!("ns-spawn -b {}", bundle.dir.display()));
    pty.expect("/dev/pts/0\r\n1\r\npts/ptmx");
}

/// CVE-2025-31133: a path masked by what the image calls /dev/null shows the image's file, or the host's.
fn a_false_null_device() {
    let host = Host::new();
    let victim = Victim::new(&host);
    for plant in [
        |null: &Path, _: &Path| fs::write(null, "").unwrap(),
        |null: &Path, v: &Path| {
            symlink(v.join("file"), null).unwrap();
        },
    ] {
        let mut bundle = Bundle::new(&host);
        plant(&bundle.root().join("dev/null"), victim.path());
        bundle.without_mount("/dev").without_mount("/dev/pts").run(&["true"]).fails(125).stderr_has("/dev/null");
        victim.assert_untouched();
    }
}

/// Links in paths that the spec masks or makes read-only are followed inside the root; magic ones not at all.
fn masked_links_lead_nowhere_outside() {
    let host = Host::new();
    let victim = Victim::new(&host);
    let mut bundle = Bundle::new(&host);
    for (n, target) in victim.names().iter().enumerate() {
        symlink(target, bundle.root().join(format!("dir{n}"))).unwrap();
        symlink(target.join("file"), bundle.root().join(format!("file{n}"))).unwrap();
        for list in ["/linux/maskedPaths", "/linux/readonlyPaths"] {
            bundle.add(list, json!(format!("/dir{n}"))).add(list, json!(format!("/file{n}")));
        }
    }
    bundle.add("/linux/maskedPaths", json!("../../../../../../../etc/passwd"));
    bundle.sh("cat /proc/self/mountinfo").ok().stdout_has("/proc/keys");
    assert!(!fs::read_to_string("/proc/self/mountinfo").unwrap().contains("victim"));
    fs::write(victim.path().join("file"), "secret\n").unwrap();

    bundle.add("/linux/maskedPaths", json!("/proc/self/exe")).run(&["true"]).fails(125).stderr_has("/proc/self/exe");
    victim.assert_untouched();
}

/// CVE-2024-21626: a descriptor of the host as working directory.
fn working_directories_outside() {
    let host = Host::new();
    let above = "/../../../../../../../..";
    let mut dirs: Vec<String> = (0..16).map(|fd| format!("/proc/self/fd/{fd}{above}")).collect();
    dirs.extend((3..16).map(|fd| format!("/proc/self/fd/{fd}")));
    dirs.extend(["/proc/self/cwd", "/proc/self/root", "/proc/1/root", "/proc/thread-self/cwd"].map(str::to_owned));
    let mut bundle = Bundle::new(&host);
    for dir in dirs {
        bundle.set("/process/cwd", json!(dir)).run(&["pwd"]).fails(125).stderr_has(&dir);
    }
    bundle.set("/process/cwd", json!("../../..")).run(&["pwd"]).fails(125).stderr_has("not absolute");
    // So many dots end at the root, which is inside.
    bundle.set("/process/cwd", json!("/../../../../tmp")).run(&["pwd"]).ok().stdout_is("/tmp\n");
}

fn a_working_directory_behind_a_link_is_inside() {
    let host = Host::new();
    let victim = Victim::new(&host);
    for target in victim.names() {
        let mut bundle = Bundle::new(&host);
        symlink(&target, bundle.root().join("work")).unwrap();
        bundle.set("/process/cwd", json!("/work/new"));
        bundle.sh("pwd -P; touch x").ok().stdout_is(&format!("{}/new\n", victim.path().display()));
        victim.assert_untouched();
        assert!(bundle.root().join(victim.path().strip_prefix("/").unwrap()).join("new/x").exists());
    }
}

/// CVE-2021-30465, CVE-2024-45310: the place of a volume is made where a link leads.
fn targets_of_mounts_stay_inside() {
    let host = Host::new();
    let victim = Victim::new(&host);
    let source = host.dir().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("hello"), "hello\n").unwrap();
    for target in victim.names() {
        let mut bundle = Bundle::new(&host);
        symlink(&target, bundle.root().join("etc/evil")).unwrap();
        symlink(target.join("new"), bundle.root().join("etc/resolv.conf")).unwrap();
        symlink("loop", bundle.root().join("loop")).unwrap();
        let bind = |on: &str, from: &Path| json!({"destination": on, "type": "bind", "source": from, "options": ["rbind", "rprivate"]});
        bundle.add("/mounts", bind("/etc/evil/a/b", &source));
        bundle.add("/mounts", bind("/etc/resolv.conf", &source.join("hello")));
        bundle.add("/mounts", json!({"destination": "/etc/evil/t", "type": "tmpfs", "source": "t"}));
        bundle.sh("cat /etc/evil/a/b/hello /etc/resolv.conf; touch /etc/evil/x").ok().stdout_is("hello\nhello\n");
        victim.assert_untouched();
        bundle.add("/mounts", bind("/loop/x", &source)).run(&["true"]).fails(125).stderr_has("/loop/x");
    }
}

/// Whoever replaces files of /proc decides what the engine and the container's own tools believe.
fn nothing_hides_procfs() {
    let host = Host::new();
    let source = host.dir().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "lies\n").unwrap();
    let bind = |on: &str, from: &Path| json!({"destination": on, "type": "bind", "source": from, "options": ["bind"]});
    for (on, from) in [
        ("/proc", source.clone()),
        ("/proc/self", source.clone()),
        ("/proc/sys/kernel", source.clone()),
        ("/proc/../proc/sys", source.clone()),
        ("/way/sys/net", source.clone()),
        ("/way/self/attr", source.clone()),
        ("/way/cpuinfo", source.join("file")),
    ] {
        let mut bundle = Bundle::new(&host);
        symlink("/proc", bundle.root().join("way")).unwrap();
        bundle.add("/mounts", bind(on, &from)).run(&["true"]).fails(125).stderr_has(on);
        // A tmpfs is no better.
        let mut bundle = Bundle::new(&host);
        symlink("/proc", bundle.root().join("way")).unwrap();
        bundle.add("/mounts", json!({"destination": on, "type": "tmpfs", "source": "t"})).run(&["true"]).fails(125);
    }
    // What lxcfs does is allowed.
    let mut bundle = Bundle::new(&host);
    bundle.add("/mounts", bind("/proc/cpuinfo", &source.join("file")));
    bundle.run(&["cat", "/proc/cpuinfo"]).ok().stdout_is("lies\n");
}

fn descriptors_do_not_leak_in() {
    let host = Host::new();
    for init in ["false", "true"] {
        let mut bundle = Bundle::new(&host);
        bundle.set("/annotations", json!({"ctr.init": init}));
        bundle.cmd(&["sh", "-c", "echo /proc/self/fd/*; echo /proc/1/fd/*"]);
        let text = format!("exec 7</etc/passwd 9</ 8<>/dev/null; exec ns-spawn -b {}", bundle.dir.display());
        let out = host.sh(&text).ok().text();
        for line in out.lines() {
            let numbers: Vec<&str> = line.split(' ').filter_map(|p| p.rsplit('/').next()).collect();
            // The shell reads the directory through one of its own.
            assert!(numbers.iter().all(|n| ["0", "1", "2", "3"].contains(n)), "{line}");
        }
    }
}

/// CVE-2016-9962: a process that becomes a container has the capabilities of one before it has let go of the host. A
/// container with the host's process ids looks on.
fn a_starting_process_shows_nothing_of_the_host() {
    let host = Host::new();
    let victim = Victim::new(&host);
    host.sh("mkfifo full").ok();
    let mut spy = Bundle::new(&host);
    spy.namespace("pid", "");
    for kind in ["own", "host", "user"] {
        let mut bundle = Bundle::new(&host);
        match kind {
            "host" => drop(bundle.namespace("pid", "")),
            "user" => drop(bundle.with_user_namespace()),
            _ => {}
        }
        bundle.cmd(&["true"]);
        // Where its news are not read the tool waits, and the new process for the tool, just before its last steps.
        let text = format!(
            "exec 9<{} 3<>full; dd if=/dev/zero bs=65536 count=1 2>/dev/null >&3; exec ns-spawn -b {} --status-fd 3",
            victim.path().join("file").display(),
            bundle.dir.display()
        );
        let tool = host.sh_cmd(&text).env("SECRET_OF_THE_HOST", "x").spawn();
        let pid = child_with_few_capabilities(tool.pid());
        let look = "cd /proc; for f in [0-9]*/fd/*; do readlink $f; done 2>/dev/null | grep victim;
            cat [0-9]*/environ 2>/dev/null | grep -c SECRET_OF; echo end";
        spy.sh(look).ok().stdout_is("0\nend\n");
        // Beside its streams it has its word to the tool and the program that comes next.
        assert_eq!(fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(), 5, "{kind}");
    }
}

/// Waits for the child of the process `pid` to have given its capabilities up; gives its number.
fn child_with_few_capabilities(pid: i32) -> String {
    let start = std::time::Instant::now();
    loop {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let child = children.trim();
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        if status.contains("CapPrm:\t00000000a80425fb") {
            return child.to_owned();
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "no such child of {pid}: {children:?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn a_directory_as_stdin() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.cmd(&["true"]);
    host.sh(&format!("ns-spawn -b {} </", bundle.dir.display())).fails(125).stderr_has("stdin is a directory");
}

/// A descriptor can be opened anew with more rights than it has, and the mode of its file be changed.
fn files_of_the_host_are_not_given() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::new();
    let victim = Victim::new(&host);
    let file = victim.path().join("file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let mut bundle = Bundle::new(&host);
    let spoil = "for n in 0 1 2; do
            chmod 4777 /proc/self/fd/$n 2>/dev/null; (echo overwritten >/proc/self/fd/$n) 2>/dev/null; done; true";
    bundle.cmd(&["sh", "-c", spoil]);
    let run = |redirection: &str| host.sh(&format!("ns-spawn -b {} {redirection}", bundle.dir.display())).exits(0);
    run(&format!("<{}", file.display()));
    victim.assert_untouched();
    assert_eq!(mode(&file), 0o600);
    // What may be written gets the words, and stays what it is.
    for redirection in [">out 2>>out", ">>out", "2>out", "<out"] {
        host.sh("rm -f out; umask 077; echo first >out").ok();
        run(redirection);
        assert_eq!(mode(&host.dir().join("out")), 0o600, "{redirection}");
    }
    host.sh("rm -f out; mkfifo -m 600 out").ok();
    host.sh(&format!("cat out >/dev/null & ns-spawn -b {} >out; wait", bundle.dir.display())).exits(0);
    assert_eq!(mode(&host.dir().join("out")), 0o600, "a fifo");
}

fn devices_of_the_host_are_not_given() {
    use std::os::unix::fs::MetadataExt;
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    // The null device of the host, by a node that may be spoiled.
    host.sh("mknod -m 600 null c 1 3").ok();
    let script = "for n in 0 1 2; do chmod 4777 /proc/self/fd/$n; echo x >/proc/self/fd/$n || exit 1; done; cat";
    bundle.cmd(&["sh", "-c", script]);
    host.sh(&format!("ns-spawn -b {} <null >null 2>null", bundle.dir.display())).exits(0);
    assert_eq!(fs::metadata(host.dir().join("null")).unwrap().mode() & 0o7777, 0o600);
    // A terminal.
    let script = "for n in 0 1 2; do chmod 4777 /proc/self/fd/$n; done; [ -t 0 ] || echo no terminal";
    bundle.cmd(&["sh", "-c", script]);
    let text = format!("chmod 600 $(tty); ns-spawn -b {}; echo mode=$(stat -c %a $(tty)).", bundle.dir.display());
    let mut pty = host.pty(&text);
    pty.expect("no terminal");
    pty.expect("mode=600.");
}

/// CVE-2019-5736: by /proc/1/exe a container writes to the runtime's program on the host.
fn the_tool_cannot_be_overwritten() {
    let host = Host::new();
    let program = suite::suite().bin().join("ns-spawn");
    let before = fs::read(&program).unwrap();
    for capability in ["CAP_CHOWN", "CAP_SYS_PTRACE"] {
        let mut bundle = Bundle::new(&host);
        for set in ["bounding", "effective", "permitted"] {
            bundle.add(&format!("/process/capabilities/{set}"), json!(capability));
        }
        bundle.set("/annotations", json!({"ctr.init": "true"}));
        let script = "exec 5</proc/1/exe; for f in /proc/1/exe /proc/self/fd/5; do
            (echo x >>$f) 2>/dev/null && echo written; chmod 777 $f 2>/dev/null && echo changed; done; echo end";
        bundle.sh(script).ok().stdout_is("end\n");
    }
    // A script for /proc/self/exe is run by what executes it: that must be what lies behind the read-only mount, not the
    // tool's own file, whose mode another process of the container could change meanwhile.
    let mut bundle = Bundle::new(&host);
    fs::write(bundle.root().join("script"), "#!/proc/self/exe --version\n").unwrap();
    fs::set_permissions(bundle.root().join("script"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bundle.run(&["/script"]).ok().stdout_is(&format!("ctr-init {}\n", env!("CARGO_PKG_VERSION")));
    assert!(fs::read(&program).unwrap() == before, "the program of the host changed");
}

fn the_init_shows_nothing_of_the_host() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/annotations", json!({"ctr.init": "true"}));
    let cmd = bundle.cmd(&["sh", "-c", "cat /proc/1/environ /proc/1/cmdline; readlink /proc/1/exe"]);
    let out = cmd.env("SECRET_OF_THE_HOST", "x").run().succeeds().text();
    assert!(!out.contains("SECRET") && !out.contains("CTR_ROOT") && !out.contains("bundle"), "{out}");
}

/// Nodes that an image brings, or that CAP_MKNOD makes, are the host's disks: no group of its own forbids them.
fn nodes_of_the_image_are_not_devices() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    host.sh(&format!("mknod {}/etc/zero c 1 5", bundle.root().display())).ok();
    let script = "for f in /etc/zero /tmp/zero /dev/shm/zero /dev/zero2; do
            [ -e $f ] || mknod $f c 1 5; (dd if=$f of=/dev/null bs=1 count=1) 2>/dev/null && echo opened $f; done
        for f in null zero full random urandom tty; do [ -c /dev/$f ] || echo no $f; done
        dd if=/dev/zero bs=1 count=3 2>/dev/null | wc -c; echo x >/dev/null";
    let (deny, all) = (json!({"allow": false, "access": "rwm"}), json!({"allow": true, "access": "rwm"}));
    for rules in [
        json!([]),
        json!([deny, {"allow": true, "type": "a", "access": "m"}]),
        json!([all, {"allow": false, "type": "c", "major": 1, "access": "rwm"}]),
    ] {
        bundle.set("/linux/resources", json!({"devices": rules}));
        bundle.sh(script).ok().stdout_is("3\n");
    }
    // An empty path of a group is none.
    bundle.set("/linux/cgroupsPath", json!("")).sh(script).ok().stdout_is("3\n");
}

/// A device does things when it is opened: a node with the name of a file, or of a device that is wanted, never is.
fn nodes_are_looked_at_before_they_are_opened() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    // No driver has this number (Linux, devices.rst: for local use): to open it is an error that says so.
    let node = |path: &Path| {
        let (dir, path) = (path.parent().unwrap().display(), path.display());
        host.sh(&format!("mkdir -p {dir} && mknod {path} c 60 0")).ok();
    };
    let doc = json!({"ctr": 1, "rootfs": {"path": bundle.root()}});
    for name in ["passwd", "group"] {
        let path = bundle.root().join("etc").join(name);
        node(&path);
        let ran = host.pipe_to(&doc, "ns-spawn", &["--print-spec", "-u", "1", "--", "id"]);
        ran.fails(125).stderr_has(&format!("/etc/{name}")).stderr_has("not a regular file");
        fs::remove_file(path).unwrap();
    }
    bundle.set("/linux/resources", json!({"devices": [{"allow": true, "access": "rwm"}]}));
    // As a stream the null device is the container's own: a /dev of the caller's may have another.
    let dev = host.dir().join("dev");
    node(&dev.join("null"));
    let mount = json!({"destination": "/dev", "type": "bind", "source": dev, "options": ["rbind"]});
    bundle.without_mount("/dev").without_mount("/dev/pts").without_mount("/dev/shm").add("/mounts", mount);
    bundle.set("/linux/maskedPaths", json!([])).cmd(&["true"]);
    let ran = host.sh(&format!("ns-spawn -b {} </dev/null", bundle.dir.display()));
    ran.fails(125).stderr_has("is not the null device");
    bundle.without_mount("/dev").set("/process/terminal", json!(true));
    node(&bundle.root().join("dev/pts/ptmx"));
    bundle.cmd(&["true"]);
    host.pty(&format!("ns-spawn -b {}", bundle.dir.display())).expect("it is not devpts");
}

/// Masked files are the null device: as root of the container, its mode must not be to change through them.
fn the_null_device_keeps_its_mode() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.sh("chmod 0 /proc/keys 2>/dev/null; stat -c %a /dev/null; wc -c </proc/keys").ok().stdout_is("666\n0\n");
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata("/dev/null").unwrap());
    assert_eq!(mode & 0o777, 0o666, "the host's /dev/null changed");
}

fn parameters_of_the_host_are_refused() {
    let host = Host::new();
    for (key, absent) in [
        ("kernel.core_pattern", ""),
        ("kernel/core_pattern", ""),
        ("net/../kernel/core_pattern", ""),
        ("vm.overcommit_memory", ""),
        ("net.ipv4.ip_forward", "network"),
        ("kernel.shmmax", "ipc"),
    ] {
        let mut bundle = Bundle::new(&host);
        if !absent.is_empty() {
            bundle.namespace(absent, "");
        }
        bundle.set("/linux/sysctl", json!({key: "1"})).run(&["true"]).fails(125).stderr_has(key);
    }
}

fn dots_in_a_cgroup_path() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    bundle.set("/linux/cgroupsPath", json!("/ctr/../../other")).run(&["true"]).fails(125).stderr_has("'..'");
}

/// Mounted in the host's cgroup namespace, cgroup v2 would take its options from the container, for the whole machine.
fn the_cgroup_tree_of_the_host_is_not_mounted_anew() {
    let host = Host::new();
    let mut bundle = Bundle::new(&host);
    let name = format!("ctr-test-{}", std::process::id());
    let hybrid = Path::new("/sys/fs/cgroup/unified");
    let tree = if hybrid.exists() { hybrid } else { Path::new("/sys/fs/cgroup") };
    let group = tree.join(&name);
    fs::create_dir(&group).unwrap();
    let mut run = |shared: bool| {
        if shared {
            bundle.namespace("cgroup", "");
        }
        bundle.cmd(&["sh", "-c", "grep ' /sys/fs/cgroup ' /proc/self/mountinfo | cut -d' ' -f4"]);
        // In a mount namespace where the tree is all that there is.
        let text = format!(
            "echo $$ >{0}/cgroup.procs; [ {1} = /sys/fs/cgroup ] || mount --bind {1} /sys/fs/cgroup; exec ns-spawn -b {2}",
            group.display(),
            tree.display(),
            bundle.dir.display()
        );
        host.cmd("unshare", &["-m", "--propagation", "private", "sh", "-c", &text]).run()
    };
    let (own, shared) = (run(false), run(true));
    while fs::remove_dir(&group).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    own.ok().stdout_is("/\n");
    // A bound group shows which it is; a mount of the tree would begin at the top.
    shared.ok().stdout_is(&format!("/{name}\n"));
}
