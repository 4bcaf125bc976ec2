//! Memory and swap (kernel, cgroup-v1/memory.rst; cgroup-v2.rst, Memory).

use super::{Setting, above, between, no_such};
use crate::{Group, Groups, resources::Memory};
use ctr_core::{Code, Error, Result};

/// docker's least: below it not even the process that begins a container fits.
const LEAST: i64 = 6 << 20;

/// The files that limit swap, of version 1 and 2: not there where the kernel does not count it.
pub const SWAP_FILES: [&str; 2] = ["memory.memsw.limit_in_bytes", "memory.swap.max"];

pub fn settings(memory: &Memory, groups: &Groups) -> Result<Vec<Setting>> {
    // 0 is docker's and the runtime-spec's word for "as it is".
    let given = |n: Option<i64>| n.filter(|n| *n != 0);
    let Memory { limit, reservation, swap, .. } = *memory;
    let memory = &Memory { limit: given(limit), reservation: given(reservation), swap: given(swap), ..memory.clone() };
    if *memory == Memory::default() {
        return Ok(Vec::new());
    }
    check(memory)?;
    let group = groups.of("memory")?;
    if group.hierarchy.version == 1 { version_1(memory, group) } else { version_2(memory, group) }
}

fn check(memory: &Memory) -> Result<()> {
    let invalid = |message: String| Err(Error::new(Code::Invalid, message));
    let limit = memory.limit.filter(|n| *n >= 0);
    if let Some(limit) = limit.filter(|n| *n < LEAST) {
        return invalid(format!("memory limit {limit} is below the least, {LEAST} (6m)"));
    }
    if let Some(swap) = memory.swap.filter(|n| *n >= 0) {
        match limit {
            None => return invalid("a limit of memory and swap needs a memory limit: give --memory".to_owned()),
            Some(limit) if swap < limit => {
                return invalid(format!(
                    "memory and swap together, {swap}, are less than memory, {limit}: raise --memory-swap with --memory"
                ));
            }
            Some(_) => {}
        }
    }
    if let (Some(limit), Some(reservation)) = (limit, memory.reservation)
        && reservation > limit
    {
        return invalid(format!("memory reservation {reservation} is more than the memory limit {limit}"));
    }
    memory.swappiness.map_or(Ok(()), |n| between("memory swappiness", n, 0, 100))
}

fn version_1(memory: &Memory, group: &Group) -> Result<Vec<Setting>> {
    const LIMIT: &str = "memory.limit_in_bytes";
    let mut all = Vec::new();
    let limit = memory.limit.map(|n| Setting::new(group, LIMIT, n));
    let swap = memory.swap.map(|n| Setting::new(group, SWAP_FILES[0], n));
    if let Some(limit) = memory.limit {
        above::check("memory limit", limit as f64, group, |above| above::number(above, LIMIT))?;
    }
    if swap.is_some() && !group.offers(SWAP_FILES[0]) {
        return Err(no_such(group, "memory", "a limit of swap").hint("boot with swapaccount=1"));
    }
    // Memory and swap may never be less than memory: what grows beyond the limit of now goes first.
    let grows =
        memory.swap.is_some_and(|swap| swap < 0 || above::number(group, LIMIT).is_some_and(|n| swap as f64 >= n));
    all.extend(if grows { [swap, limit] } else { [limit, swap] }.into_iter().flatten());
    all.extend(memory.reservation.map(|n| Setting::new(group, "memory.soft_limit_in_bytes", n)));
    all.extend(memory.swappiness.map(|n| Setting::new(group, "memory.swappiness", n)));
    all.extend(memory.disable_oom_killer.map(|on| Setting::new(group, "memory.oom_control", u8::from(on))));
    Ok(all)
}

fn version_2(memory: &Memory, group: &Group) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    if memory.swappiness.is_some() {
        return Err(no_such(group, "memory", "swappiness"));
    }
    if memory.disable_oom_killer == Some(true) {
        return Err(no_such(group, "memory", "that nothing is killed for want of memory"));
    }
    if let Some(limit) = memory.limit {
        above::check("memory limit", limit as f64, group, |above| above::number(above, "memory.max"))?;
        all.push(Setting::new(group, "memory.max", or_max(limit)));
    }
    if let Some(swap) = memory.swap {
        if !group.offers(SWAP_FILES[1]) {
            return Err(no_such(group, "memory", "a limit of swap").hint("boot with swapaccount=1"));
        }
        // Here swap is counted by itself.
        let alone = if swap < 0 { -1 } else { swap - memory.limit.unwrap_or_default() };
        all.push(Setting::new(group, SWAP_FILES[1], or_max(alone)));
    }
    all.extend(memory.reservation.map(|n| Setting::new(group, "memory.low", or_max(n))));
    Ok(all)
}

/// Version 2's word for no limit.
fn or_max(number: i64) -> String {
    if number < 0 { "max".to_owned() } else { number.to_string() }
}
