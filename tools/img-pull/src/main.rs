//! img-pull: see `img-pull(1)`.

fn main() -> std::process::ExitCode {
    ctr_core::pipe::<img_pull::Args>()
}
