//! Limits: from the runtime-spec's words to what is written into which file, one module a controller, and in each
//! version 1 beside version 2.

mod above;
mod blkio;
mod cpu;
mod cpuset;
mod memory;
mod pids;
mod same;
mod unified;

pub use cpu::weight;
pub use cpuset::{inherit, numbers};
pub use memory::SWAP_FILES;

use crate::{Group, Groups, Resources};
use ctr_core::{Code, Error, Result, json, trace};

/// One file of one group, and what is to be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The group.
    pub group: Group,
    /// The name of the file.
    pub file: String,
    /// What is written; of several lines each by itself, as the kernel wants it.
    pub value: String,
    /// It is read back after it was written. Not what somebody wrote in the file's own words, of which the kernel has many:
    /// it is taken as what it was taken for.
    pub is_read_back: bool,
}

impl Setting {
    fn new(group: &Group, file: &str, value: impl ToString) -> Self {
        Self { group: group.clone(), file: file.to_owned(), value: value.to_string(), is_read_back: true }
    }

    /// Writes it, and reads it back: some values the kernel changes without a word.
    ///
    /// # Errors
    /// What the kernel makes of the value; `unsupported` for a file that it does not have; `invalid` where it took
    /// another value than was written.
    pub fn write(&self) -> Result<()> {
        let path = self.group.dir().join(&self.file);
        let what = || json!({"file": path, "value": self.value});
        trace::act("write", what, || {
            for line in self.value.lines() {
                self.group.write(&self.file, line).map_err(|e| self.explained(e))?;
            }
            match self.differs().filter(|_| self.is_read_back) {
                Some(e) => Err(e),
                None => Ok(()),
            }
        })
    }

    /// What is wrong where the kernel has another value, or none.
    pub fn differs(&self) -> Option<Error> {
        let path = self.group.dir().join(&self.file);
        match self.group.read(&self.file) {
            Ok(text) if same::same(&self.file, &self.value, &text) => None,
            Ok(text) => {
                let has = text.lines().collect::<Vec<_>>().join(", ");
                let wanted = self.value.lines().collect::<Vec<_>>().join(", ");
                Some(Error::new(Code::Invalid, format!("{} is {has:?}, not {wanted:?}", path.display())))
            }
            Err(e) => Some(Error::io(format!("read {}", path.display()), &e)),
        }
    }

    /// The same file with what is in it now, in the form in which it is written; none where it cannot be read.
    pub fn now(&self) -> Option<Self> {
        let text = self.group.read(&self.file).ok()?;
        let value = same::as_written(&self.file, &self.value, &text);
        Some(Self { value, ..self.clone() })
    }

    fn explained(&self, error: Error) -> Error {
        let group = self.group.path.display();
        match error.code {
            Code::NotFound if self.group.exists() => {
                let controller = self.file.split('.').next().unwrap_or_default();
                Error::new(
                    Code::Unsupported,
                    format!(
                        "this kernel's controller {controller}, mounted at {}, has no {}",
                        self.group.hierarchy.dir.display(),
                        self.file
                    ),
                )
            }
            Code::Busy if self.file.starts_with("memory.") => {
                error.hint(format!("the processes in group {group} use more than that"))
            }
            Code::Unsupported if self.value.contains(':') => error.hint("a whole disk, not a partition of it"),
            // ERANGE: the kernel's word for a number that no processor has.
            Code::Io => Error { code: Code::Invalid, ..error },
            _ => error,
        }
    }
}

/// What has to be written to the groups that are there for `resources`, in the order in which it has to be; the device
/// rules are [`crate::devices`]'.
///
/// # Errors
/// `invalid` for values that cannot be, `limit` for what is more than a group above has, `unsupported`, naming the
/// controller and where it is mounted, for what this machine cannot limit.
pub fn settings(resources: &Resources, groups: &Groups) -> Result<Vec<Setting>> {
    let mut all = cpuset::settings(&resources.cpu, groups)?;
    all.extend(memory::settings(&resources.memory, groups)?);
    all.extend(cpu::settings(&resources.cpu, groups)?);
    all.extend(pids::settings(&resources.pids, groups)?);
    all.extend(blkio::settings(&resources.block_io, groups)?);
    all.extend(unified::settings(&resources.unified, groups)?);
    Ok(all)
}

/// A number that has to be between two others.
fn between<T: PartialOrd + std::fmt::Display>(what: &str, value: T, least: T, most: T) -> Result<()> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(Error::new(Code::Invalid, format!("{what} is from {least} to {most}, not {value}")))
}

/// No file of that name in the group: this kernel, or this version of control groups, has no such limit.
fn no_such(group: &Group, controller: &str, what: &str) -> Error {
    let Group { hierarchy, .. } = group;
    let version = hierarchy.version;
    let message = format!("cannot set {what}: controller {controller}, which is version {version} here and mounted at");
    Error::new(Code::Unsupported, format!("{message} {}, has no such limit", hierarchy.dir.display()))
}
