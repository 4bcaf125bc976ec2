//! `ns-enter`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ns_enter::NAME, ns_enter::ABOUT, ns_enter::run)
}
