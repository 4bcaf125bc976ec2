//! The document in: a stream of JSON values of which the last wins.

use super::Cli;
use crate::{Cannot, Code, Document, Error, Result, Tool};
use serde_json::{Deserializer, Value};
use std::{
    fs::File,
    io::{self, ErrorKind, IsTerminal, Read},
    path::Path,
};

/// Most bytes of one document: far above any real one, far below memory. A stream of them may be longer.
const MAX_DOCUMENT: usize = 64 << 20;
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
    let (source, name) = open(cli.common.file.as_deref())?;
    let early = !(cli.common.undo || cli.common.check || cli.common.repair);
    values(source, &name, |value| {
        let doc = last.insert(Document::from_value(value)?);
        if early && doc.is_partial() {
            cli.tool.interim(doc)?;
        }
        Ok(())
    })?;
    whole(last.as_ref(), &name)
}

/// What documents are read from, and its name.
fn open(file: Option<&Path>) -> Result<(Box<dyn Read>, String)> {
    Ok(match file {
        Some(path) => {
            let file = File::open(path).cannot(|| format!("open {}", path.display()))?;
            (Box::new(file), path.display().to_string())
        }
        None => (Box::new(io::stdin()), "stdin".to_owned()),
    })
}

/// There is a document, and it is no interim one.
fn whole(last: Option<&Document>, name: &str) -> Result<()> {
    match last {
        None => Err(Error::new(Code::Invalid, format!("{name} is empty: expected a document"))
            .hint("a pipe begins with img-pull, img-load or img-import")),
        Some(doc) if doc.is_partial() => {
            Err(Error::new(Code::Invalid, format!("{name} ends with a partial document: the stage before was cut off")))
        }
        Some(_) => Ok(()),
    }
}

/// Calls `f` with each JSON value that `source` holds, as soon as its last byte is there.
///
/// Every byte is looked at twice, by the scan that finds the ends of values and by the parser, however the values are
/// spaced and in whatever pieces they come.
fn values(mut source: impl Read, name: &str, mut f: impl FnMut(Value) -> Result<()>) -> Result<()> {
    let (mut piece, mut held, mut scan) = (vec![0; PIECE], Vec::new(), Scan::default());
    let mut parse = |bytes: &[u8]| {
        for value in Deserializer::from_slice(bytes).into_iter::<Value>() {
            f(value.map_err(|e| Error::new(Code::Invalid, format!("{name} is not a document: {e}")))?)?;
        }
        Ok(())
    };
    loop {
        let read = match source.read(&mut piece) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            other => other.cannot(|| format!("read {name}"))?,
        };
        if read == 0 {
            return parse(&held);
        }
        let whole = scan.whole(&piece[..read]).map(|end| held.len() + end);
        held.extend_from_slice(&piece[..read]);
        if let Some(whole) = whole {
            parse(&held[..whole])?;
            held.drain(..whole);
        }
        if held.len() > MAX_DOCUMENT {
            let message = format!("{name}: a document has more than {} MiB", MAX_DOCUMENT >> 20);
            return Err(Error::new(Code::Limit, message));
        }
    }
}

/// Where in JSON text we are, as far as is needed to tell where a value ends: brackets count, but not in strings.
/// Text that is no JSON ends somewhere too; what is wrong with it the parser says.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Goes on through `bytes`; gives where in them the last value ends that is whole: behind the bracket that closes
    /// it, or the line that holds it.
    fn whole(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut end = None;
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth == 0 && matches!(byte, b'}' | b']' | b'\n') {
                end = Some(at + 1);
            }
        }
        end
    }
}

/// Reads the document of `file`, of stdin where there is none, for a tool beside the pipe that takes one too.
///
/// One with an error is printed unchanged, and the process ends with the status that it asks for, as that of a tool of
/// the pipe does.
///
/// # Errors
/// `usage` where stdin is a terminal; `invalid`, `version` and `limit` for what is no whole document.
pub fn read_document(file: Option<&Path>) -> Result<Document> {
    if file.is_none() && io::stdin().is_terminal() {
        return Err(Error::new(Code::Usage, "stdin is a terminal: expected a document"));
    }
    let mut last = None;
    let (source, name) = open(file)?;
    values(source, &name, |value| {
        last = Some(Document::from_value(value)?);
        Ok(())
    })?;
    whole(last.as_ref(), &name)?;
    let doc = last.unwrap_or_default();
    if let Some(exit) = doc.error_exit() {
        let _ = doc.print();
        std::process::exit(exit.into());
    }
    Ok(doc)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Gives its bytes in pieces of this size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len());
            self.0.read(&mut buffer[..n])
        }
    }

    fn read(text: &[u8], piece: usize) -> Result<Vec<Value>, Code> {
        let mut found = Vec::new();
        let keep = |value| {
            found.push(value);
            Ok(())
        };
        values(Pieces(text, piece), "x", keep).map(|()| found).map_err(|e| e.code)
    }

    #[test]
    fn values_are_found_in_any_pieces_and_spacing() {
        let text = br#" {"a": "}\\\"]{"} [1,
            [2]]7
            null "\u00e9" "#;
        for piece in 1..=text.len() {
            let found = read(text, piece).unwrap();
            assert_eq!(found, [json!({"a": "}\\\"]{"}), json!([1, [2]]), json!(7), json!(null), json!("é")], "{piece}");
        }
        for bad in ["{", "{\"a", "}", "{} x", "[}]", "nonsense\n", "\"\n\""] {
            assert_eq!(read(bad.as_bytes(), 2), Err(Code::Invalid), "{bad}");
        }
    }

    /// An indented document that comes line by line is parsed once, not once a line: else this takes an hour.
    #[test]
    fn a_value_is_parsed_when_it_is_whole() {
        let text = format!("[{}\"\"]", "\"0123456789\",\n".repeat(300_000));
        assert_eq!(read(text.as_bytes(), 14).unwrap().len(), 1);
    }

    #[test]
    fn the_bound_is_on_one_value() {
        let value = format!("\"{}\"\n", "x".repeat(MAX_DOCUMENT / 2));
        assert_eq!(read(value.repeat(3).as_bytes(), PIECE).unwrap().len(), 3);
        let text = format!("[{}", "0,\n".repeat(MAX_DOCUMENT / 3 + PIECE));
        assert_eq!(read(text.as_bytes(), PIECE), Err(Code::Limit));
    }
}
