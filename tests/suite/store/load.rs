//! img-load: archives that lie, archives of unusual form, and what it asks of the machine.

use ctr_tests::*;
use nix::sys::signal::Signal;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("store",
        ["root", "umoci", "skopeo", "jq"]:
            an_index_that_lies_is_refused,
            an_archive_chooses_no_digest,
            one_image_has_several_tags,
            blobs_may_be_named_by_sha512;
        ["root", "umoci", "skopeo"]:
            many_layers_need_few_descriptors,
            gc_takes_what_a_killed_load_left;
        ["root"]:
            a_root_tar_is_told_from_an_archive,
            headers_take_little_memory,
            words_of_an_archive_are_cleaned
    )
}

fn names(host: &Host) -> Vec<String> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    host.tool("img-ls", &[]).ok().jsons().iter().map(|i| text(&i["Repository"]) + ":" + &text(&i["Tag"])).collect()
}

/// A layout in `lie` whose index is the script's; `$m` is the digest of busybox's manifest.
fn layout(host: &Host, script: &str) {
    let from = images::layout("busybox");
    host.sh(&format!(
        "set -e; rm -rf lie; cp -r {} lie; cd lie; m=$(jq -r '.manifests[0].digest' index.json)
        put() {{ echo \"$1\" >file; d=sha256:$(sha256sum <file | cut -d' ' -f1); mv file blobs/sha256/${{d#*:}}; }}
        {script}",
        from.display()
    ))
    .ok();
}

/// As a directory and as a tar, it is refused and nothing is entered.
fn refused(host: &Host) {
    host.sh("img-load -i lie").fails(1).code("corrupt").stderr_has("other bytes");
    host.sh("tar c -C lie . | img-load").fails(1).code("corrupt").stderr_has("other bytes");
    assert!(names(host).is_empty());
}

/// Whoever pins a digest gets what has that digest, whatever an archive says of it.
fn an_index_that_lies_is_refused() {
    let host = Host::new();
    let index = r#"
        s=$(stat -c %s blobs/sha256/${m#*:})
        entry() { echo '{"mediaType":"application/vnd.oci.image.'$1'.v1+json","digest":"'$2'","size":'$3'}'; }
        list() { echo '{"schemaVersion":2,"manifests":['"$1"']}'; }
        name() { jq -c '.annotations={"io.containerd.image.name":"docker.io/library/busybox:latest"}'; }
        D=sha256:$(printf genuine | sha256sum | cut -d' ' -f1)"#;
    // The digest of a genuine index, and under it another one.
    layout(
        &host,
        &format!(
            "{index}; list $(entry manifest $m $s) >blobs/sha256/${{D#*:}}; list $(entry index $D 1 | name) >index.json"
        ),
    );
    refused(&host);
    // The same one level down.
    layout(
        &host,
        &format!(
            "{index}; list $(entry manifest $m $s) >blobs/sha256/${{D#*:}}
            put $(list $(entry index $D 1)); list $(entry index $d 1 | name) >index.json"
        ),
    );
    refused(&host);
    // A manifest.
    layout(
        &host,
        &format!(
            "{index}; cp blobs/sha256/${{m#*:}} blobs/sha256/${{D#*:}}; list $(entry manifest $D $s | name) >index.json"
        ),
    );
    refused(&host);
    // An honest index is taken, and the image is known by its digest.
    layout(
        &host,
        &format!(
            "{index}; put $(list $(entry manifest $m $s)); list $(entry index $d 1 | name) >index.json; echo $d >../d"
        ),
    );
    host.sh("img-load -i lie").ok();
    host.sh("img-inspect busybox@$(cat d)").ok();
}

fn an_archive_chooses_no_digest() {
    let host = Host::new();
    let digest = format!("sha256:{}", "0".repeat(64));
    let archive = images::docker_archive("busybox");
    host.sh(&format!(
        "mkdir d; tar x -C d -f {}; jq '.[0].RepoTags=[\"busybox@{digest}\"]' d/manifest.json >m; cp m d/manifest.json",
        archive.display()
    ))
    .ok();
    host.sh("img-load -i d").fails(1).code("invalid").stderr_has("busybox@sha256:0");
    host.sh("tar c -C d . | img-load").fails(1).code("invalid");
    assert!(names(&host).is_empty());
    layout(
        &host,
        &format!(
            "jq '.manifests[0].annotations={{\"io.containerd.image.name\":\"docker.io/library/busybox@{digest}\"}}' \
             index.json >i; mv i index.json"
        ),
    );
    let doc = host.sh("img-load -i lie").ok().json();
    assert_eq!((names(&host), &doc["image"]["ref"]), (vec!["<none>:<none>".to_owned()], &doc["image"]["id"]));
    host.tool("img-inspect", &[&format!("busybox@{digest}")]).fails(1);
}

/// What `docker save a:1 a:2` writes.
fn one_image_has_several_tags() {
    layout_of_tags(&|host| host.sh("tar c -C lie . | img-load").ok().json());
    layout_of_tags(&|host| host.sh("img-load -i lie").ok().json());
}

fn layout_of_tags(load: &dyn Fn(&Host) -> Value) {
    let host = Host::new();
    layout(
        &host,
        "jq '.manifests |= [.[0], .[0], .[0]] | .manifests |= [to_entries[] | .value +
            {annotations: {\"io.containerd.image.name\": \"docker.io/library/a:\\(.key)\"}}]' index.json >i; mv i index.json",
    );
    let doc = load(&host);
    assert_eq!(doc["loaded"], json!(["a:0", "a:1", "a:2"]));
    host.pipe_to(&doc, "img-load", &["--check"]).ok();
    let mut names = names(&host);
    names.sort();
    assert_eq!(names, ["a:0", "a:1", "a:2"]);
    host.sh("ls -A $CTR_ROOT/images/ingest").ok().stdout_is("");
}

fn blobs_may_be_named_by_sha512() {
    let script = "mkdir blobs/sha512; d=$(sha512sum <blobs/sha256/${m#*:} | cut -d' ' -f1); \
                  mv blobs/sha256/${m#*:} blobs/sha512/$d; \
                  jq \".manifests[0].digest=\\\"sha512:$d\\\"\" index.json >i; mv i index.json";
    for load in ["img-load -i lie", "tar c -C lie . | img-load"] {
        let host = Host::new();
        layout(&host, script);
        let doc = host.sh(load).ok().json();
        assert!(doc["image"]["manifest"]["digest"].as_str().unwrap().starts_with("sha512:"));
        host.pipe_to(&doc, "img-load", &["--check"]).ok();
        host.sh("printf x >>$(ls lie/blobs/sha512/*); rm -r $CTR_ROOT").ok();
        host.sh(load).fails(1).code("corrupt").stderr_has("other bytes");
    }
}

fn many_layers_need_few_descriptors() {
    let archive = images::archive("layers300");
    let host = Host::new();
    let doc = host.sh(&format!("ulimit -n 40; img-load -i {}", archive.display())).ok().json();
    assert_eq!(doc["image"]["layers"].as_array().unwrap().len(), 300);
    host.pipe_to(&doc, "img-load", &["--check"]).ok();
}

fn a_root_tar_is_told_from_an_archive() {
    let host = Host::new();
    let hint = "img-import takes a plain tar";
    host.sh("mkdir -p d/etc && cd d/etc && seq 1500 | split -l 1 -a 4").ok();
    host.sh("ulimit -n 40; tar c -C d . | img-load").fails(1).code("invalid").stderr_has(hint);
    host.sh("cd d/etc && seq 10000 | split -l 1 -a 4 - y").ok();
    host.sh("tar c -C d . | img-load").fails(1).code("limit").stderr_has(hint);
    host.sh("ls -A $CTR_ROOT/images/ingest").ok().stdout_is("");
}

/// A header of a tar: an extended one whose data is `size` bytes.
fn extended_header(flag: u8, size: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, "././@LongLink");
    put(100, "0000644\0");
    put(124, &format!("{size:011o}\0"));
    put(257, "ustar  \0");
    put(148, "        ");
    header[156] = flag;
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn headers_take_little_memory() {
    let host = Host::new();
    for flag in [b'L', b'K', b'x'] {
        fs::write(host.dir().join("head"), extended_header(flag, 400 << 20)).unwrap();
        let load = "ulimit -d 65536; { cat head; head -c 400M /dev/zero; } | gzip -1 | img-load";
        host.sh(load).fails(1).code("limit").stderr_has("extended header");
    }
}

fn words_of_an_archive_are_cleaned() {
    let host = Host::new();
    let words = format!("evil\u{1b}[2J\r\nimg-load: fine\u{9b}1m{}", "x".repeat(100_000));
    let manifests = [
        json!([{"Config": words, "Layers": []}]),
        json!([{"Config": "c", "RepoTags": [words], "Layers": []}]),
        json!([{"Config": "c", "Layers": [words]}]),
    ];
    for manifest in manifests {
        host.sh("rm -rf d; mkdir d; echo '{}' >d/c").ok();
        fs::write(host.dir().join("d/manifest.json"), manifest.to_string()).unwrap();
        for load in ["img-load -i d", "tar c -C d . | img-load"] {
            let ran = host.sh(load).fails(1).stderr_has("evil");
            assert!(ran.stderr.len() < 4096, "{} bytes{ran}", ran.stderr.len());
            assert!(!ran.stderr_text().trim_end().contains(char::is_control), "{ran}");
        }
    }
}

fn gc_takes_what_a_killed_load_left() {
    let host = Host::new();
    let archive = images::archive("busybox");
    let spools = || fs::read_dir(host.root().join("images/ingest")).map_or(0, Iterator::count);
    let running = host.sh_cmd(&format!("{{ head -c 600000 {}; sleep 100; }} | img-load", archive.display())).spawn();
    let start = Instant::now();
    while spools() == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing is spooled");
        thread::sleep(Duration::from_millis(5));
    }
    // What is in the making stays, whichever tool collects.
    for tool in ["img-load", "img-import", "img-pull", "img-rm"] {
        host.tool(tool, &["--gc"]).ok().stdout_is("");
    }
    running.signal_all(Signal::SIGKILL);
    drop(running);
    assert_eq!(spools(), 1);
    let removed = host.tool("img-pull", &["--gc"]).ok().json();
    assert_eq!((&removed["tool"], &removed["removed"]), (&json!("img-pull"), &json!("spool")));
    assert_eq!(spools(), 0);
}
