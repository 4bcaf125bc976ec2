//! A host of its own for each test: root, run directory, PATH, network. Dropped, it takes everything away.

use crate::{Cmd, Net, Pty, Ran, Value, images, leftovers, processes, suite};
use nix::mount::{MntFlags, umount2};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// One test's host.
pub struct Host {
    dir: PathBuf,
    /// Where the root is; elsewhere than `dir` for a host on disk.
    root: PathBuf,
    net: Net,
    user: Option<u32>,
    networks: bool,
}

impl Host {
    /// A host whose commands run in the network namespace that all tests share, where the registries are.
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let dir = suite::suite().dir().join(format!("{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        for sub in ["", "run", "home", "tmp"] {
            fs::create_dir(dir.join(sub)).unwrap();
        }
        Self { root: dir.join("root"), dir, net: Net::shared(), user: None, networks: false }
    }

    /// The same with a network namespace of its own: nothing in it but loopback. Only here containers are attached to a
    /// network unless they ask for one: in the namespace that all share the bridges of all would be.
    pub fn with_own_net() -> Self {
        let mut host = Self::new();
        host.net = Net::new();
        host.networks = true;
        host
    }

    /// The same with its root on a disk, not on tmpfs.
    pub fn on_disk() -> Self {
        let mut host = Self::new();
        let name = format!("test-root.{}.{}", std::process::id(), host.dir.file_name().unwrap().to_string_lossy());
        host.root = suite::disk().join(name);
        host
    }

    /// The same with every command run by the user id `uid`, who owns the directories.
    #[must_use]
    pub fn as_user(mut self, uid: u32) -> Self {
        for sub in ["", "run", "home", "tmp"] {
            std::os::unix::fs::chown(self.dir.join(sub), Some(uid), Some(uid)).unwrap();
        }
        self.user = Some(uid);
        self
    }

    /// A directory for the test's files.
    pub fn dir(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// `CTR_ROOT`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The record of a container: what may be gone after a reboot is in the run directory.
    pub fn record(&self, id: &str) -> PathBuf {
        let passing = self.run().join("containers").join(id).join("document.json");
        if passing.exists() { passing } else { self.root.join("containers").join(id).join("document.json") }
    }

    /// The directory of its containers' groups, in each hierarchy.
    pub fn instance(&self) -> String {
        ctr_cgroup::instance_of(&self.root)
    }

    /// `CTR_RUN`.
    pub fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// The network namespace of the commands.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// A command: a tool under test, or any program of the system.
    pub fn cmd<S: AsRef<std::ffi::OsStr>>(&self, program: &str, args: &[S]) -> Cmd {
        let ours = suite::suite().bin().join(program);
        let known = suite::tools().iter().any(|tool| tool == program) || program == "ctr";
        assert!(!known || ours.exists(), "{program} is not built: cargo build -p {program}");
        let program = if known { ours.into_os_string() } else { program.into() };
        let mut cmd = match self.user {
            None => Cmd::new(program),
            Some(uid) => {
                let id = uid.to_string();
                Cmd::new("setpriv").args(&["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(program)
            }
        };
        for (key, value) in self.environment() {
            cmd = cmd.env(key, value);
        }
        cmd.args(args).dir(&self.dir()).net(&self.net)
    }

    fn environment(&self) -> [(&'static str, String); 7] {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        [
            ("PATH", format!("{}:{}", text(&suite::suite().bin()), suite::system_path())),
            ("CTR_ROOT", text(&self.root)),
            ("CTR_RUN", text(&self.run())),
            ("HOME", text(&self.dir.join("home"))),
            ("TMPDIR", text(&self.dir.join("tmp"))),
            ("TERM", "xterm".to_owned()),
            ("CTR_NETWORK", if self.networks { "" } else { "none" }.to_owned()),
        ]
    }

    /// Runs a tool to its end.
    #[track_caller]
    pub fn tool(&self, tool: &str, args: &[&str]) -> Ran {
        self.cmd(tool, args).run()
    }

    /// Runs a tool with the document `doc` on its stdin.
    #[track_caller]
    pub fn pipe_to(&self, doc: &Value, tool: &str, args: &[&str]) -> Ran {
        self.cmd(tool, args).stdin(format!("{doc}\n")).run()
    }

    /// `/bin/sh -c text`, not started yet.
    pub fn sh_cmd(&self, text: &str) -> Cmd {
        self.cmd("/bin/sh", &["-c", text])
    }

    /// Runs `text` with /bin/sh.
    #[track_caller]
    pub fn sh(&self, text: &str) -> Ran {
        self.sh_cmd(text).run()
    }

    /// Runs `text` with another shell: `dash`, `bash`, `busybox sh`.
    #[track_caller]
    pub fn sh_with(&self, shell: &str, text: &str) -> Ran {
        let mut words = shell.split(' ');
        let program = words.next().unwrap();
        let args: Vec<&str> = words.chain(["-c", text]).collect();
        self.cmd(program, &args).run()
    }

    /// Runs `text` with /bin/sh on a terminal of its own.
    #[track_caller]
    pub fn pty(&self, text: &str) -> Pty {
        Pty::spawn(self.sh_cmd(text))
    }

    /// Puts a test image (see [`images`]) into the host's store by `img-load`, under its own name.
    #[track_caller]
    pub fn load(&self, image: &str) {
        let archive = images::archive(image);
        self.cmd("img-load", &["-i", archive.to_str().unwrap()]).run().ok();
    }

    /// Waits until a process of this host, in a container too, has exactly this command line; gives its id.
    #[track_caller]
    pub fn process(&self, command_line: &str) -> i32 {
        let start = Instant::now();
        loop {
            let found = processes::of(&self.dir).into_iter().find(|p| processes::command_line(*p) == command_line);
            if let Some(pid) = found {
                return pid;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "no process {command_line}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the tools have left on this host: mounts, processes, containers, names. Empty: nothing.
    pub fn leftovers(&self) -> Vec<String> {
        let mut found: Vec<String> =
            leftovers::mounts_beneath(&self.dir).iter().map(|p| format!("mount {}", p.display())).collect();
        found.extend(processes::of(&self.dir).iter().map(|p| format!("process {p}: {}", processes::command_line(*p))));
        for dir in [self.root.join("containers"), self.root.join("names"), self.run().join("containers")] {
            let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
            found.extend(entries.map(|e| e.path().display().to_string()));
        }
        found.extend(leftovers::groups_of(&self.instance()).iter().map(|path| path.display().to_string()));
        found.extend(self.netns().iter().map(|path| format!("network namespace {}", path.display())));
        found
    }

    /// The network namespaces of its containers.
    fn netns(&self) -> Vec<PathBuf> {
        let own = format!("{}-", self.instance());
        let all = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        all.filter(|e| e.file_name().to_string_lossy().starts_with(&own)).map(|e| e.path()).collect()
    }

    /// Nothing of any container is left.
    #[track_caller]
    pub fn assert_clean(&self) {
        let found = self.leftovers();
        assert!(found.is_empty(), "left behind:\n  {}", found.join("\n  "));
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        processes::end(&self.dir);
        leftovers::remove_groups_of(&self.instance());
        for point in leftovers::mounts_beneath(&self.dir).iter().chain(&leftovers::mounts_beneath(&self.root)).rev() {
            let _ = umount2(point, MntFlags::MNT_DETACH);
        }
        for path in self.netns() {
            let _ = umount2(&path, MntFlags::MNT_DETACH);
            let _ = fs::remove_file(path);
        }
        let root = if self.root.exists() { fs::remove_dir_all(&self.root) } else { Ok(()) };
        let removed = root.and_then(|()| fs::remove_dir_all(&self.dir));
        if !thread::panicking() {
            removed.unwrap_or_else(|e| panic!("cannot take away {}: {e}", self.dir.display()));
            let left = self.leftovers();
            assert!(left.is_empty(), "could not be taken away: {left:?}");
        }
    }
}
