//! `ctr-events`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_events::NAME, ctr_events::ABOUT, ctr_events::run)
}
