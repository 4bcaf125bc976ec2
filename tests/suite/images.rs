//! The test images hold what their recipes say, as tools that are not ours read them.

use ctr_tests::*;

pub fn tests() -> Vec<Test> {
    tests!("images",
        ["root", "umoci", "skopeo", "mmdebstrap", "zstd", "jq", "attr", "libcap", "busybox"]:
            many_has_many_files_and_odd_ones,
            layers300_has_300,
            index_has_four_platforms;
        ["root", "umoci", "skopeo", "docker-registry", "htpasswd", "openssl", "zstd", "jq", "attr", "busybox"]:
            registries_serve_them
    )
}

fn many_has_many_files_and_odd_ones() {
    let host = Host::new();
    let root = images::unpacked_by_umoci("many", &host.dir().join("many"));
    let listing = tree::list(&root, &[]);
    assert!(listing.len() > 30_000, "{} files", listing.len());
    let has = |path: &str| listing.iter().any(|(p, _)| p.as_os_str() == path);
    assert!(has("app/pkg49/only.txt") && has("app/pkg50/back.txt") && has("app/VERSION"));
    let gone = |path: &str| !has(path);
    assert!(gone("app/pkg49/m48.py") && gone("app/pkg50/m49.py") && gone("app/pkg48/m47.py"));
    let of = |path: &str| listing.iter().find(|(p, _)| p.as_os_str() == path).unwrap().1.clone();
    assert!(of("srv/odd/suid").starts_with("104755 0:0"));
    assert!(of("srv/odd/capable").contains("security.capability=01000002"));
    assert!(of("srv/odd/hard2").contains("link-of=srv/odd/hard1"));
    assert!(listing.keys().any(|p| p.as_os_str().len() > 600));
}

fn layers300_has_300() {
    let host = Host::new();
    let count = host.sh(&format!("skopeo inspect {} | jq '.Layers | length'", images::oci("layers300"))).ok().text();
    assert_eq!(count.trim(), "300");
}

fn index_has_four_platforms() {
    let host = Host::new();
    let raw = host.sh(&format!("skopeo inspect --raw {}", images::oci("index"))).ok().json();
    assert_eq!(raw["manifests"].as_array().unwrap().len(), 4);
}

fn registries_serve_them() {
    let host = Host::new();
    for image in ["busybox", "busybox-zstd", "index"] {
        let reference = registry::plain().push(image);
        host.sh(&format!("skopeo inspect --raw --tls-verify=false docker://{reference}")).ok();
    }
    let reference = registry::tls().push("busybox");
    let (user, password) = registry::CREDENTIALS;
    let ca = registry::tls().ca();
    let curl = format!("curl -sf --cacert {} https://{}/v2/busybox/tags/list", ca.display(), registry::tls().address);
    host.sh(&format!("{curl} -u {user}:{password}")).ok().stdout_has("latest");
    host.sh(&curl).exits(22);
    assert_eq!(reference, "localhost:5001/busybox");
}
