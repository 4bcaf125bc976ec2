//! `img-load`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::pipe::<img_load::ImgLoad>()
}
