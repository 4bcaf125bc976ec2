//! Sends a signal to the processes of containers; KILL, and then they are gone.

use clap::Args;
use ctr_core::{Code, Document, Error, Result, State, container, container::Handle, each, events, json, print_line};
use ctr_lifecycle::{Noted, await_end, freezer, give_up, keeper, noted, stop_signal};
use rustix::process::Signal;

/// The tool's name.
pub const NAME: &str = "ctr-kill";
/// The first line of its help.
pub const ABOUT: &str = "Send a signal to the processes of containers";

/// The arguments of ctr-kill(1).
#[derive(Args, Debug)]
pub struct CtrKill {
    /// Names, ids or beginnings of ids that no other container has
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
    /// The signal: a name as TERM or RTMIN+3, or a number
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: String,
}

/// Sends the signal to each container and prints its name as it was given; goes on after one that fails.
///
/// # Errors
/// The last failure, once all were tried; the earlier ones are printed.
pub fn run(args: CtrKill) -> Result<()> {
    let signal = container::parse_signal(&args.signal)?;
    each(&args.containers, |word| {
        let id = container::find(word)?;
        let doc = container::load(&id)?;
        kill(&id, &doc, signal)
            .map_err(|e| Error { message: format!("cannot kill container {word}: {}", e.message), ..e })?;
        print_line(&word)
    })
}

fn kill(id: &str, doc: &Document, signal: i32) -> Result<()> {
    let state = match noted(id)? {
        Noted::Alive(state) => state,
        Noted::Kept(state) if state.status == "restarting" => state,
        _ => return Err(Error::new(Code::Invalid, "it is not running")),
    };
    let ends = [Signal::KILL.as_raw(), stop_signal(doc)].contains(&signal);
    if !ends {
        return send(doc, &state, signal).map(drop);
    }
    // The user wants it stopped: no restart policy brings it back.
    container::halt(id)?;
    let Some(state) = give_up(id)? else { return Ok(()) };
    let keeper = keeper(id, &state)?;
    freezer::thaw(doc)?;
    let process = send(doc, &state, signal)?;
    if signal == Signal::KILL.as_raw()
        && let Some(process) = process
    {
        return gone(id, &state, &process, keeper.as_ref());
    }
    Ok(())
}

/// Sends it, where there is a process to take it.
fn send(doc: &Document, state: &State, signal: i32) -> Result<Option<Handle>> {
    let process = Handle::open(state)?;
    if let Some(process) = &process {
        process.signal(signal)?;
        events::emit("kill", doc, &json!({"signal": signal.to_string()}));
    }
    Ok(process)
}

/// Waits for the end of a killed process and for the record of it.
fn gone(id: &str, state: &State, process: &Handle, keeper: Option<&Handle>) -> Result<()> {
    if !process.wait(Some(PATIENCE))? {
        let pid = state.pid.unwrap_or_default();
        return Err(Error::new(Code::Busy, format!("its process {pid} does not end")));
    }
    await_end(id, state, keeper).map(drop)
}

/// Longest wait for a killed process: one in the kernel on a slow device takes its time.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
