//! `overlay-mount`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::pipe::<overlay_mount::OverlayMount>()
}
