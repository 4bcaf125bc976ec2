//! Gives a container another name.

use clap::Args;
use ctr_core::{Code, Error, Lock, Result, container, events, ident, json};

/// The tool's name.
pub const NAME: &str = "ctr-rename";
/// The first line of its help.
pub const ABOUT: &str = "Give a container another name";

/// The arguments of ctr-rename(1).
#[derive(Args, Debug)]
pub struct CtrRename {
    /// The container: its name, its id or the beginning of an id that no other has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The name that it gets
    #[arg(value_name = "NAME")]
    name: String,
}

/// Renames the container, which may run.
///
/// # Errors
/// `exists` where another has the name; `busy` where somebody holds the record and would write the old name back.
pub fn run(args: CtrRename) -> Result<()> {
    let lock = Lock::store()?;
    let id = container::find(&args.container)?;
    let _held = hold_record(&id)?;
    let old = container::rename(&id, &args.name, &lock)?;
    drop(lock);
    if let Ok(doc) = container::recorded(&id) {
        events::emit("rename", &doc, &json!({"oldName": old}));
    }
    Ok(())
}

/// Keeps the record from being written meanwhile, with the old name: by who starts the container, and by an ns-spawn
/// in the foreground when its process ends. A supervisor notes the end beside the record.
fn hold_record(id: &str) -> Result<Option<Lock>> {
    match container::live_state(id)? {
        Some(state) if state.supervisor.is_none() => {
            let pid = state.pid.unwrap_or_default();
            let why =
                format!("cannot rename container {}: it runs in the foreground, as process {pid}", ident::short(id));
            Err(Error::new(Code::Busy, why))
        }
        Some(state) if state.status != "restarting" => Ok(None),
        _ => container::hold(id),
    }
}
