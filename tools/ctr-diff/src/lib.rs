//! Lists what a container has added, changed and deleted in the files of its image.

mod walk;

use clap::Args;
use ctr_core::{Image, Result, Rootfs, container, json, print_line};
use ctr_layer::{mount_points, stack::Stack};
use walk::{Change, Walk};

/// The tool's name.
pub const NAME: &str = "ctr-diff";
/// The first line of its help.
pub const ABOUT: &str = "List what a container has changed in the files of its image";

/// The arguments of ctr-diff(1).
#[derive(Args, Debug)]
pub struct CtrDiff {
    /// Name, id, or beginning of an id that no other container has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Prints a line for each change, sorted by path.
///
/// # Errors
/// `not-found` where there is no such container, or the tree of a layer is gone.
pub fn run(args: CtrDiff) -> Result<()> {
    let doc = container::load(&container::find(&args.container)?)?;
    let rootfs: Rootfs = doc.need("rootfs", "overlay-mount")?;
    let image: Image = doc.need("image", "img-unpack")?;
    let mounts = doc.get("spec").and_then(|spec| spec.get("mounts"));
    let layers = Stack::open(&image)?;
    let Some(upper) = &rootfs.upper else { return Ok(()) };
    for change in Walk::new(&layers, mount_points(mounts)).run(upper)? {
        print_line(&if args.json { as_json(&change) } else { as_text(&change) })?;
    }
    Ok(())
}

fn as_json(change: &Change) -> String {
    let path = String::from_utf8_lossy(&change.path);
    json!({"Kind": change.kind.to_string(), "Path": format!("/{path}")}).to_string()
}

/// A name may hold a newline or what a terminal would obey: such characters are escaped.
fn as_text(change: &Change) -> String {
    let mut line = format!("{} /", change.kind);
    for c in String::from_utf8_lossy(&change.path).chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_line() {
        let change = Change { kind: 'A', path: b"a\n\x1b[2J\xffb".to_vec() };
        assert_eq!(as_text(&change), "A /a\\n\\u{1b}[2J\u{fffd}b");
        assert_eq!(as_json(&change), "{\"Kind\":\"A\",\"Path\":\"/a\\n\\u001b[2J\u{fffd}b\"}");
    }
}
