//! What a test needs of the machine, by words. An unmet one makes the test ignored, with the reason printed;
//! with `CTR_TEST_REQUIRE=1` it makes it fail, but for a layout of control groups that the other machine has: one is this
//! one, the other the virtual machine of `make test-vm`, with cgroup v2. An unknown word always fails.

use std::{env, fs, path::Path, process::Command};

/// Whether an unmet need is a failure (`CTR_TEST_REQUIRE=1`, as CI sets it).
pub fn strict() -> bool {
    env::var_os("CTR_TEST_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0")
}

/// Whether we are in the virtual machine: its first process says so (`CTR_TEST_VM`).
pub fn in_vm() -> bool {
    env::var_os("CTR_TEST_VM").is_some()
}

/// Whether a need that is unmet here is met elsewhere: outside of the virtual machine (`vm`) what that has is, cgroup v2,
/// ipvlan, 802.1q, quotas of projects; inside cgroup v1 is. Nobody has cgroup v1 for a machine that has it not.
pub fn elsewhere(needs: &[&str], vm: bool) -> bool {
    let there: &[&str] = if vm { &["cgroup1"] } else { &["cgroup2", "ipvlan", "8021q", "prjquota"] };
    there.iter().any(|word| needs.contains(word) && lacks(word).is_some())
}

/// The reason why this machine does not meet `needs`; `None` where it does.
///
/// # Panics
/// For a word that is none of the list: a misspelt need must not skip a test for ever.
pub fn unmet(needs: &[&str]) -> Option<String> {
    let lacking: Vec<String> = needs.iter().filter_map(|word| lacks(word)).collect();
    (!lacking.is_empty()).then(|| lacking.join(", "))
}

fn lacks(word: &str) -> Option<String> {
    let missing = |what: String| Some(what);
    match word {
        "root" => (!nix::unistd::geteuid().is_root()).then(|| "needs root".to_owned()),
        "overlay" => kernel_file_system("overlay"),
        "netns" => (!Path::new("/proc/self/ns/net").exists()).then(|| "needs network namespaces".to_owned()),
        "userns" => (!Path::new("/proc/self/ns/user").exists()).then(|| "needs user namespaces".to_owned()),
        "tmpfs" => kernel_file_system("tmpfs"),
        // The one hierarchy with the controllers that limits need; the hybrid layout has one too, without them.
        "cgroup2" => {
            let have = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
            let has = |name: &str| have.split_whitespace().any(|controller| controller == name);
            let all = ["memory", "cpu", "pids", "io", "cpuset"].into_iter().all(has);
            (!all).then(|| "needs cgroup v2 with its controllers: make test-vm".to_owned())
        }
        // A cgroup2 tree, whatever is in it.
        "cgroup2-tree" => {
            let mounted = fs::read_to_string("/proc/self/mounts").unwrap_or_default().contains(" cgroup2 ");
            (!mounted).then(|| "needs cgroup v2 mounted".to_owned())
        }
        "ipvlan" | "8021q" => {
            let there = || Path::new("/sys/module").join(word).exists();
            let loads = || Command::new("modprobe").args(["-q", word]).status().is_ok_and(|status| status.success());
            (!there() && !loads()).then(|| format!("needs a kernel with {word}: make test-vm"))
        }
        "ipv6" => (!Path::new("/proc/sys/net/ipv6").exists()).then(|| "needs a kernel with IPv6".to_owned()),
        "cgroup1" => (!Path::new("/sys/fs/cgroup/memory").is_dir()).then(|| "needs cgroup v1 hierarchies".to_owned()),
        "loop" => {
            let free = || Command::new("losetup").arg("-f").output().is_ok_and(|out| out.status.success());
            let loads = || Command::new("modprobe").arg("loop").output().is_ok_and(|out| out.status.success());
            let has = free() || (loads() && free());
            (!has).then(|| "needs loop devices (apt-get install mount)".to_owned())
        }
        "prjquota" => project_quotas(),
        "cni" => (!Path::new("/usr/lib/cni/host-local").exists())
            .then(|| "needs CNI's stock plugins (apt-get install containernetworking-plugins)".to_owned()),
        "cargo" => (env::var_os("CARGO").is_none() && !in_path("cargo")).then(|| "needs cargo".to_owned()),
        "python3-jsonschema" => python_module("jsonschema"),
        "libseccomp" => (!Path::new("/usr/include/seccomp.h").exists())
            .then(|| "needs libseccomp's headers (apt-get install libseccomp-dev)".to_owned()),
        _ => match program_of(word) {
            Some((program, package)) => {
                (!in_path(program)).then(|| format!("needs {program} (apt-get install {package})")).and_then(missing)
            }
            None => panic!("requires: unknown word {word:?}"),
        },
    }
}

/// Quotas of projects, which a kernel tells only by mounting a file system that has them.
fn project_quotas() -> Option<String> {
    let trial = "d=$(mktemp -d) && truncate -s 8M $d/image && mkfs.ext4 -q -O project,quota -E quotatype=prjquota $d/image && \
                 mkdir $d/on && mount -o loop,prjquota $d/image $d/on && umount $d/on; s=$?; rm -r $d; exit $s";
    let there = Command::new("sh").args(["-c", trial]).output().is_ok_and(|out| out.status.success());
    (!there).then(|| "needs a kernel with quotas of projects: make test-vm".to_owned())
}

/// The words that mean a program: (program, Debian package).
fn program_of(word: &str) -> Option<(&'static str, &'static str)> {
    const PROGRAMS: &[(&str, &str, &str)] = &[
        ("attr", "setfattr", "attr"),
        ("acl", "setfacl", "acl"),
        ("bash", "bash", "bash"),
        ("bats", "bats", "bats"),
        ("bubblewrap", "bwrap", "bubblewrap"),
        ("buildah", "buildah", "buildah"),
        ("busybox", "busybox", "busybox-static"),
        ("crun", "crun", "crun"),
        ("curl", "curl", "curl"),
        ("dash", "dash", "dash"),
        ("docker", "dockerd", "docker.io"),
        ("docker-registry", "docker-registry", "docker-registry"),
        ("gcc", "gcc", "gcc"),
        ("htpasswd", "htpasswd", "apache2-utils"),
        ("ip", "ip", "iproute2"),
        ("iptables", "iptables-nft", "iptables"),
        ("jq", "jq", "jq"),
        ("libcap", "setcap", "libcap2-bin"),
        ("lsns", "lsns", "util-linux"),
        ("make", "make", "make"),
        ("mandoc", "mandoc", "mandoc"),
        ("mmdebstrap", "mmdebstrap", "mmdebstrap"),
        ("nft", "nft", "nftables"),
        ("openssl", "openssl", "openssl"),
        ("podman", "podman", "podman"),
        ("python3", "python3", "python3"),
        ("runc", "runc", "runc"),
        ("setpriv", "setpriv", "util-linux"),
        ("shellcheck", "shellcheck", "shellcheck"),
        ("shfmt", "shfmt", "shfmt"),
        ("skopeo", "skopeo", "skopeo"),
        ("strace", "strace", "strace"),
        ("umoci", "umoci", "umoci"),
        ("zstd", "zstd", "zstd"),
    ];
    PROGRAMS.iter().find(|(name, ..)| *name == word).map(|&(_, program, package)| (program, package))
}

fn in_path(program: &str) -> bool {
    let path = crate::suite::system_path();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn kernel_file_system(name: &str) -> Option<String> {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let has = known.lines().any(|line| line.split_whitespace().last() == Some(name));
    // A module is loaded by the first mount of its type.
    let loads = || Command::new("modprobe").arg(name).output().is_ok_and(|out| out.status.success());
    (!has && !loads()).then(|| format!("needs the file system {name}"))
}

fn python_module(name: &str) -> Option<String> {
    // Debian's own python, whose modules Debian's packages are; another one may stand before it in PATH.
    let found = Command::new("/usr/bin/python3").args(["-c", &format!("import {name}")]).output();
    (!found.is_ok_and(|out| out.status.success()))
        .then(|| format!("needs python3's {name} (apt-get install python3-{name})"))
}
