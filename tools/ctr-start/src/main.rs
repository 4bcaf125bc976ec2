//! `ctr-start`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_start::NAME, ctr_start::ABOUT, ctr_start::run)
}
