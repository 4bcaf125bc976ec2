//! `ns-spawn`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::pipe::<ns_spawn::NsSpawn>()
}
