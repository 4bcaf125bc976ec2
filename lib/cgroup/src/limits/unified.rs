//! Files of version 2 by their own names (runtime-spec, `linux.resources.unified`).

use super::Setting;
use crate::{Groups, plain};
use ctr_core::{Code, Error, Result};
use std::{collections::BTreeMap, path::Path};

pub fn settings(unified: &BTreeMap<String, String>, groups: &Groups) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    for (key, value) in unified {
        let controller = key.split('.').next().unwrap_or_default();
        let is_name = key.contains('.') && plain(Path::new(key)).is_some_and(|path| path.components().count() == 1);
        if !is_name || value.is_empty() || value.contains('\n') {
            return Err(Error::new(Code::Invalid, format!("invalid setting {key}={value}")).hint("as memory.high=64m"));
        }
        // Files that begin so move, freeze and kill.
        if controller == "cgroup" {
            return Err(Error::new(Code::Invalid, format!("{key} is no limit")));
        }
        let group = groups.of(controller)?;
        if group.hierarchy.version == 1 {
            return Err(Error::new(
                Code::Unsupported,
                format!(
                    "cannot set {key}: it is a file of version 2, and controller {controller} is version 1 here, at {}",
                    group.hierarchy.dir.display()
                ),
            ));
        }
        if !group.offers(key) {
            return Err(Error::new(Code::Invalid, format!("controller {controller} has no file {key}")));
        }
        all.push(Setting { is_read_back: false, ..Setting::new(group, key, value) });
    }
    Ok(all)
}
