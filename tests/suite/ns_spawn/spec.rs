//! `--print-spec`, and what other runtimes make of it.

use super::container;
use ctr_tests::*;

pub fn tests() -> Vec<Test> {
    tests!("ns-spawn",
        ["root", "overlay", "umoci", "busybox"]:
            it_prints_and_does_nothing,
            the_documents_part_is_kept;
        ["root", "overlay", "umoci", "busybox", "runc"]:
            runc_runs_what_is_printed;
        ["root", "overlay", "umoci", "busybox", "crun"]:
            crun_runs_what_is_printed
    )
}

fn it_prints_and_does_nothing() {
    let host = Host::new();
    let doc = container(&host, "busybox");
    let before = super::record(&host, &doc);
    let spec = host.sh("ns-spawn --print-spec -f doc -- true").ok().json();
    assert_eq!(spec["root"]["path"], doc["rootfs"]["path"]);
    assert_eq!(spec["process"]["args"], json!(["true"]));
    assert_eq!(super::record(&host, &doc), before);
    // A container that has no id yet gets none.
    let bare = json!({"ctr": 1, "rootfs": {"path": doc["rootfs"]["path"]}});
    let spec = host.pipe_to(&bare, "ns-spawn", &["--print-spec", "--", "true"]).ok().json();
    assert!(spec.get("hostname").is_none(), "{spec}");
    assert_eq!(host.sh("ls $CTR_ROOT/containers | wc -l").ok().text().trim(), "1");
    host.pipe_to(&json!({"ctr": 1}), "ns-spawn", &["--print-spec", "--", "true"])
        .fails(125)
        .stderr_has("overlay-mount");
}

fn the_documents_part_is_kept() {
    let host = Host::new();
    let mut doc = container(&host, "busybox");
    doc["spec"]["x-later"] = json!({"a": [1]});
    doc["spec"]["mounts"] = json!([
        {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "mine", "options": ["size=2m"]},
    ]);
    let spec = host.pipe_to(&doc, "ns-spawn", &["--print-spec", "--", "true"]).ok().json();
    assert_eq!(spec["x-later"], json!({"a": [1]}));
    let ran =
        host.pipe_to(&doc, "ns-spawn", &["--", "sh", "-c", "mount | grep -E ' (/data|/dev/shm) ' | cut -d' ' -f1,3"]);
    ran.ok().stdout_is("tmpfs /data\nmine /dev/shm\n");
}

/// The flags of which each runtime is to make the same as ours.
const CASES: &[&str] = &[
    "",
    "-u 1000:7 --group-add 9 -w /tmp -e A=1",
    "--cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges",
    "--read-only --hostname box --add-host db:10.0.0.9 --shm-size 1m",
    "--ulimit nofile=64:128 --sysctl net.core.somaxconn=77",
    "--pid host --ipc host --uts host --network host",
    "--privileged",
    "-t",
];

const LOOK: &str = "id; pwd; env | grep -v ^_ | sort; hostname; cat /etc/hosts; ulimit -n; ulimit -Hn
    grep -E '^(Cap|NoNewPrivs|Seccomp:|SigBlk)' /proc/self/status
    for p in /proc/acpi /proc/keys /proc/sys/kernel/hostname /sys/firmware; do head -c 1 $p 2>/dev/null | wc -c; done
    mount | cut -d' ' -f3 | grep -v -e ^/dev/console -e ^/sys/fs/cgroup -e ^/dev/.*[^mes]$ | sort -u | grep -E '^/($|etc|dev/(shm|pts|mqueue)|sys$|proc$)'
    cat /proc/sys/net/core/somaxconn; touch /x 2>/dev/null; echo $?; df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2
    tty >/dev/null && echo terminal; exit 3";

fn same_under(host: &Host, run: impl Fn(&str) -> String) {
    container(host, "busybox");
    host.sh("mkdir bundle").ok();
    for flags in CASES {
        let print = format!("ns-spawn --print-spec -f doc {flags} -- sh -c \"$0\" >bundle/config.json");
        host.cmd("sh", &["-c", &print, LOOK]).run().ok();
        let look = |line: &str| -> String {
            if flags.contains("-t") {
                let (status, text) = host.pty(line).wait();
                assert_eq!(status, 3, "{flags}: {text}");
                text
            } else {
                host.sh(line).exits(3).text()
            }
        };
        let (ours, theirs) = (look("ns-spawn -b bundle"), look(&run("bundle")));
        assert!(ours.contains("CapBnd"), "{ours}");
        assert_eq!(ours, theirs, "{flags}");
    }
}

// The names are control groups too, which crun empties at its end: no two runs may share one.
fn runc_runs_what_is_printed() {
    let host = Host::new();
    same_under(&host, |bundle| format!("runc --root $PWD/runc run -b {bundle} spec-{}", std::process::id()));
}

fn crun_runs_what_is_printed() {
    let host = Host::new();
    // crun refuses the hybrid cgroup layout: without the v2 tree it is a v1 machine.
    let hybrid = "if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi";
    same_under(&host, |bundle| {
        format!(
            "unshare -m --propagation private sh -c '{hybrid}; exec crun --root $PWD/crun run -b {bundle} spec-c{}'",
            std::process::id()
        )
    });
}
