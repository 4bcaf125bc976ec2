//! Out of a container: to a path here, or as a tar to stdout.

use crate::{
    CtrCp, here, inside,
    transfer::transfer,
    word::{Inside, Word},
};
use ctr_core::{Result, container, events, json};
use ctr_layer::Take;
use rustix::process::{getegid, geteuid};

/// Copies `from` to `to`.
pub fn copy(args: &CtrCp, from: &Inside, to: &Word) -> Result<()> {
    let id = container::find(&from.container)?;
    let doc = container::load(&id)?;
    let (root, _) = ctr_rootfs::seen(&doc)?;
    let source = inside::source(&root, from, args.follow_link)?;
    let name = from.path.name();
    if let Word::Here(dest) = to {
        let (place, name) = here::place(dest, &source, name)?;
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        let take = if args.archive { Take::All } else { Take::Plain { uid, gid } };
        transfer(source, &name, &place, take, dest)?;
    } else {
        ctr_layer::pack_to_stdout(source.fd, name.unwrap_or_default())?;
    }
    events::emit("archive-path", &doc, &json!({"path": from.path.to_string()}));
    Ok(())
}
