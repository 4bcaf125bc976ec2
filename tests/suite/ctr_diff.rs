//! ctr-diff: what was added, changed and deleted, against what a look at the whole tree before and after says.

use crate::ctr_cp::{made, root_of};
use ctr_tests::*;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

pub fn tests() -> Vec<Test> {
    tests!("ctr-diff",
        ["root", "overlay", "umoci", "busybox"]:
            a_new_container_has_no_changes,
            every_kind_of_change,
            odd_names_are_one_line,
            bad_input_is_one_line;
        ["root", "overlay", "umoci", "mmdebstrap"]:
            all_changes_and_no_others
    )
}

fn a_new_container_has_no_changes() {
    let host = Host::new();
    made(&host, "c", "");
    host.tool("ctr-diff", &["c"]).ok().stdout_is("");
    // What the runtime makes to mount on is not the container's doing: /etc/hosts, /etc/hostname, /sys/fs/cgroup.
    host.sh("ns-spawn -f c -- true").ok();
    host.tool("ctr-diff", &["c"]).ok().stdout_is("");
    host.sh(
        "jq -c '.spec.mounts=[{destination: \"/a/b/c\", type: \"tmpfs\", source: \"x\"}]' c >d; ns-spawn -f d -- true",
    )
    .ok();
    host.tool("ctr-diff", &["c"]).ok().stdout_is("");
    host.sh("ns-spawn -f d -- touch /a/x /etc/mine").ok();
    host.tool("ctr-diff", &["c"]).ok().stdout_is("A /a\nA /a/x\nC /etc\nA /etc/mine\n");
}

fn every_kind_of_change() {
    let host = Host::new();
    made(&host, "c", "");
    let script = "echo >/new; mkdir -p /made/deep; echo >/made/deep/f; echo x >>/etc/passwd; rm /etc/group
        rm -r /usr/bin; echo >/usr/bin; rm -r /home; mkdir /home; chmod 700 /var; mv /bin/ls /bin/list
        ln -sf busybox /bin/cat; rm /made/deep/f; touch /made/g; rm /new; rm -r /root; mkdir -p /root/.ssh";
    host.sh(&format!("ns-spawn -f c -- sh -c '{script}'")).ok();
    let expected = "C /bin\nC /bin/cat\nA /bin/list\nD /bin/ls\nC /etc\nD /etc/group\nC /etc/passwd\nC /home\n\
        A /made\nA /made/deep\nA /made/g\nC /root\nA /root/.ssh\nC /usr\nC /usr/bin\nC /var\n";
    host.tool("ctr-diff", &["c"]).ok().stdout_is(expected);
    let lines = host.tool("ctr-diff", &["--json", "c"]).ok().jsons();
    let text: String =
        lines.iter().map(|l| format!("{} {}\n", l["Kind"].as_str().unwrap(), l["Path"].as_str().unwrap())).collect();
    assert_eq!(text, expected);
    // The same while it runs, and after a reboot.
    let (running, _) = crate::ctr_cp::started(&host, "c", "6240");
    host.tool("ctr-diff", &["c"]).ok().stdout_is(expected);
    drop(running);
}

fn odd_names_are_one_line() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    fs::write(root.join("home/a\nD \u{1b}[2Jx"), "").unwrap();
    host.tool("ctr-diff", &["c"]).ok().stdout_is("C /home\nA /home/a\\nD \\u{1b}[2Jx\n");
    let json = host.tool("ctr-diff", &["--json", "c"]).ok().jsons();
    assert_eq!(json[1]["Path"], "/home/a\nD \u{1b}[2Jx");
}

fn bad_input_is_one_line() {
    let host = Host::new();
    let doc = made(&host, "c", "");
    host.tool("ctr-diff", &["none"]).fails(1).stderr_has("no container none");
    host.tool("ctr-diff", &[]).fails(2);
    host.sh(&format!("mv {0} {0}.away", doc["image"]["layers"][0]["path"].as_str().unwrap())).ok();
    host.tool("ctr-diff", &["c"]).fails(1).stderr_has("is gone");
}

/// The paths of `tree` that lie in no other path of it.
fn topmost(paths: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    paths.iter().filter(|path| !path.ancestors().skip(1).any(|above| paths.contains(above))).cloned().collect()
}

/// An image of many layers with whiteouts and opaque directories of its own, and much done to it.
fn all_changes_and_no_others() {
    let host = Host::new();
    host.load("many");
    let pipe = "img-pull --pull missing many | img-unpack | overlay-mount --name c";
    let root = root_of(&host.sh_cmd(pipe).limit(300).run().ok().json());
    let before = tree::list(&root, &[]);
    assert!(before.len() > 20_000);
    let script = "set -e
        find usr/share -type f | awk 'NR % 97 == 0' | while read -r f; do rm \"$f\"; done
        find usr/lib -type f | awk 'NR % 89 == 0' | while read -r f; do echo >>\"$f\"; done
        find usr -type d | awk 'NR % 61 == 0' | while read -r d; do [ ! -d \"$d\" ] || { rm -r \"$d\"; mkdir \"$d\"; echo >\"$d/new\"; }; done
        find var usr/share -type d | awk 'NR % 53 == 0' | while read -r d; do echo >\"$d/added\"; mkdir -p \"$d/dir/in\"; done
        find etc -maxdepth 1 -mindepth 1 -type d | awk 'NR % 7 == 0' | while read -r d; do rm -r \"$d\"; echo >\"$d\"; done
        find etc -maxdepth 1 -type f | awk 'NR % 5 == 0' | while read -r f; do rm \"$f\"; mkdir \"$f\"; echo >\"$f/in\"; done
        find etc -type d | awk 'NR % 11 == 0' | while read -r d; do chmod 700 \"$d\"; done";
    host.sh_cmd(&format!("cd {} && {script}", root.display())).limit(300).run().ok();
    let after = tree::list(&root, &[]);
    let found = host.tool("ctr-diff", &["c"]).ok().text();
    let mut paths: Vec<&str> = found.lines().map(|line| &line[2..]).collect();
    assert!(paths.len() > 500 && paths.is_sorted());
    paths.dedup();
    assert_eq!(paths.len(), found.lines().count(), "a path is listed once");
    let of = |kind: &str| -> BTreeSet<PathBuf> {
        found.lines().filter_map(|line| Some(line.strip_prefix(kind)?.strip_prefix(" /")?.into())).collect()
    };
    let keys = |tree: &tree::Listing| tree.keys().cloned().collect::<BTreeSet<PathBuf>>();
    let (old, new) = (keys(&before), keys(&after));
    assert_eq!(of("A"), new.difference(&old).cloned().collect());
    // Of what was deleted only the top is listed, and not what lay in a directory that is now a file.
    let became_file =
        |path: &Path| path.ancestors().skip(1).any(|above| new.contains(above) && !root.join(above).is_dir());
    let deleted = topmost(&old.difference(&new).cloned().collect());
    assert_eq!(of("D"), deleted.into_iter().filter(|path| !became_file(path)).collect());
    let changed: BTreeSet<PathBuf> =
        old.intersection(&new).filter(|path| before[*path] != after[*path]).cloned().collect();
    let listed = of("C");
    let missing: Vec<_> = changed.difference(&listed).collect();
    assert!(missing.is_empty(), "not listed: {missing:?}");
    // Beyond those: directories on the way to a change, and files written anew.
    for path in listed.difference(&changed) {
        let below = found.lines().any(|line| Path::new(&line[3..]).starts_with(path) && Path::new(&line[3..]) != path);
        assert!(below, "{} did not change", path.display());
    }
}
