//! How many processes and threads (kernel, cgroup-v1/pids.rst; cgroup-v2.rst, PID): one file, the same in both versions.

use super::{Setting, above};
use crate::{Groups, resources::Pids};
use ctr_core::Result;

pub fn settings(pids: &Pids, groups: &Groups) -> Result<Vec<Setting>> {
    let Some(limit) = pids.limit else { return Ok(Vec::new()) };
    let group = groups.of("pids")?;
    if limit <= 0 {
        return Ok(vec![Setting::new(group, "pids.max", "max")]);
    }
    above::check("limit of processes", limit as f64, group, |above| above::number(above, "pids.max"))?;
    Ok(vec![Setting::new(group, "pids.max", limit)])
}
