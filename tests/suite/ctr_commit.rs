//! ctr-commit: the image is what the container saw, as other tools unpack and run it; the same files are the same bytes.

use crate::{
    ctr_cp::{made, root_of},
    living::*,
};
use ctr_tests::*;
use nix::sys::signal::Signal;
use rustix::fs::{CWD, FileType, Mode};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

pub fn tests() -> Vec<Test> {
    tests!("ctr-commit",
        ["root", "overlay", "umoci", "skopeo", "mmdebstrap", "attr", "acl", "libcap"]:
            much_churn_comes_back,
            files_of_every_kind_come_back;
        ["root", "overlay", "umoci", "busybox"]:
            the_same_files_are_the_same_image,
            a_container_that_did_nothing_adds_no_layer,
            what_was_made_for_mounts_is_not_in_it,
            the_config_is_what_it_ran_with,
            instructions_change_the_config,
            it_is_a_filter,
            a_renamed_directory_is_whole,
            a_reboot_makes_no_difference,
            users_are_those_of_inside,
            a_name_that_means_a_deletion_is_refused,
            it_stands_still_while_it_is_read,
            a_commit_that_was_killed_leaves_it_running,
            nobody_starts_it_while_it_is_read,
            memory_does_not_grow_with_the_files,
            bad_input_is_one_line,
            a_full_disk_leaves_nothing,
            dockers_words;
        ["root", "overlay", "umoci", "busybox", "skopeo"]:
            killed_at_any_instant_nothing_is_torn;
        ["root", "overlay", "umoci", "busybox", "skopeo", "zstd", "podman", "runc"]:
            others_take_it
    )
}

/// A container `c` of `image`, mounted and not started; its root.
fn mounted(host: &Host, image: &str) -> PathBuf {
    host.load(image);
    let pipe = format!("img-pull --pull missing {image} | img-unpack | overlay-mount --name c");
    root_of(&host.sh_cmd(&pipe).limit(300).run().ok().json())
}

/// What umoci makes of the image `name` of the host's store.
fn by_umoci(host: &Host, name: &str) -> PathBuf {
    let dir = host.dir().join(format!("umoci-{}", name.replace(':', "-")));
    let copy = format!(
        "skopeo copy -q oci:$CTR_ROOT/images:docker.io/library/{name} oci:{0}-oci:x && umoci unpack --image {0}-oci:x {0}",
        dir.display()
    );
    host.sh_cmd(&copy).limit(300).run().succeeds();
    dir.join("rootfs")
}

/// What we make of it.
fn by_us(host: &Host, name: &str) -> PathBuf {
    let pipe = format!("img-pull --pull never {name} | img-unpack | overlay-mount");
    root_of(&host.sh_cmd(&pipe).limit(300).run().ok().json())
}

#[track_caller]
fn assert_same(host: &Host, root: &Path, image: &str) {
    let saw = tree::list(root, &[]);
    for (who, tree) in [("umoci", by_umoci(host, image)), ("ours", by_us(host, image))] {
        assert_eq!(
            tree::differences(&saw, &tree::list(&tree, &[])),
            Vec::<String>::new(),
            "left: it saw, right: {who}"
        );
    }
}

/// The layer that a commit added, as its document says.
fn last_layer(doc: &Value) -> Value {
    doc["image"]["layers"].as_array().unwrap().last().unwrap().clone()
}

/// The names in the layer that was added, as tar(1) lists them.
fn names(host: &Host, doc: &Value) -> String {
    let digest = last_layer(doc)["digest"].as_str().unwrap().replace(':', "/");
    host.sh(&format!("tar -tf $CTR_ROOT/images/blobs/{digest}")).ok().text()
}

/// What a package manager does, and more: 1,000 files added, 300 changed, 200 removed, directories that become files and
/// files that become directories, trees moved, removed and made anew, capabilities and links.
const CHURN: &str = "set -e
    mkdir -p opt/new; i=0; while [ $i -lt 1000 ]; do mkdir -p opt/new/$((i % 37)); echo $i >opt/new/$((i % 37))/$i; i=$((i+1)); done
    find usr/share -type f | LC_ALL=C sort | head -n 300 | while read -r f; do echo changed >>\"$f\"; done
    find usr/share -type f | LC_ALL=C sort | tail -n 200 | while read -r f; do rm \"$f\"; done
    rm -r etc/apt; echo file >etc/apt; rm etc/debconf.conf; mkdir etc/debconf.conf; echo in >etc/debconf.conf/in
    rm -r etc/cron.d 2>/dev/null || true; echo x >etc/dpkg.was; rm -r etc/dpkg; cp etc/dpkg.was etc/dpkg; rm etc/dpkg; mkdir etc/dpkg
    cp -a usr/lib/apt opt/apt; rm -r usr/lib/apt; mv opt/apt usr/lib/tpa; mv usr/lib/tpa/methods opt/methods
    rm -r var/lib/dpkg/info; mkdir var/lib/dpkg/info; echo new >var/lib/dpkg/info/one
    rm -r var/cache; mkdir -m 1777 var/cache; mv usr/bin/env usr/bin/vne; ln -s vne usr/bin/env
    cp usr/bin/id opt/id; setcap cap_net_raw+ep opt/id; setcap cap_chown+ep usr/bin/vne; chmod u+s opt/id
    ln opt/new/1/1 opt/new/2/linked; ln usr/bin/sort opt/sort; ln opt/sort usr/share/sort
    chmod 700 srv; chown 5:6 home; chmod 711 .; rm -r usr/share/doc; rm var/lib/dpkg/status; touch -d @12345.5 etc/passwd";

fn much_churn_comes_back() {
    let host = Host::new();
    let root = mounted(&host, "debian");
    host.sh_cmd(&format!("cd {} && {CHURN}", root.display())).limit(300).run().succeeds();
    let doc = host.sh_cmd("ctr-commit c app:1").limit(300).run().ok().json();
    schema::assert_valid(std::slice::from_ref(&doc));
    assert_same(&host, &root, "app:1");
    let names = names(&host, &doc);
    assert!(names.contains("var/lib/dpkg/info/.wh..wh..opq\n") && names.contains("usr/lib/.wh.apt\n"), "{names}");
    assert!(!names.contains("opt/new/.wh..wh..opq"), "nothing was there");
    // On top of that one more, and then as one layer.
    host.sh("img-pull --pull never app:1 | img-unpack | overlay-mount --name d").ok();
    let root = rootfs(&host, "d").unwrap();
    host.sh(&format!("cd {} && rm -r opt/new && mkdir opt/new && echo >opt/new/x && rm -r etc/apt", root.display()))
        .ok();
    host.sh_cmd("ctr-commit d app:2 | img-squash -t app:3").limit(300).run().ok();
    assert_same(&host, &root, "app:2");
    assert_same(&host, &root, "app:3");
}

fn files_of_every_kind_come_back() {
    let host = Host::new();
    let root = mounted(&host, "many");
    let script = "set -e; mkdir srv/odd/more; cd srv/odd/more; umask 0
        mkfifo -m 604 fifo; mknod -m 640 null c 1 3; mknod disk b 7 300; ln -s '../no where' link; ln link link2; ln fifo fifo2
        truncate -s 3000000 sparse; echo end >>sparse; touch -d @-100.25 old; touch -d @9000000000.000000001 late; : >empty
        setfattr -n user.x -v 1 empty; setfattr -n trusted.y -v 0x00ff00 empty; setfattr -h -n trusted.z -v q link
        mkdir -m 2750 acl; setfacl -m u:7:rwx,d:g:8:r acl; setfattr -n user.d -v d .; chown -h 70000:4000000000 link
        echo >'a b'; echo >$(printf 'n\\nl'); echo >$(printf '\\377\\376'); mkdir -p $(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))
        echo long >$(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))/f; cd ..; rm hard1; setcap cap_kill+ep suid";
    host.sh_cmd(&format!("cd {} && {script}", root.display())).run().ok();
    rustix::fs::mknodat(CWD, root.join("srv/odd/socket"), FileType::Socket, Mode::RWXU, 0).unwrap();
    let doc = host.sh_cmd("ctr-commit c app:1").limit(300).run().ok().json();
    // It means nothing without who listens.
    fs::remove_file(root.join("srv/odd/socket")).unwrap();
    let meta = fs::metadata(root.join("srv/odd")).unwrap();
    let tree = by_us(&host, "app:1");
    assert!(!names(&host, &doc).contains("socket"));
    // Its going changed the directory's time.
    host.sh(&format!(
        "touch -d @{}.{:09} {2}/srv/odd {3}/srv/odd",
        meta.mtime(),
        meta.mtime_nsec(),
        root.display(),
        tree.display()
    ))
    .ok();
    let (saw, ours) = (tree::list(&root, &[]), tree::list(&tree, &[]));
    assert_eq!(tree::differences(&saw, &ours), Vec::<String>::new(), "left: it saw, right: ours");
    let theirs = by_umoci(&host, "app:1");
    host.sh(&format!("touch -d @{}.{:09} {}/srv/odd", meta.mtime(), meta.mtime_nsec(), theirs.display())).ok();
    assert_eq!(tree::differences(&saw, &tree::list(&theirs, &[])), Vec::<String>::new(), "left: it saw, right: umoci");
}

fn the_same_files_are_the_same_image() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    host.sh(&format!("cd {}; seq 400000 >big; rm etc/group; touch -d @2000000000 late; ln big link", root.display()))
        .ok();
    for kind in ["gzip", "zstd", "none"] {
        let commit = |more: &str| host.sh(&format!("{more} ctr-commit --compression {kind} c app:1")).ok().json();
        let (first, second) = (commit(""), commit("taskset -c 0"));
        assert_eq!(last_layer(&first), last_layer(&second), "{kind}");
        assert_ne!(first["image"]["id"], second["image"]["id"], "they were made at two times");
        let said: Vec<_> = [1, 2].iter().map(|_| commit("SOURCE_DATE_EPOCH=1700000000")).collect();
        assert_eq!(said[0]["image"], said[1]["image"], "{kind}");
        assert_eq!(said[0]["image"]["config"]["created"], "2023-11-14T22:13:20Z");
        let media_type = last_layer(&first)["mediaType"].as_str().unwrap().to_owned();
        assert!(
            media_type.ends_with(match kind {
                "gzip" => ".tar+gzip",
                "zstd" => ".tar+zstd",
                _ => ".tar",
            }),
            "{media_type}"
        );
    }
    // No time is later than the one that is said, and all are kept that are not.
    let tree = |doc: Value| {
        let digest = last_layer(&doc)["digest"].as_str().unwrap().replace(':', "/");
        host.sh(&format!("TZ=UTC tar -tvf $CTR_ROOT/images/blobs/{digest}")).ok().text()
    };
    let said = tree(host.sh("SOURCE_DATE_EPOCH=1700000000 ctr-commit c app:1").ok().json());
    assert!(said.contains("2023-11-14 22:13 late") && !said.contains("2033-"), "{said}");
    assert!(tree(host.sh("ctr-commit c app:1").ok().json()).contains("2033-05-18 03:33 late"));
    for bad in ["x", "-1", "1e9", "99999999999999999999"] {
        host.sh(&format!("SOURCE_DATE_EPOCH={bad} ctr-commit c app:1")).fails(1).code("invalid");
    }
}

fn a_container_that_did_nothing_adds_no_layer() {
    let host = Host::new();
    made(&host, "c", "");
    host.sh("ns-spawn -f c -- true").ok();
    let doc = host.tool("ctr-commit", &["c", "app:1"]).ok().json();
    let before = host.sh("img-pull --pull never busybox").ok().json();
    assert_eq!(doc["image"]["layers"].as_array().unwrap().len(), before["image"]["layers"].as_array().unwrap().len());
    let history = doc["image"]["config"]["history"].as_array().unwrap();
    assert_eq!(
        (&history[history.len() - 1]["empty_layer"], &history[history.len() - 1]["created_by"]),
        (&json!(true), &json!("true"))
    );
    // A mode of the root is a change; its time alone is none.
    let root = rootfs(&host, "c").unwrap();
    host.sh(&format!("touch {}", root.display())).ok();
    assert_eq!(host.tool("ctr-commit", &["c", "app:1"]).ok().json()["image"]["layers"], doc["image"]["layers"]);
    host.sh(&format!("chmod 701 {}", root.display())).ok();
    let doc = host.tool("ctr-commit", &["c", "app:1"]).ok().json();
    assert_eq!(names(&host, &doc), "./\n");
}

fn what_was_made_for_mounts_is_not_in_it() {
    let host = Host::new();
    made(&host, "c", "");
    host.sh(
        "jq -c '.spec.mounts=[{destination: \"/a/b/c\", type: \"tmpfs\", source: \"x\"}]' c >d; ns-spawn -f d -- touch /etc/mine",
    )
    .ok();
    let doc = host.tool("ctr-commit", &["c", "app:1"]).ok().json();
    assert_eq!(names(&host, &doc), "./\netc/\netc/mine\n");
    // What the container puts beside the place of a mount is its own.
    host.sh("ns-spawn -f d -- sh -c 'echo >/a/x; echo >/a/b/c/gone'").ok();
    let doc = host.tool("ctr-commit", &["c", "app:1"]).ok().json();
    assert_eq!(names(&host, &doc), "./\na/\na/x\netc/\netc/mine\n");
}

fn the_config_is_what_it_ran_with() {
    let host = busybox();
    let flags = "-e A=1 -e B=2 -w /tmp -u 1000 -l who=me --stop-signal INT --name c";
    host.sh(&format!("ctr run {flags} busybox sh -c 'echo $A'")).ok().stdout_is("1\n");
    let doc = host.tool("ctr-commit", &["-a", "me <me@x>", "-m", "why not", "c", "app:1"]).ok().json();
    let (config, before) = (&doc["image"]["config"], host.sh("img-pull --pull never busybox").ok().json());
    let path = &before["image"]["config"]["config"]["Env"][0];
    assert_eq!(
        config["config"],
        json!({"Env": [path, "A=1", "B=2"], "Cmd": ["sh", "-c", "echo $A"], "Labels": {"who": "me"}, "WorkingDir": "/tmp",
            "User": config["config"]["User"], "StopSignal": "INT"})
    );
    assert!(config["config"]["User"].as_str().unwrap().starts_with("1000"), "{config}");
    assert_eq!(
        (&config["author"], &config["architecture"]),
        (&json!("me <me@x>"), &before["image"]["config"]["architecture"])
    );
    let history = config["history"].as_array().unwrap();
    assert_eq!(history.len(), before["image"]["config"]["history"].as_array().unwrap().len() + 1);
    let last = &history[history.len() - 1];
    assert_eq!(
        (&last["author"], &last["comment"], &last["created"]),
        (&json!("me <me@x>"), &json!("why not"), &config["created"])
    );
    assert_eq!(last["created_by"], "sh -c echo $A");
    // It runs as it ran.
    host.sh("ctr run --rm app:1").ok().stdout_is("1\n");
    host.sh("ctr run --rm app:1 sh -c 'id -u; pwd'").ok().stdout_is("1000\n/tmp\n");
    // A word for who it ran as stays one.
    host.sh("ctr commit -c 'USER user' -c 'ENTRYPOINT [\"id\"]' c app:2 && ctr run --name d app:2 -u")
        .ok()
        .stdout_has("\n1000\n");
    let doc = host.sh("ctr-commit d ''").ok().json();
    assert_eq!(doc["image"]["config"]["config"]["User"], "user");
    assert_eq!(doc["image"]["config"]["config"]["Entrypoint"], json!(["id"]));
    assert_eq!(doc["image"]["config"]["config"]["Cmd"], json!(["-u"]));
    host.sh("ctr run -u 0 --entrypoint '' --name e app:2 true && ctr-commit e app:3 >e.json").ok();
    let config = host.sh("jq -c .image.config.config e.json").ok().json();
    assert_eq!(
        (&config["User"], &config["Entrypoint"], &config["Cmd"]),
        (&json!("0:0"), &Value::Null, &json!(["true"]))
    );
}

fn instructions_change_the_config() {
    let host = Host::new();
    made(&host, "c", "");
    let changes = [
        "ENV X=y",
        "LABEL a=b",
        "EXPOSE 80",
        "USER 7",
        "WORKDIR /srv",
        "VOLUME /data",
        "STOPSIGNAL QUIT",
        "ONBUILD RUN x",
        "SHELL [\"sh\", \"-e\", \"-c\"]",
        "CMD run",
        "ENTRYPOINT [\"e\"]",
        "HEALTHCHECK CMD true",
    ];
    let args: Vec<&str> = changes.iter().flat_map(|change| ["--change", change]).chain(["c", "app:1"]).collect();
    let config = host.tool("ctr-commit", &args).ok().json()["image"]["config"]["config"].take();
    for (key, value) in [
        ("Labels", json!({"a": "b"})),
        ("ExposedPorts", json!({"80/tcp": {}})),
        ("User", json!("7")),
        ("WorkingDir", json!("/srv")),
        ("Volumes", json!({"/data": {}})),
        ("StopSignal", json!("QUIT")),
        ("OnBuild", json!(["RUN x"])),
        ("Cmd", json!(["sh", "-e", "-c", "run"])),
        ("Entrypoint", json!(["e"])),
        ("Healthcheck", json!({"Test": ["CMD-SHELL", "true"]})),
        ("Shell", json!(["sh", "-e", "-c"])),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    host.tool("ctr-commit", &["-c", "RUN x", "c", "app:2"]).fails(2).code("usage");
    host.tool("img-inspect", &["app:2"]).fails(1);
}

fn it_is_a_filter() {
    let host = Host::new();
    let doc = made(&host, "c", "");
    fs::write(root_of(&doc).join("new"), "x").unwrap();
    let record = fs::read(host.record(doc["id"].as_str().unwrap())).unwrap();
    let image = host.sh("ctr-inspect c | ctr-commit app:1").ok().json();
    // The new image's document, of no container; the old container is as it was.
    schema::assert_valid(std::slice::from_ref(&image));
    let keys: Vec<_> = image.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["ctr", "image", "steps"]);
    assert_eq!(image["steps"], json!([{"tool": "ctr-commit", "undo": {}}]));
    assert_eq!(fs::read(host.record(doc["id"].as_str().unwrap())).unwrap(), record);
    host.sh("ctr-inspect c | ctr-commit app:1 | img-unpack | overlay-mount --name d | ns-spawn -- cat /new")
        .ok()
        .stdout_is("x");
    host.sh("ctr-commit -f c app:2 | jq -r .image.ref").ok().stdout_is("docker.io/library/app:2\n");
    host.sh("ctr-commit -f c | jq -r '.image | .ref == .id'").ok().stdout_is("true\n");
    host.sh("ctr-inspect c | ctr-commit app:1 | ctr-commit --check >/dev/null").ok();
    // What the document says of the image counts, what it says of places does not.
    host.sh("mkdir away; echo >away/f; jq -c --arg d $PWD/away '.rootfs.upper=$d | .image.config.config.Cmd=[\"new\"]' c | ctr-commit app:3 >out")
        .ok();
    let image = host.sh("cat out").ok().json();
    assert_eq!(names(&host, &image), "./\nnew\n");
    assert_eq!(image["image"]["config"]["config"]["Cmd"], json!(["new"]));
    // An error is passed on with the document: it holds the steps of who came before.
    let failed = host.sh("ctr-inspect c | ctr-commit UPPER").fails(1).code("invalid").json();
    assert_eq!((&failed["steps"], &failed["id"]), (&doc["steps"], &doc["id"]));
    host.sh("img-pull --pull never busybox | ctr-commit app:1").fails(1).code("invalid");
    // Who found no container has said so, and nobody after.
    host.sh("ctr-inspect nobody | ctr-commit app:1").fails(1).code("not-found").stderr_has("ctr-inspect: ");
    host.sh("ctr-commit app:1 </dev/null").fails(1).code("invalid").stderr_has("stdin is empty");
    host.sh("ctr-commit -f c c app:1").fails(2).code("usage");
    host.sh("ctr-inspect c | ctr-commit --dry-run app:9 >/dev/null").succeeds().stderr_has("\"op\":\"commit\"");
    host.tool("img-inspect", &["app:9"]).fails(1);
}

/// Somebody else mounted the root so that a directory is renamed, and a mode changed, without their content.
fn a_renamed_directory_is_whole() {
    let host = Host::new();
    let doc = made(&host, "c", "");
    let root = root_of(&doc);
    let remount = format!(
        "umount {0}; mount -t overlay x -o redirect_dir=on,metacopy=on,lowerdir={1},upperdir={2},workdir={3} {0}",
        root.display(),
        doc["image"]["layers"][0]["path"].as_str().unwrap(),
        doc["rootfs"]["upper"].as_str().unwrap(),
        doc["rootfs"]["work"].as_str().unwrap()
    );
    host.sh(&remount).ok();
    let script = "set -e; mv etc cte; mv home root/emoh; echo new >cte/new; rm cte/group; chmod 600 cte/passwd; chmod 700 bin/busybox
        mkdir etc; echo n >etc/n; ln cte/new etc/linked; mkdir cte/deep; mv cte/deep cte/peed; mv root/emoh root/emoh2";
    host.sh(&format!("cd {} && {script}", root.display())).ok();
    let upper = doc["rootfs"]["upper"].as_str().unwrap();
    let marks = host.sh(&format!("getfattr -R -h -m trusted.overlay -d --absolute-names {upper}")).ok().text();
    assert!(marks.contains("redirect") && marks.contains("metacopy"), "{marks}");
    let image = host.tool("ctr-commit", &["c", "app:1"]).ok().json();
    assert!(!names(&host, &image).contains("cte/group"));
    let ours = tree::list(&by_us(&host, "app:1"), &[]);
    assert_eq!(tree::differences(&tree::list(&root, &[]), &ours), Vec::<String>::new(), "left: it saw, right: ours");
}

fn a_reboot_makes_no_difference() {
    let host = Host::on_disk();
    for (name, more) in [("c", ""), ("bounded", "--storage-opt size=50m")] {
        let root = root_of(&made(&host, name, more));
        fs::write(root.join("new"), "x").unwrap();
        let before = host.tool("ctr-commit", &[name, "app:1"]).ok().json();
        host.sh(
            "umount $CTR_RUN/containers/*/rootfs $CTR_RUN/containers/*/writable 2>/dev/null; rm -r $CTR_RUN/*; true",
        )
        .ok();
        let after = host.tool("ctr-commit", &[name, "app:1"]).ok().json();
        assert_eq!((last_layer(&after), names(&host, &after)), (last_layer(&before), "./\nnew\n".to_owned()));
    }
}

/// In a user namespace root is another on the host; in an image root is 0.
fn users_are_those_of_inside() {
    let host = Host::new();
    let doc = made(&host, "c", "");
    fs::write(root_of(&doc).join("mine"), "").unwrap();
    host.sh(&format!("cd {}; chown 100000:200005 mine; echo >theirs; chown 99:300000 theirs", root_of(&doc).display()))
        .ok();
    host.sh("jq -c '.spec.linux={uidMappings: [{containerID: 0, hostID: 100000, size: 10}],
            gidMappings: [{containerID: 0, hostID: 200000, size: 10}]}' c >d; ctr-commit -f d app:1 >out")
        .ok();
    let digest = last_layer(&host.sh("cat out").ok().json())["digest"].as_str().unwrap().replace(':', "/");
    let list = host.sh(&format!("tar --numeric-owner -tvf $CTR_ROOT/images/blobs/{digest}")).ok().text();
    assert!(list.contains(" 0/5 ") && list.contains(" 99/300000 "), "{list}");
}

fn a_name_that_means_a_deletion_is_refused() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    fs::write(root.join("etc/.wh.passwd"), "").unwrap();
    host.tool("ctr-commit", &["c", "app:1"]).fails(1).code("unsupported").stderr_has("etc/.wh.passwd");
    host.tool("img-inspect", &["app:1"]).fails(1);
    assert_eq!(fs::read_dir(host.root().join("images/ingest")).unwrap().count(), 0, "nothing is left");
}

/// Two counters that a process writes one after the other: between them it never gets further than a step, if it does not
/// run while they are read.
const COUNTS: &str = "head -c 60000000 /dev/urandom >/m; i=0; while :; do i=$((i+1)); echo $i >/a; echo $i >/z; [ $i != 20 ] || touch /up; done";

fn it_stands_still_while_it_is_read() {
    let host = busybox();
    let run = web(&host, &[], COUNTS);
    let counts = |flag: &str| {
        let ran = host.tool("ctr-commit", &[flag, "web", "app:1"]).succeeds();
        // Read as it runs, a file may shrink meanwhile.
        assert!(flag.ends_with("false") || ran.stderr_text().is_empty(), "{ran}");
        let doc = ran.json();
        assert_eq!(state(&host, "web")["status"], "running");
        let digest = last_layer(&doc)["digest"].as_str().unwrap().replace(':', "/");
        let text = host.sh(&format!(
            "tar -xOf $CTR_ROOT/images/blobs/{digest} a; echo; tar -xOf $CTR_ROOT/images/blobs/{digest} z"
        ));
        // One that is just being written is empty.
        let counts: Vec<i64> = text.ok().text().split_whitespace().filter_map(|word| word.parse().ok()).collect();
        (counts.len() == 2).then(|| counts[1] - counts[0])
    };
    for flag in ["-p", "--pause", "--pause=true"] {
        assert!(counts(flag).is_none_or(|further| further.abs() <= 1), "{flag}");
    }
    let torn = (0..20).any(|_| counts("--pause=false").is_some_and(|further| further > 1));
    assert!(torn, "the test shows nothing");
    let events = host.sh("ctr-events --since 1h --until 0s | jq -r .action").ok().text();
    for action in ["pause", "unpause"] {
        assert_eq!(events.lines().filter(|line| *line == action).count(), 3, "{events}");
    }
    // One that is paused already stays so.
    host.tool("ctr-pause", &["web"]).ok();
    host.tool("ctr-commit", &["web", "app:1"]).ok();
    assert_eq!(state(&host, "web")["status"], "paused");
    host.tool("ctr-kill", &["web"]).ok();
    run.wait().exits(137);
}

fn a_commit_that_was_killed_leaves_it_running() {
    let host = busybox();
    let run = web(&host, &[], "head -c 200000000 /dev/urandom >/m; touch /up; sleep 9000");
    for signal in [Signal::SIGKILL, Signal::SIGINT, Signal::SIGTERM] {
        let commit = host.cmd("ctr-commit", &["web", "app:1"]).spawn();
        until("it is paused", || state(&host, "web")["status"] == "paused");
        commit.signal(signal);
        commit.wait();
        until("it runs again", || state(&host, "web")["status"] == "running");
    }
    host.tool("img-inspect", &["app:1"]).fails(1);
    host.tool("ctr-kill", &["web"]).ok();
    run.wait().exits(137);
}

fn nobody_starts_it_while_it_is_read() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    host.sh(&format!("ns-spawn -f c -- true; head -c 100000000 /dev/urandom >{}/m", root.display())).ok();
    for (flag, status) in [("--pause", 1), ("--pause=false", 0)] {
        let commit = host.cmd("ctr-commit", &[flag, "c", "app:1"]).spawn();
        let ingest = host.root().join("images/ingest");
        let reads = |entry: std::io::Result<fs::DirEntry>| {
            fs::read_dir(entry.unwrap().path()).is_ok_and(|mut d| d.next().is_some())
        };
        until("it is read", || fs::read_dir(&ingest).is_ok_and(|mut entries| entries.any(reads)));
        commit.signal(Signal::SIGSTOP);
        let start = host.tool("ctr-start", &["c"]).exits(status);
        assert!(status == 0 || start.stderr_text().contains("being started or removed"), "{start}");
        commit.signal(Signal::SIGCONT);
        commit.wait().ok();
        host.sh("ctr-wait c >/dev/null").ok();
    }
    host.sh("ctr-start c && ctr-wait c >/dev/null").ok();
}

fn memory_does_not_grow_with_the_files() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    let peak = |kind: &str| {
        let line = format!(
            "ctr-commit --compression {kind} c app:1 >/dev/null & p=$!; m=0
            while read -r _ n _ <<X
$(grep VmHWM /proc/$p/status 2>/dev/null)
X
            [ -n \"$n\" ]; do m=$n; sleep 0.005; done; wait $p && echo $m"
        );
        host.sh(&line).ok().text().trim().parse::<u64>().unwrap()
    };
    for (kind, most) in [("gzip", 24_000), ("zstd", 60_000), ("none", 12_000)] {
        host.sh(&format!("head -c 160000000 /dev/urandom >{}/m", root.display())).ok();
        // Blocks in flight are as many as there are processors.
        let cores = thread::available_parallelism().unwrap().get() as u64;
        let found = peak(kind);
        assert!(found < most * cores.max(2) / 2, "{kind}: {found} kB");
    }
}

fn bad_input_is_one_line() {
    let host = Host::new();
    let doc = made(&host, "c", "");
    fs::write(root_of(&doc).join("new"), "x").unwrap();
    host.tool("ctr-commit", &["none", "app:1"]).fails(1).code("not-found").stderr_has("no container none");
    host.tool("ctr-commit", &["c", "UPPER:1"]).fails(1).code("invalid");
    host.tool("ctr-commit", &["c", "app:-"]).fails(1).code("invalid");
    host.tool("ctr-commit", &["c", "app:1", "more"]).fails(2).code("usage");
    host.tool("ctr-commit", &["--compression", "xz", "c", "app:1"]).fails(2).code("usage");
    host.tool("ctr-commit", &["--pause=maybe", "c", "app:1"]).fails(2).code("usage");
    host.sh(&format!("echo '{{\"ctr\": 1, \"id\": \"{}\"}}' | ctr-commit app:1", "0".repeat(64)))
        .fails(1)
        .code("not-found");
    host.sh("jq -c '.id=\"../x\"' c | ctr-commit app:1").fails(1).code("invalid");
    host.sh("jq -c '.image.config=[]' c | ctr-commit app:1").fails(1).code("invalid");
    host.sh("jq -c '.image.config=\"x\"' c | ctr-commit app:1").fails(1).code("invalid");
    // The image is gone, all but what the container needs of it.
    host.sh("img-rm -f busybox && ctr-commit c app:1").fails(1).code("not-found").stderr_has("is not in the store");
    host.load("busybox");
    host.sh("ctr-commit c app:1").ok();
    // Its layer's tree is gone: what is new there and what is not cannot be told.
    host.sh(&format!("rm -r {0}; mkdir {0}", doc["rootfs"]["upper"].as_str().unwrap())).ok();
    let tree = doc["image"]["layers"][0]["path"].as_str().unwrap();
    host.sh(&format!("mv {tree} {tree}.away; ctr-commit c app:1")).fails(1).code("not-found").stderr_has("is gone");
}

fn a_full_disk_leaves_nothing() {
    let host = Host::new();
    host.sh("mkdir -p $CTR_ROOT && mount -t tmpfs -o size=20m none $CTR_ROOT").ok();
    let root = root_of(&made(&host, "c", ""));
    host.sh("ctr-commit c app:1").ok();
    fs::write(root.join("etc/mine"), "x").unwrap();
    host.sh(&format!("head -c 9000000 /dev/urandom >{}/big", root.display())).ok();
    let before = host.sh("cd $CTR_ROOT/images && find . -type f | sort && cat index.json").ok().text();
    host.tool("ctr-commit", &["c", "app:1"]).fails(1).code("limit").stderr_has("No space left");
    assert_eq!(host.sh("cd $CTR_ROOT/images && find . -type f | sort && cat index.json").ok().text(), before);
    host.sh(&format!("rm {}/big; ctr-commit c app:2", root.display())).ok();
}

fn dockers_words() {
    let host = busybox();
    host.sh("ctr run --name c busybox sh -c 'echo hello >/f'").ok();
    let id = host.sh("ctr commit -m text -a me --change 'CMD [\"cat\", \"/f\"]' c app:1").ok().text();
    let inspected = host.sh("ctr image inspect app:1").ok().json();
    assert_eq!((inspected[0]["Id"].as_str().unwrap(), id.trim().len()), (id.trim(), 71));
    host.sh("ctr run --rm app:1").ok().stdout_is("hello\n");
    let id = host.sh("ctr container commit --pause=false c").ok().text();
    host.sh(&format!("ctr run --rm {} cat /f", id.trim())).ok().stdout_is("hello\n");
    host.sh("ctr images --filter dangling=true -q | wc -l").ok().stdout_is("1\n");
    host.sh("ctr commit none app:1").fails(1).stderr_has("no container none").stdout_is("");
    host.sh("ctr commit").fails(2).stderr_has("commit needs a container");
    let event = host.sh("ctr events --since 1h --until 0s --filter event=commit --format json | head -n1").ok().json();
    let attributes = &event["Actor"]["Attributes"];
    assert_eq!((&attributes["comment"], &attributes["imageRef"]), (&json!("text"), &json!("docker.io/library/app:1")));
}

fn killed_at_any_instant_nothing_is_torn() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    host.sh(&format!("cd {}; for i in $(seq 300); do seq $i $((i+3000)) >f$i; done", root.display())).ok();
    host.tool("ctr-commit", &["c", "app:0"]).ok();
    let (mut done, mut torn) = (vec![0], 0);
    for round in 1..=40_u64 {
        let commit = host.cmd("ctr-commit", &["c", &format!("app:{round}")]).spawn();
        thread::sleep(Duration::from_millis(round * 7 % 120));
        commit.signal(Signal::SIGKILL);
        match commit.wait().status {
            0 => done.push(round),
            _ => torn += 1,
        }
    }
    assert!(torn > 0, "none was killed");
    let listed = host.sh("img-ls | jq -r .Tag").ok().text();
    for round in done {
        assert!(listed.lines().any(|tag| tag == round.to_string()), "{round} is lost: {listed}");
    }
    // Every image that is named is whole, those of killed ones too; what they left is gc's.
    for tag in listed.lines().filter(|tag| *tag != "latest") {
        host.sh(&format!("img-pull --pull never app:{tag} | img-pull --check -f /dev/stdin >/dev/null")).ok();
    }
    host.sh("skopeo inspect oci:$CTR_ROOT/images:docker.io/library/app:0 >/dev/null").ok();
    host.tool("ctr-commit", &["--gc"]).ok();
    assert_eq!(fs::read_dir(host.root().join("images/ingest")).unwrap().count(), 0);
    assert_same(&host, &root, "app:0");
}

fn others_take_it() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    host.sh(&format!("cd {}; echo hello >f; rm etc/group; rm -r home; mkdir home", root.display())).ok();
    let dir = host.dir();
    let file = |name: &str, text: String| {
        fs::write(dir.join(name), text).unwrap();
        dir.join(name)
    };
    let at = dir.display();
    let storage = file(
        "storage.conf",
        format!("[storage]\ndriver=\"vfs\"\ngraphroot=\"{at}/podman\"\nrunroot=\"{at}/podman-run\"\n"),
    );
    let engine = file(
        "containers.conf",
        format!(
            "[engine]\ncgroup_manager=\"cgroupfs\"\nevents_logger=\"none\"\nlock_type=\"file\"\nruntime=\"runc\"\ntmp_dir=\"{at}/libpod\"\n"
        ),
    );
    let podman = |line: &str| {
        let cmd = host.sh_cmd(&format!("podman {line}"));
        cmd.env("CONTAINERS_STORAGE_CONF", &storage).env("CONTAINERS_CONF", &engine).run()
    };
    for kind in ["gzip", "zstd", "none"] {
        let doc =
            host.sh(&format!("ctr-commit --compression {kind} -c 'CMD [\"cat\", \"/f\"]' c app:{kind}")).ok().json();
        let inspected =
            host.sh(&format!("skopeo inspect oci:$CTR_ROOT/images:docker.io/library/app:{kind}")).ok().json();
        assert_eq!(inspected["Layers"].as_array().unwrap().last().unwrap(), &last_layer(&doc)["digest"]);
        let id = podman(&format!("pull -q oci:$CTR_ROOT/images:docker.io/library/app:{kind}")).succeeds().text();
        let run = "run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096";
        podman(&format!("{run} {}", id.trim())).succeeds().stdout_is("hello\n");
        podman(&format!("{run} {} sh -c 'ls /etc/group /home'", id.trim())).exits(1).stdout_is("/home:\n");
    }
}
