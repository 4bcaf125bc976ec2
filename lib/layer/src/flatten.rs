//! All layers of an image to the tar of one: what overlay would show of them, read from their trees without a mount.

use crate::{
    name,
    stack::{Below, Stack},
    writer::{Rewrite, Writer},
};
use ctr_core::Result;
use rustix::fs::FileType;
use std::io::Write;

/// Writes what `stack` shows to `out`, in sorted order.
pub fn flatten(stack: &Stack, rewrite: Rewrite, out: &mut dyn Write) -> Result<()> {
    let mut writer = Writer::new(out, rewrite);
    if let Some(root) = stack.look_up(b"")? {
        entry(stack, &mut writer, &root, b"")?;
    }
    writer.end()
}

fn entry(stack: &Stack, writer: &mut Writer<'_>, below: &Below, path: &[u8]) -> Result<()> {
    name::fits(path)?;
    let file = writer.look(stack.hold(below, path)?, path)?;
    if file.kind != FileType::Directory {
        return writer.file(&file, path);
    }
    let head = writer.directory(&file, path)?;
    writer.put(&head)?;
    drop(file);
    for name in stack.names(&below.merged, path)? {
        let path = name::join(path, &name);
        if let Some(below) = stack.at(&below.merged, &path)? {
            entry(stack, writer, &below, &path)?;
        }
    }
    Ok(())
}
