//! `ctr-inspect`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_inspect::NAME, ctr_inspect::ABOUT, ctr_inspect::run)
}
