//! img-prune and `ctr system prune`: what goes, what stays, what was freed.

use crate::{living::busybox, records::create};
use ctr_tests::*;

pub fn tests() -> Vec<Test> {
    tests!("img-prune",
        ["root", "overlay", "umoci"]:
            what_no_container_has_goes,
            filters,
            frees_what_it_says,
            prunes_the_whole_system,
            asks_on_the_terminal;
        []:
            bad_filters
    )
}

fn names(host: &Host) -> Vec<String> {
    let lines = host.tool("img-ls", &[]).ok().jsons();
    let mut names: Vec<_> = lines.iter().map(|i| i["Repository"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn pruned(host: &Host, args: &[&str]) -> Value {
    host.tool("img-prune", &[&["-f"], args].concat()).ok().json()
}

/// An image of one file with a text in it.
fn import(host: &Host, name: &str, more: &str) {
    host.sh(&format!("echo {name} >f; tar c f | img-import {more} - {name} >/dev/null")).ok();
}

fn what_no_container_has_goes() {
    let host = busybox();
    import(&host, "a", "");
    import(&host, "b", "");
    // Two dangle: nobody has the one, a container the other.
    host.sh("img-tag a b").ok();
    create(&host, "c", "");
    host.sh("img-tag a busybox").ok();
    assert_eq!(names(&host), ["<none>", "<none>", "a", "b", "busybox"]);
    let done = pruned(&host, &[]);
    assert_eq!(done["ImagesDeleted"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(names(&host), ["<none>", "a", "b", "busybox"]);
    let done = pruned(&host, &["-a"]);
    let untagged: Vec<_> =
        done["ImagesDeleted"].as_array().unwrap().iter().filter_map(|d| d["Untagged"].as_str()).collect();
    assert_eq!(untagged, ["a:latest", "b:latest", "busybox:latest"]);
    assert_eq!(names(&host), ["<none>"]);
    assert_eq!(pruned(&host, &["-a"]), json!({"ImagesDeleted": [], "SpaceReclaimed": 0}));
    host.sh("ctr start -a c; ctr rm c").exits(0);
    host.sh("ctr image prune -f").ok().stdout_has("deleted: sha256:").stdout_has("Total reclaimed space: ");
    assert!(names(&host).is_empty());
    host.tool("ctr-fsck", &[]).ok();
    host.sh("find $CTR_ROOT/images/blobs $CTR_ROOT/layers -mindepth 2 | wc -l").ok().stdout_is("0\n");
}

fn filters() {
    let host = Host::new();
    import(&host, "one", "-c 'LABEL tier=web'");
    import(&host, "two", "-c 'LABEL tier=db' -c 'LABEL keep=1'");
    import(&host, "three", "");
    for (filter, left) in [
        (&["--filter", "until=1h"][..], &["one", "three", "two"][..]),
        (&["--filter", "label=none"], &["one", "three", "two"]),
        (&["--filter", "label=tier=web", "--filter", "until=0s"], &["three", "two"]),
        (&["--filter", "label!=keep"], &["two"]),
        (&["--filter", "label!=other"], &[]),
    ] {
        pruned(&host, &[&["-a"], filter].concat());
        assert_eq!(names(&host), left, "{filter:?}");
    }
}

fn frees_what_it_says() {
    let host = busybox();
    host.sh("img-inspect --document busybox | img-unpack").ok();
    import(&host, "other", "");
    let size = |host: &Host| {
        let lines = host.tool("ctr-df", &[]).ok().jsons();
        lines.iter().find(|line| line["Type"] == "Images").unwrap()["Size"].as_u64().unwrap()
    };
    let before = size(&host);
    let done = pruned(&host, &["-a", "--filter", "until=2020-01-01"]);
    assert_eq!(done["SpaceReclaimed"], 0);
    let done = pruned(&host, &["-a"]);
    assert_eq!((size(&host), &done["SpaceReclaimed"]), (0, &json!(before)));
}

fn prunes_the_whole_system() {
    let host = busybox();
    host.sh("ctr run --name done busybox sh -c 'echo x >/x'").ok();
    import(&host, "kept", "");
    let shown = host.tool("ctr-prune", &["-f", "--system"]).ok().json();
    assert_eq!(shown["ContainersDeleted"].as_array().unwrap().len(), 1);
    assert_eq!((&shown["NetworksDeleted"], &shown["ImagesDeleted"]), (&json!([]), &json!([])));
    assert_eq!(names(&host), ["busybox", "kept"]);
    create(&host, "c", "");
    let done = host.sh("ctr system prune -f -a --filter until=0s").ok();
    done.stdout_has("Deleted Containers:").stdout_has("untagged: kept:latest").stdout_has("Total reclaimed space: ");
    assert!(names(&host).is_empty());
    host.tool("ctr-prune", &["-f", "-a"]).fails(2);
    host.tool("ctr-prune", &["-f", "--volumes"]).fails(2);
    host.assert_clean();
}

fn asks_on_the_terminal() {
    let host = Host::new();
    import(&host, "a", "");
    host.tool("img-prune", &["-a"]).exits(1).stderr_has("--force");
    host.tool("ctr-prune", &["--system"]).exits(1).stderr_has("--force");
    for (line, question, answer, left) in [
        ("img-prune -a", "all images", "n", 1),
        ("ctr system prune -a", "stopped containers", "n", 1),
        ("img-prune -a", "all images", "y", 0),
    ] {
        let mut pty = host.pty(line);
        pty.expect(question);
        pty.expect("[y/N]");
        pty.send(&format!("{answer}\r"));
        assert_eq!(pty.wait().0, i32::from(answer == "n"));
        assert_eq!(names(&host).len(), left);
    }
    import(&host, "a", "");
    host.sh("echo y | ctr system prune -a").succeeds().stderr_has("This will remove:").stdout_has("untagged: a:latest");
}

fn bad_filters() {
    let host = Host::new();
    for filter in ["until", "until=soon", "dangling=true", "label"] {
        host.tool("img-prune", &["-f", "--filter", filter]).fails(2).stdout_is("");
    }
}
