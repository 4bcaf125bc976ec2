//! img-pull: from real registries, by a document, with progress; its four verbs. What registries do wrong is in `img_pull/`.

mod faults;
mod interrupted;
mod secrets;
mod server;

use ctr_tests::*;
use server::*;
use std::fs;

pub fn tests() -> Vec<Test> {
    let mut all = tests!("img-pull",
        ["root", "docker-registry", "skopeo", "umoci"]:
            fetches_from_a_plain_registry, fetches_nothing_twice, follows_a_tag_that_moved, chooses_by_platform,
            fetches_docker_schema_2,
            fetches_300_layers, streams_interim_documents;
        ["root", "docker-registry", "skopeo", "umoci", "openssl", "htpasswd"]: speaks_tls, reads_certs_d,
            follows_a_front_to_tls;
        ["root", "docker-registry", "skopeo", "umoci", "ip"]: podman_and_skopeo_agree;
        ["root"]:
            takes_the_reference_from_the_document, asks_only_when_told, finds_ids_in_the_store, checks_every_byte,
            undo_leaves_the_store,
            shows_progress, ends_when_its_reader_does, does_nothing_on_a_dry_run, says_what_is_wrong_with_the_store;
        []: refuses_bad_input);
    all.extend(faults::tests());
    all.extend(secrets::tests());
    all.extend(interrupted::tests());
    all
}

fn good(host: &Host, image: &Image) -> Server {
    let image = image.clone();
    Server::start(host, move |request, _| image.answer(request))
}

fn fetches_from_a_plain_registry() {
    let host = Host::new();
    let reference = registry::plain().push("busybox");
    let ran = host.tool("img-pull", &[&reference]).ok();
    let doc = ran.json();
    schema::assert_valid(std::slice::from_ref(&doc));
    assert_eq!(ran.text().lines().count(), 1);
    assert_eq!(doc["image"]["ref"], format!("{reference}:latest"));
    assert_eq!(doc["image"]["config"]["config"]["Cmd"], json!(["sh"]));
    assert_eq!(doc["steps"], json!([{"tool": "img-pull", "undo": {}}]));
    let layers = doc["image"]["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0]["diffId"], doc["image"]["config"]["rootfs"]["diff_ids"][0]);
    assert_pulled(&host, &doc);
}

fn podman_and_skopeo_agree() {
    let host = Host::new();
    let reference = registry::plain().push("busybox");
    let doc = host.tool("img-pull", &[&reference]).ok().json();
    let inspect =
        |from: &str| host.cmd("skopeo", &["inspect", "--tls-verify=false", "--raw", from]).run().succeeds().stdout;
    // The store is an image layout that others read as it is.
    let ours = inspect(&format!("oci:{}:{reference}:latest", host.root().join("images").display()));
    assert_eq!(ours, inspect(&format!("docker://{reference}")));
    assert_eq!(doc["image"]["manifest"]["digest"], digest(&ours));
}

fn fetches_nothing_twice() {
    let (host, image) = (Host::new(), Image::new(&[1000, 1000]));
    let server = good(&host, &image);
    let first = host.tool("img-pull", &[&server.reference()]).ok();
    let again = host.tool("img-pull", &[&server.reference()]).ok();
    assert_eq!(first.json(), again.json());
    assert_eq!(server.requests("/blobs/").len(), 3, "config and layers, once each");
    let asked: Vec<String> = server.requests("/manifests/").into_iter().map(|r| r.method).collect();
    assert_eq!(asked, ["GET", "HEAD"], "an unchanged image does not count as another pull");
    let events = host.tool("ctr-events", &["--since", "1m", "--until", "0s", "-f", "type=image"]).ok().jsons();
    let words: Vec<_> = events.iter().map(|event| (event["action"].as_str(), event["id"] == event["name"])).collect();
    assert_eq!(words, [(Some("pull"), true); 2]);
    // One blob gone: that one alone is fetched.
    let blob = host.root().join("images/blobs/sha256").join(&image.layers[1][7..]);
    fs::remove_file(blob).unwrap();
    assert_pulled(&host, &host.tool("img-pull", &[&server.reference()]).ok().json());
    assert_eq!(server.requests("/blobs/").len(), 4);
}

fn follows_a_tag_that_moved() {
    let host = Host::new();
    let (before, after) = (Image::new(&[100, 200]), Image::new(&[100, 300]));
    let (old, new) = (before.clone(), after.clone());
    let server = Server::start(&host, move |request, seen| {
        let first = request.path.ends_with("/latest") && seen == 0 && request.method == "GET";
        let reply = if first { old.answer(request) } else { new.answer(request) };
        if reply.is_success() { reply } else { old.answer(request) }
    });
    let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
    assert_eq!(doc["image"]["manifest"]["digest"], digest(&before.manifest));
    let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
    assert_eq!(doc["image"]["manifest"]["digest"], digest(&after.manifest));
    assert_pulled(&host, &doc);
    assert_eq!(server.requests(&before.layers[0]).len(), 1, "the common layer was fetched twice");
}

fn chooses_by_platform() {
    let host = Host::new();
    let reference = registry::plain().push("index");
    let mut digests = std::collections::HashSet::new();
    for (platform, architecture, variant) in [
        ("linux/arm64", "arm64", json!("v8")),
        ("linux/arm64/v8", "arm64", json!("v8")),
        ("arm", "arm", json!("v7")),
        ("linux/arm/v8", "arm", json!("v7")),
        ("linux/riscv64", "riscv64", json!(null)),
    ] {
        let doc = host.tool("img-pull", &["--platform", platform, &reference]).ok().json();
        assert_eq!(doc["image"]["config"]["architecture"], architecture, "{platform}");
        assert_eq!(doc["image"]["config"]["variant"], variant, "{platform}");
        assert_eq!(doc["image"]["manifest"]["platform"]["architecture"], architecture);
        digests.insert(doc["image"]["manifest"]["digest"].to_string());
    }
    assert_eq!(digests.len(), 3);
    let own = host.tool("img-pull", &[&reference]).ok().json();
    assert_pulled(&host, &own);
    let missing = host.tool("img-pull", &["--platform", "linux/s390x", &reference]).fails(1).code("not-found");
    missing.stderr_has("linux/s390x; it has linux/amd64, linux/arm/v7, linux/arm64, linux/riscv64");
    host.tool("img-pull", &["--platform", "linux/arm/v6", &reference]).fails(1).code("not-found");
    host.tool("img-pull", &["--platform", "a/b/c/d", &reference]).exits(2).code("usage");
    // By the digest of the index as well, and then it is known under it.
    let index = fs::read_to_string(host.root().join("images/index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let source = index["manifests"][0]["annotations"]["ctr.source.digest"].as_str().unwrap().to_owned();
    let pinned = format!("{reference}@{source}");
    assert_eq!(host.tool("img-pull", &[&pinned]).ok().json()["image"]["manifest"], own["image"]["manifest"]);
    host.tool("img-pull", &["--pull", "never", &pinned]).ok();
}

fn fetches_docker_schema_2() {
    let host = Host::new();
    let registry = registry::plain();
    let reference = format!("{}/schema2", registry.address);
    registry.copy(&format!("docker-archive:{}", images::docker_archive("busybox").display()), &reference);
    let doc = host.tool("img-pull", &[&reference]).ok().json();
    schema::assert_valid(std::slice::from_ref(&doc));
    let media = "application/vnd.docker.distribution.manifest.v2+json";
    assert_eq!(doc["image"]["manifest"]["mediaType"], media);
    assert_pulled(&host, &doc);
}

fn fetches_300_layers() {
    let host = Host::new();
    let reference = registry::plain().push("layers300");
    let doc = host.tool("img-pull", &[&reference]).ok().json();
    assert_eq!(doc["image"]["layers"].as_array().unwrap().len(), 300);
    assert_pulled(&host, &doc);
}

fn streams_interim_documents() {
    let host = Host::new();
    let reference = registry::plain().push("layers300");
    let docs = host.tool("img-pull", &["--stream", &reference]).ok().jsons();
    let count = |doc: &Value| doc["image"]["layers"].as_array().unwrap().len();
    let (last, interim) = docs.split_last().unwrap();
    assert!(interim.len() > 1, "no interim documents");
    assert!(interim.iter().all(|doc| doc["partial"] == true && doc["image"]["config"]["rootfs"].is_object()));
    assert!(interim.windows(2).all(|pair| count(&pair[0]) < count(&pair[1])), "not one more each");
    assert_eq!((count(&interim[0]), count(last)), (0, 300));
    assert_eq!((&last["partial"], last["steps"].as_array().unwrap().len()), (&Value::Null, 1));
    schema::assert_valid(&docs);
}

fn speaks_tls() {
    let host = Host::new();
    let registry = registry::tls();
    let reference = registry.push("busybox");
    let ca = registry.ca();
    let ca = ca.to_str().unwrap();
    // An unknown authority: nothing is sent, and the line says what to do.
    host.tool("img-pull", &[&reference]).fails(1).code("network").stderr_has("--cacert");
    let refused = host.tool("img-pull", &["--cacert", ca, &reference]).fails(1).code("unauthorized");
    refused.stderr_has(&reference);
    let (user, password) = registry::CREDENTIALS;
    let auth = host.sh(&format!("printf %s {user}:{password} | base64")).ok().text();
    let config = |auth: &str| json!({"auths": {registry.address: {"auth": auth.trim()}}}).to_string();
    fs::create_dir(host.dir().join("../home/.docker")).unwrap();
    fs::write(host.dir().join("../home/.docker/config.json"), config("YTpi")).unwrap();
    host.tool("img-pull", &["--cacert", ca, &reference]).fails(1).code("unauthorized");
    fs::write(host.dir().join("../home/.docker/config.json"), config(&auth)).unwrap();
    let doc = host.tool("img-pull", &["--cacert", ca, &reference]).ok().json();
    assert_pulled(&host, &doc);
    host.tool("img-pull", &["--cacert", "/nowhere", &reference]).fails(1).code("not-found").stderr_has("/nowhere");
    host.tool("img-pull", &["--cacert", "/dev/null", &reference]).fails(1).code("invalid");
    host.tool("img-pull", &["--plain-http", &reference]).fails(1).code("network").stderr_has("400");
}

/// A registry with TLS on loopback, before it a front that sends who comes without TLS to https on the same port.
fn follows_a_front_to_tls() {
    let host = Host::new();
    let registry = registry::tls();
    let image = registry.push("busybox").rsplit('/').next().unwrap().to_owned();
    let (listener, net) = (host.net().listen(), host.net().clone());
    let address = listener.local_addr().unwrap().to_string();
    let front = address.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (net, front) = (net.clone(), front.clone());
            std::thread::spawn(move || tls_or_redirect(stream, &net, &front));
        }
    });
    let (user, password) = registry::CREDENTIALS;
    let auth = host.sh(&format!("printf %s {user}:{password} | base64")).ok().text();
    let config = json!({"auths": {&address: {"auth": auth.trim()}}}).to_string();
    fs::write(host.dir().join("config.json"), config).unwrap();
    let pull = host.cmd("img-pull", &[format!("{address}/{image}")]).env("DOCKER_CONFIG", host.dir());
    let doc = pull.env("SSL_CERT_FILE", registry.ca()).run().ok().json();
    assert_pulled(&host, &doc);
}

/// Passes a connection on to the registry with TLS if it begins with a handshake, else answers with a redirect.
fn tls_or_redirect(client: std::net::TcpStream, net: &Net, front: &str) {
    use std::io::{Read, Write, copy};
    let mut first = [0];
    if client.peek(&mut first).is_ok_and(|n| n == 1) && first[0] == 0x16 {
        let server = net.enter(|| std::net::TcpStream::connect("127.0.0.1:5001").unwrap());
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
        let _ = copy(&mut &server, &mut &client);
        let _ = client.shutdown(std::net::Shutdown::Both);
        return;
    }
    let mut request = [0; 4096];
    let n = (&client).read(&mut request).unwrap_or(0);
    let text = String::from_utf8_lossy(&request[..n]).into_owned();
    let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
    let _ = write!(
        &client,
        "HTTP/1.1 308 Elsewhere\r\nLocation: https://{front}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
}

fn reads_certs_d() {
    let host = Host::new();
    let registry = registry::tls();
    let reference = registry.push("busybox");
    let (user, password) = registry::CREDENTIALS;
    let script = format!(
        "set -e; mkdir -p etc/{address}; cp {ca} etc/{address}/ca.crt
        mkdir -p /etc/docker; mount -t tmpfs none /etc/docker; mkdir /etc/docker/certs.d; mount --bind etc /etc/docker/certs.d
        auth=$(printf %s {user}:{password} | base64); mkdir docker
        echo '{{\"auths\":{{\"{address}\":{{\"auth\":\"'$auth'\"}}}}}}' >docker/config.json; export DOCKER_CONFIG=$PWD/docker
        img-pull {reference} >out
        openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=c -keyout etc/{address}/c.key -out etc/{address}/c.cert 2>log
        img-pull {reference} >out
        openssl genrsa -out etc/{address}/c.key 2>log
        img-pull {reference}",
        address = registry.address,
        ca = registry.ca().display(),
    );
    let made = !std::path::Path::new("/etc/docker").exists();
    let ran = host.cmd("unshare", &["-m", "sh", "-c", &script]).run();
    if made {
        let _ = fs::remove_dir("/etc/docker");
    }
    // A key that is not its certificate's is found out before anything is sent.
    ran.fails(1).code("invalid").stderr_has("c.key: does not belong to its certificate");
}

fn takes_the_reference_from_the_document() {
    let (host, image) = (Host::new(), Image::new(&[10]));
    let server = good(&host, &image);
    let doc = json!({"ctr": 1, "mine": {"kept": true}, "image": {"ref": server.reference()}});
    let out = host.pipe_to(&doc, "img-pull", &[]).ok().json();
    assert_eq!(out["mine"], json!({"kept": true}));
    assert_eq!(out["image"]["ref"], format!("{}:latest", server.reference()));
    host.pipe_to(&json!({"ctr": 1}), "img-pull", &[]).fails(2).code("usage");
    let failed = json!({"ctr": 1, "error": {"tool": "x", "code": "io", "message": "m", "exit": 3}});
    let passed = host.pipe_to(&failed, "img-pull", &[]).exits(3);
    assert_eq!((passed.json(), passed.stderr.len()), (failed, 0));
    host.pipe_to(&json!({"ctr": 99}), "img-pull", &[]).fails(1).code("version");
}

fn asks_only_when_told() {
    let (host, image) = (Host::new(), Image::new(&[10]));
    let server = good(&host, &image);
    let reference = server.reference();
    host.tool("img-pull", &["--pull", "never", &reference]).fails(1).code("not-found").stderr_has(&reference);
    host.tool("img-pull", &["--pull", "missing", &reference]).ok();
    let asked = server.requests("").len();
    let missing = host.tool("img-pull", &["--pull", "missing", &reference]).ok().json();
    let never = host.tool("img-pull", &["--pull", "never", &reference]).ok().json();
    assert_eq!(server.requests("").len(), asked, "the registry was asked");
    assert_eq!(missing, never);
    // What is not whole is missing.
    fs::remove_file(host.root().join("images/blobs/sha256").join(&image.layers[0][7..])).unwrap();
    host.tool("img-pull", &["--pull", "never", &reference]).fails(1).code("not-found");
    assert_pulled(&host, &host.tool("img-pull", &["--pull", "missing", &reference]).ok().json());
    host.tool("img-pull", &["--pull", "sometimes", &reference]).exits(2).code("usage");
}

/// No registry knows an id, and none is asked; nor for an image without a reference, whose id stands for it.
fn finds_ids_in_the_store() {
    let host = Host::with_own_net();
    host.sh("mkdir d; echo x >d/f; tar c -C d . | img-import - >doc").ok();
    let doc: Value = serde_json::from_str(&fs::read_to_string(host.dir().join("doc")).unwrap()).unwrap();
    let id = doc["image"]["id"].as_str().unwrap();
    assert_eq!(host.sh("img-pull <doc").ok().json()["image"], doc["image"]);
    for when in ["always", "missing", "never"] {
        for word in [id, &id[..20], &id[7..]] {
            let out = host.tool("img-pull", &["--pull", when, word]).ok().json();
            assert_eq!(out["image"], doc["image"], "{when} {word}");
        }
        let unknown = format!("sha256:{}", "0".repeat(64));
        host.tool("img-pull", &["--pull", when, &unknown]).fails(1).code("not-found").stderr_has(&unknown);
    }
    // A short one could be a name: a registry is asked only where the store has no such image.
    for when in ["missing", "never"] {
        assert_eq!(host.tool("img-pull", &["--pull", when, &id[7..19]]).ok().json()["image"], doc["image"]);
    }
    host.tool("img-pull", &[&id[7..19]]).fails(1).code("network");
}

fn checks_every_byte() {
    let (host, image) = (Host::new(), Image::new(&[1000, 2000, 3000]));
    let server = good(&host, &image);
    let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
    let path = |digest: &str| host.root().join("images/blobs/sha256").join(&digest[7..]);
    let mut bytes = image.blob(&image.layers[0]).to_vec();
    bytes[500] ^= 1;
    fs::write(path(&image.layers[0]), bytes).unwrap();
    fs::write(path(&image.layers[1]), "short").unwrap();
    fs::remove_file(path(&image.config)).unwrap();
    let ran = host.pipe_to(&doc, "img-pull", &["--check"]).exits(1);
    let lines: Vec<String> = ran.stderr_text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{ran}");
    assert!(lines[0].contains(&image.config) && lines[0].contains("not in the store"), "{ran}");
    assert!(lines[1].contains(&image.layers[0]) && lines[1].contains("other bytes"), "{ran}");
    assert!(lines[2].contains(&image.layers[1]) && lines[2].contains("5 bytes, not 2000"), "{ran}");
}

fn undo_leaves_the_store() {
    let (host, image) = (Host::new(), Image::new(&[10]));
    let server = good(&host, &image);
    let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
    let undone = host.pipe_to(&doc, "img-pull", &["--undo"]).ok().json();
    assert_eq!(undone.get("steps"), None);
    host.pipe_to(&undone, "img-pull", &["--undo"]).ok();
    assert_pulled(&host, &doc);
}

fn shows_progress() {
    let (host, image) = (Host::new(), Image::new(&[500_000, 10]));
    let server = good(&host, &image);
    let reference = server.reference();
    let lines = |ran: &Ran| -> Vec<Value> {
        ran.stderr_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let ran = host.tool("img-pull", &["--progress", "json", &reference]).succeeds();
    let shown = lines(&ran);
    let done: Vec<&Value> = shown.iter().filter(|l| l["status"] == "done").collect();
    assert_eq!(done.len(), 2, "{ran}");
    assert!(shown.iter().any(|l| l["status"] == "fetching" && l["total"] == 500_000), "{ran}");
    fs::remove_file(host.root().join("images/blobs/sha256").join(&image.layers[1][7..])).unwrap();
    let again = lines(&host.tool("img-pull", &["--progress", "json", &reference]).succeeds());
    assert!(again.iter().any(|l| l["status"] == "present" && l["digest"] == json!(image.layers[0])));
    fs::remove_dir_all(host.root()).unwrap();
    let mut pty = host.pty(&format!("img-pull {reference} >doc"));
    let (status, screen) = pty.wait();
    assert_eq!(status, 0, "{screen}");
    assert!(screen.contains(&image.layers[0][7..19]) && screen.contains("488.28 KiB"), "no bar: {screen:?}");
    fs::remove_dir_all(host.root()).unwrap();
    let mut pty = host.pty(&format!("img-pull -q {reference} >doc"));
    assert_eq!(pty.wait(), (0, String::new()));
    // The line of an error stands alone, bars or not.
    fs::remove_dir_all(host.root()).unwrap();
    let (good, bad) = (image.clone(), image.layers[0].clone());
    let server =
        Server::start(
            &host,
            move |request, _| {
                if request.path.ends_with(&bad) { Reply::new(404, "") } else { good.answer(request) }
            },
        );
    let mut pty = host.pty(&format!("img-pull {} >doc", server.reference()));
    let (status, screen) = pty.wait();
    assert_eq!(status, 1);
    let last = screen.rsplit(['\n', '\r']).find(|l| !l.is_empty()).unwrap();
    // What the terminal was told before it: lines cleared, the cursor moved up to the first.
    let plain = last.rsplit(['K', 'A']).next().unwrap();
    assert!(
        last.contains("\u{1b}[2K") && plain.starts_with("img-pull: blob sha256:"),
        "{last:?} at the end of {screen:?}"
    );
}

fn ends_when_its_reader_does() {
    let (host, image) = (Host::new(), Image::new(&[10, 20]));
    let good_image = image.clone();
    let server = Server::start(&host, move |request, _| {
        if request.path.contains("/blobs/") {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        good_image.answer(request)
    });
    let ran = host.sh(&format!("{{ img-pull --stream {}; echo $? >status; }} | true", server.reference())).ok();
    drop(ran);
    assert_eq!(fs::read_to_string(host.dir().join("status")).unwrap(), "141\n");
}

fn does_nothing_on_a_dry_run() {
    let (host, image) = (Host::new(), Image::new(&[10, 20]));
    let server = good(&host, &image);
    let ran = host.tool("img-pull", &["--dry-run", &server.reference()]).succeeds();
    let ops: Vec<String> =
        ran.stderr_text().lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["op"].to_string()).collect();
    assert_eq!(ops, ["\"fetch\"", "\"fetch\"", "\"tag\""], "{ran}");
    assert_eq!(ran.json()["image"]["layers"].as_array().unwrap().len(), 2);
    assert!(!host.root().exists(), "something was written");
}

fn says_what_is_wrong_with_the_store() {
    let (host, image) = (Host::new(), Image::new(&[10]));
    let server = good(&host, &image);
    fs::create_dir_all(host.root()).unwrap();
    fs::write(host.root().join("images"), "a file").unwrap();
    host.tool("img-pull", &[&server.reference()]).fails(1).stderr_has("images");
    let host = Host::new().as_user(1000);
    let server = good(&host, &image);
    fs::create_dir_all(host.root()).unwrap();
    host.tool("img-pull", &[&server.reference()]).fails(1).code("denied").stderr_has(host.root().to_str().unwrap());
    assert!(server.requests("").is_empty(), "a registry was asked for nothing");
}

fn refuses_bad_input() {
    let host = Host::new();
    for bad in ["UPPER", "a:", "a@sha256:1", "", "http://a/b", "a b"] {
        host.tool("img-pull", &[bad]).fails(1).code("invalid");
    }
    host.tool("img-pull", &[]).fails(1).code("invalid").stderr_has("stdin");
    host.tool("img-pull", &["a", "b"]).exits(2).code("usage");
    host.tool("img-pull", &["--jobs", "0", "a"]).exits(2).code("usage");
    host.cmd::<&str>("img-pull", &[]).stdin("not json").run().fails(1).code("invalid");
}
