//! `ctr-supervise`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_supervise::NAME, ctr_supervise::ABOUT, ctr_supervise::run)
}
