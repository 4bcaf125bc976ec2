//! `cg-stat`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(cg_stat::NAME, cg_stat::ABOUT, cg_stat::run)
}
