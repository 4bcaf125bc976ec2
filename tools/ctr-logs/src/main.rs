//! `ctr-logs`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_logs::NAME, ctr_logs::ABOUT, ctr_logs::run)
}
