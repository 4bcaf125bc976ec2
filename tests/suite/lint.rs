//! What can be checked without running a container: man pages, help, scripts, sources, the lock file.

use ctr_tests::*;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

pub fn tests() -> Vec<Test> {
    tests!("lint",
        ["mandoc"]:
            man_pages_are_clean,
            every_flag_is_in_its_page;
        []:
            every_tool_has_help_and_version,
            unsafe_is_only_where_it_may_be,
            sources_say_their_purpose_first,
            one_version_of_each_crate;
        ["shellcheck", "shfmt"]:
            scripts_are_clean;
        ["cargo"]:
            tools_link_only_what_their_job_needs
    )
}

/// The only files that may hold `unsafe`, and why.
const UNSAFE: &[(&str, &str)] = &[
    ("lib/cgroup/src/sys.rs", "bpf(2), which no crate here wraps; a child that joins groups before it is a command"),
    (
        "lib/core/src/sys.rs",
        "pidfd_send_signal with any number, mount_setattr, descriptors passed on, a session before exec",
    ),
    ("lib/runtime/src/sys.rs", "clone3, execve and what no crate wraps"),
    ("lib/seccomp/src/tests/kernel.rs", "a child that loads a filter, in a test"),
    ("lib/volume/src/sys.rs", "quotas of projects"),
    ("tests/src/sys.rs", "what a child does between fork and exec"),
];

fn repository() -> &'static Path {
    suite::repository()
}

/// Files of the checkout beneath `dir` whose name ends with `suffix`; not what was built.
fn files(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with(".git") {
            found.extend(files(&path, suffix));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Ours that have a man page: the tools and the wrapper.
fn programs() -> Vec<String> {
    suite::tools().into_iter().chain(["ctr".to_owned()]).collect()
}

fn man_pages_are_clean() {
    let host = Host::new();
    let pages: Vec<PathBuf> =
        ["1", "5", "7"].iter().flat_map(|s| files(&repository().join("man"), &format!(".{s}"))).collect();
    let names: BTreeSet<String> = pages.iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
    for program in programs() {
        assert!(names.contains(&format!("{program}.1")), "no man page man/{program}.1");
    }
    assert!(names.contains("ctr-document.5"), "no man/ctr-document.5");
    for page in &pages {
        host.cmd("mandoc", &["-Tlint", "-Wwarning"]).arg(page).run().ok().stdout_is("");
    }
}

/// The flags in a tool's help: `-x` and `--long`.
fn flags(help: &str) -> BTreeSet<String> {
    let options = help.lines().filter(|line| line.trim_start().starts_with('-'));
    options
        .flat_map(|line| {
            line.split_whitespace().take_while(|word| word.starts_with('-')).map(str::to_owned).collect::<Vec<_>>()
        })
        .map(|flag| flag.trim_end_matches(',').split(['=', '[']).next().unwrap().to_owned())
        .collect()
}

fn every_flag_is_in_its_page() {
    let host = Host::new();
    let mut missing = Vec::new();
    for tool in suite::tools() {
        let page = repository().join("man").join(format!("{tool}.1"));
        let shown = host.cmd("mandoc", &["-Tascii", "-Owidth=200"]).arg(page).run().ok().text();
        // mandoc prints bold as X, backspace, X.
        let mut text = String::new();
        for c in shown.chars() {
            if c == '\u{8}' {
                let _ = text.pop();
            } else {
                text.push(c);
            }
        }
        let words: BTreeSet<&str> = text.split(|c: char| c.is_whitespace() || "[],=|()".contains(c)).collect();
        let help = host.tool(&tool, &["--help"]).ok().text();
        missing.extend(flags(&help).into_iter().filter(|f| !words.contains(f.as_str())).map(|f| format!("{tool} {f}")));
    }
    assert!(missing.is_empty(), "not in the man page: {missing:#?}");
}

fn every_tool_has_help_and_version() {
    let host = Host::new();
    for tool in suite::tools() {
        let help = host.tool(&tool, &["--help"]).ok();
        help.stdout_has("Usage:").stdout_has(&format!("See {tool}(1)."));
        host.tool(&tool, &["--version"]).ok().stdout_is(&format!("{tool} {}\n", env!("CARGO_PKG_VERSION")));
        host.tool(&tool, &["--no-such-flag"])
            .exits(if tool == "ns-spawn" { 125 } else { 2 })
            .stderr_has("no-such-flag");
    }
    host.sh("ctr version").ok();
    host.sh("ctr --help").ok().stdout_has("run");
}

fn unsafe_is_only_where_it_may_be() {
    for path in files(repository(), ".rs") {
        let name = path.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().map(|line| line.split("//").next().unwrap());
        let has = code
            .into_iter()
            .any(|line| ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"].iter().any(|u| line.contains(u)));
        let this_test = name == "tests/suite/lint.rs";
        assert!(!has || this_test || UNSAFE.iter().any(|(file, _)| *file == name), "{name} has unsafe code");
    }
}

fn sources_say_their_purpose_first() {
    for path in files(repository(), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{}: no purpose in its first line", path.display());
    }
    for path in scripts() {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        assert!(first.starts_with("# "), "{}: no purpose in its first line", path.display());
    }
}

fn scripts() -> Vec<PathBuf> {
    let mut scripts = files(&repository().join("tests"), ".sh");
    scripts.extend([repository().join("tools/ctr/ctr"), repository().join(".ci/run")]);
    scripts
}

fn scripts_are_clean() {
    let host = Host::new();
    for script in scripts() {
        host.cmd("shellcheck", &["-x"]).arg(&script).dir(script.parent().unwrap()).run().ok();
        host.cmd("shfmt", &["-d"]).arg(&script).run().ok();
    }
}

/// Crates that stand twice in the lock file, and why that reaches no tool.
const TWICE: &[(&str, &str)] = &[
    ("getrandom", "ring's, and a later one of proptest's, which only tests link"),
    ("syn", "macros at build time: oci-spec's are of the version before"),
];

fn one_version_of_each_crate() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = ")).map(|name| name.trim_matches('"'));
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&str> = names.filter(|name| !seen.insert(*name)).collect();
    // Crates for other systems stand in the lock too; they are never built here.
    let known = |name: &str| name.starts_with("windows") || TWICE.iter().any(|(crate_, _)| *crate_ == name);
    let unknown: Vec<&&str> = twice.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "more than one version of {unknown:?}");
    let past: Vec<&str> = TWICE.iter().map(|(name, _)| *name).filter(|name| !twice.contains(name)).collect();
    assert!(past.is_empty(), "no longer twice: {past:?}");
}

fn tools_link_only_what_their_job_needs() {
    let host = Host::new();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let home = std::env::var("HOME").unwrap();
    let path = std::env::var("PATH").unwrap();
    let links = |tool: &str| {
        let args = ["tree", "--offline", "-e", "normal", "--prefix", "none", "-p", tool];
        let cmd = host.cmd(&cargo, &args).dir(repository()).env("HOME", &home).env("PATH", &path);
        let names = cmd.run().succeeds().text();
        names.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    let family = |names: &BTreeSet<String>, words: &[&str]| -> Vec<String> {
        names.iter().filter(|n| words.iter().any(|w| n.contains(w))).cloned().collect()
    };
    for tool in ["ns-spawn", "overlay-mount", "img-unpack", "img-ls"] {
        let network = family(&links(tool), &["rustls", "ureq", "netlink", "ctr-registry", "tokio"]);
        assert!(network.is_empty(), "{tool} links {network:?}");
    }
    let netlink = family(&links("img-pull"), &["netlink", "seccomp", "ctr-runtime"]);
    assert!(netlink.is_empty(), "img-pull links {netlink:?}");
}
