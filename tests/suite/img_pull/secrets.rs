//! Who we are, shown to whom it concerns and to nobody else.

use super::server::*;
use ctr_tests::{Host, Test, json, tests};
use std::fs;

pub fn tests() -> Vec<Test> {
    tests!("img-pull", ["root"]:
        fetches_a_token_as_a_stranger, fetches_a_token_with_credentials, trades_an_identity_token,
        renews_a_token, shows_no_secret_after_a_redirect, credentials_stay_out_of_the_document)
}

/// `alice:secret` for `address`, where docker keeps it.
fn log_in(host: &Host, address: &str, entry: &ctr_tests::Value) {
    let dir = host.dir().join("docker");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.json"), json!({"auths": {address: entry}}).to_string()).unwrap();
}

fn pull(host: &Host, reference: &str) -> ctr_tests::Ran {
    host.cmd("img-pull", &[reference]).env("DOCKER_CONFIG", host.dir().join("docker")).run()
}

/// A registry that wants `Bearer TOKEN`, and a token server at `/token` that gives what `token` says.
fn bearer(host: &Host, image: &Image, token: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    let image = image.clone();
    Server::start(host, move |request, _| {
        if request.path.starts_with("/token") {
            return token(request);
        }
        if request.header("authorization") == Some("Bearer good") {
            return image.answer(request);
        }
        let realm = format!("http://{}/token", request.header("host").unwrap());
        Reply::new(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#).header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="{realm}",service="the service",scope="repository:image:pull""#),
        )
    })
}

fn fetches_a_token_as_a_stranger() {
    let (host, image) = (Host::new(), Image::new(&[1000, 2000, 3000, 4000]));
    let server = bearer(&host, &image, |_| Reply::new(200, r#"{"token":"good"}"#));
    let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
    assert_pulled(&host, &doc);
    let asked = server.requests("/token");
    assert_eq!(asked.len(), 1, "one token does for all layers");
    assert_eq!(asked[0].path, "/token?service=the%20service&scope=repository%3Aimage%3Apull");
    assert_eq!(asked[0].header("authorization"), None);
}

fn fetches_a_token_with_credentials() {
    let (host, image) = (Host::new(), Image::new(&[10]));
    let basic = "Basic YWxpY2U6c2VjcmV0";
    let server = bearer(&host, &image, move |request| match request.header("authorization") {
        Some(shown) if shown == basic => Reply::new(200, r#"{"access_token":"good","expires_in":300}"#),
        _ => Reply::new(401, r#"{"details":"incorrect username or password"}"#),
    });
    pull(&host, &server.reference()).fails(1).code("unauthorized").stderr_has("incorrect username or password");
    log_in(&host, &server.address, &json!({"auth": "YWxpY2U6c2VjcmV0"}));
    pull(&host, &server.reference()).ok();
    assert!(server.requests("/token").last().unwrap().path.ends_with("&account=alice"));
    assert!(server.requests("/v2/image").iter().all(|r| r.header("authorization") != Some(basic)));
    log_in(&host, &server.address, &json!({"auth": "not base64"}));
    pull(&host, &server.reference()).fails(1).code("invalid").stderr_has("docker/config.json");
}

fn trades_an_identity_token() {
    let (host, image) = (Host::new(), Image::new(&[10]));
    let server = bearer(&host, &image, |request| match request.method.as_str() {
        "POST" => Reply::new(200, r#"{"access_token":"good"}"#),
        _ => Reply::new(405, ""),
    });
    log_in(&host, &server.address, &json!({"identitytoken": "a/b+c"}));
    pull(&host, &server.reference()).ok();
    let form = &server.requests("/token")[0].body;
    assert!(form.contains("grant_type=refresh_token") && form.contains("&refresh_token=a%2Fb%2Bc"), "{form}");
}

fn renews_a_token() {
    let (host, image) = (Host::new(), Image::new(&[10]));
    let good = image.clone();
    // The first token is good for one request.
    let server = Server::start(&host, move |request, before| {
        if request.path.starts_with("/token") {
            return Reply::new(200, format!(r#"{{"token":"t{before}"}}"#));
        }
        let shown = request.header("authorization").unwrap_or_default();
        if shown == "Bearer t1" || (shown == "Bearer t0" && request.path.contains("/manifests/")) {
            return good.answer(request);
        }
        let realm = format!("http://{}/token", request.header("host").unwrap());
        Reply::new(401, "").header("WWW-Authenticate", format!("Bearer realm=\"{realm}\""))
    });
    host.tool("img-pull", &[&server.reference()]).ok();
    assert_eq!(server.requests("/token").len(), 2);
    // One that is never good is an error, not a loop.
    let server = bearer(&host, &image, |_| Reply::new(200, r#"{"token":"bad"}"#));
    host.tool("img-pull", &[&server.reference()]).fails(1).code("unauthorized").stderr_has("authentication required");
    assert!(server.requests("/token").len() <= 2);
}

fn shows_no_secret_after_a_redirect() {
    let (host, image) = (Host::new(), Image::new(&[5000]));
    let good = image.clone();
    // Another port is another origin.
    let store = Server::start(&host, move |request, _| match request.header("authorization") {
        None => good.answer(request),
        Some(_) => Reply::new(400, "a secret came"),
    });
    let (good, elsewhere) = (image.clone(), store.address.clone());
    let server = Server::start(&host, move |request, before| {
        if request.header("authorization") != Some("Basic YWxpY2U6c2VjcmV0") {
            return Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\"");
        }
        if !request.path.contains("/blobs/") {
            return good.answer(request);
        }
        if before == 0 && !request.path.contains('?') {
            // First to itself, by a relative location: there the secret goes along.
            return Reply::redirect(format!("{}?here", request.path));
        }
        Reply::redirect(format!("http://{elsewhere}{}", request.path.trim_end_matches("?here")))
    });
    log_in(&host, &server.address, &json!({"username": "alice", "password": "secret"}));
    let doc = pull(&host, &server.reference()).ok().json();
    assert_pulled(&host, &doc);
    assert_eq!(store.requests("/blobs/").len(), 2);
    // A redirect in a circle ends.
    let circle = Server::start(&host, |request, _| match request.path.as_str() {
        "/v2/" => Reply::new(200, ""),
        path => Reply::redirect(path.to_owned()),
    });
    host.tool("img-pull", &[&circle.reference()]).fails(1).code("network").stderr_has("redirects");
}

fn credentials_stay_out_of_the_document() {
    let (host, image) = (Host::new(), Image::new(&[10]));
    let good = image.clone();
    let server = Server::start(&host, move |request, _| match request.header("authorization") {
        Some("Basic YWxpY2U6c2VjcmV0") => good.answer(request),
        _ => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    log_in(&host, &server.address, &json!({"auth": "YWxpY2U6d3Jvbmc="}));
    pull(&host, &server.reference()).fails(1).code("unauthorized").stderr_has("config.json");
    log_in(&host, &server.address, &json!({"auth": "YWxpY2U6c2VjcmV0"}));
    let cmd = host.cmd("img-pull", &["--trace", &server.reference()]);
    let ran = cmd.env("REGISTRY_AUTH_FILE", host.dir().join("docker/config.json")).run().succeeds();
    for secret in ["alice", "secret", "YWxpY2U6c2VjcmV0"] {
        assert!(!ran.text().contains(secret) && !ran.stderr_text().contains(secret), "{ran}");
    }
}
