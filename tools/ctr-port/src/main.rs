//! `ctr-port`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_port::NAME, ctr_port::ABOUT, ctr_port::run)
}
