//! Pauses containers: all their processes stand still until they are thawed.

use clap::Args;
use ctr_core::{Cannot, Code, Document, Error, Failures, Result, container, each, events, json, print_line};
use ctr_lifecycle::freezer;
use std::io;

/// The tool's name.
pub const NAME: &str = "ctr-pause";
/// The first line of its help.
pub const ABOUT: &str = "Freeze all processes of containers";

/// The arguments of ctr-pause(1).
#[derive(Args, Debug)]
pub struct CtrPause {
    /// Names, ids or beginnings of ids that no other container has
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    /// Thaw them: they go on where they were
    #[arg(long)]
    undo: bool,
    /// Thaw those that were frozen once standard input has ended
    #[arg(long, conflicts_with = "undo")]
    until_eof: bool,
}

/// Freezes or thaws each container and prints its name as it was given; goes on after one that fails.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed.
pub fn run(args: CtrPause) -> Result<()> {
    let (verb, event) = if args.undo { ("thaw", "unpause") } else { ("pause", "pause") };
    let mut done = Vec::new();
    let all = each(&args.containers, |word| {
        let id = container::find(word)?;
        let doc = container::load(&id)?;
        let changed = if args.undo { thaw(&id, &doc) } else { freeze(&id, &doc) };
        changed.map_err(|e| Error { message: format!("cannot {verb} container {word}: {}", e.message), ..e })?;
        events::emit(event, &doc, &json!({}));
        done.push(doc);
        print_line(&word)
    });
    if args.until_eof { all.and(thaw_at_end(&done)) } else { all }
}

/// Whoever holds the other end of our stdin is at work on the containers: until it is done, or dead.
fn thaw_at_end(frozen: &[Document]) -> Result<()> {
    if !frozen.is_empty() {
        io::copy(&mut io::stdin(), &mut io::sink()).cannot(|| "read stdin")?;
    }
    let mut failures = Failures::default();
    for doc in frozen {
        if failures.note(freezer::thaw(doc)).is_some() {
            events::emit("unpause", doc, &json!({}));
        }
    }
    failures.end()
}

fn freeze(id: &str, doc: &Document) -> Result<()> {
    match container::live_state(id)? {
        None => Err(Error::new(Code::Invalid, "it is not running")),
        Some(state) if state.status == "restarting" => {
            Err(Error::new(Code::Busy, "it is restarting").hint("wait until it runs"))
        }
        Some(_) => freezer::freeze(doc),
    }
}

fn thaw(id: &str, doc: &Document) -> Result<()> {
    match container::live_state(id)? {
        Some(state) if freezer::is_paused(doc, &state) => freezer::thaw(doc),
        _ => Err(Error::new(Code::Invalid, "it is not paused")),
    }
}
