//! Makes a container's control groups and sets their limits before its process exists; or runs a command in such groups.

mod alone;
mod devices;
mod gc;
mod limits;
mod rates;
mod undo;

pub use limits::{Limits, forget_uncounted_swap};

use clap::Args;
use ctr_cgroup::{Cgroup, Group, Groups, Resources, path_of, plain, section};
use ctr_core::{Code, Common, Document, Done, Error, Map, Result, Rollback, Tool, Value, container, json, trace};
use std::{ffi::OsString, path::PathBuf};

/// The arguments of cg-limit(1).
#[derive(Args, Debug)]
pub struct CgLimit {
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    devices: devices::Devices,
    /// Make the groups below this one
    #[arg(long, value_name = "GROUP", default_value = "/", hide_default_value = true)]
    cgroup_parent: PathBuf,
    /// Give the container this name, if its document has none yet
    #[arg(long, value_name = "NAME", conflicts_with = "command")]
    name: Option<String>,
    /// Give the container a label, if its document has no id yet
    #[arg(short = 'l', long = "label", value_name = "KEY=VALUE", conflicts_with = "command")]
    labels: Vec<String>,
    /// Run this command in groups of its own; no document is read
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "file")]
    command: Vec<OsString>,
}

impl Tool for CgLimit {
    const NAME: &'static str = "cg-limit";
    const ABOUT: &'static str = "Make the control groups of a container, or of a command, with limits";
    const PATIENT: bool = true;
    const JOINS: bool = true;

    /// With a command the tool is one that runs a command (`ctr-document(5)`, EXIT STATUS).
    fn failed() -> u8 {
        if std::env::args_os().any(|word| word == "--") { 125 } else { Self::FAILED }
    }

    fn reads_document(&self) -> bool {
        self.command.is_empty()
    }

    fn prints(&self) -> bool {
        self.command.is_empty()
    }

    fn add(&mut self, doc: &mut Document, _: &Common) -> Result<Done> {
        if !self.command.is_empty() {
            return alone::run(self).map(Done::Exit);
        }
        let parent = self.parent()?;
        let linux = doc.get("spec").and_then(|spec| spec.get("linux"));
        let named = linux.and_then(|linux| linux.get("cgroupsPath")).and_then(Value::as_str).filter(|p| !p.is_empty());
        if let Some(path) = named {
            return Err(Error::new(Code::Exists, format!("document has a control group already, {path}"))
                .hint("cg-limit --undo takes it away"));
        }
        let before = undo::before(linux);
        let mut linux = linux.and_then(Value::as_object).cloned().unwrap_or_default();
        let swap_implied = self.fill(&mut linux, true)?;

        let claimed = container::claim_unless_there(doc, self.name.as_deref(), &self.labels)?;
        let id = container::checked_id(doc.str("id").unwrap_or_default())?.to_owned();
        let mut rollback = Rollback::new();
        if claimed {
            let id = id.clone();
            rollback.push(move || container::remove(&id));
        }
        let path = path_of(&parent, &id);
        let groups = Groups::at(&path)?;
        let section = set(&mut linux, swap_implied, &groups, &mut rollback)?;

        linux.insert("cgroupsPath".to_owned(), json!(section.path));
        doc.object("spec")?.insert("linux".to_owned(), Value::Object(linux));
        doc.set("cgroup", &section)?;
        doc.push_step(Self::NAME, json!({"id": id, "parent": parent, "claimed": claimed, "before": before}));
        rollback.disarm();
        Ok(Done::Print)
    }

    fn undo(doc: &mut Document, undo: &Value) -> Result<()> {
        undo::undo(doc, undo)
    }

    fn check(doc: &Document) -> Result<Vec<Error>> {
        section::check(doc)
    }

    /// Makes them anew: after a reboot all are gone. The limits are made of `spec.linux.resources` and not of what was
    /// written once, for the machine may have changed from version 1 to 2 meanwhile.
    fn repair(doc: &mut Document) -> Result<()> {
        if section::check(doc)?.is_empty() {
            return Ok(());
        }
        let Some(before) = Cgroup::of(doc)? else { return Ok(()) };
        // One that was removed is not there to be repaired.
        container::recorded(container::checked_id(doc.str("id").unwrap_or_default())?)?;
        let groups = Groups::at(&before.path)?;
        let mut rollback = Rollback::new();
        let resources = Resources::read(section::resources(doc))?;
        make(&resources, &groups, &mut rollback)?;
        let settings = section::apply(&resources, &groups)?;
        rollback.disarm();
        doc.set("cgroup", &Cgroup::new(&before.path, &groups, &settings))
    }

    fn gc() -> Result<Vec<Value>> {
        gc::gc()
    }
}

impl CgLimit {
    /// `--cgroup-parent` from the root of each hierarchy.
    fn parent(&self) -> Result<PathBuf> {
        let parent = plain(&self.cgroup_parent)
            .ok_or_else(|| Error::new(Code::Invalid, format!("{} has '..' in it", self.cgroup_parent.display())))?;
        Ok(PathBuf::from("/").join(parent))
    }

    /// Writes the flags into `linux.resources` and `linux.devices`; gives whether a limit of swap is there only because
    /// memory has one. `contained`: what is not said of devices is docker's default.
    fn fill(&self, linux: &mut Map<String, Value>, contained: bool) -> Result<bool> {
        let mut resources = linux.get("resources").and_then(Value::as_object).cloned().unwrap_or_default();
        let swap_implied = self.limits.fill(&mut resources)?;
        self.devices.fill(linux, &mut resources, contained)?;
        linux.insert("resources".to_owned(), Value::Object(resources));
        Ok(swap_implied)
    }
}

/// Makes the groups and sets what `linux.resources` says.
fn set(linux: &mut Map<String, Value>, swap_implied: bool, groups: &Groups, rollback: &mut Rollback) -> Result<Cgroup> {
    groups.check_empty()?;
    let resources = Resources::read(linux.get("resources"))?;
    // Most that can be wrong is found before anything is made.
    section::foresee(&resources, groups)?;
    if groups.list.iter().any(Group::exists) {
        // Left by one that was killed half-way, with limits that nobody knows.
        groups.end()?;
    }
    make(&resources, groups, rollback)?;
    if swap_implied && let Some(resources) = linux.get_mut("resources").and_then(Value::as_object_mut) {
        limits::forget_uncounted_swap(resources, groups);
    }
    let settings = section::apply(&Resources::read(linux.get("resources"))?, groups)?;
    let path = groups.list.first().map(|group| PathBuf::from("/").join(&group.path)).unwrap_or_default();
    Ok(Cgroup::new(&path, groups, &settings))
}

fn make(resources: &Resources, groups: &Groups, rollback: &mut Rollback) -> Result<()> {
    let (made, result) = groups.make(&section::needed_controllers(resources));
    if !trace::dry_run() {
        rollback.push(move || Groups { list: made, ..Groups::default() }.end().map(drop));
    }
    result
}
