//! The kernel's files about groups: a descriptor for each hierarchy, one buffer for all that is read.

use ctr_cgroup::{Hierarchy, Layout};
use ctr_core::{Cannot, Code, Error, Result};
use rustix::{
    fs::{CWD, Mode, OFlags, open, openat},
    io::Errno,
};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Most of one file: a page of the kernel's is 4 KiB, memory.stat of version 2 has two thirds of one.
const ROOM: usize = 16 << 10;

/// Where a controller's files are.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// 1 or 2.
    pub version: u8,
    hierarchy: usize,
}

/// The hierarchies, and which of them has what.
pub struct Kernel {
    hierarchies: Vec<(Arc<Hierarchy>, OwnedFd)>,
    /// The controller `cpu`: throttling.
    pub cpu: Option<Place>,
    /// CPU time: version 1's controller `cpuacct`; version 2 counts it in every group, whatever its controllers.
    pub cpuacct: Option<Place>,
    /// The controller `memory`.
    pub memory: Option<Place>,
    /// The controller `io`, in version 1 `blkio`.
    pub io: Option<Place>,
    /// The controller `pids`.
    pub pids: Option<Place>,
    /// The version 2 tree, which has pressure also on a hybrid host.
    pub tree: Option<Place>,
    /// The network namespace that we are in, as its link has it.
    pub own_net: Option<PathBuf>,
    /// Memory of the host, bytes.
    pub host_memory: u64,
    buffer: Vec<u8>,
    path: PathBuf,
    devices: BTreeMap<String, Option<String>>,
}

impl Kernel {
    /// Opens every hierarchy.
    ///
    /// # Errors
    /// `unsupported` where none is mounted.
    pub fn open() -> Result<Self> {
        let layout = Layout::read()?;
        let mut hierarchies: Vec<(Arc<Hierarchy>, OwnedFd)> = Vec::new();
        for hierarchy in layout.hierarchies() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd =
                open(&hierarchy.dir, flags, Mode::empty()).cannot(|| format!("open {}", hierarchy.dir.display()))?;
            hierarchies.push((hierarchy.clone(), fd));
        }
        if hierarchies.is_empty() {
            return Err(Error::new(Code::Unsupported, "no control groups are mounted below /sys/fs/cgroup"));
        }
        let place = |found: Option<&Arc<Hierarchy>>| {
            let hierarchy = hierarchies.iter().position(|(known, _)| Some(known) == found)?;
            Some(Place { version: hierarchies[hierarchy].0.version, hierarchy })
        };
        let tree = place(layout.version_2());
        let info = rustix::system::sysinfo();
        Ok(Self {
            cpu: place(layout.of("cpu")),
            cpuacct: place(layout.of("cpuacct")).or(tree),
            memory: place(layout.of("memory")),
            io: place(layout.of("io")).or(place(layout.of("blkio"))),
            pids: place(layout.of("pids")),
            tree,
            own_net: fs::read_link("/proc/self/ns/net").ok(),
            host_memory: info.totalram * u64::from(info.mem_unit),
            hierarchies,
            buffer: vec![0; ROOM],
            path: PathBuf::new(),
            devices: BTreeMap::new(),
        })
    }

    /// Reads a file of the group at `group`; `None` where the kernel, or the group, does not have it.
    ///
    /// # Errors
    /// Those of open(2) and read(2) that mean something else.
    pub fn read(&mut self, place: Place, group: &Path, file: &str) -> Result<Option<&str>> {
        let (hierarchy, dir) = &self.hierarchies[place.hierarchy];
        self.path.clear();
        self.path.push(group);
        self.path.push(file);
        let what = || format!("read {}", hierarchy.dir.join(group).join(file).display());
        // One read(2) gives the whole file: to kernfs it is one record, of which seq_file gives as much as there is room.
        let length = read_into(&mut self.buffer, dir.as_fd(), &self.path, true).cannot(what)?;
        Ok(length.and_then(|length| std::str::from_utf8(&self.buffer[..length]).ok()))
    }

    /// Reads a file of /proc; `None` where it is not there, or not for us to see. A name in it need not be UTF-8: the
    /// bytes of it that are not become U+FFFD.
    pub fn proc(&mut self, file: &str) -> Option<Cow<'_, str>> {
        let length = read_into(&mut self.buffer, CWD, Path::new(file), false).ok()??;
        Some(String::from_utf8_lossy(&self.buffer[..length]))
    }

    /// The name of device `MAJOR:MINOR`, as in `vda`.
    pub fn device(&mut self, number: &str) -> Option<String> {
        if let Some(known) = self.devices.get(number) {
            return known.clone();
        }
        let link = fs::read_link(Path::new("/sys/dev/block").join(number)).ok();
        let name = link.and_then(|link| link.file_name()?.to_str().map(str::to_owned));
        self.devices.insert(number.to_owned(), name.clone());
        name
    }

    /// Whether any hierarchy has such a group.
    pub fn has(&self, group: &Path) -> bool {
        let dir = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let group = if group == Path::new("") { Path::new(".") } else { group };
        self.hierarchies.iter().any(|(_, fd)| openat(fd, group, dir, Mode::empty()).is_ok())
    }
}

/// The whole file, which may be `one` record; `None` where there is none, or its group went away while it was read (ENODEV), or what it tells is
/// switched off (EOPNOTSUPP).
fn read_into(buffer: &mut Vec<u8>, dir: BorrowedFd<'_>, path: &Path, one: bool) -> rustix::io::Result<Option<usize>> {
    let mut read = || {
        let file = openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut length = 0;
        loop {
            if length == buffer.len() {
                buffer.resize(2 * length, 0);
            }
            match rustix::io::read(&file, &mut buffer[length..]) {
                Ok(0) => return Ok(length),
                Ok(n) => {
                    length += n;
                    if one && length < buffer.len() {
                        return Ok(length);
                    }
                }
                Err(Errno::INTR) => {}
                Err(e) => return Err(e),
            }
        }
    };
    match read() {
        Err(Errno::NOENT | Errno::NODEV | Errno::NOTDIR | Errno::OPNOTSUPP | Errno::SRCH) => Ok(None),
        other => other.map(Some),
    }
}

/// The pairs of a flat keyed file: a name, a space, a number (cgroup-v2.rst, Format).
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (name, number) = line.split_once(' ')?;
        Some((name, number.trim().parse().ok()?))
    })
}

/// The number of a file that holds one; none for `max`.
pub fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}
