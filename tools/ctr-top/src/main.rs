//! `ctr-top`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_top::NAME, ctr_top::ABOUT, ctr_top::run)
}
