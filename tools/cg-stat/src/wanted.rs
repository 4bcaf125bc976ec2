//! Whose figures were asked for, and which of them are there at the moment.

use crate::{
    CgStat,
    subject::{Life, Subject},
};
use ctr_core::{Code, Result, container, each, ident, read_document, trace};
use ctr_lifecycle::{Noted, noted};
use std::{
    collections::{HashMap, HashSet},
    mem,
    thread::scope,
};

/// What was asked for.
pub enum Wanted {
    /// These, until each of them has ended; when they are asked for they were just looked at.
    These { list: Vec<Subject>, fresh: bool },
    /// Every container, or every one that runs; `known` are those that were there.
    Every { stopped: bool, known: HashMap<String, Subject> },
}

impl Wanted {
    /// By the command line; without a word about it, what the document on stdin names.
    ///
    /// # Errors
    /// The last failure, where one of those that are named is not there; the earlier ones are printed.
    pub fn new(args: &CgStat) -> Result<Self> {
        if args.running || args.all {
            return Ok(Self::Every { stopped: args.all, known: HashMap::new() });
        }
        let mut list = args.paths.iter().map(|path| Subject::path(path)).collect::<Result<Vec<_>>>()?;
        let mut found = by_two(args.containers.iter().collect(), |word| Subject::container(word)).into_iter();
        each(&args.containers, |word| {
            list.push(found.next().unwrap_or_else(|| Subject::container(word))?);
            Ok(())
        })?;
        if list.is_empty() {
            list.push(Subject::document(&read_document(args.file.as_deref())?)?);
        }
        // One that was named twice is there once.
        let mut seen = HashSet::new();
        list.retain(|subject| seen.insert((subject.id.clone(), subject.group.clone())));
        Ok(Self::These { list, fresh: true })
    }

    /// Looks who is there now; gives whether one is between two processes.
    pub fn look(&mut self) -> Result<bool> {
        let mut between = false;
        match self {
            Self::These { fresh: fresh @ true, .. } => *fresh = false,
            Self::These { list, .. } => {
                for mut subject in mem::take(list) {
                    let life = subject.look()?;
                    between |= life == Life::Between;
                    if life != Life::Over {
                        list.push(subject);
                    }
                }
            }
            Self::Every { stopped, known } => {
                let ids = container::ids()?;
                known.retain(|id, _| ids.contains(id));
                let asked: Vec<_> = ids.into_iter().map(|id| (known.remove(&id), id)).collect();
                let stopped = *stopped;
                let look = |(known, id): (Option<Subject>, String)| (every(&id, stopped, known), id);
                for (looked, id) in by_two(asked, look) {
                    match looked {
                        Ok(Some(subject)) => drop(known.insert(id, subject)),
                        Ok(None) => {}
                        // Removed meanwhile.
                        Err(e) if e.code == Code::NotFound => {}
                        Err(e) => trace::warn(&format!("container {}: {}", ident::short(&id), e.message)),
                    }
                }
            }
        }
        Ok(between)
    }

    /// Takes out those of these names that have no process by which to tell that they have ended.
    pub fn forget(&mut self, words: &[String]) {
        if let Self::These { list, .. } = self {
            list.retain(|subject| subject.status.is_some() || !words.contains(&subject.word));
        }
    }

    /// Those who were there at the last look: as they were named, else by their names.
    pub fn subjects(&self) -> Vec<&Subject> {
        match self {
            Self::These { list, .. } => list.iter().collect(),
            Self::Every { known, .. } => {
                let mut list: Vec<_> = known.values().collect();
                list.sort_by(|a, b| a.name.cmp(&b.name));
                list
            }
        }
    }

    /// Whether nobody can come any more.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::These { list, .. } if list.is_empty())
    }

    /// Whether those that end meanwhile are missed.
    pub fn is_named(&self) -> bool {
        matches!(self, Self::These { .. })
    }
}

/// From so many on a second thread reads its half of the records.
pub const MANY: usize = 16;

/// What `f` gives for each, in their order; of many by two threads.
fn by_two<A: Send, B: Send>(mut all: Vec<A>, f: impl Fn(A) -> B + Sync) -> Vec<B> {
    if all.len() < MANY {
        return all.into_iter().map(f).collect();
    }
    let half = all.split_off(all.len() / 2);
    scope(|scope| {
        let other = scope.spawn(|| half.into_iter().map(&f).collect::<Vec<_>>());
        let mut done: Vec<_> = all.into_iter().map(&f).collect();
        done.extend(other.join().unwrap_or_default());
        done
    })
}

/// Container `id` as it is now, if it is wanted. The record of one that was `known` to run is
/// read again only where it was written since.
fn every(id: &str, stopped: bool, known: Option<Subject>) -> Result<Option<Subject>> {
    let (alive, restarting) = match noted(id)? {
        Noted::Alive(state) => (Some(state), false),
        Noted::Kept(state) => (None, state.status == "restarting"),
        _ => (None, false),
    };
    if alive.is_none() && !restarting {
        return if stopped { Subject::stopped(id).map(Some) } else { Ok(None) };
    }
    let mut subject = match known {
        Some(mut subject) => {
            subject.refresh()?;
            subject
        }
        None => Subject::recorded(id)?,
    };
    if let Some(state) = alive {
        subject.runs(&state);
    } else {
        (subject.process, subject.status) = (None, Some("restarting"));
    }
    Ok(Some(subject))
}
