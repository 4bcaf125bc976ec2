//! `ctr-diff`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_diff::NAME, ctr_diff::ABOUT, ctr_diff::run)
}
