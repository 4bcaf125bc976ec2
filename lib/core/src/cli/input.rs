//! The document in: a stream of JSON values of which the last wins.

use super::Cli;
use crate::{Cannot, Code, Document, Error, Result, Tool};
use serde_json::{Deserializer, Value};
use std::{
    fs::File,
    io::{self, BufReader, Read},
};

/// Most bytes of one run's input: far above any real document, far below memory.
const MAX_INPUT: u64 = 64 << 20;

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
    let early = !cli.common.undo && !cli.common.check;
    for value in Deserializer::from_reader(BufReader::new(source.take(MAX_INPUT))).into_iter::<Value>() {
        let value = value.map_err(|e| {
            let code = if e.is_io() { Code::Io } else { Code::Invalid };
            Error::new(code, format!("{name} is not a document: {e}"))
        })?;
        let doc = last.insert(Document::from_value(value)?);
        if early && doc.is_partial() {
            cli.tool.interim(doc)?;
        }
    }
    match last {
        None => Err(Error::new(Code::Invalid, format!("{name} is empty: expected a document"))
            .hint("a pipe begins with img-pull, img-load or img-import")),
        Some(doc) if doc.is_partial() => {
            Err(Error::new(Code::Invalid, format!("{name} ends with a partial document: the stage before was cut off")))
        }
        Some(_) => Ok(()),
    }
}

/// What the stage before sends, for a tool that cannot use it but must pass it on.
pub(super) fn drain() -> Document {
    Deserializer::from_reader(BufReader::new(io::stdin().take(MAX_INPUT)))
        .into_iter::<Value>()
        .map_while(std::result::Result::ok)
        .last()
        .and_then(|v| Document::from_value(v).ok())
        .unwrap_or_default()
}
