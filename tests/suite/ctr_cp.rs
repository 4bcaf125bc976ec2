//! ctr-cp: docker's rules, whole trees there and back, tars, and containers that would lead it elsewhere.

use ctr_tests::{command::Running, *};
use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("ctr-cp",
        ["root", "overlay", "umoci", "busybox"]:
            dockers_rules_going_in,
            dockers_rules_going_out,
            links_are_copied_and_followed_as_docker_does,
            owners_are_those_of_the_destination,
            devices_and_fifos_are_not_replaced,
            tars_go_in_and_out,
            a_running_container_is_seen_with_its_mounts,
            a_file_under_a_mount_keeps_the_mount,
            read_only_is_denied,
            a_paused_container_is_no_other,
            a_reboot_makes_no_difference,
            bad_input_is_one_line;
        ["root", "overlay", "umoci", "busybox", "attr", "acl", "libcap"]:
            trees_come_back_whole;
        ["root", "overlay", "umoci", "busybox"]:
            links_lead_inside,
            a_link_swapped_in_leads_nowhere,
            a_tree_that_changes_is_read_inside,
            nothing_of_a_container_is_run
    )
}

/// A busybox container `name`, mounted and not started; its document, also in the file `name`.
pub fn made(host: &Host, name: &str, more: &str) -> Value {
    if !host.root().join("images/index.json").exists() {
        host.load("busybox");
    }
    let pipe = format!("img-pull --pull missing busybox | img-unpack | overlay-mount --name {name} {more}");
    let doc = host.sh(&pipe).ok().json();
    fs::write(host.dir().join(name), format!("{doc}\n")).unwrap();
    doc
}

/// Starts it with `sleep seconds` (which tells it from other tests' processes); its process, and its id.
pub fn started(host: &Host, name: &str, seconds: &str) -> (Running, i32) {
    let running = host.cmd("ns-spawn", &["-f", name, "--", "sleep", seconds]).spawn();
    (running, host.process(&format!("sleep {seconds}")))
}

/// The root of a container on the host.
pub fn root_of(doc: &Value) -> PathBuf {
    doc["rootfs"]["path"].as_str().unwrap().into()
}

/// Runs a command with the machine's root read-only for it, the tests' own directories excepted: a copy that goes
/// astray fails, and changes nothing.
fn guarded<S: AsRef<std::ffi::OsStr>>(host: &Host, words: &[S]) -> Cmd {
    let guard = "mount -o remount,bind,ro / && exec \"$@\"";
    host.cmd("unshare", &["-m", "sh", "-c", guard, "sh"]).args(words)
}

fn cp(host: &Host, words: &[&str]) -> Ran {
    guarded(host, &[&["ctr-cp"], words].concat()).run()
}

/// A shell line with ctr-cp in it.
fn sh(host: &Host, line: &str) -> Ran {
    guarded(host, &["sh", "-c", line]).run()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A file `f`, a directory `d` with a file `in`.
const THINGS: &str = "echo f >f; mkdir d; echo in >d/in";

fn dockers_rules_going_in() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    host.sh(THINGS).ok();
    let path = |p: &str| root.join(p);
    // A file: to a new name, over a file, into a directory.
    cp(&host, &["f", "c:/new"]).ok().stdout_is("");
    cp(&host, &["f", "c:/etc/group"]).ok();
    cp(&host, &["f", "c:home"]).ok();
    cp(&host, &["f", "c:/var/"]).ok();
    assert_eq!([read(&path("new")), read(&path("etc/group")), read(&path("home/f")), read(&path("var/f"))], ["f\n"; 4]);
    cp(&host, &["f", "c:/absent/"]).fails(1).stderr_has("no directory");
    cp(&host, &["f", "c:/absent/f"]).fails(1).stderr_has("no directory");
    cp(&host, &["f", "c:/etc/passwd/"]).fails(1);
    // A directory: to a new name, into one that is there, its content only.
    cp(&host, &["d", "c:/made"]).ok();
    cp(&host, &["d", "c:/made2/"]).ok();
    cp(&host, &["d/.", "c:/made3"]).ok();
    cp(&host, &["d", "c:/home"]).ok();
    cp(&host, &["d/", "c:/var"]).ok();
    cp(&host, &["d/.", "c:/tmp"]).ok();
    for place in ["made/in", "made2/in", "made3/in", "home/d/in", "var/d/in", "tmp/in"] {
        assert_eq!(read(&path(place)), "in\n", "{place}");
    }
    assert_eq!(fs::metadata(path("tmp")).unwrap().mode() & 0o7777, 0o1777, "a directory that is there stays as it is");
    guarded(&host, &["ctr-cp", ".", "c:/made4"]).dir(&host.dir().join("d")).run().ok();
    assert_eq!(read(&path("made4/in")), "in\n");
    cp(&host, &["d", "c:/new"]).fails(1).stderr_has("is a file");
    cp(&host, &["d/in", "c:/home"]).ok();
    cp(&host, &["d/in/", "c:/home"]).fails(1);
    // A file is not put in the place of a directory, nor the reverse.
    host.sh("mkdir -p e/d e/f; echo x >e/d/in; rm -r e/f; mkdir g; echo x >g/d").ok();
    fs::create_dir(path("home/f2")).unwrap();
    cp(&host, &["g/.", "c:/home"]).fails(1).stderr_has("directory");
    assert_eq!(read(&path("home/d/in")), "in\n");
    // Nothing half-made stays.
    let left = host.sh(&format!("find {} -name '.*' -mindepth 1", root.display())).ok();
    left.stdout_is("");
}

fn dockers_rules_going_out() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    host.sh(&format!("cd {}/home; {THINGS}; ln -s d link", root.display())).ok();
    let path = |p: &str| host.dir().join(p);
    host.sh("mkdir to to2; echo old >file").ok();
    cp(&host, &["c:/home/f", "new"]).ok().stdout_is("");
    cp(&host, &["c:home/f", "file"]).ok();
    cp(&host, &["c:/home/f", "to"]).ok();
    cp(&host, &["c:/home/f", "to2/"]).ok();
    assert_eq!([read(&path("new")), read(&path("file")), read(&path("to/f")), read(&path("to2/f"))], ["f\n"; 4]);
    cp(&host, &["c:/home/f", "absent/"]).fails(1).stderr_has("no directory");
    cp(&host, &["c:/home/f", "absent/f"]).fails(1).stderr_has("absent");
    cp(&host, &["c:/home/d", "made"]).ok();
    cp(&host, &["c:/home/d/", "made2/"]).ok();
    cp(&host, &["c:/home/d/.", "made3"]).ok();
    cp(&host, &["c:/home/d", "to"]).ok();
    cp(&host, &["c:/home/d/.", "to2"]).ok();
    for place in ["made/in", "made2/in", "made3/in", "to/d/in", "to2/in"] {
        assert_eq!(read(&path(place)), "in\n", "{place}");
    }
    cp(&host, &["c:/home/d", "file"]).fails(1).stderr_has("is a file");
    cp(&host, &["c:/home/f/", "x"]).fails(1).stderr_has("not a directory");
    cp(&host, &["c:/home/nothing", "x"]).fails(1).stderr_has("c:/home/nothing");
    // A link to a file here is the user's: the file it names is replaced, the link stays.
    host.sh("mkdir real; echo old >real/file; ln -s real/file way; ln -s nowhere lost").ok();
    cp(&host, &["c:/home/f", "way"]).ok();
    assert!(path("way").is_symlink() && read(&path("real/file")) == "f\n");
    cp(&host, &["c:/home/f", "lost"]).fails(1).stderr_has("nowhere");
    assert!(!path("nowhere").exists() && !path("x").exists());
}

fn links_are_copied_and_followed_as_docker_does() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    host.sh(&format!(
        "{THINGS}; ln -s d here; ln -s f soft; cd {}; ln -s /etc there; ln -s there/passwd soft",
        root.display()
    ))
    .ok();
    // Out: the link itself, or with -L what it leads to, under the link's name.
    cp(&host, &["c:/soft", "a"]).ok();
    assert_eq!(fs::read_link(host.dir().join("a")).unwrap(), Path::new("there/passwd"));
    cp(&host, &["-L", "c:/soft", "b"]).ok();
    assert_eq!(read(&host.dir().join("b")), read(&root.join("etc/passwd")));
    cp(&host, &["-L", "c:/there", "etc"]).ok();
    assert!(host.dir().join("etc/passwd").is_file());
    cp(&host, &["c:/there/.", "etc2"]).ok();
    cp(&host, &["c:/there/", "etc3"]).ok();
    assert!(host.dir().join("etc2/passwd").is_file() && host.dir().join("etc3/passwd").is_file());
    // In: the same; and a link at the destination is followed, in the container.
    cp(&host, &["soft", "c:/home"]).ok();
    assert_eq!(fs::read_link(root.join("home/soft")).unwrap(), Path::new("f"));
    cp(&host, &["-L", "soft", "c:/home/soft"]).ok();
    assert_eq!(read(&root.join("home/f")), "f\n", "the link leads to a name that was free");
    cp(&host, &["-L", "here", "c:/there"]).ok();
    assert_eq!(read(&root.join("etc/here/in")), "in\n");
    cp(&host, &["f", "c:/soft"]).ok();
    assert!(root.join("soft").is_symlink() && read(&root.join("etc/passwd")) == "f\n");
    symlink("/home/none", root.join("far")).unwrap();
    cp(&host, &["f", "c:/far"]).ok();
    assert_eq!(read(&root.join("home/none")), "f\n");
    symlink("loop", root.join("loop")).unwrap();
    cp(&host, &["f", "c:/loop"]).fails(1).stderr_has("too many links");
    cp(&host, &["-L", "c:/loop", "x"]).fails(1).stderr_has("too many links");
}

fn owners_are_those_of_the_destination() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    let what =
        "mkdir own; cp /bin/true own/suid; chown -R 7:8 own; chmod 4755 own/suid; chmod 2755 own; mknod own/null c 1 3;
        mkfifo own/fifo";
    host.sh(what).ok();
    host.sh(&format!("cd {}; {what}", root.display())).ok();
    let who = |path: &Path| {
        let stat = fs::symlink_metadata(path).unwrap();
        (stat.uid(), stat.gid(), stat.mode() & 0o7777)
    };
    cp(&host, &["own", "c:/in"]).succeeds().stderr_is("ctr-cp: in/null is a device: left out");
    cp(&host, &["c:/own", "out"]).succeeds().stderr_is("ctr-cp: out/null is a device: left out");
    for copy in [root.join("in"), host.dir().join("out")] {
        assert_eq!(who(&copy), (0, 0, 0o2755));
        assert_eq!(who(&copy.join("suid")), (0, 0, 0o755), "a set-id bit is its owner's");
        assert!(!copy.join("null").exists() && fs::metadata(copy.join("fifo")).unwrap().file_type().is_fifo());
    }
    cp(&host, &["-a", "own", "c:/in-a"]).ok();
    cp(&host, &["--archive", "c:/own", "out-a"]).ok();
    for copy in [root.join("in-a"), host.dir().join("out-a")] {
        assert_eq!(who(&copy), (7, 8, 0o2755));
        assert_eq!(who(&copy.join("suid")), (7, 8, 0o4755));
        assert!(fs::metadata(copy.join("null")).unwrap().file_type().is_char_device());
    }
    // The mode is that of the source, whatever the umask, the group of the directory and its default ACL say.
    host.sh(&format!(
        "umask 077; cd {}; chgrp 9 home; chmod 2777 home; echo >{0}/plain; chmod 666 {0}/plain",
        root.display()
    ))
    .ok();
    sh(&host, &format!("umask 077; cp -p {}/plain plain; ctr-cp plain c:/home", root.display())).ok();
    assert_eq!(who(&root.join("home/plain")), (0, 0, 0o666));
}

fn trees_come_back_whole() {
    let host = Host::new();
    let doc = made(&host, "c", "");
    let long = "n".repeat(200);
    host.sh(&format!(
        "umask 022; mkdir -p t/dir/{long}/{long} t/readonly t/setgid t/secret && cd t
        echo data >file; touch -d '2001-02-03 04:05:06.123456789' file; : >empty; head -c 3000000 /dev/urandom >big
        truncate -s 5M hole; ln file hard; ln -s file soft; ln soft soft2; ln -s /etc/passwd absolute; ln -s {long}{long} longlink
        touch -hd '1969-01-01 00:00:00.25' soft; echo long >dir/{long}/{long}/file; ln file dir/{long}/{long}/hardlong
        mkfifo fifo; mknod null c 1 3; mknod disk b 8 17; chmod 600 disk; echo >.wh.file; echo >'odd
name'
        cp /bin/true suid; chmod 4755 suid; cp /bin/true sgid; chown 5:6 suid sgid; chmod 6711 sgid
        chmod 2775 setgid; chown 1:2097152 setgid; chmod 555 readonly; chmod 1777 dir; chmod 000 secret
        cp /bin/true caps; setcap cap_net_raw+ep caps; setfattr -n user.a -v 1 file; setfattr -n trusted.b -v 2 dir
        setfacl -m u:1234:rw file; setfacl -d -m g:5:rx setgid; chown -h 3:4 soft; touch -d '1985-01-01' readonly dir"
    ))
    .ok();
    let original = tree::list(&host.dir().join("t"), &[]);
    assert!(original.len() > 24, "{}", original.len());
    let same = |path: &Path| {
        assert_eq!(tree::differences(&original, &tree::list(path, &[])), Vec::<String>::new(), "{}", path.display());
    };
    for (name, seconds) in [("stopped", "6220"), ("running", "6221")] {
        let process = (name == "running").then(|| started(&host, "c", seconds));
        cp(&host, &["-a", "t", &format!("c:/home/{name}")]).ok();
        // As the container has it, and out again.
        let home = root_of(&doc).join("home");
        same(&home.join(name));
        cp(&host, &["-a", &format!("c:/home/{name}"), &format!("{name}-back")]).ok();
        same(&host.dir().join(format!("{name}-back")));
        // The same by a tar, which others read too; GNU tar reads access control lists in a form of its own only.
        sh(
            &host,
            &format!(
                "mkdir {name}-empty && ctr-cp {name}-empty c:/home/{name}-tar && \
            ctr-cp c:/home/{name}/. - >{name}.tar && ctr-cp - c:/home/{name}-tar <{name}.tar"
            ),
        )
        .ok();
        same(&home.join(format!("{name}-tar")));
        host.sh(&format!("mkdir {name}-gnu; tar --xattrs --xattrs-include='*' -xpf {name}.tar -C {name}-gnu"))
            .succeeds();
        let by_gnu = tree::list(&host.dir().join(format!("{name}-gnu")), &[]);
        assert_eq!(tree::differences(&without_acls(&original), &without_acls(&by_gnu)), Vec::<String>::new());
        drop(process);
    }
}

fn without_acls(tree: &tree::Listing) -> tree::Listing {
    let plain = |line: &str| line.split(' ').filter(|w| !w.contains("posix_acl")).collect::<Vec<_>>().join(" ");
    tree.iter().map(|(path, line)| (path.clone(), plain(line))).collect()
}

fn devices_and_fifos_are_not_replaced() {
    let host = Host::new();
    made(&host, "c", "");
    host.sh("mkfifo fifo && mknod null c 1 3").ok();
    for name in ["fifo", "null"] {
        cp(&host, &["c:/bin/busybox", name]).fails(1).stderr_has("cannot replace");
    }
    host.sh("test -p fifo && test -c null").ok();
}

fn tars_go_in_and_out() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    host.sh(&format!("{THINGS}; chown 7:8 f; ln -s f l; tar -cf t.tar f d l; gzip -k t.tar")).ok();
    sh(&host, "ctr-cp - c:/home <t.tar && ctr-cp - c:/var/ <t.tar.gz").ok().stdout_is("");
    for dir in ["home", "var"] {
        assert_eq!(
            (read(&root.join(dir).join("d/in")), fs::metadata(root.join(dir).join("f")).unwrap().uid()),
            ("in\n".into(), 7)
        );
    }
    sh(&host, "ctr-cp c:/home - | tar -t").ok().stdout_is("home/\nhome/d/\nhome/d/in\nhome/f\nhome/l\n");
    sh(&host, "ctr-cp c:/home/. - | tar -t").ok().stdout_is("./\nd/\nd/in\nf\nl\n");
    sh(&host, "ctr-cp c:/home/f - | tar -tv --numeric-owner").ok().stdout_has(" 7/8 ").stdout_has(" f\n");
    sh(&host, "ctr-cp c:/home/l - | tar -tv").ok().stdout_has("l -> f");
    // What is there through links inside is reached, as in a tar for a system whose /bin is a link.
    symlink("/home", root.join("way")).unwrap();
    sh(&host, "mkdir way; echo x >way/x; tar -c way/x | ctr-cp - c:/").ok();
    assert_eq!(read(&root.join("home/x")), "x\n");
    sh(&host, "ctr-cp - c:/home/f <t.tar").fails(1).stderr_has("no directory");
    sh(&host, "ctr-cp - c:/absent <t.tar").fails(1).stderr_has("no directory");
    sh(&host, "ctr-cp - c:/home </dev/null").fails(1).stderr_has("cut short");
    sh(&host, "head -c 2000 t.tar | ctr-cp - c:/home").fails(1).stderr_has("cut short");
    sh(&host, "echo no tar at all, whatever it says | ctr-cp - c:/home").fails(1);
    sh(&host, "ctr-cp c:/bin - | head -c 100 >/dev/null; ctr-cp c:/ - | true").ok();
    host.pty("ctr-cp c:/home -; echo status=$?").expect("status=1");
}

/// A container with a directory of the host at /data, one read-only at /ro, a tmpfs at /tmp.
fn with_mounts(host: &Host, more: &str) -> Value {
    let mut doc = made(host, "c", more);
    host.sh("mkdir data ro; echo of the host >data/file; echo ro >ro/file").ok();
    let bind = |name: &str, how: &str| json!({"destination": format!("/{name}"), "type": "bind", "source": host.dir().join(name), "options": ["rbind", how]});
    let tmpfs = json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]});
    doc["spec"]["mounts"] = json!([bind("data", "rw"), bind("ro", "ro"), tmpfs]);
    fs::write(host.dir().join("c"), format!("{doc}\n")).unwrap();
    doc
}

fn a_running_container_is_seen_with_its_mounts() {
    let host = Host::new();
    let root = root_of(&with_mounts(&host, ""));
    let (_running, pid) = started(&host, "c", "6222");
    host.sh(THINGS).ok();
    let seen = |path: &str| PathBuf::from(format!("/proc/{pid}/root{path}"));
    cp(&host, &["f", "c:/data"]).ok();
    cp(&host, &["d", "c:/tmp"]).ok();
    cp(&host, &["f", "c:/dev/shm/f"]).ok();
    assert_eq!((read(&host.dir().join("data/f")), read(&seen("/tmp/d/in"))), ("f\n".into(), "in\n".into()));
    assert!(!root.join("data/f").exists() && !root.join("tmp/d").exists(), "beneath the mounts nothing changed");
    cp(&host, &["c:/data/file", "out"]).ok();
    cp(&host, &["c:/dev/shm/f", "out2"]).ok();
    assert_eq!((read(&host.dir().join("out")), read(&host.dir().join("out2"))), ("of the host\n".into(), "f\n".into()));
    cp(&host, &["f", "c:/ro"]).fails(1).stderr_has("Read-only");
    cp(&host, &["c:/ro/file", "out3"]).ok();
    // What the kernel makes is neither read nor written.
    for place in ["/proc", "/proc/sys/kernel/core_pattern", "/sys/kernel", "/proc/1/x", "/sys/fs/cgroup/", "/dev/pts"] {
        cp(&host, &["f", &format!("c:{place}")]).fails(1);
    }
    let line = "mkdir -p p/proc/1 p/sys p/etc; tar -C p -c proc/1 | ctr-cp - c:/";
    sh(&host, line).fails(1).stderr_has("the kernel");
    sh(&host, "rmdir p/proc/1; tar -C p -c . | ctr-cp - c:/").ok();
    cp(&host, &["c:/proc/version", "x"]).fails(1).stderr_has("the kernel");
    cp(&host, &["c:/sys", "x"]).fails(1).stderr_has("the kernel");
    let all = sh(&host, "ctr-cp c:/. - | tar -t").ok().text();
    for there in ["./\n", "\ndata/file\n", "\ntmp/d/in\n", "\nproc/\n", "\nsys/\n", "\ndev/null\n", "\netc/hosts\n"] {
        assert!(all.contains(there), "{there:?}");
    }
    assert!(!all.contains("\nproc/1") && !all.contains("\nsys/k") && !all.contains("\ndev/pts/p"));
}

fn a_file_under_a_mount_keeps_the_mount() {
    let host = Host::new();
    made(&host, "c", "");
    let (_running, pid) = started(&host, "c", "6223");
    host.sh("echo 10.0.0.1 db >hosts; chmod 600 hosts; ln -s x l").ok();
    cp(&host, &["hosts", "c:/etc/hosts"]).ok();
    cp(&host, &["hosts", "c:/etc"]).ok();
    let seen = PathBuf::from(format!("/proc/{pid}/root/etc/hosts"));
    assert_eq!((read(&seen), fs::metadata(&seen).unwrap().mode() & 0o777), ("10.0.0.1 db\n".into(), 0o644));
    assert!(read(Path::new(&format!("/proc/{pid}/mountinfo"))).contains(" /etc/hosts "), "the mount is gone");
    // Another kind of file cannot take its place without taking the mount away.
    host.sh("mkdir e; ln -s x e/hosts").ok();
    cp(&host, &["e/.", "c:/etc"]).fails(1).stderr_has("mounted");
    assert!(read(Path::new(&format!("/proc/{pid}/mountinfo"))).contains(" /etc/hosts "), "the mount is gone");
}

fn read_only_is_denied() {
    let host = Host::new();
    with_mounts(&host, "--read-only");
    host.sh(THINGS).ok();
    cp(&host, &["f", "c:/home"]).fails(1).stderr_has("read-only");
    let (_running, _) = started(&host, "c", "6224");
    cp(&host, &["f", "c:/home"]).fails(1).stderr_has("Read-only");
    cp(&host, &["d", "c:/new"]).fails(1).stderr_has("Read-only");
    sh(&host, "tar -c f | ctr-cp - c:/home").fails(1).stderr_has("Read-only");
    cp(&host, &["f", "c:/data"]).ok();
    cp(&host, &["f", "c:/tmp"]).ok();
    cp(&host, &["c:/etc/passwd", "out"]).ok();
}

fn a_paused_container_is_no_other() {
    let host = Host::new();
    let doc = made(&host, "c", "");
    let (running, pid) = started(&host, "c", "6225");
    let state = host.run().join("containers").join(doc["id"].as_str().unwrap()).join("state.json");
    let paused = read(&state).replace("\"running\"", "\"paused\"");
    fs::write(&state, paused).unwrap();
    let stop = |signal| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    stop(nix::sys::signal::Signal::SIGSTOP);
    host.sh(THINGS).ok();
    cp(&host, &["f", "c:/dev/shm/f"]).ok();
    cp(&host, &["c:/dev/shm/f", "out"]).ok();
    assert_eq!(read(&host.dir().join("out")), "f\n");
    stop(nix::sys::signal::Signal::SIGCONT);
    drop(running);
}

fn a_reboot_makes_no_difference() {
    let host = Host::new();
    let doc = made(&host, "c", "");
    sh(&host, "echo mine >f; ctr-cp f c:/home").ok();
    host.sh(&format!("umount {} && rm -r $CTR_RUN", root_of(&doc).display())).ok();
    // Not guarded: what it mounts is to stay.
    host.tool("ctr-cp", &["c:/home/f", "out"]).ok();
    assert_eq!(read(&host.dir().join("out")), "mine\n");
    cp(&host, &["f", "c:/var"]).ok();
    assert_eq!(read(&root_of(&doc).join("var/f")), "mine\n");
}

fn bad_input_is_one_line() {
    let host = Host::new();
    made(&host, "c", "");
    made(&host, "other", "");
    host.sh(THINGS).ok();
    cp(&host, &["c:/f", "other:/f"]).fails(1).stderr_has("copying between containers is not supported");
    cp(&host, &["f", "g"]).fails(2).stderr_has("neither");
    cp(&host, &["-", "-"]).fails(2).stderr_has("neither");
    cp(&host, &["f", "none:/f"]).fails(1).stderr_has("no container none");
    cp(&host, &["none:/f", "f"]).fails(1).stderr_has("no container none");
    cp(&host, &["./none:/f", "c:/"]).fails(1).stderr_has("./none:/f");
    cp(&host, &["absent", "c:/"]).fails(1).stderr_has("absent");
    cp(&host, &["f"]).fails(2);
    sh(&host, "echo x >up; tar cP --transform 's,^,../,' up | ctr-cp - c:/home")
        .fails(1)
        .stderr_has("c:/home: entry ../up leads out of the directory");
    let socket = std::os::unix::net::UnixListener::bind(host.dir().join("socket")).unwrap();
    cp(&host, &["socket", "c:/"]).fails(1).stderr_has("socket");
    drop(socket);
    // With a colon in its name.
    sh(&host, "echo colon >a:b; ctr-cp ./a:b c:/home").ok();
    cp(&host, &["-q", "c:home/a:b", "out"]).ok();
    assert_eq!(read(&host.dir().join("out")), "colon\n");
}

/// A directory of the host that nothing may reach.
struct Victim(PathBuf);

impl Victim {
    fn new(host: &Host) -> Self {
        let dir = host.dir().join("victim");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("secret"), "secret\n").unwrap();
        Self(dir)
    }

    /// The ways to it from a root: absolute, and up far above it.
    fn ways(&self) -> Vec<String> {
        let path = self.0.to_str().unwrap();
        let roots = [
            "",
            "/../../../../..",
            "../../../../../../../../../../../..",
            "/proc/self/root",
            "/proc/1/root",
            "/proc/self/cwd/../../../../../../..",
        ];
        roots.iter().map(|root| format!("{root}{path}")).collect()
    }

    #[track_caller]
    fn assert_untouched(&self) {
        let names: Vec<_> = fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["secret"], "the host's directory changed");
        assert_eq!(read(&self.0.join("secret")), "secret\n");
        assert_eq!(fs::metadata(&self.0).unwrap().permissions().mode() & 0o7777, 0o755);
    }
}

/// Links to the host's files, at every place of a path, for a container that runs and one that does not.
fn links_lead_inside() {
    let host = Host::new();
    let victim = Victim::new(&host);
    let root = root_of(&made(&host, "c", ""));
    host.sh("echo evil >secret; mkdir d; echo evil >d/secret; mkdir got").ok();
    for seconds in ["", "6226"] {
        let process = (!seconds.is_empty()).then(|| started(&host, "c", seconds));
        for (n, way) in victim.ways().iter().enumerate() {
            symlink(way, root.join(format!("x{n}"))).unwrap();
            symlink(format!("x{n}/secret"), root.join(format!("y{n}"))).unwrap();
            for word in [format!("c:/x{n}/secret"), format!("c:/x{n}/."), format!("c:/y{n}"), format!("c:{way}/secret")]
            {
                cp(&host, &["-L", &word, "got/it"]).fails(1);
            }
            for word in [
                format!("c:/x{n}"),
                format!("c:/x{n}/"),
                format!("c:/x{n}/secret"),
                format!("c:/y{n}"),
                format!("c:{way}/secret"),
            ] {
                for source in ["secret", "d/.", "d"] {
                    // Where the last name of the way is free in the container, it is made there: that is inside.
                    let _ = cp(&host, &["-a", source, &word]);
                    victim.assert_untouched();
                }
            }
            let _ = sh(&host, &format!("tar -c secret | ctr-cp - c:/x{n}; tar -C d -c . | ctr-cp -a - c:/x{n}/"));
            victim.assert_untouched();
            fs::remove_file(root.join(format!("x{n}"))).unwrap();
            fs::remove_file(root.join(format!("y{n}"))).unwrap();
        }
        drop(process);
    }
    assert_eq!(fs::read_dir(host.dir().join("got")).unwrap().count(), 0);
    // A tar that brings its links along.
    sh(
        &host,
        &format!(
            "mkdir l; ln -s {0} l/out; tar -C l -cf l.tar out; rm l/out; mkdir l/out; echo evil >l/out/secret;
        tar -C l -rf l.tar out/secret; ctr-cp - c:/home <l.tar",
            victim.0.display()
        ),
    )
    .exits(1);
    victim.assert_untouched();
}

/// CVE-2018-15664: what was a directory when it was looked at is a link when it is used.
fn a_link_swapped_in_leads_nowhere() {
    let host = Host::new();
    let victim = Victim::new(&host);
    made(&host, "c", "");
    let swap = format!(
        "mkdir -p /race/d/e; echo mine >/race/d/secret; cd /race; \
         while :; do mv d d1; ln -s {0} d; rm d; mv d1 d; mv d/e d/e1; ln -s {0} d/e; rm d/e; mv d/e1 d/e; done 2>/dev/null",
        victim.0.display()
    );
    let _running = host.cmd("ns-spawn", &["-f", "c", "--", "sh", "-c", &swap]).spawn();
    host.process(&format!("sh -c {swap}"));
    host.sh("echo evil >secret; mkdir -p d/e; echo evil >d/secret; echo evil >d/e/secret; tar -C d -cf t.tar .").ok();
    let start = Instant::now();
    let (mut went, mut failed) = (0, 0);
    // Both must have happened, or the race was none.
    while (went < 40 || failed < 40) && start.elapsed() < Duration::from_mins(1) {
        let mut ran = vec![
            cp(&host, &["secret", "c:/race/d/secret"]),
            cp(&host, &["-a", "d/.", "c:/race/d"]),
            cp(&host, &["secret", "c:/race/d/e/"]),
            sh(&host, "ctr-cp - c:/race/d <t.tar"),
        ];
        victim.assert_untouched();
        ran.extend([
            cp(&host, &["c:/race/d/secret", "got"]),
            cp(&host, &["-L", "c:/race/d/e", "got-e"]),
            cp(&host, &["c:/race/.", "got-all"]),
        ]);
        // A link is copied as one: what lies behind it here is not.
        let secrets = host.sh("find got got-e got-all -type f -exec cat {} + 2>/dev/null").text();
        assert!(!secrets.contains("secret"), "the host's file was read: {secrets}");
        host.sh("rm -rf got got-e got-all").ok();
        went += ran.iter().filter(|ran| ran.status == 0).count();
        failed += ran.iter().filter(|ran| ran.status != 0).count();
    }
    assert!(went > 0 && failed > 0, "no race: {went} went well, {failed} failed");
    victim.assert_untouched();
}

/// A tree of which files turn into links, fifos and nothing while it is read.
fn a_tree_that_changes_is_read_inside() {
    let host = Host::new();
    let victim = Victim::new(&host);
    made(&host, "c", "");
    let churn = format!(
        "mkdir -p /t; cd /t; for i in 1 2 3 4 5 6 7 8; do mkdir $i; echo mine >$i/secret; done; \
         while :; do for i in 1 2 3 4 5 6 7 8; do mv $i x; ln -s {0} $i; rm $i; mv x $i; \
         rm $i/secret; mkfifo $i/secret; rm $i/secret; ln -s {0}/secret $i/secret; rm $i/secret; echo mine >$i/secret; done; done 2>/dev/null",
        victim.0.display()
    );
    let _running = host.cmd("ns-spawn", &["-f", "c", "--", "sh", "-c", &churn]).spawn();
    host.process(&format!("sh -c {churn}"));
    for n in 0..60 {
        let name = format!("got{n}");
        // It may fail where a directory is gone; it may not hang, and what it read is the container's.
        let _ = cp(&host, &["c:/t", &name]);
        let secrets = host.sh(&format!("find {name} -type f -exec cat {{}} + 2>/dev/null")).text();
        assert!(!secrets.contains("secret"), "{secrets}");
        let _ = sh(&host, "ctr-export c | tar -x -O t 2>/dev/null | grep -c secret").stdout_is("0\n");
    }
    victim.assert_untouched();
}

/// CVE-2019-14271: the container's libraries, loaded by who copies.
fn nothing_of_a_container_is_run() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    let trap = "#!/bin/sh\ntouch /trapped\n";
    for place in [
        "bin/tar",
        "usr/bin/tar",
        "bin/sh",
        "lib/x86_64-linux-gnu/libnss_files.so.2",
        "etc/ld.so.preload",
        "sbin/ldconfig",
    ] {
        fs::create_dir_all(root.join(place).parent().unwrap()).unwrap();
        let _ = fs::remove_file(root.join(place));
        fs::write(root.join(place), trap).unwrap();
        fs::set_permissions(root.join(place), fs::Permissions::from_mode(0o755)).unwrap();
    }
    sh(&host, "echo f >f; ctr-cp f c:/home && ctr-cp c:/home/f g && ctr-cp c:/. - | ctr-cp - c:/var").ok();
    assert!(!root.join("trapped").exists() && !Path::new("/trapped").exists());
}
