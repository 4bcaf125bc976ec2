//! Version 1 (kernel, cgroup-v1/devices.rst): `devices.allow`, `devices.deny`, and what they came to, `devices.list`.

use super::rules::{Exception, Verdict};
use crate::Group;
use ctr_core::{Cannot, Code, Error, Result, json, trace};
use std::collections::BTreeSet;

pub fn set(verdict: &Verdict, group: &Group) -> Result<()> {
    let (all, but) = if verdict.allow { ("devices.allow", "devices.deny") } else { ("devices.deny", "devices.allow") };
    let what = || json!({"file": group.dir().join(all), "value": "a", "exceptions": lines(verdict)});
    trace::act("write", what, || {
        // Groups below it keep the kernel from this one, which begins anew.
        group
            .write(all, "a")
            .map_err(|e| if e.code == Code::Invalid { e.hint("it has groups below it") } else { e })?;
        lines(verdict).iter().try_for_each(|line| {
            let refused = |e: Error| if e.code == Code::Denied { e.hint("a group above may not either") } else { e };
            group.write(but, line).map_err(refused)
        })
    })
}

fn lines(verdict: &Verdict) -> Vec<String> {
    verdict.exceptions.iter().map(Exception::to_string).collect()
}

/// The list says what is allowed; of a group that may open all but something it says that it may open all.
pub fn differ(verdict: &Verdict, group: &Group) -> Result<Option<Error>> {
    let text = group.read("devices.list").cannot(|| format!("read {}", group.dir().join("devices.list").display()))?;
    let has: BTreeSet<&str> = text.lines().collect();
    let wanted = lines(verdict);
    let wanted: BTreeSet<&str> =
        if verdict.allow { BTreeSet::from(["a *:* rwm"]) } else { wanted.iter().map(String::as_str).collect() };
    let Some(line) = has.symmetric_difference(&wanted).next() else { return Ok(None) };
    let verb = if has.contains(line) { "allows" } else { "does not allow" };
    let message = format!("{} {verb} {line:?}", group.dir().join("devices.list").display());
    Ok(Some(Error::new(Code::Invalid, message)))
}
