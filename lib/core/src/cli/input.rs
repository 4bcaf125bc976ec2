//! The document in: a stream of JSON values of which the last wins.

use super::Cli;
use crate::{Cannot, Code, Document, Error, Result, Tool};
use serde_json::{Deserializer, Value};
use std::{
    fs::File,
    io::{self, ErrorKind, Read},
};

/// Most bytes of one run's input: far above any real document, far below memory.
const MAX_INPUT: u64 = 64 << 20;
/// What a pipe holds (pipe(7)): most documents come in one piece.
const PIECE: usize = 64 << 10;

/// What was read, up to the fault if there was one: a document with steps must not be lost to what comes behind it.
pub(super) struct Input {
    /// The last document that was whole.
    pub doc: Document,
    /// Why it is not the one to go on with.
    pub fault: Option<Error>,
}

/// Reads the input to its end; interim documents are acted on as they come.
pub(super) fn read<T: Tool>(cli: &mut Cli<T>) -> Input {
    let mut last = None;
    let fault = read_into(&mut last, cli).err();
    Input { doc: last.unwrap_or_default(), fault }
}

fn read_into<T: Tool>(last: &mut Option<Document>, cli: &mut Cli<T>) -> Result<()> {
    let (source, name): (Box<dyn Read>, String) = match &cli.common.file {
        Some(path) => {
            let file = File::open(path).cannot(|| format!("open {}", path.display()))?;
            (Box::new(file), path.display().to_string())
        }
        None => (Box::new(io::stdin()), "stdin".to_owned()),
    };
    let early = !(cli.common.undo || cli.common.check || cli.common.repair);
    values(source, &name, |value| {
        let doc = last.insert(Document::from_value(value)?);
        if early && doc.is_partial() {
            cli.tool.interim(doc)?;
        }
        Ok(())
    })?;
    match last {
        None => Err(Error::new(Code::Invalid, format!("{name} is empty: expected a document"))
            .hint("a pipe begins with img-pull, img-load or img-import")),
        Some(doc) if doc.is_partial() => {
            Err(Error::new(Code::Invalid, format!("{name} ends with a partial document: the stage before was cut off")))
        }
        Some(_) => Ok(()),
    }
}

/// Calls `f` with each JSON value that `source` holds, as soon as the line that ends it is there.
fn values(source: impl Read, name: &str, mut f: impl FnMut(Value) -> Result<()>) -> Result<()> {
    let mut source = source.take(MAX_INPUT);
    let mut bytes = Vec::new();
    loop {
        let held = bytes.len();
        bytes.resize(held + PIECE, 0);
        let read = loop {
            match source.read(&mut bytes[held..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => break other.cannot(|| format!("read {name}"))?,
            }
        };
        bytes.truncate(held + read);
        let ended = read == 0;
        if !ended && bytes.last() != Some(&b'\n') {
            continue;
        }
        let mut parsed = Deserializer::from_slice(&bytes).into_iter::<Value>();
        for value in parsed.by_ref() {
            match value {
                Ok(value) => f(value)?,
                Err(e) if e.is_eof() && !ended => break,
                Err(e) => return Err(Error::new(Code::Invalid, format!("{name} is not a document: {e}"))),
            }
        }
        let whole = parsed.byte_offset();
        bytes.drain(..whole);
        if ended {
            return Ok(());
        }
    }
}

/// What the stage before sends, for a tool that cannot use it but must pass it on.
pub(super) fn drain() -> Document {
    let mut last = None;
    let _ = values(io::stdin(), "stdin", |value| {
        last = Some(value);
        Ok(())
    });
    last.and_then(|value| Document::from_value(value).ok()).unwrap_or_default()
}
