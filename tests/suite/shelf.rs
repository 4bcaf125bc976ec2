//! The store as a whole under kills and under many at once: no image is lost, fsck repairs, df adds up.

use crate::living::busybox;
use ctr_tests::*;
use nix::sys::signal::Signal;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("shelf",
        ["root", "umoci"]:
            killed_at_any_instant;
        ["root", "umoci", "docker-registry", "skopeo"]:
            eight_at_once
    )
}

/// How long these go on, seconds; `CTR_TEST_SHELF_SECONDS=60` for a long look.
fn seconds() -> u64 {
    std::env::var("CTR_TEST_SHELF_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// The sum that ctr-df prints is that of du.
#[track_caller]
fn adds_up(host: &Host) {
    let lines = host.tool("ctr-df", &[]).ok().jsons();
    let (total, parts) = lines.split_last().unwrap();
    let du = host.sh("du -s -B1 $CTR_ROOT | cut -f1").ok().text();
    assert_eq!(total["Size"].to_string(), du.trim());
    assert_eq!(parts.iter().map(|line| line["Size"].as_u64().unwrap()).sum::<u64>(), total["Size"]);
}

fn killed_at_any_instant() {
    let host = busybox();
    host.sh("img-inspect --document busybox | img-unpack").ok();
    let layers = images::archive("layers300");
    let layers = layers.to_str().unwrap();
    let setup =
        format!("img-load -i {layers} | jq -c 'if .image then .image.layers |= .[:20] else . end' | img-unpack");
    let commands = [
        "exec img-save -o out.tar layers300 busybox".to_owned(),
        format!("exec img-load -i {layers}"),
        "exec img-rm layers300".to_owned(),
        // Its image dangles then.
        "img-tag busybox layers300; exec img-prune -f".to_owned(),
        "exec img-save layers300 >piped.tar".to_owned(),
        "tar c -C /usr/share/doc . 2>/dev/null | img-import - doc".to_owned(),
        format!("img-load -i {layers} | img-unpack"),
    ];
    let begin = Instant::now();
    let mut n = 0_u64;
    while n < commands.len() as u64 || begin.elapsed() < Duration::from_secs(seconds()) {
        n += 1;
        host.sh(&setup).ok();
        let running = host.sh_cmd(&commands[usize::try_from(n).unwrap() % commands.len()]).spawn();
        thread::sleep(Duration::from_micros(n * 7919 % 50_000));
        running.signal_all(Signal::SIGKILL);
        running.wait();
        host.tool("ctr-fsck", &["--repair"]).ok();
        host.tool("ctr-fsck", &[]).ok();
        host.sh("img-inspect --document busybox | img-unpack --check | img-load --check").ok();
        adds_up(&host);
        if let Ok(text) = fs::read(host.dir().join("out.tar")) {
            assert!(text.ends_with(&[0; 1024]), "half an archive");
        }
        host.sh("ls -A | grep '^\\.' || true").ok().stdout_is("");
        fs::remove_file(host.dir().join("out.tar")).ok();
    }
}

/// Eight processes pull, tag, remove, prune, load and save on one store. What fails says that another was at work.
fn eight_at_once() {
    let host = Host::new();
    let (one, two) = (registry::plain().push("busybox"), registry::plain().push("busybox-zstd"));
    host.sh(&format!("img-pull {one} && img-tag {one} kept")).succeeds();
    host.sh("img-inspect --document kept | img-unpack").ok();
    let archive = images::archive("busybox-plain");
    let archive = archive.to_str().unwrap();
    let jobs = [
        format!("img-pull -q {one}"),
        format!("img-pull -q {two} | img-unpack"),
        format!("img-tag kept {one}; img-tag kept x:1; img-rm x:1"),
        format!("img-rm {two}"),
        format!("img-rm -f {one}"),
        "img-prune -f".to_owned(),
        format!("img-load -i {archive} | img-unpack; img-rm busybox-plain"),
        "img-save kept >/dev/null; ctr-fsck >&2; ctr-fsck --repair >&2".to_owned(),
    ];
    // Nothing else may be said: what repair takes for a leftover may be just begun; that an image is not there, or that what it had was taken meanwhile.
    let honest = [
        "\"left\":0",
        "\"kind\":\"leftover\"",
        "no image ",
        "removed meanwhile",
        "is not in the store",
        "are removed as fast",
        "lacks blob",
    ];
    let all: Vec<String> = thread::scope(|scope| {
        let run = |job: &String| {
            let begin = Instant::now();
            let mut said = String::new();
            while begin.elapsed() < Duration::from_secs(seconds()) {
                said += &host.sh(&format!("{{ {job}; }} >/dev/null")).stderr_text();
            }
            said
        };
        let threads: Vec<_> = jobs.iter().map(|job| scope.spawn(move || run(job))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (job, said) in jobs.iter().zip(&all) {
        let other: Vec<_> = said.lines().filter(|line| !honest.iter().any(|part| line.contains(part))).collect();
        assert!(other.is_empty(), "{job}: {other:#?}");
    }
    host.tool("ctr-fsck", &[]).ok();
    host.sh("img-inspect --document kept | img-unpack --check | img-load --check").ok();
    adds_up(&host);
}
