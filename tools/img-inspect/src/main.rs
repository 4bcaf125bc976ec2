//! `img-inspect`: see the library half.

fn main() -> std::process::ExitCode {
    ctr_core::plain(img_inspect::NAME, img_inspect::ABOUT, img_inspect::run)
}
