//! `ns-spawn`: see the library half.

fn main() -> std::process::ExitCode {
    // With --init this program is also the container's PID 1.
    ctr_runtime::run::init::enter_if_called();
    ctr_core::pipe::<ns_spawn::NsSpawn>()
}
