//! `ctr-cp`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_cp::NAME, ctr_cp::ABOUT, ctr_cp::run)
}
