//! `net-attach`: see the library half.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    match env::var("CNI_COMMAND") {
        // A runtime of CNI gives its plugins no arguments.
        Ok(command) if env::args_os().len() == 1 => net_attach::cni::run(&command),
        _ => ctr_core::pipe::<net_attach::NetAttach>(),
    }
}
