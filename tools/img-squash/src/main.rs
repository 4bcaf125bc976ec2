//! `img-squash`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::pipe::<img_squash::ImgSquash>()
}
