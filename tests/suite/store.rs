//! The store's tools: img-load, img-import, img-ls, img-tag, img-rm, img-inspect, on archives of other tools.

mod load;

use ctr_tests::*;
use std::fs;

pub fn tests() -> Vec<Test> {
    let mut all = tests!("store",
        ["root", "skopeo", "umoci"]:
            loads_every_form_of_archive,
            loads_from_stdin,
            the_layout_opens_in_skopeo,
            a_lying_archive_is_refused,
            a_cut_archive_is_refused,
            tags_and_removes,
            an_image_in_use_stays,
            shared_layers_stay;
        ["root", "overlay", "umoci", "skopeo", "busybox"]:
            runs_by_id;
        ["root"]:
            imports_a_tar,
            imports_change_the_config,
            import_refuses_what_is_no_tar,
            a_terminal_is_no_archive,
            lists_and_filters,
            a_reference_that_moves_leaves_its_image_dangling,
            bad_references,
            an_id_is_no_reference,
            checks_every_byte,
            gc_waits_for_what_is_new,
            races_of_tag_and_remove
    );
    all.extend(load::tests());
    all
}

const TINY: &str = "mkdir -p d/bin && cp /bin/busybox d/bin/ && tar c -C d .";

fn ids(host: &Host) -> Vec<String> {
    host.tool("img-ls", &[]).ok().jsons().iter().map(|i| i["ID"].as_str().unwrap().to_owned()).collect()
}

fn loads_every_form_of_archive() {
    let oci = images::archive("busybox");
    let docker = images::docker_archive("busybox");
    let layout = images::layout("busybox");
    let mut seen = Vec::new();
    for path in [oci.as_path(), docker.as_path(), layout.as_path()] {
        let host = Host::new();
        let doc = host.tool("img-load", &["-i", path.to_str().unwrap()]).ok().json();
        schema::assert_valid(std::slice::from_ref(&doc));
        assert!(doc["image"]["ref"].as_str().unwrap().contains("busybox"), "{doc}");
        seen.push(doc["image"]["layers"][0]["diffId"].clone());
        host.pipe_to(&doc, "img-unpack", &[]).ok();
        host.pipe_to(&doc, "img-load", &["--check"]).ok();
    }
    assert!(seen.iter().all(|d| *d == seen[0]), "{seen:?}");
}

fn loads_from_stdin() {
    let host = Host::new();
    let archive = images::archive("busybox");
    host.sh(&format!("gzip -1 < {} | img-load", archive.display())).ok();
    assert_eq!(ids(&host).len(), 1);
    host.sh("printf '' | img-load").fails(1);
    host.sh("echo hello | img-load").fails(1);
}

fn the_layout_opens_in_skopeo() {
    let host = Host::new();
    host.load("busybox");
    let out = host.sh("skopeo inspect oci:$CTR_ROOT/images:docker.io/library/busybox:latest").ok().json();
    assert_eq!(out["Architecture"], "amd64");
}

/// A blob under the name of another.
fn a_lying_archive_is_refused() {
    let host = Host::new();
    let from = images::layout("busybox");
    host.sh(&format!(
        "cp -r {} lie; m=$(jq -r '.manifests[0].digest' lie/index.json | cut -d: -f2); \
         l=$(jq -r '.layers[0].digest' lie/blobs/sha256/$m | cut -d: -f2); printf x >> lie/blobs/sha256/$l",
        from.display()
    ))
    .ok();
    host.sh("img-load -i lie").fails(1).code("corrupt");
    host.sh("tar c -C lie . | img-load").fails(1).code("corrupt");
    assert!(ids(&host).is_empty());
}

fn a_cut_archive_is_refused() {
    let host = Host::new();
    let archive = images::archive("busybox");
    let size = fs::metadata(&archive).unwrap().len();
    for cut in [size / 2, 700, 100] {
        host.sh(&format!("head -c {cut} {} | img-load", archive.display())).fails(1);
    }
    assert!(ids(&host).is_empty());
    host.sh("ls $CTR_ROOT/images/ingest | wc -l").ok().stdout_is("0\n");
}

fn tags_and_removes() {
    let host = Host::new();
    host.load("busybox");
    host.tool("img-tag", &["busybox", "other:1"]).ok();
    let id = ids(&host)[0].clone();
    host.tool("img-tag", &[&id[7..19], "quay.io/a/b:c"]).ok();
    host.tool("img-rm", &[&id]).fails(1).stderr_has("3 references");
    host.tool("img-rm", &["other:1", "quay.io/a/b:c"]).ok();
    assert_eq!(ids(&host).len(), 1);
    host.tool("img-rm", &["nothing"]).fails(1).stderr_has("no image nothing");
    host.tool("img-rm", &["busybox"]).ok().stdout_has("Deleted");
    assert!(ids(&host).is_empty());
    host.sh("find $CTR_ROOT/images/blobs -type f | wc -l").ok().stdout_is("0\n");
}

fn an_image_in_use_stays() {
    let host = Host::new();
    host.load("busybox");
    let doc = host.tool("img-inspect", &["--document", "busybox"]).ok().json();
    let doc = host.pipe_to(&doc, "img-unpack", &[]).ok().json();
    let doc = host.pipe_to(&doc, "overlay-mount", &["--name", "user"]).ok().json();
    host.tool("img-rm", &["busybox"]).fails(1).stderr_has("used by container user");
    host.tool("img-rm", &["-f", "busybox"]).ok();
    host.pipe_to(&doc, "overlay-mount", &["--check"]).ok();
    host.pipe_to(&doc, "overlay-mount", &["--undo"]).ok();
}

fn shared_layers_stay() {
    let host = Host::new();
    host.load("busybox");
    let doc = host.tool("img-inspect", &["--document", "busybox"]).ok().json();
    host.pipe_to(&doc, "img-unpack", &[]).ok();
    // The same layer under another config: another image.
    host.sh(&format!(
        "zcat -f < $CTR_ROOT/images/blobs/sha256/{} | img-import - twin | img-unpack",
        doc["image"]["layers"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:")
    ))
    .ok();
    host.tool("img-rm", &["busybox"]).ok();
    host.sh("img-inspect --document twin | img-unpack | img-unpack --check").ok();
    host.tool("img-rm", &["twin"]).ok();
    host.sh("find $CTR_ROOT/layers -mindepth 2 | wc -l").ok().stdout_is("0\n");
}

fn imports_a_tar() {
    let host = Host::new();
    for compress in ["cat", "gzip -1", "zstd -q -1"] {
        let doc = host.sh(&format!("{TINY} | {compress} | img-import - tiny")).ok().json();
        schema::assert_valid(std::slice::from_ref(&doc));
        host.pipe_to(&doc, "img-unpack", &[]).ok();
    }
    let doc = host.sh(&format!("{TINY} > t.tar; img-import t.tar")).ok().json();
    assert_eq!(doc["image"]["ref"], doc["image"]["id"]);
    assert!(host.tool("img-ls", &[]).ok().jsons().iter().any(|i| i["Repository"] == "<none>"));
}

fn imports_change_the_config() {
    let host = Host::new();
    host.sh(&format!(
        "{TINY} | img-import -m hello -c 'CMD [\"a\"]' --change 'ENV A=b' --platform linux/arm/v7 - tiny:1"
    ))
    .ok();
    let shown = host.tool("img-inspect", &["tiny:1"]).ok().json();
    let image = &shown[0];
    assert_eq!(image["Config"]["Cmd"][0], "a");
    assert_eq!(image["Config"]["Env"][0], "A=b");
    assert_eq!((image["Architecture"].as_str(), image["Variant"].as_str()), (Some("arm"), Some("v7")));
    assert_eq!(image["Comment"], "hello");
    host.sh(&format!("{TINY} | img-import -c 'RUN x' - tiny:2")).fails(2).code("usage");
}

fn import_refuses_what_is_no_tar() {
    let host = Host::new();
    for bad in ["printf ''", "echo hello world", "head -c 5000 /dev/urandom", "printf 'BZh91AY'"] {
        host.sh(&format!("{bad} | img-import - bad")).fails(1);
    }
    host.tool("img-import", &["/nonexistent", "bad"]).fails(1).code("not-found");
    host.tool("img-import", &[]).fails(2).code("usage");
    assert!(ids(&host).is_empty());
    host.sh("find $CTR_ROOT/images/blobs $CTR_ROOT/images/ingest -type f | wc -l").ok().stdout_is("0\n");
}

fn a_terminal_is_no_archive() {
    let host = Host::new();
    for line in
        ["ctr load", "ctr import - x", "img-load", "img-import -", "ctr volume import vol", "ctr volume import vol -"]
    {
        let (status, said) = host.pty(&format!("{line}; exit $?")).wait();
        assert!(status == 2 && said.contains("stdin is a terminal: expected a tar"), "{line}: {status} {said}");
    }
    assert!(ids(&host).is_empty());
    host.sh("ctr volume ls -q; ctr-fsck --findings").ok().stdout_is("");
}

fn lists_and_filters() {
    let host = Host::new();
    host.sh(&format!(
        "{TINY} | img-import -c 'LABEL tier=web' - one:1 && sleep 0.01 && {TINY} | img-import - reg.example/a/two:2"
    ))
    .ok();
    let list = |args: &[&str]| -> Vec<String> {
        let all = host.tool("img-ls", args).ok().jsons();
        all.iter().map(|i| i["Repository"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(&[]), ["reg.example/a/two", "one"]);
    assert_eq!(list(&["one"]), ["one"]);
    assert_eq!(list(&["--filter", "reference=o*:1"]), ["one"]);
    assert_eq!(list(&["--filter", "label=tier=web"]), ["one"]);
    assert_eq!(list(&["--filter", "before=reg.example/a/two:2"]), ["one"]);
    assert_eq!(list(&["--filter", "since=one:1"]), ["reg.example/a/two"]);
    assert!(list(&["--filter", "dangling=true"]).is_empty());
    host.tool("img-ls", &["--filter", "colour=red"]).fails(2);
}

fn a_reference_that_moves_leaves_its_image_dangling() {
    let host = Host::new();
    host.sh(&format!("{TINY} | img-import -m one - x")).ok();
    host.sh(&format!("{TINY} | img-import -m two - x")).ok();
    let all = host.tool("img-ls", &["--filter", "dangling=true"]).ok().jsons();
    assert_eq!(all.len(), 1);
    host.tool("img-rm", &[all[0]["ID"].as_str().unwrap()]).ok();
    assert_eq!(ids(&host).len(), 1);
}

fn bad_references() {
    let host = Host::new();
    for bad in ["UPPER", "a:", "a//b", "x@sha256:zz"] {
        host.sh(&format!("{TINY} | img-import - {bad}")).fails(1).code("invalid");
        host.tool("img-tag", &["x", bad]).fails(1);
    }
}

/// What would look like an id cannot be given to an image, so an id always means its image.
fn an_id_is_no_reference() {
    let host = Host::new();
    let id = |from: &str| host.sh(&format!("{TINY} | img-import {from}")).ok().json()["image"]["id"].clone();
    let (one, _) = (id("-m one - one"), id("-m two - two"));
    let one = one.as_str().unwrap();
    for name in [one, &one[..15], &format!("docker.io/library/{one}"), &format!("two@{one}")] {
        host.tool("img-tag", &["two", name]).fails(1).stderr_has(name);
        host.sh(&format!("{TINY} | img-import - {name}")).fails(1).code("invalid");
    }
    for word in [one, &one[..15], &one[7..], &one[7..19]] {
        assert_eq!(host.tool("img-inspect", &[word]).ok().json()[0]["RepoTags"], json!(["one:latest"]), "{word}");
    }
}

fn runs_by_id() {
    let host = Host::with_own_net();
    host.load("busybox");
    let id = ids(&host).remove(0);
    for word in [&id, &id[..20], &id[7..19]] {
        host.sh(&format!("ctr run --rm {word} echo by id")).ok().stdout_is("by id\n");
    }
}

fn checks_every_byte() {
    let host = Host::new();
    let doc = host.sh(&format!("{TINY} | img-import - tiny")).ok().json();
    for tool in ["img-import", "img-load", "img-pull"] {
        host.pipe_to(&doc, tool, &["--check"]).ok();
    }
    let blob = doc["image"]["layers"][0]["digest"].as_str().unwrap();
    let path = host.root().join("images/blobs/sha256").join(&blob[7..]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, bytes).unwrap();
    for tool in ["img-import", "img-load", "img-pull"] {
        host.pipe_to(&doc, tool, &["--check"]).fails(1).code("corrupt").stderr_has(blob);
    }
}

/// A blob that no image names and a tree that no image has may belong to a pull that is under way.
fn gc_waits_for_what_is_new() {
    let host = Host::new();
    let doc = host.sh(&format!("{TINY} | img-import - tiny | img-unpack")).ok().json();
    // As a pull has it before its end.
    fs::remove_file(host.root().join("images/index.json")).unwrap();
    host.tool("img-rm", &["--gc"]).ok().stdout_is("");
    host.pipe_to(&doc, "img-unpack", &["--check"]).ok();
    host.pipe_to(&doc, "img-import", &["--check"]).ok();
    let blob = host.root().join("images/blobs/sha256").join(&doc["image"]["id"].as_str().unwrap()[7..]);
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(25);
    fs::File::options().write(true).open(&blob).unwrap().set_modified(old).unwrap();
    let removed = host.tool("img-rm", &["--gc"]).ok().json();
    assert_eq!((&removed["removed"], &removed["path"]), (&json!("leftover"), &json!(blob)));
}

/// Eight processes tag and remove; what is left must be whole.
fn races_of_tag_and_remove() {
    let host = Host::new();
    host.sh(&format!("{TINY} | img-import - base")).ok();
    host.sh("for i in 1 2 3 4 5 6 7 8; do (n=0; while [ $n -lt 10 ]; do img-tag base x$i:1; img-rm x$i:1 >/dev/null; n=$((n+1)); done) & done; wait").ok();
    assert_eq!(ids(&host).len(), 1);
    host.sh("img-inspect --document base | img-unpack | img-import --check").ok();
}
