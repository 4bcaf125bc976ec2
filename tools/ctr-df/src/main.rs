//! `ctr-df`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_df::NAME, ctr_df::ABOUT, ctr_df::run)
}
