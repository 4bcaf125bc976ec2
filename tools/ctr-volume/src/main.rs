//! `ctr-volume`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_volume::NAME, ctr_volume::ABOUT, ctr_volume::run)
}
