//! img-unpack(1)
fn main() -> std::process::ExitCode {
    ctr_core::pipe::<img_unpack::Args>()
}
