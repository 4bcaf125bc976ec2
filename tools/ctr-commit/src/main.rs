//! `ctr-commit`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::pipe::<ctr_commit::CtrCommit>()
}
