//! ctr-export: the tar is the container's tree, whole and always the same, and nothing that is mounted on it.

use crate::ctr_cp::{made, root_of, started};
use ctr_tests::*;
use std::{fs, os::unix::fs::FileTypeExt};

pub fn tests() -> Vec<Test> {
    tests!("ctr-export",
        ["root", "overlay", "umoci", "mmdebstrap", "attr", "libcap"]:
            a_tree_is_as_umoci_makes_it;
        ["root", "overlay", "umoci", "busybox"]:
            what_is_mounted_is_not_in_it,
            the_same_tree_is_the_same_tar,
            a_reboot_makes_no_difference,
            an_export_can_be_imported,
            output_is_whole_or_not_there
    )
}

fn a_tree_is_as_umoci_makes_it() {
    for image in ["debian", "many"] {
        let host = Host::new();
        host.load(image);
        host.cmd(
            "sh",
            &["-c", &format!("img-pull --pull missing {image} | img-unpack | overlay-mount --name c >/dev/null")],
        )
        .limit(300)
        .run()
        .ok();
        let unpack = "mkdir out && ctr-export c | tar --xattrs --xattrs-include='*' -xpf - -C out";
        // tar(1) wonders aloud about times of the future.
        host.sh_cmd(unpack).limit(300).run().succeeds();
        let theirs = images::unpacked_by_umoci(image, &host.dir().join("umoci"));
        let (ours, theirs) = (tree::list(&host.dir().join("out"), &[]), tree::list(&theirs, &[]));
        assert!(ours.len() > 5_000, "{}", ours.len());
        assert_eq!(tree::differences(&ours, &theirs), Vec::<String>::new(), "{image}: ours left, umoci's right");
    }
}

fn what_is_mounted_is_not_in_it() {
    let host = Host::new();
    made(&host, "c", "");
    let (_running, pid) = started(&host, "c", "6230");
    fs::write(format!("/proc/{pid}/root/home/new"), "new\n").unwrap();
    fs::write(format!("/proc/{pid}/root/dev/shm/gone"), "").unwrap();
    let names = host.sh("ctr-export c | tar -t").ok().text();
    assert!(
        names.starts_with("./\nbin/\n") && names.contains("\nhome/new\n") && names.contains("\nproc/\n"),
        "{names}"
    );
    for place in ["dev", "proc", "sys"] {
        assert!(
            !names.contains(&format!("\n{place}/x"))
                && !names.lines().any(|l| l.starts_with(place) && l != format!("{place}/"))
        );
    }
    // The file that /etc/hosts is mounted on, not the mount.
    host.sh("ctr-export c | tar -xO etc/hosts").ok().stdout_is("");
}

fn the_same_tree_is_the_same_tar() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    host.sh(
        "ctr-export c >a.tar; ctr-export -o b.tar c; ctr-export --output c.tar c; cmp a.tar b.tar && cmp b.tar c.tar",
    )
    .ok();
    host.sh("tar -tf a.tar | head -n1; tar -tf a.tar | sed 's/$/ /' | LC_ALL=C sort -c && echo sorted")
        .ok()
        .stdout_is("./\nsorted\n");
    fs::write(root.join("etc/new"), "").unwrap();
    host.sh("ctr-export c | cmp -s - a.tar").exits(1);
}

fn a_reboot_makes_no_difference() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    fs::write(root.join("etc/new"), "").unwrap();
    host.sh(&format!("ctr-export c >a.tar; umount {} && rm -r $CTR_RUN; ctr-export c | cmp - a.tar", root.display()))
        .ok();
}

fn an_export_can_be_imported() {
    let host = Host::new();
    let root = root_of(&made(&host, "c", ""));
    fs::write(root.join("home/f"), "mine\n").unwrap();
    host.sh("ctr-export c | img-import - again >/dev/null").ok();
    host.sh("ctr run --rm again cat /home/f").ok().stdout_is("mine\n");
}

fn output_is_whole_or_not_there() {
    let host = Host::new();
    made(&host, "c", "");
    host.pty("ctr-export c; echo status=$?").expect("status=1");
    host.tool("ctr-export", &["none"]).fails(1).stderr_has("no container none");
    host.tool("ctr-export", &["-o", "absent/x", "c"]).fails(1).stderr_has("absent/x");
    host.tool("ctr-export", &[]).fails(2);
    // A full disk: the file that was there is still that.
    host.sh("mkdir small; mount -t tmpfs -o size=100k none small; echo old >small/x.tar").ok();
    host.sh("ctr-export -o small/x.tar c; s=$?; cat small/x.tar; ls -A small; exit $s")
        .fails(1)
        .stdout_is("old\nx.tar\n");
    host.sh("ctr-export c >/dev/full").fails(1).stderr_has("write the tar");
    host.sh("umount small; ctr-export c | head -c 10000 | wc -c; ctr-export c | true").ok().stdout_is("10000\n");
    // No file is put in the place of a device, and a link stays one.
    host.sh("mknod null c 1 3; ctr-export -o null c; ln -s real.tar l; : >real.tar; ctr-export -o l c; test -h l; test -s real.tar")
        .ok();
    assert!(fs::metadata(host.dir().join("null")).unwrap().file_type().is_char_device());
}
