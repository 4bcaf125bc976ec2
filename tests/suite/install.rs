//! `make install` and `make uninstall`: what is where, and that it works from there.

use ctr_tests::*;
use std::fs;

pub fn tests() -> Vec<Test> {
    tests!("install",
        ["make", "bash", "mandoc"]:
            installs_all_and_uninstalls_all,
            the_wrapper_may_have_another_name;
        ["make"]:
            make_help_names_every_target
    )
}

/// `make TARGET` with the binaries under test instead of a build, into `root/` of the host's directory.
fn make(host: &Host, target: &str, more: &[&str]) {
    let built = format!("built={}", suite::suite().bin().display());
    let destination = format!("DESTDIR={}", host.dir().join("root").display());
    let args = [&["-s", "-o", "build", target, "PREFIX=/usr", &destination, &built], more].concat();
    let path = std::env::var("PATH").unwrap();
    let home = std::env::var("HOME").unwrap();
    host.cmd("make", &args).env("PATH", path).env("HOME", home).dir(suite::repository()).run().ok();
}

fn installs_all_and_uninstalls_all() {
    let host = Host::new();
    make(&host, "install", &[]);
    let root = host.dir().join("root/usr");
    for tool in suite::tools().iter().map(String::as_str).chain(["ctr"]) {
        for file in [
            format!("bin/{tool}"),
            format!("share/man/man1/{tool}.1"),
            format!("share/bash-completion/completions/{tool}"),
            format!("share/zsh/site-functions/_{tool}"),
            format!("share/fish/vendor_completions.d/{tool}.fish"),
        ] {
            // Nobody types the name of ctr-init.
            let unneeded = tool == "ctr-init" && !file.starts_with("bin/") && !file.contains("man1");
            assert!(unneeded || root.join(&file).exists(), "{file} is not installed");
        }
    }
    let unit = fs::read_to_string(root.join("lib/systemd/system/ctr.service")).unwrap();
    assert!(unit.contains("\nExecStart=/usr/bin/ctr-start --boot\n"), "{unit}");
    for file in ["share/man/man5/ctr-document.5", "share/doc/ctr/LICENSE", "share/doc/ctr/ctr-document.schema.json"] {
        assert!(root.join(file).exists(), "{file} is not installed");
    }
    // bash takes every completion, and completes by it.
    host.sh_with(
        "bash",
        "set -e; for f in root/usr/share/bash-completion/completions/*; do . $f; done; complete -p ctr img-pull",
    )
    .ok();
    let typed = "COMP_WORDS=(ctr run --ent) COMP_CWORD=2; _ctr ctr --ent run; echo ${COMPREPLY[@]}";
    let ctr = "root/usr/share/bash-completion/completions/ctr";
    host.sh_with("bash", &format!(". {ctr}; {typed}")).ok().stdout_is("--entrypoint\n");
    make(&host, "uninstall", &[]);
    let left = host.sh("find root -not -type d").ok().text();
    assert_eq!(left, "");
}

fn the_wrapper_may_have_another_name() {
    let host = Host::new();
    make(&host, "install", &["CTR=boxes"]);
    let bin = host.dir().join("root/usr/bin");
    assert!(bin.join("boxes").exists() && !bin.join("ctr").exists());
    assert!(host.dir().join("root/usr/share/man/man1/boxes.1").exists());
    // It finds its tools beside itself, wherever PATH looks.
    host.sh_cmd("root/usr/bin/boxes version").env("PATH", "/usr/bin:/bin").run().ok();
    make(&host, "uninstall", &["CTR=boxes"]);
    assert_eq!(fs::read_dir(bin).unwrap().count(), 0);
}

fn make_help_names_every_target() {
    let host = Host::new();
    let help = host.cmd("make", &["-s", "help"]).dir(suite::repository()).run().ok().text();
    for target in ["build", "demo", "test", "check", "bench", "install", "uninstall", "clean"] {
        assert!(help.lines().any(|line| line.starts_with(&format!("{target} "))), "{target} is not in\n{help}");
    }
}
