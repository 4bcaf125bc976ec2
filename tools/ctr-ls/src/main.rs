//! `ctr-ls`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_ls::NAME, ctr_ls::ABOUT, ctr_ls::run)
}
