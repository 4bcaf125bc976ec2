//! Pulls that are cut short, by the network, the user, the disk or another pull: nothing is lost, nothing is half done.

use super::server::*;
use ctr_tests::{Host, Test, json, tests};
use nix::sys::signal::Signal;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("img-pull", ["root"]:
        resumes_within_a_pull, resumes_in_the_next_pull, bears_servers_without_ranges, bears_lying_ranges,
        what_a_lie_left_is_fetched_anew, ctrl_c_at_any_instant, two_at_once_fetch_once, tells_a_full_disk,
        collects_old_partials, holds_little_memory;
        ["root", "strace"]: writes_no_byte_twice)
}

const SIZE: usize = 3_000_000;

/// Waits until `ready` holds.
#[track_caller]
fn until(what: &str, ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Serves `image`, its one layer as `layer` says.
fn serving(
    host: &Host,
    image: &Image,
    layer: impl Fn(&Request, usize, Reply) -> Reply + Send + Sync + 'static,
) -> Server {
    let image = image.clone();
    Server::start(host, move |request, before| {
        let reply = image.answer(request);
        if request.path.ends_with(&image.layers[0]) { layer(request, before, reply) } else { reply }
    })
}

fn resumes_within_a_pull() {
    let (host, image) = (Host::new(), Image::new(&[SIZE]));
    // Every answer breaks off after a third: more tries than would be borne without progress.
    let server = serving(&host, &image, |_, before, reply| if before < 7 { reply.cut(SIZE / 10) } else { reply });
    let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
    assert_pulled(&host, &doc);
    let from: Vec<usize> = server.requests(&image.layers[0]).iter().map(Request::from).collect();
    assert_eq!(from, (0..8).map(|n| n * (SIZE / 10)).collect::<Vec<_>>());
}

fn resumes_in_the_next_pull() {
    for signal in [Signal::SIGINT, Signal::SIGKILL, Signal::SIGTERM] {
        let (host, image) = (Host::new(), Image::new(&[SIZE]));
        let server = serving(&host, &image, |_, before, reply| if before == 0 { reply.stall(SIZE / 2) } else { reply });
        let running = host.cmd("img-pull", &[&server.reference()]).spawn();
        let partial = host.root().join(format!("images/ingest/sha256-{}", &image.layers[0][7..]));
        until("half of the layer", || fs::metadata(&partial).is_ok_and(|m| m.len() == SIZE as u64 / 2));
        running.signal(signal);
        running.wait().exits(128 + signal as i32);
        assert_nothing_named(&host);
        let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
        assert_pulled(&host, &doc);
        let from: Vec<usize> = server.requests(&image.layers[0]).iter().map(Request::from).collect();
        assert_eq!(from, [0, SIZE / 2]);
    }
}

fn bears_servers_without_ranges() {
    for no_range in [(|blob| Reply::new(200, blob)) as fn(Vec<u8>) -> Reply, |_| Reply::new(416, "")] {
        let (host, image) = (Host::new(), Image::new(&[SIZE]));
        let blob = image.blob(&image.layers[0]).to_vec();
        let server = serving(&host, &image, move |request, before, reply| match (before, request.from()) {
            (0, _) => reply.cut(SIZE / 2),
            (_, 0) => reply,
            _ => no_range(blob.clone()),
        });
        let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
        assert_pulled(&host, &doc);
    }
}

fn bears_lying_ranges() {
    for range in ["bytes 0-2999999/3000000", "bytes 1500000-2999999/9000000", "words 1-2", ""] {
        let (host, image) = (Host::new(), Image::new(&[SIZE]));
        let server = serving(&host, &image, move |request, before, reply| match (before, request.from()) {
            (0, _) => reply.cut(SIZE / 2),
            (_, 0) => reply,
            _ => reply.header("Content-Range", range),
        });
        let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
        assert_pulled(&host, &doc);
        assert_eq!(server.requests(&image.layers[0]).last().unwrap().from(), 0, "{range}");
    }
}

fn what_a_lie_left_is_fetched_anew() {
    let (host, image) = (Host::new(), Image::new(&[SIZE]));
    // The first half is wrong; that shows at the end of the second, and then the whole is asked for once more.
    let server = serving(&host, &image, |_, before, reply| match before {
        0 => Reply::new(200, noise(SIZE, 77)).cut(SIZE / 2),
        _ => reply,
    });
    host.tool("img-pull", &[&server.reference()]).fails(1).code("corrupt");
    assert_eq!(partials(&host), Vec::<String>::new(), "wrong bytes were kept");
    let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
    assert_pulled(&host, &doc);
    // The same where an earlier pull had left them.
    let host = Host::new();
    let ingest = host.root().join("images/ingest");
    fs::create_dir_all(&ingest).unwrap();
    fs::write(ingest.join(format!("sha256-{}", &image.layers[0][7..])), noise(SIZE / 2, 77)).unwrap();
    let server = serving(&host, &image, |_, _, reply| reply);
    let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
    assert_pulled(&host, &doc);
    let from: Vec<usize> = server.requests(&image.layers[0]).iter().map(Request::from).collect();
    assert_eq!(from, [SIZE / 2, 0]);
}

fn ctrl_c_at_any_instant() {
    let (host, image) = (Host::new(), Image::new(&[SIZE, SIZE / 2, SIZE / 3, 10, 0]));
    let good = image.clone();
    let server = Server::start(&host, move |request, _| {
        thread::sleep(Duration::from_millis(2));
        good.answer(request)
    });
    for n in 0..40 {
        let running = host.cmd("img-pull", &[&server.reference()]).spawn();
        thread::sleep(Duration::from_millis(n));
        running.signal(if n % 2 == 0 { Signal::SIGINT } else { Signal::SIGKILL });
        let ran = running.wait();
        assert!([0, 130, 137].contains(&ran.status) && ran.stderr.is_empty(), "{ran}");
        if ran.status == 0 {
            break; // it was faster
        }
        // What is there under its name is whole.
        for blob in fs::read_dir(host.root().join("images/blobs/sha256")).into_iter().flatten().flatten() {
            let name = blob.file_name().into_string().unwrap();
            assert!(name.starts_with('.') || digest(&fs::read(blob.path()).unwrap()).ends_with(&name), "{name}");
        }
    }
    let doc = host.tool("img-pull", &[&server.reference()]).ok().json();
    assert_pulled(&host, &doc);
}

fn two_at_once_fetch_once() {
    let (host, image) = (Host::new(), Image::new(&[SIZE, SIZE, SIZE]));
    let good = image.clone();
    let server = Server::start(&host, move |request, _| {
        if request.path.contains("/blobs/") {
            thread::sleep(Duration::from_millis(200));
        }
        good.answer(request)
    });
    let start = || host.cmd("img-pull", &[&server.reference()]).spawn();
    let running: Vec<_> = (0..4).map(|_| start()).collect();
    for running in running {
        let doc = running.wait().ok().json();
        assert_pulled(&host, &doc);
    }
    for layer in &image.layers {
        assert_eq!(server.requests(layer).len(), 1, "a layer was fetched twice");
    }
}

fn tells_a_full_disk() {
    let (host, image) = (Host::new(), Image::new(&[SIZE, 1000, SIZE]));
    let server = serving(&host, &image, |_, _, reply| reply);
    let script = format!(
        "mkdir -p {root}; mount -t tmpfs -o size=2m small {root}; img-pull {reference}; s=$?
        ls -A {root}/images; du -s {root} | cut -f1 >used; exit $s",
        root = host.root().display(),
        reference = server.reference()
    );
    let ran = host.cmd("unshare", &["-m", "sh", "-c", &script]).run().fails(1);
    let ran = ran.stderr_has("No space left on device").stdout_has("\"code\":\"limit\"");
    assert!(!ran.text().contains("index.json"), "{ran}");
    let used: u64 = fs::read_to_string(host.dir().join("used")).unwrap().trim().parse().unwrap();
    assert!(used < 2048, "the disk was left full: {used} KiB");
}

fn collects_old_partials() {
    let host = Host::new();
    let ingest = host.root().join("images/ingest");
    fs::create_dir_all(&ingest).unwrap();
    let old = ["sha256-old", "sha256-held", "sha256-new"].map(|name| ingest.join(name));
    for path in &old {
        fs::write(path, "part").unwrap();
    }
    let days = Duration::from_hours(72);
    for path in &old[..2] {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::now() - days).unwrap();
    }
    let held = fs::File::open(&old[1]).unwrap();
    held.lock().unwrap();
    // Written aside, to be renamed over the file without the dot.
    let aside =
        [".index.json.00", ".oci-layout.00", "blobs/sha256/.00.00"].map(|name| host.root().join("images").join(name));
    fs::create_dir_all(aside[2].parent().unwrap()).unwrap();
    for path in &aside {
        fs::write(path, "part").unwrap();
        fs::File::options().write(true).open(path).unwrap().set_modified(std::time::SystemTime::now() - days).unwrap();
    }
    let mut gone: Vec<String> = Vec::new();
    for line in host.tool("img-pull", &["--gc"]).ok().jsons() {
        assert_eq!((&line["removed"], &line["bytes"]), (&json!("partial"), &json!(4)));
        gone.push(line["path"].as_str().unwrap().to_owned());
    }
    gone.sort();
    let mut expected: Vec<&str> = aside.iter().chain([&old[0]]).map(|path| path.to_str().unwrap()).collect();
    expected.sort_unstable();
    assert_eq!(gone, expected);
    let mut left = partials(&host);
    left.sort();
    assert_eq!(left, ["sha256-held", "sha256-new"]);
    host.tool("img-pull", &["--gc"]).ok().stdout_is("");
}

fn holds_little_memory() {
    let (host, image) = (Host::new(), Image::new(&[150 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20]));
    let go = Arc::new(AtomicBool::new(false));
    let wait = go.clone();
    let server = serving(&host, &image, move |request, _, reply| {
        if request.from() > 0 {
            until("leave to go on", || wait.load(Ordering::Relaxed));
            return reply;
        }
        reply.cut((150 << 20) - 1)
    });
    let running = host.cmd("img-pull", &[&server.reference()]).spawn();
    until("all but a byte", || server.requests(&image.layers[0]).len() == 2);
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    go.store(true, Ordering::Relaxed);
    running.wait().ok();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    assert!(peak.trim().parse::<u64>().unwrap() < 64 << 10, "peak memory of {peak} kB");
}

fn writes_no_byte_twice() {
    let (host, image) = (Host::new(), Image::new(&[SIZE]));
    let server = serving(&host, &image, |_, _, reply| reply);
    let log = host.dir().join("strace");
    let args = ["-f", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,write", "-o"];
    let ran = host.cmd("strace", &args).arg(&log).arg(ctr_tests::suite::suite().bin().join("img-pull"));
    ran.arg(server.reference()).run().succeeds();
    let log = fs::read_to_string(log).unwrap();
    // A blob is on the disk before it has its name.
    let at = |part: &str| log.find(part).unwrap_or_else(|| panic!("no {part} in {log}"));
    assert!(at("fdatasync") < at(&format!("blobs/sha256/{}", &image.layers[0][7..])), "{log}");
    let large =
        log.lines().filter(|l| l.contains("write(")).filter_map(|l| l.rsplit("= ").next()?.parse::<usize>().ok());
    let written: usize = large.filter(|n| *n > 4096).sum();
    assert_eq!(written, SIZE);
}
