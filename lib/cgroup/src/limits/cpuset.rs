//! Which processors and memory nodes (kernel, cgroup-v1/cpusets.rst; cgroup-v2.rst, Cpuset).

use super::Setting;
use crate::{Group, Groups, resources::Cpu};
use ctr_core::{Code, Error, Result, json, trace};
use std::collections::BTreeSet;

const FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

pub fn settings(cpu: &Cpu, groups: &Groups) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    for (file, wanted, what) in [(FILES[0], &cpu.cpus, "CPUs"), (FILES[1], &cpu.mems, "memory nodes")] {
        let Some(wanted) = wanted.as_deref().filter(|list| !list.is_empty()) else { continue };
        let group = groups.of("cpuset")?;
        let list = numbers(wanted)
            .ok_or_else(|| Error::new(Code::Invalid, format!("invalid list of {what} {wanted:?}")).hint("as 0-3,7"))?;
        let (there, owner) = available(group, file);
        if let Some(lacking) = there.as_ref().and_then(|there| list.difference(there).next()) {
            return Err(Error::new(
                Code::Invalid,
                format!("{what} {wanted}: there is no {lacking} in control group {}", owner.dir().display()),
            )
            .hint(format!("it has {}", written(&there.unwrap_or_default()))));
        }
        all.push(Setting::new(group, file, wanted));
    }
    Ok(all)
}

/// What the nearest group above that says so has, and that group.
fn available(group: &Group, file: &str) -> (Option<BTreeSet<u32>>, Group) {
    let effective = if group.hierarchy.version == 1 { file.to_owned() } else { format!("{file}.effective") };
    let mut last = group.clone();
    for above in std::iter::successors(group.above(), Group::above) {
        let list = above.read(&effective).ok().and_then(|text| numbers(text.trim()));
        last = above;
        if let Some(list) = list.filter(|list| !list.is_empty()) {
            return (Some(list), last);
        }
    }
    (None, last)
}

/// Version 1: a group without processors and memory nodes takes no process, and a new one has none. From the top down
/// each that has none gets what the one above it has.
///
/// # Errors
/// `denied`, and what else the kernel says.
pub fn inherit(group: &Group) -> Result<()> {
    let mut chain: Vec<Group> = std::iter::successors(Some(group.clone()), Group::above).collect();
    chain.reverse();
    for file in FILES {
        let mut list = String::new();
        for group in &chain {
            let own = group.read(file).unwrap_or_default().trim().to_owned();
            if own.is_empty() {
                let what = || json!({"file": group.dir().join(file), "value": list});
                trace::act("write", what, || group.write(file, &list))?;
            } else {
                list = own;
            }
        }
    }
    Ok(())
}

/// The numbers of a list such as `0-3,7`; none where it is no list.
pub fn numbers(list: &str) -> Option<BTreeSet<u32>> {
    /// More than any kernel is built for; a range is not counted out beyond it.
    const MOST: u32 = 65_536;
    let mut found = BTreeSet::new();
    for part in list.split(',').filter(|_| !list.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        if first > last || last > MOST {
            return None;
        }
        found.extend(first..=last);
    }
    Some(found)
}

fn written(numbers: &BTreeSet<u32>) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn lists_are_the_kernels() {
        let list = |text: &str| numbers(text).map(|set| set.into_iter().collect::<Vec<_>>());
        assert_eq!(list("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(list(""), Some(vec![]));
        for bad in ["a", "3-1", "0-", "-1", "0,,1", "0-4000000000"] {
            assert_eq!(list(bad), None, "{bad}");
        }
    }
}
