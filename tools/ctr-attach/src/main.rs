//! `ctr-attach`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_attach::NAME, ctr_attach::ABOUT, ctr_attach::run)
}
