//! `ctr-info`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_info::NAME, ctr_info::ABOUT, ctr_info::run)
}
