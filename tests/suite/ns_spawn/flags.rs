//! One line a flag: what the command sees, or why it did not begin.

use super::container;
use ctr_tests::*;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

pub fn tests() -> Vec<Test> {
    tests!("ns-spawn",
        ["root", "overlay", "umoci", "busybox"]:
            flags_are_what_the_command_sees,
            bad_values_are_said_in_one_line,
            namespaces_are_joined_and_shared,
            joined_namespaces_are_followed,
            nothing_but_its_devices_opens,
            env_files_and_profiles_are_read;
        ["root", "overlay", "umoci", "busybox", "userns"]:
            a_user_namespace_on_request
    )
}

fn flags_are_what_the_command_sees() {
    let host = Host::new();
    container(&host, "busybox");
    let id = host.sh("jq -r .id doc | cut -c1-12").ok().text();
    let id = id.trim();
    for (flags, command, output) in [
        ("", "hostname", id),
        ("", "cat /etc/hostname", id),
        ("", "echo $HOME $PWD $HOSTNAME", &format!("/root / {id}")),
        ("", "grep -c lo: /proc/net/dev", "1"),
        ("", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "0"),
        ("", "grep CapBnd /proc/self/status | cut -f2", "00000000a80425fb"),
        ("", "grep CapInh /proc/self/status | cut -f2", "0000000000000000"),
        ("", "ls -d /proc/acpi/* 2>/dev/null | wc -l; cat /proc/keys | wc -c", "0\n0"),
        ("", "cat /proc/sys/kernel/hostname >/dev/null; echo x 2>/dev/null >/proc/sys/kernel/hostname; echo $?", "1"),
        ("-e A=1 -e 'B=two words' -e A=3", "echo $A $B", "3 two words"),
        ("-e HOME=/h", "echo $HOME", "/h"),
        (
            "-u 1234",
            "id -u; id -g; id -G; grep -E 'Cap(Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u",
            "1234\n0\n0\n0000000000000000",
        ),
        ("-u 1234:7 --group-add 8 --group-add 9", "id -u; id -G", "1234\n7 8 9"),
        ("-w /made/here", "pwd", "/made/here"),
        ("--hostname box --domainname lan", "hostname; cat /proc/sys/kernel/domainname", "box\nlan"),
        ("--add-host db:10.0.0.9", "grep db /etc/hosts", "10.0.0.9\tdb"),
        ("--read-only", "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo shm", "refused\nshm"),
        ("--ulimit nofile=64:128", "ulimit -n; ulimit -Hn", "64\n128"),
        ("--cap-drop ALL --cap-add net_admin", "grep CapBnd /proc/self/status | cut -f2", "0000000000001000"),
        ("--cap-drop CAP_CHOWN", "chown 1 /tmp 2>/dev/null || echo refused", "refused"),
        ("--security-opt seccomp=unconfined", "grep Seccomp: /proc/self/status | cut -f2", "0"),
        ("--security-opt no-new-privileges", "grep NoNewPrivs /proc/self/status | cut -f2", "1"),
        ("--security-opt systempaths=unconfined", "mount | grep ' /proc/' | wc -l", "0"),
        ("--sysctl net.core.somaxconn=77", "cat /proc/sys/net/core/somaxconn", "77"),
        ("--sysctl kernel.msgmax=4096", "cat /proc/sys/kernel/msgmax", "4096"),
        ("--shm-size 1m", "df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2", "1024"),
        ("--oom-score-adj 500", "cat /proc/self/oom_score_adj", "500"),
        ("--ipc none", "test -e /dev/shm || echo none", "none"),
        ("--init", "cat /proc/1/comm", "ctr-init"),
        (
            "--privileged",
            "grep Seccomp: /proc/self/status | cut -f2; mount -t tmpfs t /tmp && echo mounted",
            "0\nmounted",
        ),
        ("--ns time=new", "test -e /proc/self/ns/time && echo time", "time"),
    ] {
        let line = format!("ns-spawn -f doc {flags} -- sh -c \"$0\"");
        let ran = host.cmd("sh", &["-c", &line, command]).run().exits(0);
        assert_eq!(ran.text().trim_end(), output, "{flags} {command}{ran}");
    }
    // The command line ends where the command begins, with -- and without.
    host.sh("ns-spawn -f doc echo -n --rm -t").ok().stdout_is("--rm -t");
    host.sh("ns-spawn -f doc --entrypoint echo -- a b").ok().stdout_is("a b\n");
    host.sh("ns-spawn -f doc --network host -- readlink /proc/self/ns/net >in; readlink /proc/self/ns/net | cmp - in")
        .ok();
    host.sh("hostname >out; ns-spawn -f doc --uts host -- hostname | cmp - out").ok();
}

fn bad_values_are_said_in_one_line() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    for (flags, words) in [
        ("-u nosuch", "nosuch"),
        ("-u +0", "+0"),
        ("-u 4294967295", "out of range"),
        ("-u 0:nogroupofthatname", "nogroupofthatname"),
        ("-u a:b:c", "USER[:GROUP]"),
        ("-w relative", "absolute"),
        ("-e =x", "environment"),
        ("--env-file /no/such/file", "/no/such/file"),
        ("--hostname 'a b'", "a b"),
        ("--hostname x --uts host", "UTS"),
        ("--add-host db", "db"),
        ("--add-host db:1.2.3", "db"),
        ("--ulimit nofile", "nofile"),
        ("--ulimit nofile=2:1", "hard"),
        ("--cap-add NONSENSE", "NONSENSE"),
        ("--security-opt nonsense=1", "nonsense"),
        ("--security-opt apparmor=x", "apparmor"),
        ("--security-opt seccomp=/no/such/file", "/no/such/file"),
        ("--sysctl kernel.panic=1", "kernel.panic"),
        ("--sysctl net.core.somaxconn=1 --network host", "somaxconn"),
        ("--shm-size big", "big"),
        ("--stop-signal NONSENSE", "NONSENSE"),
        ("--oom-score-adj 2000", "2000"),
        ("--network bridge", "net-attach"),
        ("--pid container:nobody", "nobody"),
        ("--ns pid=/no/such/ns", "/no/such/ns"),
        ("--ns mount=host", "mount namespace"),
        ("--uidmap 0:1:1", "--userns private"),
        ("--name another", "has a name"),
        ("--status-fd 99", "99"),
        ("-b /tmp", "not both"),
    ] {
        let ran = host.sh(&format!("ns-spawn -f doc {flags} -- true")).fails(125);
        assert!(ran.stderr_text().contains(words), "{flags}{ran}");
    }
    host.sh("ns-spawn -f doc --entrypoint ''").fails(125).stderr_has("command");
    // Nothing of it became part of the container: it runs, and its record knows no failed step.
    let record = super::record(&host, &doc);
    assert!(record["spec"].get("process").is_none(), "{record}");
    host.sh("ns-spawn -f doc -- true").ok();
}

fn namespaces_are_joined_and_shared() {
    let host = Host::new();
    container(&host, "busybox");
    host.sh("img-inspect --document busybox | img-unpack | overlay-mount --name other >other").ok();
    let running = host.sh_cmd("ns-spawn -f other -- sleep 6201").spawn();
    let pid = host.process("sleep 6201");
    for (flag, file) in
        [("--network", "net"), ("--ipc", "ipc"), ("--uts", "uts"), ("--pid", "pid"), ("--cgroupns", "cgroup")]
    {
        let theirs = std::fs::read_link(format!("/proc/{pid}/ns/{file}")).unwrap();
        let words = ["container:other".to_owned(), format!("ns:/proc/{pid}/ns/{file}")];
        for word in words {
            let ran = host.sh(&format!("ns-spawn -f doc {flag} {word} -- readlink /proc/self/ns/{file}")).ok();
            assert_eq!(ran.text().trim(), theirs.to_str().unwrap(), "{flag} {word}");
        }
        let ran = host.sh(&format!("ns-spawn -f doc -- readlink /proc/self/ns/{file}")).ok();
        assert_ne!(ran.text().trim(), theirs.to_str().unwrap(), "{flag} is private");
    }
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    running.wait().exits(137);
    host.sh("ns-spawn -f doc --pid container:other -- true").fails(125).stderr_has("not running");
}

/// The number of a process is another's once it has ended: whose namespaces are joined is kept by the container's id.
fn joined_namespaces_are_followed() {
    let host = Host::new();
    host.load("busybox");
    host.sh("ctr run -d --name base busybox sleep 6203").ok();
    host.sh("ctr run -d --name side --network container:base --ipc container:base busybox sleep 6204").ok();
    let same = "for x in net ipc; do test $(ctr exec base readlink /proc/self/ns/$x) = \
                $(ctr exec side readlink /proc/self/ns/$x) || exit 1; done";
    host.sh(same).ok();
    host.sh("test $(ctr exec base hostname) = $(ctr exec side hostname)").ok();
    host.sh("ctr restart -t 0 base && ctr restart -t 0 side").succeeds();
    host.sh(same).ok();
    host.sh("ctr stop -t 0 base side").succeeds();
    assert!(host.sh("ctr start side").exits(1).stderr_text().contains("is not running"));
    host.sh("ctr rm -f base side").ok();
    host.assert_clean();
}

fn a_user_namespace_on_request() {
    let host = Host::new();
    container(&host, "busybox");
    let own = std::fs::read_link("/proc/self/ns/user").unwrap();
    let ran = host
        .sh("ns-spawn -f doc --userns private -- sh -c 'readlink /proc/self/ns/user; id -u; echo x >/dev/null'")
        .ok();
    let text = ran.text();
    assert!(!text.contains(own.to_str().unwrap()) && text.ends_with("\n0\n"), "{text}");
    host.sh("ns-spawn -f doc --userns private --uidmap 0:0:1000 --gidmap 0:0:1000 -- cat /proc/self/uid_map")
        .exits(0)
        .stdout_has("0       1000");
}

/// Without a control group of its own no node opens but those that a container has: neither one that it makes nor one that
/// came with the image.
fn nothing_but_its_devices_opens() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    // A loop device that has nothing behind it is refused by the kernel with ENXIO only once it is opened.
    let node = format!("{}/planted", doc["rootfs"]["path"].as_str().unwrap());
    host.sh(&format!("mknod {node} c 1 11")).ok(); // kmsg
    let script = "mknod /made c 1 11; mknod /dev/made c 1 11; mknod /dev/shm/made c 1 11
        for d in /planted /made /dev/made /dev/shm/made; do head -c 1 $d >/dev/null 2>&1 && echo $d opens; done
        for d in null zero full random urandom; do head -c 1 /dev/$d >/dev/null || echo $d; done
        echo done";
    for flags in ["", "--init", "-u 0:0", "--network host"] {
        let line = format!("ns-spawn -f doc {flags} -- sh -c \"$0\"");
        host.cmd("sh", &["-c", &line, script]).run().exits(0).stdout_is("done\n");
    }
    host.sh("ns-spawn -f doc --privileged -- head -c 0 /planted").ok();
}

fn env_files_and_profiles_are_read() {
    let host = Host::new();
    container(&host, "busybox");
    std::fs::write(host.dir().join("vars"), "# comment\nA=1\n\nB=with space\nCALLER\n").unwrap();
    host.sh("CALLER=me ns-spawn -f doc --env-file vars -e A=2 -- sh -c 'echo $A $B $CALLER'")
        .ok()
        .stdout_is("2 with space me\n");
    host.sh("ns-spawn -f doc --env-file vars -- sh -c 'echo ${CALLER-unset}'").ok().stdout_is("unset\n");
    let refuse = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
    });
    std::fs::write(host.dir().join("profile"), refuse.to_string()).unwrap();
    host.sh("ns-spawn -f doc --security-opt seccomp=profile -- mkdir /x")
        .exits(1)
        .stderr_has("Operation not permitted");
    std::fs::write(host.dir().join("profile"), "{").unwrap();
    host.sh("ns-spawn -f doc --security-opt seccomp=profile -- true").fails(125).stderr_has("profile");
}
