//! Pauses containers: all their processes stand still until they are thawed.

use clap::Args;
use ctr_core::{Code, Document, Error, Result, container, each, events, json, print_line};
use ctr_lifecycle::freezer;

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
}

/// Freezes or thaws each container and prints its name as it was given; goes on after one that fails.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed.
pub fn run(args: CtrPause) -> Result<()> {
    let (verb, event) = if args.undo { ("thaw", "unpause") } else { ("pause", "pause") };
    each(&args.containers, |word| {
        let id = container::find(word)?;
        let doc = container::load(&id)?;
        let done = if args.undo { thaw(&id, &doc) } else { freeze(&id, &doc) };
        done.map_err(|e| Error { message: format!("cannot {verb} container {word}: {}", e.message), ..e })?;
        events::emit(event, &doc, &json!({}));
        print_line(&word)
    })
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
