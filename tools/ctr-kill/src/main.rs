//! `ctr-kill`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_kill::NAME, ctr_kill::ABOUT, ctr_kill::run)
}
