//! `ctr-plan`: see `ctr-plan(1)`.
fn main() -> std::process::ExitCode {
    ctr_plan::main()
}
