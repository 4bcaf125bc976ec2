//! `ctr-rename`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_rename::NAME, ctr_rename::ABOUT, ctr_rename::run)
}
