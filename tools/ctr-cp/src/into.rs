//! Into a container: a path of here, or the tar on stdin.

use crate::{
    CtrCp, here,
    inside::{self, Spot},
    transfer::transfer,
    word::{Inside, Word},
};
use ctr_core::{Code, Error, Result, Rootfs, container, events, json};
use ctr_layer::Take;
use std::io;

/// Copies `from` to `to`.
pub fn copy(args: &CtrCp, from: &Word, to: &Inside) -> Result<()> {
    let id = container::find(&to.container)?;
    let doc = container::load(&id)?;
    let (root, runs) = ctr_rootfs::seen(&doc)?;
    // Of a container that runs the kernel knows which of its mounts are.
    if !runs && doc.section::<Rootfs>("rootfs")?.is_some_and(|rootfs| rootfs.readonly) {
        return Err(Error::new(Code::Denied, format!("cannot write to {to}: the root of the container is read-only")));
    }
    let spot = inside::spot(&root, to)?;
    if let Word::Here(path) = from {
        let source = here::source(path, args.follow_link)?;
        let (place, name) = match spot {
            Spot::Directory(place) => (place, path.name().unwrap_or_default().to_owned()),
            Spot::Name(_, _, true) if source.is_dir => return Err(here::onto_a_file(&source, to)),
            Spot::Name(_, _, false) if !source.is_dir && to.path.wants_directory() => {
                return Err(here::no_directory(to));
            }
            Spot::Name(place, name, _) => (place, name),
        };
        let (uid, gid) = ctr_rootfs::owner(&doc);
        let take = if args.archive { Take::All } else { Take::Plain { uid, gid } };
        transfer(source, &name, &place, take, to)?;
    } else {
        let Spot::Directory(place) = spot else { return Err(here::no_directory(to)) };
        let tar = ctr_layer::open(io::stdin())?;
        ctr_layer::merge(tar, &place, Take::All).map_err(|e| Error { message: format!("{to}: {}", e.message), ..e })?;
    }
    events::emit("extract-to-dir", &doc, &json!({"path": to.path.to_string()}));
    Ok(())
}
