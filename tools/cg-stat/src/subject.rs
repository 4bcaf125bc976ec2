//! Whose figures are read: a container, what a document names, a bare group.

use ctr_cgroup::{named, named_by, plain};
use ctr_core::{Code, Document, Error, Process, Result, State, container, ident};
use ctr_docker::Status;
use ctr_lifecycle::{Noted, noted};
use serde::Deserialize;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Something that has figures.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// How messages call it.
    pub word: String,
    /// The container's id.
    pub id: Option<String>,
    /// The container's name.
    pub name: Option<String>,
    /// docker's word for its state, where it is a container of ours.
    pub status: Option<&'static str>,
    /// The path of its groups, without a slash before it; a container need not have one.
    pub group: Option<PathBuf>,
    /// Its process: without one it is looked at as long as its groups are there.
    pub process: Option<Process>,
    /// Which writing of its record the name is from.
    written: Option<Writing>,
}

/// What tells one writing of a record from another: each makes a new file. Its inode, and when it was last changed, in
/// nanoseconds too.
type Writing = (u64, i64, i64);

/// What is needed of a record.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record {
    name: Option<String>,
    cgroup: Section,
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Section {
    path: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    linux: Linux,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Linux {
    cgroups_path: Option<String>,
}

impl Subject {
    /// The group at `path`, in whatever hierarchy.
    ///
    /// # Errors
    /// `invalid` for a path with `..` in it.
    pub fn path(path: &Path) -> Result<Self> {
        let word = format!("control group {}", path.display());
        let group = plain(path).ok_or_else(|| Error::new(Code::Invalid, format!("{word} has '..' in it")))?;
        Ok(Self { word, group: Some(group), ..Self::default() })
    }

    /// What a document of the pipe names.
    ///
    /// # Errors
    /// `not-found` where it names no group, or its container has ended.
    pub fn document(doc: &Document) -> Result<Self> {
        let id = doc.str("id").filter(|id| ident::is_id(id)).map(str::to_owned);
        let name = doc.str("name").map(str::to_owned);
        let word =
            format!("container {}", name.as_deref().or(id.as_deref().map(ident::short)).unwrap_or("of the document"));
        let live = id.as_deref().map(container::live_state).transpose()?.flatten();
        let state = live.or(doc.section::<State>("state")?);
        let process = state.as_ref().and_then(process_of);
        if state.is_some_and(|state| state.status != "created" && !container::is_alive(&state)) {
            return Err(Error::new(Code::NotFound, format!("{word} is not running")));
        }
        Self { word, id, name, process, group: named(doc), ..Self::default() }.with_group()
    }

    /// The container that `word` means.
    ///
    /// # Errors
    /// `not-found` where there is none, or it does not run, or has no group; `busy` while it is being restarted.
    pub fn container(word: &str) -> Result<Self> {
        let id = container::find(word)?;
        let mut subject = Self::recorded(&id)?;
        subject.word = format!("container {word}");
        match noted(&id)? {
            Noted::Alive(state) => subject.runs(&state),
            Noted::Kept(state) if state.status == "restarting" => {
                return Err(
                    Error::new(Code::Busy, format!("{} is restarting", subject.word)).hint("wait until it runs")
                );
            }
            _ => return Err(Error::new(Code::NotFound, format!("{} is not running", subject.word))),
        }
        subject.with_group()
    }

    /// What the record says of container `id`, whether it runs or not; its state is not asked for.
    pub fn recorded(id: &str) -> Result<Self> {
        // Before: one that is written meanwhile is read again.
        let written = writing(id);
        let Record { name, cgroup, spec } = container::recorded_as(id)?;
        let path = spec.linux.cgroups_path;
        Ok(Self {
            word: format!("container {}", name.as_deref().unwrap_or(ident::short(id))),
            id: Some(id.to_owned()),
            group: named_by(cgroup.path.as_deref(), path.as_deref()),
            name,
            written,
            ..Self::default()
        })
    }

    /// Takes its name again, where its record was written since: it may have been given another.
    ///
    /// # Errors
    /// As [`recorded`](Self::recorded).
    pub fn refresh(&mut self) -> Result<()> {
        let Some(id) = self.id.as_deref() else { return Ok(()) };
        let written = writing(id);
        if written.is_some() && written != self.written {
            self.name = container::recorded_as::<Record>(id)?.name;
            self.written = written;
        }
        Ok(())
    }

    /// The same of one that does not run: with its state, and without its group, in which nobody is.
    pub fn stopped(id: &str) -> Result<Self> {
        let status = Status::of(&container::load(id)?)?.word;
        Ok(Self { status: Some(status), group: None, ..Self::recorded(id)? })
    }

    /// It runs, or does so again, with the process of `state`.
    pub fn runs(&mut self, state: &State) {
        self.process = process_of(state);
        self.status = Some(if state.status == "paused" { "paused" } else { "running" });
    }

    /// Looks whether it is there still, and which process it has now.
    pub fn look(&mut self) -> Result<Life> {
        let noted = self.id.as_deref().map(noted).transpose()?.unwrap_or(Noted::Nothing);
        Ok(match (noted, self.process) {
            (Noted::Alive(state), _) => {
                self.runs(&state);
                // Without its record it is being removed.
                let _ = self.refresh();
                Life::Runs
            }
            // Its supervisor is about to say whether it is started again.
            (Noted::Kept(state), _) => {
                self.process = None;
                if state.status == "restarting" {
                    self.status = Some("restarting");
                }
                Life::Between
            }
            (_, Some(process)) if container::is_running(process) => Life::Runs,
            // A group without a process of ours: it is gone when its files are.
            (_, None) if self.status.is_none() => Life::Runs,
            _ => Life::Over,
        })
    }

    /// Its group is not there.
    pub fn gone(&self) -> Error {
        let path = self.group.as_deref().unwrap_or(Path::new("")).display();
        let message = match (self.process, &self.word) {
            (Some(_), word) => format!("{word} ended while it was read"),
            (None, word) if word.starts_with("container ") => format!("{word} has no control group /{path}"),
            _ => format!("there is no control group /{path}"),
        };
        Error::new(Code::NotFound, message)
    }

    fn with_group(self) -> Result<Self> {
        if self.group.is_some() {
            return Ok(self);
        }
        let message = format!("{} has no control group of its own, and so no figures", self.word);
        Err(Error::new(Code::NotFound, message).hint("cg-limit makes one, before ns-spawn"))
    }
}

/// Whether there is something to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// There is.
    Runs,
    /// Its process has ended, and may be followed by another.
    Between,
    /// It has ended.
    Over,
}

fn writing(id: &str) -> Option<Writing> {
    let record = fs::metadata(container::record_file(id)).ok()?;
    Some((record.ino(), record.mtime(), record.mtime_nsec()))
}

fn process_of(state: &State) -> Option<Process> {
    Some(Process { pid: state.pid?, pid_start: state.pid_start? })
}
