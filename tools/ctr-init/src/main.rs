//! `ctr-init`: executes the command of a container, or with `--init` runs it as its child and reaps.
//!
//! A program of its own, for it is executed in every container: the less of it there is, the sooner the command runs.

use std::{env, process::ExitCode};

const HELP: &str = "\
Execute the command of a container: run by ns-spawn and ns-enter, by nobody else

Usage: ctr-init [OPTIONS]

Options:
  -h, --help     Print help
  -V, --version  Print version

See ctr-init(1).";

fn main() -> ExitCode {
    ctr_runtime::run::init::enter_if_called();
    let text = match env::args().nth(1).as_deref() {
        Some("-h" | "--help") => HELP.to_owned(),
        Some("-V" | "--version") => format!("ctr-init {}", env!("CARGO_PKG_VERSION")),
        other => {
            let word = other.unwrap_or("nothing");
            ctr_core::trace::init("ctr-init", false, false);
            ctr_core::trace::warn(&format!("unexpected argument {word:?}: it is run by ns-spawn and ns-enter"));
            return ExitCode::from(2);
        }
    };
    if ctr_core::print_line(&text).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
