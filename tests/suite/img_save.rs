//! img-save: what other tools read, the same bytes each time, nothing half-made; and that img-load takes it back.

use ctr_tests::*;
use std::fs;

pub fn tests() -> Vec<Test> {
    tests!("img-save",
        ["root", "umoci", "skopeo"]:
            comes_back_through_every_form,
            the_same_images_give_the_same_bytes,
            others_read_it,
            a_name_is_all_its_tags_and_an_id_none,
            an_image_that_is_not_whole_is_refused;
        ["root", "umoci", "skopeo", "podman"]:
            podman_reads_it_and_we_podmans;
        ["root", "umoci"]:
            writes_a_file_whole_or_not_at_all,
            bad_input_is_one_line
    )
}

fn two(host: &Host) {
    host.load("busybox");
    host.sh("img-tag busybox quay.io/a/b:c; echo x >x; tar c x | img-import -c 'CMD [\"x\"]' - other").ok();
}

/// What the store says of its images, without what loading may change.
fn listed(host: &Host) -> Vec<String> {
    let lines = host.tool("img-ls", &[]).ok().jsons();
    let line = |i: &Value| format!("{}:{} {} {}", i["Repository"], i["Tag"], i["ID"], i["Digest"]);
    let mut lines: Vec<_> = lines.iter().map(line).collect();
    lines.sort();
    lines
}

fn comes_back_through_every_form() {
    let host = Host::new();
    two(&host);
    let before = listed(&host);
    for (save, load) in [
        ("img-save busybox quay.io/a/b:c other -o all.tar", "img-load -i all.tar"),
        ("img-save busybox quay.io/a/b:c other >all.tar", "img-load <all.tar"),
        ("ctr save other quay.io/a/b:c busybox | cat >all.tar", "cat all.tar | ctr load"),
        ("img-save --format oci-archive quay.io/a/b:c other busybox | gzip >all.gz", "ctr load -i all.gz"),
        ("ctr image save -o all.tar busybox quay.io/a/b:c other && zstd -qf all.tar", "ctr image load <all.tar.zst"),
    ] {
        host.sh(save).ok();
        let other = Host::new();
        let line = load.replace("all.", &format!("{}/all.", host.dir().display()));
        other.sh(&line).ok();
        assert_eq!(listed(&other), before, "{save}");
        other.sh("img-inspect --document other | img-unpack | img-load --check").ok();
        other.tool("ctr-fsck", &[]).ok();
    }
}

fn the_same_images_give_the_same_bytes() {
    let host = Host::new();
    two(&host);
    host.sh("img-save busybox other >1; sleep 1; img-save busybox other -o 2; cmp 1 2").ok();
    // Of a store that came to the same images another way.
    let other = Host::new();
    other.sh(&format!("img-load -i {}/1; img-save busybox other | cmp - {0}/1", host.dir().display())).succeeds();
    let list = host.sh("tar tvf 1").ok().text();
    assert!(list.lines().all(|line| line.contains(" 0/0 ") && line.contains("1970-01-01")), "{list}");
}

fn others_read_it() {
    let host = Host::new();
    two(&host);
    host.sh("img-save busybox other -o d.tar; img-save --format oci-archive busybox -o o.tar").ok();
    let id = host.tool("img-inspect", &["busybox"]).ok().json()[0]["Id"].clone();
    let manifest = host.tool("img-ls", &["busybox"]).ok().json()["Digest"].clone();
    let full = "docker.io/library/busybox:latest";
    for from in
        [format!("docker-archive:d.tar:{full}"), format!("oci-archive:d.tar:{full}"), "oci-archive:o.tar".into()]
    {
        let config = host.sh(&format!("skopeo inspect --raw {from}")).ok().json()["config"]["digest"].clone();
        assert_eq!(config, id, "{from}");
    }
    assert_eq!(host.sh("skopeo inspect oci-archive:o.tar").ok().json()["Digest"], manifest);
    host.sh("tar tf o.tar").ok().stdout_has("oci-layout");
    assert!(!host.sh("tar tf o.tar").ok().text().contains("manifest.json"));
    let json = host.sh("tar xOf d.tar manifest.json").ok().json();
    assert_eq!(json[0]["RepoTags"], json!([full]));
    let layer = json[0]["Layers"][0].as_str().unwrap().to_owned();
    host.sh(&format!("tar xOf d.tar {layer} | sha256sum | grep -q ^{}", layer.rsplit('/').next().unwrap())).ok();
    // Archives of skopeo's come in.
    host.sh(&format!("skopeo copy -q docker-archive:d.tar:{full} docker-archive:s.tar:{full}")).ok();
    let other = Host::new();
    other.sh(&format!("img-load -i {}/s.tar", host.dir().display())).ok();
    assert_eq!(other.tool("img-ls", &[]).ok().json()["ID"], id);
}

fn podman_reads_it_and_we_podmans() {
    let host = Host::new();
    two(&host);
    let id = host.tool("img-inspect", &["busybox"]).ok().json()[0]["Id"].clone();
    host.sh("img-save busybox quay.io/a/b:c -o d.tar").ok();
    let dir = host.dir();
    let podman = format!("podman --root {0}/p --runroot {0}/pr --storage-driver vfs", dir.display());
    host.sh(&format!("{podman} load -q -i d.tar")).succeeds().stdout_has("quay.io/a/b:c");
    host.sh(&format!("{podman} image inspect -f '{{{{.Id}}}}' docker.io/library/busybox"))
        .succeeds()
        .stdout_is(&format!("{}\n", &id.as_str().unwrap()[7..]));
    for format in ["docker-archive", "oci-archive"] {
        host.sh(&format!("{podman} save -q --format {format} -o {format} quay.io/a/b:c")).succeeds();
        let other = Host::new();
        other.sh(&format!("img-load -i {}/{format}", dir.display())).ok();
        let loaded = other.tool("img-ls", &["quay.io/a/b"]).ok().json();
        // Of docker's image podman makes another config for an OCI archive.
        assert!(loaded["ID"] == id || format == "oci-archive", "{format}");
    }
    host.sh(&format!("{podman} rmi -af")).succeeds();
}

fn a_name_is_all_its_tags_and_an_id_none() {
    let host = Host::new();
    host.load("busybox");
    host.sh("img-tag busybox busybox:two; echo x >x; tar c x | img-import - busybox:one").ok();
    let names = |words: &str| -> Vec<String> {
        let index = host.sh(&format!("img-save {words} | tar xO index.json")).ok().json();
        let list = index["manifests"].as_array().unwrap();
        list.iter().map(|m| m["annotations"]["io.containerd.image.name"].as_str().unwrap_or("-").to_owned()).collect()
    };
    let of = |tag: &str| format!("docker.io/library/busybox:{tag}");
    assert_eq!(names("busybox"), [of("latest"), of("two"), of("one")]);
    assert_eq!(names("busybox:two"), [of("two")]);
    let id = host.tool("img-inspect", &["busybox:two"]).ok().json()[0]["Id"].as_str().unwrap()[7..19].to_owned();
    assert_eq!(names(&id), ["-"]);
    // Said twice, it is there once.
    assert_eq!(names(&format!("{id} busybox:two busybox:two")), [of("two")]);
}

fn writes_a_file_whole_or_not_at_all() {
    let host = Host::new();
    host.load("busybox");
    fs::write(host.dir().join("out.tar"), "before").unwrap();
    host.sh("ln -s out.tar link; img-save busybox -o link; test -L link; tar tf out.tar").ok();
    // A device is written to.
    host.sh("img-save busybox -o /dev/null").ok();
    host.sh("img-save busybox -o /dev/full").fails(1).stderr_has("No space left on device");
    host.sh("img-save busybox >/dev/full").fails(1).stderr_has("No space left on device");
    let full =
        "mkdir small; mount -t tmpfs -o size=256k none small; img-save busybox -o small/x; s=$?; ls -A small; exit $s";
    host.sh(&format!("unshare -m sh -c '{full}'")).fails(1).stdout_is("").stderr_has("No space left on device");
    // Its reader has gone away.
    host.sh("{ img-save busybox; echo $? >status; } | head -c 10 >/dev/null; cat status").ok().stdout_is("141\n");
    let mut pty = host.pty("img-save busybox");
    pty.expect("not for a terminal");
    assert_eq!(pty.wait().0, 1);
    let left: Vec<_> = fs::read_dir(host.dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
}

fn an_image_that_is_not_whole_is_refused() {
    let host = Host::new();
    two(&host);
    let layer =
        host.tool("img-inspect", &["--document", "busybox"]).ok().json()["image"]["layers"][0]["digest"].clone();
    let blob = host.root().join("images/blobs/sha256").join(&layer.as_str().unwrap()[7..]);
    fs::File::options().write(true).open(&blob).unwrap().set_len(1000).unwrap();
    host.sh("img-save busybox -o x.tar").fails(1).stderr_has("has not the");
    fs::remove_file(&blob).unwrap();
    host.sh("img-save other busybox -o x.tar").fails(1).stderr_has(layer.as_str().unwrap());
    assert!(!host.dir().join("x.tar").exists());
    host.sh("img-save other -o x.tar").ok();
}

fn bad_input_is_one_line() {
    let host = Host::new();
    host.load("busybox");
    for (words, status) in [
        ("", 2),
        ("nothing", 1),
        ("busybox nothing", 1),
        ("busybox:", 1),
        ("BUSYBOX::x", 1),
        ("--format zip busybox", 2),
        ("-o /nonexistent/x busybox", 1),
        ("-o / busybox", 1),
    ] {
        host.sh(&format!("img-save {words}")).fails(status).stdout_is("");
    }
}
