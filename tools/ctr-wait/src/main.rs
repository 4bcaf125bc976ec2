//! `ctr-wait`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_wait::NAME, ctr_wait::ABOUT, ctr_wait::run)
}
