//! ctr-fsck: finds what is torn, missing, orphaned; repairs it and loses nothing that can be kept.

use crate::{living::busybox, records::create};
use ctr_tests::*;
use std::{fs, os::unix::fs::symlink, path::PathBuf};

pub fn tests() -> Vec<Test> {
    tests!("ctr-fsck",
        ["root", "umoci"]:
            a_whole_store_is_clean,
            a_torn_blob_is_found_and_dropped_only_when_asked,
            orphans_go,
            what_is_being_written_is_no_orphan,
            a_torn_index_keeps_everything,
            what_an_unread_image_may_have_stays,
            one_of_two_images_of_one_id_goes;
        ["root", "umoci", "docker-registry", "skopeo"]:
            what_is_missing_is_fetched_again;
        ["root", "overlay", "umoci"]:
            a_changed_tree_is_found,
            a_restored_backup_is_whole,
            any_whole_blob_of_a_layer_decides,
            a_deep_tree_is_compared,
            a_look_hides_nothing_from_itself,
            a_tree_removed_meanwhile_is_no_finding,
            a_containers_layer_comes_back,
            names_and_records,
            what_is_somebody_elses_is_said_and_stays;
        ["root", "overlay", "umoci", "docker-registry", "skopeo"]:
            a_lone_tree_of_a_restored_backup_stays;
        []:
            nothing_is_clean_too
    )
}

/// What is wrong, `state kind`, sorted.
#[track_caller]
fn found(host: &Host, args: &[&str]) -> Vec<String> {
    let ran = host.tool("ctr-fsck", args);
    let lines = ran.jsons();
    let last = lines.last().unwrap();
    assert_eq!(last["found"], lines.len() - 1, "{ran}");
    let mut all: Vec<_> =
        lines[..lines.len() - 1].iter().map(|l| format!("{} {}", l["state"], l["kind"]).replace('"', "")).collect();
    all.sort();
    if last["left"] == 0 {
        ran.ok()
    } else {
        ran.fails(1)
    };
    all
}

#[track_caller]
fn clean(host: &Host) {
    assert_eq!(found(host, &[]), [""; 0]);
}

fn blob(host: &Host, digest: &Value) -> PathBuf {
    host.root().join("images/blobs/sha256").join(&digest.as_str().unwrap()[7..])
}

fn layer(host: &Host, image: &str) -> Value {
    host.tool("img-inspect", &["--document", image]).ok().json()["image"]["layers"][0].clone()
}

fn flip(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn nothing_is_clean_too() {
    let host = Host::new();
    clean(&host);
    host.tool("ctr-fsck", &["--repair"]).ok();
    host.tool("ctr-fsck", &["--drop"]).fails(2);
}

fn a_whole_store_is_clean() {
    let host = busybox();
    // Layers that are odd as trees: nothing in them, no root.
    host.sh(
        "tar c -T /dev/null | img-import - nothing | img-unpack; mkdir d; tar c d | img-import - rootless | img-unpack",
    )
    .ok();
    host.sh("img-inspect --document busybox | img-unpack").ok();
    let shown = host.tool("ctr-fsck", &[]).ok().json();
    assert_eq!(
        (&shown["found"], &shown["checked"]["images"], &shown["checked"]["layers"]),
        (&json!(0), &json!(3), &json!(3))
    );
    host.sh("ctr fsck").ok().stdout_has("3 images").stdout_has("clean");
    host.sh("ctr fsck --format '{{.name}}'").ok().stdout_is("");
    let before = host.sh("find $CTR_ROOT | sort").ok().text();
    host.tool("ctr-fsck", &["--repair"]).ok();
    assert_eq!(host.sh("find $CTR_ROOT | sort").ok().text(), before);
}

fn a_torn_blob_is_found_and_dropped_only_when_asked() {
    let host = busybox();
    host.sh("img-tag busybox localhost:1/x; echo y >y; tar c y | img-import - other").ok();
    let torn = layer(&host, "busybox")["digest"].clone();
    flip(&blob(&host, &torn));
    let line = host.tool("ctr-fsck", &[]).fails(1).jsons()[0].clone();
    assert_eq!((&line["state"], &line["kind"], &line["name"]), (&json!("torn"), &json!("blob"), &torn));
    assert_eq!(line["of"], json!(["docker.io/library/busybox:latest", "localhost:1/x:latest"]));
    host.sh("ctr fsck").fails(1).stdout_has(&format!("torn blob {}", torn.as_str().unwrap()));
    // Its bytes are not looked at.
    host.tool("ctr-fsck", &["--quick"]).ok();
    // No registry answers: the image keeps its names.
    let repaired = host.tool("ctr-fsck", &["--repair"]).fails(1);
    assert!(repaired.jsons()[0]["repair"].as_str().unwrap().contains("cannot be fetched now"), "{repaired}");
    assert_eq!(found(&host, &[]), ["missing blob"]);
    assert_eq!(host.tool("img-ls", &[]).ok().jsons().len(), 3);
    found(&host, &["--repair", "--drop"]);
    clean(&host);
    let left = host.tool("img-ls", &[]).ok().jsons();
    assert!(left.len() == 1 && left[0]["Repository"] == "other", "{left:?}");
    host.sh("img-inspect --document other | img-load --check").ok();
}

fn orphans_go() {
    let host = busybox();
    host.sh("img-inspect --document busybox | img-unpack").ok();
    let images = host.root().join("images");
    let junk = json!(format!("sha256:{}", "ab".repeat(32)));
    fs::write(blob(&host, &junk), "junk").unwrap();
    fs::write(images.join(".index.json.1234"), "{").unwrap();
    fs::create_dir_all(images.join("ingest/spool-dead")).unwrap();
    for dir in [".tmp-sha256-00", ".removed-dead", &format!("sha256/{}", "cd".repeat(32))] {
        fs::create_dir_all(host.root().join("layers").join(dir).join("x")).unwrap();
    }
    // Half a blob waits for its pull.
    let partial = images.join(format!("ingest/sha256-{}", "ef".repeat(32)));
    fs::write(&partial, "half").unwrap();
    // Who makes a directory is given a moment to lock it.
    host.sh("touch -d '1 minute ago' $CTR_ROOT/images/ingest/spool-dead $CTR_ROOT/layers/.??*").ok();
    let expected = [&["orphaned leftover"; 4][..], &["torn blob", "torn layer"]].concat();
    assert_eq!(found(&host, &[]), expected);
    found(&host, &["--repair"]);
    clean(&host);
    assert!(partial.exists());
    host.sh("img-inspect --document busybox | img-unpack --check | img-load --check").ok();
    host.sh("find $CTR_ROOT -name '*dead*' -o -name '.*' | wc -l").ok().stdout_is("0\n");
}

/// A blob that no image names may be that of a writer who lives.
fn what_is_being_written_is_no_orphan() {
    let host = busybox();
    let mut writer = host.sh_cmd("exec img-import - new").stdin_open().spawn();
    let lock = host.root().join("writers");
    crate::living::until("it writes", || {
        let busy = fs::File::open(&lock).is_ok_and(|file| file.try_lock().is_err());
        busy && fs::read_dir(host.root().join("images/ingest")).is_ok_and(|mut dir| dir.next().is_some())
    });
    let digest = json!(format!("sha256:{}", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    fs::write(blob(&host, &digest), "").unwrap();
    clean(&host);
    host.tool("ctr-fsck", &["--repair"]).ok();
    assert!(blob(&host, &digest).exists());
    assert!(writer.runs());
    writer.signal(nix::sys::signal::Signal::SIGKILL);
    writer.wait();
    assert_eq!(found(&host, &["--repair"]), ["orphaned blob", "orphaned leftover"]);
    clean(&host);
}

fn a_torn_index_keeps_everything() {
    let host = busybox();
    let index = host.root().join("images/index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, &text[..text.len() / 2]).unwrap();
    assert_eq!(found(&host, &[]), ["torn index"]);
    assert_eq!(found(&host, &["--repair"]), ["torn index"]);
    fs::write(&index, &text).unwrap();
    clean(&host);
}

fn what_is_missing_is_fetched_again() {
    let host = Host::new();
    let reference = registry::plain().push("busybox");
    host.tool("img-pull", &[&reference]).ok();
    host.sh(&format!("img-tag {reference} mine")).ok();
    let shown = host.tool("img-ls", &[&reference]).ok().json();
    let layer = layer(&host, &reference)["digest"].clone();
    let whole = fs::read(blob(&host, &layer)).unwrap();
    flip(&blob(&host, &layer));
    fs::remove_file(blob(&host, &shown["ID"])).unwrap();
    assert_eq!(found(&host, &[]), ["missing blob", "torn blob"]);
    // The registry knows nothing of `mine`, but what it lacked is there by then.
    let lines = host.tool("ctr-fsck", &["--repair"]).jsons();
    assert!(lines.iter().any(|l| l["repair"].as_str().is_some_and(|r| r.contains("fetched"))), "{lines:?}");
    clean(&host);
    assert_eq!(fs::read(blob(&host, &layer)).unwrap(), whole);
    assert_eq!(host.tool("img-ls", &[&reference]).ok().json(), shown);
    assert_eq!(host.tool("img-ls", &[]).ok().jsons().len(), 2);
    // A manifest that no registry has, and that is gone, takes its reference with it.
    let gone = format!("{}/gone:1", reference.split('/').next().unwrap());
    host.sh(&format!("echo z >z; tar c z | img-import - {gone}")).ok();
    fs::remove_file(blob(&host, &host.tool("img-ls", &[&gone]).ok().json()["Digest"])).unwrap();
    let line = host.tool("ctr-fsck", &["--repair"]).ok().jsons()[0].clone();
    assert!(line["repair"].as_str().unwrap().contains("dropped"), "{line}");
    clean(&host);
    assert_eq!(host.tool("img-ls", &[]).ok().jsons().len(), 2);
}

fn a_changed_tree_is_found() {
    let host = busybox();
    let unpack = "img-inspect --document busybox | img-unpack";
    host.sh(unpack).ok();
    let tree = PathBuf::from(layer(&host, "busybox")["path"].as_str().unwrap());
    for change in ["rm bin/ls", "chmod 700 bin", "echo x >>etc/passwd", "touch new", "rm -r bin", "ln etc/passwd etc/p"]
    {
        host.sh(&format!("cd {} && {change}", tree.display())).ok();
        assert_eq!(found(&host, &[]), ["torn layer"], "{change}");
        assert_eq!(found(&host, &["--repair"]), ["torn layer"], "{change}");
        assert!(!tree.exists());
        clean(&host);
        host.sh(unpack).ok();
        clean(&host);
    }
    // What stands on it keeps it.
    create(&host, "c", "");
    host.sh(&format!("rm {}/bin/ls", tree.display())).ok();
    let kept = host.tool("ctr-fsck", &["--repair"]).fails(1).jsons()[0].clone();
    assert!(kept["repair"].as_str().unwrap().contains("container c"), "{kept}");
    host.sh("ctr rm c; ctr fsck --repair").ok();
    clean(&host);
}

/// Its change times are all new, and not in the order in which img-unpack makes them.
fn a_restored_backup_is_whole() {
    let host = busybox();
    // Overlay's marks, and an owner, a mode and a time that are not those of who restores.
    host.sh("mkdir -p d/o d/l; touch d/l/.wh.a d/o/.wh..wh..opq; echo x >d/f; chmod 640 d/f; chown 5:6 d/f; ln -s f d/s
        touch -d 2001-01-01 d/f; tar c -C d . | img-import - marked | img-unpack; img-inspect --document busybox | img-unpack")
        .ok();
    let trees = ["busybox", "marked"].map(|image| PathBuf::from(layer(&host, image)["path"].as_str().unwrap()));
    let restore = "cp -a $CTR_ROOT away && find $CTR_ROOT -mindepth 1 -delete && cp -a away/. $CTR_ROOT && rm -r away
        for tree in $CTR_ROOT/layers/sha256/*; do find $tree -type f -exec chmod --reference={} {} \\; -quit; done";
    host.sh(restore).ok();
    let younger = |tree: &PathBuf| {
        let times = |depth: &str| format!("$(find {} {depth} -printf '%C@\\n' | sort -n | tail -n 1)", tree.display());
        host.sh(&format!("[ {} \\> {} ]", times("-mindepth 1"), times("-maxdepth 0"))).status == 0
    };
    assert!(trees.iter().all(younger), "not what is looked at here");
    let before = host.sh("find $CTR_ROOT | sort").ok().text();
    clean(&host);
    assert!(trees.iter().all(younger));
    assert_eq!(host.sh("find $CTR_ROOT | sort").ok().text(), before);
    // Noted, so that the blobs need not be unpacked again.
    assert_eq!(found(&host, &["--repair"]), [""; 0]);
    assert!(!trees.iter().any(younger));
    clean(&host);
    // What was changed, or what the backup did not keep, is found still.
    for change in [
        "setfattr -x trusted.overlay.opaque o",
        "touch f",
        "chown 0 f",
        "rm l/a",
        "ln -sf o s",
        "echo y >f; touch -d 2001-01-01 f",
    ] {
        host.sh(&format!("cd {} && {change}", trees[1].display())).ok();
        let line = host.tool("ctr-fsck", &[]).fails(1).jsons()[0].clone();
        let path = change.split(' ').rfind(|word| word.len() == 1 || *word == "l/a").unwrap();
        assert!(line["reason"].as_str().unwrap().ends_with(&format!("unpacked: /{path}")), "{change}: {line}");
        assert_eq!(found(&host, &["--repair"]), ["torn layer"], "{change}");
        host.sh("img-inspect --document marked | img-unpack").ok();
        clean(&host);
    }
}

/// Its change times are all new, and the root's the oldest of them.
fn touched(host: &Host, tree: &std::path::Path) {
    host.sh(&format!("find {0} -mindepth 1 -exec chmod --reference={{}} {{}} \\; -quit", tree.display())).ok();
}

/// What only times speak of is no reason to remove what may be the only copy.
fn a_lone_tree_of_a_restored_backup_stays() {
    let host = busybox();
    host.sh("echo x >x; tar c x | img-import - made | img-unpack").ok();
    let layer = layer(&host, "made");
    let (tree, blob) = (PathBuf::from(layer["path"].as_str().unwrap()), blob(&host, &layer["digest"]));
    touched(&host, &tree);
    let aside = host.dir().join("aside");
    // Torn, then gone.
    fs::copy(&blob, &aside).unwrap();
    flip(&blob);
    for expected in [["torn blob", "torn layer"], ["missing blob", "torn layer"]] {
        assert_eq!(found(&host, &[]), expected);
        let lines = host.tool("ctr-fsck", &["--repair"]).fails(1).jsons();
        let said = lines.iter().find(|line| line["kind"] == "layer").unwrap();
        assert!(said["reason"].as_str().unwrap().starts_with("its times are new"), "{said}");
        assert!(said["repair"].as_str().unwrap().starts_with("no: it may be whole"), "{said}");
        assert_eq!(fs::read(tree.join("x")).unwrap(), b"x\n");
        host.tool("img-inspect", &["made"]).ok();
        assert!(!blob.exists());
    }
    // The blob decides once it is there; and who asks for it gives both up.
    fs::rename(&aside, &blob).unwrap();
    clean(&host);
    fs::remove_file(&blob).unwrap();
    host.tool("ctr-fsck", &["--repair", "--drop"]).ok();
    assert!(!tree.exists());
    host.tool("img-inspect", &["made"]).fails(1);
    clean(&host);
    // One that can be fetched is, and then compared.
    let reference = registry::plain().push("busybox");
    let host = Host::new();
    host.sh(&format!("img-pull {reference} | img-unpack")).ok();
    let layer = self::layer(&host, &reference);
    let tree = PathBuf::from(layer["path"].as_str().unwrap());
    for (change, said) in [("", "it is whole"), ("rm bin/ls; ", "removed")] {
        host.sh(&format!("cd {} && {change} true", tree.display())).ok();
        touched(&host, &tree);
        fs::remove_file(self::blob(&host, &layer["digest"])).unwrap();
        let lines = host.tool("ctr-fsck", &["--repair"]).ok().jsons();
        let line = lines.iter().find(|line| line["kind"] == "layer").unwrap();
        assert!(line["repair"].as_str().unwrap().contains(said), "{line}");
        clean(&host);
    }
}

/// One layer in two compressions has two blobs, and an image that is gone leaves its name to a container.
fn any_whole_blob_of_a_layer_decides() {
    let host = Host::new();
    host.sh("echo x >x; tar c x | img-import - base >/dev/null; img-inspect --document base | img-unpack").ok();
    let made = ["gzip", "zstd"].map(|how| {
        let line = format!("SOURCE_DATE_EPOCH=1 img-squash --compression {how} -t {how} base");
        host.sh(&line).ok().json()["image"]["layers"][0].clone()
    });
    assert_eq!(made[0]["diffId"], made[1]["diffId"]);
    host.sh("img-inspect --document gzip | img-unpack").ok();
    let tree = PathBuf::from(layer(&host, "gzip")["path"].as_str().unwrap());
    for torn in &made {
        touched(&host, &tree);
        let blob = blob(&host, &torn["digest"]);
        let whole = fs::read(&blob).unwrap();
        flip(&blob);
        assert_eq!(found(&host, &[]), ["torn blob"]);
        fs::remove_file(&blob).unwrap();
        assert_eq!(found(&host, &[]), ["missing blob"]);
        fs::write(&blob, whole).unwrap();
    }
    // Of the image nothing is left but what the record of a container says.
    host.sh("img-inspect --document zstd | img-unpack | overlay-mount --name c").ok();
    let blob = blob(&host, &made[1]["digest"]);
    let whole = fs::read(&blob).unwrap();
    host.sh("img-rm -f zstd gzip").ok();
    assert!(!blob.exists(), "not what is looked at here");
    fs::write(&blob, whole).unwrap();
    touched(&host, &tree);
    assert_eq!(found(&host, &[]), ["orphaned blob"]);
    host.sh("ctr rm c").ok();
}

/// Deeper than a path may be long.
fn a_deep_tree_is_compared() {
    let host = Host::new();
    host.sh("n=d; for i in 1 2 3 4 5 6; do n=$n$n; done; mkdir deep
        (cd deep; for i in $(seq 62); do mkdir $n; cd -P $n; done; echo x >f)
        tar c -C deep . | img-import - deep | img-unpack")
        .ok();
    let tree = PathBuf::from(layer(&host, "deep")["path"].as_str().unwrap());
    assert!(tree.as_os_str().len() + 62 * 65 > 4096, "not what is looked at here");
    touched(&host, &tree);
    clean(&host);
    host.sh(&format!(
        "n=d; for i in 1 2 3 4 5 6; do n=$n$n; done; cd {} && for i in $(seq 62); do cd -P $n; done; echo y >f",
        tree.display()
    ))
    .ok();
    let line = host.tool("ctr-fsck", &[]).fails(1).jsons()[0].clone();
    assert!(line["reason"].as_str().unwrap().ends_with("/f"), "{line}");
    found(&host, &["--repair"]);
    clean(&host);
}

/// To compare a tree is no writing that would make what nothing names look as if it were on its way.
fn a_look_hides_nothing_from_itself() {
    let host = busybox();
    host.sh("img-inspect --document busybox | img-unpack").ok();
    touched(&host, &PathBuf::from(layer(&host, "busybox")["path"].as_str().unwrap()));
    let junk = json!("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    fs::write(blob(&host, &junk), "").unwrap();
    assert_eq!(found(&host, &[]), ["orphaned blob"]);
    assert_eq!(found(&host, &["--repair"]), ["orphaned blob"]);
    clean(&host);
}

fn a_tree_removed_meanwhile_is_no_finding() {
    let host = busybox();
    host.sh("mkdir b; head -c 30000000 /dev/zero >b/z").ok();
    for _ in 0..3 {
        host.sh("tar c -C b . | img-import - big | img-unpack").ok();
        touched(&host, &PathBuf::from(layer(&host, "big")["path"].as_str().unwrap()));
        let look = host.cmd("ctr-fsck", &[""; 0]).spawn();
        let layers = host.root().join("layers");
        crate::living::until("it compares", || {
            fs::read_dir(&layers).unwrap().flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."))
        });
        look.signal(nix::sys::signal::Signal::SIGSTOP);
        host.tool("img-rm", &["big"]).ok();
        look.signal(nix::sys::signal::Signal::SIGCONT);
        look.wait().ok();
    }
    clean(&host);
}

fn a_containers_layer_comes_back() {
    let host = busybox();
    create(&host, "c", "");
    let tree = PathBuf::from(layer(&host, "busybox")["path"].as_str().unwrap());
    fs::rename(&tree, host.dir().join("aside")).unwrap();
    let line = host.tool("ctr-fsck", &[]).fails(1).jsons()[0].clone();
    assert_eq!((&line["state"], &line["kind"], &line["of"]), (&json!("missing"), &json!("layer"), &json!(["c"])));
    assert_eq!(found(&host, &["--repair"]), ["missing layer"]);
    clean(&host);
    assert!(tree.join("bin").is_dir());
    host.sh("ctr rm c").ok();
    host.assert_clean();
}

fn names_and_records() {
    let host = busybox();
    let id = create(&host, "c", "");
    let names = host.root().join("names");
    fs::remove_file(names.join("c")).unwrap();
    symlink("ab".repeat(32), names.join("ghost")).unwrap();
    fs::create_dir(host.root().join("containers").join("cd".repeat(32))).unwrap();
    fs::create_dir(host.root().join("networks")).unwrap();
    fs::write(host.root().join("networks/torn.json"), "{").unwrap();
    // What reads as JSON is no record yet.
    fs::write(host.root().join("networks/empty.json"), "{}").unwrap();
    fs::create_dir_all(host.root().join("volumes/vol/_data")).unwrap();
    fs::write(host.root().join("volumes/vol/volume.json"), r#"{"name":"vol"}"#).unwrap();
    let torn = ["torn record"; 3];
    let all = [&["missing name", "orphaned container", "orphaned name"][..], &torn].concat();
    assert_eq!(found(&host, &[]), all);
    assert_eq!(found(&host, &["--repair"]).len(), 6);
    assert_eq!(found(&host, &[]), torn);
    fs::remove_dir_all(host.root().join("volumes/vol")).unwrap();
    for file in ["torn.json", "empty.json"] {
        fs::remove_file(host.root().join("networks").join(file)).unwrap();
    }
    host.tool("ctr-inspect", &["c"]).ok();
    // A record that does not read: nothing is said to be unused.
    let record = host.record(&id);
    let text = fs::read(&record).unwrap();
    fs::write(&record, "{").unwrap();
    host.sh("img-rm -f busybox").fails(1);
    assert_eq!(found(&host, &["--repair"]), ["torn record"]);
    fs::write(&record, text).unwrap();
    clean(&host);
    host.sh("ctr rm c").ok();
    host.assert_clean();
}

fn what_is_somebody_elses_is_said_and_stays() {
    let host = busybox();
    create(&host, "c", "");
    host.sh("img-inspect --document busybox | img-unpack; ctr volume create vol; ctr volume create db.json").ok();
    clean(&host);
    let odd = [
        "notes.txt",
        "lost",
        "containers/copy",
        "names/-x",
        "volumes/a b",
        "networks/web.json.bak",
        "cni/x",
        "images/index.json.orig",
        "images/blobs/md5",
        "images/blobs/sha256/abc",
        "layers/tree",
        "layers/sha256/line\nbreak",
    ];
    for path in odd {
        let path = host.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "kept").unwrap();
    }
    // What is hidden is passed over, and what is the file system's.
    for path in ["lost+found", "volumes/.hidden", "names/.hidden"] {
        fs::create_dir(host.root().join(path)).unwrap();
    }
    let bytes = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"volumes/\xff");
    fs::write(host.root().join(bytes), "kept").unwrap();
    let mut expected: Vec<_> = odd.iter().map(|name| name.escape_debug().to_string()).collect();
    expected.push("volumes/\u{fffd}".to_owned());
    expected.sort();
    for args in [&["--findings"][..], &["--findings", "--quick"], &["--findings", "--repair"]] {
        let lines = host.tool("ctr-fsck", args).fails(1).jsons();
        let mut names: Vec<_> = lines.iter().map(|l| l["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, expected, "{args:?}");
        for line in &lines {
            assert_eq!((&line["state"], &line["kind"]), (&json!("foreign"), &json!("file")));
            assert_eq!(line["repair"] == "no: it is somebody else's", args.contains(&"--repair"), "{line}");
        }
    }
    assert!(odd.iter().all(|name| fs::read(host.root().join(name)).unwrap() == b"kept"));
    host.tool("ctr-inspect", &["c"]).ok();
}

/// What an image has whose manifest cannot be read is not known: neither gc nor the removal of another takes any of it.
fn what_an_unread_image_may_have_stays() {
    let host = Host::new();
    host.load("busybox");
    let inspected = host.tool("img-inspect", &["--document", "busybox"]).ok().json();
    let (manifest, layer) =
        (blob(&host, &inspected["image"]["manifest"]["digest"]), blob(&host, &layer(&host, "busybox")["digest"]));
    host.sh("tar -C / -c etc/hostname | img-import - other >/dev/null").succeeds();
    let aside = manifest.with_extension("aside");
    fs::rename(&manifest, &aside).unwrap();
    host.sh("find $CTR_ROOT/images/blobs -type f -exec touch -d '3 days ago' {} +").ok();
    host.sh("img-rm --gc; img-rm other").succeeds().stderr_has("an image does not read");
    assert!(layer.exists(), "gone with the manifest");
    fs::rename(&aside, &manifest).unwrap();
    host.sh("img-pull --pull missing busybox | img-unpack >/dev/null").ok();
    // By now it is known what nothing uses.
    host.sh("find $CTR_ROOT/images/blobs -type f -exec touch -d '3 days ago' {} + && img-rm --gc").succeeds();
    clean(&host);
}

/// One configuration in two compressions is two manifests of one id.
fn one_of_two_images_of_one_id_goes() {
    let host = Host::new();
    host.load("busybox");
    host.sh("mkdir made && echo x >made/x && tar -C made -c . | img-import - one >/dev/null").succeeds();
    let squash = |how: &str| {
        let ran = host.sh(&format!("SOURCE_DATE_EPOCH=1 img-squash --compression {how} one"));
        ran.ok().json()["image"].clone()
    };
    let (zip, zstd) = (squash("gzip"), squash("zstd"));
    assert_eq!(zip["id"], zstd["id"]);
    assert_ne!(zip["manifest"]["digest"], zstd["manifest"]["digest"]);
    flip(&blob(&host, &zip["layers"][0]["digest"]));
    found(&host, &["--repair"]);
    clean(&host);
    assert!(!blob(&host, &zip["layers"][0]["digest"]).exists());
    assert!(blob(&host, &zstd["layers"][0]["digest"]).exists(), "the whole one went too");
}
