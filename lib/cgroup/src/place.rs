//! The path of a container's groups: the same in every hierarchy, made of its id.

pub use ctr_core::instance::{instance, instance_of};
use ctr_core::{Document, Value, ident};
use std::path::{Component, Path, PathBuf};

/// Whether it is what [`instance_of`] gives for some root.
fn is_instance(name: &str) -> bool {
    let digits = name.strip_prefix("ctr").map(|rest| rest.strip_prefix('-').unwrap_or(rest));
    name == "ctr"
        || digits.is_some_and(|d| d.len() == 8 && name.len() == 12 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The groups' path for container `id` below `parent`; what lies above is another's, these two levels are ours.
pub fn path_of(parent: &Path, id: &str) -> PathBuf {
    parent.join(instance()).join(id)
}

/// Whether `path` is one that [`path_of`] gives for container `id`, for this root or another: what may be removed with it.
/// A root may have been moved since the container was made.
pub fn is_group_path(path: &Path, id: &str) -> bool {
    let Some(path) = plain(path).filter(|path| ident::is_id(id) && path.ends_with(id)) else { return false };
    path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).is_some_and(is_instance)
}

/// A path beneath a hierarchy, without the slash before it; none that leads out of it.
pub fn plain(path: &Path) -> Option<PathBuf> {
    let inside = path.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir));
    inside.map(|part| if let Component::Normal(name) = part { Some(name) } else { None }).collect()
}

/// The path of the groups that the document says the container is in: that of its section `cgroup`, else that of its
/// runtime-spec (`linux.cgroupsPath`). None where it names the root, or nothing.
pub fn named(doc: &Document) -> Option<PathBuf> {
    let section = doc.get("cgroup").and_then(|cgroup| cgroup.get("path"));
    let spec = doc.get("spec").and_then(|spec| spec.get("linux")).and_then(|linux| linux.get("cgroupsPath"));
    named_by(section.and_then(Value::as_str), spec.and_then(Value::as_str))
}

/// The same of the two fields.
pub fn named_by(section: Option<&str>, spec: Option<&str>) -> Option<PathBuf> {
    let path = |text: &str| plain(Path::new(text)).filter(|path| *path != Path::new(""));
    section.and_then(path).or_else(|| spec.and_then(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn paths_stay_beneath_the_hierarchy() {
        assert_eq!(plain(Path::new("/a/./b/")), Some(PathBuf::from("a/b")));
        assert_eq!(plain(Path::new("/")), Some(PathBuf::new()));
        assert_eq!(plain(Path::new("/a/../../b")), None);
    }

    #[test]
    fn only_what_is_made_of_the_id_is_the_containers() {
        let id = "a".repeat(64);
        assert!(is_group_path(&path_of(Path::new("/"), &id), &id));
        assert!(is_group_path(&path_of(Path::new("/x.slice"), &id), &id));
        assert!(!is_group_path(Path::new("/"), &id));
        assert!(!is_group_path(&path_of(Path::new("/"), "x"), "x"));
        assert!(!is_group_path(&path_of(Path::new("/.."), &id), &id));
        assert!(!is_group_path(&Path::new("/other").join(&id), &id));
        assert!(is_group_path(&Path::new("/ctr-0123abcd").join(&id), &id), "of a root that was elsewhere");
        for other in ["/ctr-", "/ctr-0123abc", "/ctr0123abcd", "/ctr-0123abcg", "/ctr-0123abcd/x"] {
            assert!(!is_group_path(&Path::new(other).join(&id), &id), "{other}");
        }
    }

    #[test]
    fn a_root_is_one_by_all_its_paths() {
        let dir = std::env::temp_dir().join(format!("ctr-place-{}", std::process::id()));
        fs::create_dir_all(dir.join("root")).unwrap();
        std::os::unix::fs::symlink("root", dir.join("link")).unwrap();
        let one = instance_of(&dir.join("root"));
        for other in ["root/", "link", "link/.", "./root", "root/../link"] {
            assert_eq!(instance_of(&dir.join(other)), one, "{other}");
        }
        assert_eq!(instance_of(&dir.join("link/later")), instance_of(&dir.join("root/later/")), "not there yet");
        assert_ne!(instance_of(&dir), one);
        fs::remove_dir_all(&dir).unwrap();
    }
}
