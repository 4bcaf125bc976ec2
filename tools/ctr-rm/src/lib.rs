//! Removes containers: undoes the steps that each one's record names, last to first.

use clap::Args;
use ctr_core::{Cannot, Code, Error, Lock, Result, Supervise, container, each, json, paths, print_line, steps, trace};
use std::{
    fs::File,
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread::{available_parallelism, scope},
};

/// The tool's name.
pub const NAME: &str = "ctr-rm";
/// The first line of its help.
pub const ABOUT: &str = "Remove containers";

/// The arguments of ctr-rm(1).
#[derive(Args, Debug)]
pub struct CtrRm {
    /// Names, ids or beginnings of ids that no other container has
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    /// Kill the command of a container that runs; a container that is not there is no failure
    #[arg(short, long)]
    force: bool,
    /// Remove the volumes without a name, too, that were made for it
    #[arg(short, long)]
    volumes: bool,
}

/// Removes each container and prints its name as it was given; goes on after one that fails.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed.
pub fn run(args: CtrRm) -> Result<()> {
    let removed = side_by_side(&args);
    if removed.iter().any(Result::is_ok) {
        // What is removed stays so, should the power be cut now.
        let containers = paths::containers();
        File::open(&containers).and_then(|dir| dir.sync_all()).cannot(|| format!("flush {}", containers.display()))?;
    }
    let mut removed = removed.into_iter();
    each(&args.containers, |word| match removed.next().unwrap_or_else(|| remove(word, &args)) {
        // docker says so, and is content.
        Err(e) if args.force && e.code == Code::NotFound => {
            trace::warn(&e.message);
            Ok(())
        }
        removed => removed.and_then(|()| print_line(&word)),
    })
}

/// Removes them, four a processor at a time, for each waits most of its time: for processes to die, for the kernel to let go
/// of their mounts and groups. Gives what came of
/// each, in their order.
fn side_by_side(args: &CtrRm) -> Vec<Result<()>> {
    let words = &args.containers;
    let threads = (4 * available_parallelism().map_or(1, NonZero::get)).min(words.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((at, word)) = Some(next.fetch_add(1, Relaxed)).and_then(|at| Some((at, words.get(at)?))) {
            done.push((at, remove(word, args)));
        }
        done
    };
    let mut all: Vec<_> = scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        others.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).chain(own).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}

fn remove(word: &str, args: &CtrRm) -> Result<()> {
    let force = args.force;
    let id = container::find(word)?;
    if !force && let Some(state) = container::live_state(&id)? {
        let pid = state.pid.unwrap_or_default();
        return Err(Error::new(Code::Busy, format!("cannot remove container {word}: it runs as process {pid}"))
            .hint("stop it first, or force"));
    }
    let mut whole = container::recorded(&id)?;
    let mut doc = container::load(&id)?;
    if !whole.is_partial() {
        // Nobody starts it or adds to it from here on: a partial record is refused. Killed now, what is left is the next rm's,
        // or of one that does not run gc's.
        let _kept = container::keep(&id, force)?;
        let _names = Lock::store()?;
        // As it is now that its start or its end is recorded, and each step of the pipe.
        whole = container::recorded(&id)?;
        doc = container::load(&id)?;
        let mut record = whole.clone();
        record.set("partial", &true)?;
        container::disown(&id)?;
        container::save_for_now(&record)?;
    } else if container::is_being_made(&id) {
        return Err(Error::new(Code::Busy, format!("cannot remove container {word}: it is being made")));
    } else {
        // Its tool was killed before the record named the step.
        doc.push_step("overlay-mount", json!({"id": id, "claimed": true}));
    }
    // One that was to be removed at its end goes as it would have gone then.
    let supervise = doc.section::<Supervise>("supervise")?;
    if !args.volumes && !supervise.is_some_and(|supervise| supervise.remove) {
        ctr_vol::keep_anonymous(&mut doc)?;
    }
    let mut failed = steps::undo_all(&doc, &ns_spawn::UNDO);
    let last = failed.pop();
    for earlier in failed {
        trace::warn(&earlier.to_string());
    }
    let stays = container::exists(&id);
    if stays && !whole.is_partial() {
        container::save(&whole)?;
    }
    match last {
        Some(e) => Err(Error::new(e.code, format!("cannot remove container {word}: {}", e.message))),
        None if stays => {
            Err(Error::new(Code::Invalid, format!("cannot remove container {word}: no step of its record does it"))
                .hint(format!("see {}", container::dir(&id).display())))
        }
        None => Ok(()),
    }
}
