//! The layers, several at once, each on its way from the socket to the disk.

use crate::{content::Source, progress::Progress};
use ctr_core::{Code, Error, Result};
use ctr_store::{Blob, Digest};
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

/// Fetches what the store has not of `layers`, at most `jobs` at a time. `done` is told which layers are there:
/// first those that were, then others as they come.
///
/// # Errors
/// The first that occurs, at once: threads still at work end with the process, and what they wrote stays to be resumed.
pub(crate) fn fetch(
    source: &Arc<Source>,
    name: &str,
    layers: &[Blob],
    jobs: usize,
    progress: &Arc<Progress>,
    mut done: impl FnMut(&[Digest]) -> Result<()>,
) -> Result<()> {
    let mut seen = HashSet::new();
    let (present, wanted): (Vec<Blob>, VecDeque<Blob>) = {
        // A layer may occur twice in an image.
        let distinct = layers.iter().filter(|layer| seen.insert(&layer.digest));
        let (present, wanted): (Vec<&Blob>, Vec<&Blob>) =
            distinct.partition(|layer| source.store.has_blob(&layer.digest, layer.size));
        (present.into_iter().cloned().collect(), wanted.into_iter().cloned().collect())
    };
    for layer in &present {
        progress.present(layer.digest.as_str(), layer.size);
    }
    let present: Vec<Digest> = present.into_iter().map(|layer| layer.digest).collect();
    done(&present)?;
    if wanted.is_empty() {
        return Ok(());
    }
    let count = wanted.len();
    progress.plan(name, wanted.iter().map(|layer| layer.size).sum());
    let queue = Arc::new(Mutex::new(wanted));
    let (send, receive) = mpsc::channel();
    for _ in 0..jobs.min(count) {
        let (source, queue, progress, send) = (source.clone(), queue.clone(), progress.clone(), send.clone());
        let work = move || {
            // The lock is let go before the work begins.
            while let Some(layer) = { queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() } {
                let meter = progress.layer(layer.digest.as_str(), layer.size);
                let result = source.fetch(&layer.digest, layer.size, &mut |at| meter.moved(at));
                if result.is_ok() {
                    meter.done();
                }
                let failed = result.is_err();
                if send.send((layer.digest, result)).is_err() || failed {
                    return;
                }
            }
        };
        thread::Builder::new().spawn(work).map_err(|e| Error::io("start a thread", &e))?;
    }
    drop(send);
    let mut left = count;
    while left > 0 {
        let Ok(first) = receive.recv() else {
            return Err(Error::new(Code::Internal, "a thread that fetched a layer ended without a word"));
        };
        // Those that came at the same time are told together.
        let ready: Vec<_> = std::iter::once(first).chain(receive.try_iter()).collect();
        left -= ready.len();
        let ready = ready.into_iter().map(|(digest, result)| result.map(|()| digest)).collect::<Result<Vec<_>>>()?;
        done(&ready)?;
    }
    Ok(())
}
