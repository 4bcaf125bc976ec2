//! The directories of an overlay: the image's layers below, the container's own on top.

use ctr_core::{Cannot, Code, Error, Image, Result, Rootfs, container, files, paths};
use std::{
    collections::HashSet,
    fs::{self, Permissions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

/// The kernel's limit on the layers of one overlay (fs/overlayfs/params.h, `OVL_MAX_STACK`).
const MAX_LAYERS: usize = 500;

/// The trees of the image, top first, each once.
///
/// # Errors
/// `invalid` where one is not unpacked, `not-found` where its tree is gone, `limit` over 500.
pub fn lowers(image: &Image) -> Result<Vec<PathBuf>> {
    let mut seen = HashSet::new();
    let mut lowers = Vec::with_capacity(image.layers.len());
    for layer in image.layers.iter().rev() {
        let path = layer.path.as_deref().ok_or_else(|| {
            Error::new(Code::Invalid, format!("layer {} is not unpacked", layer.diff_id))
                .hint("put img-unpack before this tool")
        })?;
        // The kernel refuses a directory twice (ELOOP). Of two equal layers the upper one hides all of the lower.
        if seen.insert(path) {
            lowers.push(PathBuf::from(path));
        }
        // An opaque directory hides what lower layers have in it, but the kernel does not look for that at the root.
        if is_opaque(Path::new(path)) {
            break;
        }
    }
    if lowers.len() > MAX_LAYERS {
        return Err(Error::new(
            Code::Limit,
            format!("image {} has {} layers, the kernel's overlay takes {MAX_LAYERS}", image.reference, lowers.len()),
        ));
    }
    all_there(&lowers)?;
    Ok(lowers)
}

fn is_opaque(dir: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::getxattr(dir, "trusted.overlay.opaque", &mut value).is_ok_and(|n| value[..n] == *b"y")
}

/// Whether each tree is there.
///
/// # Errors
/// `not-found`, naming the first that is not; `denied` where the store cannot be looked into.
pub fn all_there(lowers: &[PathBuf]) -> Result<()> {
    for path in lowers {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {}
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(e).cannot(|| format!("open layer {}", path.display()));
            }
            _ => {
                return Err(Error::new(Code::NotFound, format!("layer {} is gone", path.display()))
                    .hint("img-pull and img-unpack bring it back"));
            }
        }
    }
    Ok(())
}

/// Makes the container's own directories. The root of an overlay has the owner and mode of its top
/// directory, so the writable layer's is made like that of the layer below it.
pub fn make_writable(rootfs: &Rootfs, lowers: &[PathBuf]) -> Result<()> {
    let (Some(upper), Some(work)) = (&rootfs.upper, &rootfs.work) else { return Ok(()) };
    super::make_point(rootfs)?;
    files::make_dir(Path::new(work))?;
    files::make_dir(Path::new(upper))?;
    let Some(top) = lowers.first() else {
        return fs::set_permissions(upper, Permissions::from_mode(0o755)).cannot(|| format!("set the mode of {upper}"));
    };
    let like = fs::metadata(top).cannot(|| format!("read {}", top.display()))?;
    chown(upper, Some(like.uid()), Some(like.gid())).cannot(|| format!("set the owner of {upper}"))?;
    fs::set_permissions(upper, Permissions::from_mode(like.mode() & 0o7777))
        .cannot(|| format!("set the mode of {upper}"))
}

/// An empty directory for an image without layers: an overlay needs one below.
pub fn empty(rootfs: &Rootfs) -> Result<PathBuf> {
    let path = Path::new(&rootfs.path).with_file_name("empty");
    files::make_dir(&path)?;
    Ok(path)
}

/// The id of the container whose mount point this is, if it is one of ours.
pub fn id_of_point(point: &Path) -> Option<String> {
    let inside = point.strip_prefix(paths::run().join("containers")).ok()?;
    let mut words = inside.iter();
    let id = words.next()?.to_str()?;
    let is_ours = |name: &std::ffi::OsStr| name == "rootfs" || name == crate::writable::POINT;
    (is_ours(words.next()?) && words.next().is_none() && container::checked_id(id).is_ok()).then(|| id.to_owned())
}
