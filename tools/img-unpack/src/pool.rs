//! Layers unpacked side by side, one to a core; the largest of those waiting first.

use ctr_core::{Cannot, Code, Error, Result};
use ctr_layer::Stop;
use ctr_store::Digest;
use std::{
    collections::HashSet,
    fs::File,
    io::ErrorKind,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    thread::{self, JoinHandle},
};

/// One layer to unpack.
#[derive(Debug)]
pub struct Job {
    /// Of the blob: the name by which the user knows the layer.
    pub digest: Digest,
    pub blob: PathBuf,
    pub size: u64,
    pub diff_id: Digest,
    pub tree: PathBuf,
}

/// Threads that unpack. No thread is started before there is something to do.
#[derive(Debug, Default)]
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    known: HashSet<Digest>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: Stop,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Job>,
    closed: bool,
    error: Option<Error>,
}

impl Pool {
    /// Whether the layer was pushed before.
    pub fn has(&self, diff_id: &Digest) -> bool {
        self.known.contains(diff_id)
    }

    /// Queues a layer; a second one of the same diffId is the same tree and is left out.
    pub fn push(&mut self, job: Job) {
        if !self.known.insert(job.diff_id.clone()) {
            return;
        }
        self.shared.lock().waiting.push(job);
        self.shared.changed.notify_one();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        if self.threads.len() < cores.min(self.known.len()) {
            let shared = Arc::clone(&self.shared);
            self.threads.push(thread::spawn(move || shared.work()));
        }
    }

    /// Waits for all layers.
    ///
    /// # Errors
    /// The first error; the other layers were given up then, without a trace.
    pub fn finish(&mut self) -> Result<()> {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                return Err(Error::new(Code::Internal, "a thread that unpacked a layer died"));
            }
        }
        self.shared.lock().error.take().map_or(Ok(()), Err)
    }
}

/// When the input turns out bad after layers were begun, what is half made must go before the process does.
impl Drop for Pool {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.shared.give_up();
            let _ = self.finish();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_up(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.lock().waiting.clear();
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            if let Err(e) = unpack(&job, &self.stop) {
                let first = !self.stop.swap(true, Ordering::Relaxed);
                let mut state = self.lock();
                state.waiting.clear();
                if first {
                    state.error = Some(e);
                }
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some((at, _)) = state.waiting.iter().enumerate().max_by_key(|(_, job)| job.size) {
                return Some(state.waiting.swap_remove(at));
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn unpack(job: &Job, stop: &Stop) -> Result<()> {
    let blob = match File::open(&job.blob) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let error = Error::new(Code::NotFound, format!("layer {} is not in the store", job.digest));
            return Err(error.hint("pull the image again"));
        }
        other => other.cannot(|| format!("open layer {}", job.digest))?,
    };
    ctr_layer::unpack(blob, &job.diff_id, &job.tree, stop).map_err(|e| of_layer(&job.digest, e))
}

/// An error about a layer, which names it.
pub fn of_layer(digest: &Digest, mut error: Error) -> Error {
    error.message = format!("layer {digest}: {}", error.message);
    error
}
