//! Profiles from files: docker's format, whose rules have conditions, and the plain OCI section, which is part of it.

use crate::abi;
use ctr_core::{Code, Error, Result};
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSyscall,
};
use serde::Deserialize;
use std::path::PathBuf;

/// A profile as docker reads it. Keys that we do not know are comments, as they are to docker.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    default_action: Option<LinuxSeccompAction>,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<Arch>>,
    arch_map: Option<Vec<Machine>>,
    flags: Option<Vec<LinuxSeccompFilterFlag>>,
    listener_path: Option<PathBuf>,
    listener_metadata: Option<String>,
    syscalls: Option<Vec<Entry>>,
}

/// An architecture, and those whose programs it runs too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    architecture: Arch,
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    args: Option<Vec<LinuxSeccompArg>>,
    includes: Option<When>,
    excludes: Option<When>,
}

/// A condition of docker's on an entry as a whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct When {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

/// Reads the FILE of `--security-opt seccomp=FILE`: docker's format, or an OCI `linux.seccomp` section.
///
/// `capabilities` (`CAP_…`) is the bounding set of the container. Entries whose `includes` or `excludes` do not fit
/// it, this machine or the running kernel are left out, and `archMap` gives its architectures, as docker does.
///
/// # Errors
/// `invalid` where it is not JSON, names an action, architecture or operator that there is not, has no
/// `defaultAction`, or says the same thing in two ways (`name` and `names`, `architectures` and `archMap`).
pub fn from_json(bytes: &[u8], capabilities: &[&str]) -> Result<LinuxSeccomp> {
    resolve(bytes, capabilities, kernel())
}

/// The same for a kernel of that version.
pub fn resolve(bytes: &[u8], capabilities: &[&str], kernel: (u32, u32)) -> Result<LinuxSeccomp> {
    let file: File = serde_json::from_slice(bytes).map_err(|e| invalid(e.to_string()))?;
    // To docker a file without it means no filter at all; a filter that is not there must not look like one.
    let default = file.default_action.ok_or_else(|| invalid("it has no defaultAction"))?;
    let machines = file.arch_map.unwrap_or_default();
    let mut architectures = file.architectures.unwrap_or_default();
    if !architectures.is_empty() && !machines.is_empty() {
        return Err(invalid("it has both architectures and archMap"));
    }
    if let Some(machine) = machines.into_iter().find(|m| Some(&m.architecture) == abi::ARCHITECTURES.first()) {
        architectures.push(machine.architecture);
        architectures.extend(machine.sub_architectures.unwrap_or_default());
    }
    let mut rules = Vec::new();
    for entry in file.syscalls.unwrap_or_default() {
        if applies(&entry, capabilities, kernel)? {
            rules.push(rule(entry)?);
        }
    }
    let mut profile = LinuxSeccomp::default();
    profile
        .set_default_action(default)
        .set_default_errno_ret(file.default_errno_ret)
        .set_architectures(Some(architectures).filter(|a| !a.is_empty()))
        .set_flags(file.flags)
        .set_listener_path(file.listener_path)
        .set_listener_metadata(file.listener_metadata)
        .set_syscalls(Some(rules));
    Ok(profile)
}

fn rule(entry: Entry) -> Result<LinuxSyscall> {
    let names = match (entry.name.filter(|n| !n.is_empty()), entry.names.unwrap_or_default()) {
        (Some(name), names) if names.is_empty() => vec![name],
        (Some(name), _) => return Err(invalid(format!("{name}: an entry has both name and names"))),
        (None, names) => names,
    };
    let mut rule = LinuxSyscall::default();
    rule.set_names(names)
        .set_action(entry.action)
        .set_errno_ret(entry.errno_ret)
        .set_args(entry.args.filter(|a| !a.is_empty()));
    Ok(rule)
}

/// Every condition of `includes` must hold, and none of `excludes`.
fn applies(entry: &Entry, capabilities: &[&str], kernel: (u32, u32)) -> Result<bool> {
    let has = |cap: &String| capabilities.contains(&cap.as_str());
    let here = |arch: &String| arch == abi::GO_NAME;
    if let Some(When { caps, arches, min_kernel }) = &entry.excludes {
        let excluded = caps.iter().flatten().any(has)
            || arches.iter().flatten().any(here)
            || min_kernel.as_deref().map(version).transpose()?.is_some_and(|v| kernel >= v);
        if excluded {
            return Ok(false);
        }
    }
    let Some(When { caps, arches, min_kernel }) = &entry.includes else { return Ok(true) };
    let arches = arches.as_deref().unwrap_or_default();
    Ok(caps.iter().flatten().all(has)
        && (arches.is_empty() || arches.iter().any(here))
        && min_kernel.as_deref().map(version).transpose()?.is_none_or(|v| kernel >= v))
}

/// "4.8" of a profile.
fn version(text: &str) -> Result<(u32, u32)> {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => Ok((major, minor)),
        _ => Err(invalid(format!("minKernel {text:?} is not a version like 4.8"))),
    }
}

fn invalid(what: impl std::fmt::Display) -> Error {
    Error::new(Code::Invalid, format!("seccomp profile: {what}"))
}

/// Major and minor version of the running kernel; 0.0, which allows least, where it gives none.
pub fn kernel() -> (u32, u32) {
    let uname = rustix::system::uname();
    let release = uname.release().to_str().unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
