//! The option strings of a mount (runtime-spec, config.md, "Mounts"; mount(8)).

use ctr_core::{Code, Error, Result};
use rustix::mount::MountAttrFlags as Attr;

/// What the options of one mount ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// Bind an existing tree: `Some(true)` with the mounts below it.
    pub bind: Option<bool>,
    /// Attributes of the mount to set and to clear.
    pub top: Change,
    /// The same for the mount and all below it (`rro`, `rnosuid`, …).
    pub all: Change,
    /// Propagation types (`MS_SHARED`, …) to set, in order, each with whether it reaches all mounts below.
    pub propagation: Vec<(u64, bool)>,
    /// The ids of what is bound are mapped as the container's are.
    pub idmap: bool,
    /// Options of the file system, `key` or `key=value`.
    pub data: Vec<(String, Option<String>)>,
}

/// Attributes to set and to clear.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// `MOUNT_ATTR_*` to set.
    pub set: Attr,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: Attr,
}

impl Default for Change {
    fn default() -> Self {
        Self { set: Attr::empty(), clear: Attr::empty() }
    }
}

impl Change {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.clear.is_empty()
    }

    fn apply(&mut self, attr: Attr, set: bool) {
        let atime = Attr::MOUNT_ATTR_NOATIME | Attr::MOUNT_ATTR_STRICTATIME | Attr::MOUNT_ATTR__ATIME;
        if atime.intersects(attr) || attr.is_empty() {
            // One field of three values: it is cleared as a whole, then set (mount_setattr(2)).
            self.set.remove(atime);
            self.clear |= Attr::MOUNT_ATTR__ATIME;
            if set {
                self.set |= attr;
            }
        } else if set {
            self.set |= attr;
            self.clear.remove(attr);
        } else {
            self.clear |= attr;
            self.set.remove(attr);
        }
    }
}

impl MountOptions {
    /// Reads the options of a mount; what is no option of the mount is one of its file system.
    ///
    /// # Errors
    /// `unsupported` for options that change the meaning of a mount in a way this engine does not know.
    pub fn parse<'a>(options: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut out = Self::default();
        for option in options {
            match option {
                "defaults" | "" | "loud" | "silent" | "async" | "nomand" | "noiversion" => {}
                "bind" => out.bind = Some(out.bind.unwrap_or(false)),
                "rbind" => out.bind = Some(true),
                "idmap" | "ridmap" => out.idmap = true,
                "remount" | "tmpcopyup" => {
                    return Err(Error::new(Code::Unsupported, format!("mount option {option} is not supported")));
                }
                _ => {
                    if let Some(kind) = propagation(option) {
                        out.propagation.push(kind);
                    } else if let Some((attr, set)) = attribute(option) {
                        out.top.apply(attr, set);
                    } else if let Some((attr, set)) = option.strip_prefix('r').and_then(attribute) {
                        out.all.apply(attr, set);
                    } else {
                        out.data.push(match option.split_once('=') {
                            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                            None => (option.to_owned(), None),
                        });
                    }
                }
            }
        }
        Ok(out)
    }
}

/// The attribute a word names, and whether the word sets it. `relatime` is the empty one of the three of atime.
fn attribute(word: &str) -> Option<(Attr, bool)> {
    Some(match word {
        "ro" => (Attr::MOUNT_ATTR_RDONLY, true),
        "rw" => (Attr::MOUNT_ATTR_RDONLY, false),
        "nosuid" => (Attr::MOUNT_ATTR_NOSUID, true),
        "suid" => (Attr::MOUNT_ATTR_NOSUID, false),
        "nodev" => (Attr::MOUNT_ATTR_NODEV, true),
        "dev" => (Attr::MOUNT_ATTR_NODEV, false),
        "noexec" => (Attr::MOUNT_ATTR_NOEXEC, true),
        "exec" => (Attr::MOUNT_ATTR_NOEXEC, false),
        "nodiratime" => (Attr::MOUNT_ATTR_NODIRATIME, true),
        "diratime" => (Attr::MOUNT_ATTR_NODIRATIME, false),
        "nosymfollow" => (Attr::MOUNT_ATTR_NOSYMFOLLOW, true),
        "symfollow" => (Attr::MOUNT_ATTR_NOSYMFOLLOW, false),
        "noatime" => (Attr::MOUNT_ATTR_NOATIME, true),
        "atime" | "relatime" | "nostrictatime" => (Attr::empty(), true),
        "norelatime" | "strictatime" => (Attr::MOUNT_ATTR_STRICTATIME, true),
        _ => return None,
    })
}

/// The propagation type a word names, and whether it is for all mounts below (mount_namespaces(7)).
pub fn propagation(word: &str) -> Option<(u64, bool)> {
    let kind = |name: &str| match name {
        "shared" => Some(libc::MS_SHARED),
        "slave" => Some(libc::MS_SLAVE),
        "private" => Some(libc::MS_PRIVATE),
        "unbindable" => Some(libc::MS_UNBINDABLE),
        _ => None,
    };
    kind(word).map(|k| (k, false)).or_else(|| kind(word.strip_prefix('r')?).map(|k| (k, true)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_become_attributes_and_the_rest_is_data() {
        let o = MountOptions::parse(["nosuid", "strictatime", "mode=755", "size=65536k", "newinstance"]).unwrap();
        assert_eq!(o.top.set, Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_STRICTATIME);
        assert_eq!(o.top.clear, Attr::MOUNT_ATTR__ATIME);
        assert_eq!(o.data[0], ("mode".into(), Some("755".into())));
        assert_eq!(o.data[2], ("newinstance".into(), None));
        assert!(o.bind.is_none() && o.all.is_empty());
    }

    #[test]
    fn the_last_word_of_a_kind_wins() {
        let o = MountOptions::parse(["rbind", "ro", "rw", "noatime", "relatime", "rro", "bind"]).unwrap();
        assert_eq!(o.bind, Some(true));
        assert_eq!((o.top.set, o.top.clear), (Attr::empty(), Attr::MOUNT_ATTR_RDONLY | Attr::MOUNT_ATTR__ATIME));
        assert_eq!(o.all.set, Attr::MOUNT_ATTR_RDONLY);
    }

    #[test]
    fn propagation_words_are_told_from_recursive_attributes() {
        let o = MountOptions::parse(["rprivate", "slave", "relatime"]).unwrap();
        assert_eq!(o.propagation, [(libc::MS_PRIVATE, true), (libc::MS_SLAVE, false)]);
        assert!(o.all.is_empty());
        assert!(MountOptions::parse(["tmpcopyup"]).is_err());
    }
}
