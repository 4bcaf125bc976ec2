//! How something is bound: what may be done through it, how far it reaches, whose ids it shows.

use ctr_core::{Value, json};
use std::path::Path;

/// Nothing said: all that is mounted beneath too, to be written to, and private.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct How {
    /// It may not be written to.
    pub readonly: bool,
    /// What is mounted beneath may be written to although it may not.
    pub below_writable: bool,
    /// What is mounted beneath comes along.
    pub recursive: bool,
    /// `rprivate`, `rslave`, `shared`, …
    propagation: Option<String>,
    /// `noexec`, `nosuid`, `nodev`.
    flags: Vec<String>,
    /// Ids of its files to those it shows, for users and groups; both empty: as the container's are mapped.
    ids: Option<[Vec<Ids>; 2]>,
    access: bool,
}

/// So many ids of the file system from `from` on are shown as those from `to` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ids {
    from: u32,
    to: u32,
    count: u32,
}

impl Default for How {
    fn default() -> Self {
        Self {
            readonly: false,
            below_writable: false,
            recursive: true,
            propagation: None,
            flags: Vec::new(),
            ids: None,
            access: false,
        }
    }
}

impl How {
    /// Takes one option of `-v`.
    ///
    /// # Errors
    /// Why not.
    pub fn option(&mut self, word: &str) -> Result<(), String> {
        match word {
            "ro" | "rw" | "rro" => {
                if std::mem::replace(&mut self.access, true) {
                    return Err("whether it is read-only is said twice".to_owned());
                }
                self.readonly = word != "rw";
            }
            "bind" => self.recursive = false,
            "rbind" => self.recursive = true,
            "noexec" | "nosuid" | "nodev" | "exec" | "suid" | "dev" => self.flags.push(word.to_owned()),
            // Labels are for SELinux, and a machine without it has none to give.
            "z" | "Z" if !Path::new("/sys/fs/selinux/enforce").exists() => {}
            "z" | "Z" => return Err(format!("{word}: labels of SELinux are not given")),
            // How late a write may be seen: here it is seen at once, which all of them allow.
            "consistent" | "cached" | "delegated" => {}
            "idmap" => self.ids = Some([Vec::new(), Vec::new()]),
            _ => match word.strip_prefix("idmap=") {
                Some(maps) => self.ids = Some(ids(maps)?),
                None => return self.propagation(word).map_err(|_| format!("it has no option {word:?}")),
            },
        }
        Ok(())
    }

    /// Takes a propagation.
    ///
    /// # Errors
    /// Why not.
    pub fn propagation(&mut self, word: &str) -> Result<(), String> {
        if !["shared", "slave", "private"].contains(&word.strip_prefix('r').unwrap_or(word)) {
            return Err(format!("its propagation is (r)shared, (r)slave or (r)private, not {word:?}"));
        }
        if self.propagation.replace(word.to_owned()).is_some() {
            return Err("its propagation is said twice".to_owned());
        }
        Ok(())
    }

    /// The propagation that is asked for.
    pub fn wanted_propagation(&self) -> Option<&str> {
        self.propagation.as_deref()
    }

    /// What makes sense for a volume, which nobody mounts anything in.
    ///
    /// # Errors
    /// Why not.
    pub fn for_volume(&self) -> Result<(), String> {
        match &self.propagation {
            Some(word) => Err(format!("{word} is for paths of the host")),
            None => Ok(()),
        }
    }

    /// The options of the mount (runtime-spec, config.md, "Mounts").
    pub fn options(&self) -> Vec<String> {
        let mut options = vec![if self.recursive { "rbind" } else { "bind" }.to_owned()];
        options.push(self.propagation.clone().unwrap_or_else(|| "rprivate".to_owned()));
        if self.readonly {
            options.push("ro".to_owned());
            if self.recursive && !self.below_writable {
                options.push("rro".to_owned());
            }
        }
        options.extend(self.flags.iter().cloned());
        if self.ids.as_ref().is_some_and(|ids| ids[0].is_empty()) {
            options.push("idmap".to_owned());
        }
        options
    }

    /// `uidMappings` and `gidMappings` of the mount.
    pub fn mappings(&self) -> Option<[Value; 2]> {
        let ids = self.ids.as_ref().filter(|ids| !ids[0].is_empty())?;
        let list = |ids: &Vec<Ids>| {
            json!(
                ids.iter().map(|i| json!({"containerID": i.from, "hostID": i.to, "size": i.count})).collect::<Vec<_>>()
            )
        };
        Some([list(&ids[0]), list(&ids[1])])
    }
}

/// `uids=FROM-TO-COUNT[#…];gids=FROM-TO-COUNT[#…]`.
fn ids(maps: &str) -> Result<[Vec<Ids>; 2], String> {
    let bad = || format!("idmap is uids=FROM-TO-COUNT;gids=FROM-TO-COUNT, not {maps:?}");
    let one = |text: &str| {
        let numbers: Vec<u32> = text.split('-').map(|n| n.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
        match numbers[..] {
            [from, to, count] if count > 0 => Ok(Ids { from, to, count }),
            _ => Err(bad()),
        }
    };
    let list = |kind: &str| {
        let text = maps.split(';').find_map(|part| part.strip_prefix(kind)).ok_or_else(bad)?;
        text.split('#').map(one).collect::<Result<Vec<_>, _>>()
    };
    if maps.split(';').count() != 2 {
        return Err(bad());
    }
    Ok([list("uids=")?, list("gids=")?])
}
