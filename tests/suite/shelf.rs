//! The store as a whole under kills and under many at once: no image is lost, fsck repairs, df adds up.

use crate::living::{busybox, rootfs};
use ctr_tests::*;
use nix::sys::signal::Signal;
use std::{
    collections::BTreeMap,
    fs,
    hash::{BuildHasher, RandomState},
    thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("shelf",
        ["root", "overlay", "umoci"]:
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

/// How often each operation is killed; `CTR_TEST_SHELF_KILLS=34` for two hundred in all.
fn kills() -> u32 {
    std::env::var("CTR_TEST_SHELF_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// A command to be killed: what it is counted as, what is done before, and itself.
struct Operation {
    name: &'static str,
    before: String,
    command: String,
}

/// What changes the store, in several ways each.
fn operations(host: &Host) -> Vec<Vec<Operation>> {
    let layers = images::archive("layers300");
    let layers = layers.to_str().unwrap();
    let root = rootfs(host, "c").unwrap();
    // A part of its trees, else most of the time is theirs.
    let load = format!("img-load -i {layers} | jq -c 'if .image then .image.layers |= .[:20] else . end' | img-unpack");
    let churn = format!("for i in 1 2 3 4 5 6 7 8 9; do head -c 100000 /dev/urandom >{}/d/$i; done", root.display());
    let gone = "img-rm layers300 2>/dev/null; ctr rm -f up 2>/dev/null; true";
    // An image without a name.
    let dangling = format!("{load}; img-tag busybox layers300");
    let stopped = "ctr rm p 2>/dev/null; img-inspect --document busybox | img-unpack | overlay-mount --name p";
    let kind = |name, ways: &[(&str, &str)]| {
        let one = |(before, command): &(&str, &str)| Operation {
            name,
            before: (*before).to_owned(),
            command: (*command).to_owned(),
        };
        ways.iter().map(one).collect()
    };
    let load_all = format!("img-load -i {layers} | img-unpack");
    vec![
        kind("commit", &[(&churn, "exec ctr-commit c app:new"), (&churn, "ctr commit c app:new")]),
        kind("copy-up", &[(gone, "ctr run --name up kept sh -c 'for f in /d/*; do echo x >>$f; done'")]),
        kind(
            "save",
            &[(&load, "exec img-save -o out.tar layers300 kept"), (&load, "exec img-save layers300 >piped.tar")],
        ),
        kind(
            "load",
            &[
                (gone, &format!("exec img-load -i {layers}")),
                (gone, &load_all),
                ("", "tar c -C /usr/share/doc . 2>/dev/null | img-import - doc"),
            ],
        ),
        kind("rmi", &[(&load, "exec img-rm layers300")]),
        kind(
            "prune",
            &[
                (&dangling, "exec img-prune -f"),
                (&format!("{dangling}; {stopped}"), "exec ctr-prune --system -f --filter label!=keep"),
            ],
        ),
    ]
}

/// How long each way takes when it is not killed: the second longest of three.
fn usual(host: &Host, operation: &Operation) -> Duration {
    let one = || {
        host.sh(&operation.before).succeeds();
        host.sh(&operation.command).succeeds().took
    };
    let mut times = [one(), one(), one()];
    times.sort();
    times[1]
}

/// A moment within the time, or a little later: else one that takes longer by then is never killed at its end.
fn any_of(time: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8);
    time.mul_f64(1.25 * f64::from(random as u32) / f64::from(u32::MAX))
}

/// Every image that was committed is there, with all that it is made of, and every tree of it can be had.
#[track_caller]
fn are_whole(host: &Host, kept: &[String]) {
    let each = "do img-inspect --document $image | img-unpack | img-load --check >/dev/null || exit 1; done";
    host.sh(&format!("for image in {}; {each}", kept.join(" "))).ok();
}

fn killed_at_any_instant() {
    let host = busybox();
    host.sh("img-inspect --document busybox | img-unpack | overlay-mount --name c -l keep").ok();
    let made = rootfs(&host, "c").unwrap().join("d");
    let files = format!("mkdir {0}; for i in $(seq 200); do head -c 20000 /dev/urandom >{0}/$i; done", made.display());
    host.sh(&files).ok();
    host.sh("ctr-commit c kept:latest").ok();
    let mut kept = vec!["kept".to_owned()];
    let (mut total, mut hits) = (0, 0);
    for ways in operations(&host) {
        let times: Vec<_> = ways.iter().map(|way| usual(&host, way)).collect();
        if ways[0].name == "commit" {
            kept.push("app:new".to_owned());
        }
        let (mut running, mut found) = (0, BTreeMap::<String, u32>::new());
        for n in 0..kills() {
            let at = n as usize % ways.len();
            let way = &ways[at];
            host.sh(&way.before).succeeds();
            let mut run = host.sh_cmd(&way.command.replace(":new", &format!(":{n}"))).spawn();
            thread::sleep(any_of(times[at]));
            running += u32::from(run.runs());
            run.signal_all(Signal::SIGKILL);
            let ended = run.wait();
            let lines = host.tool("ctr-fsck", &["--repair"]).ok().jsons();
            for line in &lines[..lines.len() - 1] {
                *found.entry(format!("{} {}", line["state"], line["kind"]).replace('"', "")).or_default() += 1;
            }
            host.tool("ctr-fsck", &[]).ok();
            if way.name == "commit" {
                let image = format!("app:{n}");
                let is_there = host.tool("img-inspect", &[&image]).status == 0;
                assert!(is_there || ended.status != 0, "{image} was made and is not there");
                kept.extend(is_there.then_some(image));
            }
            are_whole(&host, &kept);
            adds_up(&host);
            if let Ok(text) = fs::read(host.dir().join("out.tar")) {
                assert!(text.ends_with(&[0; 1024]), "half an archive");
            }
            host.sh("ls -A | grep '^\\.' || true").ok().stdout_is("");
            fs::remove_file(host.dir().join("out.tar")).ok();
        }
        let found: Vec<_> = found.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let what = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        eprintln!("{}: {} kills, {running} while it ran; repaired: {what}", ways[0].name, kills());
        (total, hits) = (total + kills(), hits + running);
    }
    // All of it, made anew elsewhere.
    let all = kept.join(" ");
    let anew = "img-inspect --document $image | img-unpack >/dev/null || exit 1";
    host.sh(&format!(
        "img-save {all} >all.tar && export CTR_ROOT=$PWD/other && img-load -i all.tar >/dev/null && for image in {all}; do {anew}; done"
    ))
    .ok();
    are_whole(&host, &kept);
    adds_up(&host);
    eprintln!("{total} kills, {hits} while it ran, {} committed images, none lost", kept.len());
    host.sh("ctr rm -f c; ctr rm -f up p 2>/dev/null; true").succeeds();
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
