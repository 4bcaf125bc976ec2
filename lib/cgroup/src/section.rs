//! Section `cgroup` of the document, and what sets, compares and takes back the limits that it records.

use crate::{
    Groups, Resources, devices, is_group_path, limits,
    limits::Setting,
    resources::{BlockIo, Cpu, Memory},
};
use ctr_core::{Code, Document, Error, Result, Value, trace};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The groups of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cgroup {
    /// Their path in every hierarchy.
    pub path: PathBuf,
    /// 2 where one hierarchy has all controllers; 1 also where version 2 is there beside version 1.
    pub version: u8,
    /// What was written into which file.
    #[serde(default)]
    pub limits: BTreeMap<String, String>,
}

impl Cgroup {
    /// The section, where the document has one.
    ///
    /// # Errors
    /// `invalid` where it has not its form, and for a path that is not made of the document's id.
    pub fn of(doc: &Document) -> Result<Option<Self>> {
        let Some(section) = doc.section::<Self>("cgroup")? else { return Ok(None) };
        if is_group_path(&section.path, doc.str("id").unwrap_or_default()) {
            return Ok(Some(section));
        }
        let path = section.path.display();
        Err(Error::new(Code::Invalid, format!("document: cgroup.path {path} is no group of this container")))
    }

    /// The section for groups and what was written into them.
    pub fn new(path: &Path, groups: &Groups, settings: &[Setting]) -> Self {
        let limits = settings.iter().map(|s| (s.file.clone(), s.value.clone())).collect();
        Self { path: path.to_owned(), version: if groups.unified { 2 } else { 1 }, limits }
    }
}

/// `spec.linux.resources` of the document.
pub fn resources(doc: &Document) -> Option<&Value> {
    doc.get("spec")?.get("linux")?.get("resources")
}

/// Looks for what [`apply`] would refuse, as far as it can be told before the groups are there.
///
/// # Errors
/// As [`apply`].
pub fn foresee(resources: &Resources, groups: &Groups) -> Result<()> {
    limits::settings(resources, groups)?;
    devices::foresee(&resources.devices)
}

/// Sets all of `resources` to work in the groups, which are there; gives what was written.
///
/// # Errors
/// Those of [`limits::settings`], [`Setting::write`] and [`devices::set`].
pub fn apply(resources: &Resources, groups: &Groups) -> Result<Vec<Setting>> {
    let settings = limits::settings(resources, groups)?;
    settings.iter().try_for_each(Setting::write)?;
    devices::set(&resources.devices, groups)?;
    Ok(settings)
}

/// Sets those that the kernel has otherwise, or that are not `recorded` as written; gives what sets them back. Where one
/// cannot be set, those before it are set back.
///
/// # Errors
/// As [`Setting::write`].
pub fn change(settings: &[Setting], recorded: &BTreeMap<String, String>) -> Result<Vec<Setting>> {
    let mut before = Vec::new();
    let is_new =
        |setting: &&Setting| recorded.get(&setting.file) != Some(&setting.value) || setting.differs().is_some();
    for setting in settings.iter().filter(is_new) {
        before.extend(setting.now());
        if let Err(e) = setting.write() {
            write_back(&before);
            return Err(e);
        }
    }
    Ok(before)
}

/// Writes what was there before, last to first; what cannot be is printed.
pub fn write_back(before: &[Setting]) {
    for setting in before.iter().rev() {
        if let Err(e) = setting.write() {
            trace::warn(&format!("rollback: {e}"));
        }
    }
}

/// The controllers of version 2 without which a limit could not be set.
pub fn needed_controllers(resources: &Resources) -> BTreeSet<&str> {
    let Resources { memory, cpu, pids, block_io, unified, .. } = resources;
    let limited = Cpu { cpus: None, mems: None, ..cpu.clone() } != Cpu::default();
    let own = [
        ("memory", *memory != Memory::default()),
        ("cpu", limited),
        ("cpuset", cpu.cpus.is_some() || cpu.mems.is_some()),
        ("pids", pids.limit.is_some()),
        ("io", *block_io != BlockIo::default()),
    ];
    let own = own.into_iter().filter(|(_, is_needed)| *is_needed).map(|(name, _)| name);
    own.chain(unified.keys().filter_map(|key| key.split('.').next())).collect()
}

/// One error for each thing in which the kernel differs from the document.
///
/// # Errors
/// `invalid` for a document without the section.
pub fn check(doc: &Document) -> Result<Vec<Error>> {
    let Some(section) = Cgroup::of(doc)? else {
        return Err(Error::new(Code::Invalid, "document has no cgroup").hint("put cg-limit before this tool"));
    };
    let groups = Groups::at(&section.path)?;
    let mut findings = Vec::new();
    if groups.unified != (section.version == 2) {
        let version = section.version;
        findings.push(Error::new(Code::Invalid, format!("control groups are no longer version {version} here")));
        return Ok(findings);
    }
    for group in groups.list.iter().filter(|group| !group.exists()) {
        findings.push(Error::new(Code::NotFound, format!("no control group {}", group.dir().display())));
    }
    // What is in a group that is not there need not be said again.
    let all_there = findings.is_empty();
    for (file, value) in section.limits {
        let controller = file.split('.').next().unwrap_or_default();
        match groups.of(controller) {
            Ok(group) if !group.exists() => {}
            Ok(group) => findings.extend(Setting { group: group.clone(), file, value, is_read_back: true }.differs()),
            Err(e) => findings.push(e),
        }
    }
    match Resources::read(resources(doc)).and_then(|resources| devices::differ(&resources.devices, &groups)) {
        Ok(finding) => findings.extend(finding),
        Err(e) if all_there => findings.push(e),
        Err(_) => {}
    }
    Ok(findings)
}
