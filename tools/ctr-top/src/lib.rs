//! Lists the processes of a container, as ps(1) on the host shows them.

mod members;
mod own;
mod ps;
mod table;

use clap::Args;
use ctr_core::{Code, Error, Result, container, print_line};

/// The tool's name.
pub const NAME: &str = "ctr-top";
/// The first line of its help.
pub const ABOUT: &str = "List the processes of a container";

/// The arguments of ctr-top(1).
#[derive(Args, Debug)]
pub struct CtrTop {
    /// Print a JSON object for each process instead of a table
    #[arg(long)]
    json: bool,
    /// Name, id or beginning of an id that no other container has
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Options of ps(1) on the host; they must let it print a column PID. Default: -ef
    #[arg(value_name = "PS-OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Prints the processes that are in the container.
///
/// # Errors
/// `not-found` where the container does not run, `busy` while it is being restarted.
pub fn run(args: CtrTop) -> Result<()> {
    let id = container::find(&args.container)?;
    let state = container::live_state(&id)?;
    let stopped = |why: &str| format!("container {} {why}", args.container);
    let state = match state {
        None => return Err(Error::new(Code::NotFound, stopped("is not running"))),
        Some(state) if state.status == "restarting" => {
            return Err(Error::new(Code::Busy, stopped("is restarting")).hint("wait until it runs"));
        }
        Some(state) => state,
    };
    let members = members::of(state.pid.unwrap_or_default())?;
    // Its pid might have become another's before it was looked at.
    if !container::is_alive(&state) {
        return Err(Error::new(Code::NotFound, stopped("is not running")));
    }
    let table = match ps::list(&args.options)? {
        Some(text) => ps::pick(&text, &members)?,
        None if args.options.is_empty() => own::list(&members),
        None => return Err(Error::new(Code::Unsupported, "cannot run ps: it is not installed").hint("give no options")),
    };
    if args.json {
        return table.objects().iter().try_for_each(print_line);
    }
    print_line(&table.text())
}
