//! The path of a container's groups: the same in every hierarchy, made of its id.

use ctr_core::ident;
pub use ctr_core::instance::{instance, instance_of};
use std::path::{Component, Path, PathBuf};

/// The groups' path for container `id` below `parent`; what lies above is another's, these two levels are ours.
pub fn path_of(parent: &Path, id: &str) -> PathBuf {
    parent.join(instance()).join(id)
}

/// Whether `path` is one that [`path_of`] gives for container `id`: what may be removed with it.
pub fn is_group_path(path: &Path, id: &str) -> bool {
    let ours = Path::new(&instance()).join(id);
    ident::is_id(id) && plain(path).is_some_and(|path| path.ends_with(ours))
}

/// A path beneath a hierarchy, without the slash before it; none that leads out of it.
pub fn plain(path: &Path) -> Option<PathBuf> {
    let inside = path.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir));
    inside.map(|part| if let Component::Normal(name) = part { Some(name) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
