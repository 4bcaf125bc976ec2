//! `ctr-prune`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(ctr_prune::NAME, ctr_prune::ABOUT, ctr_prune::run)
}
