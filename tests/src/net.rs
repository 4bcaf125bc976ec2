//! Network namespaces for tests: held by a descriptor, visible nowhere, gone with it.

use crate::sys;
use nix::sched::{CloneFlags, setns, unshare};
use std::{
    fs::File,
    net::TcpListener,
    process::Command,
    sync::{Arc, OnceLock},
    thread,
};

/// A network namespace; clones are the same one.
#[derive(Clone)]
pub struct Net(Arc<File>);

impl Net {
    /// A new network namespace with its loopback up.
    pub fn new() -> Self {
        let file = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("ip");
            assert!(up.success(), "ip link set lo up: {up}");
            File::open("/proc/thread-self/ns/net").unwrap()
        })
        .join()
        .unwrap();
        Self(Arc::new(file))
    }

    /// The one that is held at a path: a container's.
    pub fn at(path: &str) -> Self {
        Self(Arc::new(File::open(path).unwrap_or_else(|e| panic!("{path}: {e}"))))
    }

    /// The one that all tests share which ask for none: the registries are in it.
    pub fn shared() -> Self {
        static SHARED: OnceLock<Net> = OnceLock::new();
        SHARED.get_or_init(Self::new).clone()
    }

    /// Runs `f` on a thread inside the namespace; a socket made there stays there.
    pub fn enter<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> T {
        let file = self.0.clone();
        thread::spawn(move || {
            setns(&*file, CloneFlags::CLONE_NEWNET).unwrap();
            f()
        })
        .join()
        .unwrap()
    }

    /// A listening socket on a free port of the namespace's loopback: for a server in the test itself.
    pub fn listen(&self) -> TcpListener {
        self.enter(|| TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Lets `command` run inside the namespace.
    pub fn apply(&self, command: &mut Command) {
        sys::enter_net(command, self.0.clone());
    }
}

impl Default for Net {
    fn default() -> Self {
        Self::new()
    }
}
