//! `ctr-stop`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_stop::NAME, ctr_stop::ABOUT, ctr_stop::run)
}
