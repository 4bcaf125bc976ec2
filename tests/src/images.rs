//! Test images, made once per machine from Debian's packages by tools that are not ours (mmdebstrap, dpkg-deb,
//! tar, umoci, skopeo) and kept under `target/test-images`. An image is made again when its recipe changes.

use crate::{Cmd, suite};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Mutex,
};

/// (image, recipe under `tests/images/`, argument, the image it is made from).
const IMAGES: &[(&str, &str, &str, &str)] = &[
    // One layer, about 1 MB: busybox with a link for each applet, users root, nobody and user (1000).
    ("busybox", "busybox", "", ""),
    // Debian minbase, one layer.
    ("debian", "debian", "", ""),
    // Debian and more: over 30,000 files in 8 layers, with odd files, whiteouts and opaque directories.
    ("many", "many", "", "debian"),
    // 300 layers over busybox; layer N writes /layers/N and /last.
    ("layers300", "layers", "300", "busybox"),
    // The same images with their layers compressed otherwise.
    ("busybox-zstd", "recompress", "zstd", "busybox"),
    ("many-zstd", "recompress", "zstd", "many"),
    ("busybox-plain", "recompress", "plain", "busybox"),
    ("busybox-members", "recompress", "members", "busybox"),
    // An index of four platforms; this machine's is the last.
    ("index", "index", "", "busybox"),
    // Debian's nginx, redis and PostgreSQL in one layer, and an image of each as its usual one is: command, user,
    // stop signal; PostgreSQL's has an entrypoint and a health check.
    ("servers", "servers", "", ""),
    ("nginx", "server", "nginx", "servers"),
    ("redis", "server", "redis", "servers"),
    ("postgres", "server", "postgres", "servers"),
];

/// The build directory of the workspace.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| suite::repository().join("target"), PathBuf::from)
}

/// The OCI image layout that holds the image `name` under its own name; made now if it is not there.
pub fn layout(name: &str) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let dir = target_dir().join("test-images");
    fs::create_dir_all(&dir).unwrap();
    let lock = File::create(dir.join("lock")).unwrap();
    // Another run of the suite may be making it.
    lock.lock().unwrap();
    make(name, &dir)
}

/// The image as skopeo names it: `oci:DIR:NAME`.
pub fn oci(name: &str) -> String {
    format!("oci:{}:{name}", layout(name).display())
}

/// The image as an OCI archive: its layout in a tar.
pub fn archive(name: &str) -> PathBuf {
    converted(name, "oci.tar", |from, to| {
        Cmd::new("tar").args(&["--sort=name", "-C"]).arg(from).arg("-cf").arg(to).arg(".")
    })
}

/// The image as `docker save` writes it.
pub fn docker_archive(name: &str) -> PathBuf {
    converted(name, "docker.tar", |from, to| {
        let from = format!("oci:{}:{name}", from.display());
        let to = format!("docker-archive:{}:{name}:latest", to.display());
        Cmd::new("skopeo").args(&["copy", "-q", &from, &to]).env("HOME", "/root")
    })
}

/// The image's tree as umoci unpacks it, in `to/rootfs`.
pub fn unpacked_by_umoci(name: &str, to: &Path) -> PathBuf {
    let image = format!("{}:{name}", layout(name).display());
    let ran = Cmd::new("umoci").args(&["unpack", "--image", &image]).arg(to).limit(300).run();
    assert!(ran.status == 0, "{ran}");
    to.join("rootfs")
}

fn converted(name: &str, suffix: &str, convert: impl FnOnce(&Path, &Path) -> Cmd) -> PathBuf {
    let layout = layout(name);
    static CONVERTING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = CONVERTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let file = layout.with_file_name(format!("{name}.{suffix}"));
    if !file.exists() {
        let aside = layout.with_file_name(format!("{name}.{}.{suffix}", std::process::id()));
        let ran = convert(&layout, &aside).limit(300).run();
        assert!(ran.status == 0, "{ran}");
        fs::rename(aside, &file).unwrap();
    }
    file
}

fn make(name: &str, dir: &Path) -> PathBuf {
    let &(_, recipe, argument, from) =
        IMAGES.iter().find(|image| image.0 == name).unwrap_or_else(|| panic!("no test image {name}"));
    let base = if from.is_empty() { PathBuf::new() } else { make(from, dir) };
    let layout = dir.join(name);
    let stamp = stamp(recipe, argument, &base);
    let stamp_file = dir.join(format!("{name}.stamp"));
    if fs::read_to_string(&stamp_file).is_ok_and(|text| text == stamp) && layout.exists() {
        return layout;
    }
    for entry in fs::read_dir(dir).unwrap().flatten() {
        // The image made by an older recipe, and what was converted from it.
        if entry.file_name().to_str().is_some_and(|n| n == name || n.starts_with(&format!("{name}."))) {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    }
    eprintln!("making test image {name} …");
    let aside = dir.join(format!("{name}.new"));
    let script = recipes().join(format!("{recipe}.sh"));
    let ran = Cmd::new("/bin/sh").arg(script).arg(name).arg(&aside).arg(&base).arg(argument).limit(900).run();
    assert!(ran.status == 0, "{ran}");
    fs::rename(&aside, &layout).unwrap();
    fs::write(stamp_file, stamp).unwrap();
    layout
}

fn recipes() -> PathBuf {
    suite::repository().join("tests/images")
}

/// What the image depends on: its recipe, and the image beneath it.
fn stamp(recipe: &str, argument: &str, base: &Path) -> String {
    let mut hash = Sha256::new();
    for file in ["lib", recipe] {
        hash.update(fs::read(recipes().join(format!("{file}.sh"))).unwrap());
    }
    hash.update(argument);
    if !base.as_os_str().is_empty() {
        hash.update(fs::read(base.with_extension("stamp")).unwrap());
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
