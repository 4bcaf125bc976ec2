//! `ctr-pause`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_pause::NAME, ctr_pause::ABOUT, ctr_pause::run)
}
