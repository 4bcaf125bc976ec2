//! `ctr-fmt`: see `ctr-fmt(1)`.
fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_fmt::NAME, ctr_fmt::ABOUT, ctr_fmt::run)
}
