//! ctr-df: every byte under the root is for something, and the sum is du's.

use crate::{living::busybox, records::create};
use ctr_tests::*;
use std::fs;

pub fn tests() -> Vec<Test> {
    tests!("ctr-df",
        ["root", "overlay", "umoci"]:
            everything_adds_up,
            what_is_shared_counts_once;
        []:
            nothing_is_nothing
    )
}

fn line(host: &Host, kind: &str) -> Value {
    host.tool("ctr-df", &[]).ok().jsons().into_iter().find(|line| line["Type"] == kind).unwrap()
}

#[track_caller]
fn adds_up(host: &Host) {
    let lines = host.tool("ctr-df", &[]).ok().jsons();
    let (total, parts) = lines.split_last().unwrap();
    assert_eq!(total["Size"].to_string(), host.sh("du -s -B1 $CTR_ROOT | cut -f1").ok().text().trim());
    assert_eq!(parts.iter().map(|line| line["Size"].as_u64().unwrap()).sum::<u64>(), total["Size"]);
}

fn nothing_is_nothing() {
    let host = Host::new();
    assert_eq!(line(&host, "Total")["Size"], 0);
    for kind in ["image", "layer", "container", "volume", "leftover"] {
        host.tool("ctr-df", &["--each", kind]).ok().stdout_is("");
    }
    host.tool("ctr-df", &["--each", "moon"]).fails(2);
    host.sh("ctr system df").ok().stdout_has("RECLAIMABLE");
    let text = host.sh("ctr system df -v").ok().text();
    for title in [
        "Images space usage:\n\nREPOSITORY   TAG       IMAGE ID   CREATED   SIZE      SHARED SIZE   UNIQUE SIZE   CONTAINERS\n",
        "Containers space usage:\n\nCONTAINER ID   IMAGE     COMMAND   LOCAL VOLUMES   SIZE      CREATED   STATUS    NAMES\n",
        "Local Volumes space usage:\n\nVOLUME NAME   LINKS     SIZE\n",
    ] {
        assert!(text.contains(title), "{title}: {text}");
    }
    host.sh("ctr system df -v --format json").fails(2).stderr_has("ctr-df --each");
}

fn everything_adds_up() {
    let host = busybox();
    adds_up(&host);
    host.sh(
        "ctr run --name done busybox sh -c 'head -c 100000 /dev/urandom >/f; ln /f /g; ln -s / /h; mkdir -p /a/b/c'",
    )
    .ok();
    create(&host, "new", "");
    let volume = host.root().join("volumes/data/_data");
    fs::create_dir_all(&volume).unwrap();
    fs::write(volume.join("x"), [1; 5000]).unwrap();
    fs::create_dir_all(host.root().join("images/ingest/spool-x")).unwrap();
    fs::write(host.root().join("images/ingest/spool-x/y"), [1; 9000]).unwrap();
    fs::write(host.root().join("stray"), [1; 3000]).unwrap();
    fs::write(host.root().join("layers/stray"), [1; 3000]).unwrap();
    fs::create_dir(host.root().join("containers/stray")).unwrap();
    adds_up(&host);
    let containers = line(&host, "Containers");
    assert_eq!((&containers["TotalCount"], &containers["Active"]), (&json!(2), &json!(0)));
    assert_eq!(containers["Reclaimable"], containers["Size"]);
    // A hard link is not a second file.
    let writable = containers["Writable"].as_u64().unwrap();
    assert!((100_000..200_000).contains(&writable), "{writable}");
    assert!(line(&host, "Leftovers")["Size"].as_u64().unwrap() >= 9000);
    assert_eq!(line(&host, "Local Volumes")["TotalCount"], 1);
    let each = host.tool("ctr-df", &["--each", "container"]).ok().jsons();
    let sum: u64 = each.iter().map(|c| c["Size"].as_u64().unwrap()).sum();
    assert_eq!(sum, containers["Size"].as_u64().unwrap());
    assert_eq!(each[0]["Names"], "new");
    assert_eq!(host.tool("ctr-df", &["--each", "volume"]).ok().json()["Name"], "data");
    assert_eq!(host.tool("ctr-df", &["--each", "leftover"]).ok().jsons().len(), 1);
    host.sh("ctr system df --format '{{.Type}} {{.TotalCount}}'").ok().stdout_has("Containers 2\n");
    let text = host.sh("ctr system df -v").ok().text();
    let of = |name: &str| text.lines().find(|line| line.ends_with(name)).unwrap_or_default().to_owned();
    assert!(of("  done").contains("Exited (0) ") && of("  done").contains("\"sh -c 'head -c 1000…\""), "{text}");
    assert!(of("  new").contains("Created") && text.lines().any(|line| line.starts_with("data  ")), "{text}");
    fs::remove_dir(host.root().join("containers/stray")).unwrap();
    host.sh("ctr rm new done").ok();
    host.assert_clean();
}

fn what_is_shared_counts_once() {
    let host = busybox();
    host.sh("img-inspect --document busybox | img-unpack").ok();
    let before = line(&host, "Images");
    assert_eq!((&before["Active"], &before["Reclaimable"]), (&json!(0), &before["Size"]));
    // Another image of the same layer, and a container on it.
    host.sh("layer=$(img-inspect --document busybox | jq -r '.image.layers[0].digest' | cut -d: -f2)
        zcat -f <$CTR_ROOT/images/blobs/sha256/$layer | img-import - twin >/dev/null; img-tag busybox third")
        .ok();
    create(&host, "c", "");
    let images = host.tool("ctr-df", &["--each", "image"]).ok().jsons();
    assert_eq!(images.len(), 3);
    let tree = host.tool("ctr-df", &["--each", "layer"]).ok().json();
    assert_eq!((&tree["Images"], &tree["Containers"]), (&json!(2), &json!(1)));
    for image in &images {
        let of = |key: &str| image[key].as_u64().unwrap();
        assert!(of("SharedSize") >= tree["Size"].as_u64().unwrap(), "{image}");
        assert_eq!(of("Size"), of("SharedSize") + of("UniqueSize"));
    }
    // What busybox has is in use, and the tree whoever else has it.
    let after = line(&host, "Images");
    assert_eq!(after["Layers"], before["Layers"]);
    assert_eq!((&after["TotalCount"], &after["Active"]), (&json!(2), &json!(1)));
    assert!(after["Reclaimable"].as_u64().unwrap() < tree["Size"].as_u64().unwrap() * 2);
    adds_up(&host);
    host.sh("ctr rm c").ok();
}
