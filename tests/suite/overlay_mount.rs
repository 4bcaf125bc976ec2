//! overlay-mount: claims, mounts, their undo, check and gc.

use ctr_tests::*;
use std::fs;

pub fn tests() -> Vec<Test> {
    tests!("overlay-mount",
        ["root", "overlay"]:
            a_name_is_claimed_once,
            twenty_race_for_a_name,
            what_is_provisional_goes_with_a_reboot,
            mounts_300_layers,
            a_layer_twice_is_mounted_once,
            an_opaque_root_hides_what_is_below,
            a_root_is_mounted_once,
            a_writable_layer_has_a_size,
            check_tells_what_is_gone,
            gc_takes_dead_volatile_containers,
            gc_dry_run_removes_nothing,
            an_image_without_layers;
        ["root", "overlay", "loop", "prjquota"]:
            a_size_is_a_quota_where_that_is_asked
    )
}

/// A document of an image whose layers are directories made by shell lines, lowest first.
fn document(host: &Host, layers: &[&str]) -> Value {
    let mut list = Vec::new();
    for (n, line) in layers.iter().enumerate() {
        let dir = host.root().join(format!("made/{n}"));
        fs::create_dir_all(&dir).unwrap();
        host.sh(&format!("cd {} && {{ {line}; }}", dir.display())).ok();
        let digest = format!("sha256:{n:064x}");
        list.push(json!({"digest": digest, "diffId": digest, "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "size": 1, "path": dir}));
    }
    let digest = format!("sha256:{:064x}", 0);
    let manifest = json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1});
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}});
    let image = json!({"ref": "docker.io/library/x:latest", "id": digest, "manifest": manifest, "config": config,
        "layers": list});
    json!({"ctr": 1, "image": image})
}

fn root(doc: &Value) -> std::path::PathBuf {
    doc["rootfs"]["path"].as_str().unwrap().into()
}

fn a_name_is_claimed_once() {
    let host = Host::new();
    let doc = document(&host, &["echo a >f"]);
    let first = host.pipe_to(&doc, "overlay-mount", &["--name", "web"]).ok().json();
    schema::assert_valid(std::slice::from_ref(&first));
    let id = first["id"].as_str().unwrap();
    host.pipe_to(&doc, "overlay-mount", &["--name", "web"]).fails(1).code("exists").stderr_has(&id[..12]);
    host.pipe_to(&doc, "overlay-mount", &["--name", "../x"]).fails(1).code("invalid");
    host.pipe_to(&first, "overlay-mount", &["--undo"]).ok();
    let again = host.pipe_to(&doc, "overlay-mount", &["--name", "web"]).ok().json();
    host.pipe_to(&again, "overlay-mount", &["--undo"]).ok();
    host.assert_clean();
}

fn twenty_race_for_a_name() {
    let host = Host::new();
    let doc = document(&host, &["echo a >f"]);
    fs::write(host.dir().join("doc"), format!("{doc}\n")).unwrap();
    let ran = host.sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
         overlay-mount --name one -f doc 2>/dev/null | jq -r '.error.code // \"won\"' & done; wait");
    let words = ran.text();
    let count = |word: &str| words.lines().filter(|l| *l == word).count();
    assert_eq!((count("won"), count("exists")), (1, 19), "{words}");
    host.sh("overlay-mount --undo <$CTR_ROOT/containers/$(readlink $CTR_ROOT/names/one)/document.json >/dev/null").ok();
    host.assert_clean();
}

fn a_writable_layer_has_a_size() {
    let host = Host::new();
    host.load("busybox");
    let fill = "dd if=/dev/zero of=/x bs=1M count=40 2>&1";
    host.sh(&format!("ctr run --rm --storage-opt size=32m busybox sh -c '{fill}'"))
        .exits(1)
        .stdout_has("No space left");
    host.assert_clean();
    host.sh("ctr run --name a --storage-opt size=32m busybox sh -c 'echo kept >/y'").ok();
    host.sh("ctr diff a").ok().stdout_is("A /y\n");
    // As after a reboot.
    let reboot = "umount $CTR_RUN/containers/*/rootfs $CTR_RUN/containers/*/writable && rm -r $CTR_RUN";
    let size = "ctr ps -as --format '{{.Size}}'";
    host.sh(&format!("{reboot} && ctr diff a")).ok().stdout_is("A /y\n");
    host.sh(&format!("{reboot} && {size}")).ok().stdout_has("5B (virtual ");
    // What cannot be told is not 0.
    host.sh(&format!("{reboot} && file=$(ls $CTR_ROOT/containers/*/writable.ext4) && mv $file kept && echo x >$file && {size}; mv kept $file"))
        .succeeds()
        .stdout_is("N/A\n")
        .stderr_has("overlay-mount: cannot mount ");
    // Its files are not made anew without a word.
    host.sh("file=$(ls $CTR_ROOT/containers/*/writable.ext4) && mv $file kept && ! ctr start a && mv kept $file")
        .succeeds()
        .stderr_has("writable.ext4 is not there");
    host.sh("ctr start a && ctr wait a && ctr cp a:/y - | tar -xO").ok().stdout_has("kept\n");
    host.sh("ctr rm a").succeeds();
    let (all, one) = ("--storage-opt dm.basesize=1g", "--storage-opt size=none");
    host.sh(&format!("ctr run --rm {all} busybox true")).fails(125).stderr_has("dm.basesize");
    host.sh(&format!("ctr run --rm {one} busybox true")).fails(125).stderr_has("none");
    host.sh("ctr run --rm --storage-opt size=1k busybox true").fails(125).stderr_has("less than 1m");
    host.sh("ctr run --rm --storage-opt size=1k --storage-opt by=quota busybox true")
        .fails(125)
        .stderr_has("less than 1m");
    for (words, part) in [
        ("--storage-opt by=quota", "give size=SIZE too"),
        ("--storage-opt size=32m --storage-opt by=hand", "not by \"hand\""),
        ("--storage-opt size=32m --storage-opt by=quota", "its file system enforces no quotas of projects"),
    ] {
        host.sh(&format!("ctr run --rm {words} busybox true")).fails(125).stderr_has(part);
    }
    host.sh("ctr volume create -o size=8m -o by=quota vol").fails(1).stderr_has("enforces no quotas of projects");
    host.sh("ctr volume create -o by=quota vol").fails(1).stderr_has("give size too");
    host.sh("ctr volume ls -q; ls -A $CTR_ROOT/volumes").ok().stdout_is("");
    host.sh("ctr run --name b --storage-opt size=32m busybox dd if=/dev/urandom of=/x bs=1M count=4").succeeds();
    host.sh("sync -f $CTR_RUN/containers/*/writable; ctr-df | jq 'select(.Type == \"Containers\").Writable > 4000000'")
        .ok()
        .stdout_is("true\n");
    host.sh("ctr rm b").succeeds();
    host.sh("losetup -a | grep $CTR_ROOT").exits(1);
    host.assert_clean();
}

fn a_size_is_a_quota_where_that_is_asked() {
    let host = Host::new();
    let make = "truncate -s 200M quotas && mkfs.ext4 -q -O project,quota -E quotatype=prjquota quotas && mkdir -p $CTR_ROOT && \
                mount -o loop,prjquota quotas $CTR_ROOT";
    host.sh(make).ok();
    host.load("busybox");
    let fill = |to: &str| {
        format!("sh -c 'dd if=/dev/zero of={to}/x bs=1M count=40 2>&1; s=$?; df -m {to} | tail -n 1; exit $s'")
    };
    // df(1) shows the limit of the project (ext4, XFS).
    let ran = host
        .sh(&format!("ctr run --name a --storage-opt size=32m --storage-opt by=quota busybox {}", fill("")))
        .exits(1);
    assert!(ran.text().contains("o space left") || ran.text().contains("uota exceeded"), "{}", ran.text());
    host.sh("ls $CTR_ROOT/containers/*/").ok().stdout_has("writable\n");
    host.sh("ctr diff a; ls -s $CTR_ROOT/containers/*/writable/upper/x | cut -d' ' -f1").ok().stdout_has("A /x\n3");
    // Below it, a file may be renamed and a directory made; what is removed makes room.
    host.sh(
        "ctr rm a && ctr create --name a --storage-opt size=32m --storage-opt by=quota busybox sh -c 'mkdir /d; echo kept >/d/y; mv /d /e'",
    )
    .succeeds();
    host.sh("ctr start -a a && umount $CTR_RUN/containers/*/rootfs && rm -r $CTR_RUN").ok();
    host.sh("ctr start a && ctr wait a && ctr cp a:/e/y - | tar -xO").ok().stdout_has("kept\n");
    host.sh("ctr commit a kept && ctr rm a && ctr run --rm kept cat /e/y").ok().stdout_has("kept\n");
    host.sh("ctr volume create -o size=8m -o by=quota small").succeeds();
    host.sh("test -e $CTR_ROOT/volumes/small/image").exits(1);
    let ran = host.sh(&format!("ctr run --rm -v small:/v busybox {}", fill("/v"))).exits(1);
    assert!(ran.text().contains("o space left") || ran.text().contains("uota exceeded"), "{}", ran.text());
    assert!(ran.text().contains(" 8 "), "{}", ran.text());
    // No way out of a file system of its own, which it is unless a quota is asked for, by the project's number.
    let out = "mkdir /d; /usr/bin/chattr -p 0 /d; dd if=/dev/zero of=/d/x bs=1M count=40";
    let system = "-v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro";
    host.sh(&format!("ctr run --rm --storage-opt size=32m {system} busybox sh -c '{out}'"))
        .exits(1)
        .stderr_has("o space left");
    // What a container says of its own files is nobody's quota.
    host.sh("lsattr -pd $CTR_ROOT/volumes/small | awk '{print $1}' >number && test $(cat number) -gt 1000").ok();
    host.sh(&format!("ctr run --rm -v /anon {system} busybox /usr/bin/chattr -p $(cat number) +P /anon")).succeeds();
    host.sh("ctr run --rm -v small:/v busybox sh -c 'rm /v/x; dd if=/dev/zero of=/v/x bs=1M count=12'").exits(1);
    // The image's files come within it, and no more than it holds.
    host.sh("ctr volume create -o size=1m -o by=quota files").succeeds();
    host.sh("ctr run --rm -v files:/bin busybox true").fails(125).stderr_has("may hold 1048576 bytes, and would have");
    host.sh("ctr run --rm -v files:/etc busybox ls /etc").ok().stdout_has("passwd");
    host.sh("ctr volume rm files").succeeds();
    // A copy has none.
    host.sh("ctr create --name c --storage-opt size=32m --storage-opt by=quota busybox true").succeeds();
    host.sh("umount $CTR_RUN/containers/*/rootfs; chattr -p 0 $CTR_ROOT/containers/*/writable; ctr start c")
        .exits(1)
        .stderr_has("no quota holds it to that any more");
    host.sh("ctr rm c").succeeds();
    // Another's is its own.
    host.sh("ctr run --rm --storage-opt size=16m --storage-opt by=quota busybox dd if=/dev/zero of=/x bs=1M count=12")
        .succeeds();
    host.sh("ctr run --rm -v small:/v busybox sh -c 'rm /v/x; dd if=/dev/zero of=/v/y bs=1M count=6'").succeeds();
    host.sh("ctr volume rm small && ctr rmi kept && ctr fsck").ok();
    host.sh("losetup -a | grep containers").exits(1);
    host.sh("ls $CTR_ROOT/containers $CTR_ROOT/volumes; umount $CTR_ROOT").ok().stdout_has("containers:\n\n");
    host.assert_clean();
}

/// A container that is provisional is nothing after a reboot, and gc's; one that ns-spawn completed is there, also if its
/// removal had begun.
fn what_is_provisional_goes_with_a_reboot() {
    let host = Host::new();
    host.load("busybox");
    let pipe = "img-pull --pull missing busybox | img-unpack | overlay-mount --provisional";
    let half = host.sh(&format!("{pipe} --name half | cg-limit")).ok().json();
    let whole = host.sh(&format!("{pipe} --name whole | ns-spawn --create")).ok().json();
    host.sh("ctr rm whole").succeeds();
    let whole_again = host.sh(&format!("{pipe} --name whole | ns-spawn --create")).ok().json();
    assert_ne!(whole["id"], whole_again["id"]);
    let id = whole_again["id"].as_str().unwrap();
    // What `ctr rm` begins with, and was killed after.
    let mut removing = whole_again.clone();
    removing["partial"] = json!(true);
    fs::write(host.run().join("containers").join(id).join("document.json"), format!("{removing}\n")).unwrap();
    host.sh("umount $CTR_RUN/containers/*/rootfs && rm -r $CTR_RUN").ok();
    host.sh("overlay-mount --gc; cg-limit --gc").succeeds();
    assert!(!host.root().join("containers").join(half["id"].as_str().unwrap()).exists());
    assert_eq!(host.sh("ctr ps -a --format '{{.Names}}'").succeeds().text(), "whole\n");
    host.sh("ctr start whole && ctr rm -f whole").succeeds();
    // Without a reboot gc takes it once its pipe is gone.
    host.sh(&format!("setsid -w sh -c '{pipe}'")).ok();
    host.sh("overlay-mount --gc && test -z \"$(ctr ps -aq)\"").succeeds();
    host.assert_clean();
}

fn mounts_300_layers() {
    let host = Host::new();
    let lines: Vec<String> = (0..300).map(|n| format!("echo {n} >f{n}; echo {n} >last")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let doc = host.pipe_to(&document(&host, &lines), "overlay-mount", &[]).ok().json();
    assert_eq!(fs::read_dir(root(&doc)).unwrap().count(), 301);
    assert_eq!(fs::read_to_string(root(&doc).join("last")).unwrap(), "299\n");
    host.pipe_to(&doc, "overlay-mount", &["--undo"]).ok();
    let mut many = document(&host, &[]);
    let layer = |n: usize| {
        let path = host.root().join(format!("made/m{n}"));
        fs::create_dir_all(&path).unwrap();
        json!({"digest": "sha256:0", "diffId": "sha256:0", "mediaType": "", "size": 0, "path": path})
    };
    many["image"]["layers"] = (0..501).map(layer).collect();
    host.pipe_to(&many, "overlay-mount", &[]).fails(1).code("limit");
    host.assert_clean();
}

fn a_layer_twice_is_mounted_once() {
    let host = Host::new();
    let mut doc = document(&host, &["echo a >f", "echo b >f"]);
    let first = doc["image"]["layers"][0].clone();
    doc["image"]["layers"].as_array_mut().unwrap().push(first);
    let doc = host.pipe_to(&doc, "overlay-mount", &[]).ok().json();
    assert_eq!(fs::read_to_string(root(&doc).join("f")).unwrap(), "a\n");
    host.pipe_to(&doc, "overlay-mount", &["--undo"]).ok();
}

fn an_opaque_root_hides_what_is_below() {
    let host = Host::new();
    let doc = document(&host, &["echo a >below", "echo b >here; setfattr -n trusted.overlay.opaque -v y ."]);
    let doc = host.pipe_to(&doc, "overlay-mount", &[]).ok().json();
    assert!(root(&doc).join("here").exists() && !root(&doc).join("below").exists());
    host.pipe_to(&doc, "overlay-mount", &["--undo"]).ok();
}

fn a_root_is_mounted_once() {
    let host = Host::new();
    let doc = host.pipe_to(&document(&host, &["echo a >f"]), "overlay-mount", &[]).ok().json();
    host.pipe_to(&doc, "overlay-mount", &[]).fails(1).code("exists");
    let mut without = doc.clone();
    without.as_object_mut().unwrap().remove("rootfs");
    host.pipe_to(&without, "overlay-mount", &[]).fails(1).code("exists");
    host.pipe_to(&doc, "overlay-mount", &["--check"]).ok();
    host.pipe_to(&doc, "overlay-mount", &["--undo"]).ok();
    host.assert_clean();
}

fn check_tells_what_is_gone() {
    let host = Host::new();
    let doc = host.pipe_to(&document(&host, &["echo a >f"]), "overlay-mount", &[]).ok().json();
    host.sh(&format!("umount {}", root(&doc).display())).ok();
    host.pipe_to(&doc, "overlay-mount", &["--check"]).fails(1).code("not-found");
    host.pipe_to(&doc, "overlay-mount", &["--undo"]).ok();
    host.pipe_to(&doc, "overlay-mount", &["--undo"]).ok();
    host.assert_clean();
}

fn gc_takes_dead_volatile_containers() {
    let host = Host::new();
    let doc = document(&host, &["echo a >f"]);
    fs::write(host.dir().join("doc"), format!("{doc}\n")).unwrap();
    // A pipe of its own process group, which is gone when gc looks.
    host.sh("setsid -w sh -c 'overlay-mount --volatile -f doc >/dev/null'").ok();
    host.sh("overlay-mount -f doc >kept").ok();
    let removed = host.tool("overlay-mount", &["--gc"]).ok().jsons();
    assert!(removed.iter().any(|r| r["removed"] == "container"), "{removed:?}");
    host.sh("overlay-mount --check -f kept >/dev/null").ok();
    assert!(host.tool("overlay-mount", &["--gc"]).ok().jsons().is_empty());
    host.sh("overlay-mount --undo -f kept >/dev/null").ok();
    host.assert_clean();
}

fn gc_dry_run_removes_nothing() {
    let host = Host::new();
    host.sh("mkdir -p $CTR_ROOT/containers/.left $CTR_ROOT/names; ln -s nobody $CTR_ROOT/names/x").ok();
    host.sh("overlay-mount --gc --dry-run 2>/dev/null").ok().stdout_is("");
    host.sh("ls -A $CTR_ROOT/containers $CTR_ROOT/names | grep -c -e left -e x").ok().stdout_is("2\n");
    assert_eq!(host.tool("overlay-mount", &["--gc"]).ok().jsons().len(), 2);
    host.assert_clean();
}

fn an_image_without_layers() {
    let host = Host::new();
    let doc = host.pipe_to(&document(&host, &[]), "overlay-mount", &[]).ok().json();
    fs::write(root(&doc).join("f"), "x").unwrap();
    host.pipe_to(&doc, "overlay-mount", &["--undo"]).ok();
    host.assert_clean();
}
