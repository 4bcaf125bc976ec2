//! Tells when the container has ended, or another proxy takes the place of this one.

use ctr_core::{Cannot, Document, Process, Result, container, paths};
use ctr_net::{port, proxy};
use rustix::{
    event::epoll::{self, EventData, EventFlags},
    fs::inotify::{self, WatchFlags},
};
use std::{
    fs::File,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    rc::Rc,
    time::{Duration, Instant},
};

/// How long the proxy of a container that was made, and not started, keeps its ports.
const UNSTARTED: Duration = Duration::from_secs(10);
/// How often it is looked whether the pipe that makes the container goes on.
const LOOK: Duration = Duration::from_secs(1);

/// What is to become of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Stay,
    /// Another has its ports now.
    Retire,
    /// Its container has ended.
    Leave,
}

/// What is watched.
pub struct Watch {
    id: String,
    file: File,
    epoll: Rc<OwnedFd>,
    changes: OwnedFd,
    mark: u64,
    /// The container's process and its supervisor.
    processes: Vec<container::Handle>,
    start: Instant,
    has_run: bool,
    runs: bool,
    /// Nobody makes the container any more; its document was set aside, and the ports are published with it.
    waits: bool,
}

impl Watch {
    /// Of container `id`, by the proxy whose file this is. What happens comes with this mark.
    pub fn of(id: &str, file: File, epoll: Rc<OwnedFd>, mark: u64) -> Result<Self> {
        let what = || format!("watch container {id}");
        let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).cannot(what)?;
        let dir = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE | WatchFlags::DELETE_SELF;
        inotify::add_watch(&changes, paths::run_dir(id), dir).cannot(what)?;
        // A file that is taken away has a link less.
        inotify::add_watch(&changes, proxy::dir().join(id), WatchFlags::ATTRIB).cannot(what)?;
        epoll::add(&*epoll, &changes, EventData::new_u64(mark), EventFlags::IN).cannot(what)?;
        let (processes, start) = (Vec::new(), Instant::now());
        Ok(Self {
            id: id.to_owned(),
            file,
            epoll,
            changes,
            mark,
            processes,
            start,
            has_run: false,
            runs: false,
            waits: false,
        })
    }

    /// Looks at all of it.
    pub fn look(&mut self) -> Result<Verdict> {
        let mut buffer = [0; 4096];
        while rustix::io::read(&self.changes, &mut buffer).is_ok_and(|length| length > 0) {}
        // Those that have ended would be told of for ever.
        self.processes.clear();
        if let Some(state) = container::live_state(&self.id)? {
            let own = state.pid.zip(state.pid_start).map(|(pid, pid_start)| Process { pid, pid_start });
            for process in own.into_iter().chain(state.supervisor) {
                self.processes.extend(container::Handle::of(process)?);
            }
        }
        for process in &self.processes {
            epoll::add(&*self.epoll, process.fd(), EventData::new_u64(self.mark), EventFlags::IN)
                .cannot(|| "watch a process")?;
        }
        self.runs = !self.processes.is_empty();
        self.has_run |= self.runs;
        self.waits = !self.has_run && container::is_orphan(&self.id) && is_set_aside(&self.id);
        if self.file.metadata().cannot(|| "look at the proxy's file")?.nlink() == 0 {
            return Ok(if self.is_over() { Verdict::Leave } else { Verdict::Retire });
        }
        Ok(if self.is_over() { Verdict::Leave } else { Verdict::Stay })
    }

    fn is_over(&self) -> bool {
        if self.runs {
            return false;
        }
        if port::is_claimed_at_start(&self.id) {
            // It has run, however short. Who starts it again has the lock until its process is there.
            let starts = container::are_limits_held(&self.id).unwrap_or(true);
            return !starts && matches!(container::live_state(&self.id), Ok(None));
        }
        let is_unused = self.has_run || (self.start.elapsed() > UNSTARTED && !self.waits);
        is_unused && container::is_orphan(&self.id)
    }

    /// When to look again though nothing happened; `None` while the container runs, or whoever starts it will be told of.
    pub fn patience(&self) -> Option<Duration> {
        (!self.runs && !self.waits).then_some(LOOK)
    }

    /// Gives the file up, and with it the ports.
    pub fn let_go(&self) -> Result<()> {
        // Standard error is open beside it, by the same lock.
        self.file.unlock().cannot(|| "give up the proxy's file")
    }

    /// Takes the file away, unless another has its place.
    pub fn forget(&self) -> Result<()> {
        if self.file.metadata().is_ok_and(|own| own.nlink() > 0) { proxy::forget(&self.id) } else { Ok(()) }
    }
}

/// Whether the container's document waits for `ns-spawn`: a pipe of `ctr run` leaves none that does.
fn is_set_aside(id: &str) -> bool {
    let waits = |doc: &Document| !(doc.is_partial() || container::is_complete(doc) || container::is_provisional(doc));
    container::recorded(id).is_ok_and(|doc| waits(&doc))
}
