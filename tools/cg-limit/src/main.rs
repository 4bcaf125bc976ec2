//! `cg-limit`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::pipe::<cg_limit::CgLimit>()
}
