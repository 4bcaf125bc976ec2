//! The spec as a whole, against golden files.

#![allow(clippy::unwrap_used)]

use super::*;
use std::path::PathBuf;

struct Root(PathBuf);

impl Root {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("ctr-spec-{}", ident::token()));
        std::fs::create_dir_all(dir.join("etc")).unwrap();
        std::fs::write(dir.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:7:8::/srv:/bin/sh\n").unwrap();
        std::fs::write(dir.join("etc/group"), "root:x:0:\nweb:x:8:\nlog:x:9:web\n").unwrap();
        Self(dir)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn completed(mut spec: Value, flags: &Flags, image: &Value) -> Result<Value> {
    let root = Root::new();
    let source = Source { id: Some(ID), rootfs: &root.0, readonly: false, image: Some(image), net: None, files: None };
    complete(spec.as_object_mut().unwrap(), flags, &source)?;
    spec["root"]["path"] = json!("/ROOT");
    Ok(spec)
}

fn parse(words: &[&str]) -> Flags {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }
    <Line as clap::Parser>::try_parse_from([&["x"], words].concat()).unwrap().flags
}

/// Compares with a file of `golden/`; with `CTR_GOLDEN=write` in the environment writes it.
fn golden(name: &str, spec: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/spec/golden").join(name);
    let text = serde_json::to_string_pretty(spec).unwrap() + "\n";
    if std::env::var_os("CTR_GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap());
}

#[test]
fn a_plain_container() {
    let image = json!({"Env": ["PATH=/bin", "A=1"], "Cmd": ["sh"], "WorkingDir": "/w", "StopSignal": "SIGQUIT"});
    // The caller's capabilities are the machine's, and the filter is another crate's.
    let flags = parse(&["--cap-drop", "ALL", "--security-opt", "seccomp=unconfined"]);
    let spec = completed(json!({}), &flags, &image).unwrap();
    golden("plain.json", &spec);
    read(&spec).unwrap();
}

#[test]
fn every_flag_has_its_place() {
    let flags = parse(&[
        "-t",
        "-e",
        "B=2",
        "-u",
        "web",
        "--group-add",
        "log",
        "--group-add",
        "77",
        "-w",
        "/x",
        "--entrypoint",
        "/e",
        "--hostname",
        "box",
        "--domainname",
        "lan",
        "--read-only",
        "--ulimit",
        "core=0",
        "--init",
        "--cap-drop",
        "all",
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        "no-new-privileges",
        "--sysctl",
        "net.core.somaxconn=9",
        "--shm-size",
        "1m",
        "--stop-signal",
        "TERM",
        "--oom-score-adj",
        "-5",
        "--pid",
        "host",
        "--ns",
        "time=new",
        "--",
        "-c",
        "--flag",
    ]);
    let spec = completed(json!({}), &flags, &json!({"Entrypoint": ["/i"], "Cmd": ["c"]})).unwrap();
    golden("flags.json", &spec);
    read(&spec).unwrap();
}

#[test]
fn the_document_is_kept() {
    let given = json!({
        "ociVersion": "1.1.0",
        "x-unknown": {"a": 1},
        "mounts": [{"destination": "/data", "type": "bind", "source": "/v", "options": ["rbind"]}],
        "linux": {
            "cgroupsPath": "/ctr/x",
            "resources": {"memory": {"limit": 1}, "devices": [{"allow": true, "access": "rwm"}]},
            "namespaces": [{"type": "network", "path": "/run/netns/n"}],
        },
    });
    let spec = completed(given, &parse(&["true"]), &json!({})).unwrap();
    assert_eq!(spec["x-unknown"], json!({"a": 1}));
    assert_eq!(spec["ociVersion"], "1.1.0");
    assert_eq!(spec["mounts"].as_array().unwrap().last().unwrap()["source"], "/v");
    assert_eq!(spec["linux"]["cgroupsPath"], "/ctr/x");
    assert_eq!(spec["linux"]["resources"]["memory"], json!({"limit": 1}));
    assert_eq!(spec["linux"]["resources"]["devices"], json!([{"allow": true, "access": "rwm"}]));
    assert_eq!(spec["linux"]["namespaces"][1]["path"], "/run/netns/n");
    // Nothing is written into a network that others own.
    assert_eq!(spec["linux"]["sysctl"], json!({}));
}

#[test]
fn completing_again_changes_only_what_a_flag_names() {
    let image = json!({"Cmd": ["sh"], "Env": ["A=1"]});
    let first = completed(json!({}), &parse(&["--ipc", "none", "-u", "web", "--uts", "host"]), &image).unwrap();
    let again = completed(first.clone(), &Flags::default(), &image).unwrap();
    assert_eq!(again, first);
    let other = completed(first.clone(), &parse(&["-e", "A=2", "echo", "hi"]), &image).unwrap();
    assert_eq!(other["process"]["args"], json!(["echo", "hi"]));
    assert!(other["process"]["env"].as_array().unwrap().contains(&json!("A=2")));
    assert_eq!(other["process"]["user"], first["process"]["user"]);
    assert_eq!(other["mounts"], first["mounts"]);
}

#[test]
fn privileged_lifts_what_confines() {
    let spec = completed(json!({}), &parse(&["--privileged", "true"]), &json!({})).unwrap();
    assert_eq!(spec["linux"].get("seccomp"), None);
    assert_eq!(spec["linux"].get("maskedPaths"), None);
    assert_eq!(spec["linux"].get("readonlyPaths"), None);
    assert_eq!(spec["process"]["capabilities"]["bounding"], json!(Set::own().names()));
}

#[test]
fn what_cannot_be() {
    for (words, code) in [
        (&["--hostname", "a b", "true"][..], Code::Invalid),
        (&["--hostname", "a", "--uts", "host", "true"], Code::Invalid),
        (&["--stop-signal", "NONSENSE", "true"], Code::Invalid),
        (&["--stop-signal", "65", "true"], Code::Invalid),
        (&["--oom-score-adj", "1001", "true"], Code::Invalid),
        (&["-u", "nobody-here", "true"], Code::NotFound),
        (&["--group-add", "no-group", "true"], Code::NotFound),
        (&["--env-file", "/nowhere/at/all", "true"], Code::NotFound),
        (&["--security-opt", "seccomp=/nowhere/at/all", "true"], Code::NotFound),
        (&[], Code::Invalid),
    ] {
        assert_eq!(completed(json!({}), &parse(words), &json!({})).unwrap_err().code, code, "{words:?}");
    }
    assert_eq!(completed(json!({"mounts": 1}), &parse(&["x"]), &json!({})).unwrap_err().code, Code::Invalid);
    let misshapen = json!({"process": [], "linux": {"namespaces": [{"type": "mount"}]}});
    assert_eq!(completed(misshapen, &parse(&["x"]), &json!({})).unwrap_err().code, Code::Invalid);
}
