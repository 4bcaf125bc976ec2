//! ctr-ls, and ctr-fmt's view of containers: which are listed, in what order, in what words.

use crate::{
    living::{busybox, kill, start, until},
    records::{create, edit, lives, process},
};
use ctr_tests::*;
use nix::sys::signal::Signal;
use std::fs;

pub fn tests() -> Vec<Test> {
    tests!("ctr-ls",
        ["root", "overlay", "umoci"]:
            newest_first_and_only_what_runs,
            every_state_has_dockers_words,
            detached_ones,
            a_lost_process_is_told,
            the_last_ones,
            filters,
            filters_of_one_key_and_of_several,
            ancestors_by_name_id_and_layers,
            an_image_whose_name_means_another,
            sizes_of_files,
            a_torn_record_hides_no_other,
            dockers_table,
            dockers_formats;
        []:
            bad_filters,
            without_a_store_there_is_nothing
    )
}

/// The names that a call lists, in order.
#[track_caller]
fn names(host: &Host, args: &[&str]) -> Vec<String> {
    let lines = host.tool("ctr-ls", args).ok().jsons();
    lines.iter().map(|line| line["Names"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn status(host: &Host, name: &str) -> String {
    let line = format!("ctr-ls -a -f 'name=^{name}$' | ctr-fmt --view container '{{{{.State}}}}: {{{{.Status}}}}'");
    host.sh(&line).ok().text().trim().to_owned()
}

fn newest_first_and_only_what_runs() {
    let host = busybox();
    let a = create(&host, "a", "-l tier=front");
    create(&host, "b", "");
    host.sh("ctr run --name c busybox sh -c 'exit 3'").exits(3);
    let run = host.cmd("ctr", &["run", "--name", "d", "busybox", "sleep", "6301"]).spawn();
    host.process("sleep 6301");
    assert_eq!(names(&host, &[]), ["d"]);
    assert_eq!(names(&host, &["-a"]), ["d", "c", "b", "a"]);
    let lines = host.tool("ctr-ls", &["--all"]).ok().jsons();
    let (run_line, exited, created) = (&lines[0], &lines[1], &lines[3]);
    assert_eq!(created["ID"], a);
    assert_eq!((&created["State"], &created["ExitCode"]), (&json!("created"), &Value::Null));
    assert_eq!(created["Labels"]["tier"], "front");
    assert_eq!((&exited["State"], &exited["ExitCode"]), (&json!("exited"), &json!(3)));
    assert_eq!(exited["Command"], json!(["sh", "-c", "exit 3"]));
    assert!(exited["FinishedAt"].as_str() > exited["StartedAt"].as_str(), "{exited}");
    assert_eq!((&run_line["State"], &run_line["Image"]), (&json!("running"), &json!("busybox")));
    assert_eq!((&run_line["Networks"], &run_line["Ports"]), (&json!(["none"]), &json!([])));
    assert_eq!(run_line["Platform"], "linux/amd64");
    assert!(run_line.get("SizeRw").is_none(), "{run_line}");
    kill(host.process("sleep 6301"), Signal::SIGKILL);
    run.wait().exits(137);
}

fn every_state_has_dockers_words() {
    let host = busybox();
    let sleep = process(&host);
    // Two hours and a half ago; docker rounds hours to the nearest.
    let started = host.sh("date -u -d '-149 minutes' +%FT%TZ").ok().text().trim().to_owned();
    let finished = host.sh("date -u -d '-12 minutes' +%FT%TZ").ok().text().trim().to_owned();
    let me = json!({"pid": sleep.pid(), "pidStart": start(sleep.pid())});
    for (name, state, words) in [
        ("up", json!({"status": "running"}), "running: Up 2 hours"),
        (
            "well",
            json!({"status": "running", "health": {"status": "healthy", "failingStreak": 0, "log": []}}),
            "running: Up 2 hours (healthy)",
        ),
        (
            "soon",
            json!({"status": "running", "health": {"status": "starting", "failingStreak": 0, "log": []}}),
            "running: Up 2 hours (health: starting)",
        ),
        ("still", json!({"status": "paused"}), "paused: Up 2 hours (Paused)"),
        (
            "again",
            json!({"status": "restarting", "exitCode": 1, "finishedAt": finished, "supervisor": me}),
            "restarting: Restarting (1) 12 minutes ago",
        ),
    ] {
        let id = create(&host, name, "");
        let mut state = state;
        state["startedAt"] = json!(started);
        lives(&host, &id, sleep.pid(), state);
        assert_eq!(status(&host, name), words);
    }
    assert_eq!(names(&host, &[]), ["again", "still", "soon", "well", "up"]);
    assert_eq!(names(&host, &["-f", "status=paused"]), ["still"]);
    assert_eq!(names(&host, &["-f", "health=healthy"]), ["well"]);
    assert_eq!(names(&host, &["-f", "health=none"]), ["again", "still", "up"]);
    create(&host, "new", "");
    assert_eq!(status(&host, "new"), "created: Created");
    host.sh("ctr run --name done busybox sh -c 'exit 4'").exits(4);
    assert!(status(&host, "done").starts_with("exited: Exited (4) "), "{}", status(&host, "done"));
    assert!(status(&host, "done").ends_with(" ago"));
    // docker has no better word for one whose command was not found.
    host.sh("ctr run --name never busybox nothing").fails(127);
    assert_eq!(status(&host, "never"), "created: Created");
}

fn detached_ones() {
    let host = busybox();
    let health = "--health-cmd 'test -e /ready' --health-interval 100ms --health-retries 1";
    host.sh(&format!("ctr run -d --name well {health} busybox sh -c 'echo >/ready; exec sleep 6303'")).ok();
    host.sh("ctr run -d --name loop --restart always busybox sh -c 'exit 7'").ok();
    host.sh("ctr run -d --name end busybox sleep 6304").ok();
    until("health", || names(&host, &["-f", "health=healthy"]) == ["well"]);
    assert!(status(&host, "well").ends_with(" (healthy)"), "{}", status(&host, "well"));
    until("a restart", || status(&host, "loop").starts_with("restarting: Restarting (7) "));
    kill(host.process("sleep 6304"), Signal::SIGKILL);
    until("an end", || status(&host, "end").starts_with("exited: Exited (137) "));
    let shown = host.tool("ctr-inspect", &["--docker", "loop"]).ok().json();
    assert_eq!(shown["HostConfig"]["RestartPolicy"]["Name"], "always");
    assert!(shown["LogPath"].as_str().unwrap().ends_with("/log"), "{}", shown["LogPath"]);
    let shown = host.tool("ctr-inspect", &["--docker", "well"]).ok().json();
    assert_eq!(shown["Config"]["Healthcheck"]["Test"], json!(["CMD-SHELL", "test -e /ready"]));
    assert_eq!(shown["State"]["Health"]["Status"], "healthy");
    host.sh("ctr pause well").ok();
    assert!(status(&host, "well").ends_with(" (Paused)"), "{}", status(&host, "well"));
    assert_eq!(names(&host, &["-f", "status=paused"]), ["well"]);
    host.sh("ctr unpause well").ok();
    host.sh("ctr stop -t 0 well loop && ctr rm well loop end").ok();
    host.assert_clean();
}

fn a_lost_process_is_told() {
    let host = busybox();
    let id = create(&host, "lost", "");
    let mut sleep = process(&host);
    lives(&host, &id, sleep.pid(), json!({"status": "running", "startedAt": "2026-01-01T00:00:00Z"}));
    edit(&host, &id, |doc| doc["state"] = json!({"status": "stopped", "startedAt": "2026-01-01T00:00:00Z"}));
    assert_eq!(names(&host, &[]), ["lost"]);
    // Another process of the same number is not it.
    lives(&host, &id, sleep.pid(), json!({"status": "running"}));
    let state = host.run().join("containers").join(&id).join("state.json");
    let other = fs::read_to_string(&state).unwrap().replace("pidStart\":", "pidStart\":1");
    fs::write(&state, other).unwrap();
    assert!(names(&host, &[]).is_empty());
    assert_eq!(status(&host, "lost"), "exited: Exited (255)");
    assert_eq!(names(&host, &["-a", "-f", "exited=255"]), ["lost"]);
    assert!(sleep.runs());
}

fn the_last_ones() {
    let host = busybox();
    for name in ["a", "b", "c"] {
        create(&host, name, "");
    }
    assert_eq!(names(&host, &["-l"]), ["c"]);
    assert_eq!(names(&host, &["-n", "2"]), ["c", "b"]);
    assert_eq!(names(&host, &["--last=9"]), ["c", "b", "a"]);
    assert!(names(&host, &["-n", "-1"]).is_empty(), "without a limit only what runs");
    // Of those that match, as in docker.
    assert_eq!(names(&host, &["-n", "1", "-f", "name=[ab]"]), ["b"]);
}

fn filters() {
    let host = busybox();
    let a = create(&host, "web-1", "-l tier=front -l x");
    create(&host, "web-2", "-l tier=back");
    let c = create(&host, "db", "");
    edit(&host, &c, |doc| {
        let data = host.root().join("volumes/pg/_data");
        doc["spec"]["mounts"] = json!([
            {"destination": "/data", "type": "bind", "source": data, "options": ["rbind", "rprivate"]},
            {"destination": "/srv", "type": "bind", "source": "/mnt/srv", "options": ["rbind", "ro"]},
        ]);
        doc["spec"]["linux"] = json!({"namespaces": [{"type": "pid"}]});
    });
    host.sh("ctr run --name job busybox sh -c 'exit 9'").exits(9);
    for (filter, expected) in [
        ("name=web", &["web-2", "web-1"][..]),
        ("name=^/?web-1$", &["web-1"]),
        ("name=eb", &["web-2", "web-1"]),
        ("name=^eb", &[]),
        (&format!("id={}", &a[..20]), &["web-1"]),
        ("label=tier", &["web-2", "web-1"]),
        ("label=tier=front", &["web-1"]),
        ("label=x=", &["web-1"]),
        ("status=created", &["db", "web-2", "web-1"]),
        ("status=exited", &["job"]),
        ("status=dead", &[]),
        ("exited=9", &["job"]),
        ("exited=0", &[]),
        ("health=none", &["job", "db", "web-2", "web-1"]),
        ("network=host", &["db"]),
        ("network=none", &["job"]),
        ("volume=pg", &["db"]),
        ("volume=/srv", &["db"]),
        ("volume=/mnt/srv", &["db"]),
        ("volume=p", &[]),
        ("before=db", &["web-2", "web-1"]),
        ("since=db", &["job"]),
        (&format!("since={}", &a[..12]), &["job", "db", "web-2"]),
    ] {
        assert_eq!(names(&host, &["-a", "-f", filter]), expected, "{filter}");
    }
    let line = host.tool("ctr-ls", &["-a", "-f", "name=db"]).ok().json();
    assert_eq!((&line["Mounts"][0]["Type"], &line["Mounts"][0]["Name"]), (&json!("volume"), &json!("pg")));
    assert_eq!((&line["Mounts"][1]["Source"], &line["Mounts"][1]["RW"]), (&json!("/mnt/srv"), &json!(false)));
    host.tool("ctr-ls", &["-f", "before=nobody"]).fails(1).stderr_has("nobody");
}

fn filters_of_one_key_and_of_several() {
    let host = busybox();
    create(&host, "a", "-l one -l two");
    create(&host, "b", "-l one");
    host.sh("ctr run --name c -l two busybox true").ok();
    let filtered = |filters: &[&str]| {
        let args: Vec<&str> = filters.iter().flat_map(|f| ["-f", f]).chain(["-a"]).collect();
        names(&host, &args)
    };
    assert_eq!(filtered(&["name=a", "name=c"]), ["c", "a"]);
    assert_eq!(filtered(&["name=a", "name=c", "status=exited"]), ["c"]);
    assert_eq!(filtered(&["status=exited", "status=created"]), ["c", "b", "a"]);
    // Labels are the exception: all of them.
    assert_eq!(filtered(&["label=one", "label=two"]), ["a"]);
}

fn ancestors_by_name_id_and_layers() {
    let host = busybox();
    host.load("layers300");
    host.sh("img-tag busybox localhost:1/other:v1").ok();
    create(&host, "a", "");
    let many = "img-pull --pull missing layers300 | img-unpack | overlay-mount --name b >/dev/null";
    host.sh(many).ok();
    let ancestor = |word: &str| names(&host, &["-a", "-f", &format!("ancestor={word}")]);
    let line = host.tool("ctr-ls", &["-a", "-f", "name=a"]).ok().json();
    let id = line["ImageID"].as_str().unwrap();
    for word in ["busybox", "busybox:latest", "docker.io/library/busybox", "localhost:1/other:v1", id, &id[7..19]] {
        assert_eq!(ancestor(word), ["b", "a"], "{word}");
    }
    assert_eq!(ancestor("layers300"), ["b"]);
    assert!(ancestor("nothing").is_empty() && ancestor("localhost:1/other:v2").is_empty());
    // Removed from the store, it is known by the containers still.
    host.sh("img-rm -f busybox localhost:1/other:v1 >/dev/null").ok();
    assert_eq!(ancestor("busybox"), ["b", "a"]);
    assert_eq!(ancestor(&id[7..19]), ["b", "a"]);
}

fn an_image_whose_name_means_another() {
    let host = busybox();
    create(&host, "a", "");
    let line = |field: &str| host.tool("ctr-ls", &["-a"]).ok().json()[field].as_str().unwrap().to_owned();
    assert_eq!(line("Image"), "busybox");
    host.load("layers300");
    host.sh("img-tag layers300 busybox").ok();
    assert_eq!(line("Image"), line("ImageID"));
    let short = host.sh("ctr-ls -a | ctr-fmt --view container '{{.Image}}'").ok().text();
    assert_eq!(short.trim(), &line("ImageID")[7..19]);
}

fn sizes_of_files() {
    let host = busybox();
    let line = "head -c 100000 /dev/zero >/f; ln /f /g; ln -s /etc/passwd /link; mkdir /d; echo abc >/d/h";
    host.sh(&format!("ctr run --name a busybox sh -c '{line}'")).ok();
    // A link to a directory of the host is not followed, and a directory costs nothing.
    let upper = host.tool("ctr-inspect", &["a"]).ok().json()["rootfs"]["upper"].as_str().unwrap().to_owned();
    std::os::unix::fs::symlink("/usr", format!("{upper}/host")).unwrap();
    let written = 100_000 + "/etc/passwd".len() as u64 + 4 + "/usr".len() as u64;
    let line = host.tool("ctr-ls", &["-as"]).ok().json();
    assert_eq!(line["SizeRw"], written);
    let layer = host.sh("find $CTR_ROOT/layers/sha256/* -not -type d -printf '%i %s\\n' | sort -u").ok().text();
    let below: u64 = layer.lines().map(|line| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(line["SizeRootFs"], written + below);
    let size = host.sh("ctr-ls -as | ctr-fmt --view container '{{.Size}}'").ok().text();
    assert!(size.starts_with("100kB (virtual ") && size.ends_with("MB)\n"), "{size}");
    let shown = host.tool("ctr-inspect", &["--docker", "-s", "a"]).ok().json();
    assert_eq!((&shown["SizeRw"], &shown["SizeRootFs"]), (&line["SizeRw"], &line["SizeRootFs"]));
    // A tree that is made to exhaust who measures it: the container is listed, without a size.
    let deep = format!("cd {upper}; for i in $(seq 600); do mkdir deep && cd deep; done");
    host.sh_with("bash", &deep).ok();
    let ran = host.tool("ctr-ls", &["-as"]).succeeds().stderr_has("deep");
    assert!(ran.json()["Names"] == "a" && ran.json().get("SizeRw").is_none(), "{ran}");
}

fn a_torn_record_hides_no_other() {
    let host = busybox();
    create(&host, "a", "");
    let b = create(&host, "b", "");
    fs::write(host.root().join("containers").join(&b).join("document.json"), "{\"ctr\":1,").unwrap();
    let ran = host.tool("ctr-ls", &["-a"]).fails(1).stderr_has(&b[..12]);
    assert_eq!(ran.json()["Names"], "a");
    // Half a claim, and what a removal left, are no containers.
    host.sh("mkdir $CTR_ROOT/containers/.x.removed $CTR_ROOT/containers/$(printf %064d 0)").ok();
    assert_eq!(host.tool("ctr-ls", &["-a"]).exits(1).jsons().len(), 1);
}

fn dockers_table() {
    let host = busybox();
    let id = create(&host, "new", "");
    let run = host.cmd("ctr", &["run", "--name", "web", "busybox", "sh", "-c", "sleep 6302; true"]).spawn();
    host.process("sleep 6302");
    let text = host.sh("ctr-ls -a | ctr-fmt --view container").ok().text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("CONTAINER ID   IMAGE     COMMAND"), "{text}");
    let columns: Vec<&str> = lines[0].split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
    assert_eq!(columns, ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
    assert!(lines[1].contains("   busybox   \"sh -c 'sleep 6302; …\"   "), "{text}");
    assert!(lines[1].contains(" ago ") && lines[1].contains("   Up ") && lines[1].ends_with(" web"), "{text}");
    assert!(lines[2].starts_with(&format!("{}   ", &id[..12])) && lines[2].contains("   Created   "), "{text}");
    let whole = host.sh("ctr-ls -a | ctr-fmt --view container --no-trunc").ok().text();
    assert!(whole.contains(&id) && whole.contains("\"sh -c 'sleep 6302; true'\""), "{whole}");
    // Without a container the titles alone, as docker prints them.
    host.sh("ctr-ls -f name=nobody | ctr-fmt --view container | wc -l").ok().stdout_is("1\n");
    host.sh("ctr kill web").ok();
    run.wait().exits(137);
}

fn dockers_formats() {
    let host = busybox();
    create(&host, "a", "-l org.x.tier=front -l b=1");
    let print = |format: &str| {
        host.sh(&format!("ctr-ls -a | ctr-fmt --view container '{format}'")).ok().text().trim_end().to_owned()
    };
    assert_eq!(print("{{.Names}} {{.Label \"org.x.tier\"}}|{{.Label \"none\"}}|"), "a front||");
    assert_eq!(print("table {{.Names}}\\t{{.Label \"org.x.tier\"}}"), "NAMES     tier\na         front");
    assert_eq!(print("{{.Labels}}"), "b=1,org.x.tier=front");
    assert_eq!(print("{{.State}}{{.Mounts}}{{.Networks}}{{.Ports}}{{.LocalVolumes}}"), "created0");
    let json: Value = serde_json::from_str(&print("json")).unwrap();
    assert_eq!((&json["Names"], &json["Labels"]), (&json!("a"), &json!("b=1,org.x.tier=front")));
    assert!(json.get("Label").is_none(), "{json}");
    host.sh("ctr-ls -a | ctr-fmt --view container '{{.Nothing}}'").fails(2).stderr_has(".Nothing");
}

fn bad_filters() {
    let host = Host::new();
    for filter in ["name", "nosuch=x", "status=up", "exited=x", "health=ill", "name=("] {
        host.tool("ctr-ls", &["-f", filter]).fails(2).stdout_is("");
    }
    host.tool("ctr-ls", &["-l", "-n", "2"]).fails(2);
    host.tool("ctr-ls", &["word"]).fails(2);
}

fn without_a_store_there_is_nothing() {
    let host = Host::new();
    host.tool("ctr-ls", &["-as"]).ok().stdout_is("");
    host.tool("ctr-ls", &["-f", "ancestor=busybox"]).ok().stdout_is("");
    assert!(!host.root().exists(), "a list makes nothing");
}
