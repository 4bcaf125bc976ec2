//! `vol-mount`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::pipe::<vol_mount::VolMount>()
}
