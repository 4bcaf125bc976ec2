//! A registry that fails, lies or refuses: what is borne, what is found out, what is said.

use super::server::*;
use ctr_tests::{Host, Ran, Test, json, tests};

pub fn tests() -> Vec<Test> {
    tests!("img-pull", ["root"]:
        bears_429_and_5xx, gives_up, gives_up_at_once_when_told_to_wait_an_hour, refuses_wrong_bytes,
        refuses_wrong_lengths, refuses_wrong_digests_of_manifests, refuses_large_manifests,
        refuses_what_is_no_image, cleans_the_registrys_words, does_not_wait_for_nobody)
}

fn pull(host: &Host, server: &Server) -> Ran {
    host.tool("img-pull", &[&server.reference()])
}

fn serving(host: &Host, image: &Image, change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Server {
    let image = image.clone();
    Server::start(host, move |request, _| change(request, image.answer(request)))
}

fn bears_429_and_5xx() {
    let (host, image) = (Host::new(), Image::new(&[100_000, 5]));
    let good = image.clone();
    let server = Server::start(&host, move |request, before| match before {
        0 if request.path.contains("/manifests/") => Reply::new(503, ""),
        0 if request.path.contains("/blobs/") => Reply::new(429, "").header("Retry-After", "1"),
        1 if request.path.contains("/manifests/") => Reply::new(502, "<html>").header("Retry-After", "0"),
        _ => good.answer(request),
    });
    let ran = pull(&host, &server).ok();
    assert!(ran.took.as_secs_f32() > 1.0, "Retry-After was not honoured: {ran}");
    assert_pulled(&host, &ran.json());
    assert_eq!(server.requests("/manifests/").len(), 3);
}

fn gives_up() {
    let host = Host::new();
    let server = Server::start(&host, |request, _| match request.path.as_str() {
        "/v2/" => Reply::new(200, ""),
        _ => Reply::new(500, r#"{"errors":[{"code":"UNKNOWN","message":"out of order"}]}"#),
    });
    pull(&host, &server).fails(1).code("network").stderr_has("500").stderr_has("out of order").stderr_has("5 tries");
    assert_eq!(server.requests("/manifests/").len(), 5);
    assert_nothing_named(&host);
}

fn gives_up_at_once_when_told_to_wait_an_hour() {
    let (host, image) = (Host::new(), Image::new(&[1]));
    let server = serving(&host, &image, |request, reply| {
        if request.path.contains("/manifests/") {
            Reply::new(429, r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#).header("Retry-After", "3600")
        } else {
            reply
        }
    });
    pull(&host, &server).fails(1).code("limit").stderr_has("3600 s").stderr_has("TOOMANYREQUESTS");
    assert_eq!(server.requests("/manifests/").len(), 1);
}

fn refuses_wrong_bytes() {
    let (host, image) = (Host::new(), Image::new(&[300_000, 70_000]));
    let bad = image.layers[1].clone();
    let server = serving(&host, &image, move |request, mut reply| {
        if request.path.ends_with(&bad) {
            reply = Reply::new(200, noise(70_000, 99));
        }
        reply
    });
    let ran = pull(&host, &server).fails(1).code("corrupt");
    ran.stderr_has(&image.layers[1]).stderr_has(&digest(&noise(70_000, 99)));
    assert_nothing_named(&host);
    assert!(partials(&host).iter().all(|p| !p.contains(&image.layers[1][7..])), "wrong bytes were kept");
    // A config that lies as well.
    let host = Host::new();
    let bad = image.config.clone();
    let server = serving(
        &host,
        &image,
        move |request, reply| {
            if request.path.ends_with(&bad) { Reply::new(200, "{}") } else { reply }
        },
    );
    pull(&host, &server).fails(1).code("corrupt").stderr_has(&image.config);
}

fn refuses_wrong_lengths() {
    let image = Image::new(&[50_000]);
    let layer = image.layers[0].clone();
    let blob = image.blob(&layer).to_vec();
    let longer = [&blob[..], b"more"].concat();
    for (reply, part) in [
        (Reply::new(200, &blob[..49_999]), "49999"),
        (Reply::new(200, longer.clone()), "50004"),
        (Reply::new(200, longer).chunked(), "more than 50000"),
        (Reply::new(200, "").header("Content-Length", "99999999999999").cut(0), "99999999999999"),
    ] {
        let host = Host::new();
        let layer = layer.clone();
        let server = serving(
            &host,
            &image,
            move |request, good| if request.path.ends_with(&layer) { reply.clone() } else { good },
        );
        pull(&host, &server).fails(1).code("corrupt").stderr_has(part);
        assert_nothing_named(&host);
    }
}

fn refuses_wrong_digests_of_manifests() {
    let (host, image) = (Host::new(), Image::new(&[1]));
    let wrong = digest(b"another");
    let given = wrong.clone();
    let server = serving(&host, &image, move |request, reply| {
        if request.path.contains("/manifests/") { reply.header("Docker-Content-Digest", given.clone()) } else { reply }
    });
    pull(&host, &server).fails(1).code("corrupt").stderr_has(&wrong).stderr_has(&digest(&image.manifest));
    // By digest, what the server says of it counts for nothing: the bytes do.
    let right = format!("{}@{}", server.reference(), digest(&image.manifest));
    let doc = host.tool("img-pull", &[&right]).ok().json();
    assert_eq!(doc["image"]["ref"], json!(right));
    let other = image.clone();
    let server = Server::start(&host, move |request, _| {
        if request.path.contains("/manifests/") {
            Reply::new(200, other.manifest.clone()).header("Content-Type", MANIFEST)
        } else {
            other.answer(request)
        }
    });
    let asked = format!("{}@{wrong}", server.reference());
    host.tool("img-pull", &[&asked]).fails(1).code("corrupt").stderr_has(&wrong);
}

fn refuses_large_manifests() {
    let image = Image::with(&[1], |manifest| manifest["annotations"] = json!({"x": "y".repeat(4 << 20)}));
    for chunked in [false, true] {
        let host = Host::new();
        let server = serving(&host, &image, move |_, reply| if chunked { reply.chunked() } else { reply });
        pull(&host, &server).fails(1).code("limit").stderr_has("4 MiB");
        assert_nothing_named(&host);
    }
}

fn refuses_what_is_no_image() {
    let typed = |kind: &'static str| Image::with(&[1], move |m| m["layers"][0]["mediaType"] = json!(kind));
    for (image, code) in [
        (Image::with(&[1], |m| m["schemaVersion"] = json!(1)), "unsupported"),
        (
            Image::with(&[1], |m| m["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json")),
            "unsupported",
        ),
        (
            Image::with(&[1], |m| m["mediaType"] = json!("application/vnd.docker.distribution.manifest.v1+prettyjws")),
            "unsupported",
        ),
        (typed("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), "unsupported"),
        (typed("application/vnd.oci.image.layer.nondistributable.v1.tar"), "unsupported"),
        (typed("application/octet-stream\u{7}"), "unsupported"),
        (Image::with(&[1], |m| m["manifests"] = json!([])), "corrupt"),
        (Image::with(&[1], |m| m["layers"][0]["digest"] = json!("sha256:../../../../etc/passwd")), "corrupt"),
        (Image::with(&[1, 2], |m| m["layers"] = json!([m["layers"][0]])), "corrupt"),
        (Image::with(&[1], |m| m["config"]["size"] = json!(100 << 20)), "limit"),
        (Image::with(&[1], |m| m["layers"][0]["size"] = json!(-1)), "corrupt"),
    ] {
        let host = Host::new();
        let server = serving(&host, &image, |_, reply| reply);
        pull(&host, &server).fails(1).code(code);
        assert_nothing_named(&host);
    }
    // What the server calls a manifest must be what it says of itself.
    let (host, image) = (Host::new(), Image::new(&[1]));
    let server = serving(&host, &image, |request, reply| {
        if request.path.contains("/manifests/") {
            reply.header("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
        } else {
            reply
        }
    });
    pull(&host, &server).fails(1).code("corrupt");
}

fn cleans_the_registrys_words() {
    let host = Host::new();
    let words = format!("evil\u{1b}[2J\r\nimg-pull: fine{}", "x".repeat(5000));
    let body = json!({"errors": [{"code": "DENIED", "message": words}]}).to_string();
    let server = Server::start(&host, move |_, _| Reply::new(403, body.clone()));
    let ran = pull(&host, &server).fails(1).code("unauthorized").stderr_has("DENIED: evil [2J  img-pull");
    assert!(ran.stderr.len() < 600 && !ran.stderr.contains(&0x1b), "{ran}");
}

fn does_not_wait_for_nobody() {
    let host = Host::new();
    let address = host.net().listen().local_addr().unwrap(); // closed again
    let ran = host.tool("img-pull", &[&format!("{address}/image")]).fails(1).code("network");
    let ran = ran.stderr_has(&address.to_string()).stderr_has("refused");
    assert!(ran.took.as_secs_f32() < 1.0, "{ran}");
    assert_nothing_named(&host);
    host.tool("img-pull", &["no-such-host.invalid/image"]).fails(1).code("network").stderr_has("no-such-host.invalid");
    let proxied = |name: &str| host.cmd("img-pull", &[name]).env("https_proxy", "http://u:p@127.0.0.1:1").run();
    let ran = proxied("registry.invalid/image").fails(1).code("network");
    assert!(ran.stderr_text().contains("registry.invalid by proxy 127.0.0.1:1: connection refused"), "{ran}");
    // Nobody goes to our own loopback by a proxy.
    let image = Image::new(&[1]);
    let server = serving(&host, &image, |_, reply| reply);
    proxied(&server.reference()).ok();
}
