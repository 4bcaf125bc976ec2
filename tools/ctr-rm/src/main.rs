//! `ctr-rm`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_rm::NAME, ctr_rm::ABOUT, ctr_rm::run)
}
