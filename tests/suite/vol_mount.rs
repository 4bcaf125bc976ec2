//! vol-mount and ctr-volume: what is mounted, who uses it, what is left.

use crate::living::until;
use ctr_tests::*;
use std::{fs, os::unix::fs::MetadataExt};

pub fn tests() -> Vec<Test> {
    tests!("vol-mount",
        ["root", "overlay", "busybox", "jq"]:
            a_volume_outlives_its_container,
            an_empty_volume_gets_what_the_image_has,
            a_killed_fill_goes_on,
            paths_of_the_host,
            what_is_beneath_is_read_only_too,
            memory,
            images_of_one_layer_and_of_many,
            what_another_has,
            volumes_that_the_image_declares,
            hostile_volumes_of_an_image,
            words_that_are_wrong_leave_nothing,
            a_volume_in_use_stays,
            links_in_a_volume_stay_in_it,
            targets_stay_in_the_root,
            ids_are_mapped,
            shared_mounts_lead_both_ways,
            steps_are_undone_and_checked,
            file_systems_of_their_own,
            a_bounded_volume_is_full,
            who_has_a_volume_does_not_steer_its_filling,
            one_torn_record_is_one_volumes,
            into_a_container_that_runs,
            into_leads_nowhere_else,
            volumes_go_out_and_in_as_tars,
            filters_and_prune,
            prune_asks,
            twenty_first_uses_at_once,
            kills_leave_nothing_half_made,
            devices_of_an_image_are_not_the_hosts,
            what_others_mount_stays_where_it_is,
            nothing_is_mounted_on_the_host,
            a_source_that_was_replaced_is_taken_out,
            a_running_container_is_not_changed_by_a_start,
            links_to_the_root_are_one_root,
            holes_stay_holes;
        ["root", "overlay", "busybox", "strace", "loop"]:
            the_last_user_ends_while_another_comes
    )
}

/// A host with busybox in its store.
fn host() -> Host {
    let host = Host::new();
    host.load("busybox");
    host
}

fn data(host: &Host, name: &str) -> std::path::PathBuf {
    host.root().join("volumes").join(name).join("_data")
}

/// An image with a volume, made from busybox by a tar.
fn image_with_volume(host: &Host) {
    host.sh(
        "mkdir -p made/bin made/var/db/deep && cp $(command -v busybox) made/bin/ && ln -s busybox made/bin/sh && \
             for n in cat ls touch sleep stat; do ln -s busybox made/bin/$n; done && \
             echo first >made/var/db/one && ln made/var/db/one made/var/db/deep/two && ln -s one made/var/db/link && \
             chown 70:71 made/var/db made/var/db/one && chmod 2750 made/var/db && \
             tar -C made -c . | img-import -c 'VOLUME /var/db' -c 'CMD [\"sh\"]' - with >/dev/null",
    )
    .succeeds();
}

fn a_volume_outlives_its_container() {
    let host = host();
    host.sh("ctr run --rm -v db:/data busybox sh -c 'echo kept >/data/f; echo lost >/f'").succeeds();
    host.sh("ctr run --rm -v db:/data busybox sh -c 'cat /data/f; cat /f'").exits(1).stdout_is("kept\n");
    host.sh("ctr volume inspect -f '{{.Name}} {{.Mountpoint}}' db")
        .ok()
        .stdout_has(&data(&host, "db").display().to_string());
    host.sh("ctr volume ls -q").ok().stdout_is("db\n");
    host.sh("ctr volume rm db").ok().stdout_is("db\n");
    assert!(fs::read_dir(host.root().join("volumes")).unwrap().next().is_none());
    host.assert_clean();
}

fn an_empty_volume_gets_what_the_image_has() {
    let host = host();
    image_with_volume(&host);
    host.sh("ctr run --rm -v db:/var/db with sh -c 'cat /var/db/deep/two; echo new >/var/db/three'")
        .ok()
        .stdout_is("first\n");
    let dir = data(&host, "db");
    let meta = fs::metadata(&dir).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (70, 71, 0o2750));
    let (one, two) = (fs::metadata(dir.join("one")).unwrap(), fs::metadata(dir.join("deep/two")).unwrap());
    assert_eq!((one.ino(), one.uid(), one.nlink()), (two.ino(), 70, 2));
    assert_eq!(fs::read_link(dir.join("link")).unwrap().to_str(), Some("one"));
    // It is filled once, not again.
    fs::remove_file(dir.join("one")).unwrap();
    host.sh("ctr run --rm -v db:/var/db with ls /var/db").ok().stdout_is("deep\nlink\nthree\n");
    host.sh("ctr run --rm -v no:/var/db:nocopy with ls /var/db").ok().stdout_is("");
    // At another place there is nothing to copy.
    host.sh("ctr run --rm -v other:/nowhere with ls /nowhere").ok().stdout_is("");
    host.sh("ctr volume rm db no other").succeeds();
    host.assert_clean();
}

/// A tree that was not whole is begun anew; of one that was, what is missing in the volume comes, and nothing there is replaced.
fn a_killed_fill_goes_on() {
    let host = host();
    image_with_volume(&host);
    let dir = host.root().join("volumes/db");
    host.sh("ctr volume create db").succeeds();
    fs::create_dir(dir.join(".filling")).unwrap();
    fs::write(dir.join(".filling/one"), "half").unwrap();
    host.sh("ctr run --rm -v db:/var/db with cat /var/db/one /var/db/deep/two").ok().stdout_is("first\nfirst\n");
    host.sh("rm -r $CTR_ROOT/volumes/db/_data/*; mkdir $CTR_ROOT/volumes/db/.filled").succeeds();
    for (path, text) in [(".filled/one", "image's\n"), (".filled/two", "image's\n"), ("_data/one", "written\n")] {
        fs::write(dir.join(path), text).unwrap();
    }
    // By a container of another image, too.
    host.sh("ctr run --rm -v db:/x busybox cat /x/one /x/two").ok().stdout_is("written\nimage's\n");
    let left: Vec<_> = fs::read_dir(&dir).unwrap().flatten().map(|e| e.file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| ["_data", "lock", "volume.json"].contains(&&**name)), "{left:?}");
}

fn paths_of_the_host() {
    let host = host();
    let dir = host.dir().display().to_string();
    fs::create_dir(host.dir().join("src")).unwrap();
    fs::write(host.dir().join("src/f"), "theirs\n").unwrap();
    host.sh("ctr run --rm -v ./src:/m busybox sh -c 'cat /m/f; echo w >/m/w'").ok().stdout_is("theirs\n");
    assert_eq!(fs::read_to_string(host.dir().join("src/w")).unwrap(), "w\n");
    host.sh("ctr run --rm -v ./src/f:/etc/one:ro busybox cat /etc/one").ok().stdout_is("theirs\n");
    host.sh("ctr run --rm -v ./src:/m:ro busybox touch /m/x").exits(1).stderr_has("Read-only");
    // -v makes a directory, --mount does not.
    host.sh(&format!("ctr run --rm -v {dir}/new/dir:/m busybox ls /m")).ok();
    assert!(host.dir().join("new/dir").is_dir());
    host.sh(&format!("ctr run --rm --mount type=bind,src={dir}/no,dst=/m busybox true"))
        .fails(125)
        .stderr_has("not there");
    assert!(!host.dir().join("no").exists());
    host.sh(&format!(
        "ctr run --rm --mount 'type=bind,\"src={dir}/src\",dst=/m,ro' busybox sh -c 'cat /m/f; touch /m/x'"
    ))
    .exits(1)
    .stdout_is("theirs\n");
    // A file on a directory.
    host.sh("ctr run --rm -v ./src/f:/etc busybox true").exits(125).stderr_has("is a directory");
    host.assert_clean();
}

fn what_is_beneath_is_read_only_too() {
    let host = host();
    host.sh("mkdir -p src/sub && mount -t tmpfs beneath src/sub").succeeds();
    host.sh("ctr run --rm -v ./src:/m:ro busybox touch /m/sub/x").exits(1).stderr_has("Read-only");
    host.sh("ctr run --rm --mount type=bind,src=./src,dst=/m,ro,bind-recursive=writable busybox touch /m/sub/y")
        .succeeds();
    host.sh("ctr run --rm -v ./src:/m:bind busybox ls /m/sub").ok().stdout_is("");
    host.sh("ls src/sub && umount src/sub").ok().stdout_is("y\n");
}

fn memory() {
    let host = host();
    host.sh("ctr run --rm --tmpfs /t:size=1m,mode=0700 busybox sh -c 'stat -c %a /t; dd if=/dev/zero of=/t/x bs=1M count=2 2>&1'")
        .exits(1)
        .stdout_has("700\n")
        .stdout_has("No space");
    host.sh("ctr run --rm --tmpfs /t busybox sh -c 'stat -c %a /t; grep \" /t \" /proc/mounts'")
        .ok()
        .stdout_has("1777")
        .stdout_has("noexec");
    host.sh("ctr run --rm --mount type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=1770 busybox sh -c 'stat -c %a /t; grep \" /t \" /proc/mounts'")
        .ok()
        .stdout_has("1770")
        .stdout_has("size=2048k");
    host.sh("ctr run --rm --tmpfs /t:exec,ro busybox sh -c 'grep \" /t \" /proc/mounts | grep -v noexec'")
        .ok()
        .stdout_has("ro,");
    host.assert_clean();
}

fn images_of_one_layer_and_of_many() {
    let host = host();
    host.load("layers300");
    host.sh("ctr run --rm --mount type=image,src=busybox,dst=/img busybox sh -c 'ls /img/bin/busybox; touch /img/x'")
        .exits(1)
        .stdout_is("/img/bin/busybox\n")
        .stderr_has("Read-only");
    host.sh("ctr run -d --name a --mount type=image,src=layers300,dst=/img busybox sleep 1000").succeeds();
    host.sh("ctr exec a sh -c 'grep \" /img \" /proc/mounts; touch /img/x'")
        .exits(1)
        .stdout_has("overlay")
        .stderr_has("Read-only");
    // The layers stay while a container has them.
    host.sh("ctr rmi -f layers300; ctr restart -t 0 a").succeeds();
    host.sh("ctr exec a ls /img").ok();
    host.sh("ctr run --rm --mount type=image,src=nowhere.invalid/x,dst=/img busybox true").exits(125);
    host.sh("ctr rm -f a").succeeds();
    host.assert_clean();
}

fn what_another_has() {
    let host = host();
    host.sh("mkdir src; ctr run -d --name a -v db:/data -v ./src:/src --tmpfs /t busybox sh -c 'echo 1 >/data/f; sleep 1000'").succeeds();
    until("the file is there", || data(&host, "db").join("f").exists());
    host.sh("ctr run --rm --volumes-from a busybox sh -c 'cat /data/f; ls -d /src; ls /t'")
        .exits(1)
        .stdout_is("1\n/src\n");
    host.sh("ctr run --rm --volumes-from a:ro busybox touch /data/x").exits(1).stderr_has("Read-only");
    // What is said wins.
    host.sh("ctr run --rm --volumes-from a -v other:/data busybox ls /data").ok().stdout_is("");
    host.sh("ctr run --rm --volumes-from nobody busybox true").exits(125).stderr_has("no container nobody");
    host.sh("ctr run --rm --volumes-from a:rox busybox true").exits(125).stderr_has("rox");
    host.sh("ctr rm -f a && ctr volume rm db other").succeeds();
    host.assert_clean();
}

fn volumes_that_the_image_declares() {
    let host = host();
    image_with_volume(&host);
    let count = || host.sh("ctr volume ls -q | wc -l").ok().text().trim().parse::<usize>().unwrap();
    host.sh("ctr run --rm with sh -c 'cat /var/db/one; grep -c \" /var/db \" /proc/mounts'")
        .ok()
        .stdout_is("first\n1\n");
    assert_eq!(count(), 0, "--rm takes them");
    host.sh("ctr run -d --name a with sleep 1000").succeeds();
    assert_eq!(count(), 1);
    host.sh("ctr inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}}{{end}}' a").ok().stdout_is("volume /var/db\n");
    host.sh("ctr volume rm $(ctr volume ls -q)").fails(1).stderr_has("used by container a");
    // Without -v they stay, and are prune's.
    host.sh("ctr rm -f a").succeeds();
    assert_eq!(count(), 1);
    host.sh("ctr volume prune -f").ok();
    assert_eq!(count(), 0);
    host.sh("ctr run -d --name b with sleep 1000 && ctr rm -fv b").succeeds();
    host.sh("ctr run --name c --entrypoint /nothing with").exits(127);
    host.sh("ctr rm -v c").succeeds();
    host.sh("ctr run --rm -v db:/var/db with cat /var/db/one").ok().stdout_is("first\n");
    host.sh("ctr run -d --rm --name d with sleep 1000 && ctr rm -f d").succeeds();
    assert_eq!(count(), 1, "only the one with a name");
    host.sh("ctr volume rm db").succeeds();
    host.assert_clean();
}

/// A config may be anybody's: its volumes are cleaned, and lie in the container's root.
fn hostile_volumes_of_an_image() {
    let host = host();
    host.sh(
        "mkdir -p made/bin && cp $(command -v busybox) made/bin/ && ln -s busybox made/bin/cat && ln -s / made/out && \
             ln -s ../../../../.. made/up && tar -C made -c . | img-import - links >/dev/null",
    )
    .succeeds();
    let here = host.dir().display().to_string();
    let begun = |volume: &str| {
        let mut doc = host.tool("img-inspect", &["--document", "links"]).ok().json();
        doc["image"]["config"]["config"]["Volumes"] = json!({volume: {}});
        fs::write(host.dir().join("doc"), doc.to_string()).unwrap();
        "img-unpack <doc | overlay-mount --name a"
    };
    let (out, up, inside) = (format!("/out{here}/inside"), format!("/up{here}/inside"), format!("{here}/inside"));
    for (volume, target) in
        [("/../x/./y//", "/x/y"), ("/x/../../y", "/y"), ("/a:b,ro", "/a:b,ro"), (&*out, &*inside), (&*up, &*inside)]
    {
        let mounts = host.sh(&format!("{} | ns-spawn --rm -- cat /proc/mounts", begun(volume))).ok().text();
        assert!(mounts.lines().any(|line| line.split(' ').nth(1) == Some(target)), "{volume}: {mounts}");
        assert!(!host.dir().join("inside").exists() && !mounts.contains("/../"), "{volume}: {mounts}");
    }
    for volume in ["", "x", "../x", "./x", "/", "//", "/..", "/x/../..", "/x\0"] {
        let says = format!("volume {volume:?} of the image");
        host.sh(&format!("{} | vol-mount", begun(volume))).fails(1).code("invalid").stderr_has(&says);
        host.sh("ctr rm a").ok();
        host.sh(&format!("{} | ns-spawn --rm=failed -- cat /proc/mounts", begun(volume))).exits(125).stderr_has(&says);
    }
    host.sh("ctr volume ls -q").ok().stdout_is("");
    host.assert_clean();
}

fn words_that_are_wrong_leave_nothing() {
    let host = host();
    for (words, says) in [
        ("-v rel/ative:/x", "begins with /"),
        ("-v /etc:/x:rox", "\"rox\""),
        ("-v /etc:/x:ro,rw", "twice"),
        ("-v a1:/x -v b1:/x", "a1:/x is mounted on /x too"),
        ("-v a1:/x --tmpfs /y/../x", "mounted on /x too"),
        ("-v a/b:/x", "a/b"),
        ("-v a1:/", "over the root"),
        ("-v a1:x", "no absolute path"),
        ("-v a1:/x:rshared", "for paths of the host"),
        ("--mount type=bind,src=rel,dst=/x", "no absolute path"),
        ("--mount type=volume,src=a1", "no target"),
        ("--mount type=floppy,dst=/x", "floppy"),
        ("--mount type=volume,src=a1,dst=/x,volume-subpath=../y", "no path in the volume"),
        ("--mount type=volume,src=a1,dst=/x,volume-subpath=y", "volume a1 has no y"),
        ("--mount type=volume,src=a1,dst=/x,volume-driver=nfs", "nfs"),
        ("--tmpfs /x:bind", "no option \"bind\""),
        ("-v a1:/x:idmap", "no user namespace"),
        ("-v a1:/proc", "hide procfs"),
    ] {
        let ran = host.sh(&format!("ctr run --rm {words} busybox true"));
        ran.fails(125).stderr_has(says);
        let left: Vec<_> =
            fs::read_dir(host.root().join("volumes")).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
        let made = left.iter().any(|name| name != "a1");
        assert!(!made, "{words}: {left:?}");
    }
    host.sh("ctr volume rm -f a1; ctr ps -aq").ok().stdout_is("a1\n");
    host.assert_clean();
}

fn a_volume_in_use_stays() {
    let host = host();
    host.sh("ctr create --name a -v db:/x busybox true && ctr create --name b -v db:/y busybox true").succeeds();
    host.sh("ctr volume rm db").fails(1).stderr_has("a (").stderr_has("b (");
    host.sh("ctr volume rm -f db").fails(1);
    host.sh("ctr volume prune -af").ok().stdout_is("Total reclaimed space: 0B\n");
    host.sh("ctr rm a; ctr volume rm db").fails(1).stderr_has("b (");
    host.sh("ctr rm b && ctr volume rm db").succeeds();
    host.sh("ctr volume rm db").fails(1).stderr_has("no volume db");
    host.sh("ctr volume rm -f db").ok();
    host.sh("ctr volume rm ../containers").fails(1).stderr_has("invalid name");
    host.assert_clean();
}

/// Another container writes to the volume: a link there that leads out of it leads nowhere.
fn links_in_a_volume_stay_in_it() {
    let host = host();
    fs::create_dir(host.dir().join("secret")).unwrap();
    fs::write(host.dir().join("secret/key"), "secret").unwrap();
    let secret = host.dir().join("secret").display().to_string();
    host.sh(&format!("ctr run --rm -v db:/d busybox sh -c 'ln -s {secret} /d/out; ln -s ../../../.. /d/up; mkdir /d/in; echo fine >/d/in/f; ln -s /in /d/abs'"))
        .succeeds();
    for sub in ["out", "up/etc", "out/key"] {
        let ran =
            host.sh(&format!("ctr run --rm --mount type=volume,src=db,dst=/s,volume-subpath={sub} busybox ls /s"));
        ran.exits(125).stderr_has("has no");
    }
    host.sh("ctr run --rm --mount type=volume,src=db,dst=/s,volume-subpath=abs busybox cat /s/f")
        .ok()
        .stdout_is("fine\n");
    // Looked at once, and again at the start: what was a directory is a link by then.
    host.sh("ctr create --name late --mount type=volume,src=db,dst=/s,volume-subpath=in busybox ls /s").succeeds();
    host.sh(&format!("ctr run --rm -v db:/d busybox sh -c 'mv /d/in /d/was; ln -s {secret} /d/in'")).succeeds();
    let late = host.sh("ctr start -a late 2>&1");
    assert!(late.status != 0 && !late.text().contains("key"), "{late}");
    host.sh("ctr rm late && ctr volume rm db").succeeds();
    host.assert_clean();
}

fn targets_stay_in_the_root() {
    let host = host();
    host.sh("mkdir -p made/bin && cp $(command -v busybox) made/bin/ && ln -s busybox made/bin/sh && ln -s busybox made/bin/cat && \
             ln -s / made/out && ln -s ../../../../.. made/up && ln -s /proc made/p && \
             tar -C made -c . | img-import - links >/dev/null")
        .succeeds();
    let here = host.dir().display().to_string();
    host.sh("mkdir src; echo x >src/f").succeeds();
    for link in ["out", "up"] {
        host.sh(&format!("ctr run --rm -v ./src:/{link}{here}/inside links cat {here}/inside/f")).ok().stdout_is("x\n");
        assert!(!host.dir().join("inside").exists());
    }
    host.sh("ctr run --rm -v ./src/f:/p/self/environ links true").exits(125);
    host.assert_clean();
}

fn ids_are_mapped() {
    let host = host();
    // tmpfs maps ids from Linux 6.3 on.
    host.sh("mkdir src && mount -t tmpfs mine src && echo a >src/f && chown 1000:1001 src src/f").succeeds();
    host.sh(
        "ctr run --rm -v './src:/s:idmap=uids=1000-0-1;gids=1001-0-1' busybox sh -c 'stat -c %u:%g /s/f; touch /s/g'",
    )
    .ok()
    .stdout_is("0:0\n");
    host.sh("stat -c %u:%g src/g").ok().stdout_is("1000:1001\n");
    host.sh("umount src").succeeds();
}

fn shared_mounts_lead_both_ways() {
    let host = host();
    host.sh("mkdir src && mount -t tmpfs mine src && mount --make-private src").succeeds();
    host.sh("ctr run --rm -v ./src:/s:rshared busybox true").exits(125).stderr_has("not a shared mount");
    host.sh("ctr run --rm -v ./src:/s:rslave busybox true").exits(125).stderr_has("not a shared mount");
    host.sh("mount --make-shared src && mkdir src/theirs src/ours src/slaves").succeeds();
    host.sh("ctr run -d --name a --privileged -v ./src:/s:rshared busybox sleep 1000").succeeds();
    host.sh("ctr run -d --name b --privileged -v ./src:/s:rslave busybox sleep 1000").succeeds();
    host.sh("ctr run -d --name c --privileged -v ./src:/s busybox sleep 1000").succeeds();
    host.sh("ctr exec --privileged a mount -t tmpfs x /s/theirs && grep -c src/theirs /proc/self/mounts")
        .ok()
        .stdout_is("1\n");
    host.sh("ctr exec --privileged b mount -t tmpfs x /s/slaves; grep -c src/slaves /proc/self/mounts")
        .exits(1)
        .stdout_is("0\n");
    host.sh("mount -t tmpfs y src/ours").succeeds();
    for (name, sees) in [("a", "1\n"), ("b", "1\n"), ("c", "0\n")] {
        host.sh(&format!("ctr exec {name} grep -c /s/ours /proc/mounts")).stdout_is(sees);
    }
    host.sh("ctr rm -f a b c; umount src/ours src/theirs src").succeeds();
    host.assert_clean();
}

fn steps_are_undone_and_checked() {
    let host = host();
    let pipe = "img-pull --pull missing busybox | img-unpack | overlay-mount";
    host.sh("mkdir src").succeeds();
    let dry = host
        .sh(&format!("{pipe} | vol-mount --dry-run -v db:/a -v ./src:/b | tee dry | overlay-mount --undo >/dev/null"));
    dry.succeeds().stderr_has("\"op\":\"create\"").stderr_has("dryRun");
    assert!(!host.root().join("volumes/db").exists());
    let doc =
        host.sh(&format!("{pipe} | vol-mount -v db:/a -v ./src:/b/c -v /anon | vol-mount --tmpfs /b")).ok().json();
    schema::assert_valid(std::slice::from_ref(&doc));
    let places: Vec<_> =
        doc["spec"]["mounts"].as_array().unwrap().iter().map(|m| m["destination"].as_str().unwrap()).collect();
    assert_eq!(places, ["/a", "/anon", "/b/c", "/b"]);
    host.pipe_to(&doc, "vol-mount", &["--check"]).ok();
    host.sh("rmdir src").succeeds();
    host.pipe_to(&doc, "vol-mount", &["--check"]).fails(1).stderr_has("src, to be mounted on /b/c, is not there");
    let undone = host.pipe_to(&doc, "vol-mount", &["--undo"]).ok().json();
    assert_eq!(undone.get("spec").and_then(|s| s.get("mounts")), None);
    host.sh("ctr volume ls -q").ok().stdout_is("db\n");
    host.pipe_to(&doc, "vol-mount", &["--undo"]).ok();
    host.pipe_to(&undone, "overlay-mount", &["--undo"]).ok();
    host.sh("ctr volume rm db").succeeds();
    // A document does not get to remove a volume that has a name.
    let mut forged = host.sh(&format!("{pipe} | vol-mount -v keep:/a")).ok().json();
    forged["steps"].as_array_mut().unwrap().last_mut().unwrap()["undo"]["anonymous"] = json!(["keep", "../../x"]);
    let undone = host.pipe_to(&forged, "vol-mount", &["--undo"]).ok().json();
    host.sh("ctr volume ls -q").ok().stdout_is("keep\n");
    host.pipe_to(&undone, "overlay-mount", &["--undo"]).ok();
    host.assert_clean();
}

fn file_systems_of_their_own() {
    let host = host();
    host.sh("ctr volume create -o type=tmpfs -o device=tmpfs -o o=size=2m,uid=7 mem").succeeds();
    host.sh("ctr run -d --name a -v mem:/m busybox sleep 1000").succeeds();
    host.sh("ctr run --rm -v mem:/m busybox sh -c 'echo shared >/m/f; stat -c %u /m'").ok().stdout_is("7\n");
    host.sh("ctr exec a cat /m/f").ok().stdout_is("shared\n");
    let check = "ctr inspect --document a | vol-mount --check >/dev/null";
    host.sh(check).ok();
    host.sh("umount $CTR_ROOT/volumes/mem/_data").succeeds();
    host.sh(check).fails(1).stderr_has("volume mem is not mounted");
    host.sh("ctr inspect --document a | vol-mount --repair >/dev/null").succeeds();
    host.sh(check).ok();
    host.sh("ctr rm -f a && grep -c volumes/mem /proc/self/mounts").exits(1).stdout_is("a\n0\n");
    host.sh("mkdir real; ctr volume create -o type=none -o device=$PWD/real -o o=bind bound").succeeds();
    host.sh("ctr run --rm -v bound:/m busybox touch /m/there && ls real").ok().stdout_is("there\n");
    host.sh("ctr volume create -o type=none -o device=/no/such -o o=bind gone; ctr run --rm -v gone:/m busybox true")
        .exits(125)
        .stderr_has("cannot mount volume gone");
    host.sh("ctr volume create -o typ=x bad1").fails(1).stderr_has("no option");
    host.sh("ctr volume create -o type=nfs bad1").fails(1);
    host.sh("ctr volume create -d other bad1").fails(1).stderr_has("no driver");
    host.sh("ctr volume rm mem bound gone").succeeds();
    host.assert_clean();
}

fn a_bounded_volume_is_full() {
    let host = host();
    host.sh("ctr volume create -o size=16m small").succeeds();
    host.sh("ctr run --rm -v small:/s busybox sh -c 'ls /s; dd if=/dev/zero of=/s/x bs=1M count=32 2>&1'")
        .exits(1)
        .stdout_has("No space left");
    host.sh("ctr run --rm -v small:/s busybox sh -c 'rm /s/x; echo kept >/s/y'").succeeds();
    host.sh("ctr volume export small | tar -xO y").ok().stdout_is("kept\n");
    host.sh("ctr run --rm -v small:/s busybox cat /s/y").ok().stdout_is("kept\n");
    host.sh("ctr volume create -o size=many bad1").fails(1).stderr_has("many");
    host.sh("ctr volume create -o size=1k bad1").fails(1).stderr_has("less than 1m");
    host.sh("ctr volume rm small && ctr volume ls -q").ok();
    host.sh("losetup -a | grep $CTR_ROOT").exits(1);
    host.assert_clean();
}

/// In a file system of its own the tree that is copied lies where containers are.
fn who_has_a_volume_does_not_steer_its_filling() {
    let host = host();
    host.sh("ctr volume create -o size=16m vol; ctr run -d --name a -v vol:/v busybox sleep 1000").succeeds();
    for plant in
        ["ln -s /etc /v/.filled", "mkfifo /v/.filled", "mknod /v/.filled c 1 5", "ln -s /etc /v/.filling; >/v/.filled"]
    {
        host.sh(&format!("ctr exec a sh -c '{plant}'")).ok();
        host.sh("ctr run --rm -v vol:/etc busybox ls -A /etc").ok().stdout_has(".filled\n");
        host.sh("ctr exec a sh -c 'rm /v/.f*'").ok();
    }
    // While it is copied too: whatever comes of that, it comes to an end.
    let swap = "while :; do mv /v/.filling /v/lost+found && mkfifo /v/.filling; done 2>/dev/null";
    host.sh(&format!("ctr exec -d a sh -c '{swap}'")).succeeds();
    for _ in 0..5 {
        host.sh("ctr run --rm -v vol:/bin busybox true");
        host.sh("ctr exec a sh -c 'rm -rf /v/* /v/.f*'");
    }
    host.sh("ctr rm -f a && ctr volume rm vol").succeeds();
    host.assert_clean();
}

fn one_torn_record_is_one_volumes() {
    let host = host();
    host.sh("ctr volume create good; ctr volume create -o size=8m bad").succeeds();
    host.sh("ctr run -d --name a -v bad:/v busybox sleep 1000").succeeds();
    host.sh("echo '{' >$CTR_ROOT/volumes/bad/volume.json").ok();
    host.sh("ctr volume ls -q").succeeds().stdout_is("good\n").stderr_has("volumes/bad/volume.json");
    host.sh("vol-mount --gc").succeeds();
    host.sh("ctr run --rm -v bad:/v busybox true").fails(125).stderr_has("volumes/bad/volume.json");
    host.sh("ctr rm -f a; ctr volume rm bad good").succeeds();
    host.sh("losetup -a | grep $CTR_ROOT").exits(1);
    host.assert_clean();
}

/// The last user of a volume ends after another has mounted its file system, and before its record says so.
fn the_last_user_ends_while_another_comes() {
    let host = host();
    host.sh("ctr volume create -o size=8m vol; ctr run -d --rm --name x -v vol:/v busybox sleep 1000").succeeds();
    host.sh("ctr run -d --name y busybox sleep 1000").succeeds();
    let slow =
        "strace -f -o trace -e trace=flock -e inject=flock:delay_enter=1500000:when=3+ vol-mount --into y vol:/v";
    host.sh(&format!("{slow} & until grep -q flock trace; do sleep 0.1; done; ctr stop -t 0 x; wait $!")).succeeds();
    host.sh("ctr exec y dd if=/dev/zero of=/v/x bs=1M count=20").exits(1).stderr_has("No space left");
    host.sh("ctr rm -f y && ctr volume rm vol").succeeds();
    host.assert_clean();
}

fn into_a_container_that_runs() {
    let host = host();
    host.sh("mkdir src; echo f >src/f; echo one >file; ctr run -d --name a busybox sleep 1000").succeeds();
    host.sh("vol-mount --into a ./src:/live db:/db:ro ./file:/etc/file --tmpfs /mem:size=1m").succeeds();
    host.sh("ctr exec a sh -c 'cat /live/f /etc/file; touch /db/x'")
        .exits(1)
        .stdout_is("f\none\n")
        .stderr_has("Read-only");
    host.sh("ctr exec a sh -c 'grep -c \" /mem tmpfs\" /proc/mounts'").ok();
    host.sh("ctr inspect --document a | vol-mount --check >/dev/null").ok();
    host.sh("vol-mount --into a ./src:/live").fails(1).stderr_has("mounted on /live already");
    host.sh("ctr volume mount --tmpfs /m:size=1m --mount type=bind,src=$PWD/src,dst=/s -v db:/v a ./file:/w")
        .succeeds();
    host.sh("ctr exec a sh -c 'cat /s/f /w; grep -cE \" /(m|s|v|w) \" /proc/mounts'").ok().stdout_is("f\none\n4\n");
    host.sh("ctr volume unmount a /m /s /v /w").succeeds();
    host.sh("ctr volume mount a").fails(2).stderr_has("--tmpfs");
    host.sh("ctr volume rm db").fails(1).stderr_has("used by container a");
    // It has them at its next start.
    host.sh("ctr restart -t 0 a && ctr exec a cat /live/f").ok().stdout_has("f\n");
    // One that is in use stays.
    host.sh("ctr exec -d a sh -c 'cd /live; touch in-use; sleep 3'").succeeds();
    until("it is in use", || host.dir().join("src/in-use").exists());
    host.sh("vol-mount --into a --undo /live").fails(1).stderr_has("uses it");
    until("nothing uses the mount", || host.sh("vol-mount --into a --undo /live 2>/dev/null").status == 0);
    host.sh("ctr exec a ls /live").ok().stdout_is("");
    host.sh("vol-mount --into a --undo /db /etc/file /mem").succeeds();
    host.sh("ctr exec a sh -c 'grep -E \" /(db|mem|etc/file) \" /proc/mounts'").exits(1);
    host.sh("ctr volume rm db").succeeds();
    host.sh("vol-mount --into a --undo /proc").fails(1).stderr_has("nothing of ours");
    host.sh("ctr stop -t 0 a; vol-mount --into a ./src:/x").fails(1).stderr_has("not running");
    host.sh("vol-mount --into nobody ./src:/x").fails(1).stderr_has("no container nobody");
    host.sh("ctr rm a").succeeds();
    host.assert_clean();
}

/// The container may change its own paths as it likes: what is mounted or taken away is in its root, and ours.
fn into_leads_nowhere_else() {
    let host = host();
    host.sh("mkdir src; echo f >src/f; ctr run -d --name a busybox sleep 1000").succeeds();
    let here = host.dir().display().to_string();
    host.sh("ctr exec a sh -c 'ln -s ../../../../../../.. /up; ln -s /proc /p; ln -s /sys /s; mkdir -p /d/e'")
        .succeeds();
    host.sh(&format!("vol-mount --into a ./src:/up{here}/in && ctr exec a cat {here}/in/f")).ok().stdout_is("f\n");
    assert!(!host.dir().join("in").exists());
    for target in ["/p/self/attr", "/proc/sys/kernel", "/s/kernel", "/s/fs/cgroup"] {
        host.sh(&format!("vol-mount --into a ./src:{target}")).fails(1);
    }
    // A directory of ours becomes a link to what hides the kernel's files.
    host.sh("vol-mount --into a --tmpfs /d/acpi && ctr exec a sh -c 'mv /d /was; ln -s /proc /d'").succeeds();
    host.sh("vol-mount --into a --undo /d/acpi").fails(1);
    host.sh("ctr exec a grep -c ' /proc/acpi ' /proc/mounts").ok();
    host.sh("ctr rm -f a").succeeds();
    host.assert_clean();
}

fn volumes_go_out_and_in_as_tars() {
    let host = host();
    host.sh("ctr run --rm -v db:/d busybox sh -c 'echo 1 >/d/a; ln /d/a /d/b; mkdir -m 700 /d/c; chown 5:6 /d/a'")
        .succeeds();
    host.sh("ctr volume export -o db.tar db && gzip -k db.tar && ctr volume import two db.tar.gz")
        .ok()
        .stdout_is("two\n");
    host.sh("ctr volume export two | cmp - db.tar").succeeds();
    host.sh("ctr volume import two <db.tar").fails(1).stderr_has("volume two is there");
    host.sh("head -c 1000 db.tar | ctr volume import three").fails(1).stderr_has("cut short");
    let left: Vec<_> = fs::read_dir(host.root().join("volumes")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    host.sh("ctr volume export nobody >/dev/null").fails(1).stderr_has("no volume nobody");
    host.sh("echo x >f; tar cP --transform 's,^,../,' f >up.tar; ctr volume import up up.tar")
        .fails(1)
        .stderr_has("up.tar: entry ../f leads out of the directory");
    host.sh("ctr volume rm db two").succeeds();
}

fn filters_and_prune() {
    let host = host();
    host.sh("ctr volume create --label tier=db --label x one; ctr volume create two; ctr volume create; ctr create --name c -v two:/x busybox true")
        .succeeds();
    host.sh("ctr volume ls -q -f label=tier=db").ok().stdout_is("one\n");
    host.sh("ctr volume ls -q -f label=x -f name=on").ok().stdout_is("one\n");
    host.sh("ctr volume ls -q -f name='^on'").ok().stdout_is("one\n");
    host.sh("ctr volume ls -q -f name='^n'").ok().stdout_is("");
    host.sh("ctr volume ls -q -f name='('").fails(2).stderr_has("no regular expression");
    host.sh("ctr volume ls -f name=one --format '{{.Name}} {{.Label \"tier\"}}'").ok().stdout_has("one db\n");
    host.sh("ctr volume ls -q -f dangling=false").ok().stdout_is("two\n");
    host.sh("ctr volume ls -q -f driver=local | wc -l").ok().stdout_is("3\n");
    host.sh("ctr volume ls -f nonsense=1").fails(2).stderr_has("name=");
    host.sh("ctr volume create one").ok().stdout_is("one\n");
    host.sh("ctr volume create --label other one").fails(1).stderr_has("other options");
    let anonymous = host.sh("ctr volume ls -q | grep -E '.{64}'").ok().text();
    let pruned = host.tool("ctr-volume", &["prune", "-f"]).ok().json();
    assert_eq!(pruned["VolumesDeleted"], json!([anonymous.trim()]));
    host.sh("ctr volume prune -f --filter label!=tier -a").ok().stdout_is("Total reclaimed space: 0B\n");
    let size = host.sh("du -s -B1 $CTR_ROOT/volumes/one | cut -f1").ok().text();
    let done = host.sh("ctr volume prune -fa").ok().text();
    assert!(done.starts_with("Deleted Volumes:\none\n\nTotal reclaimed space: "), "{done}");
    let shown = host.sh(&format!("echo {{\\\"s\\\": {}}} | ctr-fmt '{{{{size .s}}}}'", size.trim())).ok().text();
    assert!(done.ends_with(&format!(": {shown}")), "{done} {shown}");
    host.sh("ctr rm c; ctr volume rm two").succeeds();
    host.assert_clean();
}

/// As `ctr system prune` does: a terminal or not, a line of stdin is the answer.
fn prune_asks() {
    let host = host();
    let names = || host.sh("ctr volume ls -q").ok().text();
    host.sh("ctr volume create one").ok();
    let question = "all local volumes not used by at least one container.\nAre you sure";
    for no in ["</dev/null ctr volume prune -a", "echo n | ctr volume prune -a", "echo yes | ctr volume prune -a"] {
        host.sh(no).exits(1).stderr_has(question).stderr_has("not confirmed");
        assert_eq!(names(), "one\n", "{no}");
    }
    host.sh("ctr volume prune -a </dev/null").exits(1).stderr_has("--force");
    host.sh("echo y | ctr volume prune").succeeds().stderr_has("anonymous local volumes");
    let mut pty = host.pty("ctr volume prune -a");
    pty.expect("[y/N]");
    pty.send("n\r");
    assert_eq!((pty.wait().0, names().as_str()), (1, "one\n"));
    host.sh("echo y | ctr volume prune -a").succeeds().stdout_has("Deleted Volumes:\none\n");
    host.assert_clean();
}

/// Whoever comes first fills it; none sees it half full.
fn twenty_first_uses_at_once() {
    let host = host();
    image_with_volume(&host);
    let ran =
        host.sh("for i in $(seq 20); do ctr run --rm -v db:/var/db with cat /var/db/deep/two & done; wait").ok().text();
    assert_eq!(ran, "first\n".repeat(20));
    host.sh("ctr volume rm db").succeeds();
    host.assert_clean();
}

/// vol-mount and ctr-volume are killed at any instant: gc and the next use find nothing in their way.
fn kills_leave_nothing_half_made() {
    let host = host();
    image_with_volume(&host);
    host.sh("img-pull --pull missing with | img-unpack >doc").succeeds();
    for n in 0..40 {
        let wait = format!("0.{:03}", n % 20);
        host.sh(&format!(
            "overlay-mount -f doc >c; timeout -s KILL {wait} vol-mount -f c -v db:/var/db -v /anon >/dev/null 2>&1; \
             vol-mount --gc >/dev/null; \
             timeout -s KILL {wait} ctr-volume import in <<x >/dev/null 2>&1\nx\n\
             vol-mount --gc; ctr rm -fv $(jq -r .id c) >/dev/null"
        ));
        let left: Vec<_> =
            fs::read_dir(host.root().join("volumes")).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
        if n % 3 == 0 {
            host.sh("ctr run --rm -v db:/var/db with cat /var/db/one /var/db/deep/two")
                .ok()
                .stdout_is("first\nfirst\n");
            host.sh("ctr volume rm db").succeeds();
        }
    }
    host.sh("ctr volume prune -fa").ok();
    host.assert_clean();
}

/// Without a control group for devices mounts keep a container from them: nodes of a volume that an image fills, too, and what
/// the host mounts later.
fn devices_of_an_image_are_not_the_hosts() {
    let host = host();
    host.sh("mkdir -p made/bin made/dev made/d && cp $(command -v busybox) made/bin/ && ln -s busybox made/bin/sh && \
             for n in cat head ls; do ln -s busybox made/bin/$n; done && \
             for n in null zero full random urandom tty; do mknod made/dev/$n b 7 0; done && mknod made/d/zero b 7 0 && \
             tar -C made -c . | img-import -c 'VOLUME /dev' -c 'VOLUME /d' - nodes >/dev/null")
        .succeeds();
    let pipe = "img-pull --pull missing nodes | img-unpack | overlay-mount";
    host.sh(&format!("{pipe} | ns-spawn --rm -- sh -c 'head -c 4 /dev/zero | cat -v; head -c 1 /d/zero'"))
        .exits(1)
        .stdout_is("^@^@^@^@")
        .stderr_has("/dev is a volume: it is not");
    // The user's own, filled from the image.
    host.sh(&format!("{pipe} | vol-mount -v nodes:/dev | ns-spawn --rm -- head -c 1 /dev/zero")).exits(125);
    host.sh("mkdir src && mount -t tmpfs s src && mount --make-shared src").succeeds();
    host.sh("ctr run --rm --cgroups disabled -v ./src:/s:rslave busybox true")
        .fails(125)
        .stderr_has("without a control group");
    host.sh("ctr run --rm --cgroups disabled -v ./src:/s busybox true").ok();
    host.sh("umount src; ctr volume prune -af").succeeds();
    host.assert_clean();
}

fn what_others_mount_stays_where_it_is() {
    let host = host();
    host.sh("ctr volume create db && mount -t tmpfs theirs $CTR_ROOT/volumes/db/_data && echo old >$CTR_ROOT/volumes/db/_data/f").succeeds();
    for _ in 0..2 {
        host.sh("ctr run --rm -v db:/d busybox cat /d/f").ok().stdout_is("old\n");
    }
    host.sh("ctr volume export db | tar -t").ok().stdout_has("f\n");
    host.sh("ctr volume rm db").fails(1).stderr_has("is mounted on");
    host.sh("cat $CTR_ROOT/volumes/db/_data/f && umount $CTR_ROOT/volumes/db/_data && ctr volume rm db")
        .ok()
        .stdout_has("old\n");
    // Removals end where something is mounted.
    host.sh("mkdir kept && echo 1 >kept/f && ctr create --name a busybox true && id=$(ctr ps -aq --no-trunc) && \
             mkdir $CTR_ROOT/containers/$id/in && mount --bind kept $CTR_ROOT/containers/$id/in && ctr rm a")
        .exits(1);
    host.sh("cat kept/f").ok().stdout_is("1\n");
    host.sh("umount $CTR_ROOT/containers/.*/in; overlay-mount --gc").succeeds();
    host.assert_clean();
}

/// What lies in a shared mount would be mounted on the host too.
fn nothing_is_mounted_on_the_host() {
    let host = host();
    host.sh("mkdir src && mount -t tmpfs s src && mount --make-shared src && mkdir src/in src/dev").succeeds();
    for words in ["-v db:/s/in", "--tmpfs /s/in", "-v ./src/dev:/s/in"] {
        host.sh(&format!("ctr run --rm -v ./src:/s:rshared {words} busybox true"))
            .fails(125)
            .stderr_has("lies in a shared mount");
    }
    host.sh("ctr run --rm -v /dev:/dev:rshared busybox true").exits(125);
    host.sh("ctr run -d --name a -v ./src:/s:rshared busybox sleep 1000").succeeds();
    host.sh("vol-mount --into a --tmpfs /s/in").fails(1).stderr_has("lies in a shared mount");
    host.sh("ctr rm -f a; grep -c src/in /proc/self/mounts").exits(1).stdout_has("0\n");
    host.sh("umount src; ctr volume rm -f db").succeeds();
    host.assert_clean();
}

fn a_source_that_was_replaced_is_taken_out() {
    let host = host();
    host.sh("echo 1 >file; mkdir dir; ctr run -d --name a busybox sleep 1000").succeeds();
    host.sh(
        "ctr exec a sh -c 'mkdir -p /var/real; ln -s /var/real /run'; vol-mount --into a ./file:/etc/f ./dir:/run/d",
    )
    .succeeds();
    host.sh("echo 2 >new && mv new file && rmdir dir").succeeds();
    host.sh("vol-mount --into a --undo /etc/f /run/d && ctr exec a sh -c 'grep -cE \"/etc/f|real/d\" /proc/mounts'")
        .exits(1)
        .stdout_is("0\n");
    // A link on the way is followed, by check and repair too.
    host.sh("mkdir dir; vol-mount --into a ./dir:/run/d && ctr inspect --document a | vol-mount --check >/dev/null")
        .ok();
    host.sh("ctr inspect --document a | vol-mount --repair >/dev/null").ok();
    host.sh("ctr rm -f a").succeeds();
    host.assert_clean();
}

fn a_running_container_is_not_changed_by_a_start() {
    let host = host();
    image_with_volume(&host);
    let pipe = "img-pull --pull missing with | img-unpack";
    host.sh(&format!(
        "{pipe} | overlay-mount --name a | tee doc | ns-spawn -d --no-image-volumes -- sleep 1000 >/dev/null"
    ))
    .succeeds();
    host.sh("ns-spawn -d -f doc -- true >/dev/null").exits(125).stderr_has("runs already");
    host.sh("ctr volume ls -q; ctr inspect -f '{{len .Mounts}}' a").ok().stdout_is("0\n");
    host.sh("ctr rm -f a").succeeds();
    // One without an id, which ns-spawn begins: its volume goes where the start fails.
    host.sh(&format!("{pipe} | overlay-mount | jq -c 'del(.id, .name, .steps)' | ns-spawn --name b -- /nothing"))
        .exits(127);
    host.sh("ctr volume ls -q").ok().stdout_is("");
    host.sh("overlay-mount --undo <doc >/dev/null; overlay-mount --gc; umount $CTR_RUN/containers/*/rootfs; overlay-mount --gc; ctr ps -aq").succeeds();
}

fn links_to_the_root_are_one_root() {
    let host = host();
    host.sh("ln -s $CTR_ROOT other && ctr create --name a -v db:/d busybox true").succeeds();
    host.sh("CTR_ROOT=$PWD/other ctr volume rm db").fails(1).stderr_has("used by container a");
    host.sh("ctr rm a && CTR_ROOT=$PWD/other ctr volume rm db").succeeds();
    host.assert_clean();
}

/// A file of an image that is nearly all hole is one in a volume too.
fn holes_stay_holes() {
    let host = host();
    host.sh("mkdir -p made/data made/bin && cp $(command -v busybox) made/bin/ && ln -s busybox made/bin/sh && ln -s busybox made/bin/cmp && \
             ln -s busybox made/bin/tail && truncate -s 1G made/data/hole && echo start | dd of=made/data/hole conv=notrunc bs=1 2>/dev/null && \
             echo end >>made/data/hole && truncate -s 300M made/data/none && \
             tar -S -C made -c . | img-import -c 'VOLUME /data' - holes >/dev/null")
        .succeeds();
    host.sh("ctr run --rm -v db:/data holes tail -c 4 /data/hole").ok().stdout_is("end\n");
    let dir = data(&host, "db");
    for (name, size, most) in [("hole", (1 << 30) + 4, 64), ("none", 300 << 20, 0)] {
        let meta = fs::metadata(dir.join(name)).unwrap();
        assert!(meta.len() == size && meta.blocks() <= most, "{name}: {} {}", meta.len(), meta.blocks());
    }
    assert!(fs::read(dir.join("hole")).unwrap().starts_with(b"start\n"));
    host.sh("ctr volume rm db").succeeds();
    host.assert_clean();
}
