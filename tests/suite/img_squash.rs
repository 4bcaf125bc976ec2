//! img-squash: one layer that shows what all layers showed.

use crate::ctr_cp::{made, root_of};
use ctr_tests::*;
use std::fs;

pub fn tests() -> Vec<Test> {
    tests!("img-squash",
        ["root", "overlay", "umoci", "skopeo", "mmdebstrap", "attr", "libcap"]:
            the_tree_is_the_same;
        ["root", "overlay", "umoci", "busybox"]:
            the_config_stays,
            the_same_image_is_the_same_image,
            it_is_a_filter,
            bad_input_is_one_line
    )
}

/// An image of many layers with whiteouts, opaque directories, links and files of every kind.
fn the_tree_is_the_same() {
    let host = Host::new();
    host.load("many");
    // Nothing is unpacked before.
    host.sh_cmd("img-squash --tag flat:1 many >/dev/null").limit(300).run().ok();
    let copy =
        "skopeo copy -q oci:$CTR_ROOT/images:docker.io/library/flat:1 oci:copy:x && umoci unpack --image copy:x flat";
    host.sh_cmd(copy).limit(300).run().succeeds();
    let flat = tree::list(&host.dir().join("flat/rootfs"), &[]);
    let whole = tree::list(&images::unpacked_by_umoci("many", &host.dir().join("many")), &[]);
    assert!(whole.len() > 30_000, "{}", whole.len());
    assert_eq!(tree::differences(&whole, &flat), Vec::<String>::new(), "left: many layers, right: one");
    host.sh("skopeo inspect oci:$CTR_ROOT/images:docker.io/library/flat:1 | jq '.Layers | length'")
        .ok()
        .stdout_is("1\n");
}

fn the_config_stays() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    fs::write(root.join("f"), "x").unwrap();
    host.sh("ctr-commit -c 'ENV A=b' -c 'CMD [\"cat\", \"/f\"]' -a me c app:1 >/dev/null").ok();
    let before = host.tool("img-pull", &["--pull", "never", "app:1"]).ok().json();
    let doc = host.tool("img-squash", &["-t", "flat:1", "-m", "text", "app:1"]).ok().json();
    let (old, new) = (&before["image"]["config"], &doc["image"]["config"]);
    assert_eq!((&new["config"], &new["author"], &new["os"]), (&old["config"], &old["author"], &old["os"]));
    assert_eq!((new["history"].as_array().unwrap().len(), &new["history"][0]["comment"]), (1, &json!("text")));
    assert_eq!(new["rootfs"]["diff_ids"].as_array().unwrap().len(), 1);
    // The image that it was made of is as it was.
    assert_eq!(host.tool("img-pull", &["--pull", "never", "app:1"]).ok().json()["image"]["id"], before["image"]["id"]);
    host.sh("ctr run --rm flat:1").ok().stdout_is("x");
    host.sh("img-rm app:1 >/dev/null; ctr run --rm flat:1").ok().stdout_is("x");
}

fn the_same_image_is_the_same_image() {
    let host = Host::new();
    host.load("busybox");
    for kind in ["gzip", "zstd", "none"] {
        let squash = |more: &str| {
            host.sh(&format!("{more} img-squash --compression {kind} busybox")).ok().json()["image"].take()
        };
        let (first, second) = (squash(""), squash("taskset -c 0"));
        assert_eq!(first["layers"], second["layers"], "{kind}");
        assert_eq!(squash("SOURCE_DATE_EPOCH=1700000000"), squash("SOURCE_DATE_EPOCH=1700000000"), "{kind}");
    }
    host.sh("SOURCE_DATE_EPOCH=then img-squash busybox").fails(1).code("invalid");
}

fn it_is_a_filter() {
    let host = Host::new();
    host.load("busybox");
    let doc = host.sh("img-pull --pull never busybox | img-squash -t flat:1").ok().json();
    schema::assert_valid(std::slice::from_ref(&doc));
    assert_eq!(doc["steps"], json!([{"tool": "img-squash", "undo": {}}]));
    host.sh(
        "img-pull --pull never busybox | img-squash | img-unpack | overlay-mount --name c | ns-spawn -- echo works",
    )
    .ok()
    .stdout_is("works\n");
    // After a reboot the steps are repaired, this one too.
    host.sh("umount $CTR_RUN/containers/*/rootfs; rm -r $CTR_RUN; ctr-start c && ctr-wait c").ok();
    host.sh("img-pull --pull never busybox | img-squash --dry-run -t no:1 >/dev/null")
        .succeeds()
        .stderr_has("\"op\":\"squash\"");
    host.tool("img-inspect", &["no:1"]).fails(1);
    let id = host.sh("img-squash busybox").ok().json()["image"]["id"].take();
    host.sh(&format!("img-squash {} | jq -r .image.ref | grep -c sha256", id.as_str().unwrap())).ok().stdout_is("1\n");
}

fn bad_input_is_one_line() {
    let host = Host::new();
    host.load("busybox");
    host.tool("img-squash", &["none"]).fails(1).code("not-found");
    host.tool("img-squash", &["-t", "UPPER", "busybox"]).fails(1).code("invalid");
    host.sh("echo '{\"ctr\": 1}' | img-squash").fails(1).code("invalid");
    host.sh("img-pull --pull never busybox >d; img-squash -f d busybox").fails(2).code("usage");
    host.sh("jq -c '.image.config=[]' d | img-squash").fails(1).code("invalid");
    // A layer that is damaged is not taken for one.
    let blob = host.sh("jq -r '.image.layers[0].digest' d").ok().text().trim().replace(':', "/");
    host.sh(&format!(
        "rm -r $CTR_ROOT/layers; truncate -s 5000 $CTR_ROOT/images/blobs/{blob}; img-squash -t flat:1 busybox"
    ))
    .fails(1)
    .code("corrupt");
    host.sh(&format!("rm $CTR_ROOT/images/blobs/{blob}; img-squash -t flat:1 busybox")).fails(1).code("not-found");
    host.tool("img-inspect", &["flat:1"]).fails(1);
}
