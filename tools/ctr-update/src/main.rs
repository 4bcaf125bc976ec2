//! `ctr-update`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_update::NAME, ctr_update::ABOUT, ctr_update::run)
}
