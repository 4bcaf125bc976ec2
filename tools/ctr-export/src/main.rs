//! `ctr-export`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_export::NAME, ctr_export::ABOUT, ctr_export::run)
}
