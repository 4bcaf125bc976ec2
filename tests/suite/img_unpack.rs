//! img-unpack: trees as other unpackers make them, layers that lie, many at once, killed, without space.
//!
//! What single hostile entries do is tested beside the code, in `lib/layer/tests`.

use ctr_tests::*;
use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

pub fn tests() -> Vec<Test> {
    tests!("img-unpack",
        ["root", "umoci", "skopeo", "busybox"]:
            writes_paths_and_nothing_else, undo_takes_the_paths, check_and_dry_run_change_nothing,
            unpacks_while_documents_come, unpacks_300_layers;
        ["root", "umoci", "skopeo", "busybox", "zstd"]: compression_makes_no_difference;
        ["root", "umoci", "skopeo", "mmdebstrap", "attr", "libcap", "overlay"]: trees_are_as_umoci_makes_them;
        ["root", "attr", "acl", "libcap"]: trees_are_as_gnu_tar_packed_them;
        ["root"]:
            refuses_layers_that_lie, refuses_cut_and_damaged_blobs, refuses_what_is_no_layer, refuses_escapes,
            one_tree_for_equal_layers, two_at_once_make_one_tree, a_killed_one_leaves_nothing_that_stays,
            gives_up_when_its_input_is_bad, says_when_space_is_gone, says_when_it_may_not,
            a_removal_meanwhile_is_made_good,
            memory_does_not_grow_with_the_layer, keeps_the_callers_rules_out;
        ["root", "zstd"]: one_layer_for_looking_at;
        []: refuses_bad_input)
}

/// An image of layers made here, given as blob and tar, its blobs in the host's store.
fn image(host: &Host, layers: &[(Vec<u8>, Vec<u8>)]) -> Value {
    let digest = |bytes: &[u8]| {
        let hex: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        format!("sha256:{hex}")
    };
    let images = host.root().join("images");
    fs::create_dir_all(images.join("blobs/sha256")).unwrap();
    fs::write(images.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let put = |blob: &[u8]| {
        let digest = digest(blob);
        fs::write(images.join("blobs/sha256").join(&digest[7..]), blob).unwrap();
        digest
    };
    let layers: Vec<Value> = layers
        .iter()
        .map(|(blob, tar)| {
            json!({"digest": put(blob), "diffId": digest(tar), "size": blob.len(),
                   "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"})
        })
        .collect();
    json!({"ctr": 1, "image": {"ref": "docker.io/library/made:latest", "manifest": {}, "config": {}, "layers": layers}})
}

/// A tar that GNU tar makes of what the shell text leaves in its working directory.
fn tar(host: &Host, name: &str, make: &str) -> Vec<u8> {
    host.sh(&format!("mkdir {name}; (cd {name}; {make}); tar -C {name} -cf {name}.tar .")).ok();
    fs::read(host.dir().join(format!("{name}.tar"))).unwrap()
}

fn gzip(host: &Host, bytes: &[u8]) -> Vec<u8> {
    host.cmd("gzip", &["-1n"]).stdin(bytes).run().ok().stdout
}

fn document(host: &Host, image: &str) -> Value {
    let archive = images::archive(image);
    host.tool("img-load", &["-i", archive.to_str().unwrap()]).ok().json()
}

fn trees(doc: &Value) -> Vec<PathBuf> {
    let layers = doc["image"]["layers"].as_array().unwrap();
    layers.iter().map(|l| PathBuf::from(l["path"].as_str().unwrap())).collect()
}

/// No tree, whole or half, is in the store.
fn assert_no_tree(host: &Host) {
    assert_eq!(host.sh("find $CTR_ROOT/layers -mindepth 1 ! -name sha256 2>/dev/null || :").ok().text(), "");
}

fn writes_paths_and_nothing_else() {
    let host = Host::new();
    let mut doc = document(&host, "busybox");
    doc["later"] = json!({"z": 1, "a": 2});
    doc["image"]["layers"][0]["later"] = json!("kept");
    doc["image"]["later"] = json!([1]);
    let ran = host.pipe_to(&doc, "img-unpack", &[]).ok();
    let out = ran.json();
    schema::assert_valid(std::slice::from_ref(&out));
    let diff_id = doc["image"]["layers"][0]["diffId"].as_str().unwrap();
    let tree = host.root().join("layers/sha256").join(&diff_id[7..]);
    doc["image"]["layers"][0]["path"] = json!(tree);
    let mut steps = doc["steps"].as_array().cloned().unwrap_or_default();
    steps.push(json!({"tool": "img-unpack", "undo": {}}));
    doc["steps"] = json!(steps);
    assert_eq!(out, doc);
    assert_eq!(fs::metadata(host.root().join("layers/sha256")).unwrap().mode() & 0o777, 0o700);
    // A second time nothing is made.
    let made = fs::metadata(&tree).unwrap();
    host.pipe_to(&out, "img-unpack", &[]).ok();
    let found = fs::metadata(&tree).unwrap();
    assert_eq!((made.ino(), made.ctime_nsec()), (found.ino(), found.ctime_nsec()));
}

fn compression_makes_no_difference() {
    let host = Host::new();
    let first = host.pipe_to(&document(&host, "busybox"), "img-unpack", &[]).ok().json();
    let listing = tree::list(&trees(&first)[0], &[]);
    assert!(listing.len() > 100);
    for other in ["busybox-zstd", "busybox-plain", "busybox-members"] {
        let host = Host::new();
        let mut doc = document(&host, other);
        // The label on the bottle may be wrong.
        doc["image"]["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.diff.tar.gzip");
        let doc = host.pipe_to(&doc, "img-unpack", &[]).ok().json();
        assert_eq!(tree::differences(&listing, &tree::list(&trees(&doc)[0], &[])), Vec::<String>::new(), "{other}");
    }
}

fn trees_are_as_umoci_makes_them() {
    for name in ["debian", "many"] {
        let host = Host::new();
        let doc = host.cmd("img-unpack", &[""; 0]).stdin(format!("{}\n", document(&host, name))).limit(300).run().ok();
        let mut lower: Vec<String> = trees(&doc.json()).iter().map(|p| p.to_str().unwrap().to_owned()).collect();
        lower.reverse();
        let umoci = images::unpacked_by_umoci(name, &host.dir().join("umoci"));
        let merged = host.dir().join("merged");
        fs::create_dir_all(host.dir().join("empty")).unwrap();
        fs::create_dir_all(&merged).unwrap();
        lower.push(host.dir().join("empty").to_str().unwrap().to_owned());
        host.sh(&format!("mount -t overlay overlay -o ro,lowerdir={} merged", lower.join(":"))).ok();
        let (ours, theirs) = (tree::list(&merged, &[]), tree::list(&umoci, &[]));
        assert!(ours.len() > 5_000, "{}", ours.len());
        assert_eq!(tree::differences(&ours, &theirs), Vec::<String>::new(), "{name}: ours left, umoci's right");
    }
}

/// A tree with everything a layer can hold, packed in every format GNU tar has, unpacked here.
fn trees_are_as_gnu_tar_packed_them() {
    let host = Host::new();
    let long = "n".repeat(120);
    host.sh(&format!(
        "umask 022; mkdir -p t/dir/{long}/{long} t/readonly t/setgid && cd t
        echo data >file; touch -d '2001-02-03 04:05:06.123456789' file; : >empty
        ln file hard; ln -s file soft; ln -s /etc/passwd absolute; ln -s {long}/{long}/{long} longlink
        touch -hd '1999-01-01 00:00:00.5' soft; echo long >dir/{long}/{long}/file; ln file dir/{long}/{long}/hardlong
        mkfifo fifo; mknod null c 1 3; mknod disk b 8 17; chmod 600 disk
        cp /bin/true suid; chmod 4755 suid; cp /bin/true sgid; chmod 2711 sgid; chown 5:6 suid sgid; chmod 6711 sgid
        chmod 2775 setgid; chown 1:2 setgid; chmod 555 readonly; chmod 1777 dir
        cp /bin/true capable; chown 1000:1000 capable; setcap cap_net_raw,cap_net_admin+ep capable
        echo x >attr; setfattr -n user.plain -v v attr; setfattr -n trusted.own -v 0x000a3d0a attr
        setfattr -h -n trusted.onlink -v l soft; setfattr -n user.ondir -v d dir
        echo x >acl; setfacl -m u:4007:rw,g:4008:r,m::rw acl; setfacl -d -m u:4007:rwx setgid
        setfacl -m g:4009:r-x readonly
        truncate -s 3M sparse; printf abc | dd of=sparse bs=1 seek=1048576 conv=notrunc status=none
        printf end | dd of=sparse bs=1 seek=3145725 conv=notrunc status=none
        i=0; while [ $i -lt 60 ]; do printf $i | dd of=manyholes bs=1 seek=$((i*65536)) conv=notrunc status=none; i=$((i+1)); done
        chown 123456:4000000 empty; chown -h 7:8 soft; printf '\\377\\376' >\"$(printf 'bad\\377utf')\"
        mkdir stamped; echo x >stamped/x; touch -d '2011-11-11 11:11:11.111111111' stamped . "
    ))
    .ok();
    let original = tree::list(&host.dir().join("t"), &[]);
    let all = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner"].join(" ");
    for format in [
        format!("--format=posix {all}"),
        format!("--format=posix {all} --sparse --sparse-version=0.0"),
        format!("--format=posix {all} --sparse --sparse-version=0.1"),
        format!("--format=posix {all} --sparse --sparse-version=1.0"),
    ] {
        host.sh(&format!("tar -C t {format} -cf t.tar . && img-unpack --layer t.tar --to u")).ok();
        let unpacked = tree::list(&host.dir().join("u"), &[]);
        assert_eq!(tree::differences(&original, &unpacked), Vec::<String>::new(), "{format}");
        let blocks = |path: &str| fs::metadata(host.dir().join(path)).unwrap().blocks();
        if format.contains("sparse") {
            assert_eq!((blocks("u/sparse"), blocks("u/manyholes")), (blocks("t/sparse"), blocks("t/manyholes")));
        }
        let time =
            |dir: &str| fs::metadata(host.dir().join(dir)).map(|m| (m.mtime(), m.mtime_nsec(), m.mode())).unwrap();
        assert_eq!(time("u"), time("t"), "the root itself");
        host.sh("rm -r u").ok();
    }
    // The old formats hold less: whole seconds, no xattrs.
    host.sh("touch -d '2001-02-03 04:05:06' file; cd t; setcap -r capable; setfattr -x user.plain attr
        setfattr -x trusted.own attr; setfattr -hx trusted.onlink soft; setfattr -x user.ondir dir
        setfacl -b acl readonly; setfacl -k setgid; find . -exec touch -hd '2001-02-03 04:05:06' {} +")
        .succeeds();
    let original = tree::list(&host.dir().join("t"), &[]);
    for format in ["--format=gnu", "--format=gnu --sparse", "--format=oldgnu --sparse"] {
        host.sh(&format!("tar -C t {format} -cf t.tar . && img-unpack --layer t.tar --to u")).ok();
        let unpacked = tree::list(&host.dir().join("u"), &[]);
        assert_eq!(tree::differences(&original, &unpacked), Vec::<String>::new(), "{format}");
        host.sh("rm -r u").ok();
    }
}

fn unpacks_300_layers() {
    let host = Host::new();
    let doc = host.pipe_to(&document(&host, "layers300"), "img-unpack", &[]).ok().json();
    let trees = trees(&doc);
    assert_eq!(trees.len(), 300);
    assert!(trees.iter().all(|tree| tree.is_dir()));
    assert_eq!(host.sh("ls -A $CTR_ROOT/layers").ok().text(), "sha256\n");
}

fn undo_takes_the_paths() {
    let host = Host::new();
    let before = document(&host, "busybox");
    let doc = host.pipe_to(&before, "img-unpack", &[]).ok().json();
    let undone = host.pipe_to(&doc, "img-unpack", &["--undo"]).ok().json();
    assert_eq!(undone, before);
    assert_eq!(host.pipe_to(&undone, "img-unpack", &["--undo"]).ok().json(), before);
    assert!(trees(&doc)[0].is_dir(), "another image may use the tree");
}

fn check_and_dry_run_change_nothing() {
    let host = Host::new();
    let doc = document(&host, "busybox");
    let ran = host.pipe_to(&doc, "img-unpack", &["--dry-run"]).succeeds().stderr_has(r#""op":"unpack""#);
    assert_no_tree(&host);
    host.pipe_to(&ran.json(), "img-unpack", &["--check"]).fails(1).code("not-found");
    host.pipe_to(&doc, "img-unpack", &["--check"]).fails(1).code("not-found").stderr_has("is not unpacked");
    assert_no_tree(&host);
    let unpacked = host.pipe_to(&doc, "img-unpack", &["--trace"]).succeeds().stderr_has(r#""op":"unpack""#).json();
    host.pipe_to(&unpacked, "img-unpack", &["--check"]).ok().stdout_is(&format!("{unpacked}\n"));
}

fn unpacks_while_documents_come() {
    let host = Host::new();
    let mut doc = document(&host, "layers300");
    let mut layers = doc["image"]["layers"].as_array().unwrap().clone();
    layers.truncate(5);
    doc["image"]["layers"] = json!(layers);
    let mut partial = doc.clone();
    partial["partial"] = json!(true);
    partial["image"]["layers"] = json!(layers[..3]);
    // The final document comes only once the layers of the interim one are there.
    let want = host.root().join("layers/sha256").join(&layers[2]["diffId"].as_str().unwrap()[7..]);
    fs::write(host.dir().join("partial"), format!("{partial}\n")).unwrap();
    fs::write(host.dir().join("final"), format!("{doc}\n")).unwrap();
    let text = format!(
        "{{ cat partial; i=0; while [ ! -d {} ]; do sleep 0.02; i=$((i+1)); [ $i -lt 500 ] || exit 1; done; cat final; }}
        | img-unpack",
        want.display()
    );
    let out = host.sh(&text.replace('\n', " ")).ok().json();
    assert_eq!(trees(&out).len(), 5);
    assert!(trees(&out).iter().all(|tree| tree.is_dir()));
}

fn refuses_layers_that_lie() {
    let host = Host::new();
    let good = tar(&host, "good", "echo x >f");
    let other = tar(&host, "other", "echo y >f");
    let doc = image(&host, &[(gzip(&host, &good), good), (gzip(&host, &other), b"something else".to_vec())]);
    let digest = doc["image"]["layers"][1]["digest"].as_str().unwrap();
    let ran = host.pipe_to(&doc, "img-unpack", &[]).fails(1).code("corrupt").stderr_has(digest);
    assert!(ran.json()["image"]["layers"][1].get("path").is_none());
    let lies = doc["image"]["layers"][1]["diffId"].as_str().unwrap();
    assert!(!host.root().join("layers/sha256").join(&lies[7..]).exists());
    // The good one is there whole or was given up without a trace.
    assert!(!half_made(&host));
}

fn refuses_cut_and_damaged_blobs() {
    let host = Host::new();
    let tar = tar(&host, "t", "seq 100000 >f; seq 1000 >g");
    let blob = gzip(&host, &tar);
    let mut flipped = blob.clone();
    flipped[blob.len() / 2] ^= 0x40;
    let cases = [
        ("cut", blob[..blob.len() / 2].to_vec()),
        ("without its last bytes", blob[..blob.len() - 5].to_vec()),
        ("with a bit flipped", flipped),
        ("with something after it", [&blob[..], b"tail"].concat()),
        ("a plain tar, cut", tar[..tar.len() / 2].to_vec()),
        ("a plain tar without its end", tar[..tar.len() - 10240].to_vec()),
        ("empty", Vec::new()),
        ("a web page", b"<html>captive portal</html>".to_vec()),
    ];
    for (what, bytes) in cases {
        let doc = image(&host, &[(bytes, tar.clone())]);
        let ran = host.pipe_to(&doc, "img-unpack", &[]).fails(1);
        assert_eq!(ran.error_code(), "corrupt", "{what}{ran}");
        assert_no_tree(&host);
    }
}

fn refuses_what_is_no_layer() {
    let host = Host::new();
    let tar = tar(&host, "t", "echo x >f");
    let doc = image(&host, &[(gzip(&host, &tar), tar.clone())]);
    let with = |key: &str, value: Value| {
        let mut doc = doc.clone();
        doc["image"]["layers"][0][key] = value;
        host.pipe_to(&doc, "img-unpack", &[]).fails(1)
    };
    with("mediaType", json!("application/vnd.oci.image.layer.v1.tar+gzip+encrypted")).code("unsupported");
    with("mediaType", json!("application/vnd.cncf.helm.chart.content.v1.tar+gzip")).code("unsupported");
    with("digest", json!(format!("sha256:{}", "0".repeat(64)))).code("not-found").stderr_has("pull the image again");
    with("digest", json!("sha256:../../../../etc/passwd")).code("invalid");
    with("diffId", json!("sha256:../../../../tmp")).code("invalid");
    with("diffId", json!("md5:d41d8cd98f00b204e9800998ecf8427e")).code("unsupported");
    let xz = image(&host, &[(b"\xfd7zXZ\0\0\0\0".to_vec(), tar)]);
    host.pipe_to(&xz, "img-unpack", &[]).fails(1).code("unsupported").stderr_has("xz");
    assert_no_tree(&host);
}

fn refuses_escapes() {
    let host = Host::new();
    // By GNU tar, which packs such names when told to.
    let packed = |pack: &str| {
        host.sh(&format!("rm -rf e; mkdir -p e/in; cd e; echo x >witness; echo x >in/f; cd in; {pack}")).ok();
        fs::read(host.dir().join("e/tar")).unwrap()
    };
    for pack in [
        "tar -Pcf ../tar ../witness",
        "tar -Pcf ../tar --transform 's,^f,../f,' f",
        "ln -s .. out; mkdir out2; tar -cf ../tar out f --transform 's,^f,out/../../f,'",
        "ln f h; tar -Pcf ../tar --transform 's,^f$,../../witness,h' f h",
        "touch .wh..; tar -cf ../tar ./.wh..",
        "tar -cf ../tar f f --hard-dereference",
    ] {
        let tar = packed(pack);
        let doc = image(&host, &[(gzip(&host, &tar), tar)]);
        let ran = host.pipe_to(&doc, "img-unpack", &[]).fails(1);
        assert_eq!(ran.error_code(), "corrupt", "{pack}{ran}");
        assert_no_tree(&host);
    }
}

fn one_tree_for_equal_layers() {
    let host = Host::new();
    let tar = tar(&host, "t", "echo x >f");
    // The same tar compressed twice: two blobs, one diffId.
    let plain = (tar.clone(), tar.clone());
    let doc = image(&host, &[plain.clone(), (gzip(&host, &tar), tar), plain]);
    let trees = trees(&host.pipe_to(&doc, "img-unpack", &[]).ok().json());
    assert!(trees.len() == 3 && trees.iter().all(|tree| *tree == trees[0]));
}

fn two_at_once_make_one_tree() {
    let host = Host::new();
    let tar =
        tar(&host, "t", "seq 300000 >f; mkdir d; cd d; i=0; while [ $i -lt 500 ]; do echo $i >$i; i=$((i+1)); done");
    let doc = image(&host, &[(gzip(&host, &tar), tar)]);
    let all: Vec<_> = (0..8).map(|_| host.cmd("img-unpack", &[""; 0]).stdin(format!("{doc}\n")).spawn()).collect();
    let trees: Vec<_> = all.into_iter().map(|one| trees(&one.wait().ok().json())[0].clone()).collect();
    assert!(trees.iter().all(|tree| *tree == trees[0]));
    assert_eq!(fs::read_dir(trees[0].join("d")).unwrap().count(), 500);
    assert_eq!(host.sh("ls -A $CTR_ROOT/layers").ok().text(), "sha256\n");
}

/// A layer that takes a while: many small files.
fn slow(host: &Host) -> Value {
    let many = "i=0; while [ $i -lt 40 ]; do mkdir $i; cd $i; seq 1000 | split -l 1 -a 4; cd ..; i=$((i+1)); done";
    let tar = tar(host, "slow", many);
    image(host, &[(gzip(host, &tar), tar)])
}

fn half_made(host: &Host) -> bool {
    let entries = fs::read_dir(host.root().join("layers")).into_iter().flatten().flatten();
    entries.into_iter().any(|e| e.file_name().to_string_lossy().starts_with(".tmp-"))
}

fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not happen");
        thread::sleep(Duration::from_millis(1));
    }
}

fn a_killed_one_leaves_nothing_that_stays() {
    let host = Host::new();
    let doc = slow(&host);
    let begin = || host.cmd("img-unpack", &[""; 0]).stdin(format!("{doc}\n")).spawn();
    let kill = || {
        let running = begin();
        wait_for(|| half_made(&host));
        // gc leaves what is in the making alone.
        host.tool("img-unpack", &["--gc"]).ok();
        running.signal_all(Signal::SIGKILL);
        running.wait().exits(137);
    };
    kill();
    assert!(half_made(&host), "it was too fast to be killed");
    let removed = host.tool("img-unpack", &["--gc"]).ok().json();
    assert_eq!(removed["tool"], "img-unpack");
    assert_no_tree(&host);
    host.tool("img-unpack", &["--gc"]).ok().stdout_is("");
    // Nor does the next one need a gc.
    kill();
    begin().wait().ok();
    assert!(!half_made(&host));
}

fn gives_up_when_its_input_is_bad() {
    let host = Host::new();
    let mut doc = slow(&host);
    doc["partial"] = json!(true);
    fs::write(host.dir().join("partial"), format!("{doc}\n")).unwrap();
    for (end, code) in [
        ("printf ''", "invalid"),
        ("echo nonsense", "invalid"),
        (r#"echo '{"ctr":9}'"#, "version"),
        (r#"echo '{"ctr":1,"error":{"tool":"img-pull","code":"network","message":"x","exit":1}}'"#, "network"),
    ] {
        let text = format!("{{ cat partial; while [ ! -e $CTR_ROOT/layers/.tmp-* ]; do sleep 0.01; done; {end}; }}");
        assert_eq!(host.sh(&format!("{text} | img-unpack")).exits(1).error_code(), code, "{end}");
        assert_no_tree(&host);
    }
}

/// While a pull streams no image of the store has its layers: with another image that has one its tree goes.
fn a_removal_meanwhile_is_made_good() {
    let host = Host::new();
    let tar = tar(&host, "t", "echo x >f");
    let doc = image(&host, &[(gzip(&host, &tar), tar)]);
    host.sh("img-import t.tar twin").ok();
    let mut partial = doc.clone();
    partial["partial"] = json!(true);
    fs::write(host.dir().join("partial"), format!("{partial}\n")).unwrap();
    fs::write(host.dir().join("final"), format!("{doc}\n")).unwrap();
    let tree = format!("$CTR_ROOT/layers/sha256/{}", &doc["image"]["layers"][0]["diffId"].as_str().unwrap()[7..]);
    let text = format!(
        "{{ cat partial; i=0; while [ ! -d {tree} ]; do sleep 0.02; i=$((i+1)); [ $i -lt 500 ] || exit 1; done; \
            img-rm twin >removed; [ ! -d {tree} ] || exit 1; cat final; }} | img-unpack"
    );
    let out = host.sh(&text).ok().json();
    host.pipe_to(&out, "img-unpack", &["--check"]).ok();
    assert!(fs::read_to_string(host.dir().join("removed")).unwrap().contains("Deleted"));
}

fn says_when_space_is_gone() {
    let host = Host::new();
    let tar = tar(&host, "t", "head -c 3000000 /dev/zero >f; echo small >g");
    fs::create_dir_all(host.root()).unwrap();
    host.sh("mount -t tmpfs -o size=1m small $CTR_ROOT").ok();
    let doc = image(&host, &[(gzip(&host, &tar), tar.clone())]);
    host.pipe_to(&doc, "img-unpack", &[]).fails(1).code("limit").stderr_has("No space left");
    assert_no_tree(&host);
    // Nor files: the tmpfs counts them too.
    host.sh("mount -o remount,size=50m,nr_inodes=10 $CTR_ROOT").ok();
    host.pipe_to(&doc, "img-unpack", &[]).fails(1).code("limit");
    host.sh("mount -o remount,nr_inodes=100 $CTR_ROOT").ok();
    host.pipe_to(&doc, "img-unpack", &[]).ok();
}

fn says_when_it_may_not() {
    let root = Host::new();
    let tar = tar(&root, "t", "echo x >f; chown 0:0 f");
    let host = Host::new().as_user(65534);
    let doc = image(&host, &[(gzip(&root, &tar), tar.clone())]);
    host.sh_cmd(":").run().ok();
    std::os::unix::fs::chown(host.root(), Some(65534), Some(65534)).unwrap();
    host.pipe_to(&doc, "img-unpack", &[]).fails(1).code("denied");
    assert_no_tree(&host);
}

fn memory_does_not_grow_with_the_layer() {
    let host = Host::new();
    // 600 MB as tar, 600 kB as gzip; and 64 MiB is all the memory there is.
    let make = "truncate -s 300M a b; tar -c a b";
    let digest = host.sh(&format!("{make} | tee layer.tar | sha256sum")).ok().text();
    host.sh("gzip -1 layer.tar").ok();
    let text = host.sh("ulimit -d 65536; img-unpack --layer layer.tar.gz --to out").ok().text();
    assert_eq!(text.trim().strip_prefix("sha256:"), digest.split(' ').next());
    assert_eq!(host.sh("stat -c %s out/a out/b").ok().text(), "314572800\n314572800\n");
}

/// The caller's umask, set-group-ID directories and default ACLs do not reach the tree.
fn keeps_the_callers_rules_out() {
    let host = Host::new();
    let tar = tar(&host, "t", "umask 0; mkdir d; echo x >d/f; chmod 666 d/f; chmod 777 d .");
    let doc = image(&host, &[(gzip(&host, &tar), tar)]);
    fs::create_dir_all(host.root().join("layers")).unwrap();
    host.sh("chgrp 7 $CTR_ROOT/layers; chmod 2755 $CTR_ROOT/layers").ok();
    let run = host.sh_cmd("umask 077; exec img-unpack").stdin(format!("{doc}\n")).run().ok();
    let tree = &trees(&run.json())[0];
    let found = |path: &str| fs::metadata(tree.join(path)).map(|m| (m.mode() & 0o7777, m.gid())).unwrap();
    assert_eq!((found(""), found("d"), found("d/f")), ((0o777, 0), (0o777, 0), (0o666, 0)));
}

fn one_layer_for_looking_at() {
    let host = Host::new();
    let tar = tar(&host, "t", "echo x >f; mkdir d; touch .wh.gone d/.wh..wh..opq");
    fs::write(host.dir().join("layer.gz"), gzip(&host, &tar)).unwrap();
    let diff_id = host.sh("echo sha256:$(sha256sum <t.tar | cut -d' ' -f1)").ok().text();
    host.tool("img-unpack", &["--layer", "layer.gz", "--to", "a"]).ok().stdout_is(&diff_id);
    host.sh("mkdir b; zstd -qc t.tar | img-unpack --layer - --to b").ok().stdout_is(&diff_id);
    host.tool("img-unpack", &["--layer", "t.tar", "--to", "c"]).ok().stdout_is(&diff_id);
    let of = |dir: &str| tree::list(&host.dir().join(dir), &[]);
    assert_eq!(of("a").len(), 3);
    for other in ["b", "c"] {
        assert_eq!(tree::differences(&of("a"), &of(other)), Vec::<String>::new());
    }
    assert!(!host.root().exists(), "the store is not touched");
    let refuse = |file: &str, to: &str| {
        let ran = host.tool("img-unpack", &["--layer", file, "--to", to]).fails(1);
        assert_eq!(ran.text(), "");
        ran
    };
    refuse("t.tar", "a").stderr_has("not empty");
    refuse("nothing", "d").stderr_has("No such file");
    refuse("t.tar", "t.tar").stderr_has("Not a directory");
    host.sh("head -c 1500 t.tar >cut; mkdir e; head -c 3072 t.tar >unended").ok();
    refuse("cut", "d").stderr_has("cut short");
    refuse("unended", "d").stderr_has("cut short");
    refuse("cut", "e").stderr_has("cut short");
    let missing = |path: &str| !Path::new(&host.dir().join(path)).exists();
    assert!(missing("d") && fs::read_dir(host.dir().join("e")).unwrap().next().is_none(), "as it was before");
}

fn refuses_bad_input() {
    let host = Host::new();
    host.tool("img-unpack", &["--layer", "x"]).exits(2);
    host.tool("img-unpack", &["--to", "x"]).exits(2);
    host.pipe_to(&json!({"ctr": 1}), "img-unpack", &[]).fails(1).code("invalid").stderr_has("img-pull");
    host.pipe_to(&json!({"ctr": 1, "image": 7}), "img-unpack", &[]).fails(1).code("invalid");
    host.pipe_to(&json!({"ctr": 2, "image": {}}), "img-unpack", &[]).fails(1).code("version");
}
